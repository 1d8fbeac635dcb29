//! `mysql_db`: a database of a MySQL or MariaDB server; also its dump and import.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::dump::{self, plain, words};
use super::mysql::{Login, identifier, literal, mysql_args};
use crate::change::{Change, ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{CommandLine, Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

choice! {
    /// What should be so.
    pub enum Wanted {
        /// The databases are there.
        Present = "present",
        /// They are not.
        Absent = "absent",
        /// They are written to `target`, every time.
        Dump = "dump",
        /// `target` is read into them, every time.
        Import = "import",
    }
}

mysql_args! {
    /// Manages databases of a MySQL or MariaDB server: their existence; dumps and imports them.
    ///
    /// Works through `mysql` and `mysqldump`. Encoding and collation are those of a new database; they are not
    /// changed later.
    pub struct Args {
        /// Names of databases; `all` for a dump or an import of every one.
        name ("db"): Vec<String>,
        /// What should be so.
        state: Wanted = Wanted::Present,
        /// Encoding of a new database, and of a dump or an import.
        encoding: String = String::new(),
        /// Collation of a new database.
        collation: String = String::new(),
        /// File to dump to or to import from; `.gz`, `.bz2`, `.xz` and `.zst` are compressed.
        target: Option<PathBuf>,
        /// Whether a dump is one transaction.
        single_transaction: bool = false,
        /// Whether a dump does not keep whole tables in memory.
        quick: bool = true,
        /// Tables that a dump leaves out, as `database.table`.
        ignore_tables: Vec<String> = Vec::new(),
        /// Whether a dump has binary columns in hexadecimal digits.
        hex_blob: bool = false,
        /// Whether a dump or an import goes on after an error.
        force: bool = false,
        /// Whether a dump has a `CHANGE MASTER` (1), in a comment (2), or not (0).
        master_data: u32 = 0,
        /// Whether a dump locks no tables.
        skip_lock_tables: bool = false,
        /// Further options of `mysqldump`.
        dump_extra_args: Option<String>,
        /// Accepted and without effect: no shell is used.
        use_shell: bool = false,
        /// Accepted and without effect: a password never is in a command line.
        unsafe_login_password: bool = false,
        /// Whether `config_file` is the only option file of a dump or an import.
        restrict_config_file: bool = false,
        /// Whether `root` without a password is tried first.
        check_implicit_admin: bool = false,
        /// Whether host, port and socket of option files count where none is given here.
        config_overrides_defaults: bool = false,
        /// Directory in which a dump or an import is run.
        chdir: Option<PathBuf>,
        /// Accepted and without effect: the end of every program is looked at.
        pipefail: bool = false,
        /// Whether the session is written to the binary log.
        sql_log_bin: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A database
  mysql_db:
    name: bobdata
    login_unix_socket: /run/mysqld/mysqld.sock
- name: Several, with an encoding
  mysql_db:
    name: [shop, blog]
    encoding: utf8mb4
    collation: utf8mb4_general_ci
- name: No database
  mysql_db:
    name: old
    state: absent
- name: A dump of all
  mysql_db:
    name: all
    state: dump
    target: /tmp/dump.sql.gz
    single_transaction: true
";

/// The module.
pub struct MysqlDb;

const MANAGED: &[&str] = &["encoding", "collation"];

/// The databases as they are or should be.
#[derive(Debug, Clone)]
pub struct State {
    databases: Vec<Object>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.databases.iter().map(|database| database.resource(MANAGED)).collect()
    }
}

fn login(args: &Args) -> Login<'_> {
    Login { file_wins: args.config_overrides_defaults, ..args.login() }
}

fn id(args: &Args, name: &str) -> ResourceId {
    ResourceId::new("mysql_db", login(args).place(name))
}

fn names(args: &Args) -> impl Iterator<Item = &str> {
    args.name.iter().map(|name| name.trim()).filter(|name| !name.is_empty())
}

fn target(args: &Args) -> Result<&Path, Failure> {
    args.target.as_deref().ok_or_else(|| Failure::new(format!("state is {} but `target` is missing", args.state.word())))
}

fn statement(args: &Args, name: &str) -> String {
    let name = identifier(name);
    if args.state == Wanted::Absent {
        return format!("DROP DATABASE {name}");
    }
    let mut create = format!("CREATE DATABASE {name}");
    for (word, value) in [("CHARACTER SET", &args.encoding), ("COLLATE", &args.collation)] {
        if !value.is_empty() {
            create.push_str(&format!(" {word} {}", literal(value)));
        }
    }
    create
}

/// The statements at the start of a session.
fn start(args: &Args) -> Vec<String> {
    if args.sql_log_bin { Vec::new() } else { vec!["SET SESSION sql_log_bin = 0".into()] }
}

/// A client program for a dump or an import.
fn program(args: &Args, name: &str, own: &[String], host: &dyn Inspect) -> Result<CommandLine, Failure> {
    let login = login(args).or_implicit(args.check_implicit_admin, host)?;
    let mut line = login.program(name, own, host)?;
    if args.restrict_config_file {
        for word in &mut line.argv {
            if let Some(path) = word.strip_prefix("--defaults-extra-file=") {
                *word = format!("--defaults-file={path}");
            }
        }
    }
    line.chdir.clone_from(&args.chdir);
    Ok(line)
}

fn dump(args: &Args, host: &mut dyn Host) -> Result<Written, Failure> {
    let mut own = Vec::new();
    for (is, word) in [
        (args.force, "--force"),
        (args.single_transaction, "--single-transaction=true"),
        (args.quick, "--quick"),
        (args.skip_lock_tables, "--skip-lock-tables"),
        (args.hex_blob, "--hex-blob"),
    ] {
        own.extend(is.then(|| word.to_owned()));
    }
    if args.master_data > 0 {
        own.push(format!("--master-data={}", args.master_data));
    }
    if !args.encoding.is_empty() {
        own.push(format!("--default-character-set={}", args.encoding));
    }
    own.extend(args.ignore_tables.iter().map(|table| format!("--ignore-table={table}")));
    own.extend(words(&[args.dump_extra_args.as_deref().unwrap_or_default()])?);
    let lines = {
        let inspect = host.inspect();
        let base = program(args, "mysqldump", &own, inspect)?;
        move |path: &Path| {
            let mut line = base.clone();
            line.argv.push(format!("--result-file={}", plain(path)));
            match names(args).collect::<Vec<_>>().as_slice() {
                ["all"] => line.argv.push("--all-databases".into()),
                [one] => line.argv.extend(["--".into(), (*one).to_owned()]),
                several => {
                    line.argv.extend(["--databases".into(), "--".into()]);
                    line.argv.extend(several.iter().map(|&name| name.to_owned()));
                }
            }
            Ok(line)
        }
    };
    dump::make(target(args)?, &lines, host)
}

fn import(args: &Args, host: &mut dyn Host) -> Result<Written, Failure> {
    let mut own = Vec::new();
    own.extend(args.force.then(|| "--force".to_owned()));
    if !args.encoding.is_empty() {
        own.push(format!("--default-character-set={}", args.encoding));
    }
    let base = program(args, "mysql", &own, host.inspect())?;
    let line = move |path: &Path| {
        let name = plain(path);
        if name.contains(['\n', '\'', '"', ';']) {
            return Err(Failure::at("import", path, "the client cannot be told such a name"));
        }
        let mut line = base.clone();
        line.argv.push(format!("--execute={}source {name}", if args.sql_log_bin { "" } else { "SET SESSION sql_log_bin = 0; " }));
        if let [one] = names(args).collect::<Vec<_>>().as_slice()
            && *one != "all"
        {
            line.argv.push(format!("--database={one}"));
        }
        Ok(line)
    };
    dump::take(target(args)?, &line, host)
}

impl Resource for MysqlDb {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if names(args).next().is_none() {
            return Err(Failure::new("`name` is empty"));
        }
        if matches!(args.state, Wanted::Dump | Wanted::Import) {
            return Ok(State { databases: Vec::new() });
        }
        if names(args).any(|name| name == "all") {
            return Err(Failure::new("`name: all` can be dumped and imported, but neither made nor removed"));
        }
        let login = login(args).or_implicit(args.check_implicit_admin, host)?;
        let rows = login.rows("SELECT schema_name AS name FROM information_schema.schemata", host)?.unwrap_or_default();
        let there = |name: &str| rows.iter().any(|row| super::mysql::field(row, "name") == name);
        let databases = names(args).map(|name| {
            let id = id(args, name);
            Object::planned(&id, host)
                .unwrap_or_else(|| if there(name) { Object::present(id, Map::new()) } else { Object::absent(id) })
        });
        Ok(State { databases: databases.collect() })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if ![0, 1, 2].contains(&args.master_data) {
            return Err(Failure::new("`master_data` is 0, 1 or 2"));
        }
        let given = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let wanted = |database: &Object| match args.state {
            Wanted::Absent => Object::absent(database.id.clone()),
            _ if database.exists() => Object::present(database.id.clone(), Map::new()),
            _ => Object::present(
                database.id.clone(),
                properties([("encoding", given(&args.encoding)), ("collation", given(&args.collation))]),
            ),
        };
        Ok(State { databases: now.databases.iter().map(wanted).collect() })
    }

    fn runs(args: &Args, _: &State, _: &State) -> Vec<Change> {
        if !matches!(args.state, Wanted::Dump | Wanted::Import) {
            return Vec::new();
        }
        let target = args.target.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let name = format!("{} of {}: {target}", args.state.word(), login(args).place(&args.name.join(",")));
        vec![Change::run(ResourceId::new("mysql", name))]
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        match args.state {
            Wanted::Dump => return dump(args, host),
            Wanted::Import => return import(args, host),
            Wanted::Present | Wanted::Absent => {}
        }
        let (mut list, mut effects) = (Vec::new(), Vec::new());
        for ((name, now), want) in names(args).zip(&step.now.databases).zip(&step.want.databases) {
            if now.exists() != want.exists() {
                list.push(statement(args, name));
                effects.push(want.effect(now));
            }
        }
        let mut login = login(args).or_implicit(args.check_implicit_admin, host.inspect())?;
        login.start = start(args);
        login.act(&list, &effects, host)?;
        Ok(Written::quiet().with("executed_commands", list))
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let list: Vec<&str> = names(args).collect();
        properties([("db", list.join(" ").into()), ("db_list", json!(list)), ("executed_commands", json!([]))])
    }

    fn claims(args: &Args) -> Claims {
        let databases = names(args).map(|name| id(args, name));
        let file = args.target.iter().map(|path| ResourceId::new("file", path.display().to_string()));
        match args.state {
            Wanted::Present | Wanted::Absent => Claims::provides(databases),
            Wanted::Dump => Claims::provides(file).needing(databases),
            Wanted::Import => Claims::provides(databases).needing(file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;

    #[test]
    fn programs_get_what_is_asked_for() {
        let options = json!({
            "name": "all", "state": "dump", "target": "/tmp/a.sql", "hex_blob": true, "ignore_tables": ["a.b"],
            "login_password": "secret", "login_user": "me", "login_host": "db", "dump_extra_args": "--skip-triggers"
        });
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        let mut host = MemoryHost::default();
        host.add_directory("/tmp");
        dump(&args, &mut host).unwrap();
        let line = host.ran[0].argv.join(" ");
        assert!(line.starts_with(
            "mysqldump --no-defaults --user=me --protocol=TCP --host=db --port=3306 --quick --hex-blob --ignore-table=a.b \
             --skip-triggers --result-file=/tmp/.stead-"
        ));
        assert!(line.ends_with(" --all-databases") && !line.contains("secret"));
        assert_eq!(host.ran[0].environment["MYSQL_PWD"], "secret");
    }
}
