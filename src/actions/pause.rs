//! `pause`: waits for a time or for a person.

use std::time::Duration;

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::session::Echo;
use crate::vars::{Map, Value};

args! {
    /// Waits for a time, or for an answer at the terminal.
    pub struct Args {
        /// Seconds.
        seconds: Option<f64>,
        /// Minutes.
        minutes: Option<f64>,
        /// The question.
        prompt: Option<String>,
        /// Whether the answer is shown while it is typed.
        echo: bool = true,
    }
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let number = |name: &str| {
        context
            .text(name)
            .map(|text| text.trim().parse::<f64>().map_err(|_| format!("option `{name}`: expected a number, found `{text}`")))
    };
    let (seconds, minutes) = (number("seconds").transpose(), number("minutes").transpose());
    let wait = match (seconds, minutes) {
        (Err(problem), _) | (_, Err(problem)) => return Ok(Done::failed(problem)),
        (Ok(seconds), Ok(minutes)) => seconds.or(minutes.map(|minutes| minutes * 60.0)),
    };
    let mut done = Done::new(Ending::Ok, Map::new());
    let begun = (std::time::Instant::now(), jiff::Zoned::now());
    done.result.insert("rc".into(), Value::Int(0));
    let shown = context.flag("echo", true).unwrap_or(true);
    let echo = if shown { Echo::Shown } else { Echo::Hidden };
    done.result.insert("echo".into(), Value::Bool(shown));
    done.result.insert("stderr".into(), Value::from(""));
    let mut answer = String::new();
    if let Some(seconds) = wait {
        if !context.plan {
            super::sleep(Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))).await;
        }
        done.result.insert("stdout".into(), Value::from(format!("Paused for {seconds} seconds")));
    } else if context.plan {
        return Err(ActionError::Unknown("the answer to a question that a plan does not ask".into()));
    } else {
        let question = context.text("prompt").unwrap_or_else(|| "Press enter to continue, Ctrl+C to interrupt".to_owned());
        let ask = context.ask.cloned();
        let asked = tokio::task::spawn_blocking(move || ask.and_then(|ask| ask.ask(&format!("{question}: "), echo)));
        match asked.await.ok().flatten() {
            Some(text) => answer = text.reveal().to_owned(),
            None => done.warnings.push("not waiting for an answer: there is no terminal".to_owned()),
        }
    }
    let time = |at: &jiff::Zoned| Value::from(at.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string());
    done.result.insert("start".into(), time(&begun.1));
    done.result.insert("stop".into(), time(&jiff::Zoned::now()));
    done.result.insert("delta".into(), Value::Int(begun.0.elapsed().as_secs() as i64));
    done.result.insert("user_input".into(), Value::from(answer));
    Ok(done)
}
