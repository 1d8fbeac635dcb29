//! Filters on lists as sets; the order of the first list is kept.

use super::lists::at_path;
use super::{Filter, filter};
use crate::template::eval::Interpreter;
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("unique", unique),
    filter("union", |it, input, args| {
        let mut all = it.runtime.items(&input)?;
        all.extend(it.runtime.items(&args.required("b")?)?);
        distinct(it.runtime, all).map(Val::list)
    }),
    filter("intersect", |it, input, args| keep(it, &input, args, true)),
    filter("difference", |it, input, args| keep(it, &input, args, false)),
    filter("symmetric_difference", |it, input, args| {
        let runtime = it.runtime;
        let (one, other) = (runtime.items(&input)?, runtime.items(&args.required("b")?)?);
        let mut out = without(runtime, &one, &other, false)?;
        out.extend(without(runtime, &other, &one, false)?);
        distinct(runtime, out).map(Val::list)
    }),
];

/// A cheap stand-in for a hash: only values with the same one can be equal. None if it is not known.
fn rough(value: &Val) -> Option<String> {
    Some(match value {
        Val::Str(text) => format!("s{text}"),
        Val::Int(number) => format!("n{number}"),
        Val::Bool(value) => format!("n{}", i64::from(*value)),
        Val::Float(number) if number.fract() == 0.0 => format!("n{}", *number as i64),
        Val::Float(number) => format!("f{number}"),
        Val::Null => "0".to_owned(),
        _ => return None,
    })
}

/// Values to ask for membership: scalars by hash, the rest one by one.
#[derive(Default)]
struct Members {
    scalars: std::collections::HashSet<String>,
    others: Vec<Val>,
}

impl Members {
    fn of(runtime: &Runtime, values: &[Val]) -> Res<Self> {
        let mut members = Self::default();
        for value in values {
            members.add(runtime, value)?;
        }
        Ok(members)
    }

    fn has(&self, runtime: &Runtime, value: &Val) -> Res<bool> {
        runtime.solid(value)?;
        if let Some(key) = rough(value) {
            return Ok(self.scalars.contains(&key));
        }
        for own in &self.others {
            if runtime.equal(own, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn add(&mut self, runtime: &Runtime, value: &Val) -> Res<()> {
        runtime.solid(value)?;
        match rough(value) {
            Some(key) => {
                self.scalars.insert(key);
            }
            None => self.others.push(value.clone()),
        }
        Ok(())
    }
}

fn distinct(runtime: &Runtime, items: Vec<Val>) -> Res<Vec<Val>> {
    let mut seen = Members::default();
    let mut out = Vec::new();
    for item in items {
        if !seen.has(runtime, &item)? {
            seen.add(runtime, &item)?;
            out.push(item);
        }
    }
    Ok(out)
}

fn without(runtime: &Runtime, items: &[Val], others: &[Val], wanted: bool) -> Res<Vec<Val>> {
    let others = Members::of(runtime, others)?;
    let mut out = Vec::new();
    for item in items {
        if others.has(runtime, item)? == wanted {
            out.push(item.clone());
        }
    }
    Ok(out)
}

fn keep(it: &Interpreter<'_>, input: &Val, args: &mut Args, wanted: bool) -> Res {
    let runtime = it.runtime;
    let (one, other) = (runtime.items(input)?, runtime.items(&args.required("b")?)?);
    distinct(runtime, without(runtime, &one, &other, wanted)?).map(Val::list)
}

fn unique(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let case = match args.next("case_sensitive") {
        None | Some(Val::Null) => false,
        Some(case) => runtime.truth(&case)?,
    };
    let attribute = args.next("attribute").filter(|attribute| !matches!(attribute, Val::Null));
    let mut seen = Members::default();
    let mut out = Vec::new();
    for item in runtime.items(&input)? {
        let key = match &attribute {
            Some(attribute) => at_path(runtime, &item, attribute)?,
            None => item.clone(),
        };
        let key = match key {
            Val::Str(text) if !case => Val::str(text.to_lowercase()),
            key => key,
        };
        if !seen.has(runtime, &key)? {
            seen.add(runtime, &key)?;
            out.push(item);
        }
    }
    Ok(Val::list(out))
}
