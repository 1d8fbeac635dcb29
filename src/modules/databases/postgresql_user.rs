//! `postgresql_user`: a role of a PostgreSQL server.

use serde_json::{Map, Value, json};

use super::postgres::postgres_args;
use super::sql::{checked, identifier, literal};
use super::verifier;
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

postgres_args! {
    /// Manages a role of a PostgreSQL server: its existence, password, attributes and settings.
    ///
    /// A password that is given in clear is compared with what the server stores (SCRAM or MD5) and set only where
    /// it is another. The login must be allowed to read `pg_authid` for that; else the password is set every time.
    pub struct Args {
        /// Name of the role.
        name ("user"): String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Password, in clear or as the server stores it; empty: none. Never shown.
        password: Option<String>,
        /// Database to which is connected; empty: `postgres`.
        login_db ("db"): String = String::new(),
        /// Attributes with commas between them, e.g. `CREATEDB,NOSUPERUSER`. A new role may log in.
        role_attr_flags: String = String::new(),
        /// Whether the server hashes the password; today's servers do nothing else.
        encrypted: bool = true,
        /// Until when the password is valid, as SQL has it; `infinity`: always.
        expires: Option<String>,
        /// Whether the password of a role that is there is left alone.
        no_password_changes: bool = false,
        /// How many connections the role may have; -1: any number.
        conn_limit: Option<i64>,
        /// A comment; empty: none.
        comment: Option<String>,
        /// Settings of the role's sessions.
        configuration: Map<String, Value> = Map::new(),
        /// Whether settings that `configuration` does not name are reset.
        reset_unspecified_configuration: bool = false,
        /// Whether values of settings are quoted; `false` for lists like `search_path`.
        quote_configuration_values: bool = true,
        /// Whether it is a failure if a role cannot be removed.
        fail_on_user ("fail_on_role"): bool = true,
        /// Refused: use `postgresql_privs`.
        r#priv: Option<UsePrivs>,
    }
}

/// The option that became a module.
#[derive(Debug, Clone, Copy)]
pub struct UsePrivs;

impl crate::args::Arg for UsePrivs {
    fn kind() -> crate::args::ArgKind {
        crate::args::ArgKind::Raw
    }
    fn parse(_: &Value) -> Result<Self, String> {
        Err("grants are the business of `postgresql_privs`; use a task with that".into())
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A role with a password
  become: true
  postgresql_user:
    name: django
    password: ceec4eif7ya
    expires: Jan 31 2030
- name: Attributes and settings
  postgresql_user:
    name: rails
    role_attr_flags: CREATEDB,NOSUPERUSER
    conn_limit: 10
    comment: of the shop
    configuration:
      work_mem: 16MB
- name: No role
  postgresql_user:
    name: test
    state: absent
";

/// The module.
pub struct PostgresqlUser;

/// Attributes of roles: the word, the column, the name of the property.
const FLAGS: &[(&str, &str, &str)] = &[
    ("SUPERUSER", "rolsuper", "superuser"),
    ("CREATEROLE", "rolcreaterole", "createrole"),
    ("CREATEUSER", "rolcreaterole", "createrole"),
    ("CREATEDB", "rolcreatedb", "createdb"),
    ("INHERIT", "rolinherit", "inherit"),
    ("LOGIN", "rolcanlogin", "login"),
    ("REPLICATION", "rolreplication", "replication"),
    ("BYPASSRLS", "rolbypassrls", "bypassrls"),
];

const MANAGED: &[&str] = &[
    "login",
    "superuser",
    "createrole",
    "createdb",
    "inherit",
    "replication",
    "bypassrls",
    "password",
    "expires",
    "conn_limit",
    "comment",
    "configuration",
];

/// The role as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    role: Object,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.role.resource(MANAGED)]
    }
}

fn id(args: &Args) -> ResourceId {
    ResourceId::new("postgresql_user", args.login().place(&args.name))
}

fn database(args: &Args) -> &str {
    if args.login_db.is_empty() { "postgres" } else { &args.login_db }
}

