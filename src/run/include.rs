//! `include_tasks` and `include_role`: read when the run gets there, walked as a graph of their
//! own on the one host.

use std::sync::Arc;

use super::dispatch::{Ended, TaskList, Walk, walk};
use super::event::TaskEnding;
use super::looping::{self, Items};
use super::result::ItemReport;
use super::scheduler::{Finish, Limits};
use super::task::{TaskReport, TaskRun};
use crate::graph::Strategy;
use crate::lint;
use crate::playbook::{Item, Keywords, Place, role_load::RoleCall, task_load::missing_file};
use crate::source::{Diagnostics, Node, Severity};
use crate::vars::{Layer, Precedence, Scope, Value};

/// Includes deeper than this are a circle.
const DEEPEST: usize = 60;

/// Runs an include on a host: how it ended, and a report where it did not get as far as its tasks.
pub async fn perform(this: &TaskRun) -> (Finish, Option<Ended>, Option<TaskReport>) {
    let scope = this.scope();
    let Some(spec) = &this.task.r#loop else {
        return match this.conditions(&scope) {
            Ok(None) => one(this, &scope, Vec::new()).await,
            Ok(Some(report)) => not_run(report),
            Err((error, node)) => not_run(this.template_failure(&error, node.span)),
        };
    };
    let items = match looping::items(&this.run, &this.task, &spec.list, spec.lookup.as_deref(), &scope) {
        Ok(Items::Known(items)) => items,
        Ok(Items::Unknown(reason)) => return not_run(ItemReport::unknown(reason)),
        Err(error) => {
            return match this.conditions(&scope) {
                Ok(Some(report)) => not_run(report),
                _ => not_run(this.template_failure(&error, spec.list.span)),
            };
        }
    };
    // As in Ansible, which items are included is decided before the first of them runs.
    let mut chosen = Vec::new();
    for index in 0..items.len() {
        let layer = looping::item_layer(&this.task, &items, index, this.extended(&scope));
        let mut inner = scope.clone();
        inner.push(layer.clone());
        match this.conditions(&inner) {
            Ok(None) => chosen.push((inner, layer)),
            Ok(Some(skipped)) => this.tell(this.label(&items[index], &inner), &skipped, Vec::new(), false),
            Err((error, node)) => return not_run(this.template_failure(&error, node.span)),
        }
    }
    for (scope, layer) in chosen {
        let (finish, ended, report) = one(this, &scope, vec![layer]).await;
        if finish != Finish::Done {
            return (finish, ended, report);
        }
    }
    (Finish::Done, None, None)
}

/// The report of an include that did not get as far as its tasks.
fn not_run(item: ItemReport) -> (Finish, Option<Ended>, Option<TaskReport>) {
    let finish = if item.ending == TaskEnding::Failed { Finish::Failed } else { Finish::Done };
    (finish, None, Some(TaskReport::without_work(item)))
}

/// One include: reads it and walks it.
async fn one(this: &TaskRun, scope: &Scope, mut layers: Vec<Layer>) -> (Finish, Option<Ended>, Option<TaskReport>) {
    if this.nested.depth > DEEPEST {
        return not_run(ItemReport::failed(
            format!("includes are nested more than {DEEPEST} deep ({})", this.run.map.place(this.task.span)),
            Some("an include that includes itself needs a condition that ends".into()),
        ));
    }
    let mut diagnostics = Diagnostics::default();
    let items = match read(this, scope, &mut diagnostics) {
        Ok(items) => items,
        Err(report) => return not_run(*report),
    };
    diagnostics.extend(lint::included(&items, &this.play.play, &this.run.loader));
    if let Some(problem) = diagnostics.iter().find(|problem| problem.severity == Severity::Error) {
        let place = problem.span.as_ref().map(|(span, _)| format!(" ({})", this.run.map.place(*span))).unwrap_or_default();
        return not_run(ItemReport::failed(format!("{}{place}", problem.message), problem.hint.clone()));
    }
    let own = this.task.own_vars..this.task.keywords.vars.len();
    for vars in &this.task.keywords.vars[own] {
        layers.push(Layer { precedence: Precedence::IncludeParams, variables: Arc::clone(vars) });
    }
    let mut nested = this.nested.clone();
    nested.layers.extend(layers);
    nested.depth += 1;
    let rendered = |node: &Node| this.run.renderer.value(node, scope).ok();
    let late = super::play::tags_of(&this.run, scope, this.task.span);
    let selected = this.run.settings.tags.apply(&items, &late);
    let (list, found) = TaskList::new(&this.run, &selected, Strategy::Standard, false, &rendered);
    if let Some(problem) = found.iter().find(|problem| problem.severity == Severity::Error) {
        return not_run(ItemReport::failed(problem.message.clone(), problem.hint.clone()));
    }
    // The include itself went well, whatever becomes of its tasks.
    let report = TaskReport::without_work(ItemReport::plain(TaskEnding::Ok, Value::from(crate::vars::Map::new()), None));
    this.run.emit(report.event(&this.info, &this.host.name, TaskEnding::Ok));
    let hosts = vec![Arc::clone(&this.host)];
    let ended = walk(Arc::clone(&this.run), Arc::clone(&this.play), Arc::new(list), hosts, Limits::default(), nested).await;
    match ended.first() {
        Some(Walk::Failed) => (Finish::Failed, None, None),
        Some(Walk::Dead) => (Finish::Lost, None, None),
        Some(Walk::Ended(Ended::Host)) => (Finish::EndHost, Some(Ended::Host), None),
        Some(Walk::Ended(what)) => (Finish::EndPlay, Some(*what), None),
        Some(Walk::Done | Walk::Stopped) | None => (Finish::Done, None, None),
    }
}

