//! Python's methods of text, lists and dictionaries.

use std::sync::Arc;

use super::error::fail;
use super::eval::Interpreter;
use super::formatting;
use super::objects::Bound;
use super::runtime::Runtime;
use super::val::{Args, Res, Val};

/// Whether a method changes the value that it is called on.
pub(super) fn changes(name: &str) -> bool {
    matches!(
        name,
        "append" | "extend" | "insert" | "pop" | "remove" | "sort" | "reverse" | "clear" | "update" | "setdefault" | "popitem"
    )
}

/// Whether a method only stores its arguments, so that they need not be known.
pub(super) fn stores(name: &str) -> bool {
    matches!(name, "append" | "extend" | "insert" | "update" | "setdefault" | "get")
}

const OF_TEXT: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const OF_TUPLES: &[&str] = &["count", "index"];
const OF_LISTS: &[&str] = &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const OF_MAPPINGS: &[&str] = &["clear", "copy", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

/// Whether a value has a method.
pub(super) fn exists(runtime: &Runtime, value: &Val, name: &str) -> bool {
    let known = match value {
        Val::Str(_) => OF_TEXT,
        Val::Tuple(_) => OF_TUPLES,
        list if list.is_list() => OF_LISTS,
        map if map.is_mapping(runtime) => OF_MAPPINGS,
        _ => return false,
    };
    known.contains(&name)
}

/// Whether it is a dictionary that is nothing besides.
pub(super) fn is_plain_mapping(value: &Val) -> bool {
    matches!(value, Val::Map(_) | Val::Data(crate::vars::Value::Map(_)))
}

/// A method without its call.
pub(super) fn bound(of: &Val, name: &Arc<str>) -> Val {
    Val::object(Bound { of: of.clone(), name: Arc::clone(name) })
}

/// Calls a method; none if there is no such method.
pub(super) fn call(interpreter: &Interpreter<'_>, value: &Val, name: &str, args: &mut Args) -> Option<Res> {
    let runtime = interpreter.runtime;
    match value {
        Val::Str(text) => of_text(runtime, text, name, args),
        Val::Int(number) => match name {
            "bit_length" => Some(Ok(Val::Int(64 - i64::from(number.unsigned_abs().leading_zeros())))),
            _ => None,
        },
        Val::Float(number) => match name {
            "is_integer" => Some(Ok(Val::Bool(number.fract() == 0.0))),
            _ => None,
        },
        list if list.is_list() => of_list(interpreter, list, name, args),
        map if map.is_mapping(runtime) => of_mapping(interpreter, map, name, args),
        _ => None,
    }
}

fn text_arg(runtime: &Runtime, value: &Val) -> Res<Arc<str>> {
    runtime.solid(value)?;
    value.as_str().cloned().ok_or_else(|| formatting::needs_text(value))
}

fn count_arg(args: &mut Args, name: &str) -> Res<Option<i64>> {
    match args.next(name) {
        None | Some(Val::Null) => Ok(None),
        Some(Val::Int(number)) => Ok(Some(number)),
        Some(Val::Bool(value)) => Ok(Some(value.into())),
        Some(other) => Err(fail(format!("`{name}` must be a whole number, not a `{}`", other.type_name()))),
    }
}

/// One text or several of which any may match.
fn prefixes(runtime: &Runtime, value: &Val) -> Res<Vec<Arc<str>>> {
    match value {
        Val::Str(text) => Ok(vec![Arc::clone(text)]),
        Val::Tuple(items) => items.iter().map(|item| text_arg(runtime, item)).collect(),
        other => Err(formatting::needs_text(other)),
    }
}

fn of_text(runtime: &Runtime, text: &Arc<str>, name: &str, args: &mut Args) -> Option<Res> {
    let string = |text: String| {
        runtime.bytes(text.len())?;
        Ok(Val::str(text))
    };
    let all = |test: fn(char) -> bool| Ok(Val::Bool(!text.is_empty() && text.chars().all(test)));
    Some((|| match name {
        "lower" => string(text.to_lowercase()),
        "casefold" => string(text.to_lowercase().replace('ß', "ss")),
        "upper" => string(text.to_uppercase()),
        "capitalize" => string(capitalized(text)),
        "title" => string(titled(text)),
        "swapcase" => string(
            text.chars()
                .flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() })
                .collect(),
        ),
        "strip" | "lstrip" | "rstrip" => {
            let chars = match args.next("chars") {
                None | Some(Val::Null) => None,
                Some(chars) => Some(text_arg(runtime, &chars)?),
            };
            let strips = |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(c));
            string(
                match name {
                    "strip" => text.trim_matches(strips),
                    "lstrip" => text.trim_start_matches(strips),
                    _ => text.trim_end_matches(strips),
                }
                .to_owned(),
            )
        }
        "split" | "rsplit" => {
            let separator = args.next("sep").filter(|value| !matches!(value, Val::Null));
            let most = count_arg(args, "maxsplit")?.unwrap_or(-1);
            let parts = match separator {
                Some(separator) => split(text, &text_arg(runtime, &separator)?, most, name == "rsplit")?,
                None => split_blanks(text, most, name == "rsplit"),
            };
            runtime.bytes(text.len() + parts.len() * 16)?;
            Ok(Val::list(parts.into_iter().map(Val::str).collect()))
        }
        "splitlines" => {
            let keep = match args.next("keepends") {
                Some(keep) => runtime.truth(&keep)?,
                None => false,
            };
            Ok(Val::list(lines(text, keep).into_iter().map(Val::str).collect()))
        }
        "partition" | "rpartition" => {
            let separator = text_arg(runtime, &args.required("sep")?)?;
            let found = if name == "partition" { text.split_once(&*separator) } else { text.rsplit_once(&*separator) };
            Ok(Val::tuple(match (found, name) {
                (Some((before, after)), _) => vec![Val::str(before), Val::Str(separator), Val::str(after)],
                (None, "partition") => vec![Val::Str(Arc::clone(text)), Val::str(""), Val::str("")],
                (None, _) => vec![Val::str(""), Val::str(""), Val::Str(Arc::clone(text))],
            }))
        }
        "startswith" | "endswith" => {
            let wanted = prefixes(runtime, &args.required("prefix")?)?;
            let (_, slice) = window(text, args)?;
            Ok(Val::Bool(
                wanted
                    .iter()
                    .any(|wanted| if name == "startswith" { slice.starts_with(&**wanted) } else { slice.ends_with(&**wanted) }),
            ))
        }
        "find" | "rfind" | "index" | "rindex" => {
            let wanted = text_arg(runtime, &args.required("sub")?)?;
            let (start, slice) = window(text, args)?;
            let found = if name.starts_with('r') { slice.rfind(&*wanted) } else { slice.find(&*wanted) };
            match found {
                Some(at) => Ok(Val::Int((start + slice[..at].chars().count()) as i64)),
                None if name.ends_with("find") => Ok(Val::Int(-1)),
                None => Err(fail(format!("the text does not contain `{wanted}`"))),
            }
        }
        "count" => {
            let wanted = text_arg(runtime, &args.required("sub")?)?;
            let (_, slice) = window(text, args)?;
            let count = if wanted.is_empty() { slice.chars().count() + 1 } else { slice.matches(&*wanted).count() };
            Ok(Val::Int(count as i64))
        }
        "replace" => {
            let (old, new) = (text_arg(runtime, &args.required("old")?)?, text_arg(runtime, &args.required("new")?)?);
            let count = count_arg(args, "count")?.unwrap_or(-1);
            let replaced =
                usize::try_from(count).map_or_else(|_| text.replace(&*old, &new), |count| text.replacen(&*old, &new, count));
            string(replaced)
        }
        "join" => {
            let items = runtime.items(&args.required("iterable")?)?;
            let parts = items.iter().map(|item| text_arg(runtime, item)).collect::<Res<Vec<_>>>()?;
            string(parts.iter().map(|part| &**part).collect::<Vec<_>>().join(text))
        }
        "format" => {
            let (plain, named) = (args.rest(), args.rest_named());
            string(formatting::format(runtime, text, &plain, &named)?)
        }
        "format_map" => {
            let map = args.required("map")?;
            let named: Vec<_> = runtime.mapping(&map)?.into_iter().map(|(key, value)| (key.to_string().into(), value)).collect();
            string(formatting::format(runtime, text, &[], &named)?)
        }
        "ljust" | "rjust" | "center" => {
            let width = usize::try_from(count_arg(args, "width")?.unwrap_or(0)).unwrap_or(0);
            let fill = args.next("fillchar").map_or_else(|| Ok(" ".into()), |fill| text_arg(runtime, &fill))?;
            let missing = width.saturating_sub(text.chars().count());
            runtime.bytes(missing)?;
            // Python puts the odd blank on the left when the width is odd as well.
            let left = match name {
                "ljust" => 0,
                "rjust" => missing,
                _ => missing / 2 + (missing & width & 1),
            };
            string(format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left)))
        }
        "zfill" => {
            let width = usize::try_from(count_arg(args, "width")?.unwrap_or(0)).unwrap_or(0);
            let missing = width.saturating_sub(text.chars().count());
            runtime.bytes(missing)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
            string(format!("{sign}{}{digits}", "0".repeat(missing)))
        }
        "expandtabs" => {
            let size = usize::try_from(count_arg(args, "tabsize")?.unwrap_or(8)).unwrap_or(0);
            let mut out = String::new();
            let mut column = 0;
            for c in text.chars() {
                if c == '\t' {
                    let blanks = if size == 0 { 0 } else { size - column % size };
                    out.push_str(&" ".repeat(blanks));
                    column += blanks;
                } else {
                    out.push(c);
                    column = if c == '\n' { 0 } else { column + 1 };
                }
            }
            string(out)
        }
        "removeprefix" => {
            let prefix = text_arg(runtime, &args.required("prefix")?)?;
            string(text.strip_prefix(&*prefix).unwrap_or(text).to_owned())
        }
        "removesuffix" => {
            let suffix = text_arg(runtime, &args.required("suffix")?)?;
            string(text.strip_suffix(&*suffix).unwrap_or(text).to_owned())
        }
        "isnumeric" => all(char::is_numeric),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|c| is_decimal(c) || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨')),
        "isprintable" => Ok(Val::Bool(text.chars().all(crate::vars::python::is_printable))),
        "translate" => {
            let table = args.required("table")?;
            let mut out = String::new();
            for c in text.chars() {
                match runtime.get(&table, &crate::vars::Key::Int(i64::from(u32::from(c))))? {
                    None => out.push(c),
                    Some(Val::Null) => {}
                    Some(Val::Str(text)) => out.push_str(&text),
                    Some(Val::Int(code)) => out.extend(u32::try_from(code).ok().and_then(char::from_u32)),
                    Some(other) => return Err(formatting::needs_text(&other)),
                }
            }
            string(out)
        }
        "maketrans" => {
            let code = |c: char| crate::vars::Key::Int(i64::from(u32::from(c)));
            let first = args.required("x")?;
            let mut table = super::val::Dict::new();
            if let Some(to) = args.next("y") {
                let (from, to) = (text_arg(runtime, &first)?, text_arg(runtime, &to)?);
                if from.chars().count() != to.chars().count() {
                    return Err(fail("both texts must have the same length"));
                }
                table.extend(from.chars().zip(to.chars()).map(|(from, to)| (code(from), Val::Int(i64::from(u32::from(to))))));
                if let Some(gone) = args.next("z") {
                    table.extend(text_arg(runtime, &gone)?.chars().map(|c| (code(c), Val::Null)));
                }
            } else {
                for (key, value) in runtime.mapping(&first)? {
                    let key = match &key {
                        crate::vars::Key::Str(one) if one.chars().count() == 1 => one.chars().next().map_or(key.clone(), code),
                        other => other.clone(),
                    };
                    table.insert(key, value);
                }
            }
            Ok(Val::dict(table))
        }
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => Ok(Val::Bool(text.is_ascii())),
        "islower" => Ok(Val::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase))),
        "isupper" => Ok(Val::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase))),
        "istitle" => Ok(Val::Bool(text.chars().any(char::is_alphabetic) && titled(text) == **text)),
        "isidentifier" => {
            let mut chars = text.chars();
            let first = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_');
            Ok(Val::Bool(first && chars.all(|c| c.is_alphanumeric() || c == '_')))
        }
        // Text stays text: what is encoded and decoded again comes out the same.
        "encode" | "decode" => {
            args.rest();
            args.rest_named();
            Ok(Val::Str(Arc::clone(text)))
        }
        _ => Err(no_method()),
    })())
    .filter(|result| !is_no_method(result))
}

