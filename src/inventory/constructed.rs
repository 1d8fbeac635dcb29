//! The inventory plugin `constructed`: variables (`compose`) and groups (`groups`, `keyed_groups`)
//! from what earlier sources say of each host.

use std::path::Path;
use std::sync::Arc;

use super::beside::Beside;
use super::load::Loader;
use super::plugin::{known_only, list, mapping, switch, wrong};
use crate::source::{Diagnostic, Mapping, Node, NodeValue, Span};
use crate::template::{TemplateError, Truth};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

const OPTIONS: [&str; 7] =
    ["compose", "groups", "keyed_groups", "leading_separator", "strict", "use_extra_vars", "use_vars_plugins"];

/// Goes through all hosts that there are so far.
pub(super) fn run(loader: &mut Loader<'_>, options: &Mapping) {
    known_only(loader, options, "constructed", &OPTIONS);
    let use_files = switch(loader, options, "use_vars_plugins", false);
    let use_extra_vars = switch(loader, options, "use_extra_vars", false);
    let construction = Construction {
        strict: switch(loader, options, "strict", false),
        leading_separator: switch(loader, options, "leading_separator", true),
        compose: mapping(loader, options, "compose"),
        groups: mapping(loader, options, "groups"),
        keyed: list(loader, options, "keyed_groups").iter().filter_map(|node| Keyed::read(loader, node)).collect(),
    };
    let files: Vec<Arc<Beside>> = if use_files { loader.read_beside() } else { Vec::new() };
    let hosts: Vec<Arc<str>> = loader.inventory.hosts().cloned().collect();
    for host in hosts {
        let mut scope = Construction::scope(loader, &host, &files);
        if use_extra_vars {
            let variables = Arc::clone(&loader.settings.extra_vars);
            scope.push(Layer { precedence: Precedence::ExtraVars, variables });
        }
        construction.compose(loader, &host, &scope);
        // Groups see what was composed, but no extra variables.
        let scope = Construction::scope(loader, &host, &files);
        construction.groups(loader, &host, &scope);
        for keyed in &construction.keyed {
            construction.keyed(loader, keyed, &host, &scope);
        }
    }
}

struct Construction<'n> {
    strict: bool,
    leading_separator: bool,
    compose: &'n [(Node, Node)],
    groups: &'n [(Node, Node)],
    keyed: Vec<Keyed<'n>>,
}

/// An entry of `keyed_groups`.
struct Keyed<'n> {
    span: Span,
    key: &'n Node,
    prefix: String,
    separator: String,
    parent: Option<&'n Node>,
    default: Option<String>,
    trailing_separator: bool,
}

impl<'n> Keyed<'n> {
    fn read(loader: &mut Loader<'_>, node: &'n Node) -> Option<Self> {
        let Some(map) = node.as_map() else {
            wrong(loader, "an entry of `keyed_groups` is a mapping with `key`", node);
            return None;
        };
        known_only(
            loader,
            map,
            "keyed_groups",
            &["key", "prefix", "separator", "parent_group", "default_value", "trailing_separator"],
        );
        let Some(key) = map.get("key") else {
            let problem = Diagnostic::error("inventory-plugin", "an entry of `keyed_groups` needs a `key`");
            loader.diagnostics.push(problem.at(node.span, "in this entry"));
            return None;
        };
        if map.get("default_value").is_some() && map.get("trailing_separator").is_some() {
            let problem = Diagnostic::error("inventory-plugin", "`default_value` and `trailing_separator` exclude each other");
            loader.diagnostics.push(problem.at(node.span, "in this entry").hint("remove one of them"));
            return None;
        }
        Some(Self {
            span: node.span,
            key,
            prefix: map.get("prefix").and_then(text).unwrap_or_default(),
            separator: map.get("separator").and_then(text).unwrap_or_else(|| "_".to_owned()),
            parent: map.get("parent_group"),
            default: map.get("default_value").and_then(text),
            trailing_separator: switch(loader, map, "trailing_separator", true),
        })
    }

    /// Names that the key's value stands for; none for a value that cannot be a name.
    fn names(&self, value: &Value) -> Option<Vec<String>> {
        let or_default = |value: &Value| match &self.default {
            Some(default) if is_empty(value) => default.clone(),
            _ => value.to_string(),
        };
        Some(match value {
            Value::Str(_) => vec![or_default(value)],
            Value::List(items) => items.iter().map(or_default).collect(),
            Value::Map(map) => map
                .iter()
                .map(|(key, value)| match value.as_str() {
                    Some("") if !self.trailing_separator => key.to_string(),
                    _ => format!("{key}{}{}", self.separator, or_default(value)),
                })
                .collect(),
            _ => return None,
        })
    }
}

