//! `set_fact`: variables that stay with the host.

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, Done};
use crate::vars::{Key, Map, Value};

args! {
    /// Sets variables for the rest of the run; each option is a variable's name.
    pub struct Args {
        /// Make them facts too: they are found in `ansible_facts`, and kept between runs where facts are cached.
        cacheable: bool = false,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Done {
    let mut done = Done::new(Ending::Ok, Map::new());
    match context.flag("cacheable", false) {
        Ok(cacheable) => done.cacheable = cacheable,
        Err(problem) => return Done::failed(problem),
    }
    let mut facts = Map::new();
    for (name, value) in &context.options {
        let Key::Str(name) = name else { continue };
        if &**name == "cacheable" {
            continue;
        }
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !letters || name.is_empty() || name.as_bytes()[0].is_ascii_digit() {
            return Done::failed(format!("`{name}` is not a name for a variable: use letters, digits and underscores"));
        }
        facts.insert(Key::Str(name.clone()), value.clone());
        done.set.push((name.clone(), value.clone()));
    }
    if facts.is_empty() {
        return Done::failed("`set_fact` needs at least one variable");
    }
    done.result.insert("ansible_facts".into(), Value::from(facts));
    done
}
