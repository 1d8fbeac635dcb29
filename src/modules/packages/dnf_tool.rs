//! DNF's command line: which program, which options, and what it says it would do.

use serde_json::Value;

use super::dnf::{Args, Backend, Presence};
use super::rpm::Rpm;
use super::work;
use crate::commands::process;
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;

/// What a transaction does to a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Install,
    Remove,
    /// A group of packages is marked as installed.
    Group,
    /// Nothing: packages that are passed over, streams of modules.
    Nothing,
}

/// A row of the table that dnf shows before it asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub action: Action,
    pub name: String,
    pub arch: String,
    /// `[EPOCH:]VERSION-RELEASE`.
    pub evr: String,
}

impl Row {
    /// As dnf names it afterwards.
    pub(super) fn nevra(&self) -> String {
        format!("{}-{}.{}", self.name, self.evr, self.arch)
    }
}

/// What is asked of dnf would fail, or what it would do.
pub(super) enum Simulated {
    Rows(Vec<Row>),
    Fails(Failure),
}

/// The program that is run.
pub(super) fn program(backend: Backend, host: &dyn Inspect) -> &'static str {
    let there = |name: &&str| host.stat(&std::path::Path::new("/usr/bin").join(name)).is_ok_and(|stat| stat.is_some());
    let candidates: &[&'static str] = match backend {
        Backend::Auto | Backend::Dnf => &["dnf", "dnf5", "yum", "microdnf"],
        Backend::Dnf4 => &["dnf-3", "dnf4", "dnf"],
        Backend::Dnf5 => &["dnf5", "dnf"],
        Backend::Yum => &["yum", "dnf"],
    };
    candidates.iter().find(|name| there(name)).copied().unwrap_or("dnf")
}

/// The options that all runs share.
pub(super) fn options(args: &Args) -> Result<Vec<String>, Failure> {
    let mut options = Vec::new();
    let mut push = |word: String| options.push(word);
    args.conf_file.iter().for_each(|path| push(format!("--config={path}")));
    args.installroot.iter().filter(|root| *root != "/").for_each(|root| push(format!("--installroot={root}")));
    args.releasever.iter().for_each(|release| push(format!("--releasever={release}")));
    args.disable_excludes.iter().for_each(|what| push(format!("--disableexcludes={what}")));
    for (option, list) in [
        ("disableplugin", &args.disable_plugin),
        ("enableplugin", &args.enable_plugin),
        ("disablerepo", &args.disablerepo),
        ("enablerepo", &args.enablerepo),
        ("exclude", &args.exclude),
    ] {
        list.iter().filter(|one| !one.trim().is_empty()).for_each(|one| push(format!("--{option}={}", one.trim())));
    }
    let best = match (args.best, args.nobest) {
        (Some(_), Some(_)) => return Err(Failure::new("parameters are mutually exclusive: best|nobest")),
        (best, nobest) => best.or(nobest.map(|nobest| !nobest)),
    };
    let flags = [
        (best == Some(true), "--best"),
        (best == Some(false), "--nobest"),
        (args.disable_gpg_check, "--nogpgcheck"),
        (args.cacheonly, "--cacheonly"),
        (args.allowerasing, "--allowerasing"),
        (args.skip_broken, "--skip-broken"),
        (!args.install_weak_deps, "--setopt=install_weak_deps=False"),
        (!args.sslverify, "--setopt=sslverify=False"),
        (args.state() == Presence::Absent && !args.autoremove, "--setopt=clean_requirements_on_remove=False"),
        (args.bugfix, "--bugfix"),
        (args.security, "--security"),
        (args.download_only, "--downloadonly"),
    ];
    flags.iter().filter(|(is, _)| *is).for_each(|(_, flag)| push((*flag).to_owned()));
    args.download_dir.iter().filter(|_| args.download_only).for_each(|path| push(format!("--downloaddir={path}")));
    Ok(options)
}

