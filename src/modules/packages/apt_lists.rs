//! What APT's lists say, asked of its own tools: candidates, providers, and what would come along.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use super::version;
use super::work::Step;
use crate::commands::glob;
use crate::commands::process::ask;
use crate::host::{CommandLine, Inspect};

/// What is known of a package that can be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The version that would be installed; `None` for a virtual package.
    pub version: Option<String>,
    /// All versions that can be had.
    pub versions: Vec<String>,
}

/// Candidates by name, or `None` if APT could not be asked. Names that APT does not know are missing.
pub(super) fn candidates(names: &[&str], release: Option<&str>, host: &dyn Inspect) -> Option<BTreeMap<String, Candidate>> {
    let mut argv = vec!["apt-cache"];
    let release = release.map(|release| format!("APT::Default-Release={release}"));
    if let Some(release) = &release {
        argv.extend(["-o", release]);
    }
    argv.extend(["policy", "--"]);
    argv.extend(names);
    let output = host.query(&CommandLine::new(argv).env("LC_ALL", "C")).ok()?;
    Some(parse_policy(&output.text()))
}

fn parse_policy(text: &str) -> BTreeMap<String, Candidate> {
    let mut all = BTreeMap::new();
    let mut current: Option<(String, Candidate)> = None;
    for line in text.lines() {
        if !line.starts_with(' ') {
            all.extend(current.take());
            current = line.strip_suffix(':').map(|name| (name.to_owned(), Candidate::default()));
            continue;
        }
        let Some((_, candidate)) = &mut current else { continue };
        if let Some(version) = line.strip_prefix("  Candidate: ") {
            candidate.version = Some(version.trim().to_owned()).filter(|version| version != "(none)");
        } else if let Some(row) =
            line.strip_prefix(" *** ").or_else(|| line.strip_prefix("     ").filter(|row| !row.starts_with(' ')))
        {
            candidate.versions.extend(row.split_whitespace().next().map(str::to_owned));
        }
    }
    all.extend(current);
    all
}

/// The best version that a pattern (`1.2*`) names.
pub(super) fn best<'a>(versions: &'a [String], pattern: &str) -> Option<&'a str> {
    versions
        .iter()
        .map(String::as_str)
        .filter(|version| glob::matches(pattern, version))
        .max_by(|left, right| version::compare(left, right))
}

/// The packages that provide a virtual one.
pub(super) fn providers(name: &str, host: &dyn Inspect) -> Vec<String> {
    ask(host, ["apt-cache", "showpkg", name]).map(|text| parse_providers(&text)).unwrap_or_default()
}

fn parse_providers(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .lines()
        .skip_while(|line| !line.starts_with("Reverse Provides:"))
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    names.dedup();
    names
}

/// Known package names that a pattern names.
pub(super) fn names_matching(pattern: &str, installed_only: bool, host: &dyn Inspect) -> Vec<String> {
    let text = if installed_only {
        ask(host, ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"]).map(|text| {
            text.lines().filter_map(|line| line.strip_prefix("installed ")).fold(String::new(), |all, name| all + name + "\n")
        })
    } else {
        ask(host, ["apt-cache", "pkgnames"])
    };
    let text = text.unwrap_or_default();
    let mut names: Vec<String> = text.lines().filter(|name| glob::matches(pattern, name)).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// What `apt-get` says it would do; nothing where it cannot be asked.
pub(super) fn simulate(argv: &[String], host: &dyn Inspect) -> Result<Vec<Step>, String> {
    let mut line = CommandLine::new(["apt-get", "-s", "-o", "Debug::NoLocking=1"]).env("LC_ALL", "C");
    line.argv.extend(argv.iter().cloned());
    match host.query(&line) {
        Ok(output) if output.rc == 0 => Ok(parse_simulation(&output.text())),
        Ok(output) => Err(output.error_text().trim().to_owned()),
        Err(_) => Ok(Vec::new()),
    }
}

fn parse_simulation(text: &str) -> Vec<Step> {
    text.lines()
        .filter_map(|line| {
            let (verb, rest) = line.split_once(' ')?;
            let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            let name = name.split(':').next().unwrap_or(name).to_owned();
            let bracket = rest.strip_prefix('[').and_then(|rest| rest.split(']').next()).map(str::to_owned);
            let paren = rest.split('(').nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
            match verb {
                "Inst" => Some(Step { name, before: bracket, after: paren }),
                "Remv" | "Purg" => Some(Step { name, before: bracket, after: None }),
                _ => None,
            }
        })
        .collect()
}

/// When the lists were refreshed, seconds since the epoch; 0 if never.
pub(super) fn refreshed(host: &dyn Inspect) -> f64 {
    ["/var/lib/apt/periodic/update-success-stamp", "/var/lib/apt/lists"]
        .iter()
        .find_map(|path| host.stat(Path::new(path)).ok().flatten())
        .map_or(0.0, |stat| stat.mtime)
}

/// Whether `candidate` is newer than `installed`.
pub(super) fn newer(candidate: &str, installed: &str) -> bool {
    version::compare(candidate, installed) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_is_read() {
        let text = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9\n  Version table:\n     1.22.1-9 500\n        500 http://deb.debian.org/debian bookworm/main amd64 Packages\n\
                    default-mta:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n\
                    cron:\n  Installed: 3.0\n  Candidate: 3.1\n  Version table:\n     3.1 500\n        500 http://x\n *** 3.0 100\n        100 /var/lib/dpkg/status\n";
        let all = parse_policy(text);
        assert_eq!(all["nginx"].version.as_deref(), Some("1.22.1-9"));
        assert_eq!(all["default-mta"], Candidate::default());
        assert_eq!(all["cron"].versions, ["3.1", "3.0"]);
        assert_eq!(best(&all["cron"].versions, "3.*"), Some("3.1"));
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn a_simulation_is_read() {
        let text = "NOTE: This is only a simulation!\nInst libc6:i386 [2.36-9] (2.36-10 Debian:12/stable [i386])\n\
                    Inst tree (2.1.0-1 Debian:12.15/oldstable [amd64])\nRemv exim4 [4.96-15]\nConf tree (2.1.0-1 Debian)\n";
        let step = |name: &str, before: Option<&str>, after: Option<&str>| Step {
            name: name.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        assert_eq!(
            parse_simulation(text),
            [
                step("libc6", Some("2.36-9"), Some("2.36-10")),
                step("tree", None, Some("2.1.0-1")),
                step("exim4", Some("4.96-15"), None)
            ]
        );
    }

    #[test]
    fn providers_are_listed_after_the_dependents() {
        let text = "Package: default-mta\nReverse Depends: \n  alpine,default-mta\nReverse Provides: \nexim4-daemon-light 4.96-15 (= )\npostfix 3.7 (= )\n";
        assert_eq!(parse_providers(text), ["exim4-daemon-light", "postfix"]);
    }
}
