//! What a rule is: a name, a sentence, how bad it is, an example of either kind, and a function.

use super::follow::{PlayView, Seen};
use super::project::Project;
use crate::source::{Diagnostics, Severity};

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// The code of its diagnostics, and its name in `# noqa: NAME` and `--rule NAME`.
    pub name: &'static str,
    /// What it finds, in one sentence.
    pub doc: &'static str,
    /// How bad its worst finding is.
    pub severity: Severity,
    /// A project in which it finds something: a playbook, or several files, each after a line
    /// `### PATH`.
    pub bad: &'static str,
    /// The same project without the mistake.
    pub good: &'static str,
    /// How it looks.
    pub(super) check: Check,
}

/// How a rule looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Check {
    /// It is found while files are read, by who reads them.
    Reading,
    /// At every task and handler, once.
    Task(fn(&Seen, &Project<'_>, &mut Diagnostics)),
    /// At every play with what it reaches.
    Play(fn(&PlayView, &Project<'_>, &mut Diagnostics)),
    /// At everything together.
    Project(fn(&Project<'_>, &mut Diagnostics)),
}
