//! Compiled templates: a tree of our own with names resolved and byte offsets kept.

use std::collections::HashMap;
use std::sync::Arc;

use super::filters::Filter;
use super::plugins::Named;
use super::tests::Test;
use crate::vars::Value;

/// First byte and one past the last, in the template's text.
pub(super) type Range = (u32, u32);

/// An expression with its place.
#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) at: Range,
}

/// What an expression is.
#[derive(Debug)]
pub(super) enum ExprKind {
    Const(Value),
    Var(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Neg(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    If {
        test: Box<Expr>,
        yes: Box<Expr>,
        no: Option<Box<Expr>>,
    },
    /// Without input: the text of a `{% filter %}` block.
    Filter {
        filter: Named<Filter>,
        input: Option<Box<Expr>>,
        args: Vec<Arg>,
    },
    Test {
        test: Named<Test>,
        input: Box<Expr>,
        args: Vec<Arg>,
    },
    Attr(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice {
        of: Box<Expr>,
        start: Option<Box<Expr>>,
        stop: Option<Box<Expr>>,
        step: Option<Box<Expr>>,
    },
    Call(Box<Expr>, Vec<Arg>),
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Rem,
    Pow,
    Concat,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Lte,
    Gt,
    Gte,
    In,
    NotIn,
}

/// An argument of a call.
#[derive(Debug)]
pub(super) enum Arg {
    Plain(Expr),
    Named(Arc<str>, Expr),
    Spread(Expr),
    SpreadNamed(Expr),
}

/// What is assigned to.
#[derive(Debug)]
pub(super) enum Target {
    Name(Arc<str>),
    Attr(Arc<str>, Arc<str>),
    Several(Vec<Target>),
}

/// A statement.
#[derive(Debug)]
pub(super) enum Stmt {
    Raw(Arc<str>),
    Emit(Expr),
    For(Arc<For>),
    If {
        test: Expr,
        yes: Vec<Stmt>,
        no: Vec<Stmt>,
    },
    With {
        assignments: Vec<(Target, Expr)>,
        body: Vec<Stmt>,
    },
    Set(Target, Expr),
    SetBlock {
        target: Target,
        filter: Option<Expr>,
        body: Vec<Stmt>,
    },
    FilterBlock {
        filter: Expr,
        body: Vec<Stmt>,
    },
    Scoped(Vec<Stmt>),
    Block {
        name: Arc<str>,
        at: Range,
        scoped: bool,
    },
    Extends(Expr),
    /// `context`: whether the other template sees what this one sees.
    Include {
        name: Expr,
        ignore_missing: bool,
        context: bool,
    },
    Import {
        from: Expr,
        name: Arc<str>,
        context: bool,
    },
    FromImport {
        from: Expr,
        names: Vec<(Arc<str>, Arc<str>)>,
        context: bool,
    },
    Macro(Arc<Macro>),
    CallBlock {
        call: Expr,
        caller: Arc<Macro>,
    },
    Do(Expr),
    Continue,
    Break,
}

/// A loop.
#[derive(Debug)]
pub(super) struct For {
    pub(super) target: Target,
    pub(super) iter: Expr,
    pub(super) filter: Option<Expr>,
    pub(super) recursive: bool,
    pub(super) body: Vec<Stmt>,
    pub(super) otherwise: Vec<Stmt>,
}

/// A macro, or the body of a `{% call %}`.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: Arc<str>,
    pub(super) params: Vec<Arc<str>>,
    /// Defaults of the last parameters.
    pub(super) defaults: Vec<Expr>,
    pub(super) body: Vec<Stmt>,
    /// Whether the body reads `varargs`, `kwargs` or `caller`.
    pub(super) reads_varargs: bool,
    pub(super) reads_kwargs: bool,
    pub(super) reads_caller: bool,
}

/// A compiled template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) body: Vec<Stmt>,
    pub(super) blocks: HashMap<Arc<str>, Arc<Vec<Stmt>>>,
    /// Where it begins in its file: after a `#jinja2:` line.
    pub(super) start: u32,
}
