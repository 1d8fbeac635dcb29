//! What an evaluation works with: values as they are while a template runs. Lists and
//! dictionaries can be changed in place, variables are rendered when they are touched, and
//! undefined and unknown travel along until someone needs them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use indexmap::IndexMap;

use super::error::{Absent, Fault};
use super::eval::Interpreter;
use super::runtime::Runtime;
use crate::source::Node;
use crate::vars::{Key, Value};

/// The result of a step.
pub(super) type Res<T = Val> = Result<T, Fault>;

/// A dictionary while a template runs.
pub(super) type Dict = IndexMap<Key, Val>;

/// A value while a template runs. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum Val {
    Undefined(Rc<Absent>),
    Unknown(Arc<str>),
    Omit,
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    List(Rc<RefCell<Vec<Val>>>),
    Tuple(Rc<Vec<Val>>),
    Map(Rc<RefCell<Dict>>),
    /// A list or dictionary of data that nobody has changed.
    Data(Value),
    /// Only inside lists and dictionaries: a part of a variable that was not touched yet.
    Lazy(Rc<Lazy>),
    Object(Rc<dyn Object>),
}

/// A part of a variable that is rendered when it is touched.
#[derive(Debug)]
pub(super) struct Lazy {
    pub(super) node: Node,
    /// In whose variables it is rendered.
    pub(super) context: usize,
    pub(super) done: RefCell<Option<Val>>,
}

/// Things that are neither text, number nor container.
pub(super) trait Object: std::fmt::Debug {
    /// Python's name of the type.
    fn type_name(&self) -> &'static str;

    /// An attribute or item.
    fn get(&self, runtime: &Runtime, key: &Key) -> Res<Option<Val>> {
        let _ = (runtime, key);
        Ok(None)
    }

    /// Sets an attribute; false if it has none that can be set.
    fn set(&self, name: &Arc<str>, value: Val) -> bool {
        let _ = (name, value);
        false
    }

    /// Keys, if it is a mapping.
    fn keys(&self, runtime: &Runtime) -> Option<Vec<Key>> {
        let _ = runtime;
        None
    }

    /// Items, if it can be walked through.
    fn items(&self) -> Option<Vec<Val>> {
        None
    }

    /// Calls it.
    fn call(&self, interpreter: &Interpreter<'_>, args: Args) -> Res {
        let _ = (interpreter, args);
        Err(super::error::fail(format!("`{}` cannot be called", self.type_name())))
    }

    /// Calls a method; none if there is no such method.
    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        let _ = (interpreter, name, args);
        None
    }

    /// Python's `str`.
    fn text(&self) -> String {
        format!("<{}>", self.type_name())
    }

    /// For operators on objects that know each other.
    fn any(&self) -> &dyn std::any::Any;
}

impl Val {
    pub(super) fn str(text: impl Into<Arc<str>>) -> Self {
        Self::Str(text.into())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub(super) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(Rc::new(items))
    }

    pub(super) fn dict(entries: Dict) -> Self {
        Self::Map(Rc::new(RefCell::new(entries)))
    }

    pub(super) fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    pub(super) fn undefined(absent: impl Into<Absent>) -> Self {
        Self::Undefined(Rc::new(absent.into()))
    }

    pub(super) fn as_str(&self) -> Option<&Arc<str>> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_mapping(&self, runtime: &Runtime) -> bool {
        match self {
            Self::Map(_) | Self::Data(Value::Map(_)) => true,
            Self::Object(object) => object.keys(runtime).is_some(),
            _ => false,
        }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::Tuple(_) | Self::Data(Value::List(_)))
    }

    /// Python's name of the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::Unknown(_) => "unknown",
            Self::Omit => "omit",
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Map(_) => "dict",
            Self::Data(value) => value.type_name(),
            Self::Lazy(_) => "str",
            Self::Object(object) => object.type_name(),
        }
    }
}

impl From<Value> for Val {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Int(number) => Self::Int(number),
            Value::Float(number) => Self::Float(number),
            Value::Str(text) => Self::Str(text),
            Value::Omit => Self::Omit,
            Value::Unknown(reason) => Self::Unknown(reason),
            container @ (Value::List(_) | Value::Map(_)) => Self::Data(container),
        }
    }
}

impl From<&Key> for Val {
    fn from(key: &Key) -> Self {
        Value::from(key.clone()).into()
    }
}

/// Arguments of a call: taken in the order in which the parameters are declared.
#[derive(Debug, Default)]
pub(super) struct Args {
    plain: std::collections::VecDeque<Val>,
    named: Vec<(Arc<str>, Val)>,
}

impl Args {
    pub(super) fn new(plain: Vec<Val>, named: Vec<(Arc<str>, Val)>) -> Self {
        Self { plain: plain.into(), named }
    }

    /// The next parameter, by place or by name.
    pub(super) fn next(&mut self, name: &str) -> Option<Val> {
        self.plain.pop_front().or_else(|| self.named(name))
    }

    /// The next parameter, which must be given.
    pub(super) fn required(&mut self, name: &str) -> Res {
        self.next(name).ok_or_else(|| super::error::fail(format!("the argument `{name}` is missing")))
    }

    /// A parameter that is only given by name.
    pub(super) fn named(&mut self, name: &str) -> Option<Val> {
        let at = self.named.iter().position(|(own, _)| &**own == name)?;
        Some(self.named.remove(at).1)
    }

    /// Whether a parameter is given by name.
    pub(super) fn has_named(&self, name: &str) -> bool {
        self.named.iter().any(|(own, _)| &**own == name)
    }

    /// All remaining arguments without a name.
    pub(super) fn rest(&mut self) -> Vec<Val> {
        self.plain.drain(..).collect()
    }

    /// All remaining arguments with a name.
    pub(super) fn rest_named(&mut self) -> Vec<(Arc<str>, Val)> {
        std::mem::take(&mut self.named)
    }

    /// The first argument that keeps the call from being made: undefined or unknown.
    pub(super) fn stopper(&self) -> Option<Val> {
        let all = self.plain.iter().chain(self.named.iter().map(|(_, value)| value));
        all.into_iter().find(|value| matches!(value, Val::Undefined(_) | Val::Unknown(_))).cloned()
    }

    /// Refuses what nobody took.
    pub(super) fn finish(&self) -> Res<()> {
        if let Some((name, _)) = self.named.first() {
            return Err(super::error::fail(format!("there is no argument `{name}`")));
        }
        if !self.plain.is_empty() {
            return Err(super::error::fail("there are too many arguments"));
        }
        Ok(())
    }
}
