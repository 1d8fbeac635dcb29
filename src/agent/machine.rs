//! The worker that does tasks on this machine: really, or on the overlay of a plan.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use stead_modules::host::Host;
use stead_modules::host::overlay::Overlay;
use stead_modules::host::real::RealHost;
use stead_modules::outcome::{Failure, Outcome};
use stead_modules::registry;

use crate::blobs::{Blobs, Offered};
use crate::job;
use crate::serve::Worker;
use crate::wire::{Mode, Task};

/// This machine. Planned tasks share one overlay, so that later ones see what earlier ones would
/// have done.
#[derive(Debug)]
pub struct Machine {
    blobs: Blobs,
    real: RealHost,
    plan: Option<Overlay<RealHost>>,
}

impl Machine {
    /// This machine, with content from `blobs`.
    pub fn new(blobs: Blobs) -> Self {
        Self { real: real(&blobs), blobs, plan: None }
    }
}

fn real(blobs: &Blobs) -> RealHost {
    let blobs = blobs.clone();
    RealHost::new(Box::new(move |sha256| blobs.get(sha256)))
}

impl Worker for Machine {
    fn run(&mut self, task: &Task) -> Outcome {
        self.blobs.expect(offered(&task.options));
        let environment = environment(&task.environment);
        let deadline = task.timeout.and_then(|seconds| Instant::now().checked_add(Duration::from_secs(seconds)));
        match task.mode {
            Mode::Apply => {
                self.real.begin_task(environment, deadline);
                match &task.job {
                    Some(job) => job::start(task, job, &self.real),
                    None => run_module(task, &mut self.real),
                }
            }
            Mode::Plan => {
                let plan = self.plan.get_or_insert_with(|| Overlay::new(real(&self.blobs)));
                plan.below_mut().begin_task(environment, deadline);
                if task.in_doubt {
                    plan.doubt();
                }
                run_module(task, plan)
            }
        }
    }
}

/// Does a task that is a job on this machine: no content can be asked for.
pub fn work(task: &Task) -> Outcome {
    let mut host = RealHost::new(Box::new(|_| Err(Failure::new("a job cannot get content from the controller"))));
    host.begin_task(environment(&task.environment), None);
    run_module(task, &mut host)
}

/// Runs a task's module on a host.
pub fn run_module(task: &Task, host: &mut dyn Host) -> Outcome {
    match registry::find(&task.module) {
        Some(module) => (module.run)(&task.options, host),
        None => Outcome::failed(Failure::new(format!("the agent has no module named `{}`", task.module))),
    }
}

/// The content that the controller offers with a task, in the order of its options.
fn offered(options: &Map<String, Value>) -> Vec<Offered> {
    fn collect(value: &Value, found: &mut Vec<Offered>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(map) => match (map.get("sha256").and_then(Value::as_str), map.get("size").and_then(Value::as_u64)) {
                (Some(sha256), Some(size)) => found.push((sha256.to_owned(), size)),
                _ => map.values().for_each(|value| collect(value, found)),
            },
            _ => {}
        }
    }
    let mut found = Vec::new();
    options.iter().filter(|(name, _)| name.starts_with("stead_")).for_each(|(_, value)| collect(value, &mut found));
    found
}

/// Variables as text; `null` takes part as an empty text.
fn environment(variables: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        // As Python spells them, which playbooks are used to.
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    };
    variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_text() {
        let variables = serde_json::json!({"a": "x", "b": 1, "c": true, "d": null});
        let text = environment(variables.as_object().unwrap());
        assert_eq!(text.into_values().collect::<Vec<_>>(), ["x", "1", "True", ""]);
    }
}
