//! Expressions: what each of them comes to.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Arg, Comparison, Expr, ExprKind, Range, Template};
use super::error::{Absent, Among, Fault, TemplateError, TemplateErrorKind, fail};
use super::exec::Piece;
use super::filters::Filter;
use super::inheritance::Blocks;
use super::place::Place;
use super::plugins::{Named, PluginKind};
use super::runtime::Runtime;
use super::tests::Test;
use super::val::{Args, Res, Val};
use super::{FileOptions, functions, methods, ops, plugins};
use crate::source::Span;
use crate::vars::{Key, Value};

/// What the missing `else` of a conditional expression leaves behind.
pub(super) const NO_ELSE: &str = "the condition is false, and there is no `else`";

/// Names that a template has set, and those around them.
#[derive(Debug, Default)]
pub(super) struct Frame {
    names: RefCell<Vec<(Arc<str>, Val)>>,
    around: Option<Rc<Frame>>,
}

impl Frame {
    pub(super) fn inside(around: &Rc<Self>) -> Rc<Self> {
        Rc::new(Self { names: RefCell::default(), around: Some(Rc::clone(around)) })
    }

    pub(super) fn set(&self, name: &Arc<str>, value: Val) {
        let mut names = self.names.borrow_mut();
        match names.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value,
            None => names.push((Arc::clone(name), value)),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Val> {
        let own = self.names.borrow().iter().find(|(own, _)| &**own == name).map(|(_, value)| value.clone());
        own.or_else(|| self.around.as_ref().and_then(|around| around.get(name)))
    }

    /// Replaces a name where it is set; false if it is not.
    fn replace(&self, name: &str, value: &Val) -> bool {
        if let Some((_, old)) = self.names.borrow_mut().iter_mut().find(|(own, _)| &**own == name) {
            *old = value.clone();
            return true;
        }
        self.around.as_ref().is_some_and(|around| around.replace(name, value))
    }

    pub(super) fn own_names(&self) -> Vec<(Arc<str>, Val)> {
        self.names.borrow().clone()
    }

    pub(super) fn all_names(&self, into: &mut Vec<Arc<str>>) {
        into.extend(self.names.borrow().iter().map(|(name, _)| Arc::clone(name)));
        if let Some(around) = &self.around {
            around.all_names(into);
        }
    }

    pub(super) fn clear(&self) {
        self.names.borrow_mut().clear();
    }
}

/// Where a template file lies, and how it is read.
#[derive(Debug, Clone)]
pub(super) struct Home {
    pub(super) directory: Option<PathBuf>,
    pub(super) options: FileOptions,
}

/// What surrounds a piece of template; macros take it along.
#[derive(Debug, Clone)]
pub(super) struct Surroundings {
    pub(super) context: usize,
    pub(super) place: Place,
    pub(super) frame: Rc<Frame>,
    /// The outermost frame of the template: what blocks see.
    pub(super) top: Rc<Frame>,
    pub(super) home: Option<Rc<Home>>,
    pub(super) blocks: Rc<Blocks>,
}

impl Surroundings {
    /// The same, but outside of all loops and blocks.
    pub(super) fn at_top(&self) -> Self {
        Self { frame: Rc::clone(&self.top), ..self.clone() }
    }
}

/// Evaluates one template or expression.
pub(super) struct Interpreter<'r> {
    pub(super) runtime: &'r Runtime,
    pub(super) around: Surroundings,
    /// Whether constant text with templates is rendered: in conditions.
    pub(super) renders_constants: bool,
}

impl<'r> Interpreter<'r> {
    pub(super) fn new(runtime: &'r Runtime, context: usize, place: Place) -> Self {
        let frame = Rc::<Frame>::default();
        let around = Surroundings { context, place, top: Rc::clone(&frame), frame, home: None, blocks: Rc::default() };
        Self { runtime, around, renders_constants: false }
    }

    pub(super) fn of_file(runtime: &'r Runtime, place: Place, home: Home) -> Self {
        let mut interpreter = Self::new(runtime, 0, place);
        interpreter.around.home = Some(Rc::new(home));
        interpreter
    }

