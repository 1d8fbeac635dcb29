//! Health checks of containers.

use serde_json::{Map, Value, json};

use super::sizes::nanoseconds;
use super::words::scalar;
use crate::commands::words::quote;
use crate::outcome::Failure;

/// What `inspect` says, by the names of the options; a check that is one command is shown as its words.
pub(super) fn observed(container: &Value) -> Value {
    let found = &container["Config"]["Healthcheck"];
    let mut list = Map::new();
    for (name, field) in [
        ("test", "Test"),
        ("interval", "Interval"),
        ("timeout", "Timeout"),
        ("retries", "Retries"),
        ("start_period", "StartPeriod"),
        ("start_interval", "StartInterval"),
    ] {
        if !found[field].is_null() {
            list.insert(name.into(), found[field].clone());
        }
    }
    list.into()
}

/// What is asked for. The docker client can only say checks that a shell runs: the words of a command
/// are quoted for one.
pub(super) fn asked(given: &Map<String, Value>) -> Result<Value, Failure> {
    let mut wanted = Map::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
        let value = match name.as_str() {
            "test_cli_compatible" => continue,
            "test" => match test(value)? {
                Some(test) => test,
                None => continue,
            },
            "retries" => {
                let count = <i64 as crate::args::Arg>::parse(value);
                count.map_err(|problem| Failure::new(format!("`healthcheck`: `retries`: {problem}")))?.into()
            }
            "interval" | "timeout" | "start_period" | "start_interval" => nanoseconds(name, &scalar(value))?.into(),
            _ => return Err(Failure::new(format!("`healthcheck`: `{name}` is not an option of it"))),
        };
        wanted.insert(name.clone(), value);
    }
    if wanted.get("test") == Some(&json!(["NONE"])) {
        wanted.retain(|name, _| name == "test");
    }
    Ok(wanted.into())
}

fn test(value: &Value) -> Result<Option<Value>, Failure> {
    let words: Vec<String> = match value {
        Value::Array(list) => list.iter().map(scalar).collect(),
        one => match scalar(one).trim() {
            "" => return Ok(None),
            "NONE" => vec!["NONE".into()],
            text => vec!["CMD-SHELL".into(), text.to_owned()],
        },
    };
    Ok(Some(match words.first().map(String::as_str) {
        None => return Ok(None),
        Some("NONE") => json!(["NONE"]),
        Some("CMD") if words.len() > 1 => {
            json!(["CMD-SHELL", words[1..].iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")])
        }
        Some("CMD-SHELL") if words.len() == 2 => json!(words),
        _ => return Err(Failure::new("`healthcheck`: `test` must begin with `NONE`, `CMD` or `CMD-SHELL`, and have a command")),
    }))
}

/// Whether a check that is there does the same as one that is asked for: also where it is a command without a shell.
pub(super) fn same_test(asked: &Value, found: &Value) -> bool {
    if asked == found {
        return true;
    }
    let words: Vec<String> = found.as_array().into_iter().flatten().map(scalar).collect();
    match words.split_first() {
        Some((first, rest)) if first == "CMD" => asked[1] == rest.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        _ => false,
    }
}

/// The words for a check.
pub(super) fn words(check: &Value) -> Vec<String> {
    let mut list = Vec::new();
    match check["test"].as_array().map(Vec::as_slice) {
        Some([none]) if none == "NONE" => return vec!["--no-healthcheck".into()],
        Some([_, command]) => list.extend(["--health-cmd".to_owned(), scalar(command)]),
        _ => {}
    }
    for (name, option) in [
        ("interval", "--health-interval"),
        ("timeout", "--health-timeout"),
        ("start_period", "--health-start-period"),
        ("start_interval", "--health-start-interval"),
    ] {
        list.extend(check[name].as_i64().into_iter().flat_map(|time| [option.to_owned(), format!("{time}ns")]));
    }
    list.extend(check["retries"].as_i64().into_iter().flat_map(|count| ["--health-retries".to_owned(), count.to_string()]));
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_said_and_compared() {
        let cases = [
            (
                json!({"test": "curl -f x", "interval": "1m", "retries": "3"}),
                "--health-cmd|curl -f x|--health-interval|60000000000ns|--health-retries|3",
            ),
            (json!({"test": ["CMD", "curl", "a b"], "test_cli_compatible": true}), "--health-cmd|curl 'a b'"),
            (json!({"test": ["NONE"], "interval": "1s"}), "--no-healthcheck"),
            (json!({"timeout": "5s"}), "--health-timeout|5000000000ns"),
        ];
        for (given, expected) in cases {
            assert_eq!(words(&asked(given.as_object().unwrap()).unwrap()).join("|"), expected);
        }
        for bad in [json!({"test": ["curl"]}), json!({"test": ["CMD"]}), json!({"interval": "x"}), json!({"foo": 1})] {
            assert!(asked(bad.as_object().unwrap()).is_err(), "{bad}");
        }
        assert!(same_test(&json!(["CMD-SHELL", "curl 'a b'"]), &json!(["CMD", "curl", "a b"])));
        assert!(!same_test(&json!(["CMD-SHELL", "curl"]), &json!(["CMD", "wget"])));
    }
}
