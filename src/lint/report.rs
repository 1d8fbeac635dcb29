//! Findings in the order of their places, and as JSON and SARIF.

mod sarif;

use serde_json::{Value, json};

use crate::source::{Diagnostic, Severity, SourceMap, Span};

pub use sarif::sarif;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// In the order of files and lines.
    pub findings: Vec<Diagnostic>,
    /// How many tasks were looked at.
    pub tasks: usize,
}

impl Report {
    pub(super) fn new(findings: Vec<Diagnostic>, map: &SourceMap, tasks: usize) -> Self {
        let mut placed: Vec<_> = findings
            .into_iter()
            .map(|finding| {
                let place = finding.span.as_ref().map(|(span, _)| (tidy(map, *span), span.start, span.end));
                (place, finding)
            })
            .collect();
        // What stands first comes first; the same finding by two ways is one.
        placed.sort_by(|(one, a), (other, b)| (one, a.severity, a.code).cmp(&(other, b.severity, b.code)));
        placed.dedup_by(|(one, a), (other, b)| one == other && a.code == b.code && a.message == b.message);
        Self { findings: placed.into_iter().map(|(_, finding)| finding).collect(), tasks }
    }

    /// How many findings are so bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// The path of a place as one would write it: `a/../b` is `b`.
fn tidy(map: &SourceMap, span: Span) -> String {
    use std::path::{Component, PathBuf};
    let mut path = PathBuf::new();
    for part in map.path(span.file).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if path.file_name().is_some() => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path.display().to_string()
}

fn end(map: &SourceMap, span: Span) -> (usize, usize) {
    map.line_column(Span { start: span.end, ..span })
}

/// All findings as one JSON document.
pub fn json(report: &Report, map: &SourceMap) -> Value {
    let place = |span: Span, label: &str| {
        let ((line, column), (end_line, end_column)) = (map.line_column(span), end(map, span));
        json!({
            "path": tidy(map, span), "line": line, "column": column, "end_line": end_line, "end_column": end_column,
            "label": label,
        })
    };
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "rule": finding.code,
                "severity": finding.severity.word(),
                "message": finding.message,
                "place": finding.span.as_ref().map(|(span, label)| place(*span, label)),
                "related": finding.related.iter().map(|(span, label)| place(*span, label)).collect::<Vec<_>>(),
                "hint": finding.hint,
                "fixable": !finding.fix.is_empty(),
            })
        })
        .collect();
    json!({
        "findings": findings,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "infos": report.count(Severity::Info),
        "tasks": report.tasks,
    })
}
