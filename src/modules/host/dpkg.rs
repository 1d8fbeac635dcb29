//! Debian's own record of packages: `/var/lib/dpkg/status`.

use std::collections::HashMap;

use super::Package;

/// All packages by name; a name has several where several architectures are installed.
pub(super) type Packages = HashMap<String, Vec<Package>>;

/// Reads the record.
pub(super) fn parse(status: &str) -> Packages {
    let mut packages = Packages::new();
    for stanza in status.split("\n\n") {
        if let Some(package) = parse_stanza(stanza) {
            packages.entry(package.name.clone()).or_default().push(package);
        }
    }
    packages
}

fn parse_stanza(stanza: &str) -> Option<Package> {
    let field = |name: &str| {
        stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(|value| value.trim().to_owned())
    };
    let status = field("Status")?;
    let words: Vec<&str> = status.split_whitespace().collect();
    let [want, error, state] = words[..] else { return None };
    if state == "not-installed" {
        return None;
    }
    Some(Package {
        name: field("Package")?,
        arch: field("Architecture").unwrap_or_default(),
        version: field("Version").unwrap_or_default(),
        held: want == "hold",
        config_only: state == "config-files",
        broken: error != "ok" || matches!(state, "half-installed" | "unpacked" | "half-configured"),
        planned: false,
    })
}

/// The package of this name (also `name:arch`); the machine's own architecture goes first.
pub(super) fn find(packages: &Packages, name: &str, native: &str) -> Option<Package> {
    let (name, arch) = name.split_once(':').map_or((name, None), |(name, arch)| (name, Some(arch)));
    let all = packages.get(name)?;
    let found = match arch {
        Some(arch) => all.iter().find(|package| package.arch == arch || arch == "any" || package.arch == "all"),
        None => all.iter().find(|package| package.arch == native || package.arch == "all").or(all.first()),
    };
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        let packages = parse(
            "Package: a\nStatus: install ok installed\nArchitecture: i386\nVersion: 1\nDescription: x\n Package: no\n\n\
             Package: a\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1:2-3\n\n\
             Package: b\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n\
             Package: c\nStatus: install ok half-configured\nArchitecture: amd64\nVersion: 1\n\n\
             Package: d\nStatus: unknown ok not-installed\nArchitecture: amd64\n",
        );
        let get = |name: &str| find(&packages, name, "amd64");
        let a = get("a").unwrap();
        assert_eq!((a.version.as_str(), a.held, a.config_only, a.broken), ("1:2-3", true, false, false));
        assert_eq!(get("a:i386").unwrap().version, "1");
        assert!(get("b").unwrap().config_only && get("c").unwrap().broken);
        assert_eq!((get("d"), get("no")), (None, None));
    }
}
