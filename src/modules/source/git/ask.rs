//! What a clone and its repository say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::line::{GIT, public};
use super::{Args, Options, State, submodules};
use crate::commands::words::expand_path;
use crate::host::Inspect;
use crate::outcome::Failure;

/// Full names of branches and tags in the repository, and `HEAD`, with their commits.
type Remote = BTreeMap<String, String>;

/// What the repository was asked, and said.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// The branch or tag that is meant; none for the repository's own `HEAD`.
    branch: Option<String>,
    /// Its answer.
    pub(super) remote: Remote,
}

/// What the version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Whatever is there.
    Kept,
    /// What the repository calls `HEAD`.
    Head(String),
    /// This branch of it.
    Branch(String, String),
    /// This tag of it.
    Tag(String, String),
    /// Something else, e.g. a commit; as far as it is known.
    Other(Option<String>),
}

impl Target {
    /// The commit, if it is known.
    pub(super) fn commit(&self) -> Option<&str> {
        match self {
            Self::Kept | Self::Other(None) => None,
            Self::Head(commit) | Self::Branch(_, commit) | Self::Tag(_, commit) | Self::Other(Some(commit)) => Some(commit),
        }
    }
}

/// Fills in what the clone itself says.
pub(super) fn local(state: &mut State, options: &Options, host: &dyn Inspect) -> Result<(), Failure> {
    let ask = |words: &[&str]| {
        let line = options.looking(Some(&state.dest), words.iter().copied(), host);
        Ok(GIT.query(&line, host)?.filter(|output| output.rc == 0).map(|output| output.text()))
    };
    // The first question tells whether git can read it at all (it may be somebody else's).
    options.answer(&options.looking(Some(&state.dest), ["rev-parse", "--git-dir"], host), host)?;
    let first = |text: Option<String>| text.map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty());
    let commit = first(ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?);
    let remote = first(ask(&["config", "--get", &format!("remote.{}.url", options.remote)])?);
    let mut modified = Vec::new();
    if !options.bare && options.update {
        let ignored = if options.track_submodules { "--ignore-submodules=all" } else { "--ignore-submodules=none" };
        let words = ["status", "--porcelain", "-z", "--untracked-files=no", ignored];
        let said = options.answer(&options.looking(Some(&state.dest), words, host), host)?;
        modified = changed_files(&said.unwrap_or_default());
    }
    if state.wanted_git_dir.is_some() {
        state.git_dir = first(ask(&["rev-parse", "--absolute-git-dir"])?).map(PathBuf::from);
    }
    state.remote = remote.map(|remote| if remote.starts_with('/') { remote } else { public(&remote) });
    (state.commit, state.modified) = (commit, modified);
    Ok(())
}

/// Paths in what `git status -z` says.
fn changed_files(said: &str) -> Vec<String> {
    let mut files = Vec::new();
    let mut entries = said.split_terminator('\0');
    while let Some(entry) = entries.next() {
        let Some((kind, path)) = entry.split_at_checked(3) else { continue };
        files.push(path.to_owned());
        // A file that was renamed has its old name after it.
        if kind.starts_with(['R', 'C']) {
            entries.next();
        }
    }
    files
}