/// Asks dnf what a run would do.
pub(super) fn simulate(line: &CommandLine, host: &dyn Inspect) -> Result<Simulated, Failure> {
    let mut asked = line.clone();
    asked.argv.retain(|word| word != "-y" && !word.starts_with("--download"));
    asked.argv.insert(1, "--assumeno".into());
    // Several lists may have to be fetched first.
    asked.deadline = Some(std::time::Duration::from_secs(600));
    let output = work::ask(&asked, "dnf", host)?;
    let text = output.text();
    match parse(&text) {
        // It ends with 1, too, when nobody agrees.
        Some(rows) => Ok(Simulated::Rows(rows)),
        None if output.rc == 0 => Ok(Simulated::Rows(Vec::new())),
        None => {
            let missing: Vec<String> = unknown(&text).into_iter().map(|name| format!("No package {name} available.")).collect();
            let mut failure = process::failed(line, &output);
            if !missing.is_empty() {
                failure.message = format!("Failed to install some of the specified packages: {}", missing.join(" "));
            }
            failure.result.insert("failures".into(), missing.into());
            failure.result.insert("results".into(), Value::Array(Vec::new()));
            Ok(Simulated::Fails(failure))
        }
    }
}

/// Names that no repository has.
fn unknown(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("No match for argument: ")).collect()
}

/// The action of a heading; `None` where the line is none.
fn heading(line: &str) -> Option<Action> {
    let line = line.strip_suffix(':')?;
    let lower = line.to_lowercase();
    if line.starts_with(' ') || line.is_empty() {
        return None;
    }
    Some(match () {
        () if lower.contains("groups") && (lower.starts_with("installing") || lower.starts_with("upgrading")) => Action::Group,
        () if ["installing", "upgrading", "updating", "downgrading", "reinstalling"]
            .iter()
            .any(|verb| lower.starts_with(verb)) =>
        {
            Action::Install
        }
        () if lower.starts_with("removing") || lower.starts_with("erasing") => Action::Remove,
        () => Action::Nothing,
    })
}

/// The rows of the table; `None` where there is no table.
fn parse(text: &str) -> Option<Vec<Row>> {
    let end = text.find("\nTransaction Summary")?;
    let mut rows: Vec<(Action, Vec<&str>)> = Vec::new();
    let mut action = Action::Nothing;
    for line in text[..end].lines() {
        if let Some(found) = heading(line) {
            action = found;
            continue;
        }
        if action == Action::Nothing || !line.starts_with(' ') {
            continue;
        }
        let words = line.split_whitespace();
        // What does not fit goes on in the next line, further to the right.
        match rows.last_mut() {
            Some((_, row)) if line.starts_with("  ") => row.extend(words),
            _ if !line.starts_with("  ") => rows.push((action, words.collect())),
            _ => {}
        }
    }
    let row = |(action, words): (Action, Vec<&str>)| match (action, &words[..]) {
        (Action::Group, words) => {
            Some(Row { action, name: format!("@{}", words.join(" ")), arch: String::new(), evr: String::new() })
        }
        (_, [name, arch, evr, ..]) => Some(Row { action, name: (*name).into(), arch: (*arch).into(), evr: (*evr).into() }),
        _ => None,
    };
    Some(rows.into_iter().filter_map(row).collect())
}

/// Whether an installed package is newer than what a word with a version (`name-1.0`) names.
pub(super) fn is_newer(rpm: &Rpm, word: &str) -> bool {
    let rest = word.strip_prefix(rpm.name.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let Some(wanted) = rest.filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) else { return false };
    let wanted = wanted.strip_suffix(&format!(".{}", rpm.arch)).unwrap_or(wanted);
    super::rpm::compare(&rpm.evr(), wanted) == std::cmp::Ordering::Greater
}

