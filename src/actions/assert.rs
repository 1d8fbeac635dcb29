//! `assert`: conditions that must hold.

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::source::Node;
use crate::template::Truth;
use crate::vars::{Map, Value};

args! {
    /// Fails unless all conditions hold.
    pub struct Args {
        /// Conditions, written as in `when`.
        that: Vec<serde_json::Value>,
        /// Said when one does not hold.
        fail_msg ("msg"): Option<serde_json::Value>,
        /// Said when all hold.
        success_msg: Option<serde_json::Value>,
        /// Say nothing when all hold.
        quiet: bool = false,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let Some(that) = context.action.option("that") else { return Ok(Done::failed("`assert` needs option `that`")) };
    let conditions: &[Node] = that.as_list().unwrap_or(std::slice::from_ref(that));
    for condition in conditions {
        let text = condition.as_str().map_or_else(|| condition.kind().to_owned(), str::to_owned);
        match context
            .renderer
            .condition(condition, context.scope)
            .map_err(|error| ActionError::Template(error, condition.span))?
        {
            Truth::Yes => {}
            Truth::Unknown(reason) => return Err(ActionError::Unknown(reason)),
            Truth::No => {
                let message = ["fail_msg", "msg"]
                    .iter()
                    .find_map(|name| context.text(name))
                    .unwrap_or_else(|| "Assertion failed".to_owned());
                let mut done = Done::failed(message);
                done.hint = Some(format!("this does not hold: `{text}`"));
                done.result.insert("assertion".into(), Value::from(text));
                done.result.insert("evaluated_to".into(), Value::Bool(false));
                return Ok(done);
            }
        }
    }
    let message = context.text("success_msg").unwrap_or_else(|| "All assertions passed".to_owned());
    Ok(Done::new(Ending::Ok, Map::from_iter([("msg".into(), Value::from(message))])))
}
