//! SARIF 2.1.0, the format in which code hosts take findings.

use serde_json::{Value, json};

use super::{Report, end, tidy};
use crate::lint::rules;
use crate::source::{Severity, SourceMap, Span};

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

/// All findings as a SARIF log, with the rules that there are.
pub fn sarif(report: &Report, map: &SourceMap, version: &str) -> Value {
    let known: Vec<&str> = rules::all().map(|rule| rule.name).collect();
    let rules: Vec<Value> = rules::all()
        .map(|rule| {
            json!({
                "id": rule.name,
                "shortDescription": { "text": rule.doc },
                "defaultConfiguration": { "level": level(rule.severity) },
            })
        })
        .collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let text = match &finding.hint {
                Some(hint) => format!("{} ({hint})", finding.message),
                None => finding.message.clone(),
            };
            let mut result = json!({
                "ruleId": finding.code,
                "level": level(finding.severity),
                "message": { "text": text },
                "locations": finding.span.iter().map(|(span, _)| location(*span, map)).collect::<Vec<_>>(),
            });
            if let Some(index) = known.iter().position(|name| *name == finding.code) {
                result["ruleIndex"] = index.into();
            }
            if !finding.related.is_empty() {
                result["relatedLocations"] = finding
                    .related
                    .iter()
                    .map(|(span, label)| {
                        let mut place = location(*span, map);
                        place["message"] = json!({ "text": label });
                        place
                    })
                    .collect();
            }
            if !finding.fix.is_empty() {
                result["fixes"] = json!([fix(finding, map)]);
            }
            result
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "stead", "semanticVersion": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A path as a URI: relative, with what a URI keeps for itself escaped.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte as char),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    if path.starts_with('/') { format!("file://{uri}") } else { uri }
}

fn region(span: Span, map: &SourceMap) -> Value {
    let ((line, column), (end_line, end_column)) = (map.line_column(span), end(map, span));
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

fn location(span: Span, map: &SourceMap) -> Value {
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&tidy(map, span)) }, "region": region(span, map) } })
}

fn fix(finding: &crate::source::Diagnostic, map: &SourceMap) -> Value {
    let file = finding.fix[0].span;
    let replacements: Vec<Value> = finding
        .fix
        .iter()
        .map(|edit| json!({ "deletedRegion": region(edit.span, map), "insertedContent": { "text": edit.text } }))
        .collect();
    json!({
        "artifactChanges": [{ "artifactLocation": { "uri": uri(&tidy(map, file)) }, "replacements": replacements }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Diagnostic;
    use std::path::Path;

    #[test]
    fn a_log_has_what_the_schema_requires() {
        let map = SourceMap::default();
        let file = map.add(Path::new("a b/site.yml"), "- hosts: all\n  mode: 0644\n");
        let span = Span { file, start: 21, end: 25 };
        let finding = Diagnostic::warning("risky-octal", "a number").at(span, "here").related(span, "there").hint("quote it");
        let report = Report::new(vec![finding.replace(span, "\"0644\"")], &map, 1);
        let log = sarif(&report, &map, "0.1.0");
        assert_eq!(log["version"], "2.1.0");
        let driver = &log["runs"][0]["tool"]["driver"];
        assert_eq!(driver["name"], "stead");
        let rules = driver["rules"].as_array().unwrap();
        assert!(rules.iter().all(|rule| rule["id"].is_string() && rule["shortDescription"]["text"].is_string()));
        let result = &log["runs"][0]["results"][0];
        assert_eq!(rules[result["ruleIndex"].as_u64().unwrap() as usize]["id"], result["ruleId"]);
        assert_eq!(result["message"]["text"], "a number (quote it)");
        assert_eq!(result["level"], "warning");
        let physical = &result["locations"][0]["physicalLocation"];
        assert_eq!(physical["artifactLocation"]["uri"], "a%20b/site.yml");
        let region = json!({ "startLine": 2, "startColumn": 9, "endLine": 2, "endColumn": 13 });
        assert_eq!(physical["region"], region);
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "there");
        let change = &result["fixes"][0]["artifactChanges"][0];
        assert_eq!(change["replacements"][0]["deletedRegion"], region);
        assert_eq!(change["replacements"][0]["insertedContent"]["text"], "\"0644\"");
    }
}
