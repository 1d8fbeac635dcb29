//! Inventories in INI format, with the typing that its users know: values are Python literals
//! where they can be, else text.

use std::sync::{Arc, LazyLock};

use indexmap::IndexMap;
use regex::Regex;

use super::beside::variable;
use super::literal;
use super::model::{Inventory, Names, UNGROUPED};
use super::range;
use super::words::{self, Unsplit, Word};
use crate::source::suggest::did_you_mean;
use crate::source::{Diagnostic, Diagnostics, FileId, Node, NodeValue, SourceMap, Span};
use crate::vars::Variables;

static SECTION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$").expect("the pattern is constant"));

/// Reads a file into the inventory.
pub(super) fn read(inventory: &mut Inventory, map: &SourceMap, file: FileId, names: &mut Names, diagnostics: &mut Diagnostics) {
    let text = map.text(file);
    let mut reader = Reader {
        inventory,
        file,
        names,
        diagnostics,
        group: UNGROUPED.into(),
        kind: Kind::Hosts,
        awaited: IndexMap::new(),
        valued: IndexMap::new(),
    };
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let said = line.trim();
        let at = start + (line.len() - line.trim_start().len());
        start += line.len();
        if !said.is_empty() && !said.starts_with(['#', ';']) {
            reader.line(said, at);
        }
    }
    reader.finish();
}

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hosts,
    Children,
    Variables,
    /// The section's head was wrong: its lines say nothing.
    Unknown,
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    file: FileId,
    names: &'a mut Names,
    diagnostics: &'a mut Diagnostics,
    group: Arc<str>,
    kind: Kind,
    /// Groups named in `:children` sections and not declared yet: where, and their parents.
    awaited: IndexMap<Arc<str>, (Span, Vec<Arc<str>>)>,
    /// Groups with a `:vars` section and not declared yet.
    valued: IndexMap<Arc<str>, Span>,
}

