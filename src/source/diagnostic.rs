//! What a user wrote badly: collected, then shown together with the source.

use std::collections::HashMap;

use super::map::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing may run.
    Error,
    /// It runs, but probably not as meant.
    Warning,
    /// A matter of style.
    Info,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// What stands at a place gives way to another text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// What goes; empty where something is only put in.
    pub span: Span,
    /// What comes instead.
    pub text: String,
}

/// One problem, with its place and what can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable short name, e.g. `unknown-module`.
    pub code: &'static str,
    /// What happened: lower case, no full stop, values in backticks.
    pub message: String,
    /// Where, and what is to be seen there.
    pub span: Option<(Span, String)>,
    /// Other places that matter ("defined here").
    pub related: Vec<(Span, String)>,
    /// What can be done.
    pub hint: Option<String>,
    /// Edits that remove the problem without changing what the file means; all or none.
    pub fix: Vec<Replacement>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span: None,
            related: Vec::new(),
            hint: None,
            fix: Vec::new(),
        }
    }

    /// A warning without a place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// A remark without a place yet.
    pub fn info(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, ..Self::error(code, message) }
    }

    /// Says where; `label` stands under the source line ("used here").
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.span = Some((span, label.into()));
        self
    }

    /// Adds another place.
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }

    /// Says what can be done.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds an edit of its remedy.
    pub fn replace(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix.push(Replacement { span, text: text.into() });
        self
    }
}

/// Problems found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Where in the list the ones of a code at a place are.
    index: HashMap<(Option<Span>, &'static str), Vec<usize>>,
}

impl Diagnostics {
    /// Adds one; the same problem at the same place is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let place = diagnostic.span.as_ref().map(|(span, _)| *span);
        let same = self.index.entry((place, diagnostic.code)).or_default();
        if !same.iter().any(|at| self.list[*at] == diagnostic) {
            same.push(self.list.len());
            self.list.push(diagnostic);
        }
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Self) {
        for diagnostic in other.list {
            self.push(diagnostic);
        }
    }

    /// Gives those without a place this one: what is wrong with a host pattern is known before the
    /// place where it was written.
    pub fn placed(self, span: Span, label: &str) -> Self {
        let mut placed = Self::default();
        for mut diagnostic in self.list {
            diagnostic.span.get_or_insert_with(|| (span, label.to_owned()));
            placed.push(diagnostic);
        }
        placed
    }

    /// Whether nothing may run.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them, in the order in which they were found.
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.list
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }
}
