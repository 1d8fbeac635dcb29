//! Installing what requirements name, and verifying what is installed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fetch::{self, FetchError};
use super::lock::{Lock, Locked};
use super::requirements::{Kind, Requirement, Source, is_name};
use super::tree::{self, TreeError};

/// Where things are installed, and how strictly.
#[derive(Debug, Clone)]
pub struct Installer {
    /// Directory of roles.
    pub roles: PathBuf,
    /// Directory of collections (that of `ansible_collections`).
    pub collections: PathBuf,
    /// Directory that keeps content by digest, for installing without a network.
    pub cache: Option<PathBuf>,
    /// Fetch nothing from elsewhere.
    pub offline: bool,
    /// The lock file must not change.
    pub locked: bool,
    /// Fetch anew what is locked.
    pub update: bool,
    /// Replace what was changed by hand; it is kept aside.
    pub force: bool,
}

/// What became of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// What is locked now.
    pub locked: Locked,
    /// Where it is.
    pub path: PathBuf,
    /// Whether anything was done.
    pub changed: bool,
    /// Where what was there before is kept.
    pub kept_aside: Option<PathBuf>,
}

/// Why a requirement is not installed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Its content is not what was locked.
    #[error("its content changed: locked is sha256 {locked}, found was {found}")]
    Changed {
        /// The digest in the lock file.
        locked: String,
        /// The digest of what was fetched.
        found: String,
    },
    /// The lock file does not know it.
    #[error("the lock file does not hold it, and must not change")]
    NotLocked,
    /// It is needed from elsewhere.
    #[error("it is not in the cache, and nothing may be fetched")]
    Offline,
    /// What is installed was changed by hand.
    #[error("`{}` was changed since it was installed", .0.display())]
    Modified(PathBuf),
    /// Its name is not the one that was asked for.
    #[error("it calls itself `{0}`")]
    OtherName(String),
    /// A file cannot be written.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl From<TreeError> for Problem {
    fn from(error: TreeError) -> Self {
        Self::Fetch(error.into())
    }
}

impl Problem {
    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Changed { .. } => Some("look at what changed; `--update` accepts it"),
            Self::NotLocked => Some("install without `--locked` once, and keep the lock file"),
            Self::Offline => Some("install once with a network; the cache keeps it"),
            Self::Modified(_) => Some("`--force` replaces it and keeps the changed one aside"),
            Self::Fetch(FetchError::NotACollection) => Some("roles belong under `roles:`"),
            Self::Fetch(FetchError::NoGit(_)) => Some("install git, or name archives and directories"),
            _ => None,
        }
    }
}

/// What is installed, compared with the lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As locked.
    Same,
    /// Its content differs.
    Changed,
    /// It is not there.
    Missing,
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Problem {
    let path = path.to_owned();
    move |error| Problem::Io { path, error }
}

impl Installer {
    /// Where something is installed.
    pub fn path(&self, kind: Kind, name: &str) -> PathBuf {
        match kind {
            Kind::Role => self.roles.join(name),
            Kind::Collection => self.collections.join("ansible_collections").join(name.replace('.', "/")),
        }
    }

