//! The only file that knows the YAML parser: text to nodes, with PyYAML's rules for scalars.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::map::{FileId, SourceMap, Span};
use super::mend::Mended;
use super::node::{Mapping, Node, NodeValue, Style};
use super::syntax::{self, Problem};
use super::{json, merge, scalar};
use crate::vault::Redactor;

/// How much a document may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes, an alias counting as many as it stands for.
    pub nodes: usize,
    /// Lists and mappings in each other.
    pub depth: usize,
}

impl Default for Limits {
    /// Room for an inventory of 10,000 hosts with 50 variables each, several times over.
    fn default() -> Self {
        Self { nodes: 5_000_000, depth: 100 }
    }
}

/// Reading is started again at most so often behind a mistake that was stepped over.
const MAX_MENDS: usize = 100;
/// Bytes read again behind mistakes, in all.
const MAX_REREAD: usize = 32 << 20;
/// Smaller numbers in encrypted files are ports, counts and times, not secrets.
const SHORTEST_NUMBER: i64 = 100_000;

/// Reads the documents of one file (usually one). Never stops at the first problem that it can
/// step over; where it stepped over an error, what it returns is good for finding more problems.
pub fn parse(map: &SourceMap, file: FileId) -> (Vec<Node>, Diagnostics) {
    parse_within(map, file, Limits::default())
}

/// Reads a file that holds at most one document; a second one is an error. An empty file is null.
pub fn parse_one(map: &SourceMap, file: FileId) -> (Node, Diagnostics) {
    let (mut documents, mut diagnostics) = parse(map, file);
    if let Some(second) = documents.get(1) {
        diagnostics.push(
            Diagnostic::error("yaml-documents", "more than one document in this file")
                .at(first_byte(second.span), "the second document starts here")
                .hint("remove the `---` between them, or split the file"),
        );
    }
    let empty = Node { span: Span { file, start: 0, end: 0 }, value: NodeValue::Null };
    (if documents.is_empty() { empty } else { documents.swap_remove(0) }, diagnostics)
}

/// Reads the documents of one file within the given limits.
pub fn parse_within(map: &SourceMap, file: FileId, limits: Limits) -> (Vec<Node>, Diagnostics) {
    let (documents, diagnostics) = read(map, file, limits);
    if map.is_secret(file) {
        documents.iter().filter(|node| node.as_map().is_some()).for_each(|node| learn(node, map.vault().redactor()));
    }
    (documents, diagnostics)
}

/// Values of an encrypted file are secrets, if it holds variables; tasks are not, and hiding their
/// words would hide half of what a run says.
fn learn(node: &Node, redactor: &Redactor) {
    match &node.value {
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => redactor.learn(text),
        NodeValue::Int(number) if number.abs() >= SHORTEST_NUMBER => redactor.learn(&number.to_string()),
        NodeValue::List(items) => items.iter().for_each(|item| learn(item, redactor)),
        NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| learn(value, redactor)),
        _ => {}
    }
}

fn read(map: &SourceMap, file: FileId, limits: Limits) -> (Vec<Node>, Diagnostics) {
    let original = map.text(file);
    if let Some(node) = json::parse(file, &original, limits) {
        return (vec![node], Diagnostics::default());
    }
    let mut mended = Mended::new(&original);
    let mut found = Diagnostics::default();
    let mut reread = 0;
    for attempt in 0.. {
        let mut builder = Builder::new(file, &mended, limits);
        match builder.read() {
            Ok(()) => {
                found.extend(builder.diagnostics);
                return (builder.documents, found);
            }
            Err(Stop::Limit(diagnostic)) => {
                found.extend(builder.diagnostics);
                found.push(*diagnostic);
                return (Vec::new(), found);
            }
            Err(Stop::Syntax(problem)) => {
                let explained = syntax::explain(file, &original, &problem);
                let documents = std::mem::take(&mut builder.documents);
                let others = std::mem::take(&mut builder.diagnostics);
                drop(builder);
                if let Some(diagnostic) = explained.diagnostic {
                    found.push(diagnostic);
                }
                reread += original.len();
                if attempt >= MAX_MENDS || reread > MAX_REREAD || !mended.apply(explained.repair) {
                    if !found.has_errors() {
                        found.push(syntax::unexplained(file, &original, &problem));
                    }
                    found.extend(others);
                    return (documents, found);
                }
            }
        }
    }
    unreachable!("the loop above has no end of its own")
}

