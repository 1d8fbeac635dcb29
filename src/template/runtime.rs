//! One rendering: whose variables are seen, what was rendered already, and how much may be spent.
//! Also the questions that every filter asks of a value, whatever form it has.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Absent, Among, Fault, TemplateError, TemplateErrorKind, fail};
use super::eval::Interpreter;
use super::filters::vault::closed;
use super::place::Place;
use super::renderer::Shared;
use super::val::{Dict, Lazy, Res, Val};
use crate::source::suggest::did_you_mean;
use crate::source::{Node, NodeValue, SourceMap, Span};
use crate::vars::{Definition, Key, Origin, Scope, Value, python};

/// Steps of one rendering.
const FUEL: u64 = 5_000_000;
/// Bytes that one rendering may make, thrown away ones included.
const BYTES: u64 = 128 << 20;
/// Variables in variables, macros in macros, nested expressions.
const DEPTH: u32 = 400;

/// The state of one rendering.
pub(super) struct Runtime {
    pub(super) shared: Arc<Shared>,
    pub(super) map: Option<SourceMap>,
    contexts: RefCell<Vec<Rc<Context>>>,
    hosts: RefCell<HashMap<Arc<str>, usize>>,
    fuel: Cell<u64>,
    bytes: Cell<u64>,
    depth: Cell<u32>,
    /// Time spent in searches that may turn back.
    pub(super) matching: Cell<Duration>,
    tuples_as_lists: Cell<bool>,
    /// Frames that macros hold on to; emptied at the end, since a macro stands in its own frame.
    pub(super) frames: RefCell<Vec<Rc<super::eval::Frame>>>,
}

/// The variables of one host in one rendering.
pub(super) struct Context {
    pub(super) scope: Arc<Scope>,
    memo: RefCell<HashMap<Arc<str>, Memo>>,
}

enum Memo {
    Busy,
    Done(Val),
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for frame in self.frames.take() {
            frame.clear();
        }
    }
}

impl Runtime {
    pub(super) fn new(shared: Arc<Shared>, scope: &Scope, map: Option<SourceMap>) -> Self {
        let context = Rc::new(Context { scope: Arc::new(scope.clone()), memo: RefCell::default() });
        Self {
            shared,
            map,
            contexts: RefCell::new(vec![context]),
            hosts: RefCell::default(),
            fuel: Cell::new(FUEL),
            bytes: Cell::new(BYTES),
            depth: Cell::new(0),
            matching: Cell::default(),
            tuples_as_lists: Cell::new(false),
            frames: RefCell::default(),
        }
    }

    pub(super) fn context(&self, id: usize) -> Rc<Context> {
        Rc::clone(&self.contexts.borrow()[id])
    }

    /// The context of another host.
    pub(super) fn host(&self, of: usize, name: &str) -> Option<usize> {
        if let Some(id) = self.hosts.borrow().get(name) {
            return Some(*id);
        }
        let scope = self.context(of).scope.world.as_ref()?.scope(name)?;
        let mut contexts = self.contexts.borrow_mut();
        contexts.push(Rc::new(Context { scope, memo: RefCell::default() }));
        self.hosts.borrow_mut().insert(name.into(), contexts.len() - 1);
        Some(contexts.len() - 1)
    }

    /// A context in which no variable is defined; files are found as in the given one.
    pub(super) fn without_variables(&self, of: usize) -> usize {
        let search = Arc::clone(&self.context(of).scope.search);
        let scope = Arc::new(Scope { search, ..Scope::default() });
        let mut contexts = self.contexts.borrow_mut();
        contexts.push(Rc::new(Context { scope, memo: RefCell::default() }));
        contexts.len() - 1
    }

    /// One more step.
    pub(super) fn step(&self) -> Res<()> {
        self.steps(1)
    }

    /// So many more steps.
    pub(super) fn steps(&self, count: u64) -> Res<()> {
        match self.fuel.get().checked_sub(count) {
            Some(left) => {
                self.fuel.set(left);
                Ok(())
            }
            None => Err(limit("does too much work", "five million steps are the limit of one rendering")),
        }
    }

