//! Facts that the administrator put on the host: `*.fact` files, JSON or INI, or programs that print them.

use std::path::Path;

use serde_json::{Map, Value};

use super::gather::Facts;
use crate::host::{CommandLine, FileKind, Inspect};

/// Facts of the group `local`.
pub(super) fn gather(host: &dyn Inspect, directory: &Path, facts: &mut Facts) {
    let mut all = Map::new();
    for name in host.list(directory).unwrap_or_default() {
        let Some(stem) = name.strip_suffix(".fact") else { continue };
        let path = directory.join(&name);
        match one(host, &path, facts) {
            Ok(value) => {
                all.insert(stem.to_owned(), value);
            }
            Err(problem) => {
                facts.warnings.push(format!("local fact `{}`: {problem}", path.display()));
                all.insert(stem.to_owned(), Value::String(problem));
            }
        }
    }
    facts.set("local", all);
}

fn one(host: &dyn Inspect, path: &Path, facts: &Facts) -> Result<Value, String> {
    let stat = host.stat(path).ok().flatten().filter(|stat| stat.kind != FileKind::Directory);
    let stat = stat.ok_or_else(|| "it is not a file".to_owned())?;
    let text = if stat.mode & 0o111 != 0 && stat.kind == FileKind::File {
        let mut run = CommandLine::new([path.display().to_string()]);
        run.deadline = Some(facts.patience);
        let output = host.query(&run).map_err(|failure| failure.message)?;
        if output.rc != 0 {
            return Err(format!(
                "Failure executing fact script ({}), rc: {}, err: {}",
                path.display(),
                output.rc,
                output.error_text().trim()
            ));
        }
        output.text()
    } else {
        super::gather::text(host, path)
    };
    parse(&text).ok_or_else(|| format!("error loading facts as JSON or ini - please check content: {}", path.display()))
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().or_else(|| ini(text))
}

/// An INI file as a mapping of sections, option names in lower case.
fn ini(text: &str) -> Option<Value> {
    let mut sections = Map::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.entry(name).or_insert_with(|| Value::Object(Map::new()));
            current = Some(name.to_owned());
            continue;
        }
        let (name, value) = line.split_once(['=', ':'])?;
        let section = sections.get_mut(current.as_deref()?)?.as_object_mut()?;
        section.insert(name.trim().to_lowercase(), value.trim().into());
    }
    Some(Value::Object(sections))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_ini() {
        assert_eq!(parse("{\"a\": [1]}"), Some(json!({"a": [1]})));
        assert_eq!(parse("[general]\nRole = web\n# x\nport: 80\n"), Some(json!({"general": {"role": "web", "port": "80"}})));
        assert_eq!(parse("no section = 1\n"), None);
    }
}
