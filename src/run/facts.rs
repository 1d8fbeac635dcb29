//! Facts: what a host said of itself, as variables. Data, never templates, and never anything
//! that decides how the host is reached.

use std::sync::Arc;

use super::connection::CONNECTION_VARIABLES;
use super::scope::data;
use super::settings::Language;
use super::state::HostState;
use crate::vars::{Definition, Key, Map, Origin, Value, Variable};

/// Adds the `ansible_facts` of a result: to `ansible_facts` without their prefix, and under their
/// own names. What cannot be kept for other runs is said.
pub fn add(host: &HostState, facts: &Map, origin: &Origin, language: &Language) -> Result<(), String> {
    let (mut known, mut written) = (deprefixed(host), host.written_facts());
    for (name, value) in facts {
        let Key::Str(text) = name else { continue };
        known.insert(Key::from(text.strip_prefix("ansible_").unwrap_or(text)), value.clone());
        written.insert(name.clone(), value.clone());
    }
    let kept = language.fact_cache.store(&host.name, &written);
    host.change_facts(written, |variables| {
        for (name, value) in facts {
            let Key::Str(name) = name else { continue };
            if CONNECTION_VARIABLES.contains(&&**name) || &**name == "ansible_facts" || !language.inject_facts {
                continue;
            }
            variables.insert(Arc::clone(name), Variable { definition: Definition::Data(value.clone()), origin: origin.clone() });
        }
        variables.insert(
            Arc::from("ansible_facts"),
            Variable { definition: Definition::Data(Value::Map(Arc::new(known))), origin: origin.clone() },
        );
    });
    kept.map_err(|error| format!("facts of `{}` cannot be kept for other runs: {error}", host.name))
}

fn deprefixed(host: &HostState) -> Map {
    match host.facts() {
        Some(Value::Map(map)) => (*map).clone(),
        _ => Map::new(),
    }
}

/// Forgets all facts.
pub fn clear(host: &HostState, language: &Language) {
    language.fact_cache.forget(&host.name);
    host.change_facts(Map::new(), |variables| {
        variables.clear();
        variables.insert(Arc::from("ansible_facts"), data(Map::new()));
    });
}
