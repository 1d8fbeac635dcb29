//! Facts: what a host said of itself, as variables. Data, never templates, and never anything
//! that decides how the host is reached.

use std::sync::Arc;

use super::connection::CONNECTION_VARIABLES;
use super::scope::data;
use super::state::HostState;
use crate::source::Span;
use crate::vars::{Definition, Key, Map, Origin, Value, Variable};

/// Adds the `ansible_facts` of a result: to `ansible_facts` without their prefix, and under their
/// own names.
pub fn add(host: &HostState, facts: &Map, span: Span) {
    let mut known = match host.facts() {
        Some(Value::Map(map)) => (*map).clone(),
        _ => Map::new(),
    };
    for (name, value) in facts {
        let Key::Str(name) = name else { continue };
        known.insert(Key::from(name.strip_prefix("ansible_").unwrap_or(name)), value.clone());
    }
    host.change_facts(|variables| {
        for (name, value) in facts {
            let Key::Str(name) = name else { continue };
            if CONNECTION_VARIABLES.contains(&&**name) || &**name == "ansible_facts" {
                continue;
            }
            variables
                .insert(Arc::clone(name), Variable { definition: Definition::Data(value.clone()), origin: Origin::Task(span) });
        }
        variables.insert(
            Arc::from("ansible_facts"),
            Variable { definition: Definition::Data(Value::Map(Arc::new(known))), origin: Origin::Task(span) },
        );
    });
}

/// Forgets all facts.
pub fn clear(host: &HostState) {
    host.change_facts(|variables| {
        variables.clear();
        variables.insert(Arc::from("ansible_facts"), data(Map::new()));
    });
}