/// Marks "there is no such method" inside the closures above.
fn no_method() -> super::error::Fault {
    fail("\0no method")
}

fn is_no_method(result: &Res) -> bool {
    matches!(result, Err(super::error::Fault::Error(error)) if error.message == "\0no method")
}

/// What `str.isdecimal` takes for a digit.
fn is_decimal(c: char) -> bool {
    c.is_ascii_digit()
        || (!c.is_ascii()
            && c.is_numeric()
            && regex::Regex::new("^\\d$").is_ok_and(|digit| digit.is_match(c.encode_utf8(&mut [0; 4]))))
}

/// The part of the text between the optional `start` and `end`, and at which character it begins.
fn window<'t>(text: &'t str, args: &mut Args) -> Res<(usize, &'t str)> {
    let (start, end) = (count_arg(args, "start")?, count_arg(args, "end")?);
    let length = text.chars().count() as i64;
    let clamp = |at: i64| (if at < 0 { at + length } else { at }).clamp(0, length) as usize;
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    let start = clamp(start.unwrap_or(0));
    let end = clamp(end.unwrap_or(length));
    Ok((start, text.get(byte(start)..byte(end)).unwrap_or("")))
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

pub(super) fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect())
}

/// Python's `str.title`: a letter after anything that is no letter is large.
fn titled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

