//! Templates that use other templates: include, import, extends with blocks, and macros.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use super::FileOptions;
use super::ast::{Expr, Macro, Range, Stmt, Template};
use super::error::{Fault, TemplateError, TemplateErrorKind, fail};
use super::eval::{Frame, Home, Interpreter, Surroundings};
use super::exec::Piece;
use super::objects::Module;
use super::place::Place;
use super::runtime::Runtime;
use super::val::{Args, Object, Res, Val};
use crate::vars::Key;

/// The blocks of a template and of those that it extends.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Bodies of each block, the most derived first.
    bodies: RefCell<HashMap<Arc<str>, Vec<BlockBody>>>,
    parent: RefCell<Option<Val>>,
}

#[derive(Debug, Clone)]
struct BlockBody {
    body: Arc<Vec<Stmt>>,
    place: Place,
    home: Option<Rc<Home>>,
}

impl Blocks {
    pub(super) fn has_parent(&self) -> bool {
        self.parent.borrow().is_some()
    }

    pub(super) fn extend(&self, parent: Val) {
        *self.parent.borrow_mut() = Some(parent);
    }
}

impl Interpreter<'_> {
    /// Runs a template and, if it extends another, that one instead of its own output.
    pub(super) fn run_template(&self, template: &Template, out: &mut Vec<Piece>) -> Res<()> {
        for (name, body) in &template.blocks {
            let body = BlockBody { body: Arc::clone(body), place: self.around.place.clone(), home: self.around.home.clone() };
            self.around.blocks.bodies.borrow_mut().entry(Arc::clone(name)).or_default().push(body);
        }
        self.run(&template.body, out)?;
        let parent = self.around.blocks.parent.borrow_mut().take();
        let Some(parent) = parent else { return Ok(()) };
        out.clear();
        let (interpreter, template) = self.loaded(&parent)?;
        // Names that were set at the top are seen by the blocks.
        let frame = Rc::clone(&self.around.frame);
        let around = Surroundings { top: Rc::clone(&frame), frame, blocks: Rc::clone(&self.around.blocks), ..interpreter.around };
        self.runtime.deeper(|| self.in_other(around).run_template(&template, out))
    }

    /// Writes a block: the body at `depth` in the row from derived to base.
    pub(super) fn block(&self, name: &Arc<str>, depth: usize, at: Range, out: &mut Vec<Piece>) -> Res<()> {
        let found = self.around.blocks.bodies.borrow().get(name).and_then(|bodies| bodies.get(depth).cloned());
        let Some(found) = found else {
            return Err(fail(format!("there is no block `{name}` above this one")).at(self.span(at)));
        };
        let frame = Frame::inside(&self.around.frame);
        frame.set(
            &"super".into(),
            Val::object(SuperBlock { name: Arc::clone(name), depth: depth + 1, around: self.around.clone() }),
        );
        let around = Surroundings { frame, place: found.place, home: found.home, ..self.around.clone() };
        self.in_other(around).run(&found.body, out)?;
        Ok(())
    }

    /// The frame of another template: inside the present one, or (without context) one in which
    /// nothing is defined.
    fn other_frame(&self, around: Surroundings, with_context: bool) -> Surroundings {
        let (frame, context) = if with_context {
            (Frame::inside(&self.around.frame), around.context)
        } else {
            (Rc::default(), self.runtime.without_variables(around.context))
        };
        Surroundings { top: Rc::clone(&frame), frame, context, ..around }
    }

    pub(super) fn include(&self, name: &Expr, ignore_missing: bool, with_context: bool, out: &mut Vec<Piece>) -> Res<()> {
        let value = self.eval(name)?;
        match self.loaded(&value) {
            Ok((interpreter, template)) => {
                let around = self.other_frame(interpreter.around, with_context);
                self.runtime.deeper(|| self.in_other(around).run_template(&template, out))
            }
            Err(Fault::Error(error)) if ignore_missing && error.message.starts_with(NOT_FOUND) => Ok(()),
            Err(error) => Err(error.at(self.span(name.at))),
        }
    }

    pub(super) fn import(&self, from: &Expr, with_context: bool) -> Res<Module> {
        let value = self.eval(from)?;
        let (interpreter, template) = self.loaded(&value).map_err(|error| error.at(self.span(from.at)))?;
        let around = self.other_frame(interpreter.around, with_context);
        let frame = Rc::clone(&around.frame);
        self.runtime.deeper(|| self.in_other(around).run_template(&template, &mut Vec::new()))?;
        Ok(Module::new(frame.own_names()))
    }

    /// Another template file, by its name or the first that exists of several.
    fn loaded(&self, name: &Val) -> Res<(Self, Arc<Template>)> {
        self.runtime.solid(name)?;
        let names = if name.is_list() { self.runtime.items(name)? } else { vec![name.clone()] };
        let mut wanted = Vec::new();
        for name in &names {
            wanted.push(self.runtime.string(name)?);
        }
        let scope = &self.runtime.context(self.around.context).scope;
        let home = self.around.home.as_deref();
        for name in &wanted {
            let beside = home.and_then(|home| home.directory.as_deref()).map(|directory| directory.join(&**name));
            let around =
                scope.search.iter().flat_map(|directory| [directory.join("templates").join(&**name), directory.join(&**name)]);
            let base = self.runtime.shared.settings.base.join(&**name);
            for path in beside.into_iter().chain(around).chain([base]) {
                if path.is_file() {
                    return self.load(&path);
                }
            }
        }
        Err(fail(format!("{NOT_FOUND} `{}`", wanted.join("`, `"))))
    }

    fn load(&self, path: &Path) -> Res<(Self, Arc<Template>)> {
        let text = super::lookups::files::read(self.runtime, path)?;
        let options = self.around.home.as_ref().map_or_else(FileOptions::default, |home| home.options.clone());
        // Without a source map (in a playbook's value) places in the other file cannot be shown.
        let nowhere = crate::source::SourceMap::default();
        let map = self.runtime.map.as_ref().unwrap_or(&nowhere);
        let (file, template) = self.runtime.shared.file_template(map, path, text.into(), None, &options).map_err(|error| {
            match self.runtime.map {
                Some(_) => Fault::from(error),
                None => Fault::from(TemplateError { span: None, ..error }),
            }
        })?;
        let place = if self.runtime.map.is_some() { Place::File { file, start: template.start } } else { Place::Nowhere };
        let home = Home { directory: path.parent().map(Path::to_owned), options };
        let around = Surroundings {
            context: self.around.context,
            place,
            frame: Rc::clone(&self.around.frame),
            top: Rc::clone(&self.around.frame),
            home: Some(Rc::new(home)),
            blocks: Rc::default(),
        };
        Ok((self.in_other(around), template))
    }
}

