//! `postgresql_query`: statements that a PostgreSQL server runs.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::postgres::postgres_args;
use super::rows::{self, NULL};
use super::sql::{filled, identifier, keyword, only_looks, statements};
use crate::args::shown;
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::command::Command;
use crate::files::paths;
use crate::host::{Host, Inspect, Output};
use crate::outcome::{Ending, Failure, Outcome};

postgres_args! {
    /// Runs statements in a database of a PostgreSQL server and gives the rows that they return.
    ///
    /// In a plan only what does nothing but read is run, in a transaction in which nothing can be written.
    pub struct Args {
        /// A query, or a list of them.
        query: Option<Value>,
        /// File on the host with statements, instead of `query`.
        path_to_script: Option<PathBuf>,
        /// Values in place of `%s`, in this order.
        positional_args: Option<Vec<Value>>,
        /// Values in place of `%(name)s`.
        named_args: Option<Map<String, Value>>,
        /// Database; missing: that of the login's name.
        login_db ("db"): Option<String>,
        /// Whether each statement stands for itself, instead of all being one transaction.
        autocommit: bool = false,
        /// Accepted and without effect: text travels as UTF-8, whatever the database's encoding.
        encoding: Option<String>,
        /// Schemas in which names are looked up.
        search_path: Option<Vec<String>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A look
  become: true
  postgresql_query:
    login_db: acme
    query: SELECT version()
  register: answer
- name: Something is done
  postgresql_query:
    db: acme
    query: UPDATE books SET title = %s WHERE id = %s
    positional_args: [Dune, 7]
";

/// The module.
pub struct PostgresqlQuery;

/// The queries with their arguments filled in.
fn queries(args: &Args, host: &dyn Inspect) -> Result<Vec<String>, Failure> {
    if args.positional_args.is_some() && args.named_args.is_some() {
        return Err(Failure::new("`positional_args` and `named_args` cannot be given both"));
    }
    let texts = match (&args.query, &args.path_to_script) {
        (Some(_), Some(_)) => return Err(Failure::new("`query` and `path_to_script` cannot be given both")),
        (Some(Value::String(text)), None) => vec![text.clone()],
        (Some(Value::Array(list)), None) => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| Failure::new("`query` has something else than text in it"))?,
        (Some(other), None) => return Err(Failure::new(format!("`query` is no query: {}", shown(other)))),
        (None, Some(path)) => {
            let bytes = host.read(&paths::expand(path, host), 16 << 20)?;
            vec![String::from_utf8(bytes).map_err(|_| Failure::at("read", path, "is not UTF-8"))?]
        }
        (None, None) => return Err(Failure::new("`query` is missing")),
    };
    let fill = |text: &String| filled(text, args.positional_args.as_deref(), args.named_args.as_ref());
    let mut list = Vec::new();
    for text in texts.iter().map(fill) {
        list.extend(statements(&text?)?.into_iter().map(str::to_owned));
    }
    if list.is_empty() {
        return Err(Failure::new("`query` has no statement in it"));
    }
    Ok(list)
}

/// What one statement gave.
#[derive(Debug, PartialEq)]
struct Answer {
    message: String,
    /// `None`: it was no question, and has no rows.
    rows: Option<Vec<Value>>,
    count: u64,
}

impl Answer {
    /// The rows as playbooks read them.
    fn value(&self) -> Value {
        self.rows.as_ref().map_or_else(|| json!({}), |rows| json!(rows))
    }
}

/// The lines with which `psql` marks where an answer's parts begin. The time makes them unique.
struct Marks(String);

impl Marks {
    fn new(host: &dyn Inspect) -> Self {
        Self(format!("--stead-{}--", (host.now() * 1e6) as u64))
    }

    fn script(&self, args: &Args, list: &[String], begin: &str, end: &str) -> String {
        let mut script = format!("\\set QUIET off\n\\pset null '{NULL}'\n");
        if let Some(schemas) = &args.search_path {
            let schemas: Vec<String> = schemas.iter().map(|schema| identifier(schema)).collect();
            script.push_str(&format!("SET search_path TO {};\n", schemas.join(", ")));
        }
        script.push_str(begin);
        let mark = &self.0;
        for statement in list {
            // On lines of their own: the statement may end in a comment.
            script.push_str(&format!(
                "\\echo {mark}\n{statement}\n\\gdesc\n\\echo {mark}\n{statement}\n;\n\\echo {mark} :ROW_COUNT\n"
            ));
        }
        script.push_str(end);
        script
    }

    fn answers(&self, list: &[String], output: &Output) -> Result<Vec<Answer>, Failure> {
        let text = output.text();
        if text.contains("\n[... ") && text.contains(" bytes left out ...]\n") {
            return Err(Failure::new("the answer is too large: more than 2 MB"));
        }
        let parts: Vec<&str> = text.split(&self.0).collect();
        // What stands before the first mark; then, for each statement, columns, rows, and their number.
        if parts.len() != 1 + 3 * list.len() {
            return Err(Failure::new("cannot read what `psql` answered"));
        }
        let answer = |(at, statement): (usize, &String)| {
            let [columns, rows, count] = [1, 2, 3].map(|part| parts[3 * at + part].trim_start_matches([' ', '\n']));
            answer(statement, columns, rows, count.lines().next().unwrap_or_default())
        };
        Ok(list.iter().enumerate().map(answer).collect())
    }
}

fn answer(statement: &str, columns: &str, rows: &str, count: &str) -> Answer {
    let count = count.trim().parse().unwrap_or(0);
    let word = keyword(statement);
    let columns: Vec<(String, String)> = match columns.strip_prefix("Column,Type\n") {
        None => Vec::new(),
        Some(list) => {
            rows::csv(list).into_iter().filter_map(|record| Some((record.first()?.clone(), record.get(1)?.clone()))).collect()
        }
    };
    if columns.is_empty() {
        return Answer { message: rows.lines().last().unwrap_or_default().to_owned(), rows: None, count };
    }
    let mut records = rows::csv(rows);
    // Rows that something else than a query returned are followed by what it did; a server counts no rows of `SHOW`.
    let is_said = records.len() as u64 == count + 2 && !matches!(word.as_str(), "SHOW" | "EXPLAIN");
    let said = if is_said { records.pop().and_then(|record| record.into_iter().next()) } else { None };
    let records: Vec<Value> = records.iter().skip(1).map(|record| rows::row(&columns, record)).collect();
    let message = said.unwrap_or_else(|| match word.as_str() {
        word @ ("SHOW" | "EXPLAIN" | "FETCH" | "CALL") => word.to_owned(),
        _ => format!("SELECT {count}"),
    });
    Answer { message, rows: Some(records), count }
}

/// Whether a statement changed something, by what the server said of it.
fn changes(message: &str) -> bool {
    let mut words = message.split_whitespace();
    match words.next() {
        None | Some("SELECT" | "SHOW" | "EXPLAIN" | "FETCH" | "SET" | "BEGIN") => false,
        Some("INSERT" | "UPDATE" | "DELETE" | "MERGE") => words.next_back().is_none_or(|count| count != "0"),
        Some(_) => true,
    }
}

fn outcome(args: &Args, list: &[String], answers: &[Answer]) -> Outcome {
    let last = answers.last().expect("there is at least one statement");
    let mut result = Map::new();
    result.insert("query".into(), json!(list.last()));
    result.insert("query_list".into(), json!(list));
    result.insert("statusmessage".into(), json!(last.message));
    result.insert("query_result".into(), last.value());
    result.insert("query_all_results".into(), answers.iter().map(Answer::value).collect());
    result.insert("rowcount".into(), answers.iter().map(|answer| answer.count).sum::<u64>().into());
    let changed = answers.iter().any(|answer| changes(&answer.message));
    let mut outcome = Outcome::new(if changed { Ending::Changed } else { Ending::Ok }, result);
    if changed {
        outcome.changes.push(Change::run(ResourceId::new("query", PostgresqlQuery::describe(args))));
    }
    outcome
}

fn database(args: &Args) -> &str {
    args.login_db.as_deref().filter(|name| !name.is_empty()).unwrap_or(&args.login_user)
}

impl Command for PostgresqlQuery {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        if host.acts() {
            return Ok(None);
        }
        let list = queries(args, host)?;
        if !list.iter().all(|statement| only_looks(statement)) {
            return Ok(None);
        }
        let marks = Marks::new(host);
        let script = marks.script(args, &list, "BEGIN TRANSACTION READ ONLY;\n", "ROLLBACK;\n");
        match args.login().ask(database(args), &["--csv"], &script, host) {
            Ok(Some(output)) => Ok(marks.answers(&list, &output).ok().map(|answers| outcome(args, &list, &answers))),
            // It may need what earlier tasks would have made.
            Ok(None) => Ok(None),
            Err(_) if host.has_plans() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let list = queries(args, host.inspect())?;
        let marks = Marks::new(host.inspect());
        let (begin, end) = if args.autocommit { ("", "") } else { ("BEGIN;\n", "COMMIT;\n") };
        let script = marks.script(args, &list, begin, end);
        let output = args.login().act_with(database(args), &["--csv"], &script, &[], host)?;
        Ok(outcome(args, &list, &marks.answers(&list, &output)?))
    }

    fn is_change(args: &Args) -> bool {
        let texts = match &args.query {
            Some(Value::String(text)) => vec![text.as_str()],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        !texts.into_iter().all(|text| statements(text).is_ok_and(|list| list.into_iter().all(only_looks)))
    }

    fn describe(args: &Args) -> String {
        match (&args.query, &args.path_to_script) {
            (Some(Value::String(text)), _) => text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect(),
            (None, Some(path)) => path.display().to_string(),
            _ => format!("queries in {}", database(args)),
        }
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let columns = "Column,Type\nid,integer\nname,text\n";
        let read = answer("select 1", columns, "id,name\n1,a\n2,\"b\nc\"\n", "2");
        let rows = vec![json!({"id": 1, "name": "a"}), json!({"id": 2, "name": "b\nc"})];
        assert_eq!(read, Answer { message: "SELECT 2".into(), rows: Some(rows), count: 2 });
        let read = answer("insert", columns, "id,name\n1,a\nINSERT 0 1\n", "1");
        assert_eq!((read.message.as_str(), read.rows.unwrap().len(), read.count), ("INSERT 0 1", 1, 1));
        let read = answer("show x", "Column,Type\nx,text\n", "x\n1\n", "0");
        assert_eq!(read, Answer { message: "SHOW".into(), rows: Some(vec![json!({"x": "1"})]), count: 0 });
        let read = answer("create", "The command has no result, or the result has no columns.\n", "CREATE TABLE\n", "0");
        assert_eq!(read, Answer { message: "CREATE TABLE".into(), rows: None, count: 0 });
    }

    #[test]
    fn what_changes_is_told_by_the_server() {
        for (message, expected) in [
            ("SELECT 3", false),
            ("SHOW", false),
            ("UPDATE 0", false),
            ("INSERT 0 0", false),
            ("INSERT 0 2", true),
            ("VACUUM", true),
        ] {
            assert_eq!(changes(message), expected, "{message}");
        }
    }
}
