//! `validate_argument_spec`, and the check of a role's arguments when it begins.

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::vars::{Key, Map, Value};

args! {
    /// Checks variables against a specification of their types, as roles have one in
    /// `meta/argument_specs.yml`.
    pub struct Args {
        /// The specification: option names to mappings with `type`, `required`, `choices`, `default`,
        /// `elements`, `options`, `aliases` and the rules between options.
        argument_spec: serde_json::Map<String, serde_json::Value>,
        /// What is checked; without it, the variables of the same names.
        provided_arguments: Option<serde_json::Map<String, serde_json::Value>>,
        /// Things that the result repeats.
        validate_args_context: Option<serde_json::Value>,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let Some(Value::Map(spec)) = context.options.get("argument_spec") else {
        return Ok(Done::failed("`argument_spec` must be a mapping of options"));
    };
    let mut given = Map::new();
    for (name, about) in spec.iter() {
        let Key::Str(name) = name else { continue };
        for candidate in std::iter::once(name.to_string()).chain(texts(field(about, "aliases"))) {
            let value = context
                .renderer
                .variable(&candidate, context.scope)
                .map_err(|error| ActionError::Template(error, context.action.span))?;
            if let Some(value) = value.filter(|value| !matches!(value, Value::Omit)) {
                given.insert(candidate.as_str().into(), value);
            }
        }
    }
    if let Some(Value::Map(provided)) = context.options.get("provided_arguments") {
        given.extend(provided.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    if let Some(reason) = given.values().find_map(unknown) {
        return Err(ActionError::Unknown(reason));
    }
    let mut errors = Vec::new();
    check_options(spec, &given, "", &mut errors);
    let about = context.options.get("validate_args_context").cloned().unwrap_or_else(|| Value::from(Map::new()));
    let role = field(&about, "name").zip(field(&about, "argument_spec_name"));
    let mut done = if errors.is_empty() {
        let mut done = Done::new(Ending::Ok, Map::new());
        done.result.insert("msg".into(), Value::from("The arg spec validation passed"));
        done
    } else {
        let place = context.map.place(context.action.span);
        let of =
            role.map_or_else(String::new, |(role, entry)| format!(" by the argument specification `{entry}` of role `{role}`"));
        let mut done = Done::failed(format!("Validation of arguments failed{of} ({place}):\n{}", errors.join("\n")));
        done.hint = Some("correct the variables, or the specification in the role's `meta/argument_specs.yml`".to_owned());
        done
    };
    if !errors.is_empty() {
        done.result.insert("argument_errors".into(), Value::from(errors.into_iter().map(Value::from).collect::<Vec<_>>()));
        done.result.insert("argument_spec_data".into(), Value::Map(std::sync::Arc::clone(spec)));
    }
    done.result.insert("validate_args_context".into(), about);
    Ok(done)
}

/// Why a value is not known, if any part of it is not.
fn unknown(value: &Value) -> Option<std::sync::Arc<str>> {
    match value {
        Value::Unknown(reason) => Some(std::sync::Arc::clone(reason)),
        Value::List(items) => items.iter().find_map(unknown),
        Value::Map(map) => map.values().find_map(unknown),
        _ => None,
    }
}

fn field<'a>(about: &'a Value, name: &str) -> Option<&'a Value> {
    match about {
        Value::Map(map) => map.get(name).filter(|value| !matches!(value, Value::Null)),
        _ => None,
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one.to_string()],
    }
}

fn lists(value: Option<&Value>) -> Vec<Vec<String>> {
    match value {
        Some(Value::List(items)) if items.iter().any(|item| matches!(item, Value::List(_))) => {
            items.iter().map(|item| texts(Some(item))).collect()
        }
        Some(Value::List(_)) => vec![texts(value)],
        _ => Vec::new(),
    }
}

fn says_yes(value: Option<&Value>) -> bool {
    value.is_some_and(|value| boolean(value).unwrap_or(false))
}

