//! Getting a role or collection from where it is, into a directory of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::archive::{self, ArchiveError};
use super::requirements::Source;
use super::tree::{self, TreeError};

/// Why something cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// `git` is not there.
    #[error("git cannot be started: {0}")]
    NoGit(io::Error),
    /// `git` said no.
    #[error("git {what} failed: {said}")]
    Git {
        /// Which of its commands.
        what: &'static str,
        /// Its words.
        said: String,
    },
    /// There is no such branch, tag or commit.
    #[error("there is no branch, tag or commit `{0}`")]
    NoVersion(String),
    /// The repository has no such directory.
    #[error("there is no directory `{}` in it", .0.display())]
    NoSubdirectory(PathBuf),
    /// The archive is not taken.
    #[error("`{}` {error}", path.display())]
    Archive {
        /// Which archive.
        path: PathBuf,
        /// Why.
        error: ArchiveError,
    },
    /// The directory is not taken.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A collection does not say what it is.
    #[error("neither `galaxy.yml` nor `MANIFEST.json` names it as a collection")]
    NotACollection,
}

/// Something fetched.
pub(super) struct Fetched {
    /// Where its content is.
    pub(super) directory: PathBuf,
    /// What was found: a commit, or the SHA-256 of an archive.
    pub(super) resolved: Option<String>,
}

/// Fetches into `scratch`, an empty directory.
pub(super) fn fetch(source: &Source, version: Option<&str>, scratch: &Path) -> Result<Fetched, FetchError> {
    let content = scratch.join("content");
    match source {
        Source::Git { url, subdirectory } => {
            let repository = scratch.join("repository");
            git(None, "clone", &["--quiet", "--no-checkout", "--", url, &repository.to_string_lossy()])?;
            let commit = commit(&repository, version)?;
            git(Some(&repository), "checkout", &["--quiet", "--detach", &commit])?;
            let inside = match subdirectory {
                Some(path) => repository.join(path),
                None => repository.clone(),
            };
            let inside = inside.canonicalize().ok().filter(|inside| inside.starts_with(&repository) && inside.is_dir());
            let inside = inside.ok_or_else(|| FetchError::NoSubdirectory(subdirectory.clone().unwrap_or_default()))?;
            tree::copy(&inside, &content)?;
            Ok(Fetched { directory: content, resolved: Some(commit) })
        }
        Source::Archive(path) => {
            let failed = |error| FetchError::Archive { path: path.clone(), error };
            let sha256 = tree::file_digest(path).map_err(|error| failed(error.into()))?;
            archive::unpack(path, &content).map_err(failed)?;
            Ok(Fetched { directory: content, resolved: Some(sha256) })
        }
        Source::Directory(path) => {
            tree::copy(path, &content)?;
            Ok(Fetched { directory: content, resolved: None })
        }
    }
}

/// The commit that a branch, tag or commit of a fresh clone stands for.
fn commit(repository: &Path, version: Option<&str>) -> Result<String, FetchError> {
    let candidates = match version {
        None => vec!["HEAD".to_owned()],
        Some(version) => vec![format!("refs/tags/{version}"), format!("refs/remotes/origin/{version}"), version.to_owned()],
    };
    for candidate in &candidates {
        let name = format!("{candidate}^{{commit}}");
        if let Ok(commit) = git(Some(repository), "rev-parse", &["--verify", "--quiet", "--end-of-options", &name]) {
            return Ok(commit.trim().to_owned());
        }
    }
    Err(FetchError::NoVersion(version.unwrap_or("HEAD").to_owned()))
}

/// Runs git: no prompts, no hooks, no transports that run programs.
fn git(repository: Option<&Path>, what: &'static str, arguments: &[&str]) -> Result<String, FetchError> {
    let mut command = Command::new("git");
    if let Some(repository) = repository {
        command.arg("-C").arg(repository);
    }
    command.args(["-c", "protocol.ext.allow=never", "-c", "core.hooksPath=/dev/null", "-c", "core.symlinks=true", what]);
    command.args(arguments).env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    let done = command.output().map_err(FetchError::NoGit)?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(FetchError::Git { what, said: String::from_utf8_lossy(&done.stderr).trim().to_owned() })
    }
}

/// `namespace.name` of a collection, as it says itself.
pub(super) fn collection_name(directory: &Path) -> Result<String, FetchError> {
    #[derive(Deserialize)]
    struct Info {
        namespace: String,
        name: String,
    }
    #[derive(Deserialize)]
    struct Manifest {
        collection_info: Info,
    }
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).ok();
    let built =
        read("MANIFEST.json").and_then(|text| serde_json::from_str::<Manifest>(&text).ok()).map(|found| found.collection_info);
    let info = built.or_else(|| read("galaxy.yml").and_then(|text| serde_yaml::from_str(&text).ok()));
    let info = info.ok_or(FetchError::NotACollection)?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_word(&info.namespace) && is_word(&info.name) {
        Ok(format!("{}.{}", info.namespace, info.name))
    } else {
        Err(FetchError::NotACollection)
    }
}
