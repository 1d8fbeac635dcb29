//! Filters to and from JSON and YAML.

use super::{Filter, filter, size};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Res, Val};
use crate::template::{json, time, yaml};

pub(super) const FILTERS: &[Filter] = &[
    filter("to_json", |it, input, args| to_json(it, &input, args, false)),
    filter("tojson", |it, input, args| {
        let value = it.runtime.known(&input)?;
        let indent = match args.next("indent") {
            None | Some(Val::Null) => None,
            Some(indent) => Some(size(&indent)?.min(64)),
        };
        let between = if indent.is_some() { "," } else { ", " };
        let layout = json::Layout { indent, sort_keys: true, ascii: true, separators: (between.to_owned(), ": ".to_owned()) };
        let text = json::write(&value, &layout);
        it.runtime.bytes(text.len())?;
        // Jinja's own: safe inside HTML.
        let escapes = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")];
        Ok(Val::str(escapes.into_iter().fold(text, |text, (from, to)| text.replace(from, to))))
    }),
    filter("to_nice_json", |it, input, args| to_json(it, &input, args, true)),
    filter("from_json", |it, input, args| {
        args.rest_named();
        let text = needed_text(it.runtime, &input)?;
        json::read(it.runtime, &text)
    }),
    filter("to_yaml", |it, input, args| to_yaml(it, &input, args, false)),
    filter("to_nice_yaml", |it, input, args| to_yaml(it, &input, args, true)),
    filter("from_yaml", |it, input, _| match &input {
        Val::Null => Ok(Val::Null),
        Val::Str(text) => yaml::read(it.runtime, text, false).map(Val::from),
        // What was read already stays as it is, as in Ansible.
        _ => Ok(input),
    }),
    filter("from_yaml_all", |it, input, _| match &input {
        Val::Null => Ok(Val::list(Vec::new())),
        Val::Str(text) => yaml::read(it.runtime, text, true).map(Val::from),
        _ => Ok(input),
    }),
    filter("pprint", |it, input, _| it.runtime.repr(&input).map(Val::str)),
    filter("to_datetime", time::to_datetime),
    filter("strftime", time::strftime),
];

fn needed_text(runtime: &Runtime, input: &Val) -> Res<std::sync::Arc<str>> {
    runtime.solid(input)?;
    input.as_str().cloned().ok_or_else(|| fail(format!("text is needed, not a `{}`", input.type_name())))
}

fn named_flag(runtime: &Runtime, args: &mut Args, name: &str, default: bool) -> Res<bool> {
    args.named(name).map_or(Ok(default), |value| runtime.truth(&value))
}

fn to_json(it: &Interpreter<'_>, input: &Val, args: &mut Args, nice: bool) -> Res {
    let runtime = it.runtime;
    let value = json::dates(runtime, input)?;
    let indent = match args.next("indent").or_else(|| nice.then_some(Val::Int(4))) {
        None | Some(Val::Null) => None,
        Some(indent) => Some(size(&indent)?.min(64)),
    };
    let sort_keys = named_flag(runtime, args, "sort_keys", nice)?;
    let ascii = named_flag(runtime, args, "ensure_ascii", true)?;
    let between = if indent.is_some() { "," } else { ", " };
    let separators = match args.named("separators") {
        None | Some(Val::Null) => (between.to_owned(), ": ".to_owned()),
        Some(separators) => match &runtime.items(&separators)?[..] {
            [between, after] => (runtime.string(between)?.to_string(), runtime.string(after)?.to_string()),
            _ => return Err(fail("`separators` is a pair of texts")),
        },
    };
    for name in ["vault_to_text", "preprocess_unsafe", "default", "cls", "skipkeys", "check_circular", "allow_nan"] {
        args.named(name);
    }
    let text = json::write(&value, &json::Layout { indent, sort_keys, ascii, separators });
    runtime.bytes(text.len())?;
    Ok(Val::str(text))
}

fn to_yaml(it: &Interpreter<'_>, input: &Val, args: &mut Args, nice: bool) -> Res {
    let runtime = it.runtime;
    let value = runtime.known(input)?;
    let mut layout = yaml::Layout { flow: nice.then_some(false), ..yaml::Layout::default() };
    if nice {
        layout.indent = args.next("indent").map_or(Ok(4), |indent| size(&indent))?;
    } else if let Some(indent) = args.named("indent") {
        layout.indent = size(&indent)?;
    }
    // PyYAML takes other indents for 2.
    if !(2..=9).contains(&layout.indent) {
        layout.indent = 2;
    }
    match args.named("default_flow_style") {
        None => {}
        Some(Val::Null) => layout.flow = None,
        Some(flow) => layout.flow = Some(runtime.truth(&flow)?),
    }
    if let Some(width) = args.named("width") {
        layout.width = match width {
            Val::Float(width) if width.is_infinite() => usize::MAX,
            width => size(&width)?,
        };
        if layout.width <= layout.indent * 2 {
            layout.width = 80;
        }
    }
    layout.sort_keys = named_flag(runtime, args, "sort_keys", true)?;
    layout.explicit_start = named_flag(runtime, args, "explicit_start", false)?;
    layout.explicit_end = named_flag(runtime, args, "explicit_end", false)?;
    if !named_flag(runtime, args, "allow_unicode", true)? {
        return Err(fail("`allow_unicode=false` is not supported"));
    }
    // `!vault` values stay encrypted, as ansible-core writes them.
    if named_flag(runtime, args, "dump_vault_tags", true)? {
        layout.vault = Some(std::sync::Arc::clone(&runtime.shared.settings.vault));
    }
    let text = yaml::write(&value, &layout);
    runtime.bytes(text.len())?;
    Ok(Val::str(text))
}
