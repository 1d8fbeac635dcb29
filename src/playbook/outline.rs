//! From resolved items to what the graph needs to know of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::catalog::Catalog;
use super::task::{Item, Task};
use crate::graph::{BlockOutline, Outline, OutlineItem, Strategy, TaskOutline};
use crate::source::{Node, NodeValue};
use crate::template;
use crate::vars::Value;

/// Renders a keyword before a run.
pub type Known<'a> = &'a dyn Fn(&Node) -> Option<Value>;

/// The tasks of a list by the numbers that its outline uses, and the outline.
///
/// `known` renders what can be rendered before any host is looked at; `None` for everything else.
pub fn outline(
    items: &[Item],
    strategy: Strategy,
    any_errors_fatal: bool,
    catalog: &Catalog,
    known: Known<'_>,
) -> (Vec<Arc<Task>>, Outline) {
    let mut tasks = Vec::new();
    let items = items.iter().map(|item| outline_item(item, catalog, known, &mut tasks)).collect();
    (tasks, Outline { items, strategy, barrier_after_each: any_errors_fatal })
}

fn outline_item(item: &Item, catalog: &Catalog, known: Known<'_>, tasks: &mut Vec<Arc<Task>>) -> OutlineItem {
    match item {
        Item::Task(task) => {
            tasks.push(Arc::clone(task));
            OutlineItem::Task(task_outline(task, tasks.len() - 1, catalog, known))
        }
        Item::Block(block) => {
            let mut section = |items: &[Item]| items.iter().map(|item| outline_item(item, catalog, known, tasks)).collect();
            OutlineItem::Block(BlockOutline {
                span: block.span,
                body: section(&block.body),
                rescue: section(&block.rescue),
                always: section(&block.always),
            })
        }
    }
}

/// A literal as a boolean option reads it.
pub fn is_true(node: &Node) -> bool {
    truth(Some(node), &|_| None)
}

fn truth(node: Option<&Node>, known: Known<'_>) -> bool {
    let says_no = |text: &str| matches!(text.to_lowercase().as_str(), "no" | "false" | "off" | "0" | "");
    node.is_some_and(|node| match &node.value {
        NodeValue::Bool(is) => *is,
        NodeValue::Int(number) => *number != 0,
        NodeValue::Str(text, _) if text.contains("{{") => match known(node) {
            // Known only later, so the cautious answer.
            None => true,
            Some(value) => !says_no(&value.to_string()),
        },
        NodeValue::Str(text, _) => !says_no(text),
        _ => false,
    })
}

/// Tasks that the controller does once for all hosts, whether `run_once` stands there or not: they
/// are about the run as a whole.
pub fn bypasses_hosts(task: &Task) -> bool {
    match &*task.action.module {
        "add_host" | "pause" => true,
        "meta" => {
            matches!(task.meta(), Some("end_play" | "end_batch" | "clear_facts" | "clear_host_errors" | "refresh_inventory"))
        }
        _ => false,
    }
}

fn task_outline(task: &Task, number: usize, catalog: &Catalog, known: Known<'_>) -> TaskOutline {
    let entry = catalog.find(&task.action.module);
    let mut reads = BTreeSet::new();
    for condition in &task.keywords.when {
        names(condition, true, &mut reads);
    }
    for node in [&task.until, &task.changed_when, &task.failed_when].into_iter().flatten() {
        names(node, true, &mut reads);
    }
    for (_, node) in &task.action.options {
        names(node, task.action.module.as_ref() == "assert", &mut reads);
    }
    if let Some(spec) = &task.r#loop {
        names(&spec.list, false, &mut reads);
    }
    let mut provides: BTreeSet<String> = task.register.iter().map(ToString::to_string).collect();
    if &*task.action.module == "set_fact" {
        provides.extend(task.action.options.iter().map(|(name, _)| name.to_string()));
    }
    let delegated = task.keywords.delegate_to.is_some();
    let run_once = truth(task.keywords.run_once.as_ref(), known) || bypasses_hosts(task);
    let flush = task.is_flush();
    TaskOutline {
        task: number,
        name: task.title().to_owned(),
        span: task.span,
        observable: delegated
            || run_once
            || flush
            || entry.is_none_or(|entry| entry.observable)
            || reads.contains("hostvars")
            || reads.contains("ansible_play_hosts")
            || reads.contains("play_hosts"),
        run_once,
        flush,
        barrier: flush || truth(task.keywords.any_errors_fatal.as_ref(), known),
        throttle: task
            .keywords
            .throttle
            .as_ref()
            .and_then(|node| match node.value {
                NodeValue::Int(number) => usize::try_from(number).ok(),
                _ => known(node).and_then(|value| value.to_string().trim().parse().ok()),
            })
            .filter(|most| *most > 0),
        provides,
        reads,
        notifies: task.notified(),
        claims: entry.map(|entry| (entry.claims)(&literal_options(task))).unwrap_or_default(),
    }
}

/// Options that hold no template, as JSON: what can be said without rendering.
pub fn literal_options(task: &Task) -> Map<String, Json> {
    task.action.options.iter().filter_map(|(name, node)| literal(node).map(|value| (name.to_string(), value))).collect()
}

/// A node as JSON; `None` where it holds a template or an encrypted value.
pub fn literal(node: &Node) -> Option<Json> {
    Some(match &node.value {
        NodeValue::Null => Json::Null,
        NodeValue::Bool(is) => Json::Bool(*is),
        NodeValue::Int(number) => (*number).into(),
        NodeValue::Float(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
        NodeValue::Str(text, _) => {
            if text.contains("{{") || text.contains("{%") || text.contains("{#") {
                return None;
            }
            Json::String(text.to_string())
        }
        NodeValue::Unsafe(text) => Json::String(text.to_string()),
        NodeValue::Vault(_) => return None,
        NodeValue::List(items) => Json::Array(items.iter().map(literal).collect::<Option<_>>()?),
        NodeValue::Map(map) => Json::Object(
            map.entries
                .iter()
                .map(|(key, value)| Some((super::load::scalar_text(key)?, literal(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}

/// Names of the variables that a node's templates read.
pub fn names(node: &Node, bare: bool, into: &mut BTreeSet<String>) {
    match &node.value {
        NodeValue::Str(text, _) if bare || text.contains("{{") || text.contains("{%") => into.extend(template::refs(text, bare)),
        NodeValue::List(items) => items.iter().for_each(|item| names(item, bare, into)),
        NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| names(value, bare, into)),
        _ => {}
    }
}