impl Construction<'_> {
    /// What expressions see of a host.
    fn scope(loader: &Loader<'_>, host: &str, files: &[Arc<Beside>]) -> Scope {
        let inventory = &loader.inventory;
        let mut scope = Scope { layers: inventory.layers_so_far(host, files), ..Scope::default() };
        let directory = inventory.source_of(host).and_then(|source| source.directory.as_ref());
        scope.search = directory.iter().map(|directory| Path::new(directory).to_owned()).collect();
        scope.push(Layer { precedence: Precedence::Magic, variables: Arc::new(inventory.host_magic(host)) });
        scope
    }

    /// Without `strict`, what cannot be evaluated for a host is left out for it.
    fn failed(&self, loader: &mut Loader<'_>, error: &TemplateError, node: &Node, host: &str) {
        if self.strict {
            let mut problem = error.diagnostic(node.span);
            problem.message = format!("{} (for host `{host}`)", problem.message);
            loader.diagnostics.push(problem);
        }
    }

    fn invalid(&self, loader: &mut Loader<'_>, message: String, span: Span) {
        if self.strict {
            let hint = "without `strict` such an entry is left out";
            loader.diagnostics.push(Diagnostic::error("inventory-plugin", message).at(span, "here").hint(hint));
        }
    }

    fn compose(&self, loader: &mut Loader<'_>, host: &str, scope: &Scope) {
        for (key, expression) in self.compose {
            let Some(name) = key.as_str() else {
                wrong(loader, "a variable's name is text", key);
                continue;
            };
            let NodeValue::Str(text, _) = &expression.value else {
                let message = format!("`compose` needs an expression for `{name}`, and this is {}", expression.kind());
                self.invalid(loader, message, expression.span);
                continue;
            };
            match loader.settings.renderer.expression(text, expression.span, scope) {
                Ok(value) => {
                    // The result of an expression is data, never a template.
                    let variable = Variable { definition: Definition::Data(value), origin: Origin::File(key.span) };
                    let name = loader.names.get(name);
                    loader.inventory.set_host_variables(host, Variables::from_iter([(name, variable)]));
                }
                Err(error) => self.failed(loader, &error, expression, host),
            }
        }
    }

    fn groups(&self, loader: &mut Loader<'_>, host: &str, scope: &Scope) {
        for (key, condition) in self.groups {
            let is_empty = condition.as_str().is_some_and(|text| text.trim().is_empty());
            if is_empty || matches!(condition.value, NodeValue::List(_) | NodeValue::Map(_) | NodeValue::Null) {
                self.invalid(loader, format!("a group needs a condition, and this is {}", condition.kind()), condition.span);
                continue;
            }
            match loader.settings.renderer.condition(condition, scope) {
                Ok(Truth::Yes) => {
                    let name = safe_name(&text(key).unwrap_or_default());
                    loader.inventory.add_host_to_group(host, &name);
                }
                Ok(_) => {}
                Err(error) => self.failed(loader, &error, condition, host),
            }
        }
    }

    fn keyed(&self, loader: &mut Loader<'_>, keyed: &Keyed<'_>, host: &str, scope: &Scope) {
        let NodeValue::Str(expression, _) = &keyed.key.value else {
            let message = format!("`key` is an expression, and this is {}", keyed.key.kind());
            return self.invalid(loader, message, keyed.key.span);
        };
        let value = match loader.settings.renderer.expression(expression, keyed.key.span, scope) {
            Ok(value) => value,
            Err(error) => return self.failed(loader, &error, keyed.key, host),
        };
        if is_empty(&value) && keyed.default.is_none() {
            return self.invalid(loader, format!("`{expression}` is empty for host `{host}`"), keyed.key.span);
        }
        let Some(names) = keyed.names(&value) else {
            // Not even without `strict` a number is the name of a group.
            let problem = format!("`{expression}` is {} for host `{host}`: a `{}`", value.repr(), value.type_name());
            let problem = Diagnostic::error("inventory-plugin", problem).at(keyed.key.span, "names groups");
            return loader.diagnostics.push(problem.hint(format!(
                "a `key` gives text, a list or a dictionary; write `({expression}) | string` for a number's digits"
            )));
        };
        for name in names {
            let group = if keyed.prefix.is_empty() && !self.leading_separator {
                name
            } else {
                format!("{}{}{name}", keyed.prefix, keyed.separator)
            };
            let group = safe_name(&group);
            loader.inventory.add_host_to_group(host, &group);
            let Some(parent) = keyed.parent else { continue };
            match loader.settings.renderer.value(parent, scope) {
                Ok(parent) => {
                    let parent = safe_name(&parent.to_string());
                    if loader.inventory.add_child(&parent, &group).is_err() {
                        let message = format!("group `{group}` would contain itself through `{parent}`");
                        loader.diagnostics.push(Diagnostic::error("inventory-cycle", message).at(keyed.span, "in this entry"));
                    }
                }
                Err(error) => self.failed(loader, &error, parent, host),
            }
        }
    }
}

/// Text of an option; numbers as they are written.
fn text(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Some(text.to_string()),
        NodeValue::Int(number) => Some(number.to_string()),
        NodeValue::Float(number) => Some(Value::Float(*number).to_string()),
        NodeValue::Bool(value) => Some(Value::Bool(*value).to_string()),
        _ => None,
    }
}

/// What counts as nothing in Python.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Omit => true,
        Value::Float(number) => *number == 0.0,
        Value::Str(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// A group's name of letters, digits and `_`, not beginning with a digit; everything else becomes `_`.
fn safe_name(name: &str) -> String {
    let fits = |at: usize, c: char| (c.is_alphanumeric() || c == '_') && !(at == 0 && c.is_numeric());
    name.char_indices().map(|(at, c)| if fits(at, c) { c } else { '_' }).collect()
}