    /// So many more bytes.
    pub(super) fn bytes(&self, count: usize) -> Res<()> {
        match self.bytes.get().checked_sub(count as u64) {
            Some(left) => {
                self.bytes.set(left);
                Ok(())
            }
            None => Err(limit("makes too much text", "128 MiB are the limit of one rendering")),
        }
    }

    /// Runs something one level deeper.
    pub(super) fn deeper<T>(&self, run: impl FnOnce() -> Res<T>) -> Res<T> {
        if self.depth.get() >= DEPTH {
            return Err(limit("is nested too deeply", "variables or macros that use each other may go 400 levels deep"));
        }
        self.depth.set(self.depth.get() + 1);
        let result = stacker::maybe_grow(256 << 10, 4 << 20, run);
        self.depth.set(self.depth.get() - 1);
        result
    }

    /// A variable, rendered; none if nobody defines it.
    pub(super) fn variable(&self, id: usize, name: &str) -> Res<Option<Val>> {
        let context = self.context(id);
        match context.memo.borrow().get(name) {
            Some(Memo::Done(value)) => return Ok(Some(value.clone())),
            Some(Memo::Busy) => {
                let error = TemplateError::new(TemplateErrorKind::Cycle, format!("the definition of `{name}` uses itself"));
                let defined = definition_span(&context.scope, name);
                return Err(TemplateError { span: defined, defined, ..error }.into());
            }
            None => {}
        }
        let Some((variable, _)) = context.scope.lookup(name) else { return Ok(None) };
        let node = match &variable.definition {
            Definition::Data(value) => return Ok(Some(Val::from(value.clone()))),
            Definition::Source(node) => node.clone(),
        };
        let name: Arc<str> = name.into();
        context.memo.borrow_mut().insert(Arc::clone(&name), Memo::Busy);
        let result = self.deeper(|| self.node(id, &node));
        match &result {
            Ok(value) => context.memo.borrow_mut().insert(name, Memo::Done(value.clone())),
            Err(_) => context.memo.borrow_mut().remove(&name),
        };
        result.map(Some)
    }

    /// Puts a changed container in a variable's place, for this rendering.
    pub(super) fn rebind(&self, id: usize, name: &str, value: Val) {
        self.context(id).memo.borrow_mut().insert(name.into(), Memo::Done(value));
    }

    /// Where a variable is defined.
    pub(super) fn defined(&self, id: usize, name: &str) -> Option<Span> {
        definition_span(&self.context(id).scope, name)
    }

    /// What is absent, as an error: with the nearest name that exists.
    pub(super) fn explained(&self, absent: &Absent) -> TemplateError {
        let hint = absent.wanted.as_ref().and_then(|(name, among)| match among {
            Among::Variables { context, frame } => {
                let mut names = self.context(*context).scope.names();
                if let Some(frame) = frame.upgrade() {
                    frame.all_names(&mut names);
                }
                did_you_mean(name, names.iter().map(|name| &**name))
            }
            Among::Keys(base) => {
                let keys = self.try_items(base).ok().flatten().unwrap_or_default();
                did_you_mean(name, keys.iter().filter_map(Val::as_str).map(|key| &**key))
            }
        });
        TemplateError { hint: absent.error.hint.clone().or(hint), ..absent.error.clone() }
    }

