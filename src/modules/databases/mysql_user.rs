//! `mysql_user`: an account of a MySQL or MariaDB server.

use serde_json::{Map, Value, json};

use super::mysql::{Login, field, literal, mysql_args};
use super::mysql_account::{self as account, Definition};
use super::mysql_priv::{self as privileges, Grants};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::files::attributes::Unsupported;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

choice! {
    /// When the password is set.
    pub enum UpdatePassword {
        /// Whenever it differs.
        Always = "always",
        /// Only for a new account.
        OnCreate = "on_create",
    }
}

choice! {
    /// When the password expires.
    pub enum Expire {
        /// Now.
        Now = "now",
        /// Never.
        Never = "never",
        /// As the server's settings say.
        Default = "default",
        /// After `password_expire_interval` days.
        Interval = "interval",
    }
}

mysql_args! {
    /// Manages an account of a MySQL or MariaDB server: its existence, password, privileges and limits.
    ///
    /// A password is compared with what the server stores where that is made by `mysql_native_password`; with other
    /// plugins only a `plugin_hash_string` can be compared, and a `plugin_auth_string` is set every time.
    pub struct Args {
        /// Name of the account.
        name ("user"): String,
        /// Host from which it logs in.
        host: String = "localhost".into(),
        /// Whether the account is changed for all hosts for which it is there.
        host_all: bool = false,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Password, for `mysql_native_password`; never shown.
        password: Option<String>,
        /// Whether `password` is what the server stores.
        encrypted: bool = false,
        /// When the password is set.
        update_password: UpdatePassword = UpdatePassword::Always,
        /// Plugin by which the account logs in.
        plugin: Option<String>,
        /// What the plugin stores.
        plugin_hash_string: Option<String>,
        /// What the plugin makes that from.
        plugin_auth_string: Option<String>,
        /// Refused: hashes of other plugins are not made here.
        salt: Option<Unsupported>,
        /// Privileges: `db.table:PRIV,PRIV/db.*:PRIV`, or a mapping. Without it they are left as they are.
        r#priv: Option<Value>,
        /// Whether privileges that `priv` does not name stay.
        append_privs: bool = false,
        /// Whether the privileges that `priv` names are taken away.
        subtract_privs: bool = false,
        /// Whether names of columns in privileges keep their case.
        column_case_sensitive: Option<bool>,
        /// What a connection must have: `SSL`, `X509`, or `SUBJECT`, `ISSUER` and `CIPHER` with values.
        tls_requires: Option<Map<String, Value>>,
        /// Limits, e.g. `MAX_USER_CONNECTIONS: 5`.
        resource_limits: Option<Map<String, Value>>,
        /// Whether nobody can log in as it.
        locked: Option<bool>,
        /// When the password expires.
        password_expire: Option<Expire>,
        /// After how many days.
        password_expire_interval: Option<u32>,
        /// Refused: attributes of accounts cannot be set yet.
        attributes: Option<Unsupported>,
        /// Whether `root` without a password is tried first.
        check_implicit_admin: bool = false,
        /// Whether the session is written to the binary log.
        sql_log_bin: bool = true,
        /// Variables of the session.
        session_vars: Option<Map<String, Value>>,
        /// Whether statements are made in the database `mysql`, for the sake of replication filters.
        force_context: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An account with all privileges on a database
  mysql_user:
    name: bob
    password: '12345'
    priv: 'bobdata.*:ALL'
- name: From everywhere, with TLS and limits
  mysql_user:
    name: app
    host: '%'
    password: '*EE0D72C1085C46C5278932678FBE2C6A782821B4'
    encrypted: true
    priv:
      'shop.*': SELECT,INSERT
      'log.lines': INSERT
    tls_requires:
      SSL:
    resource_limits:
      MAX_USER_CONNECTIONS: 5
- name: No anonymous accounts
  mysql_user:
    name: ''
    host_all: true
    state: absent
";

/// The module.
pub struct MysqlUser;

const MANAGED: &[&str] = &["plugin", "password", "privileges", "tls_requires", "resource_limits", "locked", "password_expire"];

/// The accounts as they are or should be, one for each host.
#[derive(Debug, Clone)]
pub struct State {
    accounts: Vec<(String, Object)>,
    /// What the server is.
    is_mariadb: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.accounts.iter().map(|(_, account)| account.resource(MANAGED)).collect()
    }
}

fn id(args: &Args, host: &str) -> ResourceId {
    ResourceId::new("mysql_user", args.login().place(&format!("{}@{host}", args.name)))
}

fn login<'a>(args: &'a Args, host: &dyn Inspect) -> Result<Login<'a>, Failure> {
    let mut login = args.login().or_implicit(args.check_implicit_admin, host)?;
    let is_own = args.login_user.as_deref().unwrap_or("root") == args.name && !args.encrypted && args.state == Presence::Present;
    if let Some(password) = args.password.as_deref().filter(|_| is_own && !login.implicit) {
        // Whoever changes their own password is let in with the new one afterwards.
        if login.is_denied(host)? {
            let with_new = Login { user: Some(&args.name), password: Some(password), ..login.clone() };
            if !with_new.is_denied(host)? {
                login = with_new;
            }
        }
    }
    // Else the server's mode decides how it quotes, and reads quotes.
    login.start.push("SET SESSION sql_mode = ''".into());
    if !args.sql_log_bin {
        login.start.push("SET SESSION sql_log_bin = 0".into());
    }
    for (name, value) in args.session_vars.iter().flatten() {
        login.start.push(format!("SET SESSION {} = {}", super::mysql::identifier(name), account::value(value)));
    }
    if args.force_context {
        login.start.push("USE `mysql`".into());
    }
    Ok(login)
}