    /// Installs one requirement and notes it in the lock.
    pub fn install(&self, requirement: &Requirement, lock: &mut Lock) -> Result<Installed, Problem> {
        let known = lock.of(requirement).filter(|_| !self.update).cloned();
        if let Some(locked) = &known {
            let path = self.path(locked.kind, &locked.name);
            if path.is_dir() && tree::digest(&path)? == locked.sha256 {
                return Ok(Installed { locked: locked.clone(), path, changed: false, kept_aside: None });
            }
        }
        if known.is_none() && self.locked {
            return Err(Problem::NotLocked);
        }
        let parent = match requirement.kind {
            Kind::Role => &self.roles,
            Kind::Collection => &self.collections,
        };
        fs::create_dir_all(parent).map_err(io_error(parent))?;
        // Beside its destination: renamed in one step when it is whole.
        let scratch = tempfile::Builder::new().prefix(".installing-").tempdir_in(parent).map_err(io_error(parent))?;
        let (content, resolved) = self.content(requirement, known.as_ref(), scratch.path())?;
        let sha256 = tree::digest(&content)?;
        if let Some(locked) = &known
            && locked.sha256 != sha256
        {
            return Err(Problem::Changed { locked: locked.sha256.clone(), found: sha256 });
        }
        let name = match requirement.kind {
            Kind::Role => requirement.name.clone().expect("roles are named when requirements are read"),
            Kind::Collection => fetch::collection_name(&content)?,
        };
        if requirement.name.as_ref().is_some_and(|wanted| *wanted != name) || !is_name(&name) {
            return Err(Problem::OtherName(name));
        }
        let path = self.path(requirement.kind, &name);
        let before = lock.named(requirement.kind, &name).map(|locked| locked.sha256.clone());
        let kept_aside = self.place(&content, &sha256, &path, before.as_deref(), scratch.path())?;
        if let Some(cache) = &self.cache {
            keep(cache, &path, &sha256)?;
        }
        let source = requirement.source.to_string();
        let locked = Locked { kind: requirement.kind, name, source, version: requirement.version.clone(), resolved, sha256 };
        lock.set(locked.clone());
        Ok(Installed { locked, path, changed: true, kept_aside })
    }

    /// The content of a requirement: from the cache by its digest, or fetched.
    fn content(
        &self,
        requirement: &Requirement,
        known: Option<&Locked>,
        scratch: &Path,
    ) -> Result<(PathBuf, Option<String>), Problem> {
        if let (Some(locked), Some(cache)) = (known, &self.cache) {
            let cached = cache.join(&locked.sha256);
            // A cache is not trusted: content that is not what its name says is not used.
            if cached.is_dir() && tree::digest(&cached)? == locked.sha256 {
                let content = scratch.join("content");
                tree::copy(&cached, &content)?;
                return Ok((content, locked.resolved.clone()));
            }
        }
        if self.offline && matches!(requirement.source, Source::Git { .. }) {
            return Err(Problem::Offline);
        }
        // A branch may have moved since: what is locked is a commit.
        let is_git = matches!(requirement.source, Source::Git { .. });
        let version = match known.and_then(|locked| locked.resolved.as_deref()).filter(|_| is_git) {
            Some(commit) => Some(commit),
            None => requirement.version.as_deref(),
        };
        let fetched = fetch::fetch(&requirement.source, version, scratch)?;
        Ok((fetched.directory, fetched.resolved))
    }

    /// Moves content to its place. What is there goes, if it is what was installed before; what was
    /// changed by hand stays, or is kept aside.
    fn place(
        &self,
        content: &Path,
        sha256: &str,
        path: &Path,
        before: Option<&str>,
        scratch: &Path,
    ) -> Result<Option<PathBuf>, Problem> {
        let mut kept_aside = None;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(io_error(parent))?;
        }
        if path.symlink_metadata().is_ok() {
            let is_ours = path.is_dir() && {
                let found = tree::digest(path)?;
                found == sha256 || Some(&*found) == before
            };
            let aside = if is_ours {
                scratch.join("replaced")
            } else if self.force {
                let parent = path.parent().unwrap_or(Path::new(".")).join(".replaced");
                fs::create_dir_all(&parent).map_err(io_error(&parent))?;
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let mut names = (1..u32::MAX).map(|number| parent.join(format!("{name}.{number}")));
                let aside = names.find(|aside| aside.symlink_metadata().is_err()).expect("some number is free");
                kept_aside = Some(aside.clone());
                aside
            } else {
                return Err(Problem::Modified(path.to_owned()));
            };
            fs::rename(path, &aside).map_err(io_error(path))?;
        }
        fs::rename(content, path).map_err(io_error(path))?;
        Ok(kept_aside)
    }
}