pub(super) fn split(text: &str, separator: &str, most: i64, from_right: bool) -> Res<Vec<String>> {
    if separator.is_empty() {
        return Err(fail("the separator is empty"));
    }
    let pieces = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    Ok(if from_right {
        let mut parts: Vec<_> = text.rsplitn(pieces, separator).map(str::to_owned).collect();
        parts.reverse();
        parts
    } else {
        text.splitn(pieces, separator).map(str::to_owned).collect()
    })
}

fn split_blanks(text: &str, most: i64, from_right: bool) -> Vec<String> {
    let Ok(most) = usize::try_from(most) else {
        return text.split(is_space).filter(|part| !part.is_empty()).map(str::to_owned).collect();
    };
    let mut parts = Vec::new();
    if from_right {
        let mut rest = text.trim_end_matches(is_space);
        while parts.len() < most {
            let Some(at) = rest.rfind(is_space) else { break };
            let after = at + rest[at..].chars().next().map_or(1, char::len_utf8);
            parts.push(rest[after..].to_owned());
            rest = rest[..at].trim_end_matches(is_space);
        }
        let rest = rest.trim_start_matches(is_space);
        if !rest.is_empty() {
            parts.push(rest.to_owned());
        }
        parts.reverse();
    } else {
        let mut rest = text.trim_start_matches(is_space);
        while parts.len() < most {
            let Some(at) = rest.find(is_space) else { break };
            parts.push(rest[..at].to_owned());
            rest = rest[at..].trim_start_matches(is_space);
        }
        if !rest.is_empty() {
            // Python keeps the blanks at the end of the last part only when the limit was reached.
            parts.push(if parts.len() == most { rest.to_owned() } else { rest.trim_end_matches(is_space).to_owned() });
        }
    }
    parts
}

