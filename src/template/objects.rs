//! Things that templates find in their hands: loops, modules, namespaces, other hosts' variables.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use super::ast::For;
use super::error::fail;
use super::eval::{Interpreter, Surroundings};
use super::exec::Piece;
use super::methods;
use super::runtime::Runtime;
use super::val::{Args, Dict, Object, Res, Val};
use crate::vars::Key;

/// `loop` inside a `{% for %}`.
#[derive(Debug)]
pub(super) struct LoopObject {
    items: Vec<Val>,
    at: Cell<usize>,
    depth: usize,
    recursion: Option<(Arc<For>, Surroundings)>,
    changed: RefCell<Option<Vec<Val>>>,
}

impl LoopObject {
    pub(super) fn new(items: Vec<Val>, depth: usize, recursion: Option<(Arc<For>, Surroundings)>) -> Self {
        Self { items, at: Cell::new(0), depth, recursion, changed: RefCell::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn go_to(&self, at: usize) {
        self.at.set(at);
    }

    pub(super) fn item(&self, at: usize) -> Val {
        self.items[at].clone()
    }
}

impl Object for LoopObject {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        let (at, length) = (self.at.get(), self.items.len());
        let number = |number: usize| Some(Val::Int(number as i64));
        Ok(match key.as_str().unwrap_or("") {
            "index" => number(at + 1),
            "index0" => number(at),
            "revindex" => number(length - at),
            "revindex0" => number(length - at - 1),
            "first" => Some(Val::Bool(at == 0)),
            "last" => Some(Val::Bool(at + 1 == length)),
            "length" => number(length),
            "depth" => number(self.depth + 1),
            "depth0" => number(self.depth),
            "previtem" => at.checked_sub(1).map(|before| self.items[before].clone()),
            "nextitem" => self.items.get(at + 1).cloned(),
            _ => None,
        })
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        let result = match name {
            "cycle" => {
                let values = args.rest();
                if values.is_empty() {
                    Err(fail("nothing to cycle through"))
                } else {
                    Ok(values[self.at.get() % values.len()].clone())
                }
            }
            "changed" => {
                let values = args.rest();
                let mut last = self.changed.borrow_mut();
                let same = match &*last {
                    Some(last) => interpreter.runtime.equal(&Val::list(last.clone()), &Val::list(values.clone())),
                    None => Ok(false),
                };
                *last = Some(values);
                same.map(|same| Val::Bool(!same))
            }
            _ => return None,
        };
        Some(result.and_then(|value| args.finish().map(|()| value)))
    }

    fn call(&self, interpreter: &Interpreter<'_>, mut args: Args) -> Res {
        let Some((each, around)) = &self.recursion else {
            return Err(fail("`loop` can only be called in a loop that says `recursive`"));
        };
        let over = args.required("iterable")?;
        args.finish()?;
        let inner = interpreter.in_other(around.clone());
        let mut out: Vec<Piece> = Vec::new();
        inner.each_of(each, &over, self.depth + 1, &mut out)?;
        inner.joined(&out)
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// An imported template: the names that it set.
#[derive(Debug)]
pub(super) struct Module {
    names: Vec<(Arc<str>, Val)>,
}

impl Module {
    pub(super) fn new(names: Vec<(Arc<str>, Val)>) -> Self {
        Self { names }
    }

    pub(super) fn member(&self, name: &str) -> Option<Val> {
        self.names.iter().find(|(own, _)| &**own == name).map(|(_, value)| value.clone())
    }
}

impl Object for Module {
    fn type_name(&self) -> &'static str {
        "TemplateModule"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        Ok(key.as_str().and_then(|name| self.member(name)))
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `namespace(...)`: attributes that loops can set.
#[derive(Debug, Default)]
pub(super) struct Namespace {
    pub(super) names: RefCell<Dict>,
}

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        Ok(self.names.borrow().get(key).cloned())
    }

    fn set(&self, name: &Arc<str>, value: Val) -> bool {
        self.names.borrow_mut().insert(Key::Str(Arc::clone(name)), value);
        true
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `hostvars`.
#[derive(Debug)]
pub(super) struct HostVars {
    pub(super) context: usize,
}

impl Object for HostVars {
    fn type_name(&self) -> &'static str {
        "HostVars"
    }

    fn get(&self, runtime: &Runtime, key: &Key) -> Res<Option<Val>> {
        let Some(name) = key.as_str() else { return Ok(None) };
        Ok(runtime.host(self.context, name).map(|context| Val::object(ScopeVars { context })))
    }

    fn keys(&self, runtime: &Runtime) -> Option<Vec<Key>> {
        let world = runtime.context(self.context).scope.world.clone()?;
        Some(world.hosts().into_iter().map(Key::Str).collect())
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        methods::of_mapping(interpreter, &Val::object(Self { context: self.context }), name, args)
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// All variables of one host: `hostvars[host]`, `vars`.
#[derive(Debug)]
pub(super) struct ScopeVars {
    pub(super) context: usize,
}

impl Object for ScopeVars {
    fn type_name(&self) -> &'static str {
        "HostVarsVars"
    }

    fn get(&self, runtime: &Runtime, key: &Key) -> Res<Option<Val>> {
        match key.as_str() {
            Some(name) => runtime.variable(self.context, name),
            None => Ok(None),
        }
    }

    fn keys(&self, runtime: &Runtime) -> Option<Vec<Key>> {
        Some(runtime.context(self.context).scope.names().into_iter().map(Key::Str).collect())
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        methods::of_mapping(interpreter, &Val::object(Self { context: self.context }), name, args)
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// What a function of the language does.
pub(super) type Run = fn(&Interpreter<'_>, &mut Args) -> Res;

/// A function of the language: `lookup`, `range` ...
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) run: Run,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<function {}>", self.name)
    }
}

impl Object for Function {
    fn type_name(&self) -> &'static str {
        "function"
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        if self.name != "dict" || name != "fromkeys" {
            return None;
        }
        Some(dict_of_keys(interpreter.runtime, args))
    }

    fn call(&self, interpreter: &Interpreter<'_>, mut args: Args) -> Res {
        let stops = !matches!(self.name, "dict" | "namespace");
        if let Some(stopper) = args.stopper().filter(|_| stops) {
            return Ok(stopper);
        }
        let result = (self.run)(interpreter, &mut args).and_then(|value| args.finish().map(|()| value));
        result.map_err(|error| match error {
            super::error::Fault::Error(mut error) if error.span.is_none() && !error.message.contains('`') => {
                error.message = format!("`{}`: {}", self.name, error.message);
                super::error::Fault::Error(error)
            }
            other => other,
        })
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `dict.fromkeys(keys, value)`.
fn dict_of_keys(runtime: &Runtime, args: &mut Args) -> Res {
    let keys = runtime.items(&args.required("iterable")?)?;
    let value = args.next("value").unwrap_or(Val::Null);
    args.finish()?;
    Ok(Val::dict(keys.iter().map(|key| Ok((runtime.key(key)?, value.clone()))).collect::<Res<_>>()?))
}

/// `range(...)`: a list that prints as Python's.
#[derive(Debug)]
pub(super) struct RangeObject {
    pub(super) start: i64,
    pub(super) stop: i64,
    pub(super) step: i64,
}

impl Object for RangeObject {
    fn type_name(&self) -> &'static str {
        "range"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        let Key::Int(at) = key else { return Ok(None) };
        let items = self.items().unwrap_or_default();
        let at = if *at < 0 { *at + items.len() as i64 } else { *at };
        Ok(usize::try_from(at).ok().and_then(|at| items.get(at).cloned()))
    }

    fn items(&self) -> Option<Vec<Val>> {
        let mut items = Vec::new();
        let mut at = self.start;
        while (self.step > 0 && at < self.stop) || (self.step < 0 && at > self.stop) {
            items.push(Val::Int(at));
            at = at.checked_add(self.step)?;
        }
        Some(items)
    }

    fn text(&self) -> String {
        match self.step {
            1 => format!("range({}, {})", self.start, self.stop),
            step => format!("range({}, {}, {step})", self.start, self.stop),
        }
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// A method that was not called yet: `'x'.upper`.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) of: Val,
    pub(super) name: Arc<str>,
}

impl Object for Bound {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }

    fn call(&self, interpreter: &Interpreter<'_>, mut args: Args) -> Res {
        let result = methods::call(interpreter, &self.of, &self.name, &mut args);
        let result = result.unwrap_or_else(|| Err(fail(format!("there is no method `{}`", self.name))));
        result.and_then(|value| args.finish().map(|()| value))
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `cycler(...)` and `joiner(...)`: functions with a memory.
#[derive(Debug)]
pub(super) enum Stateful {
    Cycler { values: Vec<Val>, at: Cell<usize> },
    Joiner { separator: Val, used: Cell<bool> },
}

impl Object for Stateful {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Cycler { .. } => "Cycler",
            Self::Joiner { .. } => "Joiner",
        }
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        Ok(match self {
            Self::Cycler { values, at } if key.as_str() == Some("current") => Some(values[at.get()].clone()),
            _ => None,
        })
    }

    fn method(&self, _: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        let Self::Cycler { values, at } = self else { return None };
        let value = match name {
            "next" => {
                let value = values[at.get()].clone();
                at.set((at.get() + 1) % values.len());
                value
            }
            "reset" => {
                at.set(0);
                Val::Null
            }
            _ => return None,
        };
        Some(args.finish().map(|()| value))
    }

    fn call(&self, _: &Interpreter<'_>, args: Args) -> Res {
        args.finish()?;
        match self {
            Self::Joiner { separator, used } => Ok(if used.replace(true) { separator.clone() } else { Val::str("") }),
            Self::Cycler { .. } => Err(fail("a cycler is asked with `.next()`")),
        }
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}
