//! What an account of MySQL is beside its privileges: password, TLS, limits, lock, expiry.

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::mysql::{Row, field, identifier, literal};
use crate::object::{Object, properties};
use crate::outcome::Failure;

/// A password that is the one asked for.
pub(super) const AS_ASKED: &str = "as asked for";

/// What `mysql_native_password` stores.
pub(super) fn native(password: &str) -> String {
    let hash: String = Sha1::digest(Sha1::digest(password)).iter().map(|byte| format!("{byte:02X}")).collect();
    format!("*{hash}")
}

/// Whether a text is what `mysql_native_password` stores.
pub(super) fn is_native(hash: &str) -> bool {
    hash.strip_prefix('*').is_some_and(|hex| hex.len() == 40 && hex.chars().all(|digit| digit.is_ascii_hexdigit()))
}

/// A value of a playbook as SQL.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(is) => u8::from(*is).to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => literal(text),
        other => literal(&other.to_string()),
    }
}

/// Limits: the word of the statement, and the column that stores it.
const LIMITS: &[(&str, &str)] = &[
    ("MAX_QUERIES_PER_HOUR", "max_questions"),
    ("MAX_UPDATES_PER_HOUR", "max_updates"),
    ("MAX_CONNECTIONS_PER_HOUR", "max_connections"),
    ("MAX_USER_CONNECTIONS", "max_user_connections"),
    ("MAX_STATEMENT_TIME", "max_statement_time"),
];

/// Limits in one spelling.
pub(super) fn limits(written: &Map<String, Value>) -> Result<Value, Failure> {
    let mut list = Map::new();
    for (name, value) in written {
        let name = name.to_uppercase();
        if !LIMITS.iter().any(|(known, _)| *known == name) {
            return Err(Failure::new(format!("`resource_limits` has `{name}`, which is no limit")));
        }
        let number = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
        list.insert(name.clone(), number.ok_or_else(|| Failure::new(format!("`{name}` is no whole number")))?.into());
    }
    Ok(list.into())
}

/// What a connection must have, as it stands in a statement.
pub(super) fn requires(written: &Map<String, Value>) -> Result<Value, Failure> {
    let mut words = Vec::new();
    for (name, wanted) in written {
        let name = name.to_uppercase();
        words.push(match (name.as_str(), wanted) {
            ("SSL" | "X509", _) if written.len() > 1 => {
                return Err(Failure::new(format!("`tls_requires` has {name} together with something else")));
            }
            ("SSL" | "X509", _) => name,
            ("SUBJECT" | "ISSUER" | "CIPHER", Value::String(text)) => format!("{name} {}", literal(text)),
            ("SUBJECT" | "ISSUER" | "CIPHER", _) => return Err(Failure::new(format!("`{name}` in `tls_requires` has no value"))),
            _ => return Err(Failure::new(format!("`tls_requires` has `{name}`, which is no requirement"))),
        });
    }
    words.sort();
    Ok(if words.is_empty() { "NONE".into() } else { words.join(" AND ").into() })
}

/// What the server says of an account: its row, and its `CREATE USER`.
pub(super) fn found(row: &Row, create: &str) -> Map<String, Value> {
    let requires = match field(row, "ssl_type") {
        "" => "NONE".to_owned(),
        "ANY" => "SSL".into(),
        "X509" => "X509".into(),
        _ => {
            let parts = [("CIPHER", "ssl_cipher"), ("ISSUER", "x509_issuer"), ("SUBJECT", "x509_subject")];
            let parts = parts.iter().map(|(word, column)| (word, field(row, column))).filter(|(_, text)| !text.is_empty());
            parts.map(|(word, text)| format!("{word} {}", literal(text))).collect::<Vec<_>>().join(" AND ")
        }
    };
    let mut limits = Map::new();
    for (word, column) in LIMITS {
        // One of them has a fraction.
        if let Ok(number) = field(row, column).parse::<f64>() {
            limits.insert((*word).into(), (number as i64).into());
        }
    }
    // What stands in quotes is a password or a comment.
    let plain: String = create.split('\'').step_by(2).collect();
    let expire = match plain.split_once("PASSWORD EXPIRE").map(|(_, rest)| rest.trim_start()) {
        None => "default".to_owned(),
        Some(rest) if rest.starts_with("NEVER") => "never".into(),
        Some(rest) if rest.starts_with("DEFAULT") => "default".into(),
        Some(rest) => match rest.strip_prefix("INTERVAL ").and_then(|rest| rest.split_whitespace().next()) {
            Some(days) => format!("interval {days} day"),
            None => "now".into(),
        },
    };
    properties([
        ("tls_requires", requires.into()),
        ("resource_limits", limits.into()),
        ("locked", plain.contains("ACCOUNT LOCK").into()),
        ("password_expire", expire.into()),
    ])
}

/// How an account is to be identified.
pub(super) struct Definition<'a> {
    pub(super) is_mariadb: bool,
    pub(super) password: Option<&'a str>,
    pub(super) encrypted: bool,
    pub(super) plugin: Option<&'a str>,
    pub(super) hash: Option<&'a str>,
    pub(super) text: Option<&'a str>,
}

