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
    Done::failed(context.text("msg").unwrap_or_else(|| "Failed as requested from task".to_owned()))
}
