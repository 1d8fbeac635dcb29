//! From text to a compiled template: minijinja's parser reads it, this file makes our tree of it.
//!
//! The parser sees a copy in which backslash pairs are blanked out: what `\n` means depends on
//! where the text stands (in a template file it is a newline; in a playbook's value it is a
//! backslash and an `n`, but not in a condition, as Ansible has it), so literals are read from the original by their place.

use std::collections::HashMap;
use std::ops::Range as Bytes;
use std::sync::Arc;

use minijinja::machinery::{Span, ast as parsed};
use minijinja::syntax::SyntaxConfig;

use super::ast::{Arg, Comparison, Expr, ExprKind, For, Macro, Operator, Range, Stmt, Target, Template};
use super::error::{TemplateError, TemplateErrorKind};
use super::plugins::Known;
use super::{FileOptions, filters, tests};
use crate::source::suggest::did_you_mean;
use crate::vars::Value;

/// A problem with its place in the text.
pub(super) type CompileError = (TemplateError, Range);

/// What a backslash in a string literal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslash {
    /// Itself: templates in the text of playbooks and inventories.
    Literal,
    /// The start of an escape, as in Python: template files, and expressions without braces.
    Escape,
}

/// Compiles text with delimiters.
pub(super) fn template(
    text: &str,
    options: &FileOptions,
    backslash: Backslash,
    known: Known<'_>,
) -> Result<Template, CompileError> {
    let [block_start, block_end, variable_start, variable_end, comment_start, comment_end] = options.delimiters.clone();
    let syntax = SyntaxConfig::builder()
        .block_delimiters(block_start, block_end)
        .variable_delimiters(variable_start, variable_end)
        .comment_delimiters(comment_start, comment_end)
        .trim_blocks(options.trim_blocks)
        .lstrip_blocks(options.lstrip_blocks)
        .keep_trailing_newline(false)
        .build()
        .map_err(|_| (TemplateError::new(TemplateErrorKind::Syntax, "the delimiters are empty or not distinct"), (0, 0)))?;
    let odd_delimiters = options.delimiters.iter().any(|delimiter| delimiter.contains('\\'));
    let blanked = if odd_delimiters { None } else { blank_backslashes(text) };
    let source = blanked.as_deref().unwrap_or(text);
    fn parse<'s>(source: &'s str, syntax: &SyntaxConfig) -> Result<parsed::Stmt<'s>, minijinja::Error> {
        minijinja::machinery::parse(source, "template", syntax.clone())
    }
    let unsigned;
    let tree = match parse(source, &syntax) {
        Ok(tree) => tree,
        Err(error) => {
            unsigned = without_signs(error, source, |source| parse(source, &syntax).err())?;
            parse(&unsigned, &syntax).map_err(|error| syntax_error(&error, &unsigned))?
        }
    };
    let block_end = &options.delimiters[1];
    let mut lowering = Lowering { text, backslash, newline: &options.newline_sequence, block_end, known, blocks: HashMap::new() };
    let parsed::Stmt::Template(root) = tree else { unreachable!("the parser's root is a template") };
    let body = lowering.body(&root.children)?;
    Ok(Template { body, blocks: lowering.blocks, start: 0 })
}

/// Compiles a bare expression.
pub(super) fn expression(text: &str, known: Known<'_>) -> Result<Expr, CompileError> {
    let blanked = blank_backslashes(text);
    let source = blanked.as_deref().unwrap_or(text);
    let unsigned;
    let tree = match minijinja::machinery::parse_expr(source) {
        Ok(tree) => tree,
        Err(error) => {
            unsigned = without_signs(error, source, |source| minijinja::machinery::parse_expr(source).err())?;
            minijinja::machinery::parse_expr(&unsigned).map_err(|error| syntax_error(&error, &unsigned))?
        }
    };
    Lowering { text, backslash: Backslash::Escape, newline: "\n", block_end: "%}", known, blocks: HashMap::new() }.expr(&tree)
}

/// The parser knows no `+` in front of a number, which changes nothing: each that it stumbles over
/// is blanked out.
fn without_signs(
    mut error: minijinja::Error,
    source: &str,
    fails: impl Fn(&str) -> Option<minijinja::Error>,
) -> Result<String, CompileError> {
    let mut source = source.to_owned();
    loop {
        match error.range() {
            Some(at) if error.detail() == Some("unexpected `+`") && source.get(at.clone()) == Some("+") => {
                source.replace_range(at, " ");
            }
            _ => return Err(syntax_error(&error, &source)),
        }
        match fails(&source) {
            Some(next) => error = next,
            None => return Ok(source),
        }
    }
}

