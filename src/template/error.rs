//! Why something could not be rendered, and what stops an evaluation on its way.

use std::rc::{Rc, Weak};
use std::sync::Arc;

use super::eval::Frame;
use super::val::Val;
use crate::source::{Diagnostic, Span};

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

    pub(super) fn new(kind: TemplateErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), span: None, defined: None, hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Something that is not there: an error if it is needed. Most often it is not (`x | default(1)`),
/// so a near name is looked for only then.
#[derive(Debug, Clone)]
pub(super) struct Absent {
    pub(super) error: TemplateError,
    /// The name that was asked for, and among which.
    pub(super) wanted: Option<(Arc<str>, Among)>,
}

/// Where a near name may be found.
#[derive(Debug, Clone)]
pub(super) enum Among {
    /// Variables of a context, and names that the template has set.
    Variables { context: usize, frame: Weak<Frame> },
    /// Keys of a mapping.
    Keys(Val),
}

impl From<TemplateError> for Absent {
    fn from(error: TemplateError) -> Self {
        Self { error, wanted: None }
    }
}

/// What stops an evaluation. Undefined and unknown are not errors yet: whoever asked for the
/// value decides.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// A problem that a user must hear of.
    Error(Box<TemplateError>),
    /// Something undefined was needed.
    Undefined(Rc<Absent>),
    /// Something was needed that is not known before it is applied.
    Unknown(Arc<str>),
}

impl From<TemplateError> for Fault {
    fn from(error: TemplateError) -> Self {
        Self::Error(Box::new(error))
    }
}

impl Fault {
    /// The same, with a place if it is an error that has none yet.
    pub(super) fn at(self, span: Option<Span>) -> Self {
        match self {
            Self::Error(mut error) if error.span.is_none() => {
                error.span = span;
                Self::Error(error)
            }
            other => other,
        }
    }
}

/// A failure in words; the caller adds the place.
pub(super) fn fail(message: impl Into<String>) -> Fault {
    TemplateError::new(TemplateErrorKind::Failed, message).into()
}
