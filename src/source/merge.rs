//! The entries of one mapping while it is read: merge keys (`<<`) and keys written twice.

use std::collections::HashMap;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::map::Span;
use super::node::{Node, NodeValue, Style};

/// Entries as they are read.
#[derive(Debug, Default)]
pub(super) struct Entries {
    written: Vec<(Node, Node)>,
    merged: Vec<(Node, Node)>,
}

impl Entries {
    /// Adds one as written.
    pub(super) fn add(&mut self, key: Node, value: Node) {
        if matches!(&key.value, NodeValue::Str(text, Style::Plain) if &**text == "<<") {
            self.merged.push((key, value));
        } else {
            self.written.push((key, value));
        }
    }

    /// The final entries. As in PyYAML, merged keys come first, explicit keys win over them, an
    /// earlier mapping of a merged list over a later one, and a later `<<` over an earlier one. Of
    /// a key that was written twice the last value counts, at the first one's place.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) -> Vec<(Node, Node)> {
        let duplicates = has_duplicates(&self.written);
        if self.merged.is_empty() && !duplicates {
            return self.written;
        }
        let mut result = Unique::default();
        for (_, value) in self.merged {
            match &value.value {
                NodeValue::Map(map) => result.put_all(&map.entries),
                NodeValue::List(items) => {
                    for item in items.iter().rev() {
                        match &item.value {
                            NodeValue::Map(map) => result.put_all(&map.entries),
                            _ => diagnostics.push(not_a_mapping(item)),
                        }
                    }
                }
                _ => diagnostics.push(not_a_mapping(&value)),
            }
        }
        if duplicates {
            report_duplicates(&self.written, diagnostics);
        }
        for (key, value) in self.written {
            result.put(key, value);
        }
        result.entries
    }
}

fn not_a_mapping(node: &Node) -> Diagnostic {
    Diagnostic::error("yaml-merge", format!("`<<` merges mappings, and this is {}", node.kind()))
        .at(node.span, "cannot be merged")
        .hint("give an alias of a mapping (`<<: *name`) or a list of such aliases")
}

/// Keys that can be compared; the others (lists, mappings) are never equal.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Identity {
    Null,
    Int(i64),
    Float(u64),
    Str(std::sync::Arc<str>),
}

fn identity(key: &Node) -> Option<Identity> {
    Some(match &key.value {
        NodeValue::Null => Identity::Null,
        // In Python `True == 1`.
        NodeValue::Bool(value) => Identity::Int(i64::from(*value)),
        NodeValue::Int(value) => Identity::Int(*value),
        NodeValue::Float(value) => Identity::Float(value.to_bits()),
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Identity::Str(text.clone()),
        NodeValue::Vault(_) | NodeValue::List(_) | NodeValue::Map(_) => return None,
    })
}

fn has_duplicates(entries: &[(Node, Node)]) -> bool {
    if entries.len() <= 12 {
        // Without allocating: nearly all mappings are small.
        return entries.iter().enumerate().any(|(index, (key, _))| {
            key.as_str().map_or_else(
                || entries[..index].iter().any(|(other, _)| identity(key).is_some_and(|id| identity(other) == Some(id))),
                |text| entries[..index].iter().any(|(other, _)| other.as_str() == Some(text)),
            )
        });
    }
    let mut seen = std::collections::HashSet::with_capacity(entries.len());
    entries.iter().filter_map(|(key, _)| identity(key)).any(|id| !seen.insert(id))
}

fn report_duplicates(entries: &[(Node, Node)], diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<Identity, Span> = HashMap::new();
    for (key, _) in entries {
        let Some(id) = identity(key) else { continue };
        if let Some(first) = seen.insert(id.clone(), key.span) {
            let name = match &id {
                Identity::Str(text) => format!("`{text}`"),
                _ => key.kind().to_owned(),
            };
            diagnostics.push(
                Diagnostic::warning("yaml-duplicate-key", format!("the key {name} is written twice in one mapping"))
                    .at(key.span, "this one counts")
                    .related(first, "this one is ignored")
                    .hint("remove one of them; if each belongs to an item of its own, a `-` is missing"),
            );
        }
    }
}

/// Entries by key, the first one's place kept.
#[derive(Default)]
struct Unique {
    entries: Vec<(Node, Node)>,
    places: HashMap<Identity, usize>,
}

impl Unique {
    fn put_all(&mut self, entries: &[(Node, Node)]) {
        for (key, value) in entries {
            self.put(key.clone(), value.clone());
        }
    }

    fn put(&mut self, key: Node, value: Node) {
        let Some(id) = identity(&key) else {
            self.entries.push((key, value));
            return;
        };
        if let Some(&place) = self.places.get(&id) {
            self.entries[place] = (key, value);
        } else {
            self.places.insert(id, self.entries.len());
            self.entries.push((key, value));
        }
    }
}
