//! Filters that take lists apart and put them together.

use super::{Filter, filter, flag, size, string};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::methods::sorted;
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Dict, Res, Val};
use crate::vars::Key;

pub(super) const FILTERS: &[Filter] = &[
    filter("length", length),
    filter("count", length),
    filter("list", |it, input, _| Ok(Val::list(it.runtime.items(&input)?))),
    filter("first", |it, input, _| match it.runtime.items(&input)?.into_iter().next() {
        Some(item) => Ok(item),
        None => Ok(Val::undefined(nothing("first"))),
    }),
    filter("last", |it, input, _| match it.runtime.items(&input)?.pop() {
        Some(item) => Ok(item),
        None => Ok(Val::undefined(nothing("last"))),
    }),
    filter("join", join),
    filter("reverse", |it, input, _| {
        let mut items = it.runtime.items(&input)?;
        items.reverse();
        Ok(match input {
            Val::Str(_) => Val::str(items.iter().filter_map(Val::as_str).map(|c| &**c).collect::<String>()),
            _ => Val::list(items),
        })
    }),
    filter("sort", sort),
    filter("flatten", flatten),
    filter("sum", sum),
    filter("min", |it, input, args| extreme(it, &input, args, std::cmp::Ordering::Less)),
    filter("max", |it, input, args| extreme(it, &input, args, std::cmp::Ordering::Greater)),
    filter("slice", slice),
    filter("batch", batch),
    filter("groupby", group_by),
    filter("zip", |it, input, args| zip(it, &input, args, None)),
    filter("zip_longest", |it, input, args| {
        let fill = args.named("fillvalue").unwrap_or(Val::Null);
        zip(it, &input, args, Some(fill))
    }),
    filter("product", product),
    filter("permutations", |it, input, args| choices(it, &input, args, true)),
    filter("combinations", |it, input, args| choices(it, &input, args, false)),
    filter("extract", extract),
    filter("subelements", |it, input, args| {
        let path = args.required("subelements")?;
        let skip = args.next("skip_missing").map_or(Ok(false), |skip| it.runtime.truth(&skip))?;
        Ok(Val::list(subelements(it.runtime, &input, &path, skip, false)?))
    }),
];

fn nothing(which: &str) -> crate::template::TemplateError {
    crate::template::TemplateError::new(
        crate::template::TemplateErrorKind::Undefined,
        format!("there is no {which} item: the sequence is empty"),
    )
}

fn length(it: &Interpreter<'_>, input: Val, _: &mut Args) -> Res {
    match it.runtime.length(&input)? {
        Some(length) => Ok(Val::Int(length as i64)),
        None => Err(fail(format!("a `{}` has no length", input.type_name()))),
    }
}

/// What stands at `a.b.0` inside an item; undefined if there is nothing.
pub(super) fn at_path(runtime: &Runtime, item: &Val, path: &Val) -> Res {
    let parts: Vec<Key> = match path {
        Val::Int(index) => vec![Key::Int(*index)],
        other => runtime.string(other)?.split('.').map(|part| part.parse().map_or_else(|_| Key::from(part), Key::Int)).collect(),
    };
    let mut value = item.clone();
    for part in parts {
        if matches!(value, Val::Undefined(_) | Val::Unknown(_)) {
            return Ok(value);
        }
        let found = match runtime.get(&value, &part)? {
            // A number may also be a dictionary's text key.
            None => runtime.get(&value, &Key::from(part.to_string()))?,
            found => found,
        };
        value = found.unwrap_or_else(|| {
            let message = format!("an item (a `{}`) has no attribute `{part}`", value.type_name());
            Val::undefined(crate::template::TemplateError::new(crate::template::TemplateErrorKind::Undefined, message))
        });
    }
    Ok(value)
}

fn join(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let separator = string(runtime, args, "d", "")?;
    let attribute = args.next("attribute").filter(|attribute| !matches!(attribute, Val::Null));
    let mut out = String::new();
    for (at, item) in runtime.items(&input)?.iter().enumerate() {
        if at > 0 {
            out.push_str(&separator);
        }
        let item = match &attribute {
            Some(attribute) => at_path(runtime, item, attribute)?,
            None => item.clone(),
        };
        out.push_str(&runtime.string(&item)?);
        runtime.bytes(separator.len())?;
    }
    Ok(Val::str(out))
}

