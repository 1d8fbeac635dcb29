//! PostgreSQL through `psql`: how its modules log in, ask, and act.
//!
//! SQL goes through standard input, a password through the environment: neither is in the list of
//! processes. Answers are JSON that the server makes.

use serde_json::{Map, Value};

use super::sql::{checked, identifier};
use crate::choice;
use crate::commands::process::streams;
use crate::host::{CommandLine, Effect, Host, Inspect, Output};
use crate::outcome::Failure;

choice! {
    /// Whether a connection is encrypted.
    pub enum SslMode {
        /// If the server insists.
        Allow = "allow",
        /// Never.
        Disable = "disable",
        /// If the server can.
        Prefer = "prefer",
        /// Always.
        Require = "require",
        /// Always, with a server's certificate that an authority signed.
        VerifyCa = "verify-ca",
        /// Likewise, and it must be for the server's name.
        VerifyFull = "verify-full",
    }
}

/// Declares a module's options followed by those of every PostgreSQL module.
macro_rules! postgres_args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident { $($fields:tt)* }
    ) => {
        $crate::args! {
            $(#[doc = $doc])*
            $vis struct $name {
                $($fields)*
                /// Role that logs in.
                login_user ("login"): String = "postgres".into(),
                /// Its password.
                login_password: String = String::new(),
                /// Host of the server; empty: this host, through its socket.
                login_host ("host"): String = String::new(),
                /// Directory of the server's socket.
                login_unix_socket ("unix_socket"): String = String::new(),
                /// Port of the server.
                login_port ("port"): u16 = 5432,
                /// Whether the connection is encrypted.
                ssl_mode ("sslmode"): $crate::databases::postgres::SslMode = $crate::databases::postgres::SslMode::Prefer,
                /// File of the authorities that may have signed the server's certificate.
                ca_cert ("ssl_rootcert"): Option<String>,
                /// File of a certificate to log in with.
                ssl_cert: Option<String>,
                /// File of its key.
                ssl_key: Option<String>,
                /// Further parameters of the connection, by their names in libpq; they win.
                connect_params: ::serde_json::Map<String, ::serde_json::Value> = ::serde_json::Map::new(),
                /// Role that is switched to after logging in.
                session_role: Option<String>,
                /// Accepted and without effect: names and values are always quoted.
                trust_input: bool = true,
            }
        }
        impl $name {
            /// How to log in.
            pub(crate) fn login(&self) -> $crate::databases::postgres::Login<'_> {
                $crate::databases::postgres::Login {
                    user: &self.login_user,
                    password: &self.login_password,
                    host: if self.login_host.is_empty() { &self.login_unix_socket } else { &self.login_host },
                    port: self.login_port,
                    ssl_mode: self.ssl_mode,
                    files: [
                        ("PGSSLROOTCERT", self.ca_cert.as_deref()),
                        ("PGSSLCERT", self.ssl_cert.as_deref()),
                        ("PGSSLKEY", self.ssl_key.as_deref()),
                    ],
                    parameters: &self.connect_params,
                    role: self.session_role.as_deref(),
                }
            }
        }
    };
}
pub(crate) use postgres_args;

