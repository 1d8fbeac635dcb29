//! Templates and expressions. The only folder that knows minijinja.
//!
//! Text that came from a host is never compiled as a template: only [`Definition::Source`] nodes
//! and files of the project are.
//!
//! [`Definition::Source`]: crate::vars::Definition::Source

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::source::{Diagnostic, Node, Span};
use crate::vars::{Scope, Value};

/// What rendering needs from outside; the library reads no environment itself.
#[derive(Debug, Clone, Default)]
pub struct RenderSettings {
    /// The controller's environment, for `lookup('env', ...)`.
    pub environment: BTreeMap<String, String>,
    /// The directory that relative paths of lookups start from when nothing nearer has the file.
    pub base: PathBuf,
}

/// Why something could not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What kind of problem.
    pub kind: TemplateErrorKind,
    /// What happened, with the names in backticks.
    pub message: String,
    /// The exact place: in a YAML value, or in a template file.
    pub span: Option<Span>,
    /// Where the variable concerned is defined, if that helps.
    pub defined: Option<Span>,
    /// What can be done.
    pub hint: Option<String>,
}

/// Kinds of template problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// It does not parse.
    Syntax,
    /// A variable or attribute is not defined.
    Undefined,
    /// A variable's definition uses itself.
    Cycle,
    /// A filter, test, lookup or function does not exist.
    UnknownName,
    /// A filter, test or lookup refused its input, or a limit was reached.
    Failed,
}

impl TemplateError {
    /// The same as a diagnostic; `fallback` is the place if the error has none.
    pub fn diagnostic(&self, fallback: Span) -> Diagnostic {
        let code = match self.kind {
            TemplateErrorKind::Syntax => "template-syntax",
            TemplateErrorKind::Undefined => "undefined-variable",
            TemplateErrorKind::Cycle => "variable-cycle",
            TemplateErrorKind::UnknownName => "unknown-template-name",
            TemplateErrorKind::Failed => "template-failed",
        };
        let mut diagnostic = Diagnostic::error(code, &*self.message).at(self.span.unwrap_or(fallback), "here");
        if let Some(defined) = self.defined {
            diagnostic = diagnostic.related(defined, "defined here");
        }
        if let Some(hint) = &self.hint {
            diagnostic = diagnostic.hint(hint.clone());
        }
        diagnostic
    }
}

/// The truth of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// In a plan: it depends on something that is not known, with the reason.
    Unknown(Arc<str>),
}

/// Renders values, expressions and files. Shared by all hosts; compiled templates are kept.
#[derive(Debug)]
pub struct Renderer {
    settings: RenderSettings,
}

impl Renderer {
    /// A renderer for one run.
    pub fn new(settings: RenderSettings) -> Self {
        Self { settings }
    }

    /// Renders a YAML value deeply: text that is exactly one expression keeps its native type.
    pub fn value(&self, node: &Node, scope: &Scope) -> Result<Value, TemplateError> {
        let _ = (node, scope, &self.settings);
        todo!()
    }

    /// Evaluates a bare expression, as in `when`, `until`, `changed_when` (without braces).
    pub fn expression(&self, text: &str, span: Span, scope: &Scope) -> Result<Value, TemplateError> {
        let _ = (text, span, scope);
        todo!()
    }

    /// The truth of a condition node: a bare expression, a boolean, or a list (all must hold).
    pub fn condition(&self, node: &Node, scope: &Scope) -> Result<Truth, TemplateError> {
        let _ = (node, scope);
        todo!()
    }

    /// The value of one variable.
    pub fn variable(&self, name: &str, scope: &Scope) -> Result<Option<Value>, TemplateError> {
        let _ = (name, scope);
        todo!()
    }

    /// Renders a template file as the `template` module does (`trim_blocks`, keep one trailing
    /// newline, the `#jinja2:` header). `file` is its entry in the source map, `path` where it lies.
    /// The result is text, or unknown in a plan.
    pub fn file(
        &self,
        map: &crate::source::SourceMap,
        file: crate::source::FileId,
        scope: &Scope,
        options: &FileOptions,
    ) -> Result<Value, TemplateError> {
        let _ = (map, file, scope, options);
        todo!()
    }

    /// Checks syntax without rendering: of text with braces, or (if `bare`) of an expression.
    pub fn check(&self, text: &str, span: Span, bare: bool) -> Result<(), TemplateError> {
        let _ = (text, span, bare);
        todo!()
    }
}

/// Options of the `template` module that concern rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Remove the first newline after a block. Default: true.
    pub trim_blocks: bool,
    /// Strip blanks before a block. Default: false.
    pub lstrip_blocks: bool,
    /// What a newline is in the result. Default: `\n`.
    pub newline_sequence: String,
    /// `block_start_string` etc., in the order block start, block end, variable start, variable
    /// end, comment start, comment end.
    pub delimiters: [String; 6],
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            delimiters: ["{%", "%}", "{{", "}}", "{#", "#}"].map(Into::into),
        }
    }
}

/// Names of variables that an expression (or, unless `bare`, text with braces) reads.
pub fn refs(text: &str, bare: bool) -> BTreeSet<String> {
    let _ = (text, bare);
    BTreeSet::new()
}