/// The value that is compared: text without regard to case unless asked.
fn sort_key(runtime: &Runtime, item: &Val, attribute: Option<&Val>, case: bool) -> Res {
    let fold = |value: Val| match value {
        Val::Str(text) if !case => Val::str(text.to_lowercase()),
        other => other,
    };
    match attribute {
        None => Ok(fold(item.clone())),
        Some(Val::Str(names)) if names.contains(',') => {
            let parts = names.split(',').map(|name| Ok(fold(solid(runtime, at_path(runtime, item, &Val::str(name.trim()))?)?)));
            Ok(Val::list(parts.collect::<Res<_>>()?))
        }
        Some(attribute) => Ok(fold(solid(runtime, at_path(runtime, item, attribute)?)?)),
    }
}

fn solid(runtime: &Runtime, value: Val) -> Res {
    runtime.solid(&value)?;
    Ok(value)
}

fn sort(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let reverse = flag(runtime, args, "reverse", false)?;
    let case = flag(runtime, args, "case_sensitive", false)?;
    let attribute = args.next("attribute").filter(|attribute| !matches!(attribute, Val::Null));
    let items = runtime.items(&input)?;
    sorted(runtime, items, |item| sort_key(runtime, item, attribute.as_ref(), case), reverse).map(Val::list)
}

fn flatten(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    fn walk(runtime: &Runtime, items: Vec<Val>, levels: Option<usize>, skip_nulls: bool, out: &mut Vec<Val>) -> Res<()> {
        for item in items {
            match (&item, levels) {
                (Val::Null, _) if skip_nulls => {}
                (Val::Str(text), _) if skip_nulls && matches!(&**text, "None" | "null") => {}
                (list, levels) if list.is_list() && levels != Some(0) => {
                    let inner = runtime.items(list)?;
                    runtime.deeper(|| walk(runtime, inner, levels.map(|levels| levels - 1), skip_nulls, out))?;
                }
                _ => out.push(item),
            }
        }
        Ok(())
    }
    let levels = match args.next("levels") {
        None | Some(Val::Null) => None,
        Some(levels) => Some(size(&levels)?),
    };
    let skip_nulls = flag(it.runtime, args, "skip_nulls", true)?;
    let mut out = Vec::new();
    walk(it.runtime, it.runtime.items(&input)?, levels, skip_nulls, &mut out)?;
    Ok(Val::list(out))
}

fn sum(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let attribute = args.next("attribute").filter(|attribute| !matches!(attribute, Val::Null));
    let mut total = args.next("start").unwrap_or(Val::Int(0));
    for item in runtime.items(&input)? {
        let item = match &attribute {
            Some(attribute) => at_path(runtime, &item, attribute)?,
            None => item,
        };
        runtime.solid(&item)?;
        total = crate::template::ops::binary(runtime, crate::template::ast::Operator::Add, &total, &item)?;
    }
    Ok(total)
}