/// Keeps content by its digest.
fn keep(cache: &Path, content: &Path, sha256: &str) -> Result<(), Problem> {
    let target = cache.join(sha256);
    if target.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(cache).map_err(io_error(cache))?;
    let scratch = tempfile::Builder::new().prefix(".keeping-").tempdir_in(cache).map_err(io_error(cache))?;
    let copy = scratch.path().join("content");
    tree::copy(content, &copy)?;
    match fs::rename(&copy, &target) {
        // Another installation was faster.
        Err(_) if target.is_dir() => Ok(()),
        other => other.map_err(io_error(&target)),
    }
}

/// Everything that is locked, compared with what is there.
pub fn verify(installer: &Installer, lock: &Lock) -> Result<Vec<(Locked, Verdict)>, TreeError> {
    let verdict = |locked: &Locked| {
        let path = installer.path(locked.kind, &locked.name);
        Ok(if !path.is_dir() {
            Verdict::Missing
        } else if tree::digest(&path)? == locked.sha256 {
            Verdict::Same
        } else {
            Verdict::Changed
        })
    };
    lock.items.iter().map(|locked| Ok((locked.clone(), verdict(locked)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceMap;

    /// A project with requirements, and somewhere else for its sources.
    struct Project {
        directory: tempfile::TempDir,
    }

    impl Project {
        fn new(requirements: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("requirements.yml"), requirements).unwrap();
            Self { directory }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
            fs::write(self.path(name), text).unwrap();
        }

        fn installer(&self) -> Installer {
            Installer {
                roles: self.path("roles"),
                collections: self.path("collections"),
                cache: Some(self.path("cache")),
                offline: false,
                locked: false,
                update: false,
                force: false,
            }
        }

        fn install(&self, installer: &Installer) -> Vec<Result<Installed, Problem>> {
            let (requirements, problems) = super::super::read(&SourceMap::default(), &self.path("requirements.yml"));
            assert!(problems.is_empty(), "{problems:?}");
            let mut lock = Lock::read(&self.path("stead.lock")).unwrap();
            let done = requirements.iter().map(|requirement| installer.install(requirement, &mut lock)).collect();
            lock.write(&self.path("stead.lock")).unwrap();
            done
        }

        fn git(&self, arguments: &[&str]) -> bool {
            let identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"];
            let done =
                std::process::Command::new("git").arg("-C").arg(self.path("upstream")).args(identity).args(arguments).output();
            done.is_ok_and(|done| done.status.success())
        }

        fn commit(&self, text: &str) {
            self.write("upstream/tasks/main.yml", text);
            assert!(self.git(&["add", "-A"]) && self.git(&["commit", "-qm", "x"]));
        }
    }

    fn changed(done: &[Result<Installed, Problem>]) -> Vec<bool> {
        done.iter().map(|done| done.as_ref().unwrap().changed).collect()
    }

    #[test]
    fn a_branch_that_moves_is_not_followed_until_asked() {
        let project = Project::new("- src: upstream\n  scm: git\n  name: ntp\n  version: main\n");
        // The address is relative to git's directory; make it absolute.
        fs::create_dir(project.path("upstream")).unwrap();
        project.write(
            "requirements.yml",
            &format!("- src: {}\n  scm: git\n  name: ntp\n  version: main\n", project.path("upstream").display()),
        );
        assert!(project.git(&["init", "-q"]), "git is needed");
        project.commit("- debug:\n");
        let installer = project.installer();
        assert_eq!(changed(&project.install(&installer)), [true]);
        assert_eq!(changed(&project.install(&installer)), [false]);
        project.commit("- ping:\n");
        assert_eq!(changed(&project.install(&installer)), [false]);
        let read = || fs::read_to_string(project.path("roles/ntp/tasks/main.yml")).unwrap();
        assert_eq!(read(), "- debug:\n");
        // The locked commit, from upstream and from the cache alone.
        for (installer, upstream) in
            [(Installer { cache: None, ..installer.clone() }, true), (Installer { offline: true, ..installer.clone() }, false)]
        {
            fs::remove_dir_all(project.path("roles/ntp")).unwrap();
            if !upstream {
                fs::rename(project.path("upstream"), project.path("gone")).unwrap();
            }
            assert_eq!(changed(&project.install(&installer)), [true]);
            assert_eq!(read(), "- debug:\n");
        }
        fs::rename(project.path("gone"), project.path("upstream")).unwrap();
        assert_eq!(changed(&project.install(&Installer { update: true, ..installer })), [true]);
        assert_eq!(read(), "- ping:\n");
    }

    #[test]
    fn content_that_changed_under_a_lock_is_refused() {
        let project = Project::new("- src: vendor/ntp\n");
        project.write("vendor/ntp/tasks/main.yml", "[]");
        let installer = Installer { cache: None, ..project.installer() };
        assert_eq!(changed(&project.install(&installer)), [true]);
        fs::remove_dir_all(project.path("roles/ntp")).unwrap();
        project.write("vendor/ntp/tasks/main.yml", "[evil]");
        assert!(matches!(project.install(&installer)[..], [Err(Problem::Changed { .. })]));
        assert!(!project.path("roles/ntp").exists());
        assert_eq!(fs::read_dir(project.path("roles")).unwrap().count(), 0, "nothing is left behind");
    }

    #[test]
    fn what_was_changed_by_hand_is_not_lost() {
        let project = Project::new("- src: vendor/ntp\n");
        project.write("vendor/ntp/tasks/main.yml", "[]");
        let installer = project.installer();
        project.install(&installer);
        project.write("roles/ntp/tasks/main.yml", "mine");
        let lock = Lock::read(&project.path("stead.lock")).unwrap();
        assert_eq!(verify(&installer, &lock).unwrap()[0].1, Verdict::Changed);
        assert!(matches!(project.install(&installer)[..], [Err(Problem::Modified(_))]));
        let done = project.install(&Installer { force: true, ..installer.clone() });
        let aside = done[0].as_ref().unwrap().kept_aside.clone().unwrap();
        assert_eq!(fs::read_to_string(aside.join("tasks/main.yml")).unwrap(), "mine");
        assert_eq!(verify(&installer, &lock).unwrap()[0].1, Verdict::Same);
        fs::remove_dir_all(project.path("roles/ntp")).unwrap();
        assert_eq!(verify(&installer, &lock).unwrap()[0].1, Verdict::Missing);
    }

    #[test]
    fn a_collection_goes_where_its_own_name_says() {
        let project = Project::new("collections:\n- name: vendor/c\n  type: dir\n");
        project.write("vendor/c/galaxy.yml", "namespace: acme\nname: tools\nversion: 1.0.0\n");
        let done = project.install(&project.installer());
        assert!(project.path("collections/ansible_collections/acme/tools/galaxy.yml").exists(), "{done:?}");
        project.write("vendor/c/galaxy.yml", "namespace: ../..\nname: tools\n");
        let refused = project.install(&Installer { update: true, ..project.installer() });
        assert!(matches!(refused[..], [Err(Problem::Fetch(FetchError::NotACollection))]), "{refused:?}");
    }

    #[test]
    fn a_damaged_cache_is_not_used() {
        let project = Project::new("- src: vendor/ntp\n");
        project.write("vendor/ntp/tasks/main.yml", "[]");
        let installer = project.installer();
        project.install(&installer);
        let kept = fs::read_dir(project.path("cache")).unwrap().next().unwrap().unwrap().path();
        fs::write(kept.join("tasks/main.yml"), "[evil]").unwrap();
        fs::remove_dir_all(project.path("roles/ntp")).unwrap();
        assert_eq!(changed(&project.install(&installer)), [true]);
        assert_eq!(fs::read_to_string(project.path("roles/ntp/tasks/main.yml")).unwrap(), "[]");
    }
}
