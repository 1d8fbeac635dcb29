//! The table walked: every rule finds something in its bad example and nothing in its good one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::*;
use crate::lint::{Report, Request, Selection, lint};
use crate::playbook::{LoadSettings, Loader};
use crate::plugins::{PythonPlugins, PythonSettings};
use crate::source::{Diagnostic, Severity, SourceMap, render};
use crate::template::{Plugins, RenderSettings, Renderer};

/// Lints a project that is written as one text: files after lines `### PATH`, else `site.yml`.
fn project(text: &str, selection: Selection) -> (Report, SourceMap, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.strip_prefix("### ") {
            files.push((name.trim().to_owned(), String::new()));
        } else {
            if files.is_empty() {
                files.push(("site.yml".to_owned(), String::new()));
            }
            files.last_mut().unwrap().1.push_str(line);
        }
    }
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let (report, map) = at(&[directory.path().to_owned(), directory.path().join("site.yml")], selection);
    (report, map, directory)
}

fn at(paths: &[PathBuf], selection: Selection) -> (Report, SourceMap) {
    let map = SourceMap::default();
    // No Python is there to be asked.
    let python = PythonSettings { python: Some("/nowhere/python".into()), ..PythonSettings::default() };
    let plugins = Arc::new(PythonPlugins::new(python));
    let render = RenderSettings { plugins: Some(Arc::clone(&plugins) as Arc<dyn Plugins>), ..RenderSettings::default() };
    let settings = LoadSettings { foreign: Some(plugins), ..LoadSettings::default() };
    let loader = Loader::new(map.clone(), Arc::new(crate::actions::catalog()), settings, Arc::new(Renderer::new(render)));
    let tags = selection
        .names("unknown-tag")
        .then(|| crate::playbook::TagSelection { only: vec!["web".into(), "all".into()], skip: Vec::new() });
    let request = Request { paths: paths.to_vec(), known: BTreeSet::new(), closed: true, tags, selection };
    (lint(&loader, &request), map)
}

fn everything() -> Selection {
    Selection { style: true, ..Selection::default() }
}

fn drawn(findings: &[&Diagnostic], map: &SourceMap) -> String {
    findings.iter().map(|finding| render::render_one(finding, map, render::Colour::Plain)).collect()
}

#[test]
fn every_rule_finds_its_bad_example_and_not_its_good_one() {
    let mut wrong = String::new();
    for rule in all() {
        let named = Selection { only: vec![rule.name.to_owned()], ..everything() };
        let wanted = if rule.name == "unknown-tag" { named } else { everything() };
        let (report, map, _directory) = project(rule.bad, wanted.clone());
        let own: Vec<&Diagnostic> = report.findings.iter().filter(|finding| finding.code == rule.name).collect();
        if own.is_empty() {
            wrong.push_str(&format!("== {}: nothing found in its bad example\n", rule.name));
            wrong.push_str(&drawn(&report.findings.iter().collect::<Vec<_>>(), &map));
        }
        if own.iter().any(|finding| finding.severity < rule.severity) {
            wrong.push_str(&format!("== {}: worse than its severity says\n", rule.name));
        }
        if !own.is_empty() && own.iter().all(|finding| finding.severity != rule.severity) {
            wrong.push_str(&format!("== {}: not as bad as its severity says\n", rule.name));
        }
        let (report, map, _directory) = project(rule.good, wanted);
        let own: Vec<&Diagnostic> =
            report.findings.iter().filter(|finding| finding.code == rule.name || finding.severity == Severity::Error).collect();
        if !own.is_empty() {
            wrong.push_str(&format!("== {}: found in its good example\n{}", rule.name, drawn(&own, &map)));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_can_be_read_about() {
    let mut names = BTreeSet::new();
    for rule in all() {
        assert!(names.insert(rule.name), "{} is there twice", rule.name);
        assert!(rule.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{}", rule.name);
        assert!(
            rule.doc.len() > 15 && !rule.doc.ends_with('.') && rule.doc.starts_with(char::is_uppercase)
                || rule.doc.starts_with('`'),
            "{}",
            rule.name
        );
    }
}

#[test]
fn an_exception_silences_its_line_and_its_task() {
    for (text, codes) in [
        ("- hosts: all\n  tasks:\n    - ansible.builtin.debug: { msg: a } # noqa: unnamed-task\n", vec![]),
        ("- hosts: all\n  tasks:\n    - ansible.builtin.debug: # noqa\n        msg: a\n", vec![]),
        ("- hosts: all\n  tasks:\n    - ansible.builtin.debug: # noqa: risky-octal\n        msg: a\n", vec!["unnamed-task"]),
        // What cannot be read cannot be excused.
        ("- hosts: all\n  tasks:\n    - name: A\n      ansible.builtin.dbg: # noqa: unknown-module\n", vec!["unknown-module"]),
    ] {
        let (report, ..) = project(text, everything());
        let found: Vec<&str> = report.findings.iter().map(|finding| finding.code).collect();
        assert_eq!(found, codes, "{text}");
    }
}

#[test]
fn remedies_are_complete_and_final() {
    for rule in all() {
        let (report, map, directory) = project(rule.bad, everything());
        let fixed = crate::lint::fix::fixed(&report.findings, &map);
        for file in &fixed {
            file.write().unwrap();
            assert_ne!(file.before, file.after);
        }
        let (again, map) = at(&[directory.path().to_owned()], everything());
        let left = crate::lint::fix::fixed(&again.findings, &map);
        assert!(left.is_empty(), "{}: a second time finds more to do: {left:?}", rule.name);
    }
}

#[test]
fn findings_come_in_the_order_of_their_places() {
    let text = "- hosts: all\n  tasks:\n    - ansible.builtin.debug: { msg: a }\n    - ansible.builtin.dbg:\n    - ansible.builtin.debug: { msg: a }\n";
    let (report, map, _directory) = project(text, everything());
    let lines: Vec<usize> = report.findings.iter().map(|finding| map.line_column(finding.span.as_ref().unwrap().0).0).collect();
    assert_eq!(lines, [3, 4, 5]);
    assert!(Path::new(&crate::lint::report::json(&report, &map)["findings"][0]["place"]["path"].as_str().unwrap()).is_absolute());
}
