//! Inventories in YAML (or JSON): groups with `hosts`, `vars` and `children`.

use std::sync::Arc;

use super::beside::{add_variables, variable};
use super::model::{Inventory, Names};
use super::range;
use crate::source::suggest::did_you_mean;
use crate::source::{Diagnostic, Diagnostics, FileId, Mapping, Node, NodeValue, SourceMap, Span, yaml};
use crate::vars::Variables;

/// Reads a file into the inventory. The configuration of an inventory plugin comes back instead.
pub(super) fn read(
    inventory: &mut Inventory,
    map: &SourceMap,
    file: FileId,
    names: &mut Names,
    diagnostics: &mut Diagnostics,
) -> Option<Arc<Mapping>> {
    let (root, problems) = yaml::parse_one(map, file);
    let broken = problems.has_errors();
    diagnostics.extend(problems);
    if broken {
        // What could not be read would be reported again as a wrong kind of value.
        return None;
    }
    let mut reader = Reader { inventory, names, diagnostics };
    let Some(groups) = root.as_map() else {
        if !root.is_null() {
            reader.wrong("an inventory is a mapping of groups", &root);
        }
        return None;
    };
    if groups.get("plugin").is_some() {
        return Some(Arc::clone(groups));
    }
    for (name, group) in &groups.entries {
        if let Some(name) = reader.group_name(name) {
            reader.group(&name, group);
        }
    }
    None
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    names: &'a mut Names,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn wrong(&mut self, expected: &str, node: &Node) {
        self.diagnostics.push(
            Diagnostic::error("inventory-syntax", format!("{expected}, and this is {}", node.kind())).at(node.span, "found here"),
        );
    }

    /// Names that look like numbers are names all the same.
    fn group_name(&mut self, key: &Node) -> Option<String> {
        match &key.value {
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Some(text.to_string()),
            NodeValue::Int(number) => Some(number.to_string()),
            _ => {
                self.diagnostics.push(
                    Diagnostic::error("inventory-syntax", format!("a name is text, and this is {}", key.kind()))
                        .at(key.span, "used as a name")
                        .hint("quote it"),
                );
                None
            }
        }
    }

    fn group(&mut self, name: &str, node: &Node) {
        self.inventory.add_group(name);
        let sections = match &node.value {
            NodeValue::Map(map) => map,
            NodeValue::Null => return,
            _ => return self.wrong("a group is a mapping with `hosts`, `vars` or `children`", node),
        };
        for (key, value) in &sections.entries {
            match key.as_str() {
                Some("vars") => self.group_variables(name, value),
                Some("children") => self.children(name, value),
                Some("hosts") => self.hosts(name, value),
                _ => self.unknown(name, key),
            }
        }
    }

    fn unknown(&mut self, group: &str, key: &Node) {
        let text = key.as_str().unwrap_or(key.kind()).to_owned();
        let hint = did_you_mean(&text, ["hosts", "vars", "children"]).unwrap_or_else(|| {
            "a group has `hosts`, `vars` and `children`; groups in it stand below `children`, variables below `vars`".to_owned()
        });
        self.diagnostics.push(
            Diagnostic::warning("inventory-unknown-key", format!("`{text}` in group `{group}` is ignored"))
                .at(key.span, "not known here")
                .hint(hint),
        );
    }

    fn group_variables(&mut self, group: &str, node: &Node) {
        let mut variables = Variables::new();
        add_variables(node, self.names, &mut variables, self.diagnostics);
        for (name, variable) in variables {
            self.inventory.set_group_variable(group, name, variable);
        }
    }

    /// A single name may stand for a mapping with that key.
    fn section<'n>(&mut self, node: &'n Node, what: &str) -> Option<std::borrow::Cow<'n, [(Node, Node)]>> {
        match &node.value {
            NodeValue::Map(map) => {
                let map: &Mapping = map;
                Some(map.entries.as_slice().into())
            }
            NodeValue::Str(..) => Some(vec![(node.clone(), Node { span: node.span, value: NodeValue::Null })].into()),
            NodeValue::Null => None,
            _ => {
                self.diagnostics.push(
                    Diagnostic::error("inventory-syntax", format!("`{what}` is a mapping, and this is {}", node.kind()))
                        .at(node.span, "expected a mapping")
                        .hint(format!(
                            "write each name with a colon behind it and without a dash: `{what}:` and below it `name:`"
                        )),
                );
                None
            }
        }
    }

    fn children(&mut self, group: &str, node: &Node) {
        for (key, child) in self.section(node, "children").iter().flat_map(|section| section.iter()) {
            let Some(name) = self.group_name(key) else { continue };
            self.inventory.add_group(&name);
            match self.inventory.add_child(group, &name) {
                Ok(()) => self.group(&name, child),
                Err(cycle) => self
                    .diagnostics
                    .push(Diagnostic::error("inventory-cycle", cycle.to_string()).at(key.span, "closes the circle")),
            }
        }
    }

    fn hosts(&mut self, group: &str, node: &Node) {
        for (key, value) in self.section(node, "hosts").iter().flat_map(|section| section.iter()) {
            let Some(word) = self.group_name(key) else { continue };
            let (hosts, port) = match range::expand(&word) {
                Ok(expanded) => expanded,
                Err(message) => {
                    self.diagnostics.push(
                        Diagnostic::error("inventory-syntax", message)
                            .at(key.span, "in this name")
                            .hint("examples: `web[01:20]`, `web[1:9:2]`, `db-[a:f]`"),
                    );
                    continue;
                }
            };
            let variables = self.host_variables(port, key.span, value);
            for host in &hosts {
                self.inventory.add_host_to_group(host, group);
                if !variables.is_empty() {
                    self.inventory.set_host_variables(host, variables.clone());
                }
            }
        }
    }

    fn host_variables(&mut self, port: Option<u16>, span: Span, node: &Node) -> Variables {
        let mut variables = Variables::new();
        if let Some(port) = port {
            let value = Node { span, value: NodeValue::Int(i64::from(port)) };
            variables.insert(self.names.get("ansible_port"), variable(value, span));
        }
        add_variables(node, self.names, &mut variables, self.diagnostics);
        variables
    }
}
