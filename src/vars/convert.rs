//! Values from and to Rust's and JSON's types.

use std::sync::Arc;

use super::value::{Key, Map, Value};

impl Value {
    /// Text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// A list's items.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// A dictionary.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value under a text key, if it is a dictionary that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// Why it is not known, if it is unknown.
    pub fn unknown(&self) -> Option<&Arc<str>> {
        match self {
            Self::Unknown(reason) => Some(reason),
            _ => None,
        }
    }

    /// The first reason why something in it, at any depth, is not known.
    pub fn unknown_within(&self) -> Option<&Arc<str>> {
        match self {
            Self::Unknown(reason) => Some(reason),
            Self::List(items) => items.iter().find_map(Self::unknown_within),
            Self::Map(map) => map.values().find_map(Self::unknown_within),
            _ => None,
        }
    }

    /// The same in JSON. What is not known cannot be written: the reason comes back instead.
    /// `omit` disappears from lists and dictionaries and is null by itself; keys become text as
    /// Python's `json` writes them; infinities and NaN are null.
    pub fn to_json(&self) -> Result<serde_json::Value, Arc<str>> {
        use serde_json::Value as Json;
        Ok(match self {
            Self::Null | Self::Omit => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => serde_json::Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::Str(text) => Json::String(text.to_string()),
            Self::List(items) => {
                let kept = items.iter().filter(|item| !matches!(item, Self::Omit));
                Json::Array(kept.map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Self::Map(map) => {
                let mut object = serde_json::Map::with_capacity(map.len());
                for (key, value) in map.iter().filter(|(_, value)| !matches!(value, Self::Omit)) {
                    object.insert(key.json_text(), value.to_json()?);
                }
                Json::Object(object)
            }
            Self::Unknown(reason) => return Err(Arc::clone(reason)),
        })
    }
}

impl Key {
    /// The key as Python's `json` writes it: text, numbers, `true`, `false`, `null`.
    pub fn json_text(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Float(number) => super::python::float(*number),
            Self::Null => "null".to_owned(),
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(value),
            Json::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Str(text.into()),
            Json::Array(items) => items.into_iter().map(Self::from).collect::<Vec<_>>().into(),
            Json::Object(map) => Self::from(map),
        }
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Value {
    fn from(map: serde_json::Map<String, serde_json::Value>) -> Self {
        map.into_iter().map(|(key, value)| (Key::from(key), Self::from(value))).collect::<Map>().into()
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// Numbers that do not fit become floats.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        i64::try_from(number).map_or(Self::Float(number as f64), Self::Int)
    }
}

/// Numbers that do not fit become floats.
impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::from(number as u64)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Str(text.as_str().into())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self::Str(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(Arc::new(map))
    }
}

/// None is null.
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl FromIterator<Value> for Value {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> Self {
        items.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let json = serde_json::json!({"a": [1, 2.5, null, true, "x"], "b": {"c": -3}});
        assert_eq!(Value::from(json.clone()).to_json(), Ok(json));
    }

    #[test]
    fn what_is_unknown_is_never_written_as_json() {
        let value = Value::from(vec![Value::Int(1), Value::Unknown("later".into())]);
        assert_eq!(value.to_json(), Err("later".into()));
        assert_eq!(value.unknown_within().map(|reason| &**reason), Some("later"));
    }

    #[test]
    fn omit_leaves_containers() {
        let value = Value::from(vec![Value::Omit, Value::Int(1)]);
        assert_eq!(value.to_json(), Ok(serde_json::json!([1])));
    }

    #[test]
    fn a_text_key_is_found_by_its_text() {
        let map = Map::from_iter([(Key::from("a"), Value::Int(1))]);
        assert_eq!(map.get("a"), Some(&Value::Int(1)));
        assert_eq!(map.get("b"), None);
    }
}
