//! Text of SQL: quoting names and values for PostgreSQL, and finding where statements end.

use serde_json::Value;

use crate::outcome::Failure;

/// A name in double quotes: it stands for itself, whatever is in it.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value in quotes. A backslash is told to the server as one, whatever its settings.
pub(crate) fn literal(value: &str) -> String {
    let quoted = value.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Refuses what no server could be asked.
pub(crate) fn checked(what: &str, text: &str) -> Result<(), Failure> {
    if text.is_empty() || text.contains('\0') {
        return Err(Failure::new(format!("`{what}` is empty or contains a NUL byte")));
    }
    Ok(())
}

/// A value of a playbook as SQL: lists become arrays.
pub(crate) fn value(value: &Value) -> Result<String, Failure> {
    Ok(match value {
        Value::Null => "NULL".into(),
        Value::Bool(is) => is.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => literal(text),
        Value::Array(items) if items.is_empty() => "'{}'".into(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(self::value).collect::<Result<_, _>>()?;
            format!("ARRAY[{}]", items.join(", "))
        }
        Value::Object(_) => return Err(Failure::new("a mapping cannot be an argument of a query; use `to_json` on it")),
    })
}

/// The end of what begins here (after its first letter), if it is something in which nothing has a
/// meaning: quoted text, a quoted name, a comment.
fn skip(sql: &str, at: usize) -> Option<Result<usize, &'static str>> {
    let rest = &sql[at..];
    let first = rest.chars().next()?;
    let before = sql[..at].chars().next_back();
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$');
    match first {
        '\'' => {
            // E'...' knows backslashes; the letter must be a word of its own.
            let escapes = before.is_some_and(|letter| matches!(letter, 'e' | 'E'))
                && !sql[..at - 1].chars().next_back().is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
            let mut letters = rest.char_indices().skip(1);
            while let Some((offset, letter)) = letters.next() {
                match letter {
                    '\\' if escapes => {
                        letters.next();
                    }
                    // Doubled quotes end one text and begin the next.
                    '\'' => return Some(Ok(at + offset + 1)),
                    _ => {}
                }
            }
            Some(Err("a quotation mark `'` is not closed"))
        }
        '"' => Some(rest[1..].find('"').map(|end| at + 1 + end + 1).ok_or("a quotation mark `\"` is not closed")),
        '-' if rest.starts_with("--") => Some(Ok(rest.find('\n').map_or(sql.len(), |end| at + end))),
        '/' if rest.starts_with("/*") => {
            let (mut depth, mut end) = (0, 0);
            while let Some(next) = rest[end..].find(['/', '*']) {
                end += next;
                match () {
                    () if rest[end..].starts_with("/*") => (depth, end) = (depth + 1, end + 2),
                    () if rest[end..].starts_with("*/") => (depth, end) = (depth - 1, end + 2),
                    () => end += 1,
                }
                if depth == 0 {
                    return Some(Ok(at + end));
                }
            }
            Some(Err("a comment `/*` is not closed"))
        }
        '$' if !in_word => {
            let tag_end = rest[1..].find('$')? + 2;
            let tag = &rest[..tag_end];
            let inner = &tag[1..tag_end - 1];
            let is_tag = inner.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
                && !inner.starts_with(|letter: char| letter.is_ascii_digit());
            is_tag.then(|| rest[tag_end..].find(tag).map(|end| at + 2 * tag_end + end).ok_or("a text in `$` is not closed"))
        }
        _ => None,
    }
}

/// The statements of a text, without semicolons. What is no SQL but an order to `psql` is refused.
pub(crate) fn statements(sql: &str) -> Result<Vec<&str>, Failure> {
    let wrong = |problem: &str| Failure::new(format!("cannot read the query: {problem}"));
    let mut list = Vec::new();
    let (mut start, mut at, mut depth) = (0, 0, 0_i32);
    while let Some(letter) = sql[at..].chars().next() {
        if let Some(end) = skip(sql, at) {
            at = end.map_err(wrong)?;
            continue;
        }
        match letter {
            '\\' => return Err(wrong("a backslash outside of quotes; orders to `psql` are no SQL")),
            '(' => depth += 1,
            ')' => depth -= 1,
            ';' if depth <= 0 => {
                list.push(&sql[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += letter.len_utf8();
    }
    list.push(&sql[start..]);
    Ok(list.into_iter().map(str::trim).filter(|statement| !bare(statement).is_empty()).collect())
}

/// A statement without the comments before it.
fn bare(statement: &str) -> &str {
    let mut rest = statement.trim_start();
    while rest.starts_with("--") || rest.starts_with("/*") {
        let Some(Ok(end)) = skip(rest, 0) else { return rest };
        rest = rest[end..].trim_start();
    }
    rest
}

/// The first word of a statement, in capitals.
pub(crate) fn keyword(statement: &str) -> String {
    let rest = bare(statement).trim_start_matches(['(', ' ']);
    rest.chars().take_while(|letter| letter.is_alphabetic()).collect::<String>().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_values_stand_for_themselves() {
        assert_eq!(identifier(r#"a"b; drop"#), r#""a""b; drop""#);
        for (text, expected) in
            [("x", "'x'"), ("it's", "'it''s'"), (r"a\b", r"E'a\\b'"), (r"\'; drop --", r"E'\\''; drop --'"), ("", "''")]
        {
            assert_eq!(literal(text), expected);
        }
        assert_eq!(value(&json!([1, "a'", null, [true]])).unwrap(), "ARRAY[1, 'a''', NULL, ARRAY[true]]");
        assert!(value(&json!({"a": 1})).is_err() && checked("x", "a\0").is_err());
    }

    #[test]
    fn statements_end_where_the_server_would_end_them() {
        let cases: &[(&str, &[&str])] = &[
            ("select 1", &["select 1"]),
            ("select 1; select ';'; ", &["select 1", "select ';'"]),
            ("select E'\\';', 'a'';b', \"c;d\"; x", &["select E'\\';', 'a'';b', \"c;d\"", "x"]),
            ("do $$ begin; end $$; a $1 b; $q$;$$;$q$", &["do $$ begin; end $$", "a $1 b", "$q$;$$;$q$"]),
            ("-- a;b\nselect 1 /* ; /* ; */ ; */; -- c", &["-- a;b\nselect 1 /* ; /* ; */ ; */"]),
            ("create rule r as on insert to t do (a; b); c", &["create rule r as on insert to t do (a; b)", "c"]),
            (";;", &[]),
        ];
        for (sql, expected) in cases {
            assert_eq!(statements(sql).unwrap(), *expected, "{sql}");
        }
        for wrong in ["\\! id", "select 1 \\gexec", "select '", "select \"a", "/* /* */", "$$ a"] {
            assert!(statements(wrong).is_err(), "{wrong}");
        }
        assert_eq!(keyword("-- x\n /* y */ (Select 1)"), "SELECT");
    }
}
