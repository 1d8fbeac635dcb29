//! JSON as Python's `json` writes and reads it.

use super::error::fail;
use super::runtime::Runtime;
use super::val::{Res, Val};
use crate::vars::{Value, python};

/// How JSON is laid out.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) indent: Option<usize>,
    pub(super) sort_keys: bool,
    pub(super) ascii: bool,
    pub(super) separators: (String, String),
}

/// JSON as Python writes it without being told otherwise.
pub fn json_text(value: &Value) -> String {
    let separators = (", ".to_owned(), ": ".to_owned());
    write(value, &Layout { indent: None, sort_keys: false, ascii: true, separators })
}

pub(super) fn write(value: &Value, layout: &Layout) -> String {
    let mut out = String::new();
    write_value(value, layout, 0, &mut out);
    out
}

fn newline(layout: &Layout, depth: usize, out: &mut String) {
    if let Some(indent) = layout.indent {
        out.push('\n');
        out.push_str(&" ".repeat(indent * depth));
    }
}

fn write_value(value: &Value, layout: &Layout, depth: usize, out: &mut String) {
    match value {
        Value::Null | Value::Omit | Value::Unknown(_) => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Float(number) if number.is_nan() => out.push_str("NaN"),
        Value::Float(number) if number.is_infinite() => out.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Float(number) => out.push_str(&python::float(*number)),
        Value::Str(text) => write_text(text, layout.ascii, out),
        Value::List(items) if items.is_empty() => out.push_str("[]"),
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&layout.separators.0);
                }
                newline(layout, depth + 1, out);
                write_value(item, layout, depth + 1, out);
            }
            newline(layout, depth, out);
            out.push(']');
        }
        Value::Map(map) if map.is_empty() => out.push_str("{}"),
        Value::Map(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.json_text(), value)).collect();
            if layout.sort_keys {
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            }
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push_str(&layout.separators.0);
                }
                newline(layout, depth + 1, out);
                write_text(&key, layout.ascii, out);
                out.push_str(&layout.separators.1);
                write_value(value, layout, depth + 1, out);
            }
            newline(layout, depth, out);
            out.push('}');
        }
    }
}

fn write_text(text: &str, ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            c if (c as u32) < 0x20 || (ascii && !c.is_ascii()) => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The value, with dates as JSON has them: `2024-01-02T03:04:05`.
pub(super) fn dates(runtime: &Runtime, value: &Val) -> Res<Value> {
    match value {
        Val::Object(object) if object.type_name() == "datetime" => Ok(Value::from(object.text().replacen(' ', "T", 1))),
        value => runtime.known(value),
    }
}

/// Reads JSON text.
pub(super) fn read(runtime: &Runtime, text: &str) -> Res {
    runtime.bytes(text.len())?;
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(json) => Ok(Val::from(Value::from(json))),
        // Python's reader knows these words.
        Err(error) => match text.trim() {
            "NaN" => Ok(Val::Float(f64::NAN)),
            "Infinity" => Ok(Val::Float(f64::INFINITY)),
            "-Infinity" => Ok(Val::Float(f64::NEG_INFINITY)),
            _ => Err(fail(format!("this is not JSON: {error}"))),
        },
    }
}
