//! `patch`: changes of files that a patch describes.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::offer::Offer;
use super::state::resource_id;
use crate::accounts::group::Presence;
use crate::args;
use crate::args::{ArgError, Arguments, Field};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::ask;
use crate::commands::words::expand_path;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists};

/// Largest patch (bytes).
const LARGEST: u64 = 64 << 20;

args! {
    /// Applies a patch with the host's `patch`, or takes it back. Whether it is applied already is tried without
    /// changing anything. A plan can tell that it would be applied, not what the files would be.
    pub struct Options {
        /// The patch on the controller, relative to `files/` of the role or to the playbook; with
        /// `remote_src` a path on the host.
        src ("patchfile"): PathBuf,
        /// The file that is patched, if it is only one.
        dest ("originalfile"): Option<PathBuf>,
        /// The directory that names in the patch begin in. Missing: that of `dest`.
        basedir: Option<PathBuf>,
        /// Whether it is applied or taken back.
        state: Presence = Presence::Present,
        /// Whether `src` is on the host.
        remote_src: bool = false,
        /// How many directories are cut off names in the patch.
        strip: u32 = 0,
        /// Whether files are kept beside with a number before they are changed.
        backup: bool = false,
        /// Whether line endings are left as they are.
        binary: bool = false,
        /// Whether white space counts for nothing when places are looked for.
        ignore_whitespace: bool = false,
        /// Set by the controller: the content of `src`.
        stead_source: Option<Offer>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: One file
  patch:
    src: motd.patch
    dest: /etc/motd
- name: A whole tree
  patch:
    src: /srv/fix.patch
    remote_src: true
    basedir: /var/www/html
    strip: 1
    backup: true
";

/// The module.
pub struct Patch;

/// The options.
#[derive(Debug)]
pub struct Args(Options);

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        let options = Options::parse(options)?;
        if options.dest.is_none() && options.basedir.is_none() {
            let problem = "one of the following is required: dest, basedir".to_owned();
            return Err(vec![ArgError { option: "dest".into(), problem }]);
        }
        Ok(Self(options))
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// Whether the patch is applied.
#[derive(Debug, Clone)]
pub struct State {
    id: ResourceId,
    patch: Vec<u8>,
    is_applied: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = self.id.clone();
        vec![if self.is_applied { ResourceState::present(id) } else { ResourceState::absent(id) }]
    }
}

const PATCH: Tool = Tool::new("patch", "patch");

/// What is asked of `patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Apply,
    TakeBack,
}

impl Options {
    /// The patch itself.
    fn content(&self, host: &dyn Inspect) -> Result<Vec<u8>, Failure> {
        if let Some(offer) = self.stead_source.as_ref().filter(|_| !self.remote_src) {
            return host.blob(&offer.sha256);
        }
        let path = expand_path(&self.src, host);
        if !self.remote_src || !host.access(&path)[0] {
            return Err(Failure::new(format!("src {} doesn't exist or not readable", path.display())));
        }
        host.read(&path, LARGEST)
    }

    fn dest(&self, host: &dyn Inspect) -> Option<PathBuf> {
        self.dest.as_deref().map(|dest| expand_path(dest, host))
    }

    /// The directory in which names begin.
    fn directory(&self, host: &dyn Inspect) -> PathBuf {
        let own = self.basedir.as_deref().map(|path| expand_path(path, host));
        let parent = || self.dest(host).and_then(|dest| dest.parent().map(Path::to_owned));
        own.or_else(parent).unwrap_or_default()
    }

    fn line(&self, way: Way, more: &[&str], patch: &[u8], host: &dyn Inspect) -> CommandLine {
        let mut words: Vec<String> = ["--quiet", "--forward", "--batch"].map(str::to_owned).to_vec();
        words.extend(more.iter().map(|&word| word.to_owned()));
        let directory = self.directory(host);
        words.extend([format!("--strip={}", self.strip), format!("--directory={}", directory.display())]);
        let mut add = |is_wanted: bool, word: &str| words.extend(is_wanted.then(|| word.to_owned()));
        add(way == Way::TakeBack, "--reverse");
        add(self.binary, "--binary");
        add(self.ignore_whitespace, "--ignore-whitespace");
        words.extend(self.dest(host).iter().flat_map(|dest| ["--".to_owned(), directory.join(dest).display().to_string()]));
        PATCH.line(words).input(patch)
    }

    /// Whether it could go this way now.
    fn can(&self, way: Way, patch: &[u8], host: &dyn Inspect) -> Result<bool, Failure> {
        let line = self.line(way, &["--dry-run"], patch, host);
        let output = PATCH.query(&line, host)?;
        Ok(output.is_some_and(|output| output.rc == 0))
    }

    /// Whether what the program would see is not what the plan has there.
    fn is_planned(&self, host: &dyn Inspect) -> bool {
        let place = self.dest(host).unwrap_or_else(|| self.directory(host));
        if host.acts() {
            return false;
        }
        let text = place.display().to_string();
        let Ok(planned) = host.digest(&place, "sha256") else { return ask(host, ["test", "-e", &text]).is_none() };
        ask(host, ["sha256sum", "--", &text]).is_none_or(|found| !found.trim_start_matches('\\').starts_with(&planned))
    }
}

