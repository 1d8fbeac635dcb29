//! Typed documents: a serde Deserializer over `Node` whose errors know their place.

use std::fmt::{self, Display};

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::diagnostic::Diagnostic;
use super::map::Span;
use super::node::{Mapping, Node, NodeValue};
use super::suggest::did_you_mean;

/// Reads a typed value. Text fields accept any scalar, as playbook authors expect (`version: 2`).
pub fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, Box<Diagnostic>> {
    T::deserialize(node).map_err(|error| {
        let mut diagnostic = Diagnostic::error(error.code, error.message).at(error.span.unwrap_or(node.span), "found here");
        diagnostic.hint = error.hint;
        Box::new(diagnostic)
    })
}

/// Why a document does not fit its type.
#[derive(Debug)]
pub struct Error {
    code: &'static str,
    message: String,
    span: Option<Span>,
    hint: Option<String>,
}

impl Error {
    fn new(code: &'static str, message: String) -> Self {
        Self { code, message, span: None, hint: None }
    }

    /// The innermost place is the best one.
    fn at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::new("invalid-value", message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(field, expected.iter().copied())
            .or_else(|| (!expected.is_empty()).then(|| format!("known keys are {}", quoted(expected))));
        Self { hint, ..Self::new("unknown-key", format!("no key named `{field}` is known here")) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let hint = did_you_mean(variant, expected.iter().copied()).or_else(|| Some(format!("possible are {}", quoted(expected))));
        Self { hint, ..Self::new("invalid-value", format!("`{variant}` is not possible here")) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("missing-key", format!("the key `{field}` is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("yaml-duplicate-key", format!("the key `{field}` is written twice"))
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Node {
    /// What a text field makes of a scalar.
    fn scalar_text(&self) -> Option<String> {
        Some(match &self.value {
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => text.to_string(),
            NodeValue::Int(number) => number.to_string(),
            NodeValue::Float(number) => format!("{number:?}"),
            NodeValue::Bool(true) => "true".to_owned(),
            NodeValue::Bool(false) => "false".to_owned(),
            NodeValue::Null | NodeValue::Vault(_) | NodeValue::List(_) | NodeValue::Map(_) => return None,
        })
    }

    fn visit<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            NodeValue::Null => visitor.visit_unit(),
            NodeValue::Bool(value) => visitor.visit_bool(*value),
            NodeValue::Int(value) => visitor.visit_i64(*value),
            NodeValue::Float(value) => visitor.visit_f64(*value),
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => visitor.visit_borrowed_str(text),
            NodeValue::Vault(_) => Err(Error::new("invalid-value", "an encrypted value cannot be used here".to_owned())),
            NodeValue::List(items) => visitor.visit_seq(Items { rest: items.iter() }),
            NodeValue::Map(map) => visitor.visit_map(Entries { rest: map.entries.iter(), value: None }),
        }
    }
}

macro_rules! forward {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.visit(visitor).map_err(|error| error.at(self.span))
        })*
    };
}

macro_rules! forward_text {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match (&self.value, self.scalar_text()) {
                (NodeValue::Int(_) | NodeValue::Float(_) | NodeValue::Bool(_), Some(text)) => visitor.visit_string(text),
                _ => self.visit(visitor),
            }
            .map_err(|error| error.at(self.span))
        })*
    };
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq deserialize_map
    }

    forward_text! { deserialize_char deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }.map_err(|error| error.at(self.span))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self.span))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let single = |map: &'de Mapping| match map.entries.as_slice() {
            [(name, value)] => Some((name, value)),
            _ => None,
        };
        match &self.value {
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => visitor.visit_enum(BorrowedStrDeserializer::new(text)),
            NodeValue::Map(map) => match single(map) {
                Some((name, value)) => visitor.visit_enum(Variant { name, value }),
                None => Err(Error::new("invalid-value", "expected a mapping with exactly one key".to_owned())),
            },
            _ => Err(Error::new("invalid-value", format!("expected text, found {}", self.kind()))),
        }
        .map_err(|error| error.at(self.span))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

struct Items<'de> {
    rest: std::slice::Iter<'de, Node>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        self.rest.next().map(|node| seed.deserialize(node)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (Node, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.value.take().expect("serde asks for a value after its key"))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Variant<'de> {
    name: &'de Node,
    value: &'de Node,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Error;
    type Variant = &'de Node;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, &'de Node), Error> {
        Ok((seed.deserialize(self.name)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for &'de Node {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        if self.is_null() {
            return Ok(());
        }
        Err(Error::new("invalid-value", format!("expected nothing, found {}", self.kind())).at(self.span))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_map(self, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;
    use crate::source::{SourceMap, yaml};

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Meta {
        author: Option<String>,
        version: String,
        #[serde(default)]
        platforms: Vec<Platform>,
        #[serde(default)]
        galaxy: BTreeMap<String, u8>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Platform {
        Debian,
        Other { name: String },
    }

    fn read(text: &str) -> Result<Meta, String> {
        let map = SourceMap::default();
        let file = map.add(Path::new("m.yml"), text);
        let (node, diagnostics) = yaml::parse_one(&map, file);
        assert!(diagnostics.is_empty());
        from_node(&node).map_err(|d| {
            let (span, _) = d.span.expect("every error has a place");
            let (line, column) = map.line_column(span);
            format!("{line}:{column} {}: {} ({})", d.code, d.message, d.hint.unwrap_or_default())
        })
    }

    #[test]
    fn a_document_becomes_a_type() {
        let meta = read("author:\nversion: 2\nplatforms: [debian, {other: {name: x}}]\ngalaxy: {a: 0x10}\n").unwrap();
        let platforms = vec![Platform::Debian, Platform::Other { name: "x".into() }];
        assert_eq!(meta, Meta { author: None, version: "2".into(), platforms, galaxy: [("a".into(), 16)].into() });
    }

    #[test]
    fn errors_have_a_place_and_a_hint() {
        let table = [
            ("version: 1\nautor: x\n", "2:1 unknown-key: no key named `autor` is known here (did you mean `author`?)"),
            ("author: x\n", "1:1 missing-key: the key `version` is missing ()"),
            ("version: 1\ngalaxy:\n  a: b\n", "3:6 invalid-value: invalid type: string \"b\", expected u8 ()"),
            ("version: 1\ngalaxy:\n  a: 300\n", "3:6 invalid-value: invalid value: integer `300`, expected u8 ()"),
            ("version: 1\nplatforms: [debain]\n", "2:13 invalid-value: `debain` is not possible here (did you mean `debian`?)"),
            ("version: [1]\n", "1:10 invalid-value: invalid type: sequence, expected a string ()"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).unwrap_err(), expected, "{text:?}");
        }
    }
}
