//! YAML as PyYAML writes it, line breaks and quotes included, and reading it into values.

use std::path::Path;
use std::sync::Arc;

use super::error::fail;
use super::runtime::{Runtime, node_key};
use super::val::Res;
use crate::source::yaml::{Limits, parse_within};
use crate::source::{Node, NodeValue, SourceMap, scalar};
use crate::vars::{Key, Map, Value, python};
use crate::vault::Vault;

/// Options of `yaml.dump`.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) indent: usize,
    pub(super) width: usize,
    pub(super) sort_keys: bool,
    /// Everything in brackets, nothing, or (none) only what holds nothing but scalars.
    pub(super) flow: Option<bool>,
    pub(super) explicit_start: bool,
    pub(super) explicit_end: bool,
    /// Values that it opened are written in their encrypted form, as `!vault`.
    pub(super) vault: Option<Arc<Vault>>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { indent: 2, width: 80, sort_keys: true, flow: None, explicit_start: false, explicit_end: false, vault: None }
    }
}

/// Reads text with one document (or, if `all`, with several) into plain values.
pub(super) fn read(runtime: &Runtime, text: &str, all: bool) -> Res<Value> {
    runtime.bytes(text.len())?;
    let map = SourceMap::default();
    let file = map.add(Path::new("<text>"), text);
    let (documents, diagnostics) = parse_within(&map, file, Limits { nodes: 1_000_000, depth: 100 });
    if let Some(problem) = diagnostics.iter().find(|diagnostic| diagnostic.severity == crate::source::Severity::Error) {
        let place = problem.span.as_ref().map(|(span, _)| map.line_column(*span));
        let place = place.map_or_else(String::new, |(line, column)| format!(" (line {line}, column {column})"));
        return Err(fail(format!("this is not YAML: {}{place}", problem.message)));
    }
    if all {
        return Ok(Value::from(documents.iter().map(plain).collect::<Res<Vec<_>>>()?));
    }
    match &documents[..] {
        [] => Ok(Value::Null),
        [document] => plain(document),
        _ => Err(fail("there is more than one YAML document")),
    }
}

/// A node without any template's power.
pub(super) fn plain(node: &Node) -> Res<Value> {
    Ok(match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::Bool(value) => Value::Bool(*value),
        NodeValue::Int(number) => Value::Int(*number),
        NodeValue::Float(number) => Value::Float(*number),
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) | NodeValue::Vault(text) => Value::Str(Arc::clone(text)),
        NodeValue::List(items) => Value::from(items.iter().map(plain).collect::<Res<Vec<_>>>()?),
        NodeValue::Map(map) => {
            Value::from(map.entries.iter().map(|(key, value)| Ok((node_key(key)?, plain(value)?))).collect::<Res<Map>>()?)
        }
    })
}

/// Writes a document.
pub(super) fn write(value: &Value, layout: &Layout) -> String {
    let mut emitter =
        Emitter { out: String::new(), layout, column: 0, whitespace: true, indention: true, flow_level: 0, indent: None };
    if layout.explicit_start {
        emitter.indicator("---", true, false, false);
    }
    emitter.node(value, At::Root, false);
    emitter.write_indent();
    if layout.explicit_end {
        emitter.indicator("...", true, false, false);
        emitter.write_indent();
    }
    emitter.out
}

/// What a node is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Root,
    Sequence,
    Mapping,
}

struct Emitter<'l> {
    out: String,
    layout: &'l Layout,
    column: usize,
    whitespace: bool,
    indention: bool,
    flow_level: usize,
    indent: Option<usize>,
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