impl Reader<'_> {
    fn span(&self, start: usize, length: usize) -> Span {
        Span { file: self.file, start: start as u32, end: (start + length) as u32 }
    }

    fn error(&mut self, message: impl Into<String>, span: Span, label: &str, hint: &str) {
        self.diagnostics.push(Diagnostic::error("inventory-syntax", message).at(span, label).hint(hint));
    }

    fn line(&mut self, line: &str, at: usize) {
        if let Some(section) = SECTION.captures(line) {
            let kind = section.get(2).map(|kind| (kind.as_str(), kind.start(), kind.len()));
            return self.section(&section[1], kind, at);
        }
        if line.starts_with('[') && line.ends_with(']') && !line.contains('=') {
            self.kind = Kind::Unknown;
            let span = self.span(at, line.len());
            return self.error(
                "this is not a section",
                span,
                "expected `[group]`",
                "a group's name has no spaces and no brackets in it: `[web_servers]`, `[web:vars]`, `[site:children]`; an address without a port is written without brackets",
            );
        }
        match self.kind {
            Kind::Hosts => self.host(line, at),
            Kind::Children => self.child(line, at),
            Kind::Variables => self.variable(line, at),
            Kind::Unknown => {}
        }
    }

    fn section(&mut self, group: &str, kind: Option<(&str, usize, usize)>, at: usize) {
        self.group = self.names.get(group);
        let place = self.span(at + 1, group.len());
        self.kind = match kind {
            None | Some(("hosts", ..)) => Kind::Hosts,
            Some(("children", ..)) => Kind::Children,
            Some(("vars", ..)) => Kind::Variables,
            Some((other, start, length)) => {
                let span = self.span(at + start, length);
                let hint = did_you_mean(other, ["children", "vars", "hosts"])
                    .unwrap_or_else(|| "possible are `[group]`, `[group:children]` and `[group:vars]`".into());
                self.error(format!("a section `{other}` is not known"), span, "unknown kind of section", &hint);
                Kind::Unknown
            }
        };
        if matches!(self.kind, Kind::Hosts | Kind::Children) {
            self.inventory.add_group(group);
            self.valued.shift_remove(&self.group);
            if let Some((span, parents)) = self.awaited.shift_remove(&self.group) {
                for parent in parents {
                    self.link(&parent, group, span);
                }
            }
        } else if self.kind == Kind::Variables && !self.inventory.has_group(group) {
            self.valued.entry(Arc::clone(&self.group)).or_insert(place);
        }
    }

    fn link(&mut self, parent: &str, child: &str, span: Span) {
        if let Err(cycle) = self.inventory.add_child(parent, child) {
            self.diagnostics.push(
                Diagnostic::error("inventory-cycle", cycle.to_string())
                    .at(span, "closes the circle")
                    .hint("remove one of the `:children` entries"),
            );
        }
    }

    fn host(&mut self, line: &str, at: usize) {
        let words = match words::split(line) {
            Ok(words) => words,
            Err(problem) => {
                let (start, message, hint) = match problem {
                    Unsplit::OpenQuote(start) => (
                        start,
                        "a quote is opened here and never closed",
                        "add the closing quote; write a single quote in a value as `\"it's\"`",
                    ),
                    Unsplit::Backslash(start) => (
                        start,
                        "a backslash ends this line",
                        "an entry cannot go on in the next line; write `\\\\` for a backslash",
                    ),
                };
                let span = self.span(at + start, 1);
                return self.error(message, span, "here", hint);
            }
        };
        let Some((name, rest)) = words.split_first() else { return };
        let place = self.span(at + name.start, name.end - name.start);
        if name.text == "---" {
            return self.error(
                "this is YAML, read as an INI inventory",
                place,
                "a YAML document starts here",
                "give the file the extension `.yml`",
            );
        }
        if name.text.ends_with(':') && !name.text.contains("::") {
            return self.error(
                format!("a host's name cannot end with a colon: `{}`", name.text),
                place,
                "ends with `:`",
                "a port follows a colon (`web1:2222`); if this is meant as YAML, give the file the extension `.yml`",
            );
        }
        let (hosts, port) = match range::expand(&name.text) {
            Ok(expanded) => expanded,
            Err(message) => {
                return self.error(message, place, "in this name", "examples: `web[01:20]`, `web[1:9:2]`, `db-[a:f]`");
            }
        };
        let mut variables = Variables::new();
        variables.reserve_exact(rest.len() + usize::from(port.is_some()));
        if let Some(port) = port {
            let value = Node { span: place, value: NodeValue::Int(i64::from(port)) };
            variables.insert(self.names.get("ansible_port"), variable(value, place));
        }
        for word in rest {
            self.host_variable(word, line, at, &mut variables);
        }
        let group = Arc::clone(&self.group);
        for host in &hosts {
            self.inventory.add_host_to_group(host, &group);
            if !variables.is_empty() {
                self.inventory.set_host_variables(host, variables.clone());
            }
        }
    }

    fn host_variable(&mut self, word: &Word, line: &str, at: usize, variables: &mut Variables) {
        let place = self.span(at + word.start, word.end - word.start);
        let Some((name, value)) = word.text.split_once('=') else {
            return self.error(
                format!("`{}` is not a variable", word.text),
                place,
                "expected `name=value`",
                "variables of a host follow its name on the same line, each as `name=value` without spaces around `=`; quote values with spaces",
            );
        };
        // The value as written, with its quotes.
        let written = &line[word.start..word.end];
        let from = written.find('=').map_or(0, |found| found + 1);
        let span = self.span(at + word.start + from, written.len() - from);
        let value = Node { span, value: literal::value(value, span) };
        variables.insert(self.names.get(name), variable(value, place));
    }

    fn child(&mut self, line: &str, at: usize) {
        let name = line.split('#').next().unwrap_or_default().trim_end();
        let place = self.span(at, name.len().max(1));
        if name.is_empty() || name.contains(char::is_whitespace) {
            let group = Arc::clone(&self.group);
            return self.error(
                format!("`{line}` is not the name of a group"),
                place,
                "expected one name",
                &format!("`[{group}:children]` lists groups, one on a line; hosts belong under `[{group}]`"),
            );
        }
        let (group, name) = (Arc::clone(&self.group), self.names.get(name));
        if self.inventory.has_group(&name) {
            self.link(&group, &name, place);
        } else {
            self.awaited.entry(name).or_insert_with(|| (place, Vec::new())).1.push(group);
        }
    }

    fn variable(&mut self, line: &str, at: usize) {
        let Some((name, value)) = line.split_once('=') else {
            let span = self.span(at, line.len());
            return self.error(
                format!("`{line}` is not a variable"),
                span,
                "expected `name=value`",
                "a `:vars` section has one `name=value` on each line",
            );
        };
        let start = at + name.len() + 1 + (value.len() - value.trim_start().len());
        let (name, value) = (name.trim(), value.trim());
        let span = self.span(start, value.len());
        let value = Node { span, value: literal::value(value, span) };
        let group = Arc::clone(&self.group);
        let name_span = self.span(at, name.len());
        let name = self.names.get(name);
        self.inventory.set_group_variable(&group, name, variable(value, name_span));
    }

    fn finish(mut self) {
        let known: Vec<Arc<str>> =
            self.inventory.group_names().filter(|name| !self.valued.contains_key(*name)).cloned().collect();
        for (group, span) in std::mem::take(&mut self.valued) {
            self.undefined(&group, span, "has variables here", &known);
        }
        for (group, (span, _)) in std::mem::take(&mut self.awaited) {
            self.undefined(&group, span, "listed as a child here", &known);
        }
    }

    fn undefined(&mut self, group: &str, span: Span, label: &str, known: &[Arc<str>]) {
        let hint = did_you_mean(group, known.iter().map(|name| &**name))
            .unwrap_or_else(|| format!("add a section `[{group}]`, even an empty one"));
        self.diagnostics.push(
            Diagnostic::error("inventory-undefined-group", format!("there is no group `{group}` in this file"))
                .at(span, label)
                .hint(hint),
        );
    }
}
