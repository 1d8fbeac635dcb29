//! Which variables a template reads that it does not set itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::ast::{Arg, Expr, ExprKind, Macro, Stmt, Target};
use super::{FileOptions, compile};

/// Names of variables that an expression (or, unless `bare`, text with braces) reads. Names that
/// are spelled out in `lookup('vars', 'name')`, `vars['name']` and `hostvars[...]['name']` count
/// too. Text that does not parse reads nothing: checking says why.
pub fn refs(text: &str, bare: bool) -> BTreeSet<String> {
    if bare {
        let Ok(expr) = compile::expression(text) else { return BTreeSet::new() };
        let mut reader = Reader::default();
        reader.expr(&expr);
        return reader.found;
    }
    if !super::has_template(text) {
        return BTreeSet::new();
    }
    compile::template(text, &FileOptions::default(), compile::Backslash::Literal).map_or_else(
        |_| BTreeSet::new(),
        |template| {
            let mut reader = Reader::default();
            reader.scoped(&template.body);
            for block in template.blocks.values() {
                reader.scoped(block);
            }
            reader.found
        },
    )
}

/// The free names of a macro's body, `caller`, `varargs` and `kwargs` among them.
pub(super) fn of_statements(body: &[Stmt]) -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.scoped(body);
    reader.found
}

#[derive(Default)]
struct Reader {
    found: BTreeSet<String>,
    set: Vec<Vec<Arc<str>>>,
}

/// Functions that exist without anybody defining them.
const FUNCTIONS: [&str; 11] = ["lookup", "query", "q", "range", "dict", "namespace", "omit", "undef", "now", "loop", "self"];

impl Reader {
    fn scoped(&mut self, body: &[Stmt]) {
        self.set.push(Vec::new());
        for statement in body {
            self.statement(statement);
        }
        self.set.pop();
    }

    fn name(&mut self, name: &str) {
        let own = self.set.iter().flatten().any(|set| &**set == name);
        if !own && !FUNCTIONS.contains(&name) {
            self.found.insert(name.to_owned());
        }
    }

    fn target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => {
                if let Some(set) = self.set.last_mut() {
                    set.push(Arc::clone(name));
                }
            }
            Target::Attr(name, _) => self.name(name),
            Target::Several(targets) => targets.iter().for_each(|target| self.target(target)),
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Raw(_) | Stmt::Continue | Stmt::Break | Stmt::Block(..) => {}
            Stmt::Emit(expr) | Stmt::Extends(expr) | Stmt::Do(expr) | Stmt::Include { name: expr, .. } => self.expr(expr),
            Stmt::For(each) => {
                self.expr(&each.iter);
                self.set.push(Vec::new());
                self.target(&each.target);
                if let Some(filter) = &each.filter {
                    self.expr(filter);
                }
                self.scoped(&each.body);
                self.set.pop();
                self.scoped(&each.otherwise);
            }
            Stmt::If { test, yes, no } => {
                self.expr(test);
                yes.iter().chain(no).for_each(|statement| self.statement(statement));
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
            Stmt::Import { from, name } => {
                self.expr(from);
                self.target(&Target::Name(Arc::clone(name)));
            }
            Stmt::FromImport { from, names } => {
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
        self.scoped(&declared.body);
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
            ExprKind::Var(name) => self.name(name),
            ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Map(pairs) => {
                for (key, value) in pairs {
                    self.expr(key);
                    self.expr(value);
                }
            }
            ExprKind::Not(of) | ExprKind::Neg(of) => self.expr(of),
            ExprKind::And(left, right) | ExprKind::Or(left, right) | ExprKind::Binary(_, left, right) => {
                self.expr(left);
                self.expr(right);
            }
            ExprKind::Compare(first, steps) => {
                self.expr(first);
                steps.iter().for_each(|(_, step)| self.expr(step));
            }
            ExprKind::If { test, yes, no } => {
                self.expr(test);
                self.expr(yes);
                if let Some(no) = no {
                    self.expr(no);
                }
            }
            ExprKind::Filter { input, args, .. } => {
                if let Some(input) = input {
                    self.expr(input);
                }
                self.args(args);
            }
            ExprKind::Test { input, args, .. } => {
                self.expr(input);
                self.args(args);
            }
            ExprKind::Attr(of, name) => {
                self.expr(of);
                if is_scope(of) {
                    self.name(name);
                }
            }
            ExprKind::Item(of, key) => {
                self.expr(of);
                self.expr(key);
                if is_scope(of)
                    && let Some(name) = constant_text(key)
                {
                    self.name(name);
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
                            && let Some(name) = constant_text(name)
                        {
                            self.name(name);
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
}