    /// The same with other surroundings.
    pub(super) fn in_other(&self, around: Surroundings) -> Interpreter<'r> {
        Interpreter { runtime: self.runtime, around, renders_constants: self.renders_constants }
    }

    /// What ends a line of the result.
    fn newline(&self) -> &str {
        self.around.home.as_ref().map_or("\n", |home| &home.options.newline_sequence)
    }

    /// The same with a frame of its own inside the present one.
    pub(super) fn nested(&self) -> Interpreter<'r> {
        self.in_other(Surroundings { frame: Frame::inside(&self.around.frame), ..self.around.clone() })
    }

    /// Text with templates: exactly one expression keeps its type. `text` is what was compiled.
    pub(super) fn render(&self, template: &Template, text: &str) -> Res {
        let mut out = Vec::new();
        match self.run_template(template, &mut out).and_then(|()| self.joined(&out)) {
            Err(Fault::Unknown(reason)) => Ok(Val::Unknown(reason)),
            Err(Fault::Undefined(error)) => Ok(Val::Undefined(error)),
            Ok(Val::Str(result)) => Ok(Val::Str(with_newlines_of(text, result, self.newline()))),
            other => other,
        }
    }

    /// The same for a file: text without anything to render stays as it is, line ends included.
    pub(super) fn render_text(&self, template: &Template, text: &str) -> Res {
        let starts = self.around.home.as_ref().map(|home| home.options.delimiters.iter().step_by(2));
        let plain = starts.is_some_and(|mut starts| starts.all(|start| !text.contains(start.as_str())));
        match &template.body[..] {
            [] | [super::ast::Stmt::Raw(_)] if template.start == 0 && plain => Ok(Val::str(text)),
            _ => self.render(template, text),
        }
    }

    /// What a series of pieces comes to: one stays what it is, several are text. Nothing does not
    /// count as a piece.
    pub(super) fn joined(&self, pieces: &[Piece]) -> Res {
        let mut counted = pieces.iter().filter(|piece| !matches!(piece, Piece::Value(Val::Null)));
        match (counted.next(), counted.next()) {
            (None, _) => return Ok(Val::Null),
            (Some(one), None) => return Ok(one.value()),
            _ => {}
        }
        let mut text = String::new();
        self.append(pieces, &mut text)?;
        Ok(Val::str(text))
    }

    fn append(&self, pieces: &[Piece], text: &mut String) -> Res<()> {
        for piece in pieces {
            match piece {
                Piece::Raw(raw) => {
                    self.runtime.bytes(raw.len())?;
                    text.push_str(raw);
                }
                Piece::Value(Val::Null | Val::Omit) => {}
                Piece::Value(Val::Undefined(error)) if error.error.message == NO_ELSE => {}
                Piece::Value(value) => {
                    text.push_str(&self.runtime.written(value)?);
                }
            }
        }
        Ok(())
    }

    pub(super) fn span(&self, at: Range) -> Option<Span> {
        self.around.place.span(at)
    }

    /// Evaluates; undefined and unknown come back as values.
    pub(super) fn eval(&self, expr: &Expr) -> Res {
        match self.eval_strictly(expr) {
            Err(Fault::Undefined(error)) => Ok(Val::Undefined(error)),
            Err(Fault::Unknown(reason)) => Ok(Val::Unknown(reason)),
            Err(error) => Err(error.at(self.span(expr.at))),
            ok => ok,
        }
    }

    fn eval_strictly(&self, expr: &Expr) -> Res {
        self.runtime.step()?;
        match &expr.kind {
            // `when: "{{ a }}" == b` is old, but it works.
            ExprKind::Const(Value::Str(text)) if self.renders_constants && super::has_template(text) => {
                self.runtime.text(self.around.context, text, &self.around.place.coarse())
            }
            ExprKind::Const(value) => Ok(Val::from(value.clone())),
            ExprKind::Var(name) => self.name(name, expr.at),
            _ => self.runtime.deeper(|| self.compound(expr)),
        }
    }

    fn compound(&self, expr: &Expr) -> Res {
        let runtime = self.runtime;
        Ok(match &expr.kind {
            ExprKind::Const(_) | ExprKind::Var(_) => unreachable!("the caller evaluates these itself"),
            ExprKind::List(items) => Val::list(items.iter().map(|item| self.eval(item)).collect::<Res<_>>()?),
            ExprKind::Tuple(items) => Val::tuple(items.iter().map(|item| self.eval(item)).collect::<Res<_>>()?),
            ExprKind::Map(pairs) => {
                let pair = |(key, value): &(Expr, Expr)| Ok((runtime.key(&self.eval(key)?)?, self.eval(value)?));
                Val::dict(pairs.iter().map(pair).collect::<Res<_>>()?)
            }
            ExprKind::Not(of) => Val::Bool(!runtime.truth(&self.eval(of)?)?),
            ExprKind::Neg(of) => ops::negative(runtime, &self.eval(of)?)?,
            ExprKind::And(left, right) => return self.and(left, right),
            ExprKind::Or(left, right) => return self.or(left, right),
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.eval(left)?, self.eval(right)?);
                runtime.solid(&left)?;
                runtime.solid(&right)?;
                ops::binary(runtime, *operator, &left, &right)?
            }
            ExprKind::Compare(first, steps) => {
                let mut left = self.eval(first)?;
                for (comparison, step) in steps {
                    let right = self.eval(step)?;
                    if !self.compare(*comparison, &left, &right)? {
                        return Ok(Val::Bool(false));
                    }
                    left = right;
                }
                Val::Bool(true)
            }
            ExprKind::If { test, yes, no } => {
                if runtime.truth(&self.eval(test)?)? {
                    return self.eval(yes);
                }
                match no {
                    Some(no) => return self.eval(no),
                    None => {
                        let error = TemplateError::new(TemplateErrorKind::Undefined, NO_ELSE);
                        Val::undefined(TemplateError { span: self.span(expr.at), ..error })
                    }
                }
            }
            ExprKind::Filter { filter, input, args } => {
                let Some(input) = input else { return Err(fail("this filter has no input")) };
                let input = self.eval(input)?;
                return self.filter(filter, input, self.args(args)?, expr.at);
            }
            ExprKind::Test { test, input, args } => {
                let input = self.eval(input)?;
                return self.test(test, input, self.args(args)?, expr.at);
            }
            ExprKind::Attr(of, name) => {
                let base = self.eval(of)?;
                // As in Python an attribute goes first: `{'keys': 1}.keys` is the method.
                if methods::is_plain_mapping(&base) && methods::exists(runtime, &base, name) {
                    return Ok(methods::bound(&base, name));
                }
                return self.part(of, &base, &Key::Str(Arc::clone(name)), expr.at);
            }
            ExprKind::Item(of, key) => {
                let base = self.eval(of)?;
                runtime.solid(&base)?;
                let key = self.eval(key)?;
                let key = runtime.key(&key)?;
                return self.part(of, &base, &key, expr.at);
            }
            ExprKind::Slice { of, start, stop, step } => {
                let base = self.eval(of)?;
                let bound = |bound: &Option<Box<Expr>>| bound.as_ref().map(|bound| self.eval(bound)).transpose();
                ops::slice(runtime, &base, bound(start)?.as_ref(), bound(stop)?.as_ref(), bound(step)?.as_ref())?
            }
            ExprKind::Call(of, args) => return self.call(of, args, expr.at),
        })
    }

    /// A name: set by the template, a variable, or something that always exists.
    fn name(&self, name: &Arc<str>, at: Range) -> Res {
        if let Some(value) = self.around.frame.get(name) {
            return Ok(value);
        }
        let context = self.around.context;
        if let Some(value) = functions::fixed(self.runtime, context, name) {
            return Ok(value);
        }
        if let Some(value) = self.runtime.variable(context, name)? {
            return Ok(value);
        }
        if let Some(value) = functions::builtin(self, name) {
            return Ok(value);
        }
        Ok(Val::undefined(self.not_defined(name, self.span(at))))
    }

    /// The absence of a variable that nobody defines.
    pub(super) fn not_defined(&self, name: &Arc<str>, span: Option<Span>) -> Absent {
        let error = TemplateError::new(TemplateErrorKind::Undefined, format!("the variable `{name}` is not defined"));
        let among = Among::Variables { context: self.around.context, frame: Rc::downgrade(&self.around.frame) };
        Absent { error: TemplateError { span, ..error }, wanted: Some((Arc::clone(name), among)) }
    }

    /// `base.key` or `base[key]`.
    fn part(&self, of: &Expr, base: &Val, key: &Key, at: Range) -> Res {
        self.runtime.solid(base)?;
        if let Some(value) = self.runtime.get(base, key)? {
            return Ok(value);
        }
        if let Key::Str(name) = key
            && methods::exists(self.runtime, base, name)
        {
            return Ok(methods::bound(base, name));
        }
        let what = described(of);
        let shown = match key {
            Key::Str(text) => text.to_string(),
            other => other.repr(),
        };
        let is_mapping = base.is_mapping(self.runtime);
        let message = if is_mapping {
            format!("{what} has no key `{shown}`")
        } else if base.is_list() && matches!(key, Key::Int(_)) {
            let length = self.runtime.length(base)?.unwrap_or(0);
            format!("{what} has no item {shown}: it has {length}")
        } else {
            format!("{what} is a `{}` and has no attribute `{shown}`", base.type_name())
        };
        let defined = root_name(of).and_then(|name| self.runtime.defined(self.around.context, name));
        let error = TemplateError::new(TemplateErrorKind::Undefined, message);
        let wanted = is_mapping.then(|| (shown.into(), Among::Keys(base.clone())));
        Ok(Val::undefined(Absent { error: TemplateError { span: self.span(at), defined, ..error }, wanted }))
    }

    /// What is certain stays certain: `unknown and false` is false.
    fn and(&self, left: &Expr, right: &Expr) -> Res {
        match self.eval(left)? {
            Val::Unknown(reason) => match self.eval(right) {
                Ok(value) if matches!(self.runtime.truth(&value), Ok(false)) => Ok(value),
                _ => Ok(Val::Unknown(reason)),
            },
            value if self.runtime.truth(&value)? => self.eval(right),
            value => Ok(value),
        }
    }

    fn or(&self, left: &Expr, right: &Expr) -> Res {
        match self.eval(left)? {
            Val::Unknown(reason) => match self.eval(right) {
                Ok(value) if matches!(self.runtime.truth(&value), Ok(true)) => Ok(value),
                _ => Ok(Val::Unknown(reason)),
            },
            value if self.runtime.truth(&value)? => Ok(value),
            _ => self.eval(right),
        }
    }

    fn compare(&self, comparison: Comparison, left: &Val, right: &Val) -> Res<bool> {
        let runtime = self.runtime;
        Ok(match comparison {
            Comparison::Eq => runtime.equal(left, right)?,
            Comparison::Ne => !runtime.equal(left, right)?,
            Comparison::Lt => runtime.order(left, right)?.is_lt(),
            Comparison::Lte => runtime.order(left, right)?.is_le(),
            Comparison::Gt => runtime.order(left, right)?.is_gt(),
            Comparison::Gte => runtime.order(left, right)?.is_ge(),
            Comparison::In => runtime.contains(right, left)?,
            Comparison::NotIn => !runtime.contains(right, left)?,
        })
    }

    /// Applies a filter.
    pub(super) fn filter(&self, filter: &Named<Filter>, input: Val, mut args: Args, at: Range) -> Res {
        let filter = match filter {
            Named::Own(filter) => *filter,
            Named::Plugin(name) => return self.plugin(PluginKind::Filter, name, input, args, at),
        };
        if !filter.raw {
            if matches!(input, Val::Undefined(_) | Val::Unknown(_)) {
                return Ok(input);
            }
            if let Some(stopper) = args.stopper() {
                return Ok(stopper);
            }
        }
        let result = (filter.run)(self, input, &mut args).and_then(|value| args.finish().map(|()| value));
        soften(result, &format!("the filter `{}`", filter.name), self.span(at))
    }

    /// Applies a filter or asks a test of the project.
    fn plugin(&self, kind: PluginKind, name: &str, input: Val, mut args: Args, at: Range) -> Res {
        if matches!(input, Val::Undefined(_) | Val::Unknown(_)) {
            return Ok(input);
        }
        if let Some(stopper) = args.stopper() {
            return Ok(stopper);
        }
        let result = plugins::call(self, kind, name, Some(input), &mut args);
        soften(result, &format!("the {} `{name}`", kind.word()), self.span(at))
    }

    /// Asks a test.
    pub(super) fn test(&self, test: &Named<Test>, input: Val, mut args: Args, at: Range) -> Res {
        let test = match test {
            Named::Own(test) => *test,
            Named::Plugin(name) => {
                let holds = self.plugin(PluginKind::Test, name, input, args, at)?;
                if matches!(holds, Val::Undefined(_) | Val::Unknown(_)) {
                    return Ok(holds);
                }
                return self.runtime.truth(&holds).map(Val::Bool);
            }
        };
        if !test.raw {
            if matches!(input, Val::Undefined(_) | Val::Unknown(_)) {
                return Ok(input);
            }
            if let Some(stopper) = args.stopper() {
                return Ok(stopper);
            }
        }
        let result = (test.run)(self, input, &mut args).and_then(|holds| args.finish().map(|()| Val::Bool(holds)));
        soften(result, &format!("the test `{}`", test.name), self.span(at))
    }

    pub(super) fn args(&self, args: &[Arg]) -> Res<Args> {
        let (mut plain, mut named) = (Vec::new(), Vec::new());
        for arg in args {
            match arg {
                Arg::Plain(expr) => plain.push(self.eval(expr)?),
                Arg::Named(name, expr) => named.push((Arc::clone(name), self.eval(expr)?)),
                Arg::Spread(expr) => plain.extend(self.runtime.items(&self.eval(expr)?)?),
                Arg::SpreadNamed(expr) => {
                    for (key, value) in self.runtime.mapping(&self.eval(expr)?)? {
                        named.push((key.to_string().into(), value));
                    }
                }
            }
        }
        Ok(Args::new(plain, named))
    }

    pub(super) fn call(&self, of: &Expr, args: &[Arg], at: Range) -> Res {
        let span = self.span(at);
        match &of.kind {
            ExprKind::Attr(base_expr, name) => {
                let base = if methods::changes(name) { self.mutable(base_expr)? } else { self.eval(base_expr)? };
                self.runtime.solid(&base)?;
                let mut args = self.args(args)?;
                if let Val::Object(object) = &base {
                    if let Some(result) = object.method(self, name, &mut args) {
                        return soften(result, &format!("`{name}`"), span);
                    }
                } else {
                    if let Some(stopper) = args.stopper().filter(|_| !methods::stores(name)) {
                        return Ok(stopper);
                    }
                    if let Some(result) = methods::call(self, &base, name, &mut args) {
                        let result = result.and_then(|value| args.finish().map(|()| value));
                        return soften(result, &format!("the method `{name}`"), span);
                    }
                }
                let function = self.part(base_expr, &base, &Key::Str(Arc::clone(name)), of.at)?;
                self.invoke(&function, args, span)
            }
            _ => {
                let function = self.eval(of)?;
                let args = self.args(args)?;
                self.invoke(&function, args, span)
            }
        }
    }

    /// Calls a value.
    pub(super) fn invoke(&self, function: &Val, args: Args, span: Option<Span>) -> Res {
        self.runtime.solid(function)?;
        match function {
            Val::Object(object) => match self.runtime.deeper(|| object.call(self, args)) {
                Err(error) => Err(error.at(span)),
                ok => ok,
            },
            other => Err(fail(format!("a `{}` cannot be called", other.type_name())).at(span)),
        }
    }

    /// Evaluates to something that can be changed in place: data is copied into the variable first.
    fn mutable(&self, expr: &Expr) -> Res {
        match &expr.kind {
            ExprKind::Var(name) => {
                let value = self.eval(expr)?;
                let Some(thawed) = thawed(&value) else { return Ok(value) };
                if !self.around.frame.replace(name, &thawed) {
                    self.runtime.rebind(self.around.context, name, thawed.clone());
                }
                Ok(thawed)
            }
            ExprKind::Attr(of, _) | ExprKind::Item(of, _) => {
                let base = self.mutable(of)?;
                self.runtime.solid(&base)?;
                let key = match &expr.kind {
                    ExprKind::Attr(_, name) => Key::Str(Arc::clone(name)),
                    ExprKind::Item(_, key) => self.runtime.key(&self.eval(key)?)?,
                    _ => unreachable!("matched above"),
                };
                let value = self.part(of, &base, &key, expr.at)?;
                let Some(thawed) = thawed(&value) else { return Ok(value) };
                match (&base, &key) {
                    (Val::Map(map), _) => {
                        map.borrow_mut().insert(key, thawed.clone());
                    }
                    (Val::List(items), Key::Int(at)) => {
                        let mut items = items.borrow_mut();
                        let at = if *at < 0 { *at + items.len() as i64 } else { *at };
                        if let Some(slot) = usize::try_from(at).ok().and_then(|at| items.get_mut(at)) {
                            *slot = thawed.clone();
                        }
                    }
                    _ => {}
                }
                Ok(thawed)
            }
            _ => {
                let value = self.eval(expr)?;
                Ok(thawed(&value).unwrap_or(value))
            }
        }
    }
}

