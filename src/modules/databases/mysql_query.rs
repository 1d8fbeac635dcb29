//! `mysql_query`: statements that a MySQL or MariaDB server runs.

use serde_json::{Map, Value, json};

use super::mysql::{Login, Row, field, identifier, mysql_args};
use super::mysql_account::value;
use super::sql;
use crate::args::shown;
use crate::change::{Change, ResourceId};
use crate::command::Command;
use crate::host::{Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

mysql_args! {
    /// Runs statements on a MySQL or MariaDB server and gives the rows that they return.
    ///
    /// The client does not tell the types of columns: what looks like a whole number is one.
    pub struct Args {
        /// A query, or a list of them; each is one statement.
        query: Value,
        /// Values in place of `%s`, in this order.
        positional_args: Option<Vec<Value>>,
        /// Values in place of `%(name)s`.
        named_args: Option<Map<String, Value>>,
        /// Database.
        login_db: Option<String>,
        /// Whether all queries are one transaction.
        single_transaction: bool = false,
        /// Variables of the session.
        session_vars: Option<Map<String, Value>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A look
  mysql_query:
    query: SELECT VERSION()
  register: answer
- name: Something is done
  mysql_query:
    login_db: acme
    query:
      - UPDATE books SET title = %(title)s WHERE id = 7
      - DELETE FROM books WHERE title = %(title)s AND id <> 7
    named_args:
      title: Dune
    single_transaction: true
";

/// The module.
pub struct MysqlQuery;

/// Statements that change nothing, by their first word.
const LOOKS: &[&str] = &["SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "DESC", "USE", "SET", "ANALYZE", "CHECK"];

fn queries(args: &Args) -> Result<Vec<String>, Failure> {
    let texts: Vec<&str> = match &args.query {
        Value::String(text) => vec![text],
        Value::Array(list) if list.iter().all(Value::is_string) => list.iter().filter_map(Value::as_str).collect(),
        other => return Err(Failure::new(format!("`query` is neither text nor a list of texts: {}", shown(other)))),
    };
    let list: Vec<String> = texts
        .into_iter()
        .map(|text| {
            sql::filled_with(text, args.positional_args.as_deref(), args.named_args.as_ref(), &|argument| Ok(value(argument)))
        })
        .map(|text| text.map(|text| text.trim().trim_end_matches(';').trim_end().to_owned()))
        .collect::<Result<_, _>>()?;
    if list.is_empty() || list.iter().any(String::is_empty) {
        return Err(Failure::new("`query` is empty"));
    }
    Ok(list)
}

fn login(args: &Args) -> Login<'_> {
    let mut login = args.login();
    for (name, wanted) in args.session_vars.iter().flatten() {
        login.start.push(format!("SET SESSION {} = {}", identifier(name), value(wanted)));
    }
    login.start.extend(args.login_db.as_ref().map(|name| format!("USE {}", identifier(name))));
    login
}

/// The statements, each followed by a row that says how many rows it was about.
fn script(args: &Args, list: &[String]) -> Vec<String> {
    let mut script = Vec::new();
    script.extend(args.single_transaction.then(|| "START TRANSACTION".to_owned()));
    for statement in list {
        // A comment at its end would swallow the semicolon.
        script.push(format!("{statement}\n"));
        script.push("SELECT ROW_COUNT() AS `stead rows`".into());
    }
    script.extend(args.single_transaction.then(|| "COMMIT".to_owned()));
    script
}

/// Whether a statement only looks. This server reads some signs otherwise than the one that `only_looks` knows.
fn looks(statement: &str) -> bool {
    !statement.contains(['\\', '#', '/']) && sql::only_looks(statement)
}

/// A row as a mapping.
fn typed(row: &Row) -> Value {
    let value = |text: &String| match text.parse::<i64>() {
        Ok(number) if number.to_string() == *text => json!(number),
        _ => json!(text),
    };
    row.iter().map(|(name, text)| (name.clone(), text.as_ref().map_or(Value::Null, value))).collect::<Map<_, _>>().into()
}

/// For each statement its rows and how many it was about.
fn answers(results: &[Vec<Row>]) -> Vec<(Vec<Value>, i64)> {
    let mut list = Vec::new();
    let mut rows = Vec::new();
    for result in results {
        match result.first().filter(|row| row.contains_key("stead rows")) {
            Some(row) => {
                let count = field(row, "stead rows").parse().unwrap_or(-1);
                let rows: Vec<Value> = std::mem::take(&mut rows);
                let count = if count < 0 { rows.len() as i64 } else { count };
                list.push((rows, count));
            }
            None => rows.extend(result.iter().map(typed)),
        }
    }
    list
}

fn outcome(args: &Args, list: &[String], answers: &[(Vec<Value>, i64)]) -> Outcome {
    let changed = list.iter().zip(answers).any(|(statement, (_, count))| {
        let word = sql::keyword(statement);
        let counted = matches!(word.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE");
        !LOOKS.contains(&word.as_str()) && (!counted || *count > 0)
    });
    let mut result = Map::new();
    result.insert("executed_queries".into(), json!(list));
    result.insert("query_result".into(), answers.iter().map(|(rows, _)| json!(rows)).collect());
    result.insert("rowcount".into(), answers.iter().map(|(_, count)| json!(count)).collect());
    let mut outcome = Outcome::new(if changed { Ending::Changed } else { Ending::Ok }, result);
    if changed {
        outcome.changes.push(Change::run(ResourceId::new("query", MysqlQuery::describe(args))));
    }
    outcome
}

impl Command for MysqlQuery {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let list = queries(args)?;
        if host.acts() || !list.iter().all(|statement| looks(statement)) {
            return Ok(None);
        }
        let text = script(args, &list).iter().fold("START TRANSACTION READ ONLY;\n".to_owned(), |text, line| text + line + ";\n");
        let answered = match login(args).ask(&text, host) {
            Ok(answered) => answered,
            // It may need what earlier tasks would have made.
            Err(_) if host.has_plans() => None,
            Err(failure) => return Err(failure),
        };
        Ok(answered
            .map(|results| answers(&results))
            .filter(|answers| answers.len() == list.len())
            .map(|answers| outcome(args, &list, &answers)))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let list = queries(args)?;
        let results = login(args).act(&script(args, &list), &[], host)?;
        let answers = answers(&results);
        if answers.len() != list.len() {
            return Err(Failure::new("cannot read what the client answered"));
        }
        Ok(outcome(args, &list, &answers))
    }

    fn is_change(args: &Args) -> bool {
        !queries(args).is_ok_and(|list| list.iter().all(|statement| looks(statement)))
    }

    fn describe(args: &Args) -> String {
        match &args.query {
            Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(100).collect(),
            _ => format!("queries in {}", args.login().place(args.login_db.as_deref().unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parted_by_their_counts() {
        let row = |name: &str, value: Option<&str>| Row::from([(name.to_owned(), value.map(str::to_owned))]);
        let count = |count: &str| vec![row("stead rows", Some(count))];
        let results =
            [vec![row("a", Some("1")), row("a", Some("01"))], count("-1"), count("3"), vec![row("b", None)], count("-1")];
        let expected = vec![(vec![json!({"a": 1}), json!({"a": "01"})], 2), (vec![], 3), (vec![json!({"b": null})], 1)];
        assert_eq!(answers(&results), expected);
    }
}