/// Checks the options of one mapping. `within` is where it stands, for messages.
fn check_options(spec: &Map, given: &Map, within: &str, errors: &mut Vec<String>) {
    let place = if within.is_empty() { String::new() } else { format!(" found in {within}") };
    let mut missing = Vec::new();
    for (name, about) in spec {
        let Key::Str(name) = name else { continue };
        let names: Vec<String> = std::iter::once(name.to_string()).chain(texts(field(about, "aliases"))).collect();
        let found = names.iter().find_map(|name| given.get(name.as_str()));
        let required = says_yes(field(about, "required"));
        let value = match found {
            None | Some(Value::Null) if required && !matches!(found, Some(Value::Null)) => {
                missing.push(name.to_string());
                continue;
            }
            None => match field(about, "default") {
                Some(default) => default,
                None => continue,
            },
            Some(Value::Null) => continue,
            Some(value) => value,
        };
        let path = if within.is_empty() { name.to_string() } else { format!("{within} -> {name}") };
        check_value(name, about, value, &path, &place, errors);
    }
    if !missing.is_empty() {
        missing.sort();
        errors.push(format!("missing required arguments: {}{place}", missing.join(", ")));
    }
}

fn check_value(name: &str, about: &Value, value: &Value, path: &str, place: &str, errors: &mut Vec<String>) {
    let kind = field(about, "type").map_or_else(|| "str".to_owned(), ToString::to_string);
    let value = match convert(&kind, value) {
        Ok(value) => value,
        Err(why) => {
            errors.push(format!(
                "argument '{name}' is of type {} and we were unable to convert to {kind}: {why}{place}",
                value.type_name()
            ));
            return;
        }
    };
    let elements = field(about, "elements").map(ToString::to_string);
    let mut items = vec![value.clone()];
    if let (Some(kind), Value::List(list)) = (&elements, &value) {
        items.clear();
        for item in list.iter() {
            match convert(kind, item) {
                Ok(item) => items.push(item),
                Err(why) => {
                    let found = item.type_name();
                    errors.push(format!("Elements value for option '{name}' is of type {found} and we were unable to convert to {kind}: {why}{place}"));
                }
            }
        }
    }
    if let Some(choices) = field(about, "choices") {
        let allowed = texts(Some(choices));
        let checked: Vec<Value> = match &value {
            Value::List(list) => list.to_vec(),
            one => vec![one.clone()],
        };
        let wrong: Vec<String> = checked.iter().map(ToString::to_string).filter(|text| !allowed.contains(text)).collect();
        if !wrong.is_empty() {
            let many = if matches!(value, Value::List(_)) { "one or more of" } else { "one of" };
            errors.push(format!("value of {name} must be {many}: {}, got: {}{place}", allowed.join(", "), wrong.join(", ")));
        }
    }
    let Some(Value::Map(inner)) = field(about, "options") else { return };
    for (index, item) in items.iter().enumerate() {
        let path = if items.len() > 1 { format!("{path}[{index}]") } else { path.to_owned() };
        let Value::Map(map) = item else { continue };
        let known: Vec<String> = inner
            .iter()
            .flat_map(|(name, about)| std::iter::once(name.to_string()).chain(texts(field(about, "aliases"))))
            .collect();
        let strange: Vec<String> = map.keys().map(ToString::to_string).filter(|name| !known.contains(name)).collect();
        if !strange.is_empty() {
            errors.push(format!(
                "{}. Supported parameters include: {}.",
                strange.iter().map(|name| format!("{path}.{name}")).collect::<Vec<_>>().join(", "),
                known.join(", ")
            ));
        }
        check_options(inner, map, &path, errors);
        check_rules(about, map, &path, errors);
    }
}