pub(super) fn lines(text: &str, keep: bool) -> Vec<String> {
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}']);
        let Some(end) = end else {
            out.push(rest.to_owned());
            break;
        };
        let width = if rest[end..].starts_with("\r\n") { 2 } else { rest[end..].chars().next().map_or(1, char::len_utf8) };
        out.push(rest[..if keep { end + width } else { end }].to_owned());
        rest = &rest[end + width..];
    }
    out
}

fn of_list(interpreter: &Interpreter<'_>, list: &Val, name: &str, args: &mut Args) -> Option<Res> {
    let runtime = interpreter.runtime;
    match name {
        "index" => {
            return Some((|| {
                let wanted = args.required("value")?;
                let items = runtime.items(list)?;
                let length = items.len() as i64;
                let place = |at: i64| usize::try_from(if at < 0 { at + length } else { at }).unwrap_or(0);
                let start = place(count_arg(args, "start")?.unwrap_or(0));
                let stop = place(count_arg(args, "stop")?.unwrap_or(length));
                for (at, item) in items.iter().enumerate().take(stop).skip(start) {
                    if runtime.equal(item, &wanted)? {
                        return Ok(Val::Int(at as i64));
                    }
                }
                Err(fail("the value is not in the list"))
            })());
        }
        "count" => {
            return Some((|| {
                let wanted = args.required("value")?;
                let mut count = 0;
                for item in runtime.items(list)? {
                    count += i64::from(runtime.equal(&item, &wanted)?);
                }
                Ok(Val::Int(count))
            })());
        }
        "copy" => return Some(runtime.items(list).map(Val::list)),
        _ => {}
    }
    let Val::List(items) = list else { return None };
    let place = |at: i64, length: usize| usize::try_from(if at < 0 { at + length as i64 } else { at });
    Some((|| match name {
        "append" => {
            let item = args.required("object")?;
            runtime.bytes(16)?;
            items.borrow_mut().push(item);
            Ok(Val::Null)
        }
        "extend" => {
            let more = runtime.items(&args.required("iterable")?)?;
            runtime.bytes(16 * more.len())?;
            items.borrow_mut().extend(more);
            Ok(Val::Null)
        }
        "insert" => {
            let at = count_arg(args, "index")?.unwrap_or(0);
            let item = args.required("object")?;
            let length = items.borrow().len();
            let at = place(at, length).unwrap_or(0).min(length);
            runtime.bytes(16)?;
            items.borrow_mut().insert(at, item);
            Ok(Val::Null)
        }
        "pop" => {
            let at = count_arg(args, "index")?.unwrap_or(-1);
            let length = items.borrow().len();
            match place(at, length) {
                Ok(at) if at < length => {
                    let item = items.borrow_mut().remove(at);
                    runtime.force(&item)
                }
                _ => Err(fail("there is no such item to take out")),
            }
        }
        "remove" => {
            let wanted = args.required("value")?;
            let all = items.borrow().clone();
            for (at, item) in all.iter().enumerate() {
                if runtime.equal(item, &wanted)? {
                    items.borrow_mut().remove(at);
                    return Ok(Val::Null);
                }
            }
            Err(fail("the value is not in the list"))
        }
        "reverse" => {
            items.borrow_mut().reverse();
            Ok(Val::Null)
        }
        "clear" => {
            items.borrow_mut().clear();
            Ok(Val::Null)
        }
        "sort" => {
            let reverse = match args.named("reverse") {
                Some(reverse) => runtime.truth(&reverse)?,
                None => false,
            };
            let sorted = sorted(runtime, runtime.items(list)?, |item| Ok(item.clone()), reverse)?;
            *items.borrow_mut() = sorted;
            Ok(Val::Null)
        }
        _ => Err(no_method()),
    })())
    .filter(|result| !is_no_method(result))
}