impl Resource for Patch {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let options = &args.0;
        let patch = options.content(host)?;
        if let Some(dest) = options.dest(host).filter(|dest| !host.access(dest)[1]) {
            return Err(Failure::new(format!("dest {} doesn't exist or not writable", dest.display())));
        }
        let directory = options.directory(host);
        if !exists(&directory, host) {
            return Err(Failure::new(format!("basedir {} doesn't exist", directory.display())));
        }
        let place = options.dest(host).unwrap_or(directory);
        let digest = crate::change::sha256(&patch);
        let id = ResourceId::new("patch", format!("{} in {} ({})", options.src.display(), place.display(), &digest[..12]));
        if let Some(thing) = host.thing(&id) {
            return Ok(State { id, patch, is_applied: thing != Thing::Gone });
        }
        if options.is_planned(host) {
            return Err(Failure::unknown(format!("`{}` is changed by an earlier task of the plan", place.display())));
        }
        let (done, todo) = match options.state {
            Presence::Present => (Way::TakeBack, Way::Apply),
            Presence::Absent => (Way::Apply, Way::TakeBack),
        };
        let is_done = options.can(done, &patch, host)?;
        if !is_done && !options.can(todo, &patch, host)? {
            let line = options.line(todo, &["--dry-run"], &patch, host);
            let Some(said) = PATCH.query(&line, host)? else {
                return Err(Failure::unknown("the package `patch` is not installed yet"));
            };
            let said = [said.error_text(), said.text()].into_iter().find(|text| !text.is_empty()).unwrap_or_default();
            return Err(Failure::new(said));
        }
        Ok(State { id, patch, is_applied: is_done == (options.state == Presence::Present) })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { is_applied: args.0.state == Presence::Present, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut more = vec!["--reject-file=-"];
        if args.0.backup {
            more.extend(["--backup", "--version-control=numbered"]);
        }
        let (way, thing) =
            if step.want.is_applied { (Way::Apply, Thing::There(String::new())) } else { (Way::TakeBack, Thing::Gone) };
        let line = args.0.line(way, &more, &step.now.patch, host.inspect());
        PATCH.run(&line, &[Effect::Thing(step.want.id.clone(), thing)], host)?;
        Ok(Written::quiet())
    }

    fn claims(args: &Args) -> Claims {
        let options = &args.0;
        let places = options.dest.iter().chain(&options.basedir).map(|path| resource_id(path));
        let source = options.remote_src.then(|| resource_id(&options.src));
        Claims::provides(places).needing(source.into_iter().chain([ResourceId::new("package", "patch")]))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test looks at what the program wrote")]
mod tests {
    use serde_json::json;

    use crate::host::overlay::Overlay;
    use crate::host::real::RealHost;
    use crate::outcome::Ending;
    use crate::registry::find;

    const ONE: &str = "--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    #[test]
    fn patches_are_applied_once_and_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        std::fs::write(path("p"), ONE).unwrap();
        std::fs::write(path("f"), "one\ntwo\nthree\n").unwrap();
        std::fs::write(path("other"), "nothing\n").unwrap();
        let host = || RealHost::new(Box::new(|_| Ok(ONE.into())));
        let text = || std::fs::read_to_string(path("f")).unwrap();
        for (options, ending, now) in [
            (json!({"dest": path("f")}), Ending::Changed, "2"),
            (json!({"basedir": path(""), "strip": 1}), Ending::Ok, "2"),
            (json!({"basedir": path(""), "strip": 1, "state": "absent", "backup": true}), Ending::Changed, "two"),
            (json!({"dest": path("f"), "state": "absent"}), Ending::Ok, "two"),
            (json!({"dest": path("other")}), Ending::Failed, "two"),
            (json!({"dest": path("none")}), Ending::Failed, "two"),
            (json!({"dest": path("f"), "src": path("q")}), Ending::Failed, "two"),
            (json!({}), Ending::Failed, "two"),
        ] {
            let mut all = json!({"src": path("p"), "remote_src": true}).as_object().unwrap().clone();
            all.extend(options.as_object().unwrap().clone());
            let mut overlay = Overlay::new(host());
            let module = find("patch").unwrap();
            let planned = (module.run)(&all, &mut overlay);
            let outcome = (module.run)(&all, &mut host());
            assert_eq!(outcome.ending, ending, "{options}: {:?}", outcome.result);
            assert_eq!((planned.ending, &planned.changes), (ending, &outcome.changes), "{options}");
            assert_eq!(text(), format!("one\n{now}\nthree\n"), "{options}");
            if ending != Ending::Failed {
                assert_eq!((module.run)(&all, &mut overlay).ending, Ending::Ok, "{options}");
                assert_eq!((module.run)(&all, &mut host()).ending, Ending::Ok, "{options}");
            }
        }
        let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(names.contains(&"f.~1~".into()) && !names.contains(&"f.rej".into()), "{names:?}");
    }

    #[test]
    fn what_an_earlier_task_of_a_plan_changes_is_unknown() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("f").display().to_string();
        std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
        let digest = crate::change::sha256(ONE.as_bytes());
        let mut overlay = Overlay::new(RealHost::new(Box::new(|_| Ok(ONE.into()))));
        let options = json!({"src": "p", "dest": file, "stead_source": {"sha256": digest, "size": ONE.len()}});
        let run = |overlay: &mut Overlay<RealHost>| (find("patch").unwrap().run)(options.as_object().unwrap(), overlay).ending;
        let write = json!({"content": "other", "dest": file}).as_object().unwrap().clone();
        (find("copy").unwrap().run)(&write, &mut overlay);
        assert_eq!(run(&mut overlay), Ending::Unknown);
        assert_eq!(run(&mut Overlay::new(RealHost::new(Box::new(|_| Ok(ONE.into()))))), Ending::Changed);
    }
}
