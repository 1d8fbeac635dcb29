//! What the service manager says of a unit.

use std::collections::BTreeMap;

use super::{Unit, no_unit};

/// A unit from the output of `systemctl show UNIT`.
pub(super) fn from_systemctl(name: &str, shown: &str) -> Unit {
    let properties: BTreeMap<String, String> =
        shown.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let get = |name: &str| properties.get(name).cloned().unwrap_or_default();
    let load = get("LoadState");
    if load.is_empty() {
        return no_unit(name);
    }
    Unit {
        name: if get("Id").is_empty() { name.to_owned() } else { get("Id") },
        exists: load != "not-found",
        active: get("ActiveState"),
        enabled: if load == "masked" { "masked".into() } else { get("UnitFileState") },
        needs_reload: get("NeedDaemonReload") == "yes",
        properties,
    }
}

/// A unit that is an init script.
pub(super) fn from_init_script(name: &str, running: bool, started_at_boot: bool) -> Unit {
    let (active, enabled) = (if running { "active" } else { "inactive" }, if started_at_boot { "enabled" } else { "disabled" });
    let properties = [("Id", name), ("LoadState", "loaded"), ("ActiveState", active), ("UnitFileState", enabled)];
    Unit {
        name: name.into(),
        exists: true,
        active: active.into(),
        enabled: enabled.into(),
        properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        needs_reload: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_properties_become_a_unit() {
        let unit = from_systemctl(
            "ssh",
            "Id=ssh.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=yes\nExecStart={ a=b }\n",
        );
        assert_eq!((unit.name.as_str(), unit.exists, unit.needs_reload), ("ssh.service", true, true));
        assert_eq!((unit.active.as_str(), unit.enabled.as_str()), ("active", "enabled"));
        assert_eq!(unit.properties["ExecStart"], "{ a=b }");
        assert!(!from_systemctl("x.service", "Id=x.service\nLoadState=not-found\nActiveState=inactive\n").exists);
        assert_eq!(from_systemctl("m.service", "Id=m.service\nLoadState=masked\nActiveState=inactive\n").enabled, "masked");
        assert!(!from_systemctl("x.service", "").exists);
    }
}
