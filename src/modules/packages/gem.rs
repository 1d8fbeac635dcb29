//! `gem`: packages of Ruby.

use serde_json::{Map, Value, json};

use super::work::{self, Kind, Step as Change, Work};
use crate::claims::Claims;
use crate::host::{CommandLine, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What a gem should be.
    pub enum Presence {
        /// Installed.
        Present = "present",
        /// Not installed.
        Absent = "absent",
        /// Installed in the newest version.
        Latest = "latest",
    }
}

args! {
    /// Manages a package of Ruby by `gem`.
    pub struct Args {
        /// Name of the gem.
        name: String,
        /// What it should be.
        state: Presence = Presence::Present,
        /// Version that is installed or removed.
        version: Option<String>,
        /// Path of a gem on the host that is installed.
        gem_source: Option<String>,
        /// Source that the gem comes from.
        repository ("source"): Option<String>,
        /// Whether it is installed for the acting user only.
        user_install: bool = true,
        /// Directory that it is installed in, apart from others; with `user_install: false`.
        install_dir: Option<String>,
        /// Directory for its programs.
        bindir: Option<String>,
        /// The gem that is run.
        executable: Option<String>,
        /// Whether what it needs comes along.
        include_dependencies: bool = true,
        /// Whether its documentation is made.
        include_doc: bool = false,
        /// Whether versions before a release count.
        pre_release: bool = false,
        /// Whether its programs are started through `env`.
        env_shebang: bool = false,
        /// Options for building it.
        build_flags: Option<String>,
        /// Whether dependencies are not heeded.
        force: bool = false,
        /// Whether configuration files of `gem` are not read.
        norc: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A version
  gem:
    name: vagrant
    version: '1.0'
- name: No gem
  gem:
    name: oldgem
    state: absent
- name: Already there
  gem:
    name: rake
    user_install: false
";

/// The module.
pub struct Gem;

const GEM: Kind = Kind { word: "gem", system: false };

impl Args {
    fn line(&self, verb: &str) -> Result<CommandLine, Failure> {
        let mut argv = work::words("executable", self.executable.as_deref())?;
        if argv.is_empty() {
            argv.push("gem".into());
        }
        argv.push(verb.to_owned());
        argv.extend(self.norc.then(|| "--norc".to_owned()));
        let line = CommandLine::new(argv);
        Ok(match &self.install_dir {
            Some(directory) => line.env("GEM_HOME", directory),
            None => line,
        })
    }

    /// The versions that are there (or can be had).
    fn versions(&self, place: &str, host: &dyn Inspect) -> Result<Vec<String>, Failure> {
        let mut line = self.line("list")?;
        line.argv.extend([place, "--exact", "--no-details"].map(String::from));
        if place == "--remote" {
            line.argv.extend(self.pre_release.then(|| "--prerelease".to_owned()));
            line.argv.extend(self.repository.iter().flat_map(|source| ["--source".to_owned(), source.clone()]));
        }
        line.argv.push(self.name.clone());
        Ok(parse(&work::text(&line, "ruby", host)?, &self.name))
    }

    fn install(&self) -> Result<CommandLine, Failure> {
        let mut line = self.line("install")?;
        let words = &mut line.argv;
        let pair = |flag: &str, value: &Option<String>| {
            value.iter().flat_map(|value| [flag.to_owned(), value.clone()]).collect::<Vec<_>>()
        };
        words.extend(pair("--version", &self.version));
        words.extend(pair("--source", &self.repository));
        words.extend(pair("--bindir", &self.bindir));
        words.extend(pair("--install-dir", &self.install_dir));
        let flags = [
            (!self.include_dependencies, "--ignore-dependencies"),
            (self.install_dir.is_none() && self.user_install, "--user-install"),
            (self.install_dir.is_none() && !self.user_install, "--no-user-install"),
            (self.pre_release, "--pre"),
            (!self.include_doc, "--no-document"),
            (self.env_shebang, "--env-shebang"),
            (self.force, "--force"),
        ];
        words.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned()));
        words.push(self.gem_source.clone().unwrap_or_else(|| self.name.clone()));
        let flags = work::words("build_flags", self.build_flags.as_deref())?;
        if !flags.is_empty() {
            words.push("--".into());
            words.extend(flags);
        }
        Ok(line)
    }

    fn uninstall(&self) -> Result<CommandLine, Failure> {
        let mut line = self.line("uninstall")?;
        line.argv.extend(self.install_dir.iter().flat_map(|directory| ["--install-dir".to_owned(), directory.clone()]));
        line.argv.extend(self.bindir.iter().flat_map(|directory| ["--bindir".to_owned(), directory.clone()]));
        match &self.version {
            Some(version) => line.argv.extend(["--version".to_owned(), version.clone()]),
            None => line.argv.push("--all".into()),
        }
        line.argv.push("--executables".into());
        line.argv.extend(self.force.then(|| "--force".to_owned()));
        line.argv.push(self.name.clone());
        Ok(line)
    }

    fn label(&self) -> String {
        self.install_dir.as_ref().map_or_else(|| self.name.clone(), |directory| format!("{} in {directory}", self.name))
    }
}

