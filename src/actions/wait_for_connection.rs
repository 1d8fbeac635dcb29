//! `wait_for_connection`: waits until a host can be worked on.

use std::time::Duration;

use serde_json::Map as JsonMap;
use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Agent, Done};
use crate::session::SessionError;
use crate::vars::{Map, Value};

args! {
    /// Waits until a host can be logged in to and answers, for instance while it starts. A plan waits, too.
    pub struct Args {
        /// Seconds before the first attempt.
        delay: u64 = 0,
        /// Seconds after which it is a failure.
        timeout: u64 = 600,
        /// Seconds between attempts.
        sleep: u64 = 1,
        /// Seconds that one attempt may take.
        connect_timeout: u64 = 5,
    }
}

/// The options of an action, or what is wrong with them.
pub(super) fn options<A: stead_modules::args::Arguments>(context: &ActionContext<'_>) -> Result<Result<A, Done>, ActionError> {
    Ok(A::parse(&context.json_options()?).map_err(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Done::failed(list.join("; "))
    }))
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let args = match options::<Args>(context)? {
        Ok(args) => args,
        Err(done) => return Ok(done),
    };
    Ok(wait(&args, context.agent).await)
}

async fn wait(args: &Args, agent: &dyn Agent) -> Done {
    let begun = tokio::time::Instant::now();
    super::sleep(Duration::from_secs(args.delay)).await;
    let mut first = true;
    loop {
        let error = match attempt(args, agent, first).await {
            Ok(()) => {
                let mut done = Done::new(Ending::Ok, Map::new());
                done.result.insert("elapsed".into(), Value::Int(begun.elapsed().as_secs() as i64));
                return done;
            }
            Err(error) => error,
        };
        first = false;
        if begun.elapsed() >= Duration::from_secs(args.timeout) {
            let mut done = Done::failed(format!("timed out waiting for ping module test: {error}"));
            done.result.insert("elapsed".into(), Value::Int(begun.elapsed().as_secs() as i64));
            return done;
        }
        super::sleep(Duration::from_secs(args.sleep)).await;
    }
}

/// One attempt: over what is there the first time, over a new connection from then on.
async fn attempt(args: &Args, agent: &dyn Agent, first: bool) -> Result<(), SessionError> {
    if !first {
        agent.reconnect(Some(Duration::from_secs(args.connect_timeout.max(1)))).await?;
    }
    agent.module("ping", JsonMap::new()).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::reboot::tests::Machine;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_host_that_comes_up_is_waited_for() {
        let args = Args { delay: 3, timeout: 60, sleep: 1, connect_timeout: 5 };
        let done = wait(&args, &Machine::down_for(4)).await;
        assert_eq!((done.ending, done.result.get("elapsed")), (Ending::Ok, Some(&Value::Int(7))));
        let done = wait(&args, &Machine::down_for(1_000)).await;
        assert_eq!(done.ending, Ending::Failed);
        assert!(done.message.is_some_and(|text| text.ends_with("connection refused")));
    }
}