/// The rules between options of one mapping.
fn check_rules(about: &Value, given: &Map, within: &str, errors: &mut Vec<String>) {
    let there = |name: &String| given.get(name.as_str()).is_some_and(|value| !matches!(value, Value::Null));
    for group in lists(field(about, "mutually_exclusive")) {
        if group.iter().filter(|name| there(name)).count() > 1 {
            errors.push(format!("parameters are mutually exclusive: {} found in {within}", group.join("|")));
        }
    }
    for group in lists(field(about, "required_together")) {
        let count = group.iter().filter(|name| there(name)).count();
        if count > 0 && count < group.len() {
            errors.push(format!("parameters are required together: {} found in {within}", group.join(", ")));
        }
    }
    for group in lists(field(about, "required_one_of")) {
        if !group.iter().any(there) {
            errors.push(format!("one of the following is required: {} found in {within}", group.join(", ")));
        }
    }
    if let Some(Value::List(rules)) = field(about, "required_if") {
        for rule in rules.iter() {
            let Value::List(parts) = rule else { continue };
            let [name, wanted, needed, more @ ..] = &parts[..] else { continue };
            let holds = given.get(name.to_string().as_str()).is_some_and(|value| value.to_string() == wanted.to_string());
            let needed = texts(Some(needed));
            let any = more.first().is_some_and(|any| says_yes(Some(any)));
            let missing: Vec<String> = needed.iter().filter(|name| !there(name)).cloned().collect();
            if holds && (if any { missing.len() == needed.len() } else { !missing.is_empty() }) {
                let all = if any { "any" } else { "all" };
                errors.push(format!(
                    "{name} is {wanted} but {all} of the following are missing: {} found in {within}",
                    missing.join(", ")
                ));
            }
        }
    }
    if let Some(Value::Map(rules)) = field(about, "required_by") {
        for (name, needed) in rules.iter() {
            let missing: Vec<String> = texts(Some(needed)).into_iter().filter(|name| !there(name)).collect();
            if there(&name.to_string()) && !missing.is_empty() {
                errors.push(format!("missing parameter(s) required by '{name}': {} found in {within}", missing.join(", ")));
            }
        }
    }
}

fn boolean(value: &Value) -> Result<bool, String> {
    let json = value.to_json().map_err(|reason| reason.to_string())?;
    <bool as stead_modules::args::Arg>::parse(&json)
}

/// A value as a type of a specification takes it.
fn convert(kind: &str, value: &Value) -> Result<Value, String> {
    let not = |what: &str| Err(format!("`{value}` is not {what}"));
    match (kind, value) {
        ("raw" | "any", _) => Ok(value.clone()),
        ("str" | "path", Value::Str(_)) => Ok(value.clone()),
        ("str" | "path" | "bytes" | "bits", Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            Ok(Value::from(value.to_string()))
        }
        ("str", Value::List(_) | Value::Map(_)) => Ok(Value::from(value.to_string())),
        ("bool", _) => boolean(value).map(Value::Bool),
        ("int", Value::Int(_)) => Ok(value.clone()),
        ("int", Value::Bool(is)) => Ok(Value::Int(i64::from(*is))),
        ("int", Value::Float(number)) if number.fract() == 0.0 => Ok(Value::Int(*number as i64)),
        ("int", Value::Str(text)) => text.trim().parse().map(Value::Int).or_else(|_| not("a whole number")),
        ("float", Value::Float(_)) => Ok(value.clone()),
        ("float", Value::Int(number)) => Ok(Value::Float(*number as f64)),
        ("float", Value::Str(text)) => text.trim().parse().map(Value::Float).or_else(|_| not("a number")),
        ("list", Value::List(_)) => Ok(value.clone()),
        ("list", Value::Str(text)) => Ok(Value::from(text.split(',').map(|item| Value::from(item.trim())).collect::<Vec<_>>())),
        ("list", Value::Int(_) | Value::Float(_)) => Ok(Value::from(vec![Value::from(value.to_string())])),
        ("dict", Value::Map(_)) => Ok(value.clone()),
        ("dict", Value::Str(text)) => dictionary(text).map_or_else(|| not("a mapping"), Ok),
        ("json" | "jsonarg", Value::Map(_) | Value::List(_) | Value::Str(_)) => Ok(value.clone()),
        ("bytes" | "bits", Value::Str(text)) => {
            let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            if number.trim().parse::<f64>().is_ok() { Ok(value.clone()) } else { not("a size, e.g. `10M`") }
        }
        (other, _) if !KINDS.contains(&other) => Err(format!("the specification names no type that there is: `{other}`")),
        _ => not(&format!("of type {kind}")),
    }
}

const KINDS: &[&str] = &["str", "path", "raw", "any", "bool", "int", "float", "list", "dict", "json", "jsonarg", "bytes", "bits"];

