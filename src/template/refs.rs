//! Which variables a template reads that it does not set itself, and whether it needs them.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::ast::{Arg, Expr, ExprKind, Macro, Range, Stmt, Target, Template};
use super::plugins::{Known, Named};
use super::{FileOptions, compile};

/// How much depends on a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Without it rendering fails.
    Certain,
    /// It is read in a branch, or behind `and` or `or`.
    Perhaps,
    /// It may be missing: there is a default, or the text asks whether it is defined.
    Guarded,
}

/// One name that is read, and where in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) name: Arc<str>,
    pub(super) at: Range,
    pub(super) need: Need,
}

/// Names of variables that an expression (or, unless `bare`, text with braces) reads. Names that
/// are spelled out in `lookup('vars', 'name')`, `vars['name']` and `hostvars[...]['name']` count
/// too. Text that does not parse reads nothing: checking says why.
pub fn refs(text: &str, bare: bool) -> BTreeSet<String> {
    let reads = if bare {
        compile::expression(text, Known::Anything).map(|expr| of_expression(&expr))
    } else if super::has_template(text) {
        compile::template(text, &FileOptions::default(), compile::Backslash::Literal, Known::Anything)
            .map(|template| of_template(&template))
    } else {
        return BTreeSet::new();
    };
    reads.map(|reads| reads.into_iter().map(|read| read.name.to_string()).collect()).unwrap_or_default()
}

/// What an expression reads.
pub(super) fn of_expression(expr: &Expr) -> Vec<Read> {
    let mut reader = Reader::default();
    reader.expr(expr);
    reader.finish()
}

/// What a template reads.
pub(super) fn of_template(template: &Template) -> Vec<Read> {
    let mut reader = Reader::default();
    reader.scoped(&template.body);
    for block in template.blocks.values() {
        reader.perhaps(|reader| reader.scoped(block));
    }
    reader.finish()
}

/// The free names of a macro's body, `caller`, `varargs` and `kwargs` among them.
pub(super) fn of_statements(body: &[Stmt]) -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.scoped(body);
    reader.found.into_iter().map(|read| read.name.to_string()).collect()
}

struct Reader {
    found: Vec<Read>,
    set: Vec<Vec<Arc<str>>>,
    /// What what is read now is needed for.
    need: Need,
}

impl Default for Reader {
    fn default() -> Self {
        Self { found: Vec::new(), set: Vec::new(), need: Need::Certain }
    }
}

/// Functions that exist without anybody defining them.
const FUNCTIONS: [&str; 11] = ["lookup", "query", "q", "range", "dict", "namespace", "omit", "undef", "now", "loop", "self"];

impl Reader {
    /// A name that is guarded once is guarded in the whole text: `a is defined and a > 1`.
    fn finish(mut self) -> Vec<Read> {
        let guarded: HashSet<Arc<str>> =
            self.found.iter().filter(|read| read.need == Need::Guarded).map(|read| Arc::clone(&read.name)).collect();
        for read in self.found.iter_mut().filter(|read| guarded.contains(&read.name)) {
            read.need = Need::Guarded;
        }
        self.found
    }

    /// Reads something that is needed at most so much.
    fn at_most(&mut self, need: Need, read: impl FnOnce(&mut Self)) {
        let before = self.need;
        self.need = before.max(need);
        read(self);
        self.need = before;
    }

    fn perhaps(&mut self, read: impl FnOnce(&mut Self)) {
        self.at_most(Need::Perhaps, read);
    }

    fn guarded(&mut self, read: impl FnOnce(&mut Self)) {
        self.at_most(Need::Guarded, read);
    }

    fn scoped(&mut self, body: &[Stmt]) {
        self.set.push(Vec::new());
        for statement in body {
            self.statement(statement);
        }
        self.set.pop();
    }

