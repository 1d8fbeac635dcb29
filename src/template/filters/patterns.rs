//! Filters with regular expressions.

use super::{Filter, filter, flag, whole};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::regexes::{self, Anchor, Flags};
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("regex_replace", replace),
    filter("regex_search", search),
    filter("regex_findall", find_all),
    filter("regex_escape", |it, input, args| {
        let text = it.runtime.string(&input)?;
        match &*super::string(it.runtime, args, "re_type", "python")? {
            "python" => Ok(Val::str(regexes::escape(&text))),
            "posix_basic" => {
                let mut out = String::new();
                for c in text.chars() {
                    if "[].^$*\\".contains(c) {
                        out.push('\\');
                    }
                    out.push(c);
                }
                Ok(Val::str(out))
            }
            other => Err(fail(format!("`{other}` is not a kind of expression: python or posix_basic"))),
        }
    }),
];

fn flags(runtime: &Runtime, args: &mut Args) -> Res<Flags> {
    let ignore_case = flag(runtime, args, "ignorecase", false)?;
    let multiline = flag(runtime, args, "multiline", false)?;
    Ok(Flags { ignore_case, multiline })
}

fn replace(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let text = runtime.string(&input)?;
    let pattern = super::string(runtime, args, "pattern", "")?;
    let replacement = super::string(runtime, args, "replacement", "")?;
    let (ignore_case, multiline) = (flag(runtime, args, "ignorecase", false)?, flag(runtime, args, "multiline", false)?);
    let count = args.next("count").map_or(Ok(0), |count| whole(&count))?;
    let mandatory = args.next("mandatory_count").map_or(Ok(0), |count| whole(&count))?;
    let regex = regexes::compile(runtime, &pattern, Flags { ignore_case, multiline }, Anchor::Nowhere)?;
    let (mut out, mut last, mut done) = (String::new(), 0, 0);
    for found in regex.all(runtime, &text) {
        if count > 0 && done >= count {
            break;
        }
        let found = found?;
        done += 1;
        let (start, end) = found.place();
        out.push_str(&text[last..start]);
        let before = out.len();
        regexes::expand(&replacement, &regex, &found, &mut out)?;
        runtime.bytes(out.len() - before)?;
        last = end;
    }
    out.push_str(&text[last..]);
    if mandatory > 0 && done != mandatory {
        return Err(fail(format!("{mandatory} places should have matched `{pattern}`, {done} did")));
    }
    runtime.bytes(out.len())?;
    Ok(Val::str(out))
}

/// The match; with groups asked for (`'\\1'`, `'\\g<name>'`), their texts; none without a match.
fn search(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let text = runtime.string(&input)?;
    let pattern = runtime.string(&args.required("regex")?)?;
    let groups = args.rest();
    let flags = flags(runtime, args)?;
    let regex = regexes::compile(runtime, &pattern, flags, Anchor::Nowhere)?;
    let found = regex.find(runtime, &text, 0)?;
    let mut wanted = Vec::new();
    for group in &groups {
        let group = runtime.string(group)?;
        let name = group.strip_prefix("\\g<").and_then(|name| name.strip_suffix('>')).or_else(|| group.strip_prefix('\\'));
        wanted.push(name.ok_or_else(|| fail(format!("`{group}` is not a group: write `\\\\1` or `\\\\g<name>`")))?.to_owned());
    }
    let Some(found) = found else { return Ok(Val::Null) };
    let as_text = |group: usize| found.get(group).map_or(Val::Null, Val::str);
    if wanted.is_empty() {
        return Ok(as_text(0));
    }
    Ok(Val::list(wanted.iter().map(|name| Ok(as_text(regex.group(name)?))).collect::<Res<_>>()?))
}

fn find_all(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let text = runtime.string(&input)?;
    let pattern = runtime.string(&args.required("regex")?)?;
    // Here the order of the flags is the other way round.
    let multiline = flag(runtime, args, "multiline", false)?;
    let ignore_case = flag(runtime, args, "ignorecase", false)?;
    let regex = regexes::compile(runtime, &pattern, Flags { ignore_case, multiline }, Anchor::Nowhere)?;
    let mut out = Vec::new();
    for found in regex.all(runtime, &text) {
        let found = found?;
        let group = |number: usize| Val::str(found.get(number).unwrap_or(""));
        out.push(match found.len() {
            1 => group(0),
            2 => group(1),
            groups => Val::tuple((1..groups).map(group).collect()),
        });
    }
    Ok(Val::list(out))
}