/// Newlines at the end of a template are also at the end of its text, whatever its statements did.
fn with_newlines_of(template: &str, text: Arc<str>, newline: &str) -> Arc<str> {
    let newlines = |text: &str| text.len() - text.trim_end_matches('\n').len();
    match newlines(template).checked_sub(newlines(&text)) {
        None | Some(0) => text,
        Some(missing) => format!("{text}{}", newline.repeat(missing)).into(),
    }
}

/// Data as something that can be changed; none if it can be already.
fn thawed(value: &Val) -> Option<Val> {
    match value {
        Val::Data(Value::List(items)) => Some(Val::list(items.iter().cloned().map(Val::from).collect())),
        Val::Data(Value::Map(map)) => {
            Some(Val::dict(map.iter().map(|(key, value)| (key.clone(), Val::from(value.clone()))).collect()))
        }
        _ => None,
    }
}

/// Undefined and unknown become values, errors say who refused and where.
fn soften(result: Res, who: &str, span: Option<Span>) -> Res {
    match result {
        Err(Fault::Undefined(error)) => Ok(Val::Undefined(error)),
        Err(Fault::Unknown(reason)) => Ok(Val::Unknown(reason)),
        Err(Fault::Error(mut error)) => {
            if error.span.is_none() && error.kind == TemplateErrorKind::Failed {
                error.message = format!("{who}: {}", error.message);
            }
            Err(Fault::Error(error).at(span))
        }
        ok => ok,
    }
}

/// The variable that an expression starts from.
fn root_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Var(name) => Some(name),
        ExprKind::Attr(of, _) | ExprKind::Item(of, _) => root_name(of),
        _ => None,
    }
}

/// An expression in words, for messages.
fn described(expr: &Expr) -> String {
    fn path(expr: &Expr) -> Option<String> {
        match &expr.kind {
            ExprKind::Var(name) => Some(name.to_string()),
            ExprKind::Attr(of, name) => Some(format!("{}.{name}", path(of)?)),
            ExprKind::Item(of, key) => match &key.kind {
                ExprKind::Const(value) => Some(format!("{}[{}]", path(of)?, value.repr())),
                ExprKind::Var(name) => Some(format!("{}[{name}]", path(of)?)),
                _ => None,
            },
            _ => None,
        }
    }
    path(expr).map_or_else(|| "the value".to_owned(), |path| format!("`{path}`"))
}
