//! `async` and `poll`: tasks that run on their host as jobs, and how the controller waits for them.

use std::time::Duration;

use rand::RngExt as _;
use serde_json::{Map as JsonMap, Value as Json};
use stead_agent::wire;
use stead_modules::outcome::{Ending, Outcome};

use super::task::{HostAgent, TaskRun};
use crate::actions::{ActionError, Done};
use crate::vars::{Map, Scope, Value};

impl TaskRun {
    /// Starts the task as a job that may take `limit` seconds, and waits for it unless `poll` is 0.
    pub(super) async fn as_job(
        &self,
        agent: &HostAgent<'_>,
        options: JsonMap<String, Json>,
        limit: f64,
        scope: &Scope,
    ) -> Result<Done, ActionError> {
        let name = format!("j{}", rand::rng().random_range(100_000_000_000_u64..1_000_000_000_000));
        let job = wire::Job { name, seconds: limit.ceil() as u64 };
        let started = agent.perform(&self.task.action.module, options, Some(job)).await?;
        let poll = self.number(self.task.poll.as_ref(), scope).unwrap_or(self.run.settings.language.poll_interval as f64);
        if poll <= 0.0 || started.ending == Ending::Failed {
            return Ok(Done::from(started));
        }
        let jid = started.result.get("ansible_job_id").cloned().unwrap_or_default();
        let ask = |mode: &str| JsonMap::from_iter([("jid".to_owned(), jid.clone()), ("mode".to_owned(), mode.into())]);
        let mut left = limit;
        while left > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(poll)).await;
            let status = agent.perform("async_status", ask("status"), None).await?;
            if has_ended(&status) {
                // What is kept of it has been read; that it cannot be removed changes nothing.
                let _ = agent.perform("async_status", ask("cleanup"), None).await?;
                return Ok(Done::from(status));
            }
            left -= poll;
            if left <= 0.0 {
                return Ok(too_long(limit, status));
            }
        }
        Ok(too_long(limit, started))
    }
}

fn has_ended(status: &Outcome) -> bool {
    status.ending == Ending::Failed || status.result.get("finished") == Some(&Json::Bool(true))
}

fn too_long(limit: f64, status: Outcome) -> Done {
    let mut done = Done::failed(format!("async task did not complete within the requested time - {limit}s"));
    let result: Map = status.result.into_iter().map(|(name, value)| (name.into(), Value::from(value))).collect();
    done.result.insert("async_result".into(), Value::from(result));
    done
}