fn syntax_error(error: &minijinja::Error, source: &str) -> CompileError {
    let detail = error.detail().unwrap_or("it cannot be read").to_owned();
    let range = error.range().unwrap_or(Bytes { start: 0, end: source.len() });
    (TemplateError::new(TemplateErrorKind::Syntax, format!("template syntax: {detail}")), (range.start as u32, range.end as u32))
}

/// Replaces every backslash pair by two underscores, which keeps all places.
fn blank_backslashes(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at + 1 < bytes.len() {
        if bytes[at] == b'\\' && (bytes[at + 1].is_ascii_alphanumeric() || matches!(bytes[at + 1], b'\'' | b'"' | b'\\')) {
            bytes[at] = b'_';
            bytes[at + 1] = b'_';
            at += 2;
        } else {
            at += 1;
        }
    }
    Some(String::from_utf8(bytes).expect("only ASCII was replaced by ASCII"))
}

struct Lowering<'t> {
    text: &'t str,
    backslash: Backslash,
    newline: &'t str,
    block_end: &'t str,
    known: Known<'t>,
    blocks: HashMap<Arc<str>, Arc<Vec<Stmt>>>,
}

type Lowered<T> = Result<T, CompileError>;

fn range(span: Span) -> Range {
    (span.start_offset, span.end_offset)
}

