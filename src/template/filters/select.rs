//! Filters that apply other filters and tests to every item.

use super::lists::at_path;
use super::{Filter, filter};
use crate::template::error::{Fault, fail};
use crate::template::eval::Interpreter;
use crate::template::runtime::Runtime;
use crate::template::tests;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("map", map),
    filter("select", |it, input, args| select(it, &input, args, true, false)),
    filter("reject", |it, input, args| select(it, &input, args, false, false)),
    filter("selectattr", |it, input, args| select(it, &input, args, true, true)),
    filter("rejectattr", |it, input, args| select(it, &input, args, false, true)),
];

fn map(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let items = items(runtime, &input)?;
    if args.has_named("attribute") {
        let attribute = args.named("attribute").unwrap_or(Val::Null);
        let default = args.named("default");
        let pick = |item: &Val| {
            Ok(match (at_path(runtime, item, &attribute)?, &default) {
                (Val::Undefined(_), Some(default)) => default.clone(),
                (value, _) => value,
            })
        };
        return Ok(Val::list(items.iter().map(pick).collect::<Res<_>>()?));
    }
    let name = runtime.string(&args.required("filter")?)?;
    let found = super::named(&name, runtime.shared.known())?;
    let (plain, named) = (args.rest(), args.rest_named());
    let apply = |item: Val| it.filter(&found, item, Args::new(plain.clone(), named.clone()), (0, 0));
    Ok(Val::list(items.into_iter().map(apply).collect::<Res<_>>().map_err(unplaced)?))
}

/// What is chosen from; nothing holds nothing.
fn items(runtime: &Runtime, input: &Val) -> Res<Vec<Val>> {
    if matches!(input, Val::Null) { Ok(Vec::new()) } else { runtime.items(input) }
}

/// The place of an inner filter is not known; the outer one's will be added.
fn unplaced(fault: Fault) -> Fault {
    match fault {
        Fault::Error(mut error) => {
            error.span = None;
            Fault::Error(error)
        }
        other => other,
    }
}

/// Items for which a test holds. An item for which it is unknown makes the whole list unknown.
fn select(it: &Interpreter<'_>, input: &Val, args: &mut Args, wanted: bool, by_attribute: bool) -> Res {
    let runtime = it.runtime;
    let attribute = if by_attribute { Some(args.required("attribute")?) } else { None };
    let test = match args.next("test") {
        Some(name) => {
            let name = runtime.string(&name)?;
            Some(tests::named(&name, runtime.shared.known())?)
        }
        None => None,
    };
    let (plain, named) = (args.rest(), args.rest_named());
    if test.is_none() && !(plain.is_empty() && named.is_empty()) {
        return Err(fail("arguments need a test to be for"));
    }
    let mut kept = Vec::new();
    for item in items(runtime, input)? {
        let value = match &attribute {
            Some(attribute) => at_path(runtime, &item, attribute)?,
            None => item.clone(),
        };
        let holds = match &test {
            Some(test) => it.test(test, value, Args::new(plain.clone(), named.clone()), (0, 0)).map_err(unplaced)?,
            None => value,
        };
        if runtime.truth(&holds)? == wanted {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}