/// `name >= 1.0` as name, operator and version.
pub(super) fn relation(word: &str) -> Option<(&str, &str, &str)> {
    let at = word.find(['<', '>', '='])?;
    let (name, rest) = word.split_at(at);
    let length = rest.find(|c| !['<', '>', '='].contains(&c))?;
    let (operator, version) = rest.split_at(length);
    (!name.contains('(')).then(|| (name.trim(), operator, version.trim()))
}

/// Whether an installed package fulfils such a relation.
pub(super) fn fulfils(rpm: &Rpm, operator: &str, version: &str) -> bool {
    let order = super::rpm::compare(&rpm.evr(), version);
    match operator {
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        _ => order.is_eq(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(Action, String)> {
        parse(text).unwrap().into_iter().map(|row| (row.action, row.nevra())).collect()
    }

    #[test]
    fn the_table_of_dnf_4_is_read_though_it_wraps() {
        let text = "Last metadata expiration check: 0:00:43 ago.\nDependencies resolved.\n=====\n Package  Arch  Version  Repo\n      Size\n=====\n\
                    Installing:\n a-package-with-a-rather-long-name   noarch  1.2-1.el9 t  5.6 k\n alpha                               noarch  2:1.0-1   t\n\
                    \u{20}                                                          5.4 k\n very-long\n       x86_64 1-1 t 1 k\nInstalling dependencies:\n beta  noarch  1.5-1  t  5.4 k\n\
                    Removing dependent packages:\n gamma noarch  1.0-1  @t  0  \n\nTransaction Summary\n=====\nInstall  3 Packages\n";
        assert_eq!(
            rows(text),
            [
                (Action::Install, "a-package-with-a-rather-long-name-1.2-1.el9.noarch".to_owned()),
                (Action::Install, "alpha-2:1.0-1.noarch".into()),
                (Action::Install, "very-long-1-1.x86_64".into()),
                (Action::Install, "beta-1.5-1.noarch".into()),
                (Action::Remove, "gamma-1.0-1.noarch".into()),
            ]
        );
        assert_eq!(parse("Dependencies resolved.\nNothing to do.\nComplete!\n"), None);
    }

    #[test]
    fn the_table_of_dnf_5_is_read_without_what_is_replaced() {
        let text = "Updating and loading repositories:\nRepositories loaded.\nPackage   Arch   Version      Repository  Size\nUpgrading:\n \
                    hello    x86_64 2.12.1-3     fedora      183.8 KiB\n   replacing hello x86_64 2.10-1 <unknown> 1.0 KiB\n\n\
                    Transaction Summary:\n Upgrading:  1 package\n";
        assert_eq!(rows(text), [(Action::Install, "hello-2.12.1-3.x86_64".to_owned())]);
    }

    #[test]
    fn groups_are_told_apart() {
        let text = "Installing group/module packages:\n vim x86_64 1-1 t 1 k\nInstalling Groups:\n Development Tools\n\nTransaction Summary\n";
        let found = parse(text).unwrap();
        assert_eq!((found[0].name.as_str(), found[1].name.as_str()), ("vim", "@Development Tools"));
    }

    #[test]
    fn words_with_versions() {
        let rpm = super::super::rpm::parse("alpha\t(none)\t2.0\t1\tnoarch\n").remove(0);
        assert!(is_newer(&rpm, "alpha-1.0") && is_newer(&rpm, "alpha-1.0-7.noarch"));
        assert!(!is_newer(&rpm, "alpha-2.0") && !is_newer(&rpm, "alpha") && !is_newer(&rpm, "alpha-devel"));
        assert_eq!(relation("alpha >= 1.5"), Some(("alpha", ">=", "1.5")));
        assert_eq!((relation("perl(X) >= 1"), relation("alpha")), (None, None));
        assert!(fulfils(&rpm, ">=", "2.0") && fulfils(&rpm, "=", "2.0-1") && !fulfils(&rpm, "<", "2.0"));
        assert_eq!(unknown("x\nNo match for argument: nosuch\n"), ["nosuch"]);
    }
}
