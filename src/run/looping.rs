//! `loop`, `with_*` and `loop_control`: the items, and what each item's variables are.

use std::sync::Arc;

use super::scope::data;
use super::state::RunState;
use crate::playbook::Task;
use crate::source::{Node, NodeValue};
use crate::template::{TemplateError, TemplateErrorKind};
use crate::vars::{Definition, Key, Layer, Map, Origin, Precedence, Scope, Value, Variable, Variables};

/// Items of a loop, or why they cannot be known.
#[derive(Debug)]
pub enum Items {
    /// The list.
    Known(Vec<Value>),
    /// In a plan: it depends on something that is not known.
    Unknown(Arc<str>),
}

/// The items that a task is repeated over.
pub fn items(run: &RunState, task: &Task, list: &Node, lookup: Option<&str>, scope: &Scope) -> Result<Items, TemplateError> {
    let terms = terms(run, list, lookup, scope)?;
    let list_of = |value: Value| match value {
        Value::List(items) => Ok(Items::Known((*items).clone())),
        Value::Unknown(reason) => Ok(Items::Unknown(reason)),
        other => Err(wrong(list, &format!("a loop needs a list, found {}", other.type_name()))),
    };
    match lookup {
        None => list_of(terms),
        Some(_) if matches!(terms, Value::Unknown(_)) => list_of(terms),
        Some("items") => match terms {
            Value::List(items) => {
                let mut flat = Vec::new();
                for item in items.iter() {
                    match item {
                        Value::List(inner) => flat.extend(inner.iter().cloned()),
                        Value::Unknown(reason) => return Ok(Items::Unknown(Arc::clone(reason))),
                        other => flat.push(other.clone()),
                    }
                }
                Ok(Items::Known(flat))
            }
            one => Ok(Items::Known(vec![one])),
        },
        Some("list") => list_of(terms),
        Some(name) => {
            // Any other lookup: called as `query(NAME, *terms)`.
            let mut inner = scope.clone();
            let several = match &terms {
                Value::List(items) if !matches!(name, "dict" | "sequence") || items.len() == 1 => (**items).clone(),
                other => vec![other.clone()],
            };
            let mut variables = Variables::new();
            let mut arguments = String::new();
            for (index, term) in several.into_iter().enumerate() {
                let variable = format!("stead_term_{index}");
                arguments.push_str(", ");
                arguments.push_str(&variable);
                variables.insert(variable.into(), data(term));
            }
            inner.push(Layer { precedence: Precedence::Loop, variables: Arc::new(variables) });
            if name == "first_found" {
                // Where it looks depends on what the task does.
                let folder = match &*task.action.module {
                    "template" => "templates",
                    "include_vars" => "vars",
                    _ => "files",
                };
                arguments.push_str(&format!(", _folder='{folder}'"));
            }
            list_of(run.renderer.expression(&format!("query('{name}'{arguments})"), list.span, &inner)?)
        }
    }
    .map_err(|error| TemplateError { span: error.span.or(Some(task.span)), ..error })
}

/// The rendered list. Of `with_*`, plain text may name a variable, as old playbooks have it.
fn terms(run: &RunState, list: &Node, lookup: Option<&str>, scope: &Scope) -> Result<Value, TemplateError> {
    if let (Some("items" | "dict" | "list" | "nested" | "together" | "subelements" | "indexed_items"), NodeValue::Str(text, _)) =
        (lookup, &list.value)
        && scope.lookup(text).is_some()
    {
        return run.renderer.expression(text, list.span, scope);
    }
    run.renderer.value(list, scope)
}

fn wrong(list: &Node, message: &str) -> TemplateError {
    TemplateError {
        kind: TemplateErrorKind::Failed,
        message: message.to_owned(),
        span: Some(list.span),
        defined: None,
        hint: Some("write `loop: \"{{ the_list }}\"`, or add `| list` or `| dict2items`".into()),
    }
}

/// How much `ansible_loop` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extended {
    /// It is not there.
    No,
    /// All but the items.
    WithoutItems,
    /// Everything.
    WithItems,
}

/// The variables of one item: `item` (or `loop_var`), `index_var`, `ansible_loop`.
pub fn item_layer(task: &Task, items: &[Value], index: usize, extended: Extended) -> Layer {
    let control = &task.loop_control;
    let name = control.loop_var.clone().unwrap_or_else(|| Arc::from("item"));
    let mut variables = Variables::new();
    variables.insert(Arc::clone(&name), from_item(items[index].clone()));
    variables.insert(Arc::from("ansible_loop_var"), data(&*name));
    if let Some(counter) = &control.index_var {
        variables.insert(Arc::clone(counter), data(index as i64));
        variables.insert(Arc::from("ansible_index_var"), data(&**counter));
    }
    if extended != Extended::No {
        let length = items.len();
        let mut about = Map::from_iter([
            (Key::from("index"), Value::Int(index as i64 + 1)),
            (Key::from("index0"), Value::Int(index as i64)),
            (Key::from("first"), Value::Bool(index == 0)),
            (Key::from("last"), Value::Bool(index + 1 == length)),
            (Key::from("length"), Value::Int(length as i64)),
            (Key::from("revindex"), Value::Int((length - index) as i64)),
            (Key::from("revindex0"), Value::Int((length - index) as i64 - 1)),
        ]);
        if extended == Extended::WithItems {
            about.insert(Key::from("allitems"), Value::from(items.to_vec()));
        }
        if index > 0 {
            about.insert(Key::from("previtem"), items[index - 1].clone());
        }
        if let Some(next) = items.get(index + 1) {
            about.insert(Key::from("nextitem"), next.clone());
        }
        variables.insert(Arc::from("ansible_loop"), data(about));
    }
    Layer { precedence: Precedence::Loop, variables: Arc::new(variables) }
}

fn from_item(value: Value) -> Variable {
    Variable { definition: Definition::Data(value), origin: Origin::Builtin }
}