impl Lowering<'_> {
    fn body(&mut self, statements: &[parsed::Stmt<'_>]) -> Lowered<Vec<Stmt>> {
        statements.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &parsed::Stmt<'_>) -> Lowered<Stmt> {
        Ok(match statement {
            parsed::Stmt::Template(template) => Stmt::Scoped(self.body(&template.children)?),
            parsed::Stmt::EmitRaw(raw) => {
                let (start, end) = range(raw.span());
                let text = &self.text[start as usize..end as usize];
                if text.contains('\r') || self.newline != "\n" {
                    Stmt::Raw(text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', self.newline).into())
                } else {
                    Stmt::Raw(text.into())
                }
            }
            parsed::Stmt::EmitExpr(emit) => Stmt::Emit(self.expr(&emit.expr)?),
            parsed::Stmt::ForLoop(each) => Stmt::For(Arc::new(For {
                target: self.target(&each.target)?,
                iter: self.expr(&each.iter)?,
                filter: each.filter_expr.as_ref().map(|filter| self.expr(filter)).transpose()?,
                recursive: each.recursive,
                body: self.body(&each.body)?,
                otherwise: self.body(&each.else_body)?,
            })),
            parsed::Stmt::IfCond(cond) => {
                Stmt::If { test: self.expr(&cond.expr)?, yes: self.body(&cond.true_body)?, no: self.body(&cond.false_body)? }
            }
            parsed::Stmt::WithBlock(with) => {
                let assignments = with
                    .assignments
                    .iter()
                    .map(|(target, value)| Ok((self.target(target)?, self.expr(value)?)))
                    .collect::<Lowered<_>>()?;
                Stmt::With { assignments, body: self.body(&with.body)? }
            }
            parsed::Stmt::Set(set) => Stmt::Set(self.target(&set.target)?, self.expr(&set.expr)?),
            parsed::Stmt::SetBlock(set) => Stmt::SetBlock {
                target: self.target(&set.target)?,
                filter: set.filter.as_ref().map(|filter| self.expr(filter)).transpose()?,
                body: self.body(&set.body)?,
            },
            parsed::Stmt::AutoEscape(escape) => Stmt::Scoped(self.body(&escape.body)?),
            parsed::Stmt::FilterBlock(block) => {
                Stmt::FilterBlock { filter: self.expr(&block.filter)?, body: self.body(&block.body)? }
            }
            parsed::Stmt::Block(block) => {
                let name: Arc<str> = block.name.into();
                let body = self.body(&block.body)?;
                self.blocks.insert(Arc::clone(&name), Arc::new(body));
                let at = range(block.span());
                Stmt::Block { name, at, scoped: self.words_from(at.0).contains(&"scoped") }
            }
            parsed::Stmt::Import(import) => {
                let context = self.words_from(range(import.expr.span()).1).contains(&"with");
                Stmt::Import { from: self.expr(&import.expr)?, name: self.name(&import.name)?, context }
            }
            parsed::Stmt::FromImport(import) => {
                let names = import
                    .names
                    .iter()
                    .map(|(name, alias)| {
                        let name = self.name(name)?;
                        let alias = alias.as_ref().map_or(Ok(Arc::clone(&name)), |alias| self.name(alias))?;
                        Ok((name, alias))
                    })
                    .collect::<Lowered<_>>()?;
                let context = self.words_from(range(import.expr.span()).1).ends_with(&["with", "context"]);
                Stmt::FromImport { from: self.expr(&import.expr)?, names, context }
            }
            parsed::Stmt::Extends(extends) => Stmt::Extends(self.expr(&extends.name)?),
            parsed::Stmt::Include(include) => {
                let context = !self.words_from(range(include.name.span()).1).contains(&"without");
                Stmt::Include { name: self.expr(&include.name)?, ignore_missing: include.ignore_missing, context }
            }
            parsed::Stmt::Macro(declared) => Stmt::Macro(Arc::new(self.declared(declared)?)),
            parsed::Stmt::CallBlock(block) => {
                let caller = Arc::new(self.declared(&block.macro_decl)?);
                Stmt::CallBlock { call: self.call(&block.call, block.call.span())?, caller }
            }
            parsed::Stmt::Continue(stop) => self.extended("jinja2.ext.loopcontrols", "continue", stop.span(), Stmt::Continue)?,
            parsed::Stmt::Break(stop) => self.extended("jinja2.ext.loopcontrols", "break", stop.span(), Stmt::Break)?,
            parsed::Stmt::Do(done) => {
                let call = self.call(&done.call, done.call.span())?;
                self.extended("jinja2.ext.do", "do", done.call.span(), Stmt::Do(call))?
            }
        })
    }

    /// A statement that is there only with an extension.
    fn extended(&self, extension: &str, word: &str, at: Span, statement: Stmt) -> Lowered<Stmt> {
        if self.known.has_extension(extension) {
            return Ok(statement);
        }
        let error = TemplateError::new(TemplateErrorKind::Syntax, format!("template syntax: `{word}` is not switched on"));
        Err((
            error.hint(format!("`jinja2_extensions = {extension}` under `[defaults]` in ansible.cfg switches it on")),
            range(at),
        ))
    }

    fn declared(&mut self, declared: &parsed::Macro<'_>) -> Lowered<Macro> {
        let params = declared.args.iter().map(|param| self.name(param)).collect::<Lowered<Vec<_>>>()?;
        let defaults = declared.defaults.iter().map(|default| self.expr(default)).collect::<Lowered<_>>()?;
        let body = self.body(&declared.body)?;
        let free = super::refs::of_statements(&body);
        let reads = |name: &str| free.contains(name) && !params.iter().any(|param| &**param == name);
        Ok(Macro {
            name: declared.name.into(),
            reads_varargs: reads("varargs"),
            reads_kwargs: reads("kwargs"),
            reads_caller: reads("caller"),
            params,
            defaults,
            body,
        })
    }

    /// Words from a place to the end of the statement there. The parser reads but does not keep
    /// `scoped`, `with context` and `without context`.
    fn words_from(&self, at: u32) -> Vec<&str> {
        let rest = self.text.get(at as usize..).unwrap_or("");
        let rest = rest.split(self.block_end).next().unwrap_or("");
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
    }

    fn name(&self, expr: &parsed::Expr<'_>) -> Lowered<Arc<str>> {
        match expr {
            parsed::Expr::Var(var) => Ok(var.id.into()),
            other => Err((TemplateError::new(TemplateErrorKind::Syntax, "expected a name"), range(other.span()))),
        }
    }

    fn target(&self, expr: &parsed::Expr<'_>) -> Lowered<Target> {
        Ok(match expr {
            parsed::Expr::Var(var) => Target::Name(var.id.into()),
            parsed::Expr::GetAttr(attr) => Target::Attr(self.name(&attr.expr)?, attr.name.into()),
            parsed::Expr::List(list) => Target::Several(list.items.iter().map(|item| self.target(item)).collect::<Lowered<_>>()?),
            other => return Err((TemplateError::new(TemplateErrorKind::Syntax, "cannot assign to this"), range(other.span()))),
        })
    }

    fn boxed(&self, expr: &parsed::Expr<'_>) -> Lowered<Box<Expr>> {
        self.expr(expr).map(Box::new)
    }

    fn optional(&self, expr: Option<&parsed::Expr<'_>>) -> Lowered<Option<Box<Expr>>> {
        expr.map(|expr| self.boxed(expr)).transpose()
    }

    fn exprs(&self, exprs: &[parsed::Expr<'_>]) -> Lowered<Vec<Expr>> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&self, expr: &parsed::Expr<'_>) -> Lowered<Expr> {
        let at = range(expr.span());
        let kind = match expr {
            parsed::Expr::Var(var) => ExprKind::Var(var.id.into()),
            parsed::Expr::Const(constant) => ExprKind::Const(self.constant(&constant.value, at)?),
            parsed::Expr::Slice(slice) => ExprKind::Slice {
                of: self.boxed(&slice.expr)?,
                start: self.optional(slice.start.as_ref())?,
                stop: self.optional(slice.stop.as_ref())?,
                step: self.optional(slice.step.as_ref())?,
            },
            parsed::Expr::UnaryOp(unary) => match unary.op {
                parsed::UnaryOpKind::Not => ExprKind::Not(self.boxed(&unary.expr)?),
                parsed::UnaryOpKind::Neg => ExprKind::Neg(self.boxed(&unary.expr)?),
            },
            parsed::Expr::BinOp(binary) => {
                let (left, right) = (self.boxed(&binary.left)?, self.boxed(&binary.right)?);
                use parsed::BinOpKind as Op;
                let compare = |comparison, left: Box<Expr>, right: Box<Expr>| ExprKind::Compare(left, vec![(comparison, *right)]);
                match binary.op {
                    Op::Eq => compare(Comparison::Eq, left, right),
                    Op::Ne => compare(Comparison::Ne, left, right),
                    Op::Lt => compare(Comparison::Lt, left, right),
                    Op::Lte => compare(Comparison::Lte, left, right),
                    Op::Gt => compare(Comparison::Gt, left, right),
                    Op::Gte => compare(Comparison::Gte, left, right),
                    Op::In => compare(Comparison::In, left, right),
                    Op::ScAnd => ExprKind::And(left, right),
                    Op::ScOr => ExprKind::Or(left, right),
                    Op::Add => ExprKind::Binary(Operator::Add, left, right),
                    Op::Sub => ExprKind::Binary(Operator::Sub, left, right),
                    Op::Mul => ExprKind::Binary(Operator::Mul, left, right),
                    Op::Div => ExprKind::Binary(Operator::Div, left, right),
                    Op::FloorDiv => ExprKind::Binary(Operator::FloorDiv, left, right),
                    Op::Rem => ExprKind::Binary(Operator::Rem, left, right),
                    Op::Pow => ExprKind::Binary(Operator::Pow, left, right),
                    Op::Concat => ExprKind::Binary(Operator::Concat, left, right),
                }
            }
            parsed::Expr::Compare(chain) => {
                use parsed::CompareOpKind as Op;
                let steps = chain
                    .ops
                    .iter()
                    .map(|step| {
                        let comparison = match step.op {
                            Op::Eq => Comparison::Eq,
                            Op::Ne => Comparison::Ne,
                            Op::Lt => Comparison::Lt,
                            Op::Lte => Comparison::Lte,
                            Op::Gt => Comparison::Gt,
                            Op::Gte => Comparison::Gte,
                            Op::In => Comparison::In,
                            Op::NotIn => Comparison::NotIn,
                        };
                        Ok((comparison, self.expr(&step.expr)?))
                    })
                    .collect::<Lowered<_>>()?;
                ExprKind::Compare(self.boxed(&chain.expr)?, steps)
            }
            parsed::Expr::IfExpr(cond) => ExprKind::If {
                test: self.boxed(&cond.test_expr)?,
                yes: self.boxed(&cond.true_expr)?,
                no: self.optional(cond.false_expr.as_ref())?,
            },
            parsed::Expr::Filter(filter) => {
                let found = filters::named(filter.name, self.known).map_err(|error| (error, at))?;
                ExprKind::Filter { filter: found, input: self.optional(filter.expr.as_ref())?, args: self.args(&filter.args)? }
            }
            parsed::Expr::Test(test) => {
                let found = tests::named(test.name, self.known).map_err(|error| (error, at))?;
                ExprKind::Test { test: found, input: self.boxed(&test.expr)?, args: self.args(&test.args)? }
            }
            parsed::Expr::GetAttr(attr) => ExprKind::Attr(self.boxed(&attr.expr)?, attr.name.into()),
            parsed::Expr::GetItem(item) => ExprKind::Item(self.boxed(&item.expr)?, self.boxed(&item.subscript_expr)?),
            parsed::Expr::Call(call) => return self.call(call, call.span()),
            parsed::Expr::List(list) => ExprKind::List(self.exprs(&list.items)?),
            parsed::Expr::Tuple(tuple) => ExprKind::Tuple(self.exprs(&tuple.items)?),
            parsed::Expr::Map(map) => {
                let pairs = map.keys.iter().zip(&map.values);
                ExprKind::Map(pairs.map(|(key, value)| Ok((self.expr(key)?, self.expr(value)?))).collect::<Lowered<_>>()?)
            }
        };
        Ok(Expr { kind, at })
    }

    fn call(&self, call: &parsed::Call<'_>, span: Span) -> Lowered<Expr> {
        Ok(Expr { kind: ExprKind::Call(self.boxed(&call.expr)?, self.args(&call.args)?), at: range(span) })
    }

    fn args(&self, args: &[parsed::CallArg<'_>]) -> Lowered<Vec<Arg>> {
        args.iter()
            .map(|arg| {
                Ok(match arg {
                    parsed::CallArg::Pos(expr) => Arg::Plain(self.expr(expr)?),
                    parsed::CallArg::Kwarg(name, expr) => Arg::Named((*name).into(), self.expr(expr)?),
                    parsed::CallArg::PosSplat(expr) => Arg::Spread(self.expr(expr)?),
                    parsed::CallArg::KwargSplat(expr) => Arg::SpreadNamed(self.expr(expr)?),
                })
            })
            .collect()
    }

    fn constant(&self, value: &minijinja::Value, at: Range) -> Lowered<Value> {
        if value.as_str().is_some() {
            return Ok(Value::from(self.literal(at)));
        }
        if value.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(boolean) = bool::try_from(value.clone())
            && value.kind() == minijinja::value::ValueKind::Bool
        {
            return Ok(Value::Bool(boolean));
        }
        if value.is_integer() {
            return i64::try_from(value.clone())
                .map(Value::Int)
                .map_err(|_| (TemplateError::new(TemplateErrorKind::Syntax, "this whole number is too large"), at));
        }
        f64::try_from(value.clone())
            .map(Value::Float)
            .map_err(|_| (TemplateError::new(TemplateErrorKind::Syntax, "this constant cannot be read"), at))
    }

    /// The text of one or several adjacent string literals, read from the original.
    fn literal(&self, (start, end): Range) -> String {
        let mut out = String::new();
        let mut rest = &self.text[start as usize..end as usize];
        while let Some(open) = rest.find(['\'', '"']) {
            let quote = rest.as_bytes()[open];
            let body = &rest[open + 1..];
            let mut close = 0;
            while close < body.len() && body.as_bytes()[close] != quote {
                close += if body.as_bytes()[close] == b'\\' { 2 } else { 1 };
            }
            let close = close.min(body.len());
            match self.backslash {
                Backslash::Literal => out.push_str(&body[..close]),
                Backslash::Escape => unescape(&body[..close], &mut out),
            }
            rest = body.get(close + 1..).unwrap_or("");
        }
        out
    }
}

/// Python's escapes.
fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            out.push('\\');
            return;
        };
        let after = &rest[c.len_utf8()..];
        let hex = |digits: usize| {
            let code = after.get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
            code.and_then(char::from_u32).map(|c| (c, &after[digits..]))
        };
        let simple = match c {
            '\n' => None,
            '\\' | '\'' | '"' => Some(c),
            'a' => Some('\x07'),
            'b' => Some('\x08'),
            'f' => Some('\x0c'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0b'),
            'x' | 'u' | 'U' => {
                let digits = match c {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                if let Some((c, after)) = hex(digits) {
                    out.push(c);
                    rest = after;
                } else {
                    out.push('\\');
                }
                continue;
            }
            '0'..='7' => {
                let digits = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                let code = u32::from_str_radix(&rest[..digits], 8).unwrap_or(0);
                out.extend(char::from_u32(code));
                rest = &rest[digits..];
                continue;
            }
            _ => {
                out.push('\\');
                Some(c)
            }
        };
        out.extend(simple);
        rest = after;
    }
    out.push_str(rest);
}

/// The error for a filter, test or lookup that does not exist.
pub(super) fn unknown_name<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> TemplateError {
    let error = TemplateError::new(TemplateErrorKind::UnknownName, format!("no {what} named `{name}`"));
    let short = name.rsplit('.').next().unwrap_or(name);
    match did_you_mean(short, known) {
        Some(hint) => error.hint(hint),
        None if name.split('.').count() > 2 && !name.starts_with("ansible.") => {
            let collection = name.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
            error.hint(format!("it belongs to the collection `{collection}`, which is not installed: `stead deps install`"))
        }
        None => error,
    }
}
