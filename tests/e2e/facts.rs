//! Facts: what stead and ansible-core say of the same Debian host, value by value: the cases of
//! `tests/differential/facts.md`.
//!
//! The page holds cases, each below a heading of the second level, of fenced blocks: `tasks` (calls of
//! `setup`), and `differs`, the differences that are kept, exactly as this test prints them. Before the
//! first heading: `prepare`, a script for the host, and `moves`, regular expressions of facts that move from one look
//! to the next, of which only the type is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use regex::Regex;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::modules::{Ended, Work, tasks};
use crate::pages::sections;
use crate::project::{Project, ansible_playbook};
use crate::support::skip;

/// Every value by its path.
fn leaves(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                leaves(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                leaves(&format!("{path}[{index}]"), item, into);
            }
        }
        other => {
            into.insert(path.to_owned(), other.clone());
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "mapping",
    }
}

/// What two looks at a host say differently, a line each.
fn difference(task: &str, theirs: &Value, ours: &Value, moves: &Regex) -> String {
    let (mut expected, mut found, mut said) = (BTreeMap::new(), BTreeMap::new(), String::new());
    leaves("", theirs, &mut expected);
    leaves("", ours, &mut found);
    for (path, value) in &expected {
        let is_loose = UNORDERED.iter().any(|name| path.starts_with(name));
        let moving = moves.is_match(path);
        match found.get(path) {
            None => drop(writeln!(said, "{task}: {path}: ansible {value}")),
            Some(other) if moving && kind(value) == kind(other) => {}
            Some(other) if value == other => {}
            Some(other) if is_loose && sorted(value) == sorted(other) => {}
            Some(other) => drop(writeln!(said, "{task}: {path}: ansible {value}, stead {other}")),
        }
    }
    for (path, value) in found.iter().filter(|(path, _)| !expected.contains_key(*path)) {
        let _ = writeln!(said, "{task}: {path}: stead {value}");
    }
    said
}

/// Lists that ansible-core makes of sets, or of what a tool prints in no order.
const UNORDERED: [&str; 3] = ["ansible_virtualization_tech_", "ansible_locally_reachable_ips", "ansible_interfaces"];

fn sorted(value: &Value) -> Vec<String> {
    let mut all: Vec<String> = value.as_array().into_iter().flatten().map(Value::to_string).collect();
    all.sort();
    all
}

/// What is shown of a look.
const FOUND: &str = "found.ansible_facts";

/// A look, and a task that shows what was found.
fn shown(look: &Value) -> [Value; 2] {
    let mut look = look.clone();
    look["register"] = json!("found");
    let name = format!("{}, shown", look["name"].as_str().unwrap_or_default());
    [look, json!({"name": name, "debug": {"var": FOUND}})]
}

#[test]
fn facts_are_those_that_ansible_gathers() {
    let test = "facts_are_those_that_ansible_gathers";
    if ansible_playbook().is_none() {
        return skip(test, "no ansible-playbook: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
    }
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/facts.md")).unwrap();
    let Some(fleet) = Fleet::boot(test, 1) else { return };
    let work = Work { fleet: &fleet, projects: [(); 2].map(|()| Project::new(fleet.inventory())), collections: None };
    let (mut moves, mut wrong, mut cases, mut values) = (String::new(), String::new(), 0, 0);
    for (name, blocks) in sections(&page) {
        let block = |word: &str| blocks.iter().find(|block| block.words == [word]).map_or("", |block| block.text.as_str());
        if name.is_empty() {
            block("moves").clone_into(&mut moves);
            fleet.on(1, block("prepare"));
            continue;
        }
        let looks = tasks(&name, block("tasks"));
        let playbook =
            json!([{"hosts": "all", "gather_facts": false, "tasks": looks.iter().flat_map(shown).collect::<Vec<_>>()}])
                .to_string();
        work.projects.iter().for_each(|project| project.write("site.yml", &playbook));
        let (theirs, ours) = (work.ansible("apply"), work.stead("apply"));
        let moves = Regex::new(&format!("^({})$", moves.trim().replace('\n', "|"))).unwrap();
        let mut said = String::new();
        for look in &looks {
            let shown = |ended: &[Ended]| {
                let showing = ended.iter().find(|one| one.task == shown(look)[1]["name"]).expect("what is found is shown");
                showing.result[FOUND].clone()
            };
            let (expected, found) = (shown(&theirs), shown(&ours));
            let mut all = BTreeMap::new();
            leaves("", &expected, &mut all);
            values += all.len();
            said += &difference(look["name"].as_str().unwrap_or_default(), &expected, &found, &moves);
        }
        cases += 1;
        if said.trim() != block("differs").trim() {
            let _ = writeln!(wrong, "=== {name}\n{said}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(values > 300, "only {values} values were compared");
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{values} values of facts in {cases} cases");
}