    /// A node as a value: text with templates is rendered, what is inside containers later.
    pub(super) fn node(&self, context: usize, node: &Node) -> Res {
        Ok(match &node.value {
            NodeValue::Null => Val::Null,
            NodeValue::Bool(value) => Val::Bool(*value),
            NodeValue::Int(number) => Val::Int(*number),
            NodeValue::Float(number) => Val::Float(*number),
            NodeValue::Unsafe(text) => Val::Str(Arc::clone(text)),
            NodeValue::Str(text, _) if super::has_template(text) => {
                return self.text(context, text, &Place::of_node(node));
            }
            NodeValue::Str(text, _) => Val::Str(Arc::clone(text)),
            // Its content is data: never a template.
            NodeValue::Vault(sealed) => match self.shared.settings.vault.text(sealed) {
                Ok(text) => Val::Str(text),
                Err(error) => return Err(closed(&error).at(Some(node.span))),
            },
            NodeValue::List(items) => Val::list(items.iter().map(|item| self.part(context, item)).collect()),
            NodeValue::Map(map) => {
                let entry = |(key, value): &(Node, Node)| Ok((node_key(key)?, self.part(context, value)));
                Val::dict(map.entries.iter().map(entry).collect::<Res<Dict>>()?)
            }
        })
    }

    /// A part of a container: as it is if nothing can go wrong, else later.
    fn part(&self, context: usize, node: &Node) -> Val {
        match &node.value {
            NodeValue::Null => Val::Null,
            NodeValue::Bool(value) => Val::Bool(*value),
            NodeValue::Int(number) => Val::Int(*number),
            NodeValue::Float(number) => Val::Float(*number),
            NodeValue::Unsafe(text) => Val::Str(Arc::clone(text)),
            NodeValue::Str(text, _) if !super::has_template(text) => Val::Str(Arc::clone(text)),
            _ => Val::Lazy(Rc::new(Lazy { node: node.clone(), context, done: RefCell::default() })),
        }
    }

    /// Text with templates in a playbook or inventory.
    pub(super) fn text(&self, context: usize, text: &Arc<str>, place: &Place) -> Res {
        let template = self.shared.value_template(text).map_err(|error| place.error(error))?;
        self.deeper(|| Interpreter::new(self, context, place.clone()).render(&template, text))
    }

    /// The value itself, rendered now if it was not touched yet.
    pub(super) fn force(&self, value: &Val) -> Res {
        let Val::Lazy(lazy) = value else { return Ok(value.clone()) };
        if let Some(done) = &*lazy.done.borrow() {
            return Ok(done.clone());
        }
        let value = self.deeper(|| self.node(lazy.context, &lazy.node))?;
        *lazy.done.borrow_mut() = Some(value.clone());
        Ok(value)
    }

    /// What comes out of a rendering. What is undefined is an error now, wherever it stands.
    pub(super) fn value(&self, value: &Val) -> Res<Value> {
        Ok(match value {
            Val::Undefined(error) => return Err(Fault::Undefined(Rc::clone(error))),
            Val::Unknown(reason) => Value::Unknown(Arc::clone(reason)),
            Val::Omit => Value::Omit,
            Val::Null => Value::Null,
            Val::Bool(value) => Value::Bool(*value),
            Val::Int(number) => Value::Int(*number),
            Val::Float(number) => Value::Float(*number),
            Val::Str(text) => Value::Str(Arc::clone(text)),
            Val::List(items) => self.values(&items.borrow())?,
            Val::Tuple(items) => self.values(items)?,
            Val::Map(map) => {
                let mut out = crate::vars::Map::with_capacity(map.borrow().len());
                for (key, value) in map.borrow().iter() {
                    self.step()?;
                    let value = self.deeper(|| self.value(value))?;
                    if value != Value::Omit {
                        out.insert(key.clone(), value);
                    }
                }
                Value::from(out)
            }
            Val::Data(value) => value.clone(),
            Val::Lazy(_) => return self.value(&self.force(value)?),
            Val::Object(object) => {
                if let Some(keys) = object.keys(self) {
                    let mut out = crate::vars::Map::with_capacity(keys.len());
                    for key in keys {
                        self.step()?;
                        if let Some(value) = object.get(self, &key)? {
                            out.insert(key, self.value(&value)?);
                        }
                    }
                    return Ok(Value::from(out));
                }
                match object.items() {
                    Some(items) => self.values(&items)?,
                    None if object.type_name() == "datetime" => Value::from(object.text()),
                    None => return Err(fail(format!("a `{}` cannot be a variable's value", object.type_name()))),
                }
            }
        })
    }