impl Definition<'_> {
    /// The clause; empty where nothing is asked for.
    fn clause(&self) -> String {
        let with = if self.is_mariadb { "VIA" } else { "WITH" };
        match (self.plugin, self.password) {
            (Some(plugin), _) => {
                let plugin = identifier(plugin);
                match (self.hash, self.text) {
                    (Some(hash), _) if self.is_mariadb => format!(" IDENTIFIED VIA {plugin} USING {}", literal(hash)),
                    (Some(hash), _) => format!(" IDENTIFIED WITH {plugin} AS {}", literal(hash)),
                    (None, Some(text)) if self.is_mariadb && self.plugin == Some("pam") => {
                        format!(" IDENTIFIED VIA {plugin} USING {}", literal(text))
                    }
                    (None, Some(text)) if self.is_mariadb => {
                        format!(" IDENTIFIED VIA {plugin} USING PASSWORD({})", literal(text))
                    }
                    (None, Some(text)) => format!(" IDENTIFIED WITH {plugin} BY {}", literal(text)),
                    (None, None) => format!(" IDENTIFIED {with} {plugin}"),
                }
            }
            (None, Some("")) if self.is_mariadb => " IDENTIFIED BY ''".into(),
            (None, Some("")) => " IDENTIFIED WITH mysql_native_password AS ''".into(),
            (None, Some(password)) => {
                // The hash is made here, so that the server never sees, nor logs, the password.
                let hash = if self.encrypted { password.to_owned() } else { native(password) };
                if self.is_mariadb {
                    format!(" IDENTIFIED BY PASSWORD {}", literal(&hash))
                } else {
                    format!(" IDENTIFIED WITH mysql_native_password AS {}", literal(&hash))
                }
            }
            (None, None) => String::new(),
        }
    }
}

/// The statements that lead to what is wanted, without privileges.
pub(super) fn statements(account: &str, now: &Object, wanted: &Map<String, Value>, identified: &Definition<'_>) -> Vec<String> {
    let differs = |property: &str| wanted.get(property).filter(|value| now.get(property) != *value);
    let mut clauses = String::new();
    if differs("password").is_some() || differs("plugin").is_some() {
        clauses.push_str(&identified.clause());
    }
    if let Some(requires) = differs("tls_requires").and_then(Value::as_str) {
        clauses.push_str(&format!(" REQUIRE {requires}"));
    }
    if let Some(limits) = differs("resource_limits").and_then(Value::as_object) {
        let words: Vec<String> = limits.iter().map(|(name, number)| format!("{name} {number}")).collect();
        if !words.is_empty() {
            clauses.push_str(&format!(" WITH {}", words.join(" ")));
        }
    }
    let expire = differs("password_expire").and_then(Value::as_str).map(|expire| match expire {
        "now" => String::new(),
        other => format!(" {}", other.to_uppercase()),
    });
    let mut list = Vec::new();
    match now.exists() {
        false => list.push(format!("CREATE USER {account}{clauses}")),
        true if !clauses.is_empty() => list.push(format!("ALTER USER {account}{clauses}")),
        true => {}
    }
    if let Some(expire) = expire {
        list.push(format!("ALTER USER {account} PASSWORD EXPIRE{expire}"));
    }
    if let Some(locked) = differs("locked").filter(|locked| now.exists() || **locked == json!(true)) {
        list.push(format!("ALTER USER {account} ACCOUNT {}", if *locked == json!(true) { "LOCK" } else { "UNLOCK" }));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ResourceId;

    #[test]
    fn hashes_are_those_of_the_server() {
        assert_eq!(native("password"), "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
        assert!(is_native(&native("x")) && !is_native("*12") && !is_native("plain"));
    }

    #[test]
    fn what_the_server_says_is_read() {
        let row: Row =
            [("ssl_type", "SPECIFIED"), ("x509_issuer", "/CN=it's"), ("max_questions", "3"), ("max_statement_time", "0.000000")]
                .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
                .into();
        let create = "CREATE USER `u`@`%` IDENTIFIED BY PASSWORD 'ACCOUNT LOCK' PASSWORD EXPIRE INTERVAL 90 DAY";
        let expected = json!({
            "tls_requires": "ISSUER '/CN=it''s'", "resource_limits": {"MAX_QUERIES_PER_HOUR": 3, "MAX_STATEMENT_TIME": 0},
            "locked": false, "password_expire": "interval 90 day"
        });
        assert_eq!(Value::Object(found(&row, create)), expected);
        assert_eq!(found(&row, "CREATE USER u ACCOUNT LOCK PASSWORD EXPIRE")["password_expire"], "now");
        let written = json!({"issuer": "/CN=it's"});
        assert_eq!(requires(written.as_object().unwrap()).unwrap(), expected["tls_requires"]);
        assert!(requires(json!({"SSL": null, "X509": null}).as_object().unwrap()).is_err());
        assert!(limits(json!({"MAX_X": 1}).as_object().unwrap()).is_err());
    }

    #[test]
    fn statements_lead_to_what_is_wanted() {
        let id = ResourceId::new("mysql_user", "u");
        let plain = Definition { is_mariadb: true, password: Some("x"), encrypted: false, plugin: None, hash: None, text: None };
        let plugin = Definition { is_mariadb: false, password: None, plugin: Some("p"), text: Some("t"), ..plain };
        let there = Object::present(id.clone(), properties([("tls_requires", json!("NONE")), ("plugin", json!("old"))]));
        let wanted =
            json!({"password": AS_ASKED, "tls_requires": "SSL", "resource_limits": {"MAX_USER_CONNECTIONS": 5}, "locked": false});
        let hash = native("x");
        assert_eq!(
            statements("U", &Object::absent(id), wanted.as_object().unwrap(), &plain),
            [format!("CREATE USER U IDENTIFIED BY PASSWORD '{hash}' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5")]
        );
        let wanted = json!({"plugin": "p", "tls_requires": "NONE", "password_expire": "now", "locked": true});
        assert_eq!(
            statements("U", &there, wanted.as_object().unwrap(), &plugin),
            ["ALTER USER U IDENTIFIED WITH `p` BY 't'", "ALTER USER U PASSWORD EXPIRE", "ALTER USER U ACCOUNT LOCK"]
        );
    }
}
