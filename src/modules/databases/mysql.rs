//! MySQL and MariaDB through their client: how the modules log in, ask, and act.
//!
//! SQL goes through standard input, a password through the environment. Answers are XML, in which
//! a NULL cannot be taken for a text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::files::paths;
use crate::host::{CommandLine, Effect, Host, Inspect, Output};
use crate::outcome::Failure;

/// Declares a module's options followed by those of every module for MySQL.
macro_rules! mysql_args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident { $($fields:tt)* }
    ) => {
        $crate::args! {
            $(#[doc = $doc])*
            $vis struct $name {
                $($fields)*
                /// Account that logs in; missing: that of the option files, else that of the acting user.
                login_user: Option<String>,
                /// Its password; option files are not read where it is given.
                login_password: Option<String>,
                /// Host of the server. `localhost` is reached through its socket if there is one, else by TCP.
                login_host: String = "localhost".into(),
                /// Port of the server.
                login_port: u16 = 3306,
                /// Path of the server's socket.
                login_unix_socket: Option<String>,
                /// Seconds within which there must be a connection.
                connect_timeout: u32 = 30,
                /// Option file that is read, too; empty: none is read.
                config_file: String = "~/.my.cnf".into(),
                /// File of the authorities that may have signed the server's certificate.
                ca_cert ("ssl_ca"): Option<String>,
                /// File of a certificate to log in with.
                client_cert ("ssl_cert"): Option<String>,
                /// File of its key.
                client_key ("ssl_key"): Option<String>,
                /// Whether the server's certificate must be for its name.
                check_hostname: Option<bool>,
            }
        }
        impl $name {
            /// How to log in.
            pub(crate) fn login(&self) -> $crate::databases::mysql::Login<'_> {
                $crate::databases::mysql::Login {
                    user: self.login_user.as_deref(),
                    password: self.login_password.as_deref(),
                    host: &self.login_host,
                    port: self.login_port,
                    socket: self.login_unix_socket.as_deref(),
                    timeout: self.connect_timeout,
                    config: &self.config_file,
                    files: [
                        ("--ssl-ca", self.ca_cert.as_deref()),
                        ("--ssl-cert", self.client_cert.as_deref()),
                        ("--ssl-key", self.client_key.as_deref()),
                    ],
                    check_hostname: self.check_hostname.unwrap_or(false),
                    implicit: false,
                    file_wins: false,
                    start: Vec::new(),
                }
            }
        }
    };
}
pub(crate) use mysql_args;

/// How a module logs in.
#[derive(Debug, Clone)]
pub(crate) struct Login<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) socket: Option<&'a str>,
    pub(crate) timeout: u32,
    pub(crate) config: &'a str,
    pub(crate) files: [(&'static str, Option<&'a str>); 3],
    pub(crate) check_hostname: bool,
    /// `root` without a password was let in, so that nothing else is needed.
    pub(crate) implicit: bool,
    /// Whether option files decide where the server is, if it is where servers usually are.
    pub(crate) file_wins: bool,
    /// Statements at the start of each session.
    pub(crate) start: Vec<String>,
}

/// A row: names and values, NULL as `None`.
pub(crate) type Row = BTreeMap<String, Option<String>>;

/// Where distributions have the server's socket.
const SOCKETS: &[&str] = &["/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"];

/// Errors after which a plan, if an earlier task of it has something to do, goes on as if nothing were there
/// yet: no database, no server.
const NOT_YET: &[&str] = &["1049", "2002", "2003", "2005"];
/// The server knows the account, or another of its name, and does not let it in.
const DENIED: &[&str] = &["1044", "1045", "1698"];

/// A name in backticks: it stands for itself.
pub(crate) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A value in quotes.
pub(crate) fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

