//! Filters on text.

use std::sync::Arc;

use super::{Filter, filter, flag, size, string, whole};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Res, Val};
use crate::template::wrap::{Wrap, wrapped};
use crate::template::{formatting, methods};

pub(super) const FILTERS: &[Filter] = &[
    filter("lower", |it, input, _| Ok(Val::str(it.runtime.string(&input)?.to_lowercase()))),
    filter("upper", |it, input, _| Ok(Val::str(it.runtime.string(&input)?.to_uppercase()))),
    filter("capitalize", |it, input, _| Ok(Val::str(methods::capitalized(&it.runtime.string(&input)?)))),
    filter("title", |it, input, _| Ok(Val::str(titled(&it.runtime.string(&input)?)))),
    filter("trim", |it, input, args| method(it, &input, "strip", args)),
    filter("string", |it, input, _| Ok(Val::Str(it.runtime.string(&input)?))),
    filter("replace", replace),
    filter("split", |it, input, args| match &input {
        Val::Str(_) => method(it, &input, "split", args),
        other => Err(formatting::needs_text(other)),
    }),
    filter("format", |it, input, args| {
        let format = it.runtime.string(&input)?;
        let (plain, named) = (args.rest(), args.rest_named());
        if !plain.is_empty() && !named.is_empty() {
            return Err(fail("values are given by place or by name, not both"));
        }
        let values = if named.is_empty() {
            Val::tuple(plain)
        } else {
            Val::dict(named.into_iter().map(|(name, value)| (name.into(), value)).collect())
        };
        formatting::percent(it.runtime, &format, &values).map(Val::str)
    }),
    filter("indent", indent),
    filter("center", |it, input, args| {
        let width = args.next("width").unwrap_or(Val::Int(80));
        method(it, &input, "center", &mut Args::new(vec![width], Vec::new()))
    }),
    filter("truncate", truncate),
    filter("wordcount", |it, input, _| {
        let text = it.runtime.string(&input)?;
        Ok(Val::Int(text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).count() as i64))
    }),
    filter("wordwrap", wordwrap),
    filter("comment", comment),
    filter("quote", |it, input, _| match &input {
        Val::Null => Ok(Val::str("''")),
        input => Ok(Val::str(quoted(&it.runtime.string(input)?))),
    }),
];

/// Calls a method of text.
pub(super) fn method(it: &Interpreter<'_>, input: &Val, name: &str, args: &mut Args) -> Res {
    let text = Val::Str(it.runtime.string(input)?);
    methods::call(it, &text, name, args).unwrap_or_else(|| Err(fail(format!("there is no method `{name}`"))))
}

/// What Ansible takes for a boolean; none if it is neither.
pub(in crate::template) fn boolean(runtime: &Runtime, value: &Val) -> Res<Option<bool>> {
    Ok(match value {
        Val::Bool(value) => Some(*value),
        Val::Int(1) => Some(true),
        Val::Int(0) => Some(false),
        Val::Float(number) if *number == 1.0 => Some(true),
        Val::Float(number) if *number == 0.0 => Some(false),
        Val::Str(text) => match text.to_lowercase().as_str() {
            "yes" | "on" | "1" | "true" => Some(true),
            "no" | "off" | "0" | "false" => Some(false),
            _ => None,
        },
        other => {
            runtime.solid(other)?;
            None
        }
    })
}

/// Jinja's title: a letter after a blank, a dash or a bracket is large.
fn titled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = c.is_whitespace() || "-([{<".contains(c);
    }
    out
}

fn replace(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = it.runtime.string(&input)?;
    let (old, new) = (it.runtime.string(&args.required("old")?)?, it.runtime.string(&args.required("new")?)?);
    let count = match args.next("count") {
        None | Some(Val::Null) => None,
        Some(count) => usize::try_from(whole(&count)?).ok(),
    };
    let replaced = count.map_or_else(|| text.replace(&*old, &new), |count| text.replacen(&*old, &new, count));
    it.runtime.bytes(replaced.len())?;
    Ok(Val::str(replaced))
}

