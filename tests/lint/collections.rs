//! Roles and playbooks that others wrote: those of the `ansible` package. They must be read without
//! a false error. `STEAD_TEST_COLLECTIONS` names its `ansible_collections` directory;
//! `tests/run.sh` fetches it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stead::source::Severity;

use super::support::{Look, drawn, look, root, say};

/// Errors that are true of a playbook that stead cannot run: it lacks the module.
const TRUE: &[&str] = &["unsupported-module"];

fn collections() -> Option<PathBuf> {
    let named = std::env::var_os("STEAD_TEST_COLLECTIONS").map(PathBuf::from);
    let fetched = root().join("bench/.collections/ansible_collections");
    named.into_iter().chain([fetched]).find(|path| path.is_dir())
}

/// Directories that are named so, as deep as collections have them.
fn directories(at: &Path, name: &str, depth: usize, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(at) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        if path.file_name().is_some_and(|own| own == name) {
            into.push(path);
        } else if depth > 0 && !path.ends_with("tests") {
            directories(&path, name, depth - 1, into);
        }
    }
}

#[test]
fn roles_of_others_are_read_without_a_false_error() {
    let Some(collections) = collections() else {
        say("SKIPPED roles from collections: STEAD_TEST_COLLECTIONS is not set (tests/run.sh fetches them)");
        return;
    };
    let mut found = Vec::new();
    directories(&collections, "roles", 3, &mut found);
    directories(&collections, "playbooks", 3, &mut found);
    found.sort();
    let mut wrong = String::new();
    let mut codes: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut tasks = 0;
    for path in &found {
        let (mut report, map) = look(&Look { paths: vec![path.clone()], ..Look::default() });
        tasks += report.tasks;
        for finding in &report.findings {
            *codes.entry(finding.code).or_default() += 1;
        }
        report.findings.retain(|finding| finding.severity == Severity::Error && !TRUE.contains(&finding.code));
        wrong.push_str(&drawn(&report, &map).replace(&format!("{}/", collections.display()), ""));
    }
    say(&format!("{} directories of roles and playbooks, {tasks} tasks: {codes:?}", found.len()));
    assert!(found.len() >= 10, "there should be more in {}", collections.display());
    assert!(wrong.is_empty(), "{wrong}");
}