    /// The value of a whole template. A `range` is for loops and filters; Ansible does not take it
    /// for a list either.
    pub(super) fn finished(&self, value: &Val) -> Res<Value> {
        match value {
            Val::Object(object) if object.type_name() == "range" => {
                let error = TemplateError::new(TemplateErrorKind::Failed, "a `range` is not a list yet");
                Err(error.hint("write `range(...) | list`").into())
            }
            value => self.value(value),
        }
    }

    fn values(&self, items: &[Val]) -> Res<Value> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            self.step()?;
            let item = self.deeper(|| self.value(item))?;
            if item != Value::Omit {
                out.push(item);
            }
        }
        Ok(Value::from(out))
    }

    /// Like [`Self::value`], for what must be known to its last part.
    pub(super) fn known(&self, value: &Val) -> Res<Value> {
        let value = self.value(value)?;
        match value.unknown_within() {
            Some(reason) => Err(Fault::Unknown(Arc::clone(reason))),
            None => Ok(value),
        }
    }

    /// Refuses undefined and unknown.
    pub(super) fn solid(&self, value: &Val) -> Res<()> {
        match value {
            Val::Undefined(error) => Err(Fault::Undefined(Rc::clone(error))),
            Val::Unknown(reason) => Err(Fault::Unknown(Arc::clone(reason))),
            _ => Ok(()),
        }
    }

    /// The items that a loop over the value walks through, rendered.
    pub(super) fn items(&self, value: &Val) -> Res<Vec<Val>> {
        self.solid(value)?;
        let items = self.try_items(value)?;
        let items = items.ok_or_else(|| fail(format!("a `{}` cannot be walked through", value.type_name())))?;
        self.steps(items.len() as u64)?;
        Ok(items)
    }

    /// The same; none for what has no items.
    pub(super) fn try_items(&self, value: &Val) -> Res<Option<Vec<Val>>> {
        Ok(Some(match value {
            Val::List(items) => self.forced(&items.borrow().clone())?,
            Val::Tuple(items) => self.forced(items)?,
            Val::Map(map) => map.borrow().keys().map(Val::from).collect(),
            Val::Data(Value::List(items)) => items.iter().cloned().map(Val::from).collect(),
            Val::Data(Value::Map(map)) => map.keys().map(Val::from).collect(),
            Val::Str(text) => text.chars().map(|c| Val::str(c.to_string())).collect(),
            Val::Lazy(_) => return self.try_items(&self.force(value)?),
            Val::Object(object) => match object.keys(self) {
                Some(keys) => keys.iter().map(Val::from).collect(),
                None => return Ok(object.items()),
            },
            _ => return Ok(None),
        }))
    }

    fn forced(&self, items: &[Val]) -> Res<Vec<Val>> {
        items.iter().map(|item| self.force(item)).collect()
    }

    /// Keys and values of a mapping; none if it is none.
    pub(super) fn pairs(&self, value: &Val) -> Res<Option<Vec<(Key, Val)>>> {
        self.solid(value)?;
        Ok(Some(match value {
            Val::Map(map) => {
                let entries: Vec<_> = map.borrow().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                self.steps(entries.len() as u64)?;
                entries.into_iter().map(|(key, value)| Ok((key, self.force(&value)?))).collect::<Res<_>>()?
            }
            Val::Data(Value::Map(map)) => map.iter().map(|(key, value)| (key.clone(), Val::from(value.clone()))).collect(),
            Val::Object(object) => match object.keys(self) {
                Some(keys) => {
                    let mut pairs = Vec::with_capacity(keys.len());
                    for key in keys {
                        if let Some(value) = object.get(self, &key)? {
                            pairs.push((key, value));
                        }
                    }
                    pairs
                }
                None => return Ok(None),
            },
            _ => return Ok(None),
        }))
    }

    /// Keys and values of what must be a mapping.
    pub(super) fn mapping(&self, value: &Val) -> Res<Vec<(Key, Val)>> {
        self.pairs(value)?.ok_or_else(|| fail(format!("a dictionary is needed, not a `{}`", value.type_name())))
    }

    /// How many items; none for what has no length.
    pub(super) fn length(&self, value: &Val) -> Res<Option<usize>> {
        self.solid(value)?;
        Ok(match value {
            Val::List(items) => Some(items.borrow().len()),
            Val::Tuple(items) => Some(items.len()),
            Val::Map(map) => Some(map.borrow().len()),
            Val::Data(Value::List(items)) => Some(items.len()),
            Val::Data(Value::Map(map)) => Some(map.len()),
            Val::Str(text) => Some(text.chars().count()),
            Val::Object(_) => self.try_items(value)?.map(|items| items.len()),
            _ => None,
        })
    }

    /// What stands under a key of a mapping or at a place of a list.
    pub(super) fn get(&self, value: &Val, key: &Key) -> Res<Option<Val>> {
        let at = |length: usize| match key {
            Key::Int(index) => usize::try_from(if *index < 0 { index + length as i64 } else { *index }).ok(),
            Key::Bool(index) => Some(usize::from(*index)),
            _ => None,
        };
        let found = match value {
            Val::Map(map) => map.borrow().get(key).cloned(),
            Val::Data(Value::Map(map)) => map.get(key).cloned().map(Val::from),
            Val::List(items) => at(items.borrow().len()).and_then(|at| items.borrow().get(at).cloned()),
            Val::Tuple(items) => at(items.len()).and_then(|at| items.get(at).cloned()),
            Val::Data(Value::List(items)) => at(items.len()).and_then(|at| items.get(at).cloned()).map(Val::from),
            Val::Str(text) => match key {
                Key::Int(_) | Key::Bool(_) => {
                    at(text.chars().count()).and_then(|at| text.chars().nth(at)).map(|c| Val::str(c.to_string()))
                }
                _ => None,
            },
            Val::Object(object) => return object.get(self, key),
            Val::Int(_) | Val::Float(_) if key.as_str() == Some("real") => Some(value.clone()),
            Val::Int(_) if key.as_str() == Some("imag") => Some(Val::Int(0)),
            Val::Float(_) if key.as_str() == Some("imag") => Some(Val::Float(0.0)),
            _ => None,
        };
        found.map(|value| self.force(&value)).transpose()
    }

    /// A value as a dictionary key.
    pub(super) fn key(&self, value: &Val) -> Res<Key> {
        Ok(match value {
            Val::Str(text) => Key::Str(Arc::clone(text)),
            Val::Int(number) => Key::Int(*number),
            Val::Bool(value) => Key::Bool(*value),
            Val::Null => Key::Null,
            Val::Float(number) => Key::Float(*number),
            Val::Undefined(_) | Val::Unknown(_) => {
                self.solid(value)?;
                Key::Null
            }
            Val::Lazy(_) => self.key(&self.force(value)?)?,
            other => return Err(fail(format!("a `{}` cannot be a dictionary's key", other.type_name()))),
        })
    }

    /// Python's truth.
    pub(super) fn truth(&self, value: &Val) -> Res<bool> {
        self.solid(value)?;
        Ok(match value {
            Val::Null => false,
            Val::Bool(value) => *value,
            Val::Int(number) => *number != 0,
            Val::Float(number) => *number != 0.0,
            Val::Str(text) => !text.is_empty(),
            Val::Data(value) => value.truthy(),
            Val::Lazy(_) => return self.truth(&self.force(value)?),
            other => self.length(other)?.is_none_or(|length| length > 0),
        })
    }

    /// Python's `str`.
    pub(super) fn string(&self, value: &Val) -> Res<Arc<str>> {
        let text: Arc<str> = match value {
            Val::Str(text) => Arc::clone(text),
            Val::Omit => "".into(),
            Val::Object(object) if object.keys(self).is_none() && object.type_name() != "_GroupTuple" => object.text().into(),
            other => {
                let mut out = String::new();
                self.write_repr(other, &mut out)?;
                out.into()
            }
        };
        self.bytes(text.len())?;
        Ok(text)
    }

    /// What a value is as a part of a text: like [`Self::string`], with tuples as lists.
    pub(super) fn written(&self, value: &Val) -> Res<Arc<str>> {
        self.tuples_as_lists.set(true);
        let text = self.string(value);
        self.tuples_as_lists.set(false);
        text
    }

    /// Python's `repr`.
    pub(super) fn repr(&self, value: &Val) -> Res<String> {
        let mut out = String::new();
        self.write_repr(value, &mut out)?;
        self.bytes(out.len())?;
        Ok(out)
    }

    fn write_repr(&self, value: &Val, out: &mut String) -> Res<()> {
        self.solid(value)?;
        self.step()?;
        match value {
            Val::Str(text) => out.push_str(&python::text_repr(text)),
            Val::Float(number) => out.push_str(&python::float(*number)),
            Val::Int(number) => out.push_str(&number.to_string()),
            Val::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Val::Null => out.push_str("None"),
            Val::Data(data) => {
                if let Some(reason) = data.unknown_within() {
                    return Err(Fault::Unknown(Arc::clone(reason)));
                }
                out.push_str(&data.repr());
            }
            Val::Omit => out.push_str("<omit>"),
            Val::Lazy(_) => self.write_repr(&self.force(value)?, out)?,
            Val::Tuple(items) if !self.tuples_as_lists.get() => {
                out.push('(');
                self.write_items(items, out)?;
                out.push_str(if items.len() == 1 { ",)" } else { ")" });
            }
            Val::Object(object) if object.keys(self).is_none() && object.type_name() != "_GroupTuple" => {
                out.push_str(&object.text());
            }
            other => {
                if let Some(pairs) = self.pairs(other)? {
                    out.push('{');
                    let mut first = true;
                    for (key, value) in pairs.iter().filter(|(_, value)| !matches!(value, Val::Omit)) {
                        if !std::mem::take(&mut first) {
                            out.push_str(", ");
                        }
                        out.push_str(&key.repr());
                        out.push_str(": ");
                        self.deeper(|| self.write_repr(value, out))?;
                    }
                    out.push('}');
                } else {
                    out.push('[');
                    self.write_items(&self.items(other)?, out)?;
                    out.push(']');
                }
            }
        }
        Ok(())
    }

    fn write_items(&self, items: &[Val], out: &mut String) -> Res<()> {
        let mut first = true;
        for item in items.iter().filter(|item| !matches!(item, Val::Omit)) {
            if !std::mem::take(&mut first) {
                out.push_str(", ");
            }
            self.deeper(|| self.write_repr(item, out))?;
            self.bytes(8)?;
        }
        Ok(())
    }

    /// Python's `==`.
    pub(super) fn equal(&self, left: &Val, right: &Val) -> Res<bool> {
        let (left, right) = (&self.force(left)?, &self.force(right)?);
        self.solid(left)?;
        self.solid(right)?;
        self.step()?;
        if let (Some(left), Some(right)) = (number(left), number(right)) {
            return Ok(left.order(right) == Some(Ordering::Equal));
        }
        Ok(match (left, right) {
            (Val::Null, Val::Null) | (Val::Omit, Val::Omit) => true,
            (Val::Str(left), Val::Str(right)) => left == right,
            (Val::Data(left), Val::Data(right)) if left.unknown_within().is_none() && left == right => true,
            _ if left.is_list() && right.is_list() => {
                if matches!(left, Val::Tuple(_)) != matches!(right, Val::Tuple(_)) {
                    return Ok(false);
                }
                let (left, right) = (self.items(left)?, self.items(right)?);
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (left, right) in left.iter().zip(&right) {
                    if !self.deeper(|| self.equal(left, right))? {
                        return Ok(false);
                    }
                }
                true
            }
            (Val::Object(left), Val::Object(right)) if left.keys(self).is_none() => {
                Rc::ptr_eq(left, right) || (left.type_name() == right.type_name() && left.text() == right.text())
            }
            _ => match (self.pairs(left)?, self.pairs(right)?) {
                (Some(pairs), Some(others)) => {
                    if pairs.len() != others.len() {
                        return Ok(false);
                    }
                    for (key, value) in &pairs {
                        match self.get(right, key)? {
                            Some(other) if self.deeper(|| self.equal(value, &other))? => {}
                            _ => return Ok(false),
                        }
                    }
                    true
                }
                _ => false,
            },
        })
    }

    /// Python's `<` and its siblings.
    pub(super) fn order(&self, left: &Val, right: &Val) -> Res<Ordering> {
        let (left, right) = (&self.force(left)?, &self.force(right)?);
        self.solid(left)?;
        self.solid(right)?;
        self.step()?;
        if let (Some(one), Some(other)) = (number(left), number(right)) {
            return Ok(one.order(other).unwrap_or(Ordering::Less));
        }
        match (left, right) {
            (Val::Str(left), Val::Str(right)) => Ok(left.cmp(right)),
            _ if left.is_list() && right.is_list() => {
                let (left, right) = (self.items(left)?, self.items(right)?);
                for (left, right) in left.iter().zip(&right) {
                    if !self.equal(left, right)? {
                        return self.order(left, right);
                    }
                }
                Ok(left.len().cmp(&right.len()))
            }
            (Val::Object(one), Val::Object(other)) if one.type_name() == other.type_name() => Ok(one.text().cmp(&other.text())),
            _ => Err(fail(format!("a `{}` and a `{}` have no order", left.type_name(), right.type_name()))),
        }
    }

    /// Python's `in`.
    pub(super) fn contains(&self, container: &Val, item: &Val) -> Res<bool> {
        self.solid(container)?;
        self.solid(item)?;
        if let Val::Str(text) = container {
            return match item {
                Val::Str(part) => Ok(text.contains(&**part)),
                other => Err(fail(format!("`in` a text asks for text, not for a `{}`", other.type_name()))),
            };
        }
        if container.is_mapping(self) {
            return Ok(match self.key(item) {
                Ok(key) => self.get(container, &key)?.is_some(),
                Err(_) => false,
            });
        }
        let mut unknown = None;
        for own in self.items(container)? {
            match self.equal(&own, item) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(Fault::Unknown(reason)) => unknown = Some(reason),
                Err(other) => return Err(other),
            }
        }
        unknown.map_or(Ok(false), |reason| Err(Fault::Unknown(reason)))
    }
}

