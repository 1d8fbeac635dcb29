//! Functions and names that exist without anybody defining them.

use std::cell::{Cell, RefCell};

use super::error::{TemplateError, TemplateErrorKind, fail};
use super::eval::Interpreter;
use super::inheritance::OwnBlocks;
use super::objects::{Function, HostVars, Namespace, RangeObject, Run, ScopeVars, Stateful};
use super::runtime::Runtime;
use super::val::{Args, Dict, Res, Val};
use super::{lookups, time};
use crate::vars::Key;

/// Names that no variable can shadow.
pub(super) fn fixed(runtime: &Runtime, context: usize, name: &str) -> Option<Val> {
    match name {
        "hostvars" if runtime.context(context).scope.world.is_some() => Some(Val::object(HostVars { context })),
        "vars" => Some(Val::object(ScopeVars { context })),
        "omit" => Some(Val::Omit),
        _ => None,
    }
}

/// Names that variables may shadow.
pub(super) fn builtin(interpreter: &Interpreter<'_>, name: &str) -> Option<Val> {
    let _ = interpreter;
    let (name, run): (&'static str, Run) = match name {
        "lookup" => ("lookup", |interpreter, args| lookups::call(interpreter, args, false)),
        "query" | "q" => ("query", |interpreter, args| lookups::call(interpreter, args, true)),
        "range" => ("range", range),
        "dict" => ("dict", dict),
        "namespace" => ("namespace", namespace),
        "now" => ("now", time::now),
        "undef" => ("undef", undef),
        "cycler" => ("cycler", cycler),
        "joiner" => ("joiner", joiner),
        "lipsum" => ("lipsum", lipsum),
        "self" => return Some(Val::object(OwnBlocks)),
        _ => return None,
    };
    Some(Val::object(Function { name, run }))
}

fn range(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    let whole = |value: &Val| match value {
        Val::Int(number) => Ok(*number),
        Val::Bool(value) => Ok(i64::from(*value)),
        other => Err(fail(format!("whole numbers are needed, not a `{}`", other.type_name()))),
    };
    let bounds = args.rest().iter().map(whole).collect::<Res<Vec<_>>>()?;
    let (start, stop, step) = match bounds[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        [_, _, _] => return Err(fail("the step cannot be 0")),
        _ => return Err(fail("one to three numbers are needed")),
    };
    let length = (i128::from(stop) - i128::from(start)).unsigned_abs() / u128::from(step.unsigned_abs());
    interpreter.runtime.steps(u64::try_from(length).unwrap_or(u64::MAX))?;
    Ok(Val::object(RangeObject { start, stop, step }))
}

/// Entries of `dict(...)` and `namespace(...)`: from mappings or pairs, then by name.
fn entries(interpreter: &Interpreter<'_>, args: &mut Args) -> Res<Dict> {
    let runtime = interpreter.runtime;
    let mut entries = Dict::new();
    for value in args.rest() {
        if let Some(pairs) = runtime.pairs(&value)? {
            entries.extend(pairs);
            continue;
        }
        for pair in runtime.items(&value)? {
            let pair = runtime.items(&pair)?;
            let [key, value] = &pair[..] else { return Err(fail("pairs of a key and a value are needed")) };
            entries.insert(runtime.key(key)?, value.clone());
        }
    }
    entries.extend(args.rest_named().into_iter().map(|(name, value)| (Key::Str(name), value)));
    Ok(entries)
}

fn dict(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    entries(interpreter, args).map(Val::dict)
}

fn namespace(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    Ok(Val::object(Namespace { names: RefCell::new(entries(interpreter, args)?) }))
}

fn undef(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    let message = match args.next("hint") {
        Some(hint) if !matches!(hint, Val::Null) => interpreter.runtime.string(&hint)?.to_string(),
        _ => "a mandatory variable was not set".to_owned(),
    };
    Ok(Val::undefined(TemplateError::new(TemplateErrorKind::Undefined, message)))
}

fn cycler(_: &Interpreter<'_>, args: &mut Args) -> Res {
    let values = args.rest();
    if values.is_empty() {
        return Err(fail("nothing to cycle through"));
    }
    Ok(Val::object(Stateful::Cycler { values, at: Cell::new(0) }))
}

const LATIN: &[&str] = &[
    "ad",
    "aliquam",
    "amet",
    "ante",
    "arcu",
    "augue",
    "commodo",
    "consectetur",
    "dapibus",
    "diam",
    "dolor",
    "egestas",
    "elit",
    "enim",
    "erat",
    "eros",
    "est",
    "et",
    "facilisis",
    "felis",
    "fusce",
    "ipsum",
    "lacus",
    "lectus",
    "leo",
    "libero",
    "lorem",
    "magna",
    "massa",
    "mauris",
    "metus",
    "mi",
    "morbi",
    "nec",
    "nibh",
    "nulla",
    "nunc",
    "odio",
    "orci",
    "pede",
    "porta",
    "quam",
    "quis",
    "risus",
    "rutrum",
    "sapien",
    "sed",
    "sem",
    "sit",
    "tellus",
    "tempor",
    "tortor",
    "turpis",
    "urna",
    "ut",
    "velit",
    "vitae",
    "vulputate",
];

/// A number of things.
fn count(args: &mut Args, name: &str, default: usize) -> Res<usize> {
    match args.next(name) {
        None => Ok(default),
        Some(Val::Int(number)) => Ok(usize::try_from(number).unwrap_or(0)),
        Some(other) => Err(fail(format!("`{name}` is a number, not a `{}`", other.type_name()))),
    }
}

/// `lipsum(n=5, html=True, min=20, max=100)`: paragraphs without a meaning.
fn lipsum(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    let runtime = interpreter.runtime;
    let paragraphs = count(args, "n", 5)?;
    let html = args.next("html").map_or(Ok(true), |html| runtime.truth(&html))?;
    let (low, high) = (count(args, "min", 20)?.max(1), count(args, "max", 100)?);
    let mut out = Vec::new();
    for _ in 0..paragraphs {
        let words = rand::random_range(low..high.max(low + 1));
        runtime.steps(words as u64)?;
        runtime.bytes(words * 10)?;
        let text: Vec<&str> = (0..words).map(|_| LATIN[rand::random_range(0..LATIN.len())]).collect();
        let text = super::methods::capitalized(&text.join(" ")) + ".";
        out.push(if html { format!("<p>{text}</p>") } else { text });
    }
    Ok(Val::str(out.join(if html { "\n" } else { "\n\n" })))
}

fn joiner(_: &Interpreter<'_>, args: &mut Args) -> Res {
    let separator = args.next("sep").unwrap_or_else(|| Val::str(", "));
    Ok(Val::object(Stateful::Joiner { separator, used: Cell::new(false) }))
}
