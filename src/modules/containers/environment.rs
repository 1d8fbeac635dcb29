//! Variables for what runs in containers, on a way where no other user of the host can read them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::words::scalar;
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;

/// Longest value that goes through a file of variables: engines read it line by line.
const LONGEST_LINE: usize = 32 << 10;
/// Variables that the engine's own program would listen to; beginnings of names.
const HEARD: &[&str] = &[
    "PATH",
    "HOME",
    "LD_",
    "LC_",
    "LANG",
    "DOCKER_",
    "CONTAINER",
    "XDG_",
    "GO",
    "TMPDIR",
    "BUILDAH_",
    "REGISTRY_AUTH",
    "STORAGE_",
];

/// The words, the standard input and the environment that hand variables over.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Given {
    /// Options of the command.
    pub(super) words: Vec<String>,
    file: Option<String>,
    environment: BTreeMap<String, String>,
}

impl Given {
    /// Hands over these variables; through standard input where that is free, and where values fit.
    pub(super) fn of(variables: &BTreeMap<String, String>, input_is_free: bool) -> Result<Self, Failure> {
        let mut given = Self::default();
        for (name, value) in variables {
            if name.is_empty() || name.starts_with(['#', '-']) || name.contains(|c: char| c.is_whitespace() || "=*\0".contains(c))
            {
                return Err(Failure::new(format!("`{name}` cannot be the name of a variable of a container")));
            }
            if value.contains('\0') {
                return Err(Failure::new(format!("the value of the variable `{name}` has a NUL byte")));
            }
            let fits = !value.contains('\n') && !value.ends_with('\r') && value.len() < LONGEST_LINE;
            if input_is_free && fits {
                given.file.get_or_insert_default().push_str(&format!("{name}={value}\n"));
                continue;
            }
            if HEARD.iter().any(|heard| name.starts_with(heard)) {
                let why = if fits { "beside `stdin`" } else { "with a value of several lines" };
                return Err(Failure::new(format!("the variable `{name}` cannot be handed over {why}")));
            }
            given.words.extend(["--env".to_owned(), name.clone()]);
            given.environment.insert(name.clone(), value.clone());
        }
        if given.file.is_some() {
            given.words.splice(0..0, ["--env-file".to_owned(), "/dev/stdin".to_owned()]);
        }
        Ok(given)
    }

    /// Adds input and environment to the command whose words these are.
    pub(super) fn add(&self, line: &mut CommandLine) {
        if let Some(file) = &self.file {
            line.stdin = Some(file.clone().into_bytes());
        }
        line.environment.extend(self.environment.clone());
    }
}

/// Variables from a playbook: what is no text would be read differently by different programs.
pub(super) fn texts(env: &Map<String, Value>) -> Result<BTreeMap<String, String>, Failure> {
    env.iter()
        .map(|(name, value)| match value {
            Value::String(_) | Value::Number(_) => Ok((name.clone(), scalar(value))),
            Value::Bool(is) => Ok((name.clone(), if *is { "True" } else { "False" }.to_owned())),
            Value::Null => Ok((name.clone(), String::new())),
            _ => Err(Failure::new(format!("`env`: the value of `{name}` is neither text nor a number"))),
        })
        .collect()
}

/// The variables of a file of `NAME=value` lines on the host.
pub(super) fn file(path: &Path, host: &dyn Inspect) -> Result<BTreeMap<String, String>, Failure> {
    let bytes = host.read(path, 1 << 20)?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::at("read", path, "it is no UTF-8 text"))?;
    Ok(parse(&text))
}

/// `NAME=value` lines; empty ones and comments are passed over.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .collect()
}

/// The `NAME=value` list of `inspect`.
pub(super) fn listed(list: &Value) -> BTreeMap<String, String> {
    let pairs = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn variables(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn values_are_never_words() {
        let long = "x".repeat(40_000);
        let values = variables(&[("A", " s1 # =x"), ("B", "s2\nline"), ("C", "s3\r"), ("D", &long), ("PATH", "/s4")]);
        for free in [true, false] {
            let mut some = values.clone();
            if !free {
                some.remove("PATH");
            }
            let given = Given::of(&some, free).unwrap();
            let mut line = CommandLine::new(["docker"]);
            given.add(&mut line);
            assert!(given.words.iter().all(|word| !word.contains('s') || word == "/dev/stdin"), "{:?}", given.words);
            let file = String::from_utf8(line.stdin.unwrap_or_default()).unwrap();
            assert_eq!(file, if free { "A= s1 # =x\nPATH=/s4\n" } else { "" });
            assert_eq!(line.environment["B"], "s2\nline");
            assert_eq!(line.environment.contains_key("A"), !free);
        }
        assert_eq!(Given::of(&variables(&[]), true).unwrap(), Given::default());
    }

    #[test]
    fn what_cannot_be_handed_over_is_an_error() {
        for (name, value, free) in [
            ("", "x", true),
            ("A B", "x", true),
            ("A=B", "x", true),
            ("-x", "x", true),
            ("A*", "", true),
            ("A", "\0", true),
            ("PATH", "a\nb", true),
            ("LD_PRELOAD", "a", false),
        ] {
            assert!(Given::of(&variables(&[(name, value)]), free).is_err(), "{name}");
        }
        assert!(texts(json!({"A": [1]}).as_object().unwrap()).is_err());
    }

    #[test]
    fn files_of_variables_are_lines() {
        assert_eq!(parse("# c\n\n A=1\nB= x=y \nC\n"), variables(&[("A", "1"), ("B", " x=y ")]));
        assert_eq!(listed(&json!(["A=1", "B"])), variables(&[("A", "1"), ("B", "")]));
    }
}
