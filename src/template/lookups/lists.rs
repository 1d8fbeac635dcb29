//! Lookups that walk through lists and dictionaries.

use super::{Lookup, flattened, lookup, words};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::filters;
use crate::template::formatting;
use crate::template::val::{Args, Dict, Res, Val};

pub(super) const LOOKUPS: &[Lookup] = &[
    lookup("items", |it, terms, _| flattened(it, terms)),
    lookup("list", |_, terms, _| Ok(terms)),
    lookup("flattened", |it, terms, _| flattened(it, terms)),
    lookup("dict", dict),
    lookup("indexed_items", |it, terms, _| {
        let pair = |(at, item)| Val::tuple(vec![Val::Int(at as i64), item]);
        Ok(flattened(it, terms)?.into_iter().enumerate().map(pair).collect())
    }),
    lookup("nested", nested),
    lookup("cartesian", nested),
    lookup("together", together),
    lookup("subelements", |it, terms, _| {
        let [list, path, flags @ ..] = &terms[..] else { return Err(fail("a list and the name of a part are needed")) };
        let skip = match flags.first() {
            Some(flags) => it.runtime.get(flags, &"skip_missing".into())?.map_or(Ok(false), |value| it.runtime.truth(&value))?,
            None => false,
        };
        filters::subelements(it.runtime, list, path, skip, true)
    }),
    lookup("random_choice", |_, terms, _| {
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![terms[rand::random_range(0..terms.len())].clone()])
    }),
    lookup("sequence", sequence),
];

fn dict(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in terms {
        let dicts = if term.is_list() { it.runtime.items(&term)? } else { vec![term] };
        for dict in dicts {
            for (key, value) in it.runtime.mapping(&dict)? {
                out.push(Val::dict(Dict::from_iter([("key".into(), Val::from(&key)), ("value".into(), value)])));
            }
        }
    }
    Ok(out)
}

fn nested(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for term in &terms {
        let items = if term.is_list() { it.runtime.items(term)? } else { vec![term.clone()] };
        it.runtime.steps((rows.len() as u64).saturating_mul(items.len() as u64))?;
        rows = rows.iter().flat_map(|row| items.iter().map(|item| row.iter().chain([item]).cloned().collect())).collect();
    }
    // Lists among the items are taken apart.
    rows.into_iter().map(|row| flattened(it, row).map(Val::list)).collect()
}

fn together(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    if terms.is_empty() {
        return Err(fail("at least one list is needed"));
    }
    let lists = terms.iter().map(|term| it.runtime.items(term)).collect::<Res<Vec<_>>>()?;
    let length = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |at: usize| Val::list(lists.iter().map(|list| list.get(at).cloned().unwrap_or(Val::Null)).collect());
    Ok((0..length).map(row).collect())
}

/// `start=1 end=5 stride=2 format=host%02d count=3`, or `1-5/2:host%02d`.
fn sequence(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let mut out = Vec::new();
    let named: Vec<(String, String)> = ["start", "end", "count", "stride", "format"]
        .into_iter()
        .filter_map(|name| args.named(name).map(|value| Ok((name.to_owned(), runtime.string(&value)?.to_string()))))
        .collect::<Res<_>>()?;
    let terms = if terms.is_empty() { vec![Val::str("")] } else { terms };
    for term in &terms {
        let text = runtime.string(term)?;
        let (plain, options) = words(&text);
        let (mut start, mut end, mut count, mut stride, mut format) = (1_i64, None, None, None, "%d".to_owned());
        let number = |text: &str| {
            let (digits, radix) = match text.strip_prefix("0x") {
                Some(digits) => (digits, 16),
                None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
                None => (text, 10),
            };
            i64::from_str_radix(digits, radix).map_err(|_| fail(format!("`{text}` is not a whole number")))
        };
        if let Some(short) = plain.first() {
            let (range, shape) = short.split_once(':').map_or((&**short, None), |(range, shape)| (range, Some(shape)));
            let (range, step) = range.split_once('/').map_or((range, None), |(range, step)| (range, Some(step)));
            match range.get(1..).and_then(|rest| rest.find('-')).map(|at| range.split_at(at + 1)) {
                Some((first, last)) => {
                    start = number(first)?;
                    end = Some(number(&last[1..])?);
                }
                None => end = Some(number(range)?),
            }
            stride = step.map(number).transpose()?;
            format = shape.map_or(format, str::to_owned);
        }
        for (name, value) in options.iter().chain(&named) {
            match name.as_str() {
                "start" => start = number(value)?,
                "end" => end = Some(number(value)?),
                "count" => count = Some(number(value)?),
                "stride" => stride = Some(number(value)?),
                "format" => value.clone_into(&mut format),
                other => return Err(fail(format!("there is no argument `{other}`"))),
            }
        }
        let end = match (end, count) {
            (Some(end), None) => end,
            (None, Some(0)) => continue,
            (None, Some(count)) => start + count * stride.unwrap_or(1) - stride.unwrap_or(1).signum(),
            (None, None) => return Err(fail("`end` or `count` is needed")),
            (Some(_), Some(_)) => return Err(fail("`end` and `count` cannot be given together")),
        };
        let stride = match stride {
            Some(0) => return Err(fail("the stride cannot be 0")),
            Some(stride) => stride,
            None => 1,
        };
        if (stride > 0 && end < start) || (stride < 0 && end > start) {
            return Err(fail("the sequence never reaches its end: check start, end and stride"));
        }
        let mut at = start;
        while (stride > 0 && at <= end) || (stride < 0 && at >= end) {
            runtime.step()?;
            out.push(Val::str(formatting::percent(runtime, &format, &Val::Int(at))?));
            at += stride;
        }
    }
    Ok(out)
}