fn extreme(it: &Interpreter<'_>, input: &Val, args: &mut Args, wanted: std::cmp::Ordering) -> Res {
    let runtime = it.runtime;
    // ansible-core's `min` and `max` compare text as it is.
    let case = flag(runtime, args, "case_sensitive", true)?;
    let attribute = args.next("attribute").filter(|attribute| !matches!(attribute, Val::Null));
    let mut best: Option<(Val, Val)> = None;
    for item in runtime.items(input)? {
        let key = sort_key(runtime, &item, attribute.as_ref(), case)?;
        let better = match &best {
            Some((best, _)) => runtime.order(&key, best)? == wanted,
            None => true,
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(|| Val::undefined(nothing("smallest or largest")), |(_, item)| item))
}

/// So many columns, filled one after the other.
fn slice(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let items = it.runtime.items(&input)?;
    let slices = size(&args.required("slices")?)?;
    let fill = args.next("fill_with").filter(|fill| !matches!(fill, Val::Null));
    if slices == 0 {
        return Err(fail("division by zero"));
    }
    it.runtime.steps(slices as u64)?;
    let (each, more) = (items.len() / slices, items.len() % slices);
    let mut rest = items.into_iter();
    let mut out = Vec::new();
    for number in 0..slices {
        let mut part: Vec<Val> = rest.by_ref().take(each + usize::from(number < more)).collect();
        if let Some(fill) = &fill
            && number >= more
            && more > 0
        {
            part.push(fill.clone());
        }
        out.push(Val::list(part));
    }
    Ok(Val::list(out))
}

fn batch(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let items = it.runtime.items(&input)?;
    let count = size(&args.required("linecount")?)?.max(1);
    let fill = args.next("fill_with").filter(|fill| !matches!(fill, Val::Null));
    it.runtime.bytes(if fill.is_some() { count.saturating_mul(16) } else { 0 })?;
    let part = |chunk: &[Val]| {
        let mut part = chunk.to_vec();
        if let Some(fill) = &fill {
            part.resize(count, fill.clone());
        }
        Val::list(part)
    };
    Ok(Val::list(items.chunks(count).map(part).collect()))
}

fn group_by(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let attribute = args.required("attribute")?;
    let default = args.next("default").filter(|default| !matches!(default, Val::Null));
    let case = flag(runtime, args, "case_sensitive", false)?;
    let key = |item: &Val| {
        let value = match (at_path(runtime, item, &attribute)?, &default) {
            (Val::Undefined(_), Some(default)) => default.clone(),
            (value, _) => value,
        };
        solid(runtime, value)
    };
    let folded = |item: &Val| match key(item)? {
        Val::Str(text) if !case => Ok(Val::str(text.to_lowercase())),
        other => Ok(other),
    };
    let items = sorted(runtime, runtime.items(&input)?, folded, false)?;
    let mut groups: Vec<(Val, Val, Vec<Val>)> = Vec::new();
    for item in items {
        let own = folded(&item)?;
        match groups.last_mut() {
            Some((last, _, members)) if runtime.equal(last, &own)? => members.push(item),
            _ => groups.push((own, key(&item)?, vec![item])),
        }
    }
    let pair = |(_, grouper, members): (Val, Val, Vec<Val>)| Val::object(Group { grouper, members });
    Ok(Val::list(groups.into_iter().map(pair).collect()))
}

/// One group of `groupby`: a pair that also has names.
#[derive(Debug)]
struct Group {
    grouper: Val,
    members: Vec<Val>,
}

impl crate::template::val::Object for Group {
    fn type_name(&self) -> &'static str {
        "_GroupTuple"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        Ok(match key {
            Key::Int(0 | -2) => Some(self.grouper.clone()),
            Key::Int(1 | -1) => Some(Val::list(self.members.clone())),
            Key::Str(name) if &**name == "grouper" => Some(self.grouper.clone()),
            Key::Str(name) if &**name == "list" => Some(Val::list(self.members.clone())),
            _ => None,
        })
    }

    fn items(&self) -> Option<Vec<Val>> {
        Some(vec![self.grouper.clone(), Val::list(self.members.clone())])
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

fn zip(it: &Interpreter<'_>, input: &Val, args: &mut Args, fill: Option<Val>) -> Res {
    let runtime = it.runtime;
    let mut lists = vec![runtime.items(input)?];
    for list in args.rest() {
        lists.push(runtime.items(&list)?);
    }
    let lengths = lists.iter().map(Vec::len);
    let length = if fill.is_some() { lengths.max() } else { lengths.min() }.unwrap_or(0);
    runtime.steps((length * lists.len()) as u64)?;
    let row =
        |at: usize| Val::list(lists.iter().map(|list| list.get(at).or(fill.as_ref()).cloned().unwrap_or(Val::Null)).collect());
    Ok(Val::list((0..length).map(row).collect()))
}

fn product(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let mut lists = vec![runtime.items(&input)?];
    for list in args.rest() {
        lists.push(runtime.items(&list)?);
    }
    let times = args.named("repeat").map_or(Ok(1), |times| size(&times))?;
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in std::iter::repeat_n(&lists, times).flatten() {
        runtime.steps((rows.len() as u64).saturating_mul(list.len() as u64))?;
        rows = rows.iter().flat_map(|row| list.iter().map(|item| row.iter().chain([item]).cloned().collect())).collect();
    }
    Ok(Val::list(rows.into_iter().map(Val::tuple).collect()))
}

fn choices(it: &Interpreter<'_>, input: &Val, args: &mut Args, ordered: bool) -> Res {
    fn walk(
        runtime: &Runtime,
        items: &[Val],
        left: usize,
        ordered: bool,
        from: usize,
        taken: &mut Vec<usize>,
        out: &mut Vec<Val>,
    ) -> Res<()> {
        runtime.step()?;
        if left == 0 {
            runtime.bytes(16 * taken.len())?;
            out.push(Val::tuple(taken.iter().map(|at| items[*at].clone()).collect()));
            return Ok(());
        }
        for at in if ordered { 0 } else { from }..items.len() {
            if ordered && taken.contains(&at) {
                continue;
            }
            taken.push(at);
            runtime.deeper(|| walk(runtime, items, left - 1, ordered, at + 1, taken, out))?;
            taken.pop();
        }
        Ok(())
    }
    let items = it.runtime.items(input)?;
    let count = match args.next("r") {
        None | Some(Val::Null) if ordered => items.len(),
        None => return Err(fail("the argument `r` is missing")),
        Some(count) => size(&count)?,
    };
    let mut out = Vec::new();
    if count <= items.len() {
        walk(it.runtime, &items, count, ordered, 0, &mut Vec::new(), &mut out)?;
    }
    Ok(Val::list(out))
}

/// `key | extract(container, more_keys)`.
fn extract(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let container = args.required("container")?;
    let more = match args.next("morekeys") {
        None | Some(Val::Null) => Vec::new(),
        Some(keys) if keys.is_list() => runtime.items(&keys)?,
        Some(key) => vec![key],
    };
    let mut value = container;
    for key in [input].iter().chain(&more) {
        runtime.solid(&value)?;
        // What can be no key is in no dictionary.
        let found = if key.is_list() || key.is_mapping(runtime) { None } else { runtime.get(&value, &runtime.key(key)?)? };
        value = match found {
            Some(found) => found,
            None => {
                let message = format!("a `{}` has no attribute `{}`", value.type_name(), runtime.string(key)?);
                return Ok(Val::undefined(crate::template::TemplateError::new(
                    crate::template::TemplateErrorKind::Undefined,
                    message,
                )));
            }
        };
    }
    Ok(value)
}

/// A mapping without what is at a path of keys.
fn without(runtime: &Runtime, value: &Val, path: &str) -> Res {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let mut left = Vec::new();
    for (key, value) in runtime.mapping(value)? {
        match rest {
            _ if key.as_str() != Some(first) => left.push((key, value)),
            Some(rest) => left.push((key, without(runtime, &value, rest)?)),
            None => {}
        }
    }
    Ok(Val::dict(Dict::from_iter(left)))
}

/// Pairs of each item and each part of one of its lists. `bare` items come without that list.
pub(in crate::template) fn subelements(
    runtime: &Runtime,
    input: &Val,
    path: &Val,
    skip_missing: bool,
    bare: bool,
) -> Res<Vec<Val>> {
    let elements = match runtime.pairs(input)? {
        Some(pairs) => pairs.into_iter().map(|(_, value)| value).collect(),
        None if input.is_list() => runtime.items(input)?,
        None => return Err(fail(format!("a list or a dictionary is needed, not a `{}`", input.type_name()))),
    };
    let path = if path.is_list() {
        runtime.items(path)?.iter().map(|part| runtime.string(part)).collect::<Res<Vec<_>>>()?.join(".")
    } else {
        runtime.string(path)?.to_string()
    };
    let mut out = Vec::new();
    for element in elements {
        let list = at_path(runtime, &element, &Val::str(&*path))?;
        match &list {
            Val::Undefined(_) if skip_missing => continue,
            Val::Undefined(_) => return Err(fail(format!("an item has no `{path}`"))),
            list if !list.is_list() => return Err(fail(format!("`{path}` of an item is a `{}`, not a list", list.type_name()))),
            _ => {}
        }
        let parts = runtime.items(&list)?;
        let element = if bare { without(runtime, &element, &path)? } else { element };
        out.extend(parts.into_iter().map(|part| Val::tuple(vec![element.clone(), part])));
    }
    Ok(out)
}