/// `rake (13.0.6, default: 13.0.3 ruby)` -> the versions, newest first.
fn parse(text: &str, name: &str) -> Vec<String> {
    let row = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')'));
    let version = |part: &str| {
        let part = part.trim();
        part.strip_prefix("default: ").unwrap_or(part).split_whitespace().next().map(str::to_owned)
    };
    row.map(|row| row.split(',').filter_map(version).collect()).unwrap_or_default()
}

impl Resource for Gem {
    type Args = Args;
    type State = Work;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        if args.gem_source.is_some() && args.state == Presence::Latest {
            return Err(Failure::new("Cannot maintain state=latest when installing from local source"));
        }
        if args.user_install && args.install_dir.is_some() {
            return Err(Failure::new("install_dir requires user_install=false"));
        }
        if args.version.is_some() && args.state == Presence::Latest {
            return Err(Failure::new("Cannot specify a version when state=latest"));
        }
        for word in [Some(&args.name), args.version.as_ref(), args.gem_source.as_ref()].into_iter().flatten() {
            work::names(std::slice::from_ref(word))?;
        }
        let mut work = Work::default();
        let there = match args.versions("--local", host) {
            Ok(there) => there,
            // An earlier task of this plan may bring the program.
            Err(_) if !host.acts() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        let is = |version: &String| args.version.as_ref().is_none_or(|wanted| wanted == version);
        let now = GEM.seen(&args.label(), there.iter().find(|version| is(version)).cloned(), host);
        let step = |after: Option<String>| vec![Change::new(args.label(), now.clone(), after)];
        match args.state {
            Presence::Absent if now.is_some() => work.add(GEM, step(None), args.uninstall()?, host),
            Presence::Present if now.is_none() => {
                work.add(GEM, step(Some(args.version.clone().unwrap_or_default())), args.install()?, host);
            }
            Presence::Latest => {
                let newest = args.versions("--remote", host)?.into_iter().next();
                let newest = newest.ok_or_else(|| Failure::new(format!("no source has a gem `{}`", args.name)))?;
                let now = if there.contains(&newest) { Some(newest.clone()) } else { now.clone() };
                let mut line = args.install()?;
                let at = line.argv.iter().position(|word| word == "install").map_or(0, |at| at + 1);
                line.argv.splice(at..at, ["--version".to_owned(), newest.clone()]);
                work.add(GEM, vec![Change::new(args.label(), now, Some(newest))], line, host);
            }
            _ => work.keep(GEM, &args.label(), now.as_deref()),
        }
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(args: &Args, _: &Work, _: &Work) -> Map<String, Value> {
        let fields = json!({"name": args.name, "state": args.state.word()});
        let mut fields = fields.as_object().cloned().unwrap_or_default();
        fields.extend(args.version.clone().map(|version| ("version".to_owned(), version.into())));
        fields
    }

    fn claims(_: &Args) -> Claims {
        // Gems bring programs, and installing them runs their own code.
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<Gem>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(parse("rake (13.0.6, default: 13.0.3 ruby)\n", "rake"), ["13.0.6", "13.0.3"]);
        assert_eq!(parse("rake-compiler (1.0)\n", "rake"), Vec::<String>::new());
    }

    #[test]
    fn a_version_comes_beside_another_one() {
        let mut host = MemoryHost::default();
        host.answer(&["gem", "list", "--norc", "--local", "--exact", "--no-details", "rake"], 0, "rake (13.0.6)\n");
        assert_eq!(run(&json!({"name": "rake"}), &mut host).unwrap().changes, []);
        let outcome =
            run(&json!({"name": "rake", "version": "12.0.0", "user_install": false, "build_flags": "--with-x"}), &mut host)
                .unwrap();
        assert_eq!(outcome.changes[0].differences[0].after, "12.0.0");
        assert_eq!(
            host.ran[0].argv.join(" "),
            "gem install --norc --version 12.0.0 --no-user-install --no-document rake -- --with-x"
        );
        run(&json!({"name": "rake", "state": "absent"}), &mut host).unwrap();
        assert_eq!(host.ran[1].argv.join(" "), "gem uninstall --norc --all --executables rake");
    }

    #[test]
    fn options_that_exclude_each_other() {
        for options in [
            json!({"name": "a", "install_dir": "/x"}),
            json!({"name": "a", "gem_source": "/a.gem", "state": "latest"}),
            json!({"name": "a", "version": "1", "state": "latest"}),
            json!({"name": "--config"}),
        ] {
            assert!(run(&options, &mut MemoryHost::default()).is_err(), "{options}");
        }
    }
}
