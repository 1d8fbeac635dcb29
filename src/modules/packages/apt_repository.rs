//! `apt_repository`: lines of APT's lists of sources.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::apt::Apt;
use super::ppa::Ppa;
use super::whole_file::WholeFile;
use crate::accounts::group::Presence;
use crate::args;
use crate::args::Arguments;
use crate::change::ResourceId;
use crate::change::ResourceState;
use crate::claims::Claims;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::text_file::TextFile;

args! {
    /// Manages a line `deb ...` of APT's sources, wherever among their files it stands, or a personal
    /// package archive of Launchpad (`ppa:OWNER/NAME`) with its key.
    pub struct Args {
        /// The line, e.g. `deb http://archive.example.org/debian bookworm main`, or `ppa:OWNER/NAME`.
        repo: String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Name of a new file in `/etc/apt/sources.list.d`, without `.list`; otherwise made from the line.
        filename: Option<String>,
        /// Mode of a new file, octal.
        mode: Option<crate::files::mode::Mode>,
        /// Whether package lists are refreshed after a change.
        update_cache ("update-cache"): bool = true,
        /// How often refreshing is tried again.
        update_cache_retries: u64 = 5,
        /// Most seconds between two tries.
        update_cache_retry_max_delay: u64 = 12,
        /// Release name for a personal package archive; that of the host if it is not given.
        codename: Option<String>,
        /// No effect: nothing is fetched by this module itself.
        validate_certs: bool = true,
        /// No effect: nothing has to be installed to manage sources.
        install_python_apt: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A repository
  apt_repository:
    repo: deb [arch=amd64] http://archive.example.org/debian bookworm main
    filename: example
- name: No such repository
  apt_repository:
    repo: deb http://deb.debian.org/debian bookworm main
    state: absent
";

const MAIN: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";

/// The module.
pub struct AptRepository;

/// All files of sources.
#[derive(Debug, Clone)]
pub struct State {
    files: Vec<TextFile>,
    ppa: Option<Ppa>,
    /// The key of such an archive: as it is, and as it should be.
    key: Option<(WholeFile, WholeFile)>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let key = self.key.iter().map(|(now, _)| now.resource());
        self.files.iter().map(TextFile::resource).chain(key).collect()
    }
}

/// A line without its comment and with single blanks; `None` if it is no source.
fn source(line: &str) -> Option<String> {
    let line = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words.len() >= 3 && ["deb", "deb-src"].contains(&words[0])).then(|| words.join(" "))
}

/// `deb [arch=amd64] https://u:p@example.org/x y z` -> `example_org_x.list`.
fn suggested_name(source: &str) -> String {
    let mut inside = false;
    let bare: String = source
        .chars()
        .filter(|c| {
            inside = (inside || *c == '[') && *c != ']';
            !inside && *c != ']'
        })
        .collect();
    let address = bare.split_whitespace().nth(1).unwrap_or("source");
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.split_once('@').map_or(address, |(_, rest)| rest);
    format!(
        "{}.list",
        address.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
    )
}

/// Whether APT reads a file of this name as a list in the one-line form.
fn is_list(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "list")
}

fn target(args: &Args, ppa: Option<&Ppa>) -> PathBuf {
    let name = match &args.filename {
        Some(name) if is_list(name) => name.clone(),
        Some(name) => format!("{name}.list"),
        None => ppa.map_or_else(|| suggested_name(&args.repo), Ppa::list_name),
    };
    Path::new(PARTS).join(name)
}