/// Attributes by the name of their property.
fn flags(text: &str) -> Result<Vec<(&'static str, &'static str, bool)>, Failure> {
    let words = text.split(',').map(|word| word.trim().to_uppercase()).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let known = |word: &str| FLAGS.iter().find(|(flag, ..)| *flag == word);
            let found = match known(&word) {
                Some(flag) => Some((flag, true)),
                None => word.strip_prefix("NO").and_then(known).map(|flag| (flag, false)),
            };
            let ((flag, _, property), is) =
                found.ok_or_else(|| Failure::new(format!("`role_attr_flags` has `{word}`, which is no attribute of roles")))?;
            Ok((*flag, *property, is))
        })
        .collect()
}

/// How a password stands to the one that is asked for. The words are what a report shows.
fn compared(args: &Args, stored: Option<&str>) -> Value {
    match (&args.password, stored) {
        (None, _) => Value::Null,
        (Some(wanted), None | Some("")) if wanted.is_empty() => AS_ASKED.into(),
        (Some(wanted), Some(stored)) if !wanted.is_empty() && verifier::postgres(stored, wanted, &args.name) => AS_ASKED.into(),
        (Some(_), None | Some("")) => "none".into(),
        (Some(_), Some(_)) => "another".into(),
    }
}

/// A password that is the one asked for.
const AS_ASKED: &str = "as asked for";

/// The settings that are stored, and those only that are asked for where the others stay.
fn settings(args: &Args, stored: &Value) -> Map<String, Value> {
    let list = stored.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|entry| entry.as_str()?.split_once('='))
        .filter(|(name, _)| args.reset_unspecified_configuration || asks_for(args, name))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}

/// Whether a setting is asked for; case does not matter in names of settings.
fn asks_for(args: &Args, name: &str) -> bool {
    args.configuration.keys().any(|key| key.eq_ignore_ascii_case(name))
}

/// A setting as the server stores it.
fn setting(args: &Args, value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(is) => (if *is { "on" } else { "off" }).into(),
        other => other.to_string(),
    };
    if args.quote_configuration_values {
        return text;
    }
    text.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).map_or(text.clone(), |inner| inner.replace("''", "'"))
}

fn asked(args: &Args, now: &Object) -> Result<Map<String, Value>, Failure> {
    let mut wanted =
        properties([("expires", json!(args.expires)), ("conn_limit", json!(args.conn_limit)), ("comment", json!(args.comment))]);
    if args.password.is_some() && !(now.exists() && args.no_password_changes) {
        wanted.insert("password".into(), AS_ASKED.into());
    }
    if !now.exists() {
        wanted.insert("login".into(), true.into());
    }
    for (_, property, is) in flags(&args.role_attr_flags)? {
        wanted.insert(property.into(), is.into());
    }
    if !args.configuration.is_empty() || args.reset_unspecified_configuration {
        let mut settings: Map<String, Value> = Map::new();
        for (name, value) in &args.configuration {
            settings.insert(name.to_lowercase(), setting(args, value).into());
        }
        let kept = now.get("configuration").as_object();
        // A name is shown as the server has it.
        for name in kept.into_iter().flatten().map(|(name, _)| name) {
            if let Some(value) = settings.remove(&name.to_lowercase()) {
                settings.insert(name.clone(), value);
            }
        }
        if !settings.is_empty() || now.exists() {
            wanted.insert("configuration".into(), settings.into());
        }
    }
    Ok(wanted)
}

