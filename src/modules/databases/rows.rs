//! Rows as `psql` writes them in CSV, as values: numbers, booleans, lists and times get their own types.

use serde_json::{Map, Number, Value};

/// What stands for NULL: no text that anybody stores.
pub(super) const NULL: &str = "\u{1}NULL\u{1}";

/// The records of a CSV text.
pub(super) fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    let (mut quoted, mut any) = (false, false);
    while let Some(letter) = letters.next() {
        any = true;
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
                any = false;
            }
            other => field.push(other),
        }
    }
    if any {
        record.push(field);
        records.push(record);
    }
    records
}

/// A row as a mapping; `columns` are names and types.
pub(super) fn row(columns: &[(String, String)], record: &[String]) -> Value {
    let pairs = columns.iter().zip(record).map(|((name, of), text)| (name.clone(), typed(of, text)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

/// A value of this type of PostgreSQL.
fn typed(of: &str, text: &str) -> Value {
    if text == NULL {
        return Value::Null;
    }
    if let Some(element) = of.strip_suffix("[]")
        && let Some((list, rest)) = array(element, text)
        && rest.is_empty()
    {
        return list;
    }
    let plain = of.split('(').next().unwrap_or(of).trim();
    let read = match plain {
        "smallint" | "integer" | "bigint" | "oid" => text.parse::<i64>().ok().map(Value::from),
        "numeric" | "real" | "double precision" => text.parse().ok().and_then(Number::from_f64).map(Value::Number),
        "boolean" => Some((text == "t").into()),
        "json" | "jsonb" => serde_json::from_str(text).ok(),
        "timestamp" | "timestamp without time zone" | "timestamp with time zone" => Some(time(text).into()),
        _ if of.starts_with("timestamp") => Some(time(text).into()),
        _ => None,
    };
    read.unwrap_or_else(|| text.into())
}

/// `2026-01-31 12:00:00.5+00` as `2026-01-31T12:00:00.500000+00:00`.
fn time(text: &str) -> String {
    let Some((date, clock)) = text.split_once(' ') else { return text.to_owned() };
    let zone = clock.find(['+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone);
    let clock = match clock.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<6}"),
        None => clock.to_owned(),
    };
    let minutes = if zone.len() == 3 { ":00" } else { "" };
    format!("{date}T{clock}{zone}{minutes}")
}

/// An array and what follows it.
fn array<'a>(of: &str, text: &'a str) -> Option<(Value, &'a str)> {
    let mut rest = text.strip_prefix('{')?;
    let mut items = Vec::new();
    if let Some(after) = rest.strip_prefix('}') {
        return Some((items.into(), after));
    }
    loop {
        if rest.starts_with('{') {
            let (inner, after) = array(of, rest)?;
            items.push(inner);
            rest = after;
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let mut item = String::new();
            let mut letters = quoted.char_indices();
            loop {
                match letters.next()? {
                    (_, '\\') => item.push(letters.next()?.1),
                    (at, '"') => {
                        rest = &quoted[at + 1..];
                        break;
                    }
                    (_, letter) => item.push(letter),
                }
            }
            items.push(typed(of, &item));
        } else {
            let end = rest.find([',', '}'])?;
            items.push(if &rest[..end] == "NULL" { Value::Null } else { typed(of, &rest[..end]) });
            rest = &rest[end..];
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Some((items.into(), rest.strip_prefix('}')?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn records_are_read() {
        assert_eq!(csv("a,\"b\n\"\"c\"\"\",\n1,2,3\n"), [["a", "b\n\"c\"", ""], ["1", "2", "3"]]);
        assert_eq!(csv("x\n\n"), [["x"], [""]]);
        assert_eq!(csv(""), Vec::<Vec<String>>::new());
    }

    #[test]
    fn values_have_their_types() {
        for (of, text, expected) in [
            ("integer", "-5", json!(-5)),
            ("numeric(10,2)", "1.50", json!(1.5)),
            ("double precision", "NaN", json!("NaN")),
            ("boolean", "f", json!(false)),
            ("text", "5", json!("5")),
            ("text", NULL, json!(null)),
            ("jsonb", "{\"a\": [1]}", json!({"a": [1]})),
            ("integer[]", "{1,NULL,{2}}", json!([1, null, [2]])),
            ("text[]", "{a,\"b,\\\"c\",\"NULL\"}", json!(["a", "b,\"c", "NULL"])),
            ("text[]", "{}", json!([])),
            ("timestamp with time zone", "2026-01-31 12:00:00.5+00", json!("2026-01-31T12:00:00.500000+00:00")),
            ("timestamp without time zone", "2026-01-31 12:00:00", json!("2026-01-31T12:00:00")),
            ("date", "2026-01-31", json!("2026-01-31")),
        ] {
            assert_eq!(typed(of, text), expected, "{of} {text}");
        }
    }
}
