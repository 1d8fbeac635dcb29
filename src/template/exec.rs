//! Statements: what a template does besides writing expressions.

use std::rc::Rc;
use std::sync::Arc;

use super::ast::{Expr, ExprKind, For, Stmt, Target};
use super::error::{TemplateError, TemplateErrorKind, fail};
use super::eval::{Frame, Interpreter, Surroundings};
use super::inheritance::MacroObject;
use super::objects::{LoopObject, Module};
use super::val::{Res, Val};

/// A piece of output.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Raw(Arc<str>),
    Value(Val),
}

impl Piece {
    pub(super) fn value(&self) -> Val {
        match self {
            Self::Raw(text) => Val::Str(Arc::clone(text)),
            Self::Value(value) => value.clone(),
        }
    }
}

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Continue,
    Break,
}

impl Interpreter<'_> {
    pub(super) fn run(&self, body: &[Stmt], out: &mut Vec<Piece>) -> Res<Flow> {
        for statement in body {
            self.runtime.step()?;
            match self.statement(statement, out)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    /// Runs a body in a frame of its own and returns what it comes to.
    pub(super) fn captured(&self, body: &[Stmt]) -> Res {
        let mut out = Vec::new();
        let inner = self.nested();
        inner.run(body, &mut out)?;
        inner.joined(&out)
    }

    fn statement(&self, statement: &Stmt, out: &mut Vec<Piece>) -> Res<Flow> {
        match statement {
            Stmt::Raw(text) => out.push(Piece::Raw(Arc::clone(text))),
            Stmt::Emit(expr) => {
                let value = self.eval(expr)?;
                out.push(Piece::Value(value));
            }
            Stmt::For(each) => return self.runtime.deeper(|| self.each(each, out)),
            Stmt::If { test, yes, no } => {
                let test = self.eval(test)?;
                return self.run(if self.runtime.truth(&test)? { yes } else { no }, out);
            }
            Stmt::With { assignments, body } => {
                let inner = self.nested();
                for (target, value) in assignments {
                    let value = inner.eval(value)?;
                    inner.assign(target, value)?;
                }
                return inner.run(body, out);
            }
            Stmt::Set(target, value) => {
                let value = self.eval(value)?;
                self.assign(target, value)?;
            }
            Stmt::SetBlock { target, filter, body } => {
                let mut value = self.captured(body)?;
                if let Some(filter) = filter {
                    value = self.filter_text(filter, value)?;
                }
                self.assign(target, value)?;
            }
            Stmt::FilterBlock { filter, body } => {
                let text = self.captured(body)?;
                let value = self.filter_text(filter, text)?;
                out.push(Piece::Value(value));
            }
            Stmt::Scoped(body) => return self.nested().run(body, out),
            Stmt::Block { name, at, scoped } => {
                if !self.around.blocks.has_parent() {
                    let around = if *scoped { self.around.clone() } else { self.around.at_top() };
                    self.runtime.deeper(|| self.in_other(around).block(name, 0, *at, out))?;
                }
            }
            Stmt::Extends(name) => {
                let name = self.eval(name)?;
                self.runtime.solid(&name)?;
                self.around.blocks.extend(name);
            }
            Stmt::Include { name, ignore_missing, context } => self.include(name, *ignore_missing, *context, out)?,
            Stmt::Import { from, name, context } => {
                let module = self.import(from, *context)?;
                self.around.frame.set(name, Val::object(module));
            }
            Stmt::FromImport { from, names, context } => {
                let module: Module = self.import(from, *context)?;
                for (name, alias) in names {
                    let missing = || {
                        let message = format!("the imported template does not define `{name}`");
                        let error = TemplateError::new(TemplateErrorKind::Undefined, message);
                        Val::undefined(TemplateError { span: self.span(from.at), ..error })
                    };
                    self.around.frame.set(alias, module.member(name).unwrap_or_else(missing));
                }
            }
            Stmt::Macro(declared) => {
                self.runtime.frames.borrow_mut().push(Rc::clone(&self.around.frame));
                let object = MacroObject { declared: Arc::clone(declared), around: self.around.clone() };
                self.around.frame.set(&declared.name, Val::object(object));
            }
            Stmt::CallBlock { call, caller } => {
                let ExprKind::Call(of, args) = &call.kind else { unreachable!("the parser allows calls only") };
                let caller = MacroObject { declared: Arc::clone(caller), around: self.around.clone() };
                let mut args = self.args(args)?;
                let named = args.rest_named().into_iter().chain([("caller".into(), Val::object(caller))]).collect();
                let args = super::val::Args::new(args.rest(), named);
                let function = self.eval(of)?;
                let value = self.invoke(&function, args, self.span(call.at))?;
                out.push(Piece::Value(value));
            }
            Stmt::Do(expr) => {
                let value = self.eval(expr)?;
                self.runtime.solid(&value)?;
            }
            Stmt::Continue => return Ok(Flow::Continue),
            Stmt::Break => return Ok(Flow::Break),
        }
        Ok(Flow::Next)
    }

    /// Applies the filters of a `{% filter %}` or `{% set x | f %}` to the block's text.
    fn filter_text(&self, filter: &Expr, text: Val) -> Res {
        let ExprKind::Filter { filter: found, input, args } = &filter.kind else {
            return Err(fail("a filter is needed here").at(self.span(filter.at)));
        };
        let input = match input {
            Some(inner) => self.filter_text(inner, text)?,
            None => text,
        };
        self.filter(found, input, self.args(args)?, filter.at)
    }

    pub(super) fn assign(&self, target: &Target, value: Val) -> Res<()> {
        match target {
            Target::Name(name) => self.around.frame.set(name, value),
            Target::Attr(name, attribute) => {
                let done = match self.around.frame.get(name) {
                    Some(Val::Object(object)) => object.set(attribute, value),
                    _ => false,
                };
                if !done {
                    return Err(fail(format!("`{name}` is not a namespace: its attributes cannot be set")));
                }
            }
            Target::Several(targets) => {
                let items = self.runtime.items(&value)?;
                if items.len() != targets.len() {
                    return Err(fail(format!("{} values cannot be spread over {} names", items.len(), targets.len())));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
        }
        Ok(())
    }

    fn each(&self, each: &Arc<For>, out: &mut Vec<Piece>) -> Res<Flow> {
        let over = self.eval(&each.iter)?;
        self.each_of(each, &over, 0, out)
    }

    /// One run of a loop; recursive loops call it again with other items.
    pub(super) fn each_of(&self, each: &Arc<For>, over: &Val, depth: usize, out: &mut Vec<Piece>) -> Res<Flow> {
        let mut items = self.runtime.items(over).map_err(|error| error.at(self.span(each.iter.at)))?;
        if let Some(filter) = &each.filter {
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                let inner = self.nested();
                inner.assign(&each.target, item.clone())?;
                if self.runtime.truth(&inner.eval(filter)?)? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.nested().run(&each.otherwise, out);
        }
        let object = Rc::new(LoopObject::new(items, depth, each.recursive.then(|| (Arc::clone(each), self.around.clone()))));
        let name: Arc<str> = "loop".into();
        for at in 0..object.len() {
            // A turn costs more than a step: a frame of names is made for it.
            self.runtime.steps(5)?;
            object.go_to(at);
            let frame = Frame::inside(&self.around.frame);
            frame.set(&name, Val::Object(Rc::clone(&object) as Rc<dyn super::val::Object>));
            let inner = self.in_other(Surroundings { frame, ..self.around.clone() });
            inner.assign(&each.target, object.item(at)).map_err(|error| error.at(self.span(each.iter.at)))?;
            let flow = inner.run(&each.body, out)?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::Next)
    }
}
