//! The renderer: what the rest of the program asks for, on top of compile and evaluate.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use super::ast::{Expr, Template};
use super::compile::{self, Backslash, CompileError};
use super::error::{Fault, TemplateError, TemplateErrorKind};
use super::eval::{Home, Interpreter};
use super::place::Place;
use super::plugins::{Known, Plugins};
use super::regexes::Patterns;
use super::runtime::Runtime;
use super::val::{Res, Val};
use super::{FileOptions, Truth};
use crate::source::{FileId, Node, NodeValue, SourceMap, Span, Style};
use crate::vars::{Definition, Scope, Value};
use crate::vault::Vault;

/// What rendering needs from outside; the library reads no environment itself.
#[derive(Debug, Clone, Default)]
pub struct RenderSettings {
    /// The controller's environment, for `lookup('env', ...)`.
    pub environment: BTreeMap<String, String>,
    /// The directory that relative paths of lookups start from when nothing nearer has the file.
    pub base: PathBuf,
    /// What opens encrypted values and files.
    pub vault: Arc<Vault>,
    /// Runs filters, tests and lookups that projects bring along.
    pub plugins: Option<Arc<dyn Plugins>>,
    /// Extensions of Jinja2 that are switched on: `jinja2.ext.do`, `jinja2.ext.loopcontrols`.
    pub extensions: Vec<String>,
}

/// Compiled templates of one kind are dropped together when there are more than this.
const KEPT: usize = 20_000;

/// What all renderings share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) settings: RenderSettings,
    values: RwLock<HashMap<Arc<str>, Arc<Template>>>,
    expressions: RwLock<HashMap<Arc<str>, Arc<Expr>>>,
    files: Mutex<HashMap<PathBuf, KnownFile>>,
    pub(super) patterns: Patterns,
}

/// A template file that was compiled.
#[derive(Debug, Clone)]
struct KnownFile {
    file: FileId,
    text: Arc<str>,
    options: FileOptions,
    template: Arc<Template>,
}

impl Shared {
    /// Compiled text of a playbook or inventory.
    pub(super) fn value_template(&self, text: &str) -> Result<Arc<Template>, CompileError> {
        kept(&self.values, text, || compile::template(text, &FileOptions::default(), Backslash::Literal, self.known()))
    }

    pub(super) fn expression(&self, text: &str) -> Result<Arc<Expr>, CompileError> {
        kept(&self.expressions, text, || compile::expression(text, self.known()))
    }

    /// Who knows names of plugins.
    pub(super) fn known(&self) -> Known<'_> {
        Known::Only(self.settings.plugins.as_deref(), &self.settings.extensions)
    }

    /// Compiled file of templates; `#jinja2:` lines are honoured. `known` is its entry in the
    /// source map, if it has one already.
    pub(super) fn file_template(
        &self,
        map: &SourceMap,
        path: &Path,
        text: Arc<str>,
        known: Option<FileId>,
        options: &FileOptions,
    ) -> Result<(FileId, Arc<Template>), TemplateError> {
        {
            let files = self.files.lock().expect("no thread panics while it holds this");
            if let Some(kept) = files.get(path)
                && kept.text == text
                && kept.options == *options
                && known.is_none_or(|known| known == kept.file)
            {
                return Ok((kept.file, Arc::clone(&kept.template)));
            }
        }
        let file = known.unwrap_or_else(|| map.add(path, Arc::clone(&text)));
        let template = super::header::compile(&text, options, self.known())
            .map_err(|error| Place::File { file, start: 0 }.template_error(error))?;
        let template = Arc::new(template);
        let entry = KnownFile { file, text, options: options.clone(), template: Arc::clone(&template) };
        let mut files = self.files.lock().expect("no thread panics while it holds this");
        if files.len() > KEPT {
            files.clear();
        }
        files.insert(path.to_owned(), entry);
        Ok((file, template))
    }
}

fn kept<T>(
    store: &RwLock<HashMap<Arc<str>, Arc<T>>>,
    text: &str,
    compile: impl FnOnce() -> Result<T, CompileError>,
) -> Result<Arc<T>, CompileError> {
    if let Some(found) = store.read().expect("no thread panics while it holds this").get(text) {
        return Ok(Arc::clone(found));
    }
    let compiled = Arc::new(compile()?);
    let mut store = store.write().expect("no thread panics while it holds this");
    if store.len() > KEPT {
        store.clear();
    }
    store.insert(text.into(), Arc::clone(&compiled));
    Ok(compiled)
}

/// Renders values, expressions and files. Shared by all hosts; compiled templates are kept.
#[derive(Debug)]
pub struct Renderer {
    pub(super) shared: Arc<Shared>,
}

impl Renderer {
    /// A renderer for one run.
    pub fn new(settings: RenderSettings) -> Self {
        Self { shared: Arc::new(Shared { settings, ..Shared::default() }) }
    }