fn first_byte(span: Span) -> Span {
    Span { end: (span.start + 1).min(span.end.max(span.start)), ..span }
}

/// Why reading ended early.
enum Stop {
    Syntax(Problem),
    Limit(Box<Diagnostic>),
}

/// A list or mapping that is not finished.
struct Frame {
    start: u32,
    /// End of the last child.
    end: u32,
    anchor: usize,
    tag: Option<Tag>,
    /// Nodes inside, aliases counted in full.
    size: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map(merge::Entries, Option<Node>),
}

struct Builder<'a> {
    file: FileId,
    mended: &'a Mended<'a>,
    text: &'a str,
    offsets: Offsets<'a>,
    limits: Limits,
    nodes: usize,
    frames: Vec<Frame>,
    anchors: HashMap<usize, (Node, usize)>,
    keys: HashSet<Arc<str>>,
    documents: Vec<Node>,
    diagnostics: Diagnostics,
}

impl<'a> Builder<'a> {
    fn new(file: FileId, mended: &'a Mended<'a>, limits: Limits) -> Self {
        let text = mended.text();
        Self {
            file,
            mended,
            text,
            offsets: Offsets::new(text),
            limits,
            nodes: 0,
            frames: Vec::new(),
            anchors: HashMap::new(),
            keys: HashSet::new(),
            documents: Vec::new(),
            diagnostics: Diagnostics::default(),
        }
    }

