//! Roles and playbooks that others wrote: those of the `ansible` package. They must be read without
//! a false error. `STEAD_TEST_COLLECTIONS` names its `ansible_collections` directory;
//! `tests/run.sh` fetches it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use stead::source::{Diagnostic, Severity, SourceMap};

use super::support::{Look, drawn, look, root, say};

/// Errors that are true of a playbook that stead cannot run: it lacks what that needs.
const TRUE: &[&str] = &["unsupported-module", "unsupported-option", "unsupported-keyword"];

/// True mistakes in other people's files, each looked at: end of the path, rule.
const MISTAKES: &[(&str, &str)] = &[
    // `'Windows"`: the quotes differ.
    ("community/zabbix/roles/zabbix_agent/tasks/api.yml", "template-syntax"),
    // Tasks where plays are wanted; ansible-core refuses them too.
    ("dellemc/openmanage/roles/idrac_certificate/tests/test.yml", "no-hosts"),
    ("dellemc/openmanage/roles/idrac_firmware/tests/test.yml", "no-hosts"),
    ("ravendb/ravendb/playbooks/setup_ravendb.yml", "no-hosts"),
    ("ravendb/ravendb/playbooks/setup_ravendb.yml", "unknown-keyword"),
];

/// Playbooks that call modules of their collection by short names and name no collection: ansible-core does not
/// find those either.
const SHORT_NAMES: &str = "dellemc/unity/playbooks/modules";

/// Whether an error is true.
fn is_true(finding: &Diagnostic, map: &SourceMap) -> bool {
    let path = finding.span.as_ref().map(|(span, _)| map.path(span.file)).unwrap_or_default();
    // Filters and tests of collections are missing here too.
    let of_collection = finding.code == "unknown-template-name"
        && finding.message.split('`').nth(1).is_some_and(|name| name.matches('.').count() >= 2);
    // One of those short names is that of a module that we know.
    let of_name = matches!(finding.code, "unknown-module" | "unknown-option" | "missing-option");
    let short_name = of_name && path.parent().is_some_and(|folder| folder.ends_with(SHORT_NAMES));
    TRUE.contains(&finding.code)
        || short_name
        || of_collection
        || MISTAKES.iter().any(|(end, rule)| path.ends_with(end) && finding.code == *rule)
}

fn collections() -> Option<PathBuf> {
    let named = std::env::var_os("STEAD_TEST_COLLECTIONS").map(PathBuf::from);
    let fetched = root().join("bench/.collections/ansible_collections");
    named.into_iter().chain([fetched]).find(|path| path.is_dir())
}

#[test]
fn roles_of_others_are_read_without_a_false_error() {
    let Some(collections) = collections() else {
        say("SKIPPED roles from collections: STEAD_TEST_COLLECTIONS is not set (tests/run.sh fetches them)");
        return;
    };
    // Collections with roles or playbooks, as a whole: those use each other.
    let mut found = Vec::new();
    for namespace in std::fs::read_dir(&collections).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        let names = std::fs::read_dir(namespace.path()).unwrap().flatten().map(|entry| entry.path());
        found.extend(names.filter(|path| path.join("roles").is_dir() || path.join("playbooks").is_dir()));
    }
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
        report.findings.retain(|finding| finding.severity == Severity::Error && !is_true(finding, &map));
        wrong.push_str(&drawn(&report, &map).replace(&format!("{}/", collections.display()), ""));
    }
    say(&format!("{} collections with roles or playbooks, {tasks} tasks: {codes:?}", found.len()));
    assert!(found.len() >= 10, "there should be more in {}", collections.display());
    assert!(wrong.is_empty(), "{wrong}");
}