    fn name(&mut self, name: &Arc<str>, at: Range) {
        let own = self.set.iter().flatten().any(|set| set == name);
        if !own && !FUNCTIONS.contains(&&**name) {
            self.found.push(Read { name: Arc::clone(name), at, need: self.need });
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => {
                if let Some(set) = self.set.last_mut() {
                    set.push(Arc::clone(name));
                }
            }
            Target::Attr(name, _) => self.name(name, (0, 0)),
            Target::Several(targets) => targets.iter().for_each(|target| self.target(target)),
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Raw(_) | Stmt::Continue | Stmt::Break | Stmt::Block { .. } => {}
            Stmt::Emit(expr) | Stmt::Extends(expr) | Stmt::Do(expr) | Stmt::Include { name: expr, .. } => self.expr(expr),
            Stmt::For(each) => {
                self.expr(&each.iter);
                self.set.push(Vec::new());
                self.target(&each.target);
                self.perhaps(|reader| {
                    if let Some(filter) = &each.filter {
                        reader.expr(filter);
                    }
                    reader.scoped(&each.body);
                });
                self.set.pop();
                self.perhaps(|reader| reader.scoped(&each.otherwise));
            }
            Stmt::If { test, yes, no } => {
                self.expr(test);
                self.perhaps(|reader| yes.iter().chain(no).for_each(|statement| reader.statement(statement)));
            }
            Stmt::With { assignments, body } => {
                self.set.push(Vec::new());
                for (target, value) in assignments {
                    self.expr(value);
                    self.target(target);
                }
                self.scoped(body);
                self.set.pop();
            }
            Stmt::Set(target, value) => {
                self.expr(value);
                self.target(target);
            }
            Stmt::SetBlock { target, filter, body } => {
                self.scoped(body);
                if let Some(filter) = filter {
                    self.expr(filter);
                }
                self.target(target);
            }
            Stmt::FilterBlock { filter, body } => {
                self.expr(filter);
                self.scoped(body);
            }
            Stmt::Scoped(body) => self.scoped(body),
            Stmt::Import { from, name, .. } => {
                self.expr(from);
                self.target(&Target::Name(Arc::clone(name)));
            }
            Stmt::FromImport { from, names, .. } => {
                self.expr(from);
                for (_, alias) in names {
                    self.target(&Target::Name(Arc::clone(alias)));
                }
            }
            Stmt::Macro(declared) => {
                self.target(&Target::Name(Arc::clone(&declared.name)));
                self.declared(declared);
            }
            Stmt::CallBlock { call, caller } => {
                self.expr(call);
                self.declared(caller);
            }
        }
    }

    fn declared(&mut self, declared: &Macro) {
        declared.defaults.iter().for_each(|default| self.expr(default));
        self.set.push(declared.params.clone());
        for (name, read) in
            [("varargs", declared.reads_varargs), ("kwargs", declared.reads_kwargs), ("caller", declared.reads_caller)]
        {
            if read && let Some(set) = self.set.last_mut() {
                set.push(name.into());
            }
        }
        self.perhaps(|reader| reader.scoped(&declared.body));
        self.set.pop();
    }

    fn args(&mut self, args: &[Arg]) {
        for arg in args {
            match arg {
                Arg::Plain(expr) | Arg::Named(_, expr) | Arg::Spread(expr) | Arg::SpreadNamed(expr) => self.expr(expr),
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Const(_) => {}
            ExprKind::Var(name) => self.name(name, expr.at),
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Map(pairs) => {
                for (key, value) in pairs {
                    self.expr(key);
                    self.expr(value);
                }
            }
            ExprKind::Not(of) | ExprKind::Neg(of) => self.expr(of),
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                self.expr(left);
                self.perhaps(|reader| reader.expr(right));
            }
            ExprKind::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Compare(first, steps) => {
                self.expr(first);
                steps.iter().for_each(|(_, step)| self.expr(step));
            }
            ExprKind::If { test, yes, no } => {
                self.expr(test);
                self.perhaps(|reader| [Some(yes), no.as_ref()].into_iter().flatten().for_each(|branch| reader.expr(branch)));
            }
            ExprKind::Filter { filter, input, args } => {
                let name = match filter {
                    Named::Own(filter) => filter.name,
                    Named::Plugin(_) => "",
                };
                let has_default = matches!(name, "default" | "d");
                if let Some(input) = input {
                    if has_default {
                        self.guarded(|reader| reader.expr(input));
                    } else {
                        self.expr(input);
                    }
                }
                if has_default || name == "ternary" {
                    self.perhaps(|reader| reader.args(args));
                } else {
                    self.args(args);
                }
            }
            ExprKind::Test { test, input, args } => {
                if matches!(test, Named::Own(test) if matches!(test.name, "defined" | "undefined")) {
                    self.guarded(|reader| reader.expr(input));
                } else {
                    self.expr(input);
                }
                self.args(args);
            }
            ExprKind::Attr(of, name) => {
                self.expr(of);
                if is_scope(of) {
                    self.guarded(|reader| reader.name(name, expr.at));
                }
            }
            ExprKind::Item(of, key) => {
                self.expr(of);
                self.expr(key);
                if is_scope(of)
                    && let Some(name) = constant_text(key)
                {
                    self.guarded(|reader| reader.name(&name.into(), key.at));
                }
            }
            ExprKind::Slice { of, start, stop, step } => {
                self.expr(of);
                for bound in [start, stop, step].into_iter().flatten() {
                    self.expr(bound);
                }
            }
            ExprKind::Call(of, args) => {
                self.expr(of);
                self.args(args);
                if let ExprKind::Var(function) = &of.kind
                    && matches!(&**function, "lookup" | "query" | "q")
                    && let Some(Arg::Plain(which)) = args.first()
                    && matches!(constant_text(which), Some("vars" | "ansible.builtin.vars"))
                {
                    for arg in &args[1..] {
                        if let Arg::Plain(name) = arg
                            && let Some(text) = constant_text(name)
                        {
                            self.guarded(|reader| reader.name(&text.into(), name.at));
                        }
                    }
                }
            }
        }
    }
}

