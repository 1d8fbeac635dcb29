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

/// A dictionary key. `str` looks up text keys: `map.get("name")`. `1` and `true` are the same key.
#[derive(Debug, Clone)]
pub enum Key {
    /// Text, nearly always.
    Str(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A number with a fraction, or beyond whole numbers.
    Float(f64),
    /// None.
    Null,
}

impl Key {
    /// What decides equality and order.
    fn rank(&self) -> (u8, i64, &str) {
        match self {
            Self::Str(text) => (0, 0, text),
            Self::Int(number) => (1, *number, ""),
            Self::Bool(value) => (1, i64::from(*value), ""),
            // Zero has no sign here, and whole numbers are whole numbers.
            Self::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => (1, *number as i64, ""),
            Self::Float(number) => (2, number.to_bits() as i64, ""),
            Self::Null => (3, 0, ""),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Text hashes as `str` does, so that `map.get("name")` finds it.
impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self {
            Self::Str(text) => text.hash(state),
            other => other.rank().hash(state),
        }
    }
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

impl From<Arc<str>> for Key {
    fn from(text: Arc<str>) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Key> for Value {
    fn from(key: Key) -> Self {
        match key {
            Key::Str(text) => Self::Str(text),
            Key::Int(number) => Self::Int(number),
            Key::Bool(value) => Self::Bool(value),
            Key::Float(number) => Self::Float(number),
            Key::Null => Self::Null,
        }
    }
}

impl Key {
    /// The key as text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
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
            Self::Float(number) => f.write_str(&super::python::float(*number)),
            Self::Null => f.write_str("None"),
        }
    }
}
