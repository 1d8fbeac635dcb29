//! `git`: a clone of a repository at a certain version.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::args;
use crate::args::{ArgError, Arguments, Field};
use crate::change::{Change, Content, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::files::state::resource_id;
use crate::host::{Host, Inspect, Thing};
use crate::outcome::{Ending, Failure, Outcome};
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;

mod archive;
mod ask;
mod line;
mod submodules;
mod write;

use ask::{Asked, Target};

args! {
    /// Manages a clone of a git repository, with the host's own `git`.
    ///
    /// The repository is asked which commit the version is now; if that is checked out and nothing else
    /// differs, nothing is fetched. A plan asks it too. User and password in an address (`https`) are given to
    /// git without showing in the list of processes, and are not kept in the clone. Ansible counts
    /// only commits as changes; here an address and submodules that differ are changes too.
    pub struct Options {
        /// Where it comes from: an address that git knows, or a path on the host.
        repo ("name"): String,
        /// The directory of the clone. It must be missing, empty, or a clone already.
        dest: Option<PathBuf>,
        /// A branch, a tag, a commit, or `HEAD`: the default branch, and of a clone the branch that it has.
        version: String = "HEAD".into(),
        /// Name of the repository in the clone's settings.
        remote: String = "origin".into(),
        /// What is fetched in addition, e.g. `+refs/pull/*:refs/heads/*`.
        refspec: Option<String>,
        /// A repository on the host whose objects are used instead of copies of them.
        reference: Option<PathBuf>,
        /// How many commits of history are fetched, of branches and tags. Missing: all.
        depth: Option<u64>,
        /// Whether a missing clone is made. Without it only `after` tells what the version is.
        clone: bool = true,
        /// Whether a clone that is there is brought to the version.
        update: bool = true,
        /// Whether changes of files in the clone are thrown away; otherwise they are a failure.
        force: bool = false,
        /// The program, if it is not `git` in `PATH`.
        executable: Option<PathBuf>,
        /// Whether it is a repository without files; all its branches and tags are kept like those of `repo`.
        bare: bool = false,
        /// The mask for new files: octal text, or a number.
        umask: Option<Value>,
        /// Whether any key of the server is accepted, also a changed one.
        accept_hostkey: bool = false,
        /// Whether the key of a server that is not known yet is accepted.
        accept_newhostkey: bool = false,
        /// Options for `ssh`.
        ssh_opts: Option<String>,
        /// Private key (on the host) to log in with.
        key_file: Option<PathBuf>,
        /// Whether submodules are there too, as the version has recorded them.
        recursive: bool = true,
        /// Whether submodules are at the latest commit of their branch instead.
        track_submodules: bool = false,
        /// Whether the version must be signed with a key that is trusted (by `gpg` on the host).
        verify_commit: bool = false,
        /// Fingerprints of the only keys that are trusted.
        gpg_allowlist ("gpg_whitelist"): Vec<String> = Vec::new(),
        /// An archive that is made of the version: a path ending in `.tar`, `.tar.gz`, `.tgz` or `.zip`.
        archive: Option<PathBuf>,
        /// What stands before every path in the archive.
        archive_prefix: Option<String>,
        /// Where git's own files are kept instead of `.git` in the clone.
        separate_git_dir: Option<PathBuf>,
        /// Whether a new clone knows nothing but the branch of the version.
        single_branch: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A release
  git:
    repo: https://example.org/app.git
    dest: /srv/app
    version: v1.2.0
    depth: 1
- name: The latest commit of a branch, with a key for this purpose
  git:
    repo: git@example.org:site.git
    dest: /srv/site
    version: main
    key_file: /root/.ssh/deploy
    accept_newhostkey: true
    force: true
- name: A mirror
  git:
    repo: https://example.org/app.git
    dest: /srv/mirror/app.git
    bare: true
";

/// The module.
pub struct Git;

/// The options, and what the repository said.
#[derive(Debug)]
pub struct Args {
    options: Options,
    asked: RefCell<Option<Asked>>,
}

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        let options = Options::parse(options)?;
        let refused = |option: &str, problem: &str| Err(vec![ArgError { option: option.into(), problem: problem.into() }]);
        if options.dest.is_none() && options.clone {
            return refused("dest", "is required unless `clone` is false");
        }
        if options.separate_git_dir.is_some() && options.bare {
            return refused("separate_git_dir", "is mutually exclusive with `bare`");
        }
        if options.accept_hostkey && options.accept_newhostkey {
            return refused("accept_hostkey", "is mutually exclusive with `accept_newhostkey`");
        }
        if options.archive_prefix.is_some() && options.archive.is_none() {
            return refused("archive_prefix", "needs `archive`");
        }
        Ok(Self { options, asked: RefCell::default() })
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// The clone.
#[derive(Debug, Clone)]
pub struct State {
    id: ResourceId,
    dest: PathBuf,
    /// Whether it was there when this was read.
    exists: bool,
    /// Whether it is (or should be) there.
    present: bool,
    commit: Option<String>,
    remote: Option<String>,
    /// Files that were changed in the clone.
    modified: Vec<String>,
    /// Submodules that are not as they should be.
    submodules: Vec<String>,
    /// Of a bare repository: branches and tags that are not as they should be.
    refs: Vec<String>,
    git_dir: Option<PathBuf>,
    wanted_git_dir: Option<PathBuf>,
    archive: Option<archive::Archive>,
    /// What the version is.
    target: Target,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let mut states = vec![if self.present {
            let mut state = ResourceState::present(self.id.clone())
                .with("version", self.commit.clone())
                .with("remote", self.remote.clone())
                .with("git directory", self.git_dir.as_ref().map(|path| path.display().to_string()));
            if self.exists {
                for (name, list) in [
                    ("changed files", &self.modified),
                    ("outdated submodules", &self.submodules),
                    ("outdated references", &self.refs),
                ] {
                    state = state.with(name, list.clone());
                }
            }
            state
        } else {
            ResourceState::absent(self.id.clone())
        }];
        states.extend(self.archive.as_ref().map(archive::Archive::resource));
        states
    }
}

impl Options {
    fn check(&self) -> Result<(), Failure> {
        plain_word("repo", &self.repo)?;
        plain_word("version", &self.version)?;
        plain_word("remote", &self.remote)?;
        if let Some(refspec) = &self.refspec {
            plain_word("refspec", refspec)?;
        }
        Ok(())
    }

    /// The directory of the clone.
    fn place(&self, host: &dyn Inspect) -> PathBuf {
        self.dest.as_deref().map(|path| crate::files::paths::plain(&expand_path(path, host))).unwrap_or_default()
    }

    /// Git's own files in a clone.
    fn own_files(&self, dest: &Path) -> PathBuf {
        if self.bare { dest.to_owned() } else { dest.join(".git") }
    }

    /// Whether a clone is there.
    fn exists(&self, host: &dyn Inspect) -> Result<bool, Failure> {
        let Some(dest) = self.dest.as_ref().map(|_| self.place(host)) else { return Ok(false) };
        let own = self.own_files(&dest);
        // A submodule, or a clone whose own files are elsewhere, has a file that names them.
        let is_file = host.stat(&own)?.is_some_and(|stat| stat.kind == crate::host::FileKind::File);
        Ok(is_file || crate::system::tool::exists(own.join("config"), host) || host.thing(&id(&dest)).is_some())
    }
}

/// What a clone is called among the resources of a host.
fn id(dest: &Path) -> ResourceId {
    ResourceId::new("git repository", dest.display().to_string())
}

impl Resource for Git {
    type Args = Args;
    type State = State;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        args.options.check()?;
        if args.options.clone || args.options.exists(host)? {
            return Ok(None);
        }
        // Nothing is done, but what the version is can be asked for.
        let after = ask::target(args, Path::new(""), false, host)?;
        let result = json!({"before": null, "after": after.commit().unwrap_or(&args.options.version)});
        let result = result.as_object().cloned().unwrap_or_default();
        let change = Change::run(ResourceId::new("git version", args.options.version.as_str()));
        Ok(Some(Outcome { changes: vec![change], ..Outcome::new(Ending::Changed, result) }))
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let options = &args.options;
        let dest = options.place(host);
        let id = id(&dest);
        let exists = options.exists(host)?;
        let mut state = State {
            id,
            exists,
            present: exists,
            commit: None,
            remote: None,
            modified: Vec::new(),
            submodules: Vec::new(),
            refs: Vec::new(),
            git_dir: None,
            wanted_git_dir: options.separate_git_dir.as_ref().map(|path| expand_path(path, host)),
            archive: None,
            target: Target::Kept,
            dest,
        };
        let planned = host.thing(&state.id);
        let mut is_planned_so = false;
        if let Some(Thing::There(said)) = &planned {
            let said: Value = serde_json::from_str(said).unwrap_or_default();
            let text = |name: &str| said[name].as_str().map(str::to_owned);
            (state.commit, state.remote) = (text("commit"), text("remote"));
            state.git_dir = text("git_dir").map(PathBuf::from);
            is_planned_so = text("version").as_ref() == Some(&options.version);
        } else if exists {
            ask::local(&mut state, options, host)?;
        } else if host.stat(&state.dest)?.is_some() && !host.list(&state.dest)?.is_empty() {
            let place = state.dest.display();
            return Err(Failure::new(format!(
                "destination path '{place}' already exists, is no git repository and is not empty"
            )));
        }
        if options.update || !exists {
            state.target = ask::target(args, &state.dest, exists && planned.is_none(), host)?;
            // A version that only the clone can know is what an earlier task of the plan left.
            if state.target == Target::Other(None) && is_planned_so {
                state.target = Target::Other(state.commit.clone());
            }
            if exists && planned.is_none() {
                ask::outdated(&mut state, args, host)?;
            }
        }
        state.archive = archive::read(&state, options, host)?;
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let options = &args.options;
        let archive = now.archive.as_ref().map(archive::Archive::wanted);
        if now.exists && !options.update {
            return Ok(State { archive, ..now.clone() });
        }
        if !now.modified.is_empty() && !options.force {
            let place = options.dest.as_deref().unwrap_or(Path::new("")).display();
            let message = format!("Local modifications exist in the destination: {place} (force=no).");
            return Err(Failure::new(message).with("before", now.commit.clone()));
        }
        let remote = line::public(&options.repo);
        let commit = match &now.target {
            Target::Kept => now.commit.clone(),
            target => Some(target.commit().unwrap_or(&options.version).to_owned()),
        };
        Ok(State {
            present: true,
            commit,
            remote: Some(remote),
            modified: Vec::new(),
            submodules: Vec::new(),
            refs: Vec::new(),
            git_dir: now.wanted_git_dir.clone(),
            archive,
            ..now.clone()
        })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        write::write(args, step, host)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("before".into(), json!(before.commit));
        result.insert("after".into(), json!(after.commit.clone().or_else(|| before.commit.clone())));
        if before.exists && args.options.update {
            result.insert("remote_url_changed".into(), (before.remote != after.remote).into());
            if !before.submodules.is_empty() {
                result.insert("submodules_changed".into(), true.into());
            }
            if !before.modified.is_empty() {
                let place = args.options.dest.as_deref().unwrap_or(Path::new("")).display();
                result.insert("msg".into(), format!("Local modifications exist in the destination: {place}").into());
            }
        }
        if let Some(directory) = after.wanted_git_dir.as_ref().filter(|_| before.exists && before.git_dir != after.git_dir) {
            let show = |path: &Path| Value::from(path.display().to_string());
            result.insert("git_dir_before".into(), before.git_dir.as_deref().map_or(Value::Null, show));
            result.insert("git_dir_now".into(), show(directory));
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let options = &args.options;
        let Some(dest) = &options.dest else { return Claims::default() };
        let parent = dest.parent().filter(|parent| !parent.as_os_str().is_empty()).map(resource_id);
        let needs = options.key_file.iter().chain(&options.reference).map(|path| resource_id(path));
        let provides = [id(dest), resource_id(dest)].into_iter().chain(options.archive.iter().map(|path| resource_id(path)));
        Claims::provides(provides).needing(needs.chain(parent).chain([ResourceId::new("package", "git")]))
    }
}

/// The content property of a digest alone.
fn digest(sha256: String) -> Content {
    Content { sha256, size: 0, bytes: None }
}

#[cfg(test)]
mod tests;