/// The account as a statement names it.
fn named(args: &Args, host: &str) -> String {
    format!("{}@{}", literal(&args.name), literal(host))
}

/// How the stored password stands to the one that is asked for; null: it is not managed.
fn compared(args: &Args, plugin: &str, stored: &str) -> Value {
    let is = match (&args.password, &args.plugin) {
        (_, Some(wanted)) => {
            if wanted != plugin {
                return "of another plugin".into();
            }
            match (&args.plugin_hash_string, &args.plugin_auth_string) {
                (Some(hash), _) => stored == hash,
                (None, Some(text)) if plugin == "mysql_native_password" => stored == account::native(text),
                (None, Some(_)) => false,
                (None, None) => return Value::Null,
            }
        }
        (Some(password), None) => {
            let native = matches!(plugin, "" | "mysql_native_password");
            let wanted = if args.encrypted || password.is_empty() { password.clone() } else { account::native(password) };
            native && stored.eq_ignore_ascii_case(&wanted)
        }
        (None, None) => return Value::Null,
    };
    (if is { account::AS_ASKED } else { "another" }).into()
}

fn look(args: &Args, at: &str, login: &Login<'_>, host: &dyn Inspect) -> Result<Object, Failure> {
    let id = id(args, at);
    if let Some(mut planned) = Object::planned(&id, host) {
        let compared = match planned.text("stored") {
            "" => compared(args, planned.text("plugin"), ""),
            stored if stored == asked_password(args) => account::AS_ASKED.into(),
            _ => compared(args, "", " "),
        };
        if let Some(properties) = &mut planned.there {
            properties.insert("password".into(), compared);
        }
        return Ok(planned);
    }
    let account = named(args, at);
    let (name, from) = (literal(&args.name), literal(at));
    let rows = login.rows(&format!("SELECT * FROM mysql.user WHERE User = {name} AND Host = {from}"), host)?;
    let Some(row) = rows.and_then(|rows| rows.into_iter().next()) else { return Ok(Object::absent(id)) };
    let text = |row: &super::mysql::Row| row.values().flatten().next().cloned().unwrap_or_default();
    let grants: Vec<String> =
        login.rows(&format!("SHOW GRANTS FOR {account}"), host)?.unwrap_or_default().iter().map(text).collect();
    let create = login.rows(&format!("SHOW CREATE USER {account}"), host)?.unwrap_or_default().first().map(text);
    let plugin = field(&row, "plugin");
    let stored = match field(&row, "authentication_string") {
        "" => field(&row, "Password"),
        stored => stored,
    };
    let grants = privileges::shown(grants.iter().map(String::as_str), args.column_case_sensitive.unwrap_or(false))?;
    let mut found = account::found(&row, create.as_deref().unwrap_or_default());
    if let (Some(Value::Object(limits)), Some(asked)) = (found.get_mut("resource_limits"), &args.resource_limits) {
        limits.retain(|name, _| asked.keys().any(|asked| asked.eq_ignore_ascii_case(name)));
    }
    found.extend(properties([
        ("plugin", plugin.into()),
        ("password", compared(args, plugin, stored)),
        ("privileges", privileges::property(&grants)),
    ]));
    Ok(Object::present(id, found))
}

/// What a plan remembers as the stored password.
fn asked_password(args: &Args) -> String {
    let parts = [&args.password, &args.plugin_hash_string, &args.plugin_auth_string];
    parts.into_iter().flatten().next().cloned().unwrap_or_default()
}

fn asked_grants(args: &Args) -> Result<Option<Grants>, Failure> {
    let Some(written) = &args.r#priv else { return Ok(None) };
    if args.append_privs && args.subtract_privs {
        return Err(Failure::new("`append_privs` and `subtract_privs` exclude each other"));
    }
    privileges::asked(written, args.column_case_sensitive.unwrap_or(false)).map(Some)
}

