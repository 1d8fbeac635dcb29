//! A program that a module drives, and the package that brings it.

use std::io::Read;
use std::path::Path;

use crate::commands::process::failed;
use crate::host::{CommandLine, Effect, Host, Inspect, Output, Stream};
use crate::outcome::Failure;

/// A program by name, and the package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

impl Tool {
    /// A program of a package.
    pub(crate) const fn new(program: &'static str, package: &'static str) -> Self {
        Self { program, package }
    }

    /// The program with these arguments, whose words are not translated.
    pub(crate) fn line<S: Into<String>>(self, words: impl IntoIterator<Item = S>) -> CommandLine {
        let argv = std::iter::once(self.program.to_owned()).chain(words.into_iter().map(Into::into));
        // LVM's tools complain of every descriptor that they inherit, in front of what matters.
        CommandLine::new(argv).env("LC_ALL", "C").env("LVM_SUPPRESS_FD_WARNINGS", "1")
    }

    /// Asks it something, whatever its exit status; `None` in a plan that would install it first.
    pub(crate) fn ask<S: Into<String>>(
        self,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<Option<Output>, Failure> {
        self.query(&self.line(words), host)
    }

    /// Asks it with a command line of its own (a directory, an input), whatever its exit status.
    pub(crate) fn query(self, line: &CommandLine, host: &dyn Inspect) -> Result<Option<Output>, Failure> {
        match host.query(line) {
            Ok(output) => Ok(Some(output)),
            Err(_) if self.is_planned(host) => Ok(None),
            Err(failure) => Err(self.missing(failure)),
        }
    }

    /// Asks it something that it must be able to answer.
    pub(crate) fn answer<S: Into<String>>(
        self,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<Option<String>, Failure> {
        let line = self.line(words);
        match self.ask(line.argv.iter().skip(1).cloned(), host)? {
            Some(output) if output.rc != 0 => Err(failed(&line, &output)),
            output => Ok(output.map(|output| output.text())),
        }
    }

    /// Lets it act; it must succeed.
    pub(crate) fn act<S: Into<String>>(
        self,
        words: impl IntoIterator<Item = S>,
        effects: &[Effect],
        host: &mut dyn Host,
    ) -> Result<Output, Failure> {
        self.run(&self.line(words), effects, host)
    }

    /// Lets it act with a command line of its own; it must succeed.
    pub(crate) fn run(self, line: &CommandLine, effects: &[Effect], host: &mut dyn Host) -> Result<Output, Failure> {
        let output = host.act(line, effects).map_err(|failure| self.missing(failure))?;
        if output.rc == 0 { Ok(output) } else { Err(failed(line, &output)) }
    }

    /// What it makes of an input, as it comes; for what is too large to be held.
    pub(crate) fn filter<S: Into<String>>(
        self,
        words: impl IntoIterator<Item = S>,
        input: Box<dyn Stream>,
        host: &dyn Inspect,
    ) -> Result<Box<dyn Read>, Failure> {
        self.filter_by(&self.line(words), input, host)
    }

    /// Like `filter` with a command line of its own (a directory).
    pub(crate) fn filter_by(
        self,
        line: &CommandLine,
        input: Box<dyn Stream>,
        host: &dyn Inspect,
    ) -> Result<Box<dyn Read>, Failure> {
        host.filter(line, input).map_err(|failure| {
            if self.is_planned(host) {
                return Failure::unknown(format!("`{}` is not installed yet", self.program));
            }
            self.missing(failure)
        })
    }

    /// Whether a plan would install it.
    fn is_planned(self, host: &dyn Inspect) -> bool {
        !host.acts() && host.package(self.package).ok().flatten().is_some_and(|package| package.planned)
    }

    /// A program that could not be run at all is usually not installed.
    fn missing(self, failure: Failure) -> Failure {
        // What the program itself said comes with its output; that it could not be run has only `rc`.
        if failure.result.get("rc") != Some(&2.into()) || failure.result.contains_key("stdout") {
            return failure;
        }
        Failure::new(format!("{failure}; the program `{}` is in the package `{}`", self.program, self.package))
    }
}

/// An error where a word from a playbook would be taken for an option.
pub(crate) fn plain_word(option: &str, word: &str) -> Result<(), Failure> {
    if word.is_empty() || word.starts_with('-') || word.contains(['\0', '\n']) {
        return Err(Failure::new(format!("`{option}`: `{word}` cannot be used as a name here")));
    }
    Ok(())
}

/// Whether a path is there, links followed.
pub(crate) fn exists(path: impl AsRef<Path>, host: &dyn Inspect) -> bool {
    crate::commands::glob::exists(path.as_ref(), host)
}