/// A stable sort by keys that may refuse to be compared.
pub(super) fn sorted(runtime: &Runtime, items: Vec<Val>, key: impl Fn(&Val) -> Res, reverse: bool) -> Res<Vec<Val>> {
    let mut keyed = items.into_iter().map(|item| Ok((key(&item)?, item))).collect::<Res<Vec<_>>>()?;
    let mut problem = None;
    let mut order = |left: &Val, right: &Val| {
        runtime.order(left, right).unwrap_or_else(|error| {
            problem.get_or_insert(error);
            std::cmp::Ordering::Equal
        })
    };
    if reverse {
        keyed.sort_by(|(left, _), (right, _)| order(right, left));
    } else {
        keyed.sort_by(|(left, _), (right, _)| order(left, right));
    }
    match problem {
        Some(problem) => Err(problem),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

/// Methods of whatever has keys.
pub(super) fn of_mapping(interpreter: &Interpreter<'_>, map: &Val, name: &str, args: &mut Args) -> Option<Res> {
    let runtime = interpreter.runtime;
    let pair = |key: &crate::vars::Key, value: Val| Val::tuple(vec![Val::from(key), value]);
    Some((|| match name {
        "keys" => runtime.items(map).map(Val::list),
        "values" => Ok(Val::list(runtime.mapping(map)?.into_iter().map(|(_, value)| value).collect())),
        "items" => Ok(Val::list(runtime.mapping(map)?.into_iter().map(|(key, value)| pair(&key, value)).collect())),
        "get" => {
            let key = runtime.key(&args.required("key")?)?;
            let default = args.next("default").unwrap_or(Val::Null);
            Ok(runtime.get(map, &key)?.unwrap_or(default))
        }
        "copy" => Ok(Val::dict(runtime.mapping(map)?.into_iter().collect())),
        "update" | "pop" | "setdefault" | "clear" | "popitem" => {
            let Val::Map(entries) = map else { return Err(fail("this dictionary cannot be changed")) };
            match name {
                "update" => {
                    let mut more = Vec::new();
                    for other in args.rest() {
                        match runtime.pairs(&other)? {
                            Some(pairs) => more.extend(pairs),
                            None => {
                                for pair in runtime.items(&other)? {
                                    let pair = runtime.items(&pair)?;
                                    let [key, value] = &pair[..] else {
                                        return Err(fail("pairs of a key and a value are needed"));
                                    };
                                    more.push((runtime.key(key)?, value.clone()));
                                }
                            }
                        }
                    }
                    more.extend(args.rest_named().into_iter().map(|(name, value)| (crate::vars::Key::Str(name), value)));
                    runtime.bytes(32 * more.len())?;
                    entries.borrow_mut().extend(more);
                    Ok(Val::Null)
                }
                "pop" => {
                    let key = runtime.key(&args.required("key")?)?;
                    let default = args.next("default");
                    let taken = entries.borrow_mut().shift_remove(&key);
                    match taken.map(|value| runtime.force(&value)).transpose()?.or(default) {
                        Some(value) => Ok(value),
                        None => Err(fail(format!("there is no key `{key}` to take out"))),
                    }
                }
                "setdefault" => {
                    let key = runtime.key(&args.required("key")?)?;
                    let default = args.next("default").unwrap_or(Val::Null);
                    let value = entries.borrow_mut().entry(key).or_insert(default).clone();
                    runtime.force(&value)
                }
                "popitem" => {
                    let last = entries.borrow_mut().pop();
                    match last {
                        Some((key, value)) => Ok(pair(&key, runtime.force(&value)?)),
                        None => Err(fail("the dictionary is empty")),
                    }
                }
                _ => {
                    entries.borrow_mut().clear();
                    Ok(Val::Null)
                }
            }
        }
        _ => Err(no_method()),
    })())
    .filter(|result| !is_no_method(result))
}