impl Login<'_> {
    /// The name of something on this server, for reports: a server that is not the usual one is named.
    pub(crate) fn place(&self, name: &str) -> String {
        match (self.socket, self.host, self.port) {
            (Some(socket), ..) if !SOCKETS.contains(&socket) => format!("{socket}/{name}"),
            (Some(_), ..) | (None, "localhost" | "127.0.0.1", 3306) => name.to_owned(),
            (None, host, port) => format!("{host}:{port}/{name}"),
        }
    }

    /// This login, or `root` without a password where the server lets that in.
    pub(crate) fn or_implicit(self, check: bool, host: &dyn Inspect) -> Result<Self, Failure> {
        if !check {
            return Ok(self);
        }
        let implicit = Self { user: Some("root"), password: None, implicit: true, ..self.clone() };
        let line = implicit.client(&["mysql"], "SELECT 1;", host)?;
        let let_in = host.query(&line).is_ok_and(|output| output.rc == 0);
        Ok(if let_in { implicit } else { self })
    }

    /// Whether the server knows the account but does not let it in.
    pub(crate) fn is_denied(&self, host: &dyn Inspect) -> Result<bool, Failure> {
        let line = self.client(&["mysql"], "SELECT 1;", host)?;
        Ok(host.query(&line).is_ok_and(|output| output.rc != 0 && DENIED.contains(&code(&output).as_str())))
    }

    /// Options of every client program; options files come first, as they must.
    pub(crate) fn options(&self, host: &dyn Inspect) -> Result<Vec<String>, Failure> {
        let mut words = Vec::new();
        let config = (!self.config.is_empty()).then(|| paths::expand(Path::new(self.config), host));
        match config {
            // A password in a file would win over the one that is given.
            _ if self.password.is_some() || self.implicit => words.push("--no-defaults".to_owned()),
            None => words.push("--no-defaults".to_owned()),
            Some(path) if self.config != "~/.my.cnf" && host.stat(&path)?.is_some() => {
                words.push(format!("--defaults-extra-file={}", path.display()));
            }
            Some(_) => {}
        }
        words.extend(self.user.map(|user| format!("--user={user}")));
        match (self.socket, self.host) {
            (Some(socket), _) => words.push(format!("--socket={socket}")),
            (None, "localhost") if self.port == 3306 && self.file_wins => {}
            (None, "localhost") if self.port == 3306 => {
                let there = |path: &&&str| host.stat(&PathBuf::from(**path)).is_ok_and(|found| found.is_some());
                match SOCKETS.iter().find(there) {
                    Some(socket) if words.first().is_some_and(|word| word == "--no-defaults") => {
                        words.push(format!("--socket={socket}"));
                    }
                    // Its option files say where.
                    Some(_) => {}
                    None => words.extend(["--protocol=TCP".into(), "--host=localhost".into()]),
                }
            }
            (None, name) => {
                words.extend(["--protocol=TCP".into(), format!("--host={name}"), format!("--port={}", self.port)]);
            }
        }
        for (option, path) in &self.files {
            words.extend(path.map(|path| format!("{option}={path}")));
        }
        if self.check_hostname {
            words.push("--ssl-verify-server-cert".into());
        }
        Ok(words)
    }

    /// A client program with its options, before the words of its own.
    pub(crate) fn program(&self, name: &str, own: &[String], host: &dyn Inspect) -> Result<CommandLine, Failure> {
        let mut argv = vec![name.to_owned()];
        argv.extend(self.options(host)?);
        argv.extend(own.iter().cloned());
        let mut line = CommandLine::new(argv).env("LC_ALL", "C");
        if let Some(password) = self.password.filter(|password| !password.is_empty()) {
            line = line.env("MYSQL_PWD", password);
        }
        Ok(line)
    }

    fn client(&self, name: &[&str; 1], script: &str, host: &dyn Inspect) -> Result<CommandLine, Failure> {
        // `--binary-mode`: nothing in the text is an order to the client.
        let own = ["--batch", "--xml", "--binary-mode", "--default-character-set=utf8mb4"].map(str::to_owned);
        let timeout = format!("--connect-timeout={}", self.timeout);
        let own: Vec<String> = own.into_iter().chain([timeout]).collect();
        let start = self.start.iter().fold(String::new(), |text, statement| text + statement + ";\n");
        Ok(self.program(name[0], &own, host)?.input(format!("{start}{script}\n")))
    }

    /// The rows of each result of a script; `None` in a plan whose earlier tasks have yet to make the
    /// server or the login.
    pub(crate) fn ask(&self, script: &str, host: &dyn Inspect) -> Result<Option<Vec<Vec<Row>>>, Failure> {
        match host.query(&self.client(&["mysql"], script, host)?).map_err(missing) {
            Ok(output) if output.rc == 0 => Ok(Some(results(&output.text())?)),
            Ok(output) if host.has_plans() && NOT_YET.contains(&code(&output).as_str()) => Ok(None),
            // An earlier task may set the password.
            Ok(output) if host.has_plans() && DENIED.contains(&code(&output).as_str()) => {
                Err(Failure::unknown(self.failed(&output).message))
            }
            Ok(output) => Err(self.failed(&output)),
            Err(_) if host.has_plans() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The rows of one query.
    pub(crate) fn rows(&self, query: &str, host: &dyn Inspect) -> Result<Option<Vec<Row>>, Failure> {
        Ok(self.ask(&format!("{query};"), host)?.map(|results| results.into_iter().next().unwrap_or_default()))
    }

    /// Does statements, one after the other.
    pub(crate) fn act(&self, statements: &[String], effects: &[Effect], host: &mut dyn Host) -> Result<Vec<Vec<Row>>, Failure> {
        let script = statements.iter().fold(String::new(), |script, statement| script + statement + ";\n");
        let output = host.act(&self.client(&["mysql"], &script, host.inspect())?, effects).map_err(missing)?;
        if output.rc == 0 { results(&output.text()) } else { Err(self.failed(&output)) }
    }

    fn failed(&self, output: &Output) -> Failure {
        let said = output.error_text();
        let who = self.user.map(|user| format!(" for `{user}`")).unwrap_or_default();
        let mut message = format!("the server refused it{who}: {}", hidden(&said));
        if DENIED.contains(&code(output).as_str()) {
            message.push_str("\nhint: `login_user` and `login_password`, or `become: true` where root logs in by the socket");
        }
        Failure::new(message).with("rc", output.rc)
    }
}

/// What the client said, without the statements that it repeats: they may have a password in them.
fn hidden(said: &str) -> String {
    let mut text = String::new();
    // MariaDB's client puts a statement between two such lines.
    for part in said.split("--------------\n").step_by(2) {
        text.push_str(part);
    }
    let text = text.trim();
    text.split_once("right syntax to use near").map_or(text.to_owned(), |(before, _)| format!("{before}right syntax"))
}

/// The number of the error that the client reports.
fn code(output: &Output) -> String {
    let said = output.error_text();
    let Some((_, rest)) = said.split_once("ERROR ") else { return String::new() };
    rest.chars().take_while(char::is_ascii_digit).collect()
}

fn missing(failure: Failure) -> Failure {
    if failure.result.get("rc").is_none_or(|rc| *rc != 2) {
        return failure;
    }
    let hint = "package `mariadb-client`, `default-mysql-client` or `mysql` has it";
    Failure { message: format!("{}\nhint: {hint}", failure.message), ..failure }
}

/// The results of the client's XML, each with its rows.
fn results(text: &str) -> Result<Vec<Vec<Row>>, Failure> {
    let broken = || Failure::new("cannot read what the client answered; are there more than 2 MB?");
    if text.contains(" bytes left out ...]\n") {
        return Err(broken());
    }
    let mut list = Vec::new();
    for result in text.split("<resultset ").skip(1) {
        // The statement stands in the tag, with its own `>` written otherwise.
        let (_, body) = result.split_once('>').ok_or_else(broken)?;
        let mut rows = Vec::new();
        for row in body.split("<row>").skip(1) {
            let mut fields = Row::new();
            for field in row.split("<field name=\"").skip(1) {
                let (name, rest) = field.split_once('"').ok_or_else(broken)?;
                let value = match rest.strip_prefix('>') {
                    Some(rest) => Some(unescape(rest.split_once("</field>").ok_or_else(broken)?.0)),
                    None => None,
                };
                fields.insert(unescape(name), value);
            }
            rows.push(fields);
        }
        list.push(rows);
    }
    Ok(list)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}

/// A field as text; empty where it is NULL or not there.
pub(crate) fn field<'a>(row: &'a Row, name: &str) -> &'a str {
    row.get(name).and_then(|value| value.as_deref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_stand_for_themselves() {
        assert_eq!(identifier("a`b"), "`a``b`");
        for (text, expected) in [("it's", "'it''s'"), ("a\\'", "'a\\\\'''"), ("", "''")] {
            assert_eq!(literal(text), expected);
        }
    }

    #[test]
    fn results_are_read() {
        let text = "<?xml version=\"1.0\"?>\n\n<resultset statement=\"select 1 &gt; &lt;row&gt;\" xmlns:xsi=\"x\">\n  <row>\n\
                    \t<field name=\"a\">1</field>\n\t<field name=\"b\">x&lt;&amp;lt;\ny</field>\n\
                    \t<field name=\"c\" xsi:nil=\"true\" />\n  </row>\n</resultset>\n<?xml version=\"1.0\"?>\n\n\
                    <resultset statement=\"x\" xmlns:xsi=\"x\"></resultset>\n";
        let read = results(text).unwrap();
        assert_eq!((read.len(), read[0].len(), read[1].len()), (2, 1, 0));
        let row = &read[0][0];
        assert_eq!((field(row, "a"), field(row, "b"), &row["c"]), ("1", "x<&lt;\ny", &None));
    }

    #[test]
    fn errors_are_known_by_number_and_show_no_statement() {
        let output = Output { stderr: b"ERROR 1045 (28000): Access denied for user 'x'".to_vec(), ..Output::default() };
        assert_eq!(code(&output), "1045");
        assert_eq!(
            hidden("check the manual for the right syntax to use near 'secret' at line 1"),
            "check the manual for the right syntax"
        );
    }
}
