//! Every example of every module as a test: on a host in memory, planned and applied.

use serde_json::{Map, Value};

use crate::change::{Action, Change};
use crate::host::memory::MemoryHost;
use crate::host::overlay::Overlay;
use crate::outcome::Ending;
use crate::registry::{self, Contract, Module};

/// A host with what examples take for granted.
fn usual_host() -> MemoryHost {
    let mut host = MemoryHost::default();
    for directory in [
        "/etc/systemd/system",
        "/etc/cron.d",
        "/etc/apt/sources.list.d",
        "/etc/sysctl.d",
        "/home",
        "/opt",
        "/root",
        "/srv",
        "/usr/local/bin",
        "/var/lib",
        "/var/spool/cron/crontabs",
    ] {
        host.add_directory(directory);
    }
    host.add_directory("/tmp").mode = 0o1777;
    host.add_file("/etc/passwd", "root:x:0:0:root:/root:/bin/bash\n");
    host.add_file("/etc/group", "root:x:0:\n");
    host.add_file("/etc/hostname", "web1\n");
    host.add_file("/proc/sys/kernel/hostname", "web1\n");
    host.add_file("/etc/hosts", "127.0.0.1 localhost\n");
    host.add_group("oldgroup", 1500, &[]);
    host.add_user("oldjoe", 1600, 0, "/home/oldjoe", "/bin/sh");
    host.add_directory("/home/oldjoe");
    host.add_package("cron", "3.0pl1-162");
    host.add_package("openssh-server", "1:9.2p1-2");
    host.add_package("oldpackage", "1.0");
    host.add_unit("cron.service", "active", "enabled");
    host.add_unit("ssh.service", "active", "enabled");
    host.add_unit("nginx.service", "inactive", "disabled");
    host
}

/// The module and options of a task; a task has one key that is not a keyword.
fn module_of(task: &Map<String, Value>) -> (&'static Module, Map<String, Value>) {
    let (name, options) = task
        .iter()
        .find_map(|(key, value)| registry::find(key).map(|module| (module, value)))
        .unwrap_or_else(|| panic!("no module in {task:?}"));
    let options = match options {
        Value::Object(options) => options.clone(),
        Value::Null => Map::new(),
        text => Map::from_iter([("_raw_params".to_owned(), text.clone())]),
    };
    (name, options)
}

fn examples(of: &Module) -> Vec<(String, Map<String, Value>)> {
    let tasks: Vec<Map<String, Value>> =
        serde_yaml::from_str(of.examples).unwrap_or_else(|error| panic!("examples of {}: {error}", of.name));
    tasks
        .iter()
        .map(|task| {
            let (module, options) = module_of(task);
            assert_eq!(module.name, of.name, "{task:?}");
            (format!("{}: {}", of.name, task.get("name").and_then(Value::as_str).unwrap_or("?")), options)
        })
        .collect()
}

#[test]
fn every_module_has_examples_and_every_option_a_text() {
    for module in registry::all() {
        assert!(!examples(module).is_empty(), "{} has no example", module.name);
        assert!(!(module.doc)().trim().is_empty(), "{} has no manual", module.name);
        for field in (module.fields)() {
            assert!(!field.doc.trim().is_empty(), "{}: option {} has no text", module.name, field.name);
        }
    }
}

#[test]
fn a_plan_touches_nothing_and_an_apply_does_what_was_planned() {
    for module in registry::all() {
        for (name, options) in examples(module) {
            assert_eq!((module.check)(&options), [], "{name}");
            let mut plan = Overlay::new(usual_host());
            let planned = (module.run)(&options, &mut plan);
            assert_eq!(*plan.below(), usual_host(), "{name}: the plan touched the host");
            match module.contract {
                Contract::Query => assert_eq!(planned.ending, Ending::Ok, "{name}: {:?}", planned.result),
                Contract::Command => assert!(
                    matches!(planned.ending, Ending::Ok | Ending::Skipped | Ending::Unknown),
                    "{name}: {:?}",
                    planned.result
                ),
                Contract::Resource => {
                    let mut host = usual_host();
                    let applied = (module.run)(&options, &mut host);
                    assert!(matches!(applied.ending, Ending::Ok | Ending::Changed), "{name}: {:?}", applied.result);
                    assert_eq!((planned.ending, &planned.changes), (applied.ending, &applied.changes), "{name}");
                    let again = (module.run)(&options, &mut host);
                    let left: Vec<&Change> = again.changes.iter().filter(|change| change.action != Action::Run).collect();
                    assert!(left.is_empty() && again.ending != Ending::Failed, "{name}: {again:?}");
                }
            }
        }
    }
}
