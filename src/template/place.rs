//! From byte offsets in a template's text to places in the file that it stands in.

use super::ast::Range;
use super::compile::CompileError;
use super::error::{Fault, TemplateError};
use crate::source::{FileId, Node, NodeValue, Span, Style};

/// Where a template's text stands.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// It is a file, from some byte on (a `#jinja2:` line is not part of the template).
    File { file: FileId, start: u32 },
    /// It is a value; with its first byte if the text stands there letter by letter.
    Value { span: Span, start: Option<u32> },
    /// Nobody knows.
    Nowhere,
}

impl Place {
    /// The place of a node's text.
    pub(super) fn of_node(node: &Node) -> Self {
        match &node.value {
            NodeValue::Str(text, style) => Self::of_text(text, node.span, *style),
            _ => Self::Value { span: node.span, start: None },
        }
    }

    /// The place of text that stands at `span`. It is exact where the lengths show that nothing
    /// was escaped, folded or indented.
    pub(super) fn of_text(text: &str, span: Span, style: Style) -> Self {
        let length = span.end.saturating_sub(span.start) as usize;
        let start = match style {
            Style::Quoted if length == text.len() + 2 => Some(span.start + 1),
            _ if length == text.len() => Some(span.start),
            _ => None,
        };
        Self::Value { span, start }
    }

    /// The span of a range of the text.
    pub(super) fn span(&self, (start, end): Range) -> Option<Span> {
        match self {
            Self::File { file, start: first } => Some(Span { file: *file, start: first + start, end: first + end.max(start) }),
            Self::Value { span, start: Some(first) } => {
                let clamp = |at: u32| (first + at).min(span.end);
                Some(Span { file: span.file, start: clamp(start), end: clamp(end.max(start)) })
            }
            Self::Value { span, start: None } => Some(*span),
            Self::Nowhere => None,
        }
    }

    /// The whole text's place, for parts whose own place is lost.
    pub(super) fn coarse(&self) -> Self {
        match self {
            Self::Value { span, .. } => Self::Value { span: *span, start: None },
            other => other.clone(),
        }
    }

    /// A compile error with its place.
    pub(super) fn error(&self, (mut error, range): CompileError) -> Fault {
        error.span = error.span.or_else(|| self.span(range));
        Fault::from(error)
    }

    /// The same as an error for the caller.
    pub(super) fn template_error(&self, (mut error, range): CompileError) -> TemplateError {
        error.span = error.span.or_else(|| self.span(range));
        error
    }
}
