//! Filters about what a value is: `default`, `mandatory`, `bool`, `ternary`, `type_debug` ...

use super::{Filter, filter, flag, raw, text};
use crate::template::error::TemplateError;
use crate::template::eval::Interpreter;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    raw("default", default),
    raw("d", default),
    raw("mandatory", mandatory),
    filter("bool", |it, input, _| match text::boolean(it.runtime, &input)? {
        Some(value) => Ok(Val::Bool(value)),
        // Whatever else it is, it is not true; ansible-core says so too, with a warning.
        None => Ok(Val::Bool(false)),
    }),
    raw("ternary", ternary),
    raw("type_debug", |_, input, _| match input {
        Val::Undefined(_) => Ok(Val::str("UndefinedMarker")),
        Val::Unknown(_) => Ok(input),
        input => Ok(Val::str(input.type_name())),
    }),
    raw("undef", |_, input, _| Ok(input)),
];

fn default(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let value = args.next("default_value").unwrap_or_else(|| Val::str(""));
    let also_false = flag(it.runtime, args, "boolean", false)?;
    match input {
        Val::Undefined(_) => Ok(value),
        Val::Unknown(_) => Ok(input),
        input if also_false && !it.runtime.truth(&input)? => Ok(value),
        input => Ok(input),
    }
}

fn mandatory(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let message = super::optional(it.runtime, args, "msg")?;
    match (input, message) {
        (Val::Undefined(error), Some(message)) => {
            Err(TemplateError { message: message.to_string(), ..error.error.clone() }.into())
        }
        (Val::Undefined(error), None) => Err(it.runtime.explained(&error).into()),
        (input, _) => Ok(input),
    }
}

fn ternary(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let (yes, no) = (args.required("true_val")?, args.required("false_val")?);
    match (args.next("none_val"), &input) {
        (_, Val::Undefined(_) | Val::Unknown(_)) => Ok(input),
        (Some(none), Val::Null) if !matches!(none, Val::Null) => Ok(none),
        _ => Ok(if it.runtime.truth(&input)? { yes } else { no }),
    }
}
