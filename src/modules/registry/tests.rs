//! Every example of every module, on a host in memory: it parses, planning it touches nothing,
//! the plan is what applying then does, and applying it again finds nothing to do.

use serde_json::{Map, Value, json};

use super::{Change, Contract, Module, all};
use crate::change::Action;
use crate::host::memory::MemoryHost;
use crate::host::overlay::Overlay;
use crate::outcome::{Ending, Outcome};

/// Keys of a task in examples that are not its module.
const KEYWORDS: &[&str] =
    &["name", "register", "when", "become", "notify", "loop", "vars", "changed_when", "environment", "delegate_to"];

/// A host as administrators know them: the usual accounts, files, packages and units.
pub(super) fn fixture() -> MemoryHost {
    let mut host = MemoryHost::default();
    for (name, gid, members) in [
        ("daemon", 1, vec![]),
        ("adm", 4, vec!["admin"]),
        ("sudo", 27, vec!["admin"]),
        ("www-data", 33, vec![]),
        ("users", 100, vec![]),
        ("admin", 1000, vec![]),
    ] {
        host.add_group(name, gid, &members);
    }
    for (name, id, home, shell) in [
        ("daemon", 1, "/usr/sbin", "/usr/sbin/nologin"),
        ("www-data", 33, "/var/www", "/usr/sbin/nologin"),
        ("admin", 1000, "/home/admin", "/bin/bash"),
    ] {
        host.add_user(name, id, id, home, shell);
    }
    for directory in [
        "/tmp",
        "/run",
        "/root",
        "/srv",
        "/home/admin",
        "/var/www/html",
        "/var/log",
        "/var/lib/app",
        "/opt",
        "/etc/sysctl.d",
        "/etc/cron.d",
        "/var/spool/cron/crontabs",
    ] {
        host.add_directory(directory);
    }
    host.add_directory("/tmp").mode = 0o1777;
    let text = |lines: &[&str]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
    for (path, content) in [
        ("/etc/passwd", text(&["root:x:0:0:root:/root:/bin/bash", "admin:x:1000:1000::/home/admin:/bin/bash"])),
        ("/etc/hosts", text(&["127.0.0.1 localhost", "10.0.0.1 db.example.org db"])),
        ("/etc/hostname", text(&["fixture"])),
        ("/proc/sys/kernel/hostname", text(&["fixture"])),
        ("/etc/motd", text(&["Welcome."])),
        ("/etc/os-release", text(&["NAME=\"Debian GNU/Linux\"", "ID=debian", "VERSION_ID=\"12\"", "VERSION_CODENAME=bookworm"])),
        ("/etc/ssh/sshd_config", text(&["Port 22", "#PermitRootLogin yes", "PasswordAuthentication yes", "Include /etc/ssh/x"])),
        ("/etc/sudoers", text(&["Defaults env_reset", "root ALL=(ALL:ALL) ALL", "%sudo ALL=(ALL:ALL) ALL"])),
        ("/etc/default/app", text(&["OPTIONS=\"-v\"", "ENABLED=no"])),
        ("/etc/sysctl.conf", text(&["#net.ipv4.ip_forward=1"])),
        ("/etc/apt/sources.list", text(&["deb http://deb.debian.org/debian bookworm main"])),
        ("/var/log/app.log", text(&["started", "done"])),
        ("/var/lib/dpkg/status", text(&["Package: bash", "Status: install ok installed", "Version: 5.2.15-2+b2"])),
    ] {
        host.add_file(path, &content);
    }
    for (name, version) in [("bash", "5.2.15-2+b2"), ("openssh-server", "1:9.2p1-2"), ("cron", "3.0pl1-162")] {
        host.add_package(name, version);
    }
    for (name, active, enabled) in
        [("ssh.service", "active", "enabled"), ("cron.service", "active", "enabled"), ("nginx.service", "inactive", "disabled")]
    {
        host.add_unit(name, active, enabled);
    }
    crate::packages::fixture::answers(&mut host);
    crate::source::fixture::add(&mut host);
    crate::system::fixture::add(&mut host);
    crate::containers::fixture::answers(&mut host);
    crate::databases::fixture::answers(&mut host);
    crate::crypto::fixture::answers(&mut host);
    crate::web::fixture::add(&mut host);
    crate::files::packed::fixture::answers(&mut host);
    host.add_file("/srv/app.tar", "").content = crate::files::packed::fixture::app();
    // Written some time before the task begins.
    host.nodes.values_mut().for_each(|node| (node.atime, node.mtime) = (host.clock - 86_400.0, host.clock - 86_400.0));
    host.offer("hello");
    host
}

