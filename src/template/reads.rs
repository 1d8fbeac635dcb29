//! What text and template files read, with places: for checks before a run.

use std::sync::Arc;

use super::FileOptions;
use super::error::TemplateError;
use super::place::Place;
use super::refs::{self, Need};
use super::renderer::Renderer;
use crate::source::{FileId, Node, NodeValue, SourceMap, Span};

/// A variable that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its name.
    pub name: Arc<str>,
    /// Where.
    pub span: Span,
    /// How much depends on it.
    pub need: Need,
}

impl Renderer {
    /// What the text of one node reads (not of those below it): text with braces, or, if `bare`,
    /// an expression. Text that does not parse reads nothing.
    pub fn reads(&self, node: &Node, bare: bool) -> Vec<Read> {
        let NodeValue::Str(text, _) = &node.value else { return Vec::new() };
        let found = if super::has_template(text) {
            self.shared.value_template(text).map(|template| refs::of_template(&template))
        } else if bare && !text.trim().is_empty() {
            self.shared.expression(text).map(|expr| refs::of_expression(&expr))
        } else {
            return Vec::new();
        };
        placed(found.unwrap_or_default(), &Place::of_node(node))
    }

    /// What a template file reads; an error if it does not parse.
    pub fn file_reads(&self, map: &SourceMap, file: FileId, options: &FileOptions) -> Result<Vec<Read>, TemplateError> {
        let (_, template) = self.shared.file_template(map, &map.path(file), map.text(file), Some(file), options)?;
        Ok(placed(refs::of_template(&template), &Place::File { file, start: template.start }))
    }
}

fn placed(found: Vec<refs::Read>, place: &Place) -> Vec<Read> {
    found.into_iter().filter_map(|read| Some(Read { span: place.span(read.at)?, name: read.name, need: read.need })).collect()
}