impl Emitter<'_> {
    fn put(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    fn line_break(&mut self) {
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
        self.out.push('\n');
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            let blanks = " ".repeat(indent - self.column);
            self.put(&blanks);
        }
    }

    fn indicator(&mut self, text: &str, needs_blank: bool, whitespace: bool, indention: bool) {
        if !self.whitespace && needs_blank {
            self.put(" ");
        }
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
        self.put(text);
    }

    /// Goes one level deeper and returns the level to come back to.
    fn deeper(&mut self, flow: bool, indentless: bool) -> Option<usize> {
        let before = self.indent;
        self.indent = match before {
            None => Some(if flow { self.layout.indent } else { 0 }),
            Some(indent) if !indentless => Some(indent + self.layout.indent),
            same => same,
        };
        before
    }

    fn flows(&self, value: &Value) -> bool {
        let scalar = |value: &Value| !matches!(value, Value::List(_) | Value::Map(_));
        self.flow_level > 0
            || self.layout.flow.unwrap_or_else(|| match value {
                Value::List(items) => items.iter().all(scalar),
                Value::Map(map) => map.values().all(scalar),
                _ => false,
            })
    }

    fn node(&mut self, value: &Value, at: At, simple_key: bool) {
        match value {
            Value::List(items) if items.is_empty() || self.flows(value) => self.flow_sequence(items),
            Value::List(items) => {
                let indentless = at == At::Mapping && !self.indention;
                let before = self.deeper(false, indentless);
                for item in items.iter() {
                    self.write_indent();
                    self.indicator("-", true, false, true);
                    self.node(item, At::Sequence, false);
                }
                self.indent = before;
            }
            Value::Map(map) if map.is_empty() || self.flows(value) => self.flow_mapping(map),
            Value::Map(map) => {
                let before = self.deeper(false, false);
                for (key, value) in self.entries(map) {
                    self.write_indent();
                    if is_simple(&key) {
                        self.node(&key, At::Mapping, true);
                        self.indicator(":", false, false, false);
                        self.node(value, At::Mapping, false);
                    } else {
                        self.indicator("?", true, false, true);
                        self.node(&key, At::Mapping, false);
                        self.write_indent();
                        self.indicator(":", true, false, true);
                        self.node(value, At::Mapping, false);
                    }
                }
                self.indent = before;
            }
            scalar => {
                let before = self.deeper(true, false);
                self.scalar(scalar, simple_key);
                self.indent = before;
            }
        }
    }

    fn entries<'m>(&self, map: &'m Map) -> Vec<(Value, &'m Value)> {
        let mut entries: Vec<_> = map.iter().collect();
        if self.layout.sort_keys {
            // Keys of different kinds have no order in Python: such a mapping stays as it is.
            let text = map.keys().all(|key| matches!(key, Key::Str(_)));
            let numbers = map.keys().all(|key| matches!(key, Key::Int(_) | Key::Bool(_)));
            if text || numbers {
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            }
        }
        entries.into_iter().map(|(key, value)| (Value::from(key.clone()), value)).collect()
    }

    fn flow_sequence(&mut self, items: &[Value]) {
        self.indicator("[", true, true, false);
        self.flow_level += 1;
        let before = self.deeper(true, false);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.layout.width {
                self.write_indent();
            }
            self.node(item, At::Sequence, false);
        }
        self.indent = before;
        self.flow_level -= 1;
        self.indicator("]", false, false, false);
    }

    fn flow_mapping(&mut self, map: &Map) {
        self.indicator("{", true, true, false);
        self.flow_level += 1;
        let before = self.deeper(true, false);
        for (at, (key, value)) in self.entries(map).into_iter().enumerate() {
            if at > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.layout.width {
                self.write_indent();
            }
            if is_simple(&key) {
                self.node(&key, At::Mapping, true);
                self.indicator(":", false, false, false);
                self.node(value, At::Mapping, false);
            } else {
                self.indicator("?", true, false, false);
                self.node(&key, At::Mapping, false);
                if self.column > self.layout.width {
                    self.write_indent();
                }
                self.indicator(":", true, false, false);
                self.node(value, At::Mapping, false);
            }
        }
        self.indent = before;
        self.flow_level -= 1;
        self.indicator("}", false, false, false);
    }

    /// A value of the vault, still encrypted.
    fn sealed(&mut self, sealed: &str) {
        self.indicator("!vault", true, false, false);
        if self.flow_level > 0 {
            return self.double_quoted(sealed, false);
        }
        self.put(" |");
        for line in sealed.trim_end().lines() {
            self.line_break();
            self.write_indent();
            self.put(line);
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn scalar(&mut self, value: &Value, simple_key: bool) {
        if let (Value::Str(text), false, Some(vault)) = (value, simple_key, &self.layout.vault)
            && let Some(sealed) = vault.sealed_form(text)
        {
            return self.sealed(&sealed);
        }
        let (text, is_text) = scalar_text(value);
        let found = Analysis::of(&text);
        let plain_reads_back = !is_text
            || (scalar::resolve(&text).is_none_or(|resolved| matches!(resolved, NodeValue::Str(..)))
                && !looks_like_time(&text)
                && text != "="
                && text != "<<"
                && !text.is_empty());
        let fits = if self.flow_level > 0 { found.flow_plain } else { found.block_plain };
        let split = !simple_key;
        if plain_reads_back && !(simple_key && (text.is_empty() || found.multiline)) && fits {
            self.plain(&text, split);
        } else if found.single_quoted && !(simple_key && found.multiline) {
            self.single_quoted(&text, split);
        } else {
            self.double_quoted(&text, split);
        }
    }

    fn plain(&mut self, text: &str, split: bool) {
        if text.is_empty() {
            return;
        }
        if !self.whitespace {
            self.put(" ");
        }
        self.whitespace = false;
        self.indention = false;
        let chars: Vec<char> = text.chars().collect();
        let (mut start, mut spaces) = (0, false);
        for end in 0..=chars.len() {
            let c = chars.get(end).copied();
            if spaces {
                if c != Some(' ') {
                    if start + 1 == end && self.column > self.layout.width && split {
                        self.write_indent();
                        self.whitespace = false;
                        self.indention = false;
                    } else {
                        self.put(&String::from_iter(&chars[start..end]));
                    }
                    start = end;
                }
            } else if c.is_none_or(|c| c == ' ') {
                self.put(&String::from_iter(&chars[start..end]));
                start = end;
            }
            spaces = c == Some(' ');
        }
    }

    fn single_quoted(&mut self, text: &str, split: bool) {
        self.indicator("'", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let (mut start, mut spaces, mut breaks) = (0, false, false);
        for end in 0..=chars.len() {
            let c = chars.get(end).copied();
            if spaces {
                if c != Some(' ') {
                    if start + 1 == end && self.column > self.layout.width && split && start != 0 && end != chars.len() {
                        self.write_indent();
                    } else {
                        self.put(&String::from_iter(&chars[start..end]));
                    }
                    start = end;
                }
            } else if breaks {
                if c.is_none_or(|c| !is_break(c)) {
                    if chars[start] == '\n' {
                        self.line_break();
                    }
                    for _ in start..end {
                        self.line_break();
                    }
                    self.write_indent();
                    start = end;
                }
            } else if c.is_none_or(|c| c == ' ' || is_break(c) || c == '\'') && start < end {
                self.put(&String::from_iter(&chars[start..end]));
                start = end;
            }
            if c == Some('\'') {
                self.put("''");
                start = end + 1;
            }
            if let Some(c) = c {
                spaces = c == ' ';
                breaks = is_break(c);
            }
        }
        self.indicator("'", false, false, false);
    }

    fn double_quoted(&mut self, text: &str, split: bool) {
        self.indicator("\"", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let length = chars.len();
        let mut start = 0;
        for end in 0..=length {
            let c = chars.get(end).copied();
            let as_it_is = c.is_some_and(|c| {
                !matches!(c, '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
                    && matches!(c, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            });
            if !as_it_is {
                if start < end {
                    self.put(&String::from_iter(&chars[start..end]));
                    start = end;
                }
                if let Some(c) = c {
                    self.put(&escaped(c));
                    start = end + 1;
                }
            }
            if 0 < end
                && end + 1 < length
                && (c == Some(' ') || start >= end)
                && self.column + end.saturating_sub(start) > self.layout.width
                && split
            {
                let mut data = if start < end { String::from_iter(&chars[start..end]) } else { String::new() };
                data.push('\\');
                start = start.max(end);
                self.put(&data);
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
                if chars[start] == ' ' {
                    self.put("\\");
                }
            }
        }
        self.indicator("\"", false, false, false);
    }
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        c if (c as u32) <= 0xff => return format!("\\x{:02X}", c as u32),
        c if (c as u32) <= 0xffff => return format!("\\u{:04X}", c as u32),
        c => return format!("\\U{:08X}", c as u32),
    };
    format!("\\{short}")
}

fn scalar_text(value: &Value) -> (String, bool) {
    match value {
        Value::Str(text) => (text.to_string(), true),
        Value::Null | Value::Omit | Value::Unknown(_) | Value::List(_) | Value::Map(_) => ("null".to_owned(), false),
        Value::Bool(value) => (value.to_string(), false),
        Value::Int(number) => (number.to_string(), false),
        Value::Float(number) if number.is_nan() => (".nan".to_owned(), false),
        Value::Float(number) if number.is_infinite() => (if *number > 0.0 { ".inf" } else { "-.inf" }.to_owned(), false),
        Value::Float(number) => {
            let text = python::float(*number);
            let text = if text.contains('e') && !text.contains('.') { text.replacen('e', ".0e", 1) } else { text };
            (text, false)
        }
    }
}

/// Whether PyYAML would read plain text as a date or time.
fn looks_like_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    if !digits(0, 4) || bytes.get(4) != Some(&b'-') {
        return false;
    }
    if text.len() == 10 {
        return digits(5, 7) && bytes[7] == b'-' && digits(8, 10);
    }
    let date_and_time = text.split_once(['T', 't', ' ']);
    date_and_time.is_some_and(|(date, time)| {
        let parts: Vec<_> = date.split('-').collect();
        let date = parts.len() == 3
            && parts[1..].iter().all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
        let clock: Vec<_> = time.trim_start().splitn(3, ':').collect();
        date && clock.len() == 3
            && clock[..2].iter().all(|part| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
            && clock[2].len() >= 2
            && clock[2].bytes().take(2).all(|byte| byte.is_ascii_digit())
    })
}

fn is_simple(key: &Value) -> bool {
    let (text, _) = scalar_text(key);
    text.chars().count() < 128 && !text.is_empty() && !text.contains(is_break)
}

/// What a text allows, as PyYAML's emitter sees it.
struct Analysis {
    multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single_quoted: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self { multiline: false, flow_plain: false, block_plain: true, single_quoted: true };
        }
        let chars: Vec<char> = text.chars().collect();
        let blank = |at: usize| chars.get(at).is_none_or(|c| "\0 \t\r\n\u{85}\u{2028}\u{2029}".contains(*c));
        let document = text.starts_with("---") || text.starts_with("...");
        let (mut block, mut flow, mut line_breaks, mut special) = (document, document, false, false);
        let (mut edge, mut break_space, mut space_break) = (false, false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        for (at, c) in chars.iter().copied().enumerate() {
            let followed = blank(at + 1);
            if at == 0 {
                if "#,[]{}&*!|>'\"%@`".contains(c) {
                    (flow, block) = (true, true);
                }
                if "?:".contains(c) {
                    flow = true;
                    block |= followed;
                }
                if c == '-' && followed {
                    (flow, block) = (true, true);
                }
            } else {
                flow |= ",?[]{}:".contains(c);
                block |= c == ':' && followed;
                if c == '#' && blank(at - 1) {
                    (flow, block) = (true, true);
                }
            }
            line_breaks |= is_break(c);
            let usual = c == '\n'
                || matches!(c, ' '..='~')
                || (c == '\u{85}' || matches!(c, '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')) && c != '\u{feff}';
            special |= !usual;
            let last = at + 1 == chars.len();
            if c == ' ' {
                edge |= at == 0 || last;
                break_space |= previous_break;
                (previous_space, previous_break) = (true, false);
            } else if is_break(c) {
                edge |= at == 0 || last;
                space_break |= previous_space;
                (previous_space, previous_break) = (false, true);
            } else {
                (previous_space, previous_break) = (false, false);
            }
        }
        let quoted_only = edge || break_space || space_break || special || line_breaks;
        Self {
            multiline: line_breaks,
            flow_plain: !quoted_only && !flow,
            block_plain: !quoted_only && !block,
            single_quoted: !(break_space || space_break || special),
        }
    }
}