/// The tasks of a module's examples: name and options.
pub(super) fn examples(module: &Module) -> Vec<(String, Map<String, Value>)> {
    let tasks: Vec<Map<String, Value>> = serde_yaml::from_str(module.examples)
        .unwrap_or_else(|error| panic!("{}: its examples are no list of tasks: {error}", module.name));
    tasks
        .into_iter()
        .map(|mut task| {
            let name = task
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_else(|| panic!("{}: an example has no name", module.name))
                .to_owned();
            let options = task.remove(module.name).unwrap_or_else(|| panic!("{} `{name}`: does not use the module", module.name));
            let other: Vec<&String> = task.keys().filter(|key| !KEYWORDS.contains(&key.as_str())).collect();
            assert!(other.is_empty(), "{} `{name}`: {other:?} are no keywords of a task", module.name);
            let options = match options {
                Value::Object(options) => options,
                Value::Null => Map::new(),
                Value::String(line) => Map::from_iter([("_raw_params".to_owned(), Value::String(line))]),
                other => panic!("{} `{name}`: options are {other}", module.name),
            };
            (name, options)
        })
        .collect()
}

/// What the controller adds: content by digest in place of a path of its own.
pub(super) fn offered(module: &Module, mut options: Map<String, Value>, host: &mut MemoryHost) -> Map<String, Value> {
    let takes = (module.fields)().iter().any(|field| field.name == "stead_source");
    let remote = options.get("remote_src").is_some_and(|remote| *remote == json!(true));
    if let Some(source) = options.get("src").and_then(Value::as_str).filter(|_| takes && !remote).map(str::to_owned) {
        let content = format!("content of {source}\n");
        let sha256 = host.offer(content.as_str());
        options.insert("stead_source".into(), json!({"sha256": sha256, "size": content.len(), "mode": "0640"}));
        if (module.fields)().iter().any(|field| field.name == "stead_basename") {
            options.insert("stead_basename".into(), source.rsplit('/').next().into());
        }
    }
    options
}

fn run(module: &Module, options: &Map<String, Value>, host: &mut dyn crate::host::Host, what: &str) -> Outcome {
    let outcome = (module.run)(options, host);
    assert_ne!(outcome.ending, Ending::Failed, "{what}: {}", Value::Object(outcome.result));
    outcome
}

/// What is still to be done; a restart is asked for every time.
pub(super) fn left_to_do(outcome: &Outcome) -> Vec<Change> {
    outcome.changes.iter().filter(|change| change.action != Action::Run).cloned().collect()
}

#[test]
fn no_name_is_taken_twice() {
    assert!(all().windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn every_module_and_option_is_described() {
    for module in all() {
        assert!(!(module.doc)().trim().is_empty(), "{} has no description", module.name);
        for field in (module.fields)() {
            assert!(!field.doc.trim().is_empty(), "{}: option {} has no description", module.name, field.name);
        }
        assert!(super::INTERNAL.contains(&module.name) || !examples(module).is_empty(), "{} has no example", module.name);
    }
}

#[test]
fn planning_an_example_touches_nothing_and_predicts_what_applying_does() {
    for module in all() {
        for (name, options) in examples(module) {
            let what = format!("{} `{name}`", module.name);
            let mut host = fixture();
            let options = offered(module, options, &mut host);
            assert_eq!((module.check)(&options), [], "{what}");
            let before = host.clone();
            let mut overlay = Overlay::new(host);
            let planned = run(module, &options, &mut overlay, &format!("{what}, planned"));
            assert!(*overlay.below() == before, "{what}: planning touched the host");
            if module.contract != Contract::Resource {
                continue;
            }
            let mut host = before;
            let applied = run(module, &options, &mut host, &format!("{what}, applied"));
            assert_eq!(planned.ending, applied.ending, "{what}");
            assert_eq!(planned.changes, applied.changes, "{what}: the plan is not what was done");
            let again = run(module, &options, &mut host, &format!("{what}, applied again"));
            assert_eq!(left_to_do(&again), Vec::<Change>::new(), "{what}: applied twice");
            let again = run(module, &options, &mut overlay, &format!("{what}, planned again"));
            assert_eq!(left_to_do(&again), Vec::<Change>::new(), "{what}: planned twice");
        }
    }
}