impl Resource for AptRepository {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let ppa = Ppa::parse(&args.repo, args.codename.as_deref(), host)?;
        let mut paths = vec![PathBuf::from(MAIN)];
        let parts = host.list(Path::new(PARTS)).unwrap_or_default();
        paths.extend(parts.iter().filter(|name| is_list(name)).map(|name| Path::new(PARTS).join(name)));
        let target = target(args, ppa.as_ref());
        if !paths.contains(&target) {
            paths.push(target);
        }
        let files = paths.iter().map(|path| TextFile::read(path, host)).collect::<Result<Vec<_>, _>>()?;
        let listed = |ppa: &Ppa| files.iter().flat_map(TextFile::lines).filter_map(source).any(|source| ppa.is(&source));
        let new = ppa.as_ref().filter(|ppa| args.state == Presence::Present && !listed(ppa));
        let key = new.map(|ppa| ppa.key(host)).transpose()?;
        Ok(State { files, ppa, key })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let wanted = match &now.ppa {
            Some(ppa) => ppa.line(),
            None => source(&args.repo).ok_or_else(|| Failure::new(format!("Invalid repository string: {}", args.repo)))?,
        };
        let is = |line: &str| {
            source(line).is_some_and(|source| source == wanted || now.ppa.as_ref().is_some_and(|ppa| ppa.is(&source)))
        };
        let key = now.key.clone().map(|(_, want)| (want.clone(), want));
        let with = |files: Vec<TextFile>| Ok(State { files, ppa: now.ppa.clone(), key: key.clone() });
        let mut files = now.files.clone();
        if args.state == Presence::Absent {
            for file in &mut files {
                if file.lines().any(is) {
                    let left = file.lines().filter(|line| !is(line)).fold(String::new(), |text, line| text + line + "\n");
                    // A file of its own of which nothing is left goes; the main one stays.
                    file.text = Some(left).filter(|left| !left.trim().is_empty() || file.path == Path::new(MAIN));
                }
            }
            return with(files);
        }
        if files.iter().any(|file| file.lines().any(is)) {
            return with(files);
        }
        let off = |line: &str| line.trim_start().starts_with('#') && is(line.trim_start().trim_start_matches('#'));
        if let Some(file) = files.iter_mut().find(|file| file.lines().any(off)) {
            let text = file.lines().fold(String::new(), |text, line| text + if off(line) { &wanted } else { line } + "\n");
            file.text = Some(text);
            return with(files);
        }
        let target = target(args, now.ppa.as_ref());
        let file = files.iter_mut().find(|file| file.path == target).expect("read looks at the target");
        let mut text = file.text.clone().unwrap_or_default();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        file.text = Some(text + &wanted + "\n");
        with(files)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if host.stat(Path::new(PARTS))?.is_none() {
            host.make_directory(Path::new(PARTS), &Attributes { mode: Some(0o755), ..Attributes::default() })?;
        }
        if let Some((_, want)) = step.now.key.as_ref().filter(|(now, want)| now != want) {
            want.write(0o644, host)?;
        }
        let changed = || step.want.files.iter().zip(&step.now.files).filter(|(want, now)| want != now);
        for (want, now) in changed() {
            let mode =
                if now.text.is_none() { Some(args.mode.as_ref().map_or(0o644, |mode| mode.bits(0o644, false))) } else { None };
            want.write(Attributes { mode, ..Attributes::default() }, host)?;
        }
        if args.update_cache
            && let Err(failure) = refresh(args, host)
        {
            // Sources that cannot be fetched are taken back, so that APT stays usable.
            for (_, now) in changed() {
                now.write(Attributes::default(), host)?;
            }
            return Err(failure);
        }
        let named = |new: bool| -> Vec<String> {
            let is = |want: &TextFile, now: &TextFile| if new { now.text.is_none() } else { want.text.is_none() };
            changed().filter(|(want, now)| is(want, now)).map(|(want, _)| want.path.display().to_string()).collect()
        };
        Ok(Written::quiet().with("sources_added", named(true)).with("sources_removed", named(false)))
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let result = json!({"repo": args.repo, "state": args.state.word(), "sources_added": [], "sources_removed": []});
        result.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let file = |path: &str| ResourceId::new("file", path);
        let own = if args.repo.starts_with("ppa:") { PathBuf::from(PARTS) } else { target(args, None) };
        Claims::provides([file(&own.display().to_string()), file(MAIN), file(PARTS), ResourceId::new("package-manager", "apt")])
    }
}

/// Refreshes package lists the way `apt` does.
fn refresh(args: &Args, host: &mut dyn Host) -> Result<(), Failure> {
    let options = json!({
        "update_cache": true, "update_cache_retries": args.update_cache_retries,
        "update_cache_retry_max_delay": args.update_cache_retry_max_delay,
    });
    let options = options.as_object().cloned().unwrap_or_default();
    let apt = super::apt::Args::parse(&options).expect("these options are well-formed");
    Apt::prepare(&apt, host).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_address() {
        for (line, name) in [
            ("deb http://archive.canonical.com/ubuntu hardy partner", "archive_canonical_com_ubuntu.list"),
            (
                "deb [arch=amd64 signed-by=/x.gpg] https://download.docker.com/linux/debian bookworm stable",
                "download_docker_com_linux_debian.list",
            ),
            ("deb https://user:pass@example.org/x ./", "example_org_x.list"),
        ] {
            assert_eq!(suggested_name(line), name);
        }
    }

    #[test]
    fn lines_are_compared_without_blanks_and_comments() {
        assert_eq!(source("deb   http://a  b c # note").as_deref(), Some("deb http://a b c"));
        assert_eq!(source("# deb http://a b c"), None);
    }
}