fn text(this: &TaskRun, scope: &Scope, name: &str) -> Result<Option<(String, Node)>, Box<ItemReport>> {
    let Some(node) = this.task.action.option(name) else { return Ok(None) };
    match this.run.renderer.value(node, scope) {
        Ok(Value::Unknown(reason)) => Err(Box::new(ItemReport::unknown(reason))),
        Ok(Value::Omit | Value::Null) => Ok(None),
        Ok(value) => Ok(Some((value.to_string(), node.clone()))),
        Err(error) => Err(Box::new(this.template_failure(&error, node.span))),
    }
}

/// Reads what is included.
fn read(this: &TaskRun, scope: &Scope, diagnostics: &mut Diagnostics) -> Result<Vec<Item>, Box<ItemReport>> {
    let task = &this.task;
    // Included tasks inherit from what is around the include; `apply` adds to that. What stands on
    // the include itself is for the include alone, except its variables.
    let apply =
        task.action.option("apply").and_then(Node::as_map).map(|map| Keywords::read(map, diagnostics)).unwrap_or_default();
    let around = task.around.as_deref().cloned().unwrap_or_default();
    let place = Place {
        directory: task.directory.clone(),
        playbook: this.play.play.directory.clone(),
        role: task.role.clone(),
        outer: apply.under(&around),
        handlers: task.handler,
        stack: Vec::new(),
        vars: Vec::new(),
        collections: this.play.play.collections.clone(),
        found_handlers: Arc::default(),
    };
    let items = if &*task.action.module == "include_role" {
        role(this, scope, &place, diagnostics)?
    } else {
        let (name, node) = match text(this, scope, "_raw_params")? {
            Some(found) => found,
            None => {
                text(this, scope, "file")?.ok_or_else(|| Box::new(ItemReport::failed("`include_tasks` needs a file", None)))?
            }
        };
        match this.run.loader.find_tasks_file(&name, &place) {
            Some(path) => this.run.loader.tasks_file(&path, node.span, &place, diagnostics),
            None => {
                diagnostics.push(missing_file(&name, node.span, &place));
                Vec::new()
            }
        }
    };
    let found = std::mem::take(&mut *place.found_handlers.lock().expect("no reader panics"));
    this.play.handlers.write().expect("no thread panics here").extend(found);
    Ok(items)
}

fn role(this: &TaskRun, scope: &Scope, place: &Place, diagnostics: &mut Diagnostics) -> Result<Vec<Item>, Box<ItemReport>> {
    let named = match text(this, scope, "name")? {
        Some(found) => Some(found),
        None => text(this, scope, "role")?,
    };
    let (name, node) = named.ok_or_else(|| Box::new(ItemReport::failed("`include_role` needs `name`", None)))?;
    let mut call = RoleCall::main(name, node.span);
    for (slot, option) in call.from.iter_mut().zip(["tasks_from", "vars_from", "defaults_from", "handlers_from"]) {
        if let Some((name, _)) = text(this, scope, option)? {
            *slot = name;
        }
    }
    let given = |name: &str, default: bool| {
        let Some(node) = this.task.action.option(name) else { return Ok(default) };
        this.flag(Some(node), scope).map_err(|error| Box::new(this.template_failure(&error, node.span)))
    };
    call.again = Some(given("allow_duplicates", true)?);
    call.validate = given("rolespec_validate", true)?;
    let public = given("public", false)?;
    let (roles, items, handlers) = this.run.loader.include_role(&call, place, diagnostics);
    let mut known = this.play.handlers.write().expect("no thread panics here");
    for handler in handlers {
        // The same role may be included again, on this host or another: its handlers are the same.
        if !known.iter().any(|other| other.span == handler.span && other.title() == handler.title()) {
            known.push(handler);
        }
    }
    if public {
        this.play.public_roles.write().expect("no thread panics here").extend(roles);
    }
    Ok(items)
}