fn limit(what: &str, hint: &str) -> Fault {
    TemplateError::new(TemplateErrorKind::Failed, format!("the template {what}")).hint(hint).into()
}

/// Where a variable is defined.
fn definition_span(scope: &Scope, name: &str) -> Option<Span> {
    let (variable, _) = scope.lookup(name)?;
    match (&variable.definition, &variable.origin) {
        (Definition::Source(node), _) => Some(node.span),
        (_, Origin::File(span) | Origin::Task(span)) => Some(*span),
        _ => None,
    }
}

/// A key as it was written: never rendered.
pub(super) fn node_key(node: &Node) -> Res<Key> {
    Ok(match &node.value {
        NodeValue::Null => Key::Null,
        NodeValue::Bool(value) => Key::Bool(*value),
        NodeValue::Int(number) => Key::Int(*number),
        NodeValue::Float(number) => Key::Float(*number),
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Key::Str(Arc::clone(text)),
        _ => {
            let error = TemplateError::new(TemplateErrorKind::Failed, format!("{} cannot be a key", node.kind()));
            return Err(TemplateError { span: Some(node.span), ..error }.into());
        }
    })
}

/// A number of either kind; booleans count as 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    fn order(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(one), Self::Int(other)) => Some(one.cmp(&other)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }
}

/// The value as a number, if it is one.
pub(super) fn number(value: &Val) -> Option<Number> {
    match value {
        Val::Int(number) => Some(Number::Int(*number)),
        Val::Float(number) => Some(Number::Float(*number)),
        Val::Bool(value) => Some(Number::Int((*value).into())),
        _ => None,
    }
}