fn indent(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = formatting::text(it.runtime, &input)?;
    let blanks: Arc<str> = match args.next("width") {
        None => "    ".into(),
        Some(Val::Str(prefix)) => prefix,
        Some(width) => {
            let width = size(&width)?;
            it.runtime.bytes(width)?;
            " ".repeat(width).into()
        }
    };
    let first = flag(it.runtime, args, "first", false)?;
    let blank = flag(it.runtime, args, "blank", false)?;
    // A line break is added so that a break at the end counts as a last, empty line.
    let lines = methods::lines(&format!("{text}\n"), false);
    let mut out = if first { blanks.to_string() } else { String::new() };
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push('\n');
            if blank || !line.is_empty() {
                out.push_str(&blanks);
            }
        }
        out.push_str(line);
    }
    it.runtime.bytes(out.len())?;
    Ok(Val::str(out))
}

fn truncate(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let length = args.next("length").map_or(Ok(255), |length| size(&length))?;
    let kill_words = flag(it.runtime, args, "killwords", false)?;
    let end = string(it.runtime, args, "end", "...")?;
    let leeway = match args.next("leeway") {
        None | Some(Val::Null) => 5,
        Some(leeway) => size(&leeway)?,
    };
    if length < end.chars().count() {
        return Err(fail(format!("{length} characters have no room for `{end}`")));
    }
    // As in Python, whatever is short enough stays what it is.
    if it.runtime.length(&input)?.is_some_and(|items| items <= length + leeway) {
        return Ok(input);
    }
    let text = formatting::text(it.runtime, &input)?;
    if text.chars().count() <= length + leeway {
        return Ok(Val::Str(text));
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    let kept = if kill_words { &*kept } else { kept.rsplit_once(' ').map_or(&*kept, |(kept, _)| kept) };
    Ok(Val::str(format!("{kept}{end}")))
}

fn wordwrap(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = formatting::text(it.runtime, &input)?;
    let width = args.next("width").map_or(Ok(79), |width| size(&width))?;
    if width == 0 {
        return Err(fail("lines need a width of 1 or more"));
    }
    let long_words = flag(it.runtime, args, "break_long_words", true)?;
    let separator = super::optional(it.runtime, args, "wrapstring")?.unwrap_or_else(|| "\n".into());
    let hyphens = flag(it.runtime, args, "break_on_hyphens", true)?;
    let lines: Vec<String> = methods::lines(&text, false)
        .iter()
        .map(|line| wrapped(line, Wrap { width, long_words, hyphens }).join(&separator))
        .collect();
    let out = lines.join(&separator);
    it.runtime.bytes(out.len())?;
    Ok(Val::str(out))
}

fn comment(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let text = formatting::text(runtime, &input)?;
    let style = string(runtime, args, "style", "plain")?;
    let (decoration, beginning, end) = match &*style {
        "plain" => ("# ", "", ""),
        "erlang" => ("% ", "", ""),
        "c" => ("// ", "", ""),
        "cblock" => (" * ", "/*", " */"),
        "xml" => (" - ", "<!--", "-->"),
        other => return Err(fail(format!("`{other}` is not a comment style: plain, erlang, c, cblock or xml"))),
    };
    let mut named = |name: &str| args.named(name).map(|value| runtime.string(&value)).transpose();
    let given = named("decoration")?;
    let decoration = given.unwrap_or_else(|| decoration.into());
    let beginning = named("beginning")?.unwrap_or_else(|| beginning.into());
    let end = named("end")?.unwrap_or_else(|| end.into());
    let newline = named("newline")?.unwrap_or_else(|| "\n".into());
    let prefix = named("prefix")?;
    let postfix = named("postfix")?;
    let prefix_count = args.named("prefix_count").map_or(Ok(1), |count| size(&count))?;
    let postfix_count = args.named("postfix_count").map_or(Ok(1), |count| size(&count))?;
    let edge: Arc<str> = decoration.trim_end().into();
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&format!("{beginning}{newline}"));
    }
    let repeat = |edge: &str, count: usize| format!("{edge}{newline}").repeat(count);
    out.push_str(&repeat(prefix.as_deref().unwrap_or(&edge), prefix_count));
    // Only lines that end in the decoration alone lose its blanks, the last line does not.
    let body = format!("{decoration}{}", text.replace(&*newline, &format!("{newline}{decoration}")));
    out.push_str(&body.replace(&format!("{decoration}{newline}"), &format!("{edge}{newline}")));
    let closing = repeat(postfix.as_deref().unwrap_or(&edge), postfix_count);
    if !closing.is_empty() {
        out.push_str(&newline);
        out.push_str(closing.strip_suffix(&*newline).unwrap_or(&closing));
    }
    if !end.is_empty() {
        out.push_str(&format!("{newline}{end}"));
    }
    Ok(Val::str(out))
}

/// Python's `shlex.quote`.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}