/// What the version is now.
pub(super) fn target(args: &Args, dest: &Path, exists: bool, host: &dyn Inspect) -> Result<Target, Failure> {
    let options = &args.options;
    let ask = |words: &[&str]| {
        let line = options.looking(Some(dest), words.iter().copied(), host);
        let said = GIT.query(&line, host)?.filter(|output| output.rc == 0).map(|output| output.text().trim().to_owned());
        Ok(said.filter(|said| !said.is_empty()))
    };
    let is_commit = |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit(&options.version) && !options.bare {
        return Ok(Target::Other(Some(options.version.to_lowercase())));
    }
    let known = args.asked.borrow().clone();
    let Asked { branch, remote } = match known {
        Some(known) => known,
        None => {
            // A bare repository has all branches; which one it shows is its own affair.
            let branch = if options.version != "HEAD" && !options.bare {
                Some(options.version.clone())
            } else if exists {
                let remote_head = format!("refs/remotes/{}/HEAD", options.remote);
                match ask(&["symbolic-ref", "--quiet", "--short", "HEAD"])? {
                    Some(branch) => Some(branch),
                    None => ask(&["symbolic-ref", "--quiet", "--short", &remote_head])?
                        .and_then(|name| name.strip_prefix(&format!("{}/", options.remote)).map(str::to_owned)),
                }
            } else {
                None
            };
            let remote = match remote(options, branch.as_deref(), host) {
                // That a missing clone would be there is known all the same.
                Err(failure) if failure.unknown && !exists => return Ok(Target::Other(None)),
                other => other?,
            };
            let asked = Asked { branch, remote };
            *args.asked.borrow_mut() = Some(asked.clone());
            asked
        }
    };
    let Some(branch) = branch else {
        return match remote.get("HEAD") {
            Some(commit) => Ok(Target::Head(commit.clone())),
            None => Err(Failure::new(format!("`{}` has no commit yet", public(&options.repo)))),
        };
    };
    if let Some(commit) = remote.get(&format!("refs/heads/{branch}")) {
        return Ok(Target::Branch(branch, commit.clone()));
    }
    let tag = format!("refs/tags/{branch}");
    // Of a tag with a text of its own, the commit stands behind it.
    if let Some(commit) = remote.get(&format!("{tag}^{{}}")).or_else(|| remote.get(&tag)) {
        return Ok(Target::Tag(branch, commit.clone()));
    }
    let found = if exists { ask(&["rev-parse", "--verify", "--quiet", &format!("{branch}^{{commit}}")])? } else { None };
    // The beginning of a commit, and what counts from others (`dev~2`), is found out only in the clone.
    let is_plain = branch.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let is_name = is_plain && !branch.bytes().all(|byte| byte.is_ascii_hexdigit());
    if found.is_none() && is_name && options.refspec.is_none() {
        let place = public(&options.repo);
        return Err(Failure::new(format!("Failed to checkout {branch}: it is no branch, tag or commit of `{place}`")));
    }
    Ok(Target::Other(found))
}

/// Branches and tags of the repository.
fn remote(options: &Options, branch: Option<&str>, host: &dyn Inspect) -> Result<Remote, Failure> {
    let mut words = vec!["ls-remote".to_owned(), "--".to_owned(), public(&options.repo), "HEAD".to_owned()];
    match branch {
        _ if options.bare => words.extend(["refs/heads/*", "refs/tags/*"].map(str::to_owned)),
        Some(name) => {
            words.extend([format!("refs/heads/{name}"), format!("refs/tags/{name}"), format!("refs/tags/{name}^{{}}")]);
        }
        None => {}
    }
    let line = options.speaking(None, words, host)?;
    let said = match options.answer(&line, host) {
        Ok(Some(said)) => said,
        Ok(None) => return Err(Failure::unknown("what the version is: git is not installed yet")),
        Err(failure) => return Err(if is_planned(options, host) { Failure::unknown(failure.message) } else { failure }),
    };
    Ok(said.lines().filter_map(|line| line.split_once('\t')).map(|(sha, name)| (name.into(), sha.into())).collect())
}

/// Whether the repository or the key to it is something that only the plan knows yet.
fn is_planned(options: &Options, host: &dyn Inspect) -> bool {
    let local = options.repo.strip_prefix("file://").unwrap_or(&options.repo);
    let paths = options.key_file.iter().cloned().chain([PathBuf::from(local)]);
    !host.acts()
        && paths.map(|path| expand_path(&path, host)).any(|path| {
            let really = crate::commands::process::ask(host, ["test", "-e", &path.display().to_string()]);
            crate::system::tool::exists(&path, host) && really.is_none()
        })
}

/// Fills in what is not as the repository has it, beside the version.
pub(super) fn outdated(state: &mut State, args: &Args, host: &dyn Inspect) -> Result<(), Failure> {
    let options = &args.options;
    if options.recursive && !options.bare {
        state.submodules = submodules::outdated(options, &state.dest, host)?;
    }
    if options.bare {
        let words = ["for-each-ref", "--format=%(objectname)%09%(refname)", "refs/heads", "refs/tags"];
        let said = options.answer(&options.looking(Some(&state.dest), words, host), host)?.unwrap_or_default();
        let here: Remote =
            said.lines().filter_map(|line| line.split_once('\t')).map(|(sha, name)| (name.into(), sha.into())).collect();
        let asked = args.asked.borrow();
        let wanted =
            asked.iter().flat_map(|asked| &asked.remote).filter(|(name, _)| name.starts_with("refs/") && !name.ends_with("^{}"));
        state.refs = wanted.filter(|(name, sha)| here.get(*name) != Some(sha)).map(|(name, _)| name.clone()).collect();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::changed_files;

    #[test]
    fn changed_files_are_named() {
        assert_eq!(changed_files(" M a b\0R  new\0old\0?? \0"), ["a b", "new", ""]);
        assert_eq!(changed_files(""), Vec::<String>::new());
    }
}