    fn read(&mut self) -> Result<(), Stop> {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| {
                let offset = self.offsets.byte(error.marker().index());
                Stop::Syntax(Problem { what: error.info().to_owned(), at: self.mended.original_offset(offset) })
            })?;
            let (start, end) = (self.offsets.byte(span.start.index()), self.offsets.byte(span.end.index()));
            self.event(event, start, end)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), Stop> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let start = self.behind_properties(start, anchor != 0 || tag.is_some()).min(end);
                // A block scalar ends with the line break of its last line.
                let end = if style == ScalarStyle::Plain && text.is_empty() {
                    start
                } else {
                    start + self.text[start..end].trim_end().len()
                };
                let span = self.span(start, end);
                let value = self.scalar(&text, style, tag, span);
                self.count(1, span)?;
                self.add(Node { span, value }, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => self.open(start, anchor, tag, FrameKind::List(Vec::new())),
            Event::MappingStart(anchor, tag) => {
                let start = self.behind_properties(start, anchor != 0 || tag.is_some());
                if self.text[start..].starts_with("{{") {
                    let at = self.mended.original_offset(start);
                    return Err(Stop::Syntax(Problem { what: syntax::UNQUOTED_TEMPLATE.to_owned(), at }));
                }
                self.open(start, anchor, tag, FrameKind::Map(merge::Entries::default(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(start, end),
            Event::Alias(anchor) => {
                let span = self.span(start, end);
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    self.diagnostics.push(
                        Diagnostic::error("yaml-alias", "this alias stands inside what it refers to")
                            .at(span, "refers to itself"),
                    );
                    return self.add(Node { span, value: NodeValue::Null }, 0, 1);
                };
                self.count(size, span)?;
                self.add(node, 0, size)
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => Ok(()),
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.mended.original_offset(start), self.mended.original_offset(end));
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    /// Skips `&anchor` and `!tag` in front of a value.
    fn behind_properties(&self, start: usize, any: bool) -> usize {
        if !any {
            return start;
        }
        let mut at = start;
        loop {
            let rest = &self.text[at..];
            let blank = rest.len() - rest.trim_start().len();
            if !rest[blank..].starts_with(['&', '!']) {
                return if rest[blank..].is_empty() { start } else { at + blank };
            }
            at += blank + rest[blank..].find(|c: char| c.is_whitespace()).unwrap_or(rest.len() - blank);
        }
    }

    fn open(&mut self, start: usize, anchor: usize, tag: Option<Cow<'_, Tag>>, kind: FrameKind) -> Result<(), Stop> {
        if self.frames.len() >= self.limits.depth {
            let span = self.span(start, start + 1);
            return Err(Stop::Limit(Box::new(
                Diagnostic::error("yaml-limit", format!("more than {} levels of nesting", self.limits.depth))
                    .at(span, "too deep here"),
            )));
        }
        let at = self.mended.original_offset(start) as u32;
        self.count(1, self.span(start, start + 1))?;
        self.frames.push(Frame { start: at, end: at, anchor, tag: tag.map(Cow::into_owned), size: 1, kind });
        Ok(())
    }

    fn close(&mut self, start: usize, end: usize) -> Result<(), Stop> {
        let frame = self.frames.pop().expect("the parser closes only what it opened");
        // The end of a block is reported where the next token stands; only brackets have a width.
        let bracket =
            if end > start && matches!(self.text.as_bytes()[start], b']' | b'}') { self.span(start, end).end } else { 0 };
        let span = Span { file: self.file, start: frame.start, end: frame.end.max(bracket) };
        let value = match frame.kind {
            FrameKind::List(items) => NodeValue::List(items.into()),
            FrameKind::Map(entries, _) => NodeValue::Map(Arc::new(Mapping { entries: entries.finish(&mut self.diagnostics) })),
        };
        let value = match frame.tag {
            Some(tag) => self.tagged_collection(value, &tag, span),
            None => value,
        };
        self.add(Node { span, value }, frame.anchor, frame.size)
    }

    /// Takes nodes from the budget.
    fn count(&mut self, size: usize, span: Span) -> Result<(), Stop> {
        self.nodes = self.nodes.saturating_add(size);
        if self.nodes <= self.limits.nodes {
            return Ok(());
        }
        Err(Stop::Limit(Box::new(
            Diagnostic::error("yaml-limit", format!("more than {} values in one file", self.limits.nodes))
                .at(first_byte(span), "too many up to here")
                .hint("aliases count as often as they are used; split the file if it really is that large"),
        )))
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Stop> {
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.frames.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        frame.size = frame.size.saturating_add(size);
        // An aliased node stands elsewhere.
        if node.span.start >= frame.end {
            frame.end = node.span.end;
        }
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node),
            FrameKind::Map(entries, pending) => match pending.take() {
                Some(key) => entries.add(key, node),
                None => *pending = Some(self.keys.intern(node)),
            },
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<Cow<'_, Tag>>, span: Span) -> NodeValue {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let Some(tag) = tag else {
            let typed = if style == Style::Plain { scalar::resolve(text) } else { None };
            return typed.unwrap_or_else(|| NodeValue::Str(text.into(), style));
        };
        let typed = match tag_name(&tag) {
            TagName::Core("str") | TagName::Plain => Some(NodeValue::Str(text.into(), style)),
            TagName::Core("null") => Some(NodeValue::Null),
            TagName::Core("bool") => scalar::boolean(text).map(NodeValue::Bool),
            TagName::Core("int") => scalar::integer(text).map(NodeValue::Int),
            TagName::Core("float") => scalar::float(text).or_else(|| text.replace('_', "").parse().ok()).map(NodeValue::Float),
            TagName::Core("timestamp") => Some(NodeValue::Str(text.into(), Style::Quoted)),
            TagName::Local("unsafe") => Some(NodeValue::Unsafe(text.into())),
            TagName::Local("vault" | "vault-encrypted") => Some(NodeValue::Vault(text.into())),
            _ => {
                self.unknown_tag(&tag, span);
                return NodeValue::Str(text.into(), style);
            }
        };
        typed.unwrap_or_else(|| {
            self.diagnostics.push(
                Diagnostic::error("yaml-tag", format!("`{text}` does not fit its tag `{}`", written(&tag)))
                    .at(span, "this value"),
            );
            NodeValue::Str(text.into(), style)
        })
    }

    fn tagged_collection(&mut self, value: NodeValue, tag: &Tag, span: Span) -> NodeValue {
        let fits = match (tag_name(tag), &value) {
            (TagName::Plain, _) | (TagName::Core("seq"), NodeValue::List(_)) | (TagName::Core("map"), NodeValue::Map(_)) => true,
            (TagName::Local("unsafe"), _) => return deep_unsafe(value),
            _ => false,
        };
        if !fits {
            self.unknown_tag(tag, first_byte(span));
        }
        value
    }

    fn unknown_tag(&mut self, tag: &Tag, span: Span) {
        let problem =
            Diagnostic::error("yaml-tag", format!("the tag `{}` has no meaning here", written(tag))).at(span, "tagged value");
        self.diagnostics.push(problem.hint(
            "known tags are `!vault`, `!unsafe`, `!!str`, `!!int`, `!!float`, `!!bool`, `!!null`; quote the value if it begins with `!`",
        ));
    }
}

/// Text inside a tagged collection is never a template either.
fn deep_unsafe(value: NodeValue) -> NodeValue {
    let below = |node: &Node| Node { span: node.span, value: deep_unsafe(node.value.clone()) };
    match value {
        NodeValue::Str(text, _) => NodeValue::Unsafe(text),
        NodeValue::List(items) => NodeValue::List(items.iter().map(below).collect()),
        NodeValue::Map(map) => {
            let entries = map.entries.iter().map(|(key, value)| (key.clone(), below(value))).collect();
            NodeValue::Map(Arc::new(Mapping { entries }))
        }
        other => other,
    }
}

enum TagName<'a> {
    /// `!`: text, whatever it looks like.
    Plain,
    /// `!!name`.
    Core(&'a str),
    /// `!name`.
    Local(&'a str),
    Other,
}

fn tag_name(tag: &Tag) -> TagName<'_> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("", "!") | ("!", "") => TagName::Plain,
        ("tag:yaml.org,2002:", name) => TagName::Core(name),
        ("!", name) => TagName::Local(name),
        ("", name) => match (name.strip_prefix("tag:yaml.org,2002:"), name.strip_prefix('!')) {
            (Some(name), _) => TagName::Core(name),
            (None, Some(name)) => TagName::Local(name),
            (None, None) => TagName::Other,
        },
        _ => TagName::Other,
    }
}

fn written(tag: &Tag) -> String {
    match tag_name(tag) {
        TagName::Plain => "!".to_owned(),
        TagName::Core(name) => format!("!!{name}"),
        TagName::Local(name) => format!("!{name}"),
        TagName::Other => format!("{}{}", tag.handle, tag.suffix),
    }
}

/// Keys repeat from host to host and from task to task: each is kept once.
trait Intern {
    fn intern(&mut self, key: Node) -> Node;
}

impl Intern for HashSet<Arc<str>> {
    fn intern(&mut self, mut key: Node) -> Node {
        if let NodeValue::Str(text, _) = &mut key.value {
            if let Some(known) = self.get(&**text) {
                *text = Arc::clone(known);
            } else {
                self.insert(Arc::clone(text));
            }
        }
        key
    }
}

/// From the parser's count of characters to bytes.
struct Offsets<'a> {
    text: &'a str,
    /// The byte of every 64th character; empty if every character is one byte.
    every: Vec<u32>,
}

impl<'a> Offsets<'a> {
    const STEP: usize = 64;

    fn new(text: &'a str) -> Self {
        let every =
            if text.is_ascii() { Vec::new() } else { text.char_indices().step_by(Self::STEP).map(|(at, _)| at as u32).collect() };
        Self { text, every }
    }

    fn byte(&self, character: usize) -> usize {
        if self.every.is_empty() {
            return character.min(self.text.len());
        }
        let Some(&base) = self.every.get(character / Self::STEP) else {
            return self.text.len();
        };
        let rest = &self.text[base as usize..];
        rest.char_indices().nth(character % Self::STEP).map_or(self.text.len(), |(at, _)| base as usize + at)
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
