//! `debug`: shows a text or a variable.

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::template::TemplateErrorKind;
use crate::vars::{Map, Value};

args! {
    /// Shows a text or the value of a variable.
    pub struct Args {
        /// What is shown; default: `Hello world!`.
        msg: Option<serde_json::Value>,
        /// A variable or expression whose value is shown.
        var: Option<serde_json::Value>,
        /// Shown only from this `-v` level on.
        verbosity: i64 = 0,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let level = context.text("verbosity").and_then(|text| text.parse::<u8>().ok()).unwrap_or(0);
    if level > context.verbosity {
        let mut done = Done::new(Ending::Skipped, Map::new());
        done.message = Some(format!("shown from verbosity {level} on"));
        return Ok(done);
    }
    let (name, value) = if let Some(var) = context.text("var") {
        let span = context.action.option("var").map_or(context.action.span, |node| node.span);
        let value = match context.renderer.expression(&var, span, context.scope) {
            Ok(value) => value,
            // As Ansible shows it.
            Err(error) if error.kind == TemplateErrorKind::Undefined => {
                let is_name = var.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                let why = if is_name { format!("'{var}' is undefined") } else { error.message };
                Value::from(format!("<< error 1 - {why} >>"))
            }
            Err(error) => return Err(ActionError::Template(error, span)),
        };
        (var, value)
    } else {
        ("msg".to_owned(), context.options.get("msg").cloned().unwrap_or_else(|| Value::from("Hello world!")))
    };
    if let Value::Unknown(reason) = &value {
        return Err(ActionError::Unknown(reason.clone()));
    }
    let mut done = Done::new(Ending::Ok, Map::new());
    let shown = value.to_string();
    done.message = Some(if name == "msg" { shown } else { format!("{name}: {shown}") });
    done.result.insert(name.into(), value);
    Ok(done)
}
