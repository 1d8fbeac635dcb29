//! `fail`: ends with a message.

use stead_modules::args;

use super::{ActionContext, Done};

args! {
    /// Fails with a message, usually under a condition.
    pub struct Args {
        /// What is said; default: `Failed as requested from task`.
        msg: Option<serde_json::Value>,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Done {
    let Some(text) = context.text("msg") else { return Done::failed("Failed as requested from task") };
    let mut done = Done::failed(text);
    // The result keeps what was given: a list stays a list.
    done.result.extend(context.options.get("msg").map(|value| ("msg".into(), value.clone())));
    done
}
