//! Names in tasks that can be known before a run, and other things about the text of nodes.

use std::sync::Arc;

use crate::playbook::{Loader, Task};
use crate::source::{Node, NodeValue};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Variable, Variables};

/// Whether text holds a template.
pub(super) fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The names that an option has, one for each item of the task's loop; none where they are not
/// known before a run. Only a loop's own items are looked at: other variables may be overridden.
pub(super) fn each(loader: &Loader, task: &Task, node: &Node) -> Option<Vec<String>> {
    let text = node.as_str()?;
    if !has_template(text) {
        return Some(vec![text.to_owned()]);
    }
    let spec = task.r#loop.as_ref().filter(|spec| matches!(spec.lookup.as_deref(), None | Some("items" | "list")))?;
    let name = task.loop_control.loop_var.clone().unwrap_or_else(|| "item".into());
    spec.list
        .as_list()?
        .iter()
        .map(|item| {
            let variable = Variable { definition: Definition::Source(item.clone()), origin: Origin::File(item.span) };
            let mut scope = Scope::default();
            let variables = Arc::new(Variables::from_iter([(Arc::clone(&name), variable)]));
            scope.push(Layer { precedence: Precedence::Loop, variables });
            loader.renderer().value(node, &scope).ok().map(|value| value.to_string())
        })
        .collect()
}

/// All text of a node: itself, items, values; keys only where they hold a template.
pub(super) fn walk<'a>(node: &'a Node, see: &mut impl FnMut(&'a Node)) {
    match &node.value {
        NodeValue::Str(..) => see(node),
        NodeValue::List(items) => items.iter().for_each(|item| walk(item, see)),
        NodeValue::Map(map) => {
            for (key, value) in &map.entries {
                if key.as_str().is_some_and(has_template) {
                    see(key);
                }
                walk(value, see);
            }
        }
        _ => {}
    }
}

/// Whether a node is written out as true.
pub(super) fn is_true(node: &Node) -> bool {
    match &node.value {
        NodeValue::Bool(is) => *is,
        NodeValue::Str(text, _) => matches!(&*text.to_lowercase(), "yes" | "true" | "on"),
        _ => false,
    }
}

/// The expressions and texts of a task, with whether each is an expression without braces.
/// Inherited conditions are among them.
pub(super) fn templates(task: &Task) -> Vec<(&Node, bool)> {
    let mut found: Vec<(&Node, bool)> = Vec::new();
    let mut conditions: Vec<&Node> = task.keywords.when.iter().collect();
    conditions.extend([&task.until, &task.changed_when, &task.failed_when, &task.loop_control.break_when].into_iter().flatten());
    for condition in conditions {
        found.extend(condition.as_list().unwrap_or(std::slice::from_ref(condition)).iter().map(|node| (node, true)));
    }
    let module = &*task.action.module;
    for (name, node) in &task.action.options {
        let bare = matches!((module, &**name), ("assert", "that") | ("debug", "var"));
        if bare {
            found.extend(node.as_list().unwrap_or(std::slice::from_ref(node)).iter().map(|node| (node, true)));
        } else {
            walk(node, &mut |text| found.push((text, false)));
        }
    }
    let others = [&task.name, &task.action.template, &task.notify, &task.retries, &task.delay, &task.loop_control.label];
    let keywords = [&task.keywords.delegate_to, &task.keywords.r#become, &task.keywords.become_user, &task.keywords.no_log];
    for node in others.into_iter().chain(keywords).flatten() {
        walk(node, &mut |text| found.push((text, false)));
    }
    for node in task.r#loop.iter().map(|spec| &spec.list).chain(&task.keywords.environment) {
        walk(node, &mut |text| found.push((text, false)));
    }
    for variable in task.keywords.vars.iter().flat_map(|layer| layer.values()) {
        if let Definition::Source(node) = &variable.definition {
            walk(node, &mut |text| found.push((text, false)));
        }
    }
    found
}
