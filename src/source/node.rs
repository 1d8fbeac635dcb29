//! YAML as a tree in which every node knows its place.

use std::sync::Arc;

use super::map::Span;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: its text decided its type.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A block (`|` or `>`).
    Block,
}

/// A YAML value with its place. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: NodeValue,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean (YAML 1.1: also yes/no/on/off).
    Bool(bool),
    /// A whole number (YAML 1.1: also 0644, 0b1, 0x1f, 1:30).
    Int(i64),
    /// A number.
    Float(f64),
    /// Text: possibly a template.
    Str(Arc<str>, Style),
    /// Text tagged `!unsafe`: never a template.
    Unsafe(Arc<str>),
    /// Text tagged `!vault`.
    Vault(Arc<str>),
    /// A list.
    List(Arc<[Node]>),
    /// A mapping.
    Map(Arc<Mapping>),
}

/// A mapping in the order in which it was written; merge keys (`<<`) are already resolved.
#[derive(Debug, Default)]
pub struct Mapping {
    /// Keys and values.
    pub entries: Vec<(Node, Node)>,
}

impl Mapping {
    /// The value of a text key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value of a text key.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        self.entries.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(name, value)| (name, value))
    }
}

impl Node {
    /// Text, `!unsafe` text included.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Some(text),
            _ => None,
        }
    }

    /// A list's items.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::List(items) => Some(items),
            _ => None,
        }
    }

    /// A mapping.
    pub fn as_map(&self) -> Option<&Arc<Mapping>> {
        match &self.value {
            NodeValue::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// What it is, in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Int(_) => "a whole number",
            NodeValue::Float(_) => "a number",
            NodeValue::Str(..) | NodeValue::Unsafe(_) => "text",
            NodeValue::Vault(_) => "an encrypted value",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }

    /// The same value at the same place without a template's power.
    pub fn str(span: Span, text: &str) -> Self {
        Self { span, value: NodeValue::Str(text.into(), Style::Quoted) }
    }
}
