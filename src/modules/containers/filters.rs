//! Filters of an engine's lists: names and values as options of its program.

use serde_json::{Map, Value};

use super::words::scalar;
use crate::outcome::Failure;

/// `--filter name=value` for each; a list or mapping gives several.
pub(super) fn words(filters: &Map<String, Value>) -> Result<Vec<String>, Failure> {
    let mut list = Vec::new();
    for (name, value) in filters {
        let mut values: Vec<String> = match value {
            Value::Array(items) => items.iter().map(scalar).collect(),
            Value::Object(map) => map.iter().map(|(key, value)| format!("{key}={}", scalar(value))).collect(),
            one => vec![scalar(one)],
        };
        values.sort();
        if name.is_empty() || name.contains('=') {
            return Err(Failure::new(format!("`{name}` cannot be the name of a filter")));
        }
        list.extend(values.into_iter().flat_map(|value| ["--filter".to_owned(), format!("{name}={value}")]));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_are_options() {
        let filters = json!({"dangling": true, "label": ["a", "b=1"], "until": "24h"});
        let expected = ["dangling=true", "label=a", "label=b=1", "until=24h"];
        let words = words(filters.as_object().unwrap()).unwrap();
        assert_eq!(words.iter().filter(|word| *word != "--filter").collect::<Vec<_>>(), expected);
        assert_eq!(words.len(), 8);
    }
}
