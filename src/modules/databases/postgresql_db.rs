//! `postgresql_db`: a database of a PostgreSQL server; also its dump and restore.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::postgres::postgres_args;
use super::postgres_dump as dump;
use super::sql::{checked, identifier, literal};
use crate::change::{Change, ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

choice! {
    /// What should be so.
    pub enum Wanted {
        /// The database is there.
        Present = "present",
        /// It is not.
        Absent = "absent",
        /// It is written to `target`, every time.
        Dump = "dump",
        /// It is filled from `target`, every time.
        Restore = "restore",
        /// It is called `target`.
        Rename = "rename",
    }
}

postgres_args! {
    /// Manages a database of a PostgreSQL server: its existence, owner and limits; dumps and restores it.
    ///
    /// Works through `psql`, `pg_dump` and `pg_restore`. Encoding and locale cannot be changed once a database is
    /// there: asking for others is an error.
    pub struct Args {
        /// Name of the database.
        name ("db"): String,
        /// What should be so.
        state: Wanted = Wanted::Present,
        /// Role that owns it.
        owner: String = String::new(),
        /// Database that a new one is a copy of.
        template: String = String::new(),
        /// Encoding of a new one.
        encoding: String = String::new(),
        /// Order of text in a new one.
        lc_collate: String = String::new(),
        /// Classes of letters in a new one.
        lc_ctype: String = String::new(),
        /// ICU locale of a new one.
        icu_locale: String = String::new(),
        /// What a new one's locale comes from: `libc` or `icu`.
        locale_provider: String = String::new(),
        /// How many connections it takes; -1: any number.
        conn_limit: String = String::new(),
        /// Tablespace in which it is.
        tablespace: String = String::new(),
        /// A comment; empty: none.
        comment: Option<String>,
        /// With `absent`: connections to it are ended.
        force: bool = false,
        /// File to dump to or to restore from; new name. Its end says the format: `.sql`, `.tar`, `.pgc` (custom),
        /// `.dir`, and `.gz`, `.bz2` or `.xz` for compressed SQL.
        target: Option<PathBuf>,
        /// Further options of `pg_dump`, `pg_restore` or `psql`.
        target_opts: String = String::new(),
        /// Further options of `pg_dump`.
        dump_extra_args: Option<String>,
        /// Database to which is connected for all this.
        maintenance_db: String = "postgres".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A database
  postgresql_db:
    name: acme
- name: With an encoding, an owner and a limit
  become: true
  postgresql_db:
    name: shop
    owner: shop
    encoding: UTF-8
    lc_collate: de_DE.UTF-8
    lc_ctype: de_DE.UTF-8
    template: template0
    conn_limit: '100'
    comment: of the shop
- name: No database
  postgresql_db:
    name: old
    state: absent
    force: true
- name: A dump
  postgresql_db:
    name: acme
    state: dump
    target: /tmp/acme.sql.gz
";

/// The module.
pub struct PostgresqlDb;

/// The database; for `rename` also the one of the new name.
#[derive(Debug, Clone)]
pub struct State {
    objects: Vec<Object>,
}

/// What can be changed, and what is looked at before anything is.
const MANAGED: &[&str] = &["owner", "encoding", "lc_collate", "lc_ctype", "icu_locale", "conn_limit", "tablespace", "comment"];

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.objects.iter().map(|object| object.resource(MANAGED)).collect()
    }
}

fn id(args: &Args, name: &str) -> ResourceId {
    ResourceId::new("postgresql_db", args.login().place(name))
}

/// Name of an encoding as it is compared: `utf-8` is `UTF8`.
fn encoding(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    if plain == "UNICODE" { "UTF8".into() } else { plain }
}

fn look(args: &Args, name: &str, host: &dyn Inspect) -> Result<Object, Failure> {
    let id = id(args, name);
    if let Some(object) = Object::planned(&id, host) {
        return Ok(object);
    }
    let query = format!(
        "SELECT to_json(d) AS raw, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding, \
         (SELECT spcname FROM pg_tablespace t WHERE t.oid = d.dattablespace) AS tablespace, \
         coalesce(shobj_description(d.oid, 'pg_database'), '') AS comment FROM pg_database d WHERE d.datname = {}",
        literal(name)
    );
    let rows = args.login().rows(&args.maintenance_db, &query, host)?.unwrap_or_default();
    let Some(row) = rows.first() else { return Ok(Object::absent(id)) };
    let raw = &row["raw"];
    // The column's name depends on the version of the server.
    let icu = ["datlocale", "daticulocale"].into_iter().map(|name| &raw[name]).find(|value| !value.is_null());
    let found = properties([
        ("owner", row["owner"].clone()),
        ("encoding", json!(encoding(row["encoding"].as_str().unwrap_or_default()))),
        ("lc_collate", raw["datcollate"].clone()),
        ("lc_ctype", raw["datctype"].clone()),
        ("icu_locale", icu.cloned().unwrap_or_default()),
        ("conn_limit", raw["datconnlimit"].clone()),
        ("tablespace", row["tablespace"].clone()),
        ("comment", row["comment"].clone()),
    ]);
    Ok(Object::present(id, found))
}

/// The properties that are asked for.
fn asked(args: &Args) -> Result<Map<String, Value>, Failure> {
    let given = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let limit = match args.conn_limit.as_str() {
        "" => Value::Null,
        text => json!(text.trim().parse::<i32>().map_err(|_| Failure::new(format!("`conn_limit` is no number: `{text}`")))?),
    };
    Ok(properties([
        ("owner", given(&args.owner)),
        ("encoding", given(&encoding(&args.encoding))),
        ("lc_collate", given(&args.lc_collate)),
        ("lc_ctype", given(&args.lc_ctype)),
        ("icu_locale", given(&args.icu_locale)),
        ("conn_limit", limit),
        ("tablespace", given(&args.tablespace)),
        ("comment", json!(args.comment)),
    ]))
}

/// The statements that lead from what is there to what is wanted.
fn statements(args: &Args, now: &Object, want: &Object) -> Vec<String> {
    let name = identifier(&args.name);
    let mut list = Vec::new();
    let Some(wanted) = &want.there else {
        if now.exists() {
            if args.force {
                // Known to every version, unlike `DROP DATABASE ... WITH (FORCE)`.
                list.push(format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()",
                    literal(&args.name)
                ));
            }
            list.push(format!("DROP DATABASE {name}"));
        }
        return list;
    };
    if now.exists() {
        let differs = |property: &str| wanted.get(property).filter(|value| now.get(property) != *value);
        if differs("owner").is_some() {
            list.push(format!("ALTER DATABASE {name} OWNER TO {}", identifier(&args.owner)));
        }
        if let Some(limit) = differs("conn_limit") {
            list.push(format!("ALTER DATABASE {name} CONNECTION LIMIT {limit}"));
        }
        if differs("tablespace").is_some() {
            list.push(format!("ALTER DATABASE {name} SET TABLESPACE {}", identifier(&args.tablespace)));
        }
    } else {
        let mut create = format!("CREATE DATABASE {name}");
        for (word, value, quoted) in [
            ("OWNER", &args.owner, identifier as fn(&str) -> String),
            ("TEMPLATE", &args.template, identifier),
            ("ENCODING", &args.encoding, literal),
            ("LC_COLLATE", &args.lc_collate, literal),
            ("LC_CTYPE", &args.lc_ctype, literal),
            ("LOCALE_PROVIDER", &args.locale_provider, identifier),
            ("ICU_LOCALE", &args.icu_locale, literal),
            ("TABLESPACE", &args.tablespace, identifier),
        ] {
            if !value.is_empty() {
                create.push_str(&format!(" {word} = {}", quoted(value)));
            }
        }
        if let Some(limit) = wanted.get("conn_limit") {
            create.push_str(&format!(" CONNECTION LIMIT = {limit}"));
        }
        list.push(create);
    }
    if let Some(comment) = args.comment.as_ref().filter(|comment| now.text("comment") != **comment) {
        list.push(format!("COMMENT ON DATABASE {name} IS {}", literal(comment)));
    }
    list
}

