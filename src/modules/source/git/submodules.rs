//! Submodules of a clone.

use std::collections::BTreeMap;
use std::path::Path;

use super::Options;
use super::line::GIT;
use crate::host::{Effect, Host, Inspect};
use crate::outcome::Failure;

/// Paths of those that are missing or at another commit than they should be.
pub(super) fn outdated(options: &Options, dest: &Path, host: &dyn Inspect) -> Result<Vec<String>, Failure> {
    if host.stat(&dest.join(".gitmodules"))?.is_none() {
        return Ok(Vec::new());
    }
    let words = ["submodule", "status", "--recursive"];
    let said = options.answer(&options.looking(Some(dest), words, host), host)?.unwrap_or_default();
    if !options.track_submodules {
        return Ok(said.lines().filter(|line| !line.starts_with(' ')).filter_map(path).collect());
    }
    let mut outdated: Vec<String> = said.lines().filter(|line| line.starts_with('-')).filter_map(path).collect();
    for (path, branch) in followed(options, dest, host)? {
        if outdated.contains(&path) {
            continue;
        }
        let place = dest.join(&path);
        let here = options.answer(&options.looking(Some(&place), ["rev-parse", "HEAD"], host), host)?;
        let name = branch.map_or("HEAD".to_owned(), |branch| format!("refs/heads/{branch}"));
        let line = options.speaking(Some(&place), ["ls-remote", "origin", &name], host)?;
        let there = options.answer(&line, host)?.unwrap_or_default();
        let latest = there.lines().filter_map(|line| line.split_once('\t')).find(|(_, found)| *found == name);
        if latest.is_some_and(|(sha, _)| here.as_deref().map(str::trim) != Some(sha)) {
            outdated.push(path);
        }
    }
    Ok(outdated)
}

/// The path in a line of `git submodule status`: a sign, a commit, the path, perhaps a description.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.get(1..)?.split_once(' ')?;
    let end = rest.rfind(" (").filter(|_| rest.ends_with(')')).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// Submodules by path, each with the branch that it follows.
fn followed(options: &Options, dest: &Path, host: &dyn Inspect) -> Result<Vec<(String, Option<String>)>, Failure> {
    let words = ["config", "--file", ".gitmodules", "--null", "--get-regexp", "^submodule\\..*\\.(path|branch)$"];
    let line = options.looking(Some(dest), words, host);
    let said = GIT.query(&line, host)?.map(|output| output.text()).unwrap_or_default();
    let mut found: BTreeMap<&str, (Option<String>, Option<String>)> = BTreeMap::new();
    for (key, value) in said.split_terminator('\0').filter_map(|entry| entry.split_once('\n')) {
        let Some((name, property)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else { continue };
        let entry = found.entry(name).or_default();
        if property == "path" {
            entry.0 = Some(value.to_owned());
        } else {
            entry.1 = Some(value.to_owned());
        }
    }
    let own = if found.values().any(|(_, branch)| branch.as_deref() == Some(".")) {
        options.answer(&options.looking(Some(dest), ["rev-parse", "--abbrev-ref", "HEAD"], host), host)?
    } else {
        None
    };
    let branch = |branch: Option<String>| match branch.as_deref() {
        Some(".") => own.as_deref().map(|own| own.trim().to_owned()),
        _ => branch,
    };
    Ok(found.into_values().filter_map(|(path, follows)| Some((path?, branch(follows)))).collect())
}

/// Brings them to what they should be.
pub(super) fn update(options: &Options, dest: &Path, effects: &[Effect], host: &mut dyn Host) -> Result<(), Failure> {
    if host.stat(&dest.join(".gitmodules"))?.is_none() {
        return Ok(());
    }
    let line = options.looking(Some(dest), ["submodule", "sync", "--recursive"], host.inspect());
    options.act(line, &[], host)?;
    let mut words = vec!["submodule", "update", "--init", "--recursive"];
    if options.track_submodules {
        words.push("--remote");
    }
    if options.force {
        words.push("--force");
    }
    let line = options.speaking(Some(dest), words, host.inspect())?;
    options.act(line, effects, host).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_are_found_in_lines() {
        for (line, expected) in
            [(" abc lib/x (v1.0-2-g12)", "lib/x"), ("-abc lib with (x)", "lib with"), ("+abc a (b) (heads/main)", "a (b)")]
        {
            assert_eq!(path(line).as_deref(), Some(expected));
        }
    }
}