fn asked(args: &Args, now: &Object) -> Result<Map<String, Value>, Failure> {
    let expire = match (args.password_expire, args.password_expire_interval) {
        (Some(Expire::Interval), Some(days)) => json!(format!("interval {days} day")),
        (Some(Expire::Interval), None) => {
            return Err(Failure::new("`password_expire: interval` needs `password_expire_interval`"));
        }
        (Some(word), _) => word.word().into(),
        (None, _) => Value::Null,
    };
    let mut wanted = properties([
        ("tls_requires", args.tls_requires.as_ref().map(account::requires).transpose()?.unwrap_or_default()),
        ("resource_limits", args.resource_limits.as_ref().map(account::limits).transpose()?.unwrap_or_default()),
        ("locked", json!(args.locked)),
        ("password_expire", expire),
    ]);
    if !now.exists() || args.update_password == UpdatePassword::Always {
        wanted.extend(properties([("plugin", json!(args.plugin))]));
        if args.password.is_some() || args.plugin_hash_string.is_some() || args.plugin_auth_string.is_some() {
            wanted.insert("password".into(), account::AS_ASKED.into());
        }
    }
    if let Some(asked) = asked_grants(args)? {
        let had = privileges::from_property(now.get("privileges"));
        let grants = privileges::wanted(&had, &asked, args.append_privs, args.subtract_privs);
        if now.exists() || !grants.is_empty() {
            wanted.insert("privileges".into(), privileges::property(&grants));
        }
    }
    Ok(wanted)
}

fn definition(args: &Args, is_mariadb: bool) -> Definition<'_> {
    Definition {
        is_mariadb,
        password: args.password.as_deref(),
        encrypted: args.encrypted,
        plugin: args.plugin.as_deref(),
        hash: args.plugin_hash_string.as_deref(),
        text: args.plugin_auth_string.as_deref(),
    }
}

fn statements(args: &Args, at: &str, now: &Object, want: &Object, is_mariadb: bool) -> Vec<String> {
    let account = named(args, at);
    let Some(wanted) = &want.there else { return vec![format!("DROP USER {account}")] };
    let mut list = account::statements(&account, now, wanted, &definition(args, is_mariadb));
    if let Some(grants) = wanted.get("privileges") {
        let had = privileges::from_property(now.get("privileges"));
        list.extend(privileges::statements(&had, &privileges::from_property(grants), &account));
    }
    list
}

impl Resource for MysqlUser {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let login = login(args, host)?;
        let version = login.rows("SELECT version() AS version", host)?.unwrap_or_default();
        let is_mariadb = version.first().is_some_and(|row| field(row, "version").contains("MariaDB"));
        let hosts = if args.host_all {
            let query = format!("SELECT Host AS host FROM mysql.user WHERE User = {} ORDER BY Host", literal(&args.name));
            let rows = login.rows(&query, host)?.unwrap_or_default();
            rows.iter().map(|row| field(row, "host").to_owned()).collect()
        } else {
            vec![args.host.to_lowercase()]
        };
        let accounts = hosts.into_iter().map(|at| look(args, &at, &login, host).map(|account| (at, account)));
        Ok(State { accounts: accounts.collect::<Result<_, _>>()?, is_mariadb })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.plugin.is_some() && args.password.is_some() {
            return Err(Failure::new("`password` and `plugin` exclude each other; use `plugin_auth_string`"));
        }
        if args.encrypted && args.password.as_ref().is_some_and(|hash| !account::is_native(hash) && !hash.is_empty()) {
            return Err(Failure::new("`encrypted` is true, but `password` is no hash of `mysql_native_password`"));
        }
        if args.host_all && args.state == Presence::Present && now.accounts.is_empty() {
            return Err(Failure::new(format!("there is no account `{}`, and `host_all` makes none", args.name)));
        }
        let wanted = |(at, account): &(String, Object)| {
            let wanted = match args.state {
                Presence::Absent => Object::absent(account.id.clone()),
                Presence::Present => Object::present(account.id.clone(), asked(args, account)?),
            };
            Ok((at.clone(), wanted))
        };
        Ok(State { accounts: now.accounts.iter().map(wanted).collect::<Result<_, Failure>>()?, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (mut list, mut effects) = (Vec::new(), Vec::new());
        for ((at, now), (_, want)) in step.now.accounts.iter().zip(&step.want.accounts) {
            if now.exists() || want.exists() {
                list.extend(statements(args, at, now, want, step.want.is_mariadb));
                let mut after = want.clone();
                if let Some(properties) = &mut after.there {
                    properties.insert("stored".into(), asked_password(args).into());
                }
                effects.push(after.effect(now));
            }
        }
        login(args, host.inspect())?.act(&list, &effects, host)?;
        let password = step.differs("password");
        Ok(Written::quiet().with("password_changed", password))
    }

    /// What another plugin stores cannot be compared.
    fn settled(args: &Args, after: &State) -> bool {
        after.accounts.iter().all(|(_, account)| {
            asked(args, account).is_ok_and(|wanted| {
                wanted.iter().all(|(name, value)| name == "password" || account.get(name) == value)
                    && account.text("plugin") != "mysql_native_password"
            })
        })
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let message = match (args.state, before.accounts.first().is_some_and(|(_, account)| account.exists())) {
            (Presence::Present, false) => "User added",
            (Presence::Present, true) if resource::State::resources(before) == resource::State::resources(after) => {
                "User unchanged"
            }
            (Presence::Present, true) => "User updated",
            (Presence::Absent, true) => "User deleted",
            (Presence::Absent, false) => "User doesn't exist",
        };
        properties([("user", args.name.as_str().into()), ("msg", message.into()), ("password_changed", false.into())])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(args, if args.host_all { "*" } else { &args.host })])
    }
}