    /// Looks for plugins beside a playbook or in a role, from now on.
    pub fn add_plugins_of(&self, directory: &Path) {
        if let Some(plugins) = &self.shared.settings.plugins {
            plugins.add_directory(directory);
        }
    }

    fn runtime(&self, scope: &Scope) -> Runtime {
        Runtime::new(Arc::clone(&self.shared), scope, None)
    }

    /// Renders a YAML value deeply: text that is exactly one expression keeps its native type.
    pub fn value(&self, node: &Node, scope: &Scope) -> Result<Value, TemplateError> {
        if let Some(plain) = plain(node) {
            return Ok(plain);
        }
        let runtime = self.runtime(scope);
        ended(&runtime, runtime.node(0, node).and_then(|value| runtime.finished(&value)), Some(node.span))
    }

    /// Evaluates a bare expression, as in `when`, `until`, `changed_when` (without braces).
    pub fn expression(&self, text: &str, span: Span, scope: &Scope) -> Result<Value, TemplateError> {
        let runtime = self.runtime(scope);
        let place = Place::of_text(text, span, Style::Plain);
        ended(&runtime, self.bare(&runtime, text, &place, false).and_then(|value| runtime.finished(&value)), Some(span))
    }

    fn bare(&self, runtime: &Runtime, text: &str, place: &Place, is_condition: bool) -> Res {
        let expr = self.shared.expression(text).map_err(|error| place.error(error))?;
        let interpreter = Interpreter { renders_constants: is_condition, ..Interpreter::new(runtime, 0, place.clone()) };
        match interpreter.eval(&expr) {
            Err(Fault::Unknown(reason)) => Ok(Val::Unknown(reason)),
            other => other,
        }
    }

    /// The truth of a condition node: a bare expression, a boolean, or a list (all must hold).
    pub fn condition(&self, node: &Node, scope: &Scope) -> Result<Truth, TemplateError> {
        if let NodeValue::Bool(value) = node.value {
            return Ok(if value { Truth::Yes } else { Truth::No });
        }
        self.holds(&self.runtime(scope), node)
    }

    fn holds(&self, runtime: &Runtime, node: &Node) -> Result<Truth, TemplateError> {
        let value = match &node.value {
            NodeValue::Null => return Ok(Truth::Yes),
            NodeValue::List(items) => {
                let mut unknown = None;
                for item in items.iter() {
                    match self.holds(runtime, item) {
                        Ok(Truth::Yes) => {}
                        Ok(Truth::No) => return Ok(Truth::No),
                        Ok(Truth::Unknown(reason)) => {
                            unknown.get_or_insert(reason);
                        }
                        // What stands behind an unknown condition may never be looked at.
                        Err(_) if unknown.is_some() => {}
                        Err(error) => return Err(error),
                    }
                }
                return Ok(unknown.map_or(Truth::Yes, Truth::Unknown));
            }
            NodeValue::Str(text, style) => {
                // An empty condition holds, as in Ansible.
                if text.trim().is_empty() {
                    return Ok(Truth::Yes);
                }
                let place = Place::of_text(text, node.span, *style);
                let trimmed = text.trim();
                let value = if trimmed.starts_with("{{") || trimmed.starts_with("{%") || trimmed.starts_with("{#") {
                    self.braced(runtime, text, &place)
                } else {
                    self.bare(runtime, text, &place, true)
                };
                ended(runtime, value, Some(node.span))?
            }
            _ => ended(runtime, runtime.node(0, node), Some(node.span))?,
        };
        match value {
            Val::Bool(true) => Ok(Truth::Yes),
            Val::Bool(false) => Ok(Truth::No),
            Val::Unknown(reason) => Ok(Truth::Unknown(reason)),
            Val::Undefined(error) => Err(located(runtime.explained(&error), Some(node.span))),
            other => {
                let shown = runtime.repr(&other).unwrap_or_else(|_| other.type_name().to_owned());
                let message = format!("the condition's result is {}, a `{}`, not a boolean", short(&shown), other.type_name());
                let hint = "compare it, or use `| bool`, `is truthy`, `| length > 0`";
                Err(located(TemplateError::new(TemplateErrorKind::Failed, message).hint(hint), Some(node.span)))
            }
        }
    }

    /// A condition in braces. `{{ name }}` of a variable that a user wrote as text is that text's
    /// expression; text that anything else makes, or that came from a host, is not one.
    fn braced(&self, runtime: &Runtime, text: &Arc<str>, place: &Place) -> Res {
        let name = text.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        let context = runtime.context(0);
        if let Some((variable, _)) = name.and_then(|name| context.scope.lookup(name))
            && let Definition::Source(node) = &variable.definition
            && let NodeValue::Str(expression, style) = &node.value
            && !super::has_template(expression)
        {
            return self.bare(runtime, expression, &Place::of_text(expression, node.span, *style), true);
        }
        runtime.text(0, text, place)
    }

