//! Filters on dictionaries.

use super::{Filter, filter, flag, string};
use crate::template::error::{TemplateError, TemplateErrorKind, fail};
use crate::template::eval::Interpreter;
use crate::template::methods::{self, sorted};
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Dict, Res, Val};
use crate::vars::Key;

pub(super) const FILTERS: &[Filter] = &[
    filter("combine", combine),
    filter("dict2items", dict2items),
    filter("items2dict", items2dict),
    filter("dictsort", dictsort),
    filter("items", |it, input, _| {
        let pair = |(key, value): (Key, Val)| Val::tuple(vec![Val::from(&key), value]);
        Ok(Val::list(it.runtime.mapping(&input)?.into_iter().map(pair).collect()))
    }),
    filter("attr", |it, input, args| {
        let name = it.runtime.string(&args.required("name")?)?;
        if matches!(input, Val::Object(_)) {
            return super::lists::at_path(it.runtime, &input, &Val::Str(name));
        }
        if methods::exists(it.runtime, &input, &name) {
            return Ok(methods::bound(&input, &name));
        }
        let message = format!("a `{}` has no attribute `{name}`", input.type_name());
        let hint = "this filter does not look at keys: write `x[name]`";
        Ok(Val::undefined(TemplateError::new(TemplateErrorKind::Undefined, message).hint(hint)))
    }),
    filter("rekey_on_member", rekey),
];

fn dict2items(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let key_name = Key::Str(string(runtime, args, "key_name", "key")?);
    let value_name = Key::Str(string(runtime, args, "value_name", "value")?);
    let item =
        |(key, value): (Key, Val)| Val::dict(Dict::from_iter([(key_name.clone(), Val::from(&key)), (value_name.clone(), value)]));
    Ok(Val::list(runtime.mapping(&input)?.into_iter().map(item).collect()))
}

fn items2dict(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let key_name = args.next("key_name").map_or_else(|| Ok(Key::from("key")), |name| runtime.key(&name))?;
    let value_name = args.next("value_name").map_or_else(|| Ok(Key::from("value")), |name| runtime.key(&name))?;
    if !input.is_list() {
        return Err(fail(format!("a list is needed, not a `{}`", input.type_name())));
    }
    let mut out = Dict::new();
    for item in runtime.items(&input)? {
        let part = |name: &Key| runtime.get(&item, name)?.ok_or_else(|| fail(format!("an item has no key `{name}`")));
        out.insert(runtime.key(&part(&key_name)?)?, part(&value_name)?);
    }
    Ok(Val::dict(out))
}

fn dictsort(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let case = flag(runtime, args, "case_sensitive", false)?;
    let by = string(runtime, args, "by", "key")?;
    let reverse = flag(runtime, args, "reverse", false)?;
    let at = match &*by {
        "key" => 0,
        "value" => 1,
        other => return Err(fail(format!("`{other}` is not what to sort by: key or value"))),
    };
    let pairs: Vec<Val> =
        runtime.mapping(&input)?.into_iter().map(|(key, value)| Val::tuple(vec![Val::from(&key), value])).collect();
    let key = |pair: &Val| match runtime.get(pair, &Key::Int(at))?.unwrap_or(Val::Null) {
        Val::Str(text) if !case => Ok(Val::str(text.to_lowercase())),
        other => Ok(other),
    };
    sorted(runtime, pairs, key, reverse).map(Val::list)
}

/// What `combine` does with two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListMerge {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

fn combine(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let recursive = args.named("recursive").map_or(Ok(false), |value| runtime.truth(&value))?;
    let list_merge = args.named("list_merge").map_or_else(|| Ok("replace".into()), |value| runtime.string(&value))?;
    let lists = match &*list_merge {
        "replace" => ListMerge::Replace,
        "keep" => ListMerge::Keep,
        "append" => ListMerge::Append,
        "prepend" => ListMerge::Prepend,
        "append_rp" => ListMerge::AppendNew,
        "prepend_rp" => ListMerge::PrependNew,
        other => {
            return Err(fail(format!(
                "`{other}` is not a `list_merge`: replace, keep, append, prepend, append_rp or prepend_rp"
            )));
        }
    };
    // A list of dictionaries counts as so many dictionaries.
    let mut dicts = Vec::new();
    for value in [input].into_iter().chain(args.rest()) {
        if matches!(value, Val::Null) {
            dicts.push(Val::dict(Dict::new()));
        } else if value.is_list() {
            dicts.extend(flat(runtime, &value)?);
        } else {
            dicts.push(value);
        }
    }
    let mut out = Dict::new();
    for (at, dict) in dicts.iter().enumerate() {
        let pairs = runtime.mapping(dict)?;
        out = if at == 0 { pairs.into_iter().collect() } else { merged(runtime, out, pairs, recursive, lists)? };
    }
    Ok(Val::dict(out))
}

fn flat(runtime: &Runtime, list: &Val) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for item in runtime.items(list)? {
        if item.is_list() {
            out.extend(runtime.deeper(|| flat(runtime, &item))?);
        } else {
            out.push(item);
        }
    }
    Ok(out)
}

fn merged(runtime: &Runtime, mut low: Dict, high: Vec<(Key, Val)>, recursive: bool, lists: ListMerge) -> Res<Dict> {
    runtime.steps(high.len() as u64)?;
    for (key, value) in high {
        let Some(old) = low.get(&key).cloned() else {
            low.insert(key, value);
            continue;
        };
        let old = runtime.force(&old)?;
        let new = if recursive && old.is_mapping(runtime) && value.is_mapping(runtime) {
            let (below, above) = (runtime.mapping(&old)?.into_iter().collect(), runtime.mapping(&value)?);
            Val::dict(runtime.deeper(|| merged(runtime, below, above, recursive, lists))?)
        } else if old.is_list() && value.is_list() {
            let (below, above) = (runtime.items(&old)?, runtime.items(&value)?);
            let new_in = |items: &[Val], others: &[Val]| -> Res<Vec<Val>> {
                let others = Val::list(others.to_vec());
                let mut kept = Vec::new();
                for item in items {
                    if !runtime.contains(&others, item)? {
                        kept.push(item.clone());
                    }
                }
                Ok(kept)
            };
            Val::list(match lists {
                ListMerge::Replace => above,
                ListMerge::Keep => below,
                ListMerge::Append => [below, above].concat(),
                ListMerge::Prepend => [above, below].concat(),
                ListMerge::AppendNew => [new_in(&below, &above)?, above].concat(),
                ListMerge::PrependNew => {
                    let rest = new_in(&below, &above)?;
                    [above, rest].concat()
                }
            })
        } else {
            value
        };
        low.insert(key, new);
    }
    Ok(low)
}

fn rekey(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let member = runtime.key(&args.required("key")?)?;
    let duplicates = string(runtime, args, "duplicates", "error")?;
    let items = match runtime.pairs(&input)? {
        Some(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
        None if input.is_list() => runtime.items(&input)?,
        None => return Err(fail(format!("a list or a dictionary is needed, not a `{}`", input.type_name()))),
    };
    let mut out = Dict::new();
    for item in items {
        let key = runtime.get(&item, &member)?.ok_or_else(|| fail(format!("an item has no key `{member}`")))?;
        let key = runtime.key(&key)?;
        match (&*duplicates, out.contains_key(&key)) {
            ("error", true) => return Err(fail(format!("the key `{key}` is not unique"))),
            ("error" | "overwrite", _) => {
                out.insert(key, item);
            }
            (other, _) => return Err(fail(format!("`{other}` is not a way to treat duplicates: error or overwrite"))),
        }
    }
    Ok(Val::dict(out))
}
