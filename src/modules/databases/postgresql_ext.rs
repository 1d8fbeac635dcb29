//! `postgresql_ext`: an extension in a database of a PostgreSQL server.

use serde_json::{Map, Value, json};

use super::postgres::postgres_args;
use super::sql::{checked, identifier, literal};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

postgres_args! {
    /// Manages an extension in a database of a PostgreSQL server: its existence, version, schema and comment.
    pub struct Args {
        /// Name of the extension.
        name ("ext"): String,
        /// Database in which it is.
        login_db ("db"): String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Schema in which a new one puts what it brings.
        schema: Option<String>,
        /// Version; `latest`: the newest that the server has.
        version: Option<String>,
        /// Whether extensions that it needs are made, or those that need it removed, too.
        cascade: bool = false,
        /// A comment; empty: none.
        comment: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An extension
  become: true
  postgresql_ext:
    name: postgis
    db: acme
    schema: public
- name: Of a certain version, with what it needs
  postgresql_ext:
    name: earthdistance
    login_db: acme
    version: '1.1'
    cascade: true
- name: No extension
  postgresql_ext:
    name: hstore
    login_db: acme
    state: absent
";

/// The module.
pub struct PostgresqlExt;

const MANAGED: &[&str] = &["version", "comment"];

/// The extension as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    extension: Object,
    /// The newest version that the server has.
    newest: Option<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.extension.resource(MANAGED)]
    }
}

fn id(args: &Args) -> ResourceId {
    ResourceId::new("postgresql_ext", args.login().place(&format!("{}/{}", args.login_db, args.name)))
}

fn statements(args: &Args, now: &Object, want: &Object) -> Vec<String> {
    let name = identifier(&args.name);
    let cascade = if args.cascade { " CASCADE" } else { "" };
    let Some(wanted) = &want.there else { return vec![format!("DROP EXTENSION {name}{cascade}")] };
    let version = wanted.get("version").and_then(Value::as_str);
    let mut list = Vec::new();
    if !now.exists() {
        let schema = args.schema.as_ref().map(|schema| format!(" WITH SCHEMA {}", identifier(schema))).unwrap_or_default();
        let version = version.filter(|version| !version.is_empty()).map(|version| format!(" VERSION {}", literal(version)));
        list.push(format!("CREATE EXTENSION {name}{schema}{}{cascade}", version.unwrap_or_default()));
    } else if let Some(version) = version.filter(|version| now.text("version") != *version) {
        list.push(format!("ALTER EXTENSION {name} UPDATE TO {}", literal(version)));
    }
    if let Some(comment) = args.comment.as_ref().filter(|comment| now.text("comment") != **comment) {
        list.push(format!("COMMENT ON EXTENSION {name} IS {}", literal(comment)));
    }
    list
}

impl Resource for PostgresqlExt {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        checked("name", &args.name)?;
        let id = id(args);
        let query = format!(
            "SELECT extversion, coalesce(obj_description(e.oid, 'pg_extension'), '') AS comment, a.default_version, a.name \
             FROM (SELECT {0}::name AS name) n LEFT JOIN pg_available_extensions a ON a.name = n.name \
             LEFT JOIN pg_extension e ON e.extname = n.name",
            literal(&args.name)
        );
        let rows = args.login().rows(&args.login_db, &query, host)?.unwrap_or_default();
        if args.state == Presence::Present && rows.first().is_some_and(|row| row["name"].is_null() && row["extversion"].is_null())
        {
            let message = format!("the server has no extension `{}`; a package may bring it", args.name);
            return Err(if host.has_plans() { Failure::unknown(message) } else { Failure::new(message) });
        }
        let newest = rows.first().and_then(|row| row["default_version"].as_str()).map(str::to_owned);
        if let Some(extension) = Object::planned(&id, host) {
            return Ok(State { extension, newest });
        }
        let extension = match rows.first().filter(|row| !row["extversion"].is_null()) {
            None => Object::absent(id),
            Some(row) => {
                Object::present(id, properties([("version", row["extversion"].clone()), ("comment", row["comment"].clone())]))
            }
        };
        Ok(State { extension, newest })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let id = now.extension.id.clone();
        if args.state == Presence::Absent {
            return Ok(State { extension: Object::absent(id), ..now.clone() });
        }
        let version = match args.version.as_deref() {
            Some("latest") => now.newest.clone(),
            Some(version) => Some(version.to_owned()),
            // What a new one will be.
            None if !now.extension.exists() => now.newest.clone(),
            None => None,
        };
        let wanted = properties([("version", json!(version)), ("comment", json!(args.comment))]);
        Ok(State { extension: Object::present(id, wanted), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (&step.now.extension, &step.want.extension);
        let list = statements(args, now, want);
        args.login().act(&args.login_db, &list, &[want.effect(now)], host)?;
        Ok(Written::quiet().with("queries", list))
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        properties([
            ("db", args.login_db.as_str().into()),
            ("ext", args.name.as_str().into()),
            ("prev_version", before.extension.text("version").into()),
            ("version", after.extension.text("version").into()),
            ("queries", json!([])),
        ])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(args)]).needing([ResourceId::new("postgresql_db", args.login().place(&args.login_db))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn statements_lead_to_what_is_wanted() {
        let there = json!({"version": "1.0", "comment": "x"});
        let cases = [
            (json!({}), None, vec!["CREATE EXTENSION \"hstore\" VERSION '1.8'"]),
            (
                json!({"schema": "s", "version": "1.1", "cascade": true, "comment": "c"}),
                None,
                vec![
                    "CREATE EXTENSION \"hstore\" WITH SCHEMA \"s\" VERSION '1.1' CASCADE",
                    "COMMENT ON EXTENSION \"hstore\" IS 'c'",
                ],
            ),
            (json!({"version": "latest"}), Some(&there), vec!["ALTER EXTENSION \"hstore\" UPDATE TO '1.8'"]),
            (json!({"state": "absent", "cascade": true}), Some(&there), vec!["DROP EXTENSION \"hstore\" CASCADE"]),
        ];
        for (mut options, there, expected) in cases {
            options["name"] = json!("hstore");
            options["db"] = json!("d");
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            let extension = there.map_or(Object::absent(id(&args)), |there: &Value| {
                Object::present(id(&args), there.as_object().unwrap().clone())
            });
            let now = State { extension, newest: Some("1.8".into()) };
            let want = PostgresqlExt::want(&args, &now).unwrap();
            assert_eq!(statements(&args, &now.extension, &want.extension), expected);
        }
    }
}