    /// The value of one variable.
    pub fn variable(&self, name: &str, scope: &Scope) -> Result<Option<Value>, TemplateError> {
        let runtime = self.runtime(scope);
        let span = runtime.defined(0, name);
        ended(&runtime, runtime.variable(0, name).and_then(|value| value.map(|value| runtime.value(&value)).transpose()), span)
    }

    /// Renders a template file as the `template` module does (`trim_blocks`, keep one trailing
    /// newline, the `#jinja2:` header). `file` is its entry in the source map, `path` where it lies.
    /// The result is text, or unknown in a plan.
    pub fn file(&self, map: &SourceMap, file: FileId, scope: &Scope, options: &FileOptions) -> Result<Value, TemplateError> {
        let runtime = Runtime::new(Arc::clone(&self.shared), scope, Some(map.clone()));
        let path = map.path(file);
        let (file, template) = self.shared.file_template(map, &path, map.text(file), Some(file), options)?;
        let place = Place::File { file, start: template.start };
        let home = Home { directory: path.parent().map(Path::to_owned), options: options.clone() };
        let text = map.text(file);
        let interpreter = Interpreter::of_file(&runtime, place, home);
        let written = interpreter.render_text(&template, &text).and_then(|value| match value {
            Val::Unknown(reason) => Err(Fault::Unknown(reason)),
            Val::Null | Val::Omit => Ok("".into()),
            value => runtime.written(&value),
        });
        ended(&runtime, written.map(Value::from), Some(Span { file, start: 0, end: 0 }))
    }

    /// Checks syntax without rendering: of text with braces, or (if `bare`) of an expression.
    pub fn check(&self, text: &str, span: Span, bare: bool) -> Result<(), TemplateError> {
        if bare {
            if text.trim().is_empty() {
                return Ok(());
            }
            let place = Place::of_text(text, span, Style::Plain);
            let trimmed = text.trim();
            if !(trimmed.starts_with("{{") || trimmed.starts_with("{%")) {
                return self.shared.expression(text).map(drop).map_err(|error| place.template_error(error));
            }
        }
        if !super::has_template(text) {
            return Ok(());
        }
        let quoted = (span.end - span.start) as usize == text.len() + 2;
        let place = Place::of_text(text, span, if quoted { Style::Quoted } else { Style::Plain });
        self.shared.value_template(text).map(drop).map_err(|error| place.template_error(error))
    }
}

/// The value of a node in which nothing is to be rendered.
fn plain(node: &Node) -> Option<Value> {
    Some(match &node.value {
        NodeValue::Null => Value::Null,
        NodeValue::Bool(value) => Value::Bool(*value),
        NodeValue::Int(number) => Value::Int(*number),
        NodeValue::Float(number) => Value::Float(*number),
        NodeValue::Unsafe(text) => Value::Str(Arc::clone(text)),
        NodeValue::Str(text, _) if !super::has_template(text) => Value::Str(Arc::clone(text)),
        NodeValue::List(items) => Value::from(items.iter().map(plain).collect::<Option<Vec<_>>>()?),
        NodeValue::Map(map) => {
            let entry = |(key, value): &(Node, Node)| Some((super::runtime::node_key(key).ok()?, plain(value)?));
            Value::from(map.entries.iter().map(entry).collect::<Option<crate::vars::Map>>()?)
        }
        _ => return None,
    })
}

/// The end of an evaluation: what is undefined is an error, what is unknown is not.
fn ended<T: From<EndUnknown>>(runtime: &Runtime, result: Res<T>, span: Option<Span>) -> Result<T, TemplateError> {
    match result {
        Ok(value) => Ok(value),
        Err(Fault::Unknown(reason)) => Ok(T::from(EndUnknown(reason))),
        Err(Fault::Error(error)) => Err(located(*error, span)),
        Err(Fault::Undefined(error)) => Err(located(runtime.explained(&error), span)),
    }
}

/// An unknown end, for whichever kind of value is wanted.
struct EndUnknown(Arc<str>);

impl From<EndUnknown> for Value {
    fn from(unknown: EndUnknown) -> Self {
        Self::Unknown(unknown.0)
    }
}

impl From<EndUnknown> for Val {
    fn from(unknown: EndUnknown) -> Self {
        Self::Unknown(unknown.0)
    }
}

impl From<EndUnknown> for Option<Value> {
    fn from(unknown: EndUnknown) -> Self {
        Some(Value::Unknown(unknown.0))
    }
}

fn located(mut error: TemplateError, span: Option<Span>) -> TemplateError {
    error.span = error.span.or(span);
    error
}

fn short(text: &str) -> String {
    if text.chars().count() <= 60 { text.to_owned() } else { text.chars().take(60).chain(['…']).collect() }
}