fn constant_text(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Const(value) => value.as_str(),
        _ => None,
    }
}

/// Whether an expression is `vars` or `hostvars[...]`: what is below it is a variable.
fn is_scope(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Var(name) => &**name == "vars",
        ExprKind::Attr(of, _) | ExprKind::Item(of, _) => matches!(&of.kind, ExprKind::Var(name) if &**name == "hostvars"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_read_and_not_set_are_found() {
        for (text, bare, names) in [
            ("a.b and c is defined", true, &["a", "c"][..]),
            ("{% for x in xs if x > n %}{{ x }}{{ loop.index }}{{ y }}{% endfor %}{{ x }}", false, &["n", "x", "xs", "y"]),
            ("{% set a = b %}{{ a }}", false, &["b"]),
            ("{% macro m(a, b=c) %}{{ a }}{{ b }}{{ d }}{% endmacro %}{{ m(e) }}", false, &["c", "d", "e"]),
            (
                "{{ lookup('vars', 'a') }}{{ hostvars[h]['b'] }}{{ hostvars.x.c }}{{ vars.d }}",
                false,
                &["a", "b", "c", "d", "h", "hostvars", "vars"],
            ),
            ("no braces", false, &[]),
            ("{{ broken", false, &[]),
        ] {
            let found = refs(text, bare);
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), names, "{text}");
        }
    }

    #[test]
    fn what_is_guarded_or_in_a_branch_is_not_needed() {
        use Need::{Certain, Guarded, Perhaps};
        for (text, needs) in [
            ("a + b", &[("a", Certain), ("b", Certain)][..]),
            ("a and b", &[("a", Certain), ("b", Perhaps)]),
            ("a.b | default(c)", &[("a", Guarded), ("c", Perhaps)]),
            ("a is defined and a > b", &[("a", Guarded), ("a", Guarded), ("b", Perhaps)]),
            ("a if b else c", &[("b", Certain), ("a", Perhaps), ("c", Perhaps)]),
            ("(a | map('x', y)) ~ vars['z']", &[("a", Certain), ("y", Certain), ("vars", Certain), ("z", Guarded)]),
        ] {
            let found = of_expression(&compile::expression(text, Known::Anything).unwrap());
            let found: Vec<_> = found.iter().map(|read| (&*read.name, read.need)).collect();
            assert_eq!(found, needs, "{text}");
        }
        let template = "{% for x in xs %}{{ y }}{% endfor %}{% if a %}{{ b }}{% endif %}{{ c }}";
        let template = compile::template(template, &FileOptions::default(), compile::Backslash::Escape, Known::Anything).unwrap();
        let found: Vec<_> = of_template(&template).iter().map(|read| (read.name.to_string(), read.need)).collect();
        let expected = [("xs", Certain), ("y", Perhaps), ("a", Certain), ("b", Perhaps), ("c", Certain)];
        assert_eq!(found, expected.map(|(name, need)| (name.to_owned(), need)));
    }
}
