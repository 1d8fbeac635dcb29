//! RPM's database, and the order of its versions.

use std::cmp::Ordering;
use std::path::Path;

use super::work::{self, Kind};
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;

/// An installed package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rpm {
    pub name: String,
    /// Epoch; `None` where it has none, which compares like 0.
    pub epoch: Option<u64>,
    pub version: String,
    pub release: String,
    pub arch: String,
}

const FORMAT: &str = "%{NAME}\t%{EPOCH}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\n";

impl Rpm {
    /// `[EPOCH:]VERSION-RELEASE`; an epoch of 0 is left out.
    pub(super) fn evr(&self) -> String {
        let epoch = self.epoch.filter(|epoch| *epoch > 0).map(|epoch| format!("{epoch}:")).unwrap_or_default();
        format!("{epoch}{}-{}", self.version, self.release)
    }

    /// Whether a word of a playbook (`name`, `name-version`, `name-version-release.arch`, with or
    /// without epoch) names this package.
    pub(super) fn is(&self, word: &str) -> bool {
        let Self { name, version, release, arch, .. } = self;
        if word == name {
            return true;
        }
        if !word.contains(name.as_str()) && !word.contains(['*', '?', '[']) {
            return false;
        }
        let epoch = self.epoch.unwrap_or(0);
        let forms = [
            format!("{name}.{arch}"),
            format!("{name}-{version}"),
            format!("{name}-{version}-{release}"),
            format!("{name}-{version}-{release}.{arch}"),
            format!("{name}-{epoch}:{version}"),
            format!("{name}-{epoch}:{version}-{release}"),
            format!("{name}-{epoch}:{version}-{release}.{arch}"),
            format!("{epoch}:{name}-{version}-{release}.{arch}"),
        ];
        if word.contains(['*', '?', '[']) {
            return forms.iter().chain([name]).any(|form| crate::commands::glob::matches(word, form));
        }
        forms.iter().any(|form| form == word)
    }
}

/// All installed packages, by name and then version.
pub(super) fn installed(root: Option<&Path>, host: &dyn Inspect) -> Result<Vec<Rpm>, Failure> {
    let mut line = CommandLine::new(["rpm", "-qa", "--queryformat", FORMAT]);
    line.argv.extend(root.iter().flat_map(|root| ["--root".to_owned(), root.display().to_string()]));
    let mut all = parse(&work::text(&line, "rpm", host)?);
    all.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| compare(&one.evr(), &other.evr())));
    Ok(all)
}

/// Likewise, with what earlier tasks of a plan have done to it. `label` is the name by which a plan
/// remembers a package.
pub(super) fn as_planned(
    root: Option<&Path>,
    kind: &Kind,
    label: &dyn Fn(&str) -> String,
    host: &dyn Inspect,
) -> Result<Vec<Rpm>, Failure> {
    let mut all = installed(root, host)?;
    all.retain_mut(|rpm| match kind.seen(&label(&rpm.name), Some(rpm.evr()), host) {
        None => false,
        Some(evr) if evr.is_empty() || evr == rpm.evr() => true,
        Some(evr) => {
            *rpm = of_evr(&rpm.name, &evr, &rpm.arch);
            true
        }
    });
    if root.is_none() {
        for (name, package) in host.planned_packages() {
            let package = package.filter(|_| !all.iter().any(|rpm| rpm.name == name));
            all.extend(package.map(|package| of_evr(&name, &package.version, &package.arch)));
        }
    }
    Ok(all)
}

fn of_evr(name: &str, evr: &str, arch: &str) -> Rpm {
    let (epoch, rest) = evr.split_once(':').map_or((None, evr), |(epoch, rest)| (epoch.parse().ok(), rest));
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    Rpm { name: name.into(), epoch, version: version.into(), release: release.into(), arch: arch.into() }
}

/// Asks a package file, on the host or at an address, who it is.
pub(super) fn of_file(path: &str, host: &dyn Inspect) -> Result<Rpm, Failure> {
    let file = if path.starts_with('/') || super::fetch::is_url(path) { path.to_owned() } else { format!("./{path}") };
    let line = CommandLine::new(["rpm", "-qp", "--nosignature", "--nodigest", "--queryformat", FORMAT, &file]);
    let text = work::text(&line, "rpm", host)?;
    parse(&text).pop().ok_or_else(|| Failure::new(format!("`{path}` is no package file")))
}

pub(super) fn parse(text: &str) -> Vec<Rpm> {
    text.lines()
        .filter_map(|line| {
            let [name, epoch, version, release, arch] = line.split('\t').collect::<Vec<_>>()[..] else { return None };
            Some(Rpm {
                name: name.into(),
                epoch: epoch.parse().ok(),
                version: version.into(),
                release: release.into(),
                arch: arch.into(),
            })
        })
        .collect()
}

