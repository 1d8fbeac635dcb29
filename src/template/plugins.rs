//! Filters, tests and lookups that a project brings along. What runs them is handed in: this folder
//! starts no programs for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compile::unknown_name;
use super::error::{Absent, Fault, TemplateError, TemplateErrorKind};
use super::eval::Interpreter;
use super::val::{Args, Res, Val};
use crate::vars::Value;

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// Behind `|`.
    Filter,
    /// Behind `is`.
    Test,
    /// In `lookup(...)`.
    Lookup,
}

impl PluginKind {
    /// The kind in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Test => "test",
            Self::Lookup => "lookup",
        }
    }
}

/// A call of a plugin.
#[derive(Debug)]
pub struct PluginCall<'a> {
    /// What it is.
    pub kind: PluginKind,
    /// Its name, with the collection's if it was written so.
    pub name: &'a str,
    /// Arguments by place; of filters and tests the first is the input, of lookups they are the terms.
    pub plain: Vec<Value>,
    /// Arguments by name.
    pub named: Vec<(Arc<str>, Value)>,
    /// Where files of the project are searched, nearest first.
    pub search: &'a [PathBuf],
    /// The directory of the playbook.
    pub base: &'a Path,
}

/// The variables that a plugin may look at while it runs.
pub trait PluginVariables {
    /// Their names.
    fn names(&self) -> Vec<Arc<str>>;

    /// The value of one; none if it is not defined. The error says why it has no value.
    fn value(&self, name: &str) -> Result<Option<Value>, String>;
}

/// Why a plugin gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PluginError {
    /// What went wrong.
    pub message: String,
    /// The plugin's file, with the line if it is known.
    pub file: Option<String>,
    /// What can be done.
    pub hint: Option<String>,
    /// Of which kind the problem is.
    pub kind: TemplateErrorKind,
}

/// Runs plugins.
pub trait Plugins: std::fmt::Debug + Send + Sync {
    /// Looks for plugins in `filter_plugins`, `test_plugins` and `lookup_plugins` of a directory,
    /// and for collections in its `collections/ansible_collections` and `ansible_collections`, from
    /// now on.
    fn add_directory(&self, directory: &Path);

    /// Whether there may be a plugin of this name, as far as files tell without running any.
    fn may_have(&self, kind: PluginKind, name: &str) -> bool;

    /// Names of plugins, as far as files tell.
    fn names(&self, kind: PluginKind) -> Vec<String>;

    /// What is to be said about a name that no file defines; none if there is nothing to add.
    fn absence(&self, kind: PluginKind, name: &str) -> Option<(String, String)>;

    /// Calls one.
    fn call(&self, call: &PluginCall<'_>, variables: &dyn PluginVariables) -> Result<Value, PluginError>;
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub(super) enum Named<T: 'static> {
    /// Built in.
    Own(&'static T),
    /// Something that the project may bring along.
    Plugin(Arc<str>),
}

/// Who knows names of plugins while text is compiled.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known<'p> {
    /// Any name may be one: when it is not the question.
    Anything,
    /// These, if there are any, and the extensions of Jinja2 that are switched on.
    Only(Option<&'p dyn Plugins>, &'p [String]),
}

impl Known<'_> {
    /// Whether this extension of Jinja2 is there.
    pub(super) fn has_extension(self, name: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Only(_, extensions) => extensions.iter().any(|extension| extension.eq_ignore_ascii_case(name)),
        }
    }

    /// A name that is not built in.
    pub(super) fn plugin<'n, T>(
        self,
        kind: PluginKind,
        name: &str,
        own: impl Iterator<Item = &'n str>,
    ) -> Result<Named<T>, TemplateError> {
        let Self::Only(plugins, _) = self else { return Ok(Named::Plugin(name.into())) };
        let Some(plugins) = plugins else { return Err(unknown_name(kind.word(), name, own)) };
        if plugins.may_have(kind, name) {
            return Ok(Named::Plugin(name.into()));
        }
        if let Some((message, hint)) = plugins.absence(kind, name) {
            return Err(TemplateError::new(TemplateErrorKind::UnknownName, message).hint(hint));
        }
        let brought = plugins.names(kind);
        let names: Vec<&str> = own.collect();
        Err(unknown_name(kind.word(), name, names.into_iter().chain(brought.iter().map(String::as_str))))
    }
}

/// Variables of a context, for a plugin.
struct Seen<'i> {
    interpreter: &'i Interpreter<'i>,
}

impl PluginVariables for Seen<'_> {
    fn names(&self) -> Vec<Arc<str>> {
        self.interpreter.runtime.context(self.interpreter.around.context).scope.names()
    }

    fn value(&self, name: &str) -> Result<Option<Value>, String> {
        let runtime = self.interpreter.runtime;
        let found = match self.interpreter.around.frame.get(name) {
            Some(value) => Ok(Some(value)),
            None => runtime.variable(self.interpreter.around.context, name),
        };
        let value = found.and_then(|value| value.map(|value| runtime.known(&value)).transpose());
        value.map_err(|fault| match fault {
            Fault::Error(error) => error.message,
            Fault::Undefined(absent) => runtime.explained(&absent).message,
            Fault::Unknown(reason) => format!("`{name}` is not known before it is applied: {reason}"),
        })
    }
}

/// Calls a plugin. What it gets is known to its last part.
pub(super) fn call(it: &Interpreter<'_>, kind: PluginKind, name: &str, input: Option<Val>, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let Some(plugins) = &runtime.shared.settings.plugins else {
        return Err(unknown_name(kind.word(), name, std::iter::empty()).into());
    };
    runtime.steps(100)?;
    let plain = input.into_iter().chain(args.rest()).map(|value| runtime.known(&value)).collect::<Res<Vec<_>>>()?;
    let named = args.rest_named();
    let named = named.into_iter().map(|(name, value)| Ok((name, runtime.known(&value)?))).collect::<Res<Vec<_>>>()?;
    let scope = &runtime.context(it.around.context).scope;
    let base = &runtime.shared.settings.base;
    let call = PluginCall { kind, name, plain, named, search: &scope.search, base };
    match plugins.call(&call, &Seen { interpreter: it }) {
        Ok(value) => Ok(Val::from(value)),
        Err(error) => {
            let place = error.file.map_or_else(String::new, |file| format!(" of `{file}`"));
            let message = format!("the {} `{name}`{place}: {}", kind.word(), error.message);
            let told = TemplateError { hint: error.hint, ..TemplateError::new(error.kind, message) };
            match error.kind {
                TemplateErrorKind::Undefined => Ok(Val::undefined(Absent::from(told))),
                _ => Err(told.into()),
            }
        }
    }
}