/// The statements that lead to what is wanted; `None` in place of a password stands for `********`.
fn statements(args: &Args, now: &Object, want: &Object, password: &str) -> Vec<String> {
    let name = identifier(&args.name);
    let Some(wanted) = &want.there else { return vec![format!("DROP USER {name}")] };
    let differs = |property: &str| wanted.get(property).filter(|value| now.get(property) != *value);
    let mut list = Vec::new();
    let mut clauses = String::new();
    for (flag, _, property) in FLAGS.iter().filter(|(flag, ..)| *flag != "CREATEUSER") {
        if let Some(is) = differs(property) {
            clauses.push_str(&format!(" {}{flag}", if *is == json!(true) { "" } else { "NO" }));
        }
    }
    if differs("password").is_some() {
        let how = if args.encrypted { "ENCRYPTED " } else { "UNENCRYPTED " };
        let empty = args.password.as_deref() == Some("");
        clauses.push_str(&if empty { " PASSWORD NULL".into() } else { format!(" {how}PASSWORD {}", literal(password)) });
    }
    if let Some(expires) = args.expires.as_ref().filter(|_| differs("expires").is_some()) {
        clauses.push_str(&format!(" VALID UNTIL {}", literal(expires)));
    }
    if let Some(limit) = differs("conn_limit") {
        clauses.push_str(&format!(" CONNECTION LIMIT {limit}"));
    }
    match now.exists() {
        false => list.push(format!("CREATE ROLE {name}{clauses}")),
        true if !clauses.is_empty() => list.push(format!("ALTER ROLE {name}{clauses}")),
        true => {}
    }
    if let Some(comment) = args.comment.as_ref().filter(|comment| now.text("comment") != **comment) {
        list.push(format!("COMMENT ON ROLE {name} IS {}", literal(comment)));
    }
    if let Some(settings) = differs("configuration").and_then(Value::as_object) {
        let before = now.get("configuration").as_object().cloned().unwrap_or_default();
        for setting in before.keys().filter(|name| !settings.contains_key(*name)) {
            list.push(format!("ALTER ROLE {name} RESET {}", identifier(setting)));
        }
        for (setting, value) in settings.iter().filter(|(name, value)| before.get(*name) != Some(*value)) {
            let raw = args.configuration.iter().find(|(key, _)| key.eq_ignore_ascii_case(setting)).map(|(_, value)| value);
            let value = match raw {
                Some(Value::String(raw)) if !args.quote_configuration_values => raw.clone(),
                _ => literal(value.as_str().unwrap_or_default()),
            };
            list.push(format!("ALTER ROLE {name} SET {} TO {value}", identifier(setting)));
        }
    }
    list
}

