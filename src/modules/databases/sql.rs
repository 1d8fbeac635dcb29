//! Text of SQL: quoting names and values for PostgreSQL, and finding where statements end.

use serde_json::{Map, Value};

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

/// Functions that only compute; and words that may stand before a parenthesis.
const HARMLESS: &[&str] = &[
    "all",
    "and",
    "any",
    "array_agg",
    "array_length",
    "as",
    "avg",
    "between",
    "by",
    "case",
    "cast",
    "coalesce",
    "concat",
    "count",
    "current_database",
    "current_schema",
    "current_setting",
    "current_user",
    "distinct",
    "else",
    "exists",
    "extract",
    "format",
    "from",
    "greatest",
    "has_database_privilege",
    "has_schema_privilege",
    "has_table_privilege",
    "in",
    "join",
    "json_agg",
    "jsonb_agg",
    "least",
    "left",
    "length",
    "like",
    "lower",
    "max",
    "min",
    "not",
    "now",
    "nullif",
    "obj_description",
    "on",
    "or",
    "over",
    "pg_database_size",
    "pg_encoding_to_char",
    "pg_get_userbyid",
    "pg_is_in_recovery",
    "pg_size_pretty",
    "pg_table_size",
    "pg_total_relation_size",
    "replace",
    "right",
    "round",
    "row_number",
    "row_to_json",
    "select",
    "shobj_description",
    "split_part",
    "string_agg",
    "substring",
    "sum",
    "then",
    "to_char",
    "to_json",
    "to_regclass",
    "trim",
    "union",
    "unnest",
    "upper",
    "using",
    "values",
    "version",
    "when",
    "where",
];

/// Whether a statement only looks, so that a plan may run it: it reads, and calls nothing that might do more.
pub(crate) fn only_looks(statement: &str) -> bool {
    if !matches!(keyword(statement).as_str(), "SELECT" | "SHOW" | "TABLE" | "VALUES") {
        return false;
    }
    let (mut at, mut word) = (0, String::new());
    while let Some(letter) = statement[at..].chars().next() {
        if let Some(end) = skip(statement, at) {
            let Ok(end) = end else { return false };
            // A quoted name may be a function's; a text with a type before it is not.
            let is_name = statement[at..].starts_with('"');
            word = if is_name { "\"".into() } else { String::new() };
            at = end;
            continue;
        }
        match letter {
            '(' if !word.is_empty() && !HARMLESS.contains(&word.to_lowercase().as_str()) => return false,
            letter if letter.is_alphanumeric() || letter == '_' => {
                // A word after a space is another one.
                if at > 0 && statement[..at].ends_with(|before: char| before.is_whitespace()) {
                    word.clear();
                }
                word.push(letter);
            }
            letter if letter.is_whitespace() => {}
            _ => word.clear(),
        }
        at += letter.len_utf8();
    }
    // `SELECT ... INTO` makes a table, `FOR UPDATE` locks rows.
    let words: Vec<String> = statement.split_whitespace().map(str::to_lowercase).collect();
    !words.iter().any(|word| word == "into" || word == "for")
}

/// A query with its arguments in place of `%s` and `%(name)s`; `%%` is a percent sign.
pub(crate) fn filled(query: &str, positional: Option<&[Value]>, named: Option<&Map<String, Value>>) -> Result<String, Failure> {
    filled_with(query, positional, named, &value)
}

/// Likewise, for a server whose values are written by `quote`.
pub(crate) fn filled_with(
    query: &str,
    positional: Option<&[Value]>,
    named: Option<&Map<String, Value>>,
    quote: &dyn Fn(&Value) -> Result<String, Failure>,
) -> Result<String, Failure> {
    if positional.is_none() && named.is_none() {
        return Ok(query.to_owned());
    }
    let wrong = |problem: String| Failure::new(format!("cannot fill in the query: {problem}"));
    let mut values = positional.unwrap_or_default().iter();
    let mut text = String::new();
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('%') {
        text.push_str(before);
        let inner = after.strip_prefix('(').and_then(|inner| inner.split_once(")s"));
        if let Some(after) = after.strip_prefix('%') {
            text.push('%');
            rest = after;
        } else if let (Some(after), Some(_)) = (after.strip_prefix('s'), positional) {
            let argument = values.next().ok_or_else(|| wrong("it has more `%s` than there are `positional_args`".into()))?;
            text.push_str(&quote(argument)?);
            rest = after;
        } else if let (Some((name, after)), Some(named)) = (inner, named) {
            let argument = named.get(name).ok_or_else(|| wrong(format!("`named_args` has no `{name}`")))?;
            text.push_str(&quote(argument)?);
            rest = after;
        } else {
            return Err(wrong("a percent sign that begins no argument must be written `%%`".into()));
        }
    }
    text.push_str(rest);
    if values.next().is_some() {
        return Err(wrong("there are more `positional_args` than it has `%s`".into()));
    }
    Ok(text)
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
    #[test]
    fn a_plan_runs_only_what_looks() {
        for (sql, expected) in [
            ("SELECT count(*) FROM t WHERE a IN (1, 2) AND (b OR c)", true),
            ("show server_version", true),
            ("select 'f(x)' as a -- g(x)", true),
            ("select pg_reload_conf()", false),
            ("select \"count\"(1)", false),
            ("select pg_terminate_backend (pid) from x", false),
            ("select * into t from x", false),
            ("select * from t for update", false),
            ("insert into t values (1)", false),
            ("with x as (delete from t) select 1", false),
        ] {
            assert_eq!(only_looks(sql), expected, "{sql}");
        }
    }

    #[test]
    fn arguments_are_filled_in_quoted() {
        let list = [json!("a'b"), json!(7)];
        assert_eq!(filled("x = %s and y = %s %%", Some(&list), None).unwrap(), "x = 'a''b' and y = 7 %");
        let named = json!({"n": [1]});
        assert_eq!(filled("x = %(n)s", None, named.as_object()).unwrap(), "x = ARRAY[1]");
        assert_eq!(filled("x like '%a'", None, None).unwrap(), "x like '%a'");
        assert!(filled("%s", Some(&list), None).is_err() && filled("%s%s%s", Some(&list), None).is_err());
        assert!(filled("%(m)s", None, named.as_object()).is_err());
    }
}