/// Parameters of a connection that libpq takes from the environment.
const PARAMETERS: &[(&str, &str)] = &[
    ("application_name", "PGAPPNAME"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("client_encoding", "PGCLIENTENCODING"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("dbname", "PGDATABASE"),
    ("gssencmode", "PGGSSENCMODE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("krbsrvname", "PGKRBSRVNAME"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("requirepeer", "PGREQUIREPEER"),
    ("service", "PGSERVICE"),
    ("sslcert", "PGSSLCERT"),
    ("sslcrl", "PGSSLCRL"),
    ("sslkey", "PGSSLKEY"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("user", "PGUSER"),
];

/// How a module logs in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) ssl_mode: SslMode,
    pub(crate) files: [(&'static str, Option<&'a str>); 3],
    pub(crate) parameters: &'a Map<String, Value>,
    pub(crate) role: Option<&'a str>,
}

/// Exit status of `psql` when there is no connection.
const NO_CONNECTION: i32 = 2;

impl Login<'_> {
    /// The name of something on this server, for reports: a server that is not the usual one is named.
    pub(crate) fn place(&self, name: &str) -> String {
        match (self.host, self.port) {
            ("" | "localhost" | "127.0.0.1", 5432) => name.to_owned(),
            (host, port) => format!("{host}:{port}/{name}"),
        }
    }

    /// A program of PostgreSQL, logged in to a database.
    pub(crate) fn program<I: IntoIterator<Item = S>, S: Into<String>>(
        &self,
        argv: I,
        database: &str,
    ) -> Result<CommandLine, Failure> {
        checked("login_db", database)?;
        let mut line = CommandLine::new(argv)
            .env("LC_ALL", "C")
            .env("PGCLIENTENCODING", "UTF8")
            .env("PGCONNECT_TIMEOUT", "15")
            .env("PGDATESTYLE", "ISO")
            .env("PGDATABASE", database)
            .env("PGUSER", self.user)
            .env("PGPORT", &self.port.to_string())
            .env("PGSSLMODE", self.ssl_mode.word());
        let given = [("PGHOST", Some(self.host)), ("PGPASSWORD", Some(self.password))];
        for (name, value) in given.iter().chain(&self.files) {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                line = line.env(name, value);
            }
        }
        for (name, value) in self.parameters {
            let Some((_, variable)) = PARAMETERS.iter().find(|(known, _)| known == name) else {
                return Err(Failure::new(format!("`connect_params` has `{name}`, which cannot be handed to `psql`")));
            };
            line = line.env(variable, value.as_str().unwrap_or(&value.to_string()));
        }
        Ok(line)
    }

    fn psql(&self, database: &str, words: &[&str], script: &str) -> Result<CommandLine, Failure> {
        let mut argv = vec!["psql", "-X", "-w", "-q", "-v", "ON_ERROR_STOP=1"];
        argv.extend(words);
        let role = self.role.map(|role| format!("SET ROLE {};\n", identifier(role))).unwrap_or_default();
        Ok(self.program(argv, database)?.input(format!("{role}{script}\n")))
    }

    /// Asks `psql` for something else than rows; `None` in a plan whose earlier tasks have yet to
    /// make the server, the database or the login.
    pub(crate) fn ask(
        &self,
        database: &str,
        words: &[&str],
        script: &str,
        host: &dyn Inspect,
    ) -> Result<Option<Output>, Failure> {
        let answer = host.query(&self.psql(database, words, script)?).map_err(missing);
        match answer {
            Ok(output) if output.rc == 0 => Ok(Some(output)),
            Ok(output) if output.rc == NO_CONNECTION && host.has_plans() => Ok(None),
            Ok(output) => Err(self.failed(database, &output)),
            Err(_) if host.has_plans() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The rows of a query; `None` as with [`Login::ask`].
    pub(crate) fn rows(&self, database: &str, query: &str, host: &dyn Inspect) -> Result<Option<Vec<Value>>, Failure> {
        let query = format!("SELECT coalesce(json_agg(found), '[]') FROM ({query}) found;");
        let Some(output) = self.ask(database, &["-A", "-t"], &query, host)? else { return Ok(None) };
        let text = output.text();
        if text.trim().is_empty() {
            return Ok(Some(Vec::new()));
        }
        match serde_json::from_str(&text) {
            Ok(Value::Array(rows)) => Ok(Some(rows)),
            _ => Err(Failure::new("cannot read what `psql` answered")),
        }
    }

    /// Does statements, one after the other.
    pub(crate) fn act(
        &self,
        database: &str,
        statements: &[String],
        effects: &[Effect],
        host: &mut dyn Host,
    ) -> Result<(), Failure> {
        let script = statements.iter().fold(String::new(), |script, statement| script + statement + ";\n");
        self.act_with(database, &[], &script, effects, host).map(drop)
    }

    /// Does a script and gives what `psql` said.
    pub(crate) fn act_with(
        &self,
        database: &str,
        words: &[&str],
        script: &str,
        effects: &[Effect],
        host: &mut dyn Host,
    ) -> Result<Output, Failure> {
        let output = host.act(&self.psql(database, words, script)?, effects).map_err(missing)?;
        if output.rc == 0 { Ok(output) } else { Err(self.failed(database, &output)) }
    }

    fn failed(&self, database: &str, output: &Output) -> Failure {
        let said = without_statements(&output.error_text());
        let what = if output.rc == NO_CONNECTION { "cannot connect to" } else { "the server refused it in" };
        let mut message = format!("{what} database `{database}` as `{}`: {}", self.user, said.trim());
        if said.contains("Peer authentication failed") {
            message.push_str("\nhint: use `become: true` with `become_user: postgres`");
        }
        let mut failure = Failure::new(message).with("rc", output.rc);
        streams(&mut failure.result, "", &said);
        failure
    }
}

/// What `psql` said, without the lines that show a statement: it may contain a password.
fn without_statements(said: &str) -> String {
    let mut text = String::new();
    let mut lines = said.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("LINE ") {
            lines.next();
            continue;
        }
        let line = line.split_once("psql:<stdin>:").and_then(|(_, rest)| rest.split_once(": ")).map_or(line, |(_, rest)| rest);
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// Says which package has a program that is missing.
fn missing(failure: Failure) -> Failure {
    if failure.result.get("rc").is_none_or(|rc| *rc != 2) {
        return failure;
    }
    Failure { message: format!("{}\nhint: package `postgresql-client` (or `postgresql`) has it", failure.message), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use serde_json::json;

    fn login(parameters: &Map<String, Value>) -> Login<'_> {
        Login {
            user: "postgres",
            password: "secret",
            host: "",
            port: 5432,
            ssl_mode: SslMode::Prefer,
            files: [("PGSSLROOTCERT", None), ("PGSSLCERT", None), ("PGSSLKEY", None)],
            parameters,
            role: Some("boss"),
        }
    }

    #[test]
    fn secrets_and_statements_are_not_in_argv() {
        let parameters = json!({"application_name": "x", "port": 1}).as_object().unwrap().clone();
        let line = login(&parameters).psql("app", &["-A"], "ALTER ROLE x PASSWORD 'secret';").unwrap();
        assert_eq!(line.argv, ["psql", "-X", "-w", "-q", "-v", "ON_ERROR_STOP=1", "-A"]);
        assert_eq!((line.environment["PGPASSWORD"].as_str(), line.environment["PGPORT"].as_str()), ("secret", "1"));
        assert_eq!(line.stdin.unwrap(), b"SET ROLE \"boss\";\nALTER ROLE x PASSWORD 'secret';\n");
        let unknown = json!({"sneaky": 1}).as_object().unwrap().clone();
        assert!(login(&unknown).psql("app", &[], "").unwrap_err().message.contains("sneaky"));
    }

    #[test]
    fn a_plan_goes_on_where_a_server_is_yet_to_come() {
        let none = Map::new();
        let mut host = MemoryHost::default();
        host.answer(&["psql", "*"], 2, "");
        assert!(login(&none).rows("app", "SELECT 1", &host).unwrap_err().message.contains("cannot connect"));
        let mut plan = Overlay::new(host);
        assert!(login(&none).rows("app", "SELECT 1", &plan).unwrap_err().message.contains("cannot connect"));
        plan.doubt();
        assert_eq!(login(&none).rows("app", "SELECT 1", &plan).unwrap(), None);
        let mut host = MemoryHost::default();
        host.answer(&["psql", "*"], 3, "");
        assert!(login(&none).rows("app", "SELECT 1", &Overlay::new(host)).is_err());
    }

    #[test]
    fn statements_are_not_repeated_in_messages() {
        let said = "psql:<stdin>:2: ERROR:  syntax error at or near \"x\"\nLINE 1: ALTER ROLE PASSWORD 'secret' x\n       ^\nHINT:  no\n";
        assert_eq!(without_statements(said), "ERROR:  syntax error at or near \"x\"\nHINT:  no\n");
    }
}
