//! What unit tests of templates begin with: a scope of variables, a template's node.

use std::path::Path;
use std::sync::Arc;

use crate::source::{Node, NodeValue, SourceMap, Style, yaml};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Variable, Variables};

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