/// A mapping that is written as JSON, or as `a=1 b=2`.
fn dictionary(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str::<serde_json::Value>(text).ok().map(Value::from);
    }
    let pairs: Option<Vec<(&str, &str)>> =
        text.split([',', ' ']).filter(|word| !word.is_empty()).map(|word| word.split_once('=')).collect();
    let map: Map = pairs?.into_iter().map(|(name, value)| (Key::from(name), Value::from(value))).collect();
    (!map.is_empty()).then(|| Value::from(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(spec: serde_json::Value, given: serde_json::Value) -> Vec<String> {
        let (Value::Map(spec), Value::Map(given)) = (Value::from(spec), Value::from(given)) else { panic!("two mappings") };
        let mut errors = Vec::new();
        check_options(&spec, &given, "", &mut errors);
        errors
    }

    #[test]
    fn what_a_specification_says_is_checked() {
        use serde_json::json;
        // specification of `x`, value of `x`, what the only error contains (nothing: no error)
        let cases = [
            (json!({"required": true}), json!({}), "missing required arguments: x"),
            (json!({"required": true}), json!({"x": "a"}), ""),
            (json!({"type": "int"}), json!({"x": "12"}), ""),
            (json!({"type": "int"}), json!({"x": "1.5"}), "unable to convert to int"),
            (json!({"type": "bool"}), json!({"x": "yes"}), ""),
            (json!({"type": "bool"}), json!({"x": "maybe"}), "unable to convert to bool"),
            (json!({"type": "list", "elements": "int"}), json!({"x": "1,2"}), ""),
            (json!({"type": "list", "elements": "int"}), json!({"x": [1, "a"]}), "Elements value for option 'x'"),
            (json!({"type": "dict"}), json!({"x": [1]}), "unable to convert to dict"),
            (json!({"type": "dict"}), json!({"x": "a=1, b=2"}), ""),
            (json!({"choices": ["a", "b"]}), json!({"x": "c"}), "value of x must be one of: a, b, got: c"),
            (json!({"type": "list", "choices": ["a", "b"]}), json!({"x": ["a", "c"]}), "must be one or more of: a, b, got: c"),
            (json!({"type": "nonsense"}), json!({"x": "c"}), "no type that there is"),
            (json!({"aliases": ["y"], "required": true}), json!({"y": "c"}), ""),
            (json!({"type": "dict", "options": {"a": {"type": "int", "required": true}}}), json!({"x": {}}), "a found in x"),
            (
                json!({"type": "dict", "options": {"a": {"type": "int"}}}),
                json!({"x": {"b": 1}}),
                "x.b. Supported parameters include: a.",
            ),
            (
                json!({"type": "list", "elements": "dict", "options": {"a": {"type": "int"}}}),
                json!({"x": [{"a": 1}, {"a": "z"}]}),
                "found in x[1]",
            ),
            (
                json!({"type": "dict", "options": {"a": {}, "b": {}}, "mutually_exclusive": [["a", "b"]]}),
                json!({"x": {"a": 1, "b": 2}}),
                "parameters are mutually exclusive: a|b found in x",
            ),
            (
                json!({"type": "dict", "options": {"a": {}, "b": {}}, "required_together": [["a", "b"]]}),
                json!({"x": {"a": 1}}),
                "required together",
            ),
            (
                json!({"type": "dict", "options": {"a": {}, "b": {}}, "required_one_of": [["a", "b"]]}),
                json!({"x": {}}),
                "one of the following is required",
            ),
            (
                json!({"type": "dict", "options": {"a": {}, "b": {}}, "required_if": [["a", "on", ["b"]]]}),
                json!({"x": {"a": "on"}}),
                "a is on but all of the following are missing: b",
            ),
            (
                json!({"type": "dict", "options": {"a": {}, "b": {}}, "required_by": {"a": ["b"]}}),
                json!({"x": {"a": "on"}}),
                "required by 'a': b",
            ),
        ];
        for (about, given, expected) in cases {
            let found = errors(json!({"x": about}), given.clone());
            if expected.is_empty() {
                assert_eq!(found, Vec::<String>::new(), "{about} {given}");
            } else {
                assert!(found.len() == 1 && found[0].contains(expected), "{about} {given}: {found:?}");
            }
        }
    }
}
