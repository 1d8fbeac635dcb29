//! `package_facts`: which packages a host has.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{pacman_db, rpm, work};
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;
use crate::query::Query;
use crate::{args, choice};

choice! {
    /// Whose packages are told where a host has several package managers.
    pub enum Strategy {
        /// Those of the first that is there.
        First = "first",
        /// Those of all.
        All = "all",
    }
}

args! {
    /// Returns the packages that a host has as the fact `packages`: a mapping of names to lists, as
    /// a package may be there several times. In a plan it knows of packages that earlier tasks
    /// would have installed or removed.
    pub struct Args {
        /// Package managers, in the order in which they are tried: `auto`, `apt`, `rpm` (also `dnf`, `yum`, `zypper`), `pacman`, `apk`.
        manager: Vec<String> = vec!["auto".into()],
        /// Whether the first package manager that is there counts, or all.
        strategy: Strategy = Strategy::First,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The host's packages
  package_facts:
    manager: auto
";

/// The module.
pub struct PackageFacts;

type Packages = BTreeMap<String, Vec<Value>>;

/// What each package manager is called, and how its packages are read.
const MANAGERS: [(&str, fn(&dyn Inspect) -> Result<Packages, Failure>); 4] =
    [("rpm", of_rpm), ("apt", of_dpkg), ("pacman", of_pacman), ("apk", of_apk)];

fn plain(manager: &str) -> &str {
    match manager {
        "dnf" | "dnf5" | "yum" | "zypper" => "rpm",
        other => other,
    }
}

fn of_dpkg(host: &dyn Inspect) -> Result<Packages, Failure> {
    let bytes = host.read(Path::new("/var/lib/dpkg/status"), 256 << 20)?;
    let mut packages = Packages::new();
    for stanza in String::from_utf8_lossy(&bytes).split("\n\n") {
        let field =
            |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim();
        let there = matches!(
            field("Status").rsplit(' ').next(),
            Some("installed" | "unpacked" | "half-configured" | "triggers-pending" | "triggers-awaited")
        );
        if there {
            let name = field("Package");
            let package = json!({
                "name": name, "version": field("Version"), "arch": field("Architecture"),
                "category": field("Section"), "origin": "",
            });
            packages.entry(name.to_owned()).or_default().push(package);
        }
    }
    Ok(packages)
}

fn of_rpm(host: &dyn Inspect) -> Result<Packages, Failure> {
    let mut packages = Packages::new();
    for rpm in rpm::installed(None, host)? {
        let arch = Some(rpm.arch.as_str()).filter(|arch| *arch != "(none)");
        let package = json!({
            "name": rpm.name, "version": rpm.version, "release": rpm.release, "epoch": rpm.epoch, "arch": arch,
        });
        packages.entry(rpm.name.clone()).or_default().push(package);
    }
    Ok(packages)
}

fn of_pacman(host: &dyn Inspect) -> Result<Packages, Failure> {
    let text = work::text(&CommandLine::new(["pacman", "-Qi"]), "pacman", host)?;
    let mut packages = Packages::new();
    for stanza in text.split("\n\n") {
        let field = |name: &str| pacman_db::field(stanza, name).unwrap_or_default();
        let name = field("Name");
        if !name.is_empty() {
            let package = json!({"name": name, "version": field("Version"), "arch": field("Architecture")});
            packages.entry(name.to_owned()).or_default().push(package);
        }
    }
    Ok(packages)
}

fn of_apk(host: &dyn Inspect) -> Result<Packages, Failure> {
    let text = work::text(&CommandLine::new(["apk", "info", "-v"]), "apk-tools", host)?;
    let mut packages = Packages::new();
    for (name, version) in text.lines().filter_map(super::apk_db::split) {
        let (version, release) = version.rsplit_once('-').unwrap_or((version, ""));
        packages.entry(name.to_owned()).or_default().push(json!({"name": name, "version": version, "release": release}));
    }
    Ok(packages)
}

/// What a plan has installed and removed meanwhile.
fn add_planned(packages: &mut Packages, source: &str, host: &dyn Inspect) {
    for (name, planned) in host.planned_packages() {
        match planned {
            None => {
                packages.remove(&name);
            }
            Some(package) => {
                let known = packages.get(&name).and_then(|list| list.first().cloned()).unwrap_or_else(|| json!({"name": name}));
                let mut entry = known.as_object().cloned().unwrap_or_default();
                entry.insert("version".into(), package.version.into());
                entry.insert("source".into(), source.into());
                packages.insert(name, vec![entry.into()]);
            }
        }
    }
}

impl Query for PackageFacts {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let mut asked: Vec<&str> = Vec::new();
        for name in args.manager.iter().map(|name| plain(name)) {
            match name {
                "auto" => asked.extend(MANAGERS.iter().map(|(name, _)| *name)),
                name if MANAGERS.iter().any(|(known, _)| *known == name) => asked.push(name),
                other => {
                    let known = "auto, apt, rpm, dnf, yum, zypper, pacman, apk";
                    return Err(Failure::new(format!("packages of `{other}` cannot be read; known are {known}")));
                }
            }
        }
        let mut all = Packages::new();
        let mut warnings: Vec<Value> = Vec::new();
        let mut found = false;
        for name in asked {
            let (_, read) = MANAGERS.iter().find(|(known, _)| *known == name).expect("only known names were kept");
            match read(host) {
                Ok(packages) if packages.is_empty() => {
                    warnings.push(format!("Found \"{name}\" but no associated packages").into());
                }
                Ok(mut packages) => {
                    found = true;
                    for package in packages.values_mut().flatten() {
                        package["source"] = name.into();
                    }
                    add_planned(&mut packages, name, host);
                    for (name, list) in packages {
                        all.entry(name).or_default().extend(list);
                    }
                    if args.strategy == Strategy::First {
                        break;
                    }
                }
                // A package manager that the host does not have.
                Err(_) => {}
            }
        }
        if !found {
            return Err(Failure::new(format!(
                "Could not detect a supported package manager from the following list: {:?}",
                args.manager
            )));
        }
        let mut result = Map::from_iter([("ansible_facts".to_owned(), json!({"packages": all}))]);
        if args.manager.iter().any(|name| name != "auto") && !warnings.is_empty() {
            result.insert("warnings".into(), warnings.into());
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::host::{Effect, Host, Package};

    fn facts(options: &Value, host: &dyn Inspect) -> Value {
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        Value::Object(PackageFacts::query(&args, host).unwrap())["ansible_facts"]["packages"].clone()
    }

    #[test]
    fn each_manager_tells_its_packages() {
        let mut host = MemoryHost::default();
        host.add_file(
            "/var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\nSection: libs\nArchitecture: amd64\nVersion: 1-2\n\n\
             Package: b\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n",
        );
        assert_eq!(
            facts(&json!({}), &host),
            json!({"a": [{"name": "a", "version": "1-2", "arch": "amd64", "category": "libs", "origin": "", "source": "apt"}]})
        );
        host.answer(&["rpm", "*"], 0, "c\t(none)\t1\t2.fc39\tnoarch\nk\t3\t6.1\t1\tx86_64\nk\t3\t6.2\t1\tx86_64\n");
        let packages = facts(&json!({"strategy": "all"}), &host);
        assert_eq!(packages["c"][0]["epoch"], Value::Null);
        assert_eq!((&packages["k"][1]["version"], &packages["k"][1]["epoch"]), (&json!("6.2"), &json!(3)));
        assert!(packages["a"].is_array());
        assert!(facts(&json!({"manager": "dnf"}), &host)["a"].is_null());
        host.answer(&["apk", "info", "-v"], 0, "musl-1.2.5-r0\nca-certificates-bundle-20240226-r0\n");
        let packages = facts(&json!({"manager": "apk"}), &host);
        assert_eq!(
            packages["ca-certificates-bundle"][0],
            json!({"name": "ca-certificates-bundle", "version": "20240226", "release": "r0", "source": "apk"})
        );
    }

    #[test]
    fn a_plan_knows_what_it_has_installed() {
        let mut host = MemoryHost::default();
        host.add_file("/var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\n");
        let mut host = Overlay::new(host);
        let new = Package { name: "new".into(), version: "2".into(), planned: true, ..Package::default() };
        host.act(&CommandLine::default(), &[Effect::Package(new), Effect::NoPackage("a".into())]).unwrap();
        let packages = facts(&json!({}), &host);
        assert_eq!((&packages["new"][0]["version"], packages.get("a")), (&json!("2"), None));
    }
}
