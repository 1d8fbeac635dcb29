//! The inventory plugin `generator`: hosts and groups from all combinations of some layers.

use super::load::Loader;
use super::plugin::{known_only, list, mapping, wrong};
use crate::source::{Diagnostic, Mapping, Node};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};

/// Hosts of one file, at most.
const MAX_HOSTS: usize = 1_000_000;
/// Parents of parents.
const MAX_DEPTH: usize = 50;

/// Makes a host of every combination.
pub(super) fn run(loader: &mut Loader<'_>, options: &Mapping) {
    known_only(loader, options, "generator", &["hosts", "layers"]);
    let layers = mapping(loader, options, "layers");
    let Some(hosts) = options.get("hosts") else {
        let (key, _) = options.entry("plugin").expect("the file was recognised by it");
        let problem = Diagnostic::error("inventory-plugin", "`generator` needs `hosts` with a `name`");
        return loader.diagnostics.push(problem.at(key.span, "missing below this"));
    };
    let Some(entity) = hosts.as_map() else { return wrong(loader, "`hosts` is a mapping with `name` and `parents`", hosts) };
    let mut choices: Vec<(&Node, &[Node])> = Vec::new();
    let mut count = 1_usize;
    for (name, values) in layers {
        let Some(values) = values.as_list() else { return wrong(loader, "a layer is a list of values", values) };
        choices.push((name, values));
        count = count.saturating_mul(values.len());
    }
    if count > MAX_HOSTS {
        let problem = format!("these layers have {count} combinations, and {MAX_HOSTS} hosts are the most for one file");
        return loader.diagnostics.push(Diagnostic::error("inventory-plugin", problem).at(hosts.span, "hosts from here"));
    }
    for index in 0..count {
        // The last layer changes fastest.
        let mut rest = index;
        let mut chosen: Vec<(&Node, &Node)> = Vec::new();
        for (name, values) in choices.iter().rev() {
            chosen.push((name, &values[rest % values.len()]));
            rest /= values.len();
        }
        let variables: Variables = chosen
            .into_iter()
            .rev()
            .filter_map(|(name, value)| Some((name.as_str()?.into(), super::beside::variable(value.clone(), name.span))))
            .collect();
        let mut scope = Scope::default();
        scope.push(Layer { precedence: Precedence::InventoryHost, variables: variables.into() });
        let Some(host) = name_of(loader, entity, hosts, &scope) else { return };
        loader.inventory.add_host(&host);
        if add_parents(loader, &host, true, entity, &scope, 0).is_none() {
            return;
        }
    }
}

/// The rendered `name`; what is wrong was said if there is none.
fn name_of(loader: &mut Loader<'_>, entity: &Mapping, node: &Node, scope: &Scope) -> Option<String> {
    let Some(name) = entity.get("name") else {
        let problem = Diagnostic::error("inventory-plugin", "a host or parent of `generator` needs a `name`");
        loader.diagnostics.push(problem.at(node.span, "in this entry"));
        return None;
    };
    match loader.settings.renderer.value(name, scope) {
        Ok(Value::Str(text)) => Some(text.to_string()),
        Ok(other) => {
            let problem = format!("a name is text, and this is {}: a `{}`", other.repr(), other.type_name());
            let problem = Diagnostic::error("inventory-plugin", problem).at(name.span, "used as a name");
            loader.diagnostics.push(problem.hint("quote numbers in `layers`"));
            None
        }
        Err(error) => {
            loader.diagnostics.push(error.diagnostic(name.span));
            None
        }
    }
}

/// Puts a host or group into its parents; none after the first mistake.
fn add_parents(loader: &mut Loader<'_>, child: &str, is_host: bool, entity: &Mapping, scope: &Scope, depth: usize) -> Option<()> {
    for node in list(loader, entity, "parents") {
        let Some(parent) = node.as_map() else {
            wrong(loader, "a parent is a mapping with `name`", node);
            return None;
        };
        if depth > MAX_DEPTH {
            let problem = format!("more than {MAX_DEPTH} parents in each other");
            loader.diagnostics.push(Diagnostic::error("inventory-plugin", problem).at(node.span, "here"));
            return None;
        }
        let name = name_of(loader, parent, node, scope)?;
        loader.inventory.add_group(&name);
        for (key, value) in mapping(loader, parent, "vars") {
            let Some(variable) = key.as_str() else { continue };
            match loader.settings.renderer.value(value, scope) {
                Ok(value) => {
                    let definition = Variable { definition: Definition::Data(value), origin: Origin::File(key.span) };
                    let variable = loader.names.get(variable);
                    loader.inventory.set_group_variable(&name, variable, definition);
                }
                Err(error) => {
                    loader.diagnostics.push(error.diagnostic(value.span));
                    return None;
                }
            }
        }
        if is_host {
            loader.inventory.add_host_to_group(child, &name);
        } else if let Err(cycle) = loader.inventory.add_child(&name, child) {
            let problem = Diagnostic::error("inventory-cycle", cycle.to_string());
            loader.diagnostics.push(problem.at(node.span, "closes the circle"));
            return None;
        }
        add_parents(loader, &name, false, parent, scope, depth + 1)?;
    }
    Some(())
}