/// Compares `[EPOCH:]VERSION[-RELEASE]`; a part that one of them does not have is not compared.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    fn parts(evr: &str) -> (u64, &str, Option<&str>) {
        let (epoch, rest) = evr.split_once(':').unwrap_or(("0", evr));
        let (version, release) = rest.split_once('-').map_or((rest, None), |(version, release)| (version, Some(release)));
        (epoch.parse().unwrap_or(0), version, release)
    }
    let (left, right) = (parts(left), parts(right));
    left.0.cmp(&right.0).then_with(|| segments(left.1, right.1)).then_with(|| match (left.2, right.2) {
        (Some(left), Some(right)) => segments(left, right),
        _ => Ordering::Equal,
    })
}

/// The order of two versions or two releases, segment by segment.
fn segments(mut left: &str, mut right: &str) -> Ordering {
    if left == right {
        return Ordering::Equal;
    }
    loop {
        let skip = |text: &str| text.find(|c: char| c.is_ascii_alphanumeric() || c == '~' || c == '^').unwrap_or(text.len());
        (left, right) = (&left[skip(left)..], &right[skip(right)..]);
        // `~` sorts before everything, the end included; `^` after the end and before all else.
        match (left.starts_with('~'), right.starts_with('~')) {
            (true, true) => {
                (left, right) = (&left[1..], &right[1..]);
                continue;
            }
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        match (left.starts_with('^'), right.starts_with('^')) {
            (true, true) => {
                (left, right) = (&left[1..], &right[1..]);
                continue;
            }
            (true, false) => return if right.is_empty() { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if left.is_empty() { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        if left.is_empty() || right.is_empty() {
            return left.len().cmp(&right.len());
        }
        let numeric = left.starts_with(|c: char| c.is_ascii_digit());
        let is_in = |c: char| if numeric { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let end = |text: &str| text.find(|c: char| !is_in(c)).unwrap_or(text.len());
        let (one, rest_left) = left.split_at(end(left));
        let (other, rest_right) = right.split_at(end(right));
        if other.is_empty() {
            // Numbers are newer than letters.
            return if numeric { Ordering::Greater } else { Ordering::Less };
        }
        let order = if numeric {
            let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            one.cmp(other)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (rest_left, rest_right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_like_rpm_does() {
        for (left, order, right) in [
            ("1.0", Ordering::Equal, "1.0"),
            ("1.0", Ordering::Less, "2.0"),
            ("2.0.1a", Ordering::Greater, "2.0.1"),
            ("5.5p1", Ordering::Less, "5.5p2"),
            ("5.5p10", Ordering::Greater, "5.5p1"),
            ("10xyz", Ordering::Less, "10.1xyz"),
            ("xyz10", Ordering::Less, "xyz10.1"),
            ("xyz.4", Ordering::Less, "8"),
            ("5.5p2", Ordering::Less, "5.6p1"),
            ("6.5p1", Ordering::Greater, "5.6p1"),
            ("10.0001", Ordering::Equal, "10.1"),
            ("4.999.9", Ordering::Less, "5.0"),
            ("20101121", Ordering::Less, "20101122"),
            ("2_0", Ordering::Equal, "2_0"),
            ("2.0", Ordering::Equal, "2_0"),
            ("a+", Ordering::Equal, "a_"),
            ("1.0~rc1", Ordering::Less, "1.0"),
            ("1.0~rc1", Ordering::Less, "1.0~rc2"),
            ("1.0~rc1~git123", Ordering::Less, "1.0~rc1"),
            ("1.0^", Ordering::Greater, "1.0"),
            ("1.0^git1", Ordering::Less, "1.0^git2"),
            ("1.0^git1", Ordering::Less, "1.01"),
            ("1.0^20160101", Ordering::Less, "1.0.1"),
            ("1.0~rc1^git1", Ordering::Greater, "1.0~rc1"),
            ("1.0^git1~pre", Ordering::Less, "1.0^git1"),
            ("1:1.0-1", Ordering::Greater, "2.0-9"),
            ("1.0-1", Ordering::Less, "1.0-2"),
            ("1.0", Ordering::Equal, "1.0-2"),
            ("0:1.0-1.fc39", Ordering::Equal, "1.0-1.fc39"),
        ] {
            assert_eq!(compare(left, right), order, "{left} {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} {left}");
        }
    }

    #[test]
    fn packages_are_known_by_several_names() {
        let rpm = parse("vim-enhanced\t2\t9.0.1\t3.fc39\tx86_64\nbad line\n").remove(0);
        assert_eq!(rpm.evr(), "2:9.0.1-3.fc39");
        for word in [
            "vim-enhanced",
            "vim-enhanced-9.0.1",
            "vim-enhanced-9.0.1-3.fc39",
            "vim-enhanced-2:9.0.1-3.fc39.x86_64",
            "2:vim-enhanced-9.0.1-3.fc39.x86_64",
            "vim-enhanced.x86_64",
            "vim-*",
            "vim-enhanced-9.0*",
        ] {
            assert!(rpm.is(word), "{word}");
        }
        for word in ["vim", "vim-enhanced-9.0.2", "vim-enhanced.i686", "vim-enhanced-1:9.0.1", "emacs*"] {
            assert!(!rpm.is(word), "{word}");
        }
        assert_eq!(parse("gpg-pubkey\t(none)\t1\t2\t(none)\n")[0].epoch, None);
    }
}