impl Resource for PostgresqlUser {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        checked("name", &args.name)?;
        flags(&args.role_attr_flags)?;
        let id = id(args);
        if let Some(mut role) = Object::planned(&id, host) {
            let stored = role.text("stored").to_owned();
            let compared = compared(args, Some(stored.as_str()));
            if let Some(properties) = &mut role.there {
                properties.insert("password".into(), compared);
            }
            return Ok(State { role });
        }
        let expires = args.expires.as_deref().map_or("NULL".into(), |expires| format!("{}::timestamptz", literal(expires)));
        let query = format!(
            "SELECT to_json(r) AS raw, coalesce(shobj_description(r.oid, 'pg_authid'), '') AS comment, \
             rolvaliduntil = {expires} AS is_until, has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS readable \
             FROM pg_roles r WHERE rolname = {}",
            literal(&args.name)
        );
        let rows = args.login().rows(database(args), &query, host)?.unwrap_or_default();
        let Some(row) = rows.first() else { return Ok(State { role: Object::absent(id) }) };
        let raw = &row["raw"];
        let mut found = properties([
            ("expires", if row["is_until"] == json!(true) { json!(args.expires) } else { raw["rolvaliduntil"].clone() }),
            ("conn_limit", raw["rolconnlimit"].clone()),
            ("comment", row["comment"].clone()),
            ("configuration", settings(args, &raw["rolconfig"]).into()),
        ]);
        for (_, column, property) in FLAGS {
            found.insert((*property).into(), raw[*column].clone());
        }
        if args.password.is_some() && !args.no_password_changes {
            let stored = if row["readable"] == json!(true) {
                let query = format!("SELECT rolpassword FROM pg_authid WHERE rolname = {}", literal(&args.name));
                let rows = args.login().rows(database(args), &query, host)?.unwrap_or_default();
                rows.first().and_then(|row| row["rolpassword"].as_str()).unwrap_or_default().to_owned()
            } else {
                "cannot be read".into()
            };
            found.insert("password".into(), compared(args, Some(&stored)));
        }
        Ok(State { role: Object::present(id, found) })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Presence::Absent {
            return Ok(State { role: Object::absent(now.role.id.clone()) });
        }
        Ok(State { role: Object::present(now.role.id.clone(), asked(args, &now.role)?) })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (&step.now.role, &step.want.role);
        let list = statements(args, now, want, args.password.as_deref().unwrap_or_default());
        let shown = statements(args, now, want, "********");
        let mut after = want.clone();
        if let (Some(properties), Some(password)) = (&mut after.there, &args.password) {
            properties.insert("stored".into(), password.as_str().into());
        }
        let done = args.login().act(database(args), &list, &[after.effect(now)], host);
        match done {
            Err(failure) if args.state == Presence::Absent && !args.fail_on_user => Ok(Written {
                warnings: vec![failure.message],
                ..Written::quiet().with("queries", shown).with("user_removed", false)
            }),
            Err(failure) => Err(failure),
            Ok(()) => {
                let written = Written::quiet().with("queries", shown);
                Ok(if args.state == Presence::Absent { written.with("user_removed", true) } else { written })
            }
        }
    }

    /// A role that could not be removed is there still, and so is a password that cannot be read back.
    fn settled(args: &Args, after: &State) -> bool {
        match args.state {
            Presence::Absent => !args.fail_on_user,
            Presence::Present => {
                let only_password = asked(args, &after.role)
                    .is_ok_and(|wanted| wanted.iter().all(|(name, value)| name == "password" || after.role.get(name) == value));
                only_password && after.role.text("password") == "another"
            }
        }
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        properties([("user", args.name.as_str().into()), ("queries", json!([]))])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(args)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;

    fn args(value: Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn statements_lead_to_what_is_wanted() {
        let there = json!({
            "login": true, "superuser": false, "createdb": false, "conn_limit": -1, "comment": "",
            "password": "another", "configuration": {"work_mem": "4MB", "x.y": "1"}
        });
        let cases = [
            (json!({}), None, vec!["CREATE ROLE \"r\" LOGIN"]),
            (
                json!({"password": "it's", "role_attr_flags": "NOLOGIN, createdb", "conn_limit": "3"}),
                None,
                vec!["CREATE ROLE \"r\" CREATEDB NOLOGIN ENCRYPTED PASSWORD 'it''s' CONNECTION LIMIT 3"],
            ),
            (json!({"role_attr_flags": "NOSUPERUSER,LOGIN"}), Some(&there), vec![]),
            (json!({"password": "x", "no_password_changes": true}), Some(&there), vec![]),
            (json!({"password": ""}), Some(&there), vec!["ALTER ROLE \"r\" PASSWORD NULL"]),
            (
                json!({"configuration": {"work_mem": "16MB"}, "reset_unspecified_configuration": true}),
                Some(&there),
                vec!["ALTER ROLE \"r\" RESET \"x.y\"", "ALTER ROLE \"r\" SET \"work_mem\" TO '16MB'"],
            ),
            (
                json!({"configuration": {"search_path": "a, b"}, "quote_configuration_values": false}),
                Some(&json!({"configuration": {}})),
                vec!["ALTER ROLE \"r\" SET \"search_path\" TO a, b"],
            ),
            (json!({"state": "absent"}), Some(&there), vec!["DROP USER \"r\""]),
        ];
        for (mut options, there, expected) in cases {
            options["name"] = json!("r");
            let args = args(options);
            let role =
                there.map_or(Object::absent(id(&args)), |there| Object::present(id(&args), there.as_object().unwrap().clone()));
            let want = PostgresqlUser::want(&args, &State { role: role.clone() }).unwrap();
            let list = statements(&args, &role, &want.role, args.password.as_deref().unwrap_or_default());
            let expected: Vec<&str> = if there.is_some() && list.is_empty() { Vec::new() } else { expected };
            assert_eq!(list, expected);
        }
    }

    #[test]
    fn attributes_are_known_by_name() {
        assert_eq!(flags("createuser,NOLOGIN").unwrap(), [("CREATEUSER", "createrole", true), ("LOGIN", "login", false)]);
        assert!(flags("LOGIN PASSWORD 'x'").unwrap_err().message.contains("no attribute"));
    }

    #[test]
    fn a_password_is_compared_with_what_is_stored() {
        let with = |password: &str| args(json!({"name": "r", "password": password}));
        assert_eq!(compared(&with("x"), Some("x")), AS_ASKED);
        assert_eq!(compared(&with("x"), Some("y")), "another");
        assert_eq!(compared(&with("x"), None), "none");
        assert_eq!(compared(&with(""), None), AS_ASKED);
        assert_eq!(compared(&args(json!({"name": "r"})), Some("x")), Value::Null);
    }
}
