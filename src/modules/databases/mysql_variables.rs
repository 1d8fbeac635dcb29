//! `mysql_variables`: a global variable of a MySQL or MariaDB server.

use serde_json::{Map, Value, json};

use super::mysql::{field, identifier, literal, mysql_args};
use crate::change::{ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

choice! {
    /// Where a value is set.
    pub enum Mode {
        /// In the running server.
        Global = "global",
        /// There, and in the file that it reads at its start (MySQL 8).
        Persist = "persist",
        /// Only in that file.
        PersistOnly = "persist_only",
    }
}

mysql_args! {
    /// Looks at a global variable of a MySQL or MariaDB server, and sets it where a value is given.
    pub struct Args {
        /// Name of the variable.
        variable: String,
        /// Its value; missing: it is only looked at.
        value: Option<String>,
        /// Where it is set.
        mode: Mode = Mode::Global,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A look
  mysql_variables:
    variable: version
  register: version
- name: A value
  mysql_variables:
    variable: max_connections
    value: '300'
";

/// The module.
pub struct MysqlVariables;

/// The variable as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    variable: Object,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.variable.resource(&["value"])]
    }
}

fn id(args: &Args) -> ResourceId {
    ResourceId::new("mysql_variable", args.login().place(&args.variable))
}

/// A value in one spelling: `on` is 1, and a number is a number.
fn normal(value: &str) -> String {
    match value.to_lowercase().as_str() {
        "on" | "true" | "yes" => "1".into(),
        "off" | "false" | "no" => "0".into(),
        _ => value.parse::<f64>().map_or_else(|_| value.to_owned(), |number| number.to_string()),
    }
}

/// The value as SQL: numbers and words of the server bare, everything else quoted.
fn sql(value: &str) -> String {
    let bare = value.parse::<f64>().is_ok() || ["on", "off", "default"].contains(&value.to_lowercase().as_str());
    if bare { value.to_owned() } else { literal(value) }
}

impl Resource for MysqlVariables {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.variable.is_empty() || !args.variable.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            return Err(Failure::new(format!("`{}` is no name of a variable", args.variable)));
        }
        let id = id(args);
        if let Some(variable) = Object::planned(&id, host) {
            return Ok(State { variable });
        }
        let query = match args.mode {
            Mode::Global | Mode::Persist => format!("SHOW GLOBAL VARIABLES WHERE Variable_name = {}", literal(&args.variable)),
            Mode::PersistOnly => format!(
                "SELECT variable_name AS Variable_name, variable_value AS Value FROM performance_schema.persisted_variables \
                 WHERE variable_name = {}",
                literal(&args.variable)
            ),
        };
        let rows = args.login().rows(&query, host)?;
        let variable = match rows.as_ref().and_then(|rows| rows.first()) {
            Some(row) => Object::present(id, properties([("value", field(row, "Value").into())])),
            None => Object::absent(id),
        };
        Ok(State { variable })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let Some(value) = &args.value else { return Ok(now.clone()) };
        let same = now.variable.exists() && normal(now.variable.text("value")) == normal(value);
        let value = if same { now.variable.get("value").clone() } else { json!(value) };
        Ok(State { variable: Object::present(now.variable.id.clone(), properties([("value", value)])) })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let names: Vec<String> = args.variable.split('.').map(identifier).collect();
        let word = args.mode.word().to_uppercase();
        let statement = format!("SET {word} {} = {}", names.join("."), sql(args.value.as_deref().unwrap_or_default()));
        let effects = [step.want.variable.effect(&step.now.variable)];
        args.login().act(std::slice::from_ref(&statement), &effects, host)?;
        Ok(Written::quiet().with("queries", vec![statement]))
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let value = after.variable.text("value");
        let message = match args.value {
            None => json!([[args.variable, value]]),
            Some(_) => format!("Variable is {value}").into(),
        };
        properties([
            ("msg", message),
            ("variable", args.variable.as_str().into()),
            ("value", value.into()),
            ("queries", json!([])),
        ])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(args)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_one_spelling() {
        for (one, other, same) in
            [("ON", "1", true), ("off", "0", true), ("1.50", "1.5", true), ("300", "301", false), ("a", "A", false)]
        {
            assert_eq!(normal(one) == normal(other), same, "{one} {other}");
        }
        assert_eq!([sql("300"), sql("ON"), sql("a'b")], ["300", "ON", "'a''b'"]);
    }
}
