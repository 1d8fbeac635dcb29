//! Values as playbooks see them: Python's types, plus "unknown" in a plan.

use std::sync::Arc;

use indexmap::IndexMap;

/// A value. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// None.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Str(Arc<str>),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A dictionary in insertion order.
    Map(Arc<Map>),
    /// The `omit` placeholder: an option with this value counts as not given.
    Omit,
    /// In a plan: cannot be known before it is applied, with the reason.
    Unknown(Arc<str>),
}

/// A dictionary in insertion order.
pub type Map = IndexMap<Key, Value>;

/// A dictionary key. `str` looks up text keys: `map.get("name")`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Text, nearly always.
    Str(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// None.
    Null,
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Str(text.into())
    }
}

impl indexmap::Equivalent<Key> for str {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Str(text) if **text == *self)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Null => f.write_str("None"),
        }
    }
}
