//! `add_host` and `group_by`: hosts and groups that later tasks and plays see.

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, Done};
use crate::vars::{Key, Map, Value};

args! {
    /// Adds a host to the inventory of this run, with the groups that it joins. Every further option
    /// is a variable of the host. Done once for all hosts of a play.
    pub struct AddHostArgs {
        /// Its name, perhaps with a port (`web9:2222`).
        name ("hostname", "host"): String,
        /// Groups that it joins; they are made where there are none.
        groups ("group", "groupname"): Option<serde_json::Value>,
    }
}

args! {
    /// Puts each host into a group of the inventory of this run; the group is made if there is none.
    pub struct GroupByArgs {
        /// Name of the group; blanks become hyphens.
        key: String,
        /// Groups that the group joins.
        parents: Option<serde_json::Value>,
    }
}

/// What a task adds to the inventory.
#[derive(Debug, Clone, PartialEq)]
pub enum Addition {
    /// `add_host`.
    Host {
        /// Its name.
        name: String,
        /// Groups that it joins.
        groups: Vec<String>,
        /// Its variables.
        variables: Map,
    },
    /// `group_by`.
    Group {
        /// The group.
        name: String,
        /// Groups that the group joins.
        parents: Vec<String>,
        /// The host that joins the group.
        host: String,
    },
}

/// A list, or text with commas.
fn names(value: Option<&Value>) -> Vec<String> {
    let texts: Vec<String> = match value {
        None | Some(Value::Null | Value::Omit) => Vec::new(),
        Some(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
        Some(other) => other.to_string().split(',').map(str::to_owned).collect(),
    };
    let mut names: Vec<String> = Vec::new();
    for text in texts {
        let name = text.trim().to_owned();
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn list(names: &[String]) -> Value {
    Value::from(names.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>())
}

/// Name and port of `name:port`; an address in brackets or with several colons is a name.
fn name_and_port(text: &str) -> (&str, Option<i64>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

/// `add_host`.
pub(super) fn add_host(context: &ActionContext<'_>) -> Done {
    const NAMES: [&str; 3] = ["name", "hostname", "host"];
    const GROUPS: [&str; 3] = ["groups", "groupname", "group"];
    let Some(written) = NAMES.iter().find_map(|name| context.text(name)).filter(|name| !name.is_empty()) else {
        return Done::failed("`add_host` needs `name`");
    };
    let (name, port) = name_and_port(&written);
    let groups = names(GROUPS.iter().find_map(|name| context.options.get(*name)));
    let mut variables = Map::new();
    for (key, value) in &context.options {
        let Key::Str(option) = key else { continue };
        if !NAMES.contains(&&**option) && !GROUPS.contains(&&**option) {
            variables.insert(key.clone(), value.clone());
        }
    }
    if let Some(port) = port {
        variables.insert("ansible_ssh_port".into(), Value::Int(port));
    }
    let mut done = Done::new(Ending::Ok, Map::new());
    let about = Map::from_iter([
        ("host_name".into(), Value::from(name)),
        ("groups".into(), list(&groups)),
        ("host_vars".into(), Value::from(variables.clone())),
    ]);
    done.result.insert("add_host".into(), Value::from(about));
    done.added = Some(Addition::Host { name: name.to_owned(), groups, variables });
    done
}

/// `group_by`.
pub(super) fn group_by(context: &ActionContext<'_>) -> Done {
    let Some(key) = context.text("key").filter(|key| !key.is_empty()) else { return Done::failed("`group_by` needs `key`") };
    let name = key.replace(' ', "-");
    let mut parents: Vec<String> = names(context.options.get("parents")).iter().map(|parent| parent.replace(' ', "-")).collect();
    if parents.is_empty() {
        parents.push("all".to_owned());
    }
    let mut done = Done::new(Ending::Ok, Map::new());
    done.result.insert("add_group".into(), Value::from(name.as_str()));
    done.result.insert("parent_groups".into(), list(&parents));
    done.added = Some(Addition::Group { name, parents, host: context.host.to_owned() });
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_follow_a_name() {
        for (text, expected) in [
            ("web", ("web", None)),
            ("web:22", ("web", Some(22))),
            ("::1", ("::1", None)),
            ("[::1]:22", ("[::1]", Some(22))),
            ("web:x", ("web:x", None)),
        ] {
            assert_eq!(name_and_port(text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_a_list_or_have_commas_between() {
        assert_eq!(names(Some(&Value::from("a, b,,a"))), ["a", "b"]);
        assert_eq!(names(Some(&Value::from(vec![Value::from("a"), Value::Int(1)]))), ["a", "1"]);
        assert_eq!(names(None), Vec::<String>::new());
    }
}
