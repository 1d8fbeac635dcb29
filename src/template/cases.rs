//! Templates and what ansible-core makes of them (`tests/template/cases.txt`): stead must agree.

use std::path::Path;
use std::sync::Arc;

use super::{RenderSettings, Renderer};
use crate::source::{Node, NodeValue, SourceMap, Style, yaml};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

/// A scope with the variables of a YAML text.
pub(super) fn scope_of(map: &SourceMap, text: &str) -> Scope {
    let file = map.add(Path::new("vars.yml"), text);
    let (documents, diagnostics) = yaml::parse(map, file);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    let mut variables = Variables::new();
    if let Some(mapping) = documents.first().and_then(Node::as_map) {
        for (key, value) in &mapping.entries {
            let name: Arc<str> = key.as_str().expect("variables have names").into();
            variables.insert(name, Variable { definition: Definition::Source(value.clone()), origin: Origin::File(value.span) });
        }
    }
    let mut scope = Scope::default();
    scope.push(Layer { precedence: Precedence::PlayVars, variables: Arc::new(variables) });
    scope
}

/// A template's node.
pub(super) fn node(map: &SourceMap, text: &str) -> Node {
    let file = map.add(Path::new("case"), text);
    let span = crate::source::Span { file, start: 0, end: text.len() as u32 };
    Node { span, value: NodeValue::Str(text.into(), Style::Plain) }
}

/// Cases as (template, expected).
fn cases(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut template = None;
    for line in text.lines().filter(|line| !line.starts_with("# ") && !line.is_empty()) {
        match line.strip_prefix("  => ") {
            Some(expected) => out.push((template.take().expect("a template stands above its value"), expected.to_owned())),
            None => template = Some(line.replace('⏎', "\n")),
        }
    }
    out
}

#[test]
fn templates_come_out_as_ansible_core_makes_them() {
    let map = SourceMap::default();
    let scope = scope_of(&map, include_str!("../../tests/template/vars.yml"));
    let renderer = Renderer::new(RenderSettings::default());
    let all = cases(include_str!("../../tests/template/cases.txt"));
    assert!(all.len() > 400, "only {} cases were read", all.len());
    let mut wrong = Vec::new();
    for (template, expected) in &all {
        let found = match renderer.value(&node(&map, template), &scope) {
            Ok(Value::Omit) => "error".to_owned(),
            Ok(value) => shown(&value),
            Err(error) if expected == "error" => {
                assert!(!error.message.is_empty());
                continue;
            }
            Err(error) => format!("error: {error}"),
        };
        let same = match (serde_json::from_str::<serde_json::Value>(expected), serde_json::from_str::<serde_json::Value>(&found))
        {
            (Ok(expected), Ok(found)) => expected == found && format!("{expected}") == format!("{found}"),
            _ => found == *expected,
        };
        if !same {
            wrong.push(format!("{template}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

fn shown(value: &Value) -> String {
    value.to_json().map_or_else(|reason| format!("unknown: {reason}"), |json| json.to_string())
}