const NOT_FOUND: &str = "cannot find the template";

/// A macro with what surrounded its definition.
#[derive(Clone)]
pub(super) struct MacroObject {
    pub(super) declared: Arc<Macro>,
    pub(super) around: Surroundings,
}

impl std::fmt::Debug for MacroObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<macro {}>", self.declared.name)
    }
}

impl Object for MacroObject {
    fn type_name(&self) -> &'static str {
        "Macro"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        Ok(match key.as_str() {
            Some("name") => Some(Val::Str(Arc::clone(&self.declared.name))),
            Some("arguments") => Some(Val::tuple(self.declared.params.iter().map(|name| Val::Str(Arc::clone(name))).collect())),
            Some("catch_varargs") => Some(Val::Bool(self.declared.reads_varargs)),
            Some("catch_kwargs") => Some(Val::Bool(self.declared.reads_kwargs)),
            Some("caller") => Some(Val::Bool(self.declared.reads_caller)),
            _ => None,
        })
    }

    fn call(&self, interpreter: &Interpreter<'_>, mut args: Args) -> Res {
        let declared = &*self.declared;
        let frame = Frame::inside(&self.around.frame);
        let inner = interpreter.in_other(Surroundings { frame: Rc::clone(&frame), ..self.around.clone() });
        let first_default = declared.params.len() - declared.defaults.len();
        for (at, name) in declared.params.iter().enumerate() {
            let value = match args.next(name) {
                Some(value) => value,
                None if at >= first_default => inner.eval(&declared.defaults[at - first_default])?,
                None => {
                    let message = format!("the argument `{name}` of the macro `{}` was not given", declared.name);
                    let error = TemplateError::new(TemplateErrorKind::Undefined, message);
                    Val::undefined(error)
                }
            };
            frame.set(name, value);
        }
        let caller = args.named("caller");
        if declared.reads_caller {
            let missing = || {
                Val::undefined(TemplateError::new(
                    TemplateErrorKind::Undefined,
                    "there is no `caller`: the macro was not used by `{% call %}`",
                ))
            };
            frame.set(&"caller".into(), caller.unwrap_or_else(missing));
        } else if caller.is_some() {
            return Err(fail(format!("the macro `{}` does not use its `caller`", declared.name)));
        }
        if declared.reads_varargs {
            frame.set(&"varargs".into(), Val::tuple(args.rest()));
        }
        if declared.reads_kwargs {
            let named = args.rest_named().into_iter().map(|(name, value)| (Key::Str(name), value)).collect();
            frame.set(&"kwargs".into(), Val::dict(named));
        }
        args.finish().map_err(|error| match error {
            Fault::Error(mut error) => {
                error.message = format!("the macro `{}`: {}", declared.name, error.message);
                Fault::Error(error)
            }
            other => other,
        })?;
        let mut out = Vec::new();
        inner.run(&declared.body, &mut out)?;
        inner.joined(&out)
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `super` inside a block.
struct SuperBlock {
    name: Arc<str>,
    depth: usize,
    around: Surroundings,
}

impl std::fmt::Debug for SuperBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<super of {}>", self.name)
    }
}

impl Object for SuperBlock {
    fn type_name(&self) -> &'static str {
        "BlockReference"
    }

    fn call(&self, interpreter: &Interpreter<'_>, args: Args) -> Res {
        args.finish()?;
        let inner = interpreter.in_other(self.around.clone());
        let mut out = Vec::new();
        inner.block(&self.name, self.depth, (0, 0), &mut out)?;
        inner.joined(&out)
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `self` in a template: its blocks as functions.
#[derive(Debug)]
pub(super) struct OwnBlocks;

impl Object for OwnBlocks {
    fn type_name(&self) -> &'static str {
        "TemplateReference"
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        let name: Arc<str> = name.into();
        let run = || {
            args.finish()?;
            let mut out = Vec::new();
            interpreter.runtime.deeper(|| interpreter.block(&name, 0, (0, 0), &mut out))?;
            interpreter.joined(&out)
        };
        Some(run())
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}
