//! Filters, one file per family.

mod crypto;
mod data;
mod defaults;
mod dicts;
mod html;
mod lists;
mod numbers;
mod paths;
mod patterns;
mod random;
mod select;
mod sets;
pub(super) mod text;
mod urls;
pub(super) mod vault;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::error::{TemplateError, fail};
use super::eval::Interpreter;
use super::plugins::{Known, Named, PluginKind};
use super::runtime::{Number, Runtime, number};
use super::val::{Args, Res, Val};

/// What a filter does.
pub(super) type Run = fn(&Interpreter<'_>, Val, &mut Args) -> Res;

/// A filter.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: &'static str,
    pub(super) run: Run,
    /// Whether it wants to see undefined and unknown input itself.
    pub(super) raw: bool,
}

const fn filter(name: &'static str, run: Run) -> Filter {
    Filter { name, run, raw: false }
}

const fn raw(name: &'static str, run: Run) -> Filter {
    Filter { name, run, raw: true }
}

const FAMILIES: [&[Filter]; 15] = [
    crypto::FILTERS,
    data::FILTERS,
    defaults::FILTERS,
    dicts::FILTERS,
    html::FILTERS,
    lists::FILTERS,
    numbers::FILTERS,
    paths::FILTERS,
    patterns::FILTERS,
    random::FILTERS,
    select::FILTERS,
    sets::FILTERS,
    text::FILTERS,
    urls::FILTERS,
    vault::FILTERS,
];

/// The name without `ansible.builtin.` (or the older `ansible.legacy.`).
pub(super) fn short_name(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.").or_else(|| name.strip_prefix("ansible.legacy.")).unwrap_or(name)
}

/// The filter of a name.
pub(super) fn find(name: &str) -> Option<&'static Filter> {
    static KNOWN: OnceLock<HashMap<&'static str, &'static Filter>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| FAMILIES.into_iter().flatten().map(|filter| (filter.name, filter)).collect());
    known.get(short_name(name)).copied()
}

/// What a filter's name stands for.
pub(super) fn named(name: &str, known: Known<'_>) -> Result<Named<Filter>, TemplateError> {
    if let Some(found) = find(name) {
        return Ok(Named::Own(found));
    }
    let Some((_, collection)) = ELSEWHERE.iter().find(|(own, _)| *own == name) else {
        return known.plugin(PluginKind::Filter, name, names());
    };
    let full = format!("{collection}.{name}");
    match known.plugin(PluginKind::Filter, &full, std::iter::empty()) {
        Ok(named) => Ok(named),
        // The project may have one of the same name.
        Err(error) => known.plugin(PluginKind::Filter, name, std::iter::empty()).map_err(|_| error),
    }
}

/// Filters that older playbooks call by short names, and the collections that have them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("json_query", "community.general"),
    ("version_sort", "community.general"),
    ("ipaddr", "ansible.utils"),
    ("ipwrap", "ansible.utils"),
    ("ipv4", "ansible.utils"),
    ("ipv6", "ansible.utils"),
    ("ipsubnet", "ansible.utils"),
    ("ipmath", "ansible.utils"),
    ("nthhost", "ansible.utils"),
    ("hwaddr", "ansible.utils"),
    ("parse_cli", "ansible.netcommon"),
    ("parse_xml", "ansible.netcommon"),
];

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.into_iter().flatten().map(|filter| filter.name)
}

/// A whole number; text is read as one where Python's `int()` would.
fn whole(value: &Val) -> Res<i64> {
    match value {
        Val::Str(text) => text.trim().parse().map_err(|_| fail(format!("`{text}` is not a whole number"))),
        other => match number(other) {
            Some(Number::Int(number)) => Ok(number),
            Some(Number::Float(number)) => Ok(number as i64),
            None => Err(fail(format!("a whole number is needed, not a `{}`", other.type_name()))),
        },
    }
}

fn size(value: &Val) -> Res<usize> {
    usize::try_from(whole(value)?).map_err(|_| fail("a number of 0 or more is needed"))
}

fn flag(runtime: &Runtime, args: &mut Args, name: &str, default: bool) -> Res<bool> {
    args.next(name).map_or(Ok(default), |value| runtime.truth(&value))
}

/// A text argument.
fn string(runtime: &Runtime, args: &mut Args, name: &str, default: &str) -> Res<Arc<str>> {
    args.next(name).map_or_else(|| Ok(default.into()), |value| runtime.string(&value))
}

/// A text argument that may be none.
fn optional(runtime: &Runtime, args: &mut Args, name: &str) -> Res<Option<Arc<str>>> {
    match args.next(name) {
        None | Some(Val::Null) => Ok(None),
        Some(value) => runtime.string(&value).map(Some),
    }
}

pub(super) use lists::subelements;
pub(super) use random::characters;
