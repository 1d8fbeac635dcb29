//! Privileges of MySQL accounts: as playbooks write them, as `SHOW GRANTS` shows them, and the
//! statements between the two.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::outcome::Failure;

/// Privileges by what they are on, e.g. `` `shop`.* `` or `*.*`.
pub(super) type Grants = BTreeMap<String, BTreeSet<String>>;

/// What stands for the right to pass privileges on.
const GRANT: &str = "GRANT";
/// What stands for all of them.
const ALL: &str = "ALL";

/// What an account with all privileges on everything has on MySQL 8, which lists them one by one.
const EVERYTHING: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "CREATE",
    "DROP",
    "RELOAD",
    "SHUTDOWN",
    "PROCESS",
    "FILE",
    "REFERENCES",
    "INDEX",
    "ALTER",
    "SHOW DATABASES",
    "SUPER",
    "CREATE TEMPORARY TABLES",
    "LOCK TABLES",
    "EXECUTE",
    "REPLICATION SLAVE",
    "REPLICATION CLIENT",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "CREATE USER",
    "EVENT",
    "TRIGGER",
    "CREATE TABLESPACE",
    "CREATE ROLE",
    "DROP ROLE",
];

/// Text split at a letter, but not within backticks or parentheses.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_i32, false);
    for (place, letter) in text.char_indices() {
        match letter {
            '`' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            letter if letter == at && !quoted && depth == 0 => {
                parts.push(&text[start..place]);
                start = place + letter.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// One part of an object's name: `*`, or a name in backticks.
fn part(name: &str) -> String {
    let name = name.trim();
    if name == "*" || (name.len() > 1 && name.starts_with('`') && name.ends_with('`')) {
        return name.to_owned();
    }
    super::mysql::identifier(name)
}

/// What privileges are on, in one spelling.
fn object(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let (kind, name) = ["FUNCTION ", "PROCEDURE ", "TABLE "]
        .into_iter()
        .find_map(|kind| {
            text.get(..kind.len()).filter(|start| start.eq_ignore_ascii_case(kind)).map(|_| (kind, &text[kind.len()..]))
        })
        .unwrap_or(("", text));
    let kind = if kind == "TABLE " { "" } else { kind };
    match split(name, '.').as_slice() {
        [database, table] => Ok(format!("{kind}{}.{}", part(database), part(table))),
        _ => Err(Failure::new(format!("`priv` names `{text}`, which is not `database.table`"))),
    }
}

/// A privilege in one spelling; the columns that it is for are sorted.
fn privilege(text: &str, keep_case: bool) -> Result<String, Failure> {
    let text = text.trim();
    let (word, columns) = text.split_once('(').map_or((text, None), |(word, columns)| (word, Some(columns)));
    let word = word.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    if word.is_empty() || !word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == ' ' || letter == '_') {
        return Err(Failure::new(format!("`{text}` is no privilege")));
    }
    let word = match word.as_str() {
        "ALL PRIVILEGES" => ALL.to_owned(),
        "GRANT OPTION" => GRANT.to_owned(),
        _ => word,
    };
    let Some(columns) = columns else { return Ok(word) };
    let inner = columns.trim_end().strip_suffix(')').ok_or_else(|| Failure::new(format!("`{text}` has an open parenthesis")))?;
    let mut names: Vec<String> = split(inner, ',')
        .into_iter()
        .map(|name| {
            let name = name.trim().trim_matches('`');
            super::mysql::identifier(&if keep_case { name.to_owned() } else { name.to_uppercase() })
        })
        .collect();
    names.sort();
    Ok(format!("{word} ({})", names.join(", ")))
}

/// Privileges as a playbook has them: `db.table:PRIV,PRIV/db.*:PRIV`, or a mapping.
pub(super) fn asked(written: &Value, keep_case: bool) -> Result<Grants, Failure> {
    let pairs: Vec<(String, String)> = match written {
        Value::String(text) => split(text.trim(), '/')
            .into_iter()
            .filter(|part| !part.trim().is_empty())
            .map(|part| match split(part, ':').as_slice() {
                [object, list] => Ok(((*object).to_owned(), (*list).to_owned())),
                _ => Err(Failure::new(format!("`priv` has `{part}`, which is not `database.table:PRIVILEGE,...`"))),
            })
            .collect::<Result<_, _>>()?,
        Value::Object(map) => map
            .iter()
            .map(|(object, list)| match list {
                Value::String(list) => Ok((object.clone(), list.clone())),
                Value::Array(list) => {
                    let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                    Ok((object.clone(), words.join(",")))
                }
                _ => Err(Failure::new(format!("`priv` has no text for `{object}`"))),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(Failure::new("`priv` is neither text nor a mapping")),
    };
    let mut grants = Grants::new();
    for (name, list) in pairs {
        let words: BTreeSet<String> = split(&list, ',')
            .into_iter()
            .filter(|word| !word.trim().is_empty())
            .map(|word| privilege(word, keep_case))
            .collect::<Result<_, _>>()?;
        let words =
            if words.contains(ALL) { words.into_iter().filter(|word| word == ALL || word == GRANT).collect() } else { words };
        grants.insert(object(&name)?, words);
    }
    Ok(without_usage(grants))
}

/// No privilege at all is called `USAGE`.
fn without_usage(mut grants: Grants) -> Grants {
    grants.values_mut().for_each(|words| {
        words.remove("USAGE");
    });
    grants.retain(|_, words| !words.is_empty());
    grants
}

/// Privileges as the lines of `SHOW GRANTS` have them. Lines that give roles are passed over.
pub(super) fn shown<'a>(lines: impl Iterator<Item = &'a str>, keep_case: bool) -> Result<Grants, Failure> {
    let mut grants = Grants::new();
    for line in lines {
        let Some(rest) = line.strip_prefix("GRANT ") else { continue };
        let Some((list, rest)) = rest.split_once(" ON ") else { continue };
        let Some((name, rest)) = rest.split_once(" TO ") else { continue };
        // Who may act as somebody else is no privilege on a table.
        if list == "PROXY" {
            continue;
        }
        let words: BTreeSet<String> =
            split(list, ',').into_iter().map(|word| privilege(word, keep_case)).collect::<Result<_, _>>()?;
        let entry = grants.entry(object(name)?).or_default();
        entry.extend(words);
        if rest.contains("WITH GRANT OPTION") {
            entry.insert(GRANT.into());
        }
    }
    if let Some(words) = grants.get_mut("*.*").filter(|words| EVERYTHING.iter().all(|word| words.contains(*word))) {
        words.retain(|word| word == GRANT);
        words.insert(ALL.into());
    }
    Ok(without_usage(grants))
}

/// The privileges afterwards.
pub(super) fn wanted(now: &Grants, asked: &Grants, append: bool, subtract: bool) -> Grants {
    let mut grants = if append || subtract { now.clone() } else { return asked.clone() };
    for (object, words) in asked {
        let entry = grants.entry(object.clone()).or_default();
        if subtract {
            if words.contains(ALL) {
                entry.retain(|word| word == GRANT && !words.contains(GRANT));
            }
            entry.retain(|word| !words.contains(word));
        } else if words.contains(ALL) {
            let grant = entry.contains(GRANT) || words.contains(GRANT);
            *entry = [ALL.to_owned()].into_iter().chain(grant.then(|| GRANT.to_owned())).collect();
        } else if entry.contains(ALL) {
            entry.extend(words.iter().filter(|word| *word == GRANT).cloned());
        } else {
            entry.extend(words.iter().cloned());
        }
    }
    without_usage(grants)
}

/// The statements that lead from one to the other, for the account `'user'@'host'`.
pub(super) fn statements(now: &Grants, want: &Grants, account: &str) -> Vec<String> {
    let none = BTreeSet::new();
    let mut list = Vec::new();
    let written = |words: &[&String]| {
        let words: Vec<&str> = words.iter().map(|word| if *word == ALL { "ALL PRIVILEGES" } else { word.as_str() }).collect();
        words.join(", ")
    };
    for (object, had) in now {
        let keeps = want.get(object).unwrap_or(&none);
        if had.contains(GRANT) && !keeps.contains(GRANT) {
            list.push(format!("REVOKE GRANT OPTION ON {object} FROM {account}"));
        }
        // All of them contain each of them.
        let surplus: Vec<&String> =
            had.iter().filter(|word| *word != GRANT && !keeps.contains(*word) && !keeps.contains(ALL)).collect();
        if !surplus.is_empty() {
            list.push(format!("REVOKE {} ON {object} FROM {account}", written(&surplus)));
        }
    }
    for (object, wanted) in want {
        let had = now.get(object).unwrap_or(&none);
        let lacks: Vec<&String> = wanted.iter().filter(|word| *word != GRANT && !had.contains(*word)).collect();
        let passes = wanted.contains(GRANT);
        if lacks.is_empty() && (!passes || had.contains(GRANT)) {
            continue;
        }
        let words = if lacks.is_empty() { "USAGE".to_owned() } else { written(&lacks) };
        list.push(format!("GRANT {words} ON {object} TO {account}{}", if passes { " WITH GRANT OPTION" } else { "" }));
    }
    list
}

/// The privileges as a property.
pub(super) fn property(grants: &Grants) -> Value {
    grants.iter().map(|(object, words)| (object.clone(), json!(words))).collect::<serde_json::Map<_, _>>().into()
}

/// The privileges from a property.
pub(super) fn from_property(value: &Value) -> Grants {
    let words =
        |list: &Value| list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect();
    value.as_object().into_iter().flatten().map(|(object, list)| (object.clone(), words(list))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(written: &str) -> Grants {
        asked(&json!(written), false).unwrap()
    }

    #[test]
    fn one_spelling_for_all() {
        let cases = [
            ("*.*:ALL", json!({"*.*": ["ALL"]})),
            ("shop.*:select, Insert,GRANT", json!({"`shop`.*": ["GRANT", "INSERT", "SELECT"]})),
            ("`a.b`.`t/u`:ALL PRIVILEGES/c.d:USAGE", json!({"`a.b`.`t/u`": ["ALL"]})),
            ("d.t:SELECT(b,a)", json!({"`d`.`t`": ["SELECT (`A`, `B`)"]})),
            ("FUNCTION d.f:EXECUTE", json!({"FUNCTION `d`.`f`": ["EXECUTE"]})),
            ("*.*:USAGE", json!({})),
        ];
        for (written, expected) in cases {
            assert_eq!(property(&text(written)), expected, "{written}");
            assert_eq!(from_property(&expected), text(written));
        }
        assert_eq!(asked(&json!({"shop.*": "ALL"}), false).unwrap(), text("shop.*:ALL"));
        for wrong in ["shop:ALL", "a.b:SELECT; DROP", "a.b", "a.b:SELECT (x"] {
            assert!(asked(&json!(wrong), false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_server_shows_is_read() {
        let lines = [
            "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD '*AB'",
            "GRANT SELECT, INSERT (b, a) ON `shop`.* TO `u`@`%` WITH GRANT OPTION",
            "GRANT `role` TO `u`@`%`",
            "GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION",
        ];
        assert_eq!(shown(lines.into_iter(), false).unwrap(), text("shop.*:SELECT,INSERT(a,b),GRANT"));
        let all = format!("GRANT {} ON *.* TO `u`@`%`", EVERYTHING.join(", "));
        let lines = [all.as_str(), "GRANT BACKUP_ADMIN,XA_RECOVER_ADMIN ON *.* TO `u`@`%` WITH GRANT OPTION"];
        assert_eq!(shown(lines.into_iter(), false).unwrap(), text("*.*:ALL,GRANT"));
    }

    #[test]
    fn statements_lead_from_one_to_the_other() {
        let cases: &[(&str, &str, bool, bool, &[&str])] = &[
            ("", "a.*:ALL", false, false, &["GRANT ALL PRIVILEGES ON `a`.* TO U"]),
            ("a.*:ALL", "a.*:SELECT", false, false, &["REVOKE ALL PRIVILEGES ON `a`.* FROM U", "GRANT SELECT ON `a`.* TO U"]),
            ("a.*:SELECT,UPDATE", "a.*:ALL", false, false, &["GRANT ALL PRIVILEGES ON `a`.* TO U"]),
            (
                "a.*:SELECT/b.*:ALL,GRANT",
                "a.*:SELECT",
                false,
                false,
                &["REVOKE GRANT OPTION ON `b`.* FROM U", "REVOKE ALL PRIVILEGES ON `b`.* FROM U"],
            ),
            ("a.*:SELECT", "b.*:SELECT", true, false, &["GRANT SELECT ON `b`.* TO U"]),
            ("a.*:ALL", "a.*:SELECT", true, false, &[]),
            ("a.*:SELECT,UPDATE", "a.*:UPDATE,DELETE", false, true, &["REVOKE UPDATE ON `a`.* FROM U"]),
            ("a.*:SELECT", "a.*:SELECT,GRANT", false, false, &["GRANT USAGE ON `a`.* TO U WITH GRANT OPTION"]),
        ];
        for (now, written, append, subtract, expected) in cases {
            let now = text(now);
            let want = wanted(&now, &text(written), *append, *subtract);
            assert_eq!(statements(&now, &want, "U"), *expected, "{written}");
        }
    }
}