fn target(args: &Args) -> Result<&PathBuf, Failure> {
    args.target.as_ref().ok_or_else(|| Failure::new(format!("state is {} but `target` is missing", args.state.word())))
}

impl Resource for PostgresqlDb {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        checked("name", &args.name)?;
        let objects = match args.state {
            Wanted::Present | Wanted::Absent => vec![look(args, &args.name, host)?],
            Wanted::Dump | Wanted::Restore => Vec::new(),
            Wanted::Rename => {
                vec![look(args, &args.name, host)?, look(args, &target(args)?.display().to_string(), host)?]
            }
        };
        Ok(State { objects })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let objects = match (args.state, now.objects.as_slice()) {
            (Wanted::Absent, [one]) => vec![Object::absent(one.id.clone())],
            (Wanted::Present, [one]) => {
                let asked = asked(args)?;
                for fixed in ["encoding", "lc_collate", "lc_ctype", "icu_locale"] {
                    if one.exists() && asked.get(fixed).is_some_and(|value| value != one.get(fixed)) {
                        return Err(Failure::new(format!(
                            "`{fixed}` of a database cannot be changed: that of `{}` is {}, asked for is {}",
                            args.name,
                            one.get(fixed),
                            asked[fixed]
                        )));
                    }
                }
                vec![Object::present(one.id.clone(), asked)]
            }
            (Wanted::Rename, [old, new]) => match (old.exists(), new.exists()) {
                (true, true) => return Err(Failure::new(format!("both `{}` and `{}` exist", old.id.name, new.id.name))),
                (false, false) => return Err(Failure::new(format!("there is no database `{}`", old.id.name))),
                _ => vec![Object::absent(old.id.clone()), Object::present(new.id.clone(), Map::new())],
            },
            _ => {
                target(args)?;
                Vec::new()
            }
        };
        Ok(State { objects })
    }

    fn runs(args: &Args, _: &State, _: &State) -> Vec<Change> {
        match args.state {
            Wanted::Dump | Wanted::Restore => {
                let target = args.target.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
                let name = format!("{} of {}: {target}", args.state.word(), args.login().place(&args.name));
                vec![Change::run(ResourceId::new("postgresql", name))]
            }
            _ => Vec::new(),
        }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let login = args.login();
        let extra = args.dump_extra_args.as_deref().unwrap_or_default();
        match (args.state, step.now.objects.as_slice(), step.want.objects.as_slice()) {
            (Wanted::Dump, ..) => dump::dump(&login, &args.name, target(args)?, &[&args.target_opts, extra], host),
            (Wanted::Restore, ..) => dump::restore(&login, &args.name, target(args)?, &args.target_opts, host),
            (Wanted::Rename, [old, new], [_, renamed]) => {
                let renamed = Object::present(renamed.id.clone(), old.there.clone().unwrap_or_default());
                let list = vec![format!(
                    "ALTER DATABASE {} RENAME TO {}",
                    identifier(&args.name),
                    identifier(&target(args)?.display().to_string())
                )];
                let effects = [Object::absent(old.id.clone()).effect(old), renamed.effect(new)];
                login.act(&args.maintenance_db, &list, &effects, host)?;
                Ok(Written::quiet().with("executed_commands", list))
            }
            (_, [now], [want]) => {
                let list = statements(args, now, want);
                login.act(&args.maintenance_db, &list, &[want.effect(now)], host)?;
                Ok(Written::quiet().with("executed_commands", list))
            }
            _ => unreachable!("what was read and what is wanted name the same databases"),
        }
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        properties([("db", args.name.as_str().into()), ("executed_commands", json!([]))])
    }

    fn claims(args: &Args) -> Claims {
        let place = |name: &str| ResourceId::new("postgresql_user", args.login().place(name));
        let mut claims = match (args.state, &args.target) {
            (Wanted::Present | Wanted::Absent, _) | (_, None) => Claims::provides([id(args, &args.name)]),
            (Wanted::Dump, Some(target)) => {
                Claims::provides([ResourceId::new("file", target.display().to_string())]).needing([id(args, &args.name)])
            }
            (Wanted::Restore, Some(target)) => {
                Claims::provides([id(args, &args.name)]).needing([ResourceId::new("file", target.display().to_string())])
            }
            (Wanted::Rename, Some(target)) => Claims::provides([id(args, &args.name), id(args, &target.display().to_string())]),
        };
        if !args.owner.is_empty() {
            claims = claims.needing([place(&args.owner)]);
        }
        claims
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
        let there = json!({"owner": "bob", "conn_limit": -1, "comment": "", "encoding": "UTF8", "tablespace": "pg_default"});
        let cases = [
            (json!({}), None, vec!["CREATE DATABASE \"a\"\"b\""]),
            (
                json!({"owner": "o", "encoding": "utf-8", "conn_limit": "3", "comment": "it's"}),
                None,
                vec![
                    "CREATE DATABASE \"a\"\"b\" OWNER = \"o\" ENCODING = 'utf-8' CONNECTION LIMIT = 3",
                    "COMMENT ON DATABASE \"a\"\"b\" IS 'it''s'",
                ],
            ),
            (json!({"owner": "bob", "encoding": "unicode", "conn_limit": -1}), Some(&there), vec![]),
            (
                json!({"owner": "o", "conn_limit": 3, "tablespace": "fast"}),
                Some(&there),
                vec![
                    "ALTER DATABASE \"a\"\"b\" OWNER TO \"o\"",
                    "ALTER DATABASE \"a\"\"b\" CONNECTION LIMIT 3",
                    "ALTER DATABASE \"a\"\"b\" SET TABLESPACE \"fast\"",
                ],
            ),
            (json!({"state": "absent"}), Some(&there), vec!["DROP DATABASE \"a\"\"b\""]),
        ];
        for (mut options, there, expected) in cases {
            options["name"] = json!("a\"b");
            let args = args(options);
            let id = id(&args, &args.name);
            let now = there.map_or(Object::absent(id.clone()), |there| Object::present(id, there.as_object().unwrap().clone()));
            let want = PostgresqlDb::want(&args, &State { objects: vec![now.clone()] }).unwrap();
            assert_eq!(statements(&args, &now, &want.objects[0]), expected);
        }
    }

    #[test]
    fn what_cannot_be_changed_is_an_error() {
        let args = args(json!({"name": "a", "encoding": "LATIN1"}));
        let now = Object::present(id(&args, "a"), properties([("encoding", json!("UTF8"))]));
        let failure = PostgresqlDb::want(&args, &State { objects: vec![now] }).unwrap_err();
        assert!(failure.message.contains("`encoding` of a database cannot be changed"), "{failure}");
    }
}
