//! The contract of modules that manage state, and `converge`, the only code that compares.

use serde_json::{Map, Value};

use crate::args::Arguments;
use crate::change::{self, Change, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

/// A module that manages state: three short functions and no idea whether it is a dry run.
///
/// `read` looks and never touches; `want` decides and is pure; `write` closes the difference.
/// [`converge`] compares, reports, and reads again afterwards.
pub trait Resource {
    /// The options, declared with [`args!`](crate::args!).
    type Args: Arguments;
    /// Everything that `want` and `write` need to know about the host.
    type State: State;

    /// Looks at the host.
    fn read(args: &Self::Args, host: &dyn Inspect) -> Result<Self::State, Failure>;

    /// The state that the options ask for, given what is there.
    fn want(args: &Self::Args, now: &Self::State) -> Result<Self::State, Failure>;

    /// Closes the difference between `now` and `want`; called only when there is one.
    fn write(args: &Self::Args, step: &Step<'_, Self::State>, host: &mut dyn Host) -> Result<Written, Failure>;

    /// The result fields that playbooks read, the same names that the Ansible namesake returns.
    /// `after` is the state read after writing (or the wanted one if nothing was written).
    fn result(args: &Self::Args, before: &Self::State, after: &Self::State) -> Map<String, Value> {
        let _ = (args, before, after);
        Map::new()
    }

    /// What this task touches, for the graph and for locks: no look at the host.
    fn claims(args: &Self::Args) -> Claims {
        let _ = args;
        Claims::default()
    }
}

/// A state as the resources and properties that are compared, reported and recorded.
pub trait State {
    /// The resources, in a stable order.
    fn resources(&self) -> Vec<ResourceState>;
}

/// What `write` is given.
#[derive(Debug)]
pub struct Step<'a, S> {
    /// The state that was read.
    pub now: &'a S,
    /// The state that is wanted.
    pub want: &'a S,
    /// The differences, resource by resource.
    pub changes: &'a [Change],
}

impl<S> Step<'_, S> {
    /// Whether any resource differs in this property.
    pub fn differs(&self, property: &str) -> bool {
        self.changes.iter().any(|change| change.differences.iter().any(|difference| difference.property == property))
    }
}

/// What `write` leaves behind beside the changed host.
#[derive(Debug, Default)]
pub struct Written {
    /// Result fields that only the act of writing knows (`backup_file`, `stdout` ...).
    pub result: Map<String, Value>,
    /// Things worth saying.
    pub warnings: Vec<String>,
}

impl Written {
    /// Nothing to say.
    pub fn quiet() -> Self {
        Self::default()
    }

    /// Adds a result field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.result.insert(field.into(), value.into());
        self
    }
}

/// Brings one resource to its wanted state and reports what was done.
///
/// On an overlay host this is a plan, on a real host an apply; it is the same code.
pub fn converge<R: Resource>(args: &R::Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let now = R::read(args, host)?;
    let want = R::want(args, &now)?;
    let wanted = want.resources();
    let changes = change::compare(&now.resources(), &wanted);
    let record = change::record(&wanted);
    if changes.is_empty() {
        let mut outcome = Outcome::new(Ending::Ok, R::result(args, &now, &now));
        outcome.wanted = record;
        return Ok(outcome);
    }
    let written = R::write(args, &Step { now: &now, want: &want, changes: &changes }, host)?;
    let after = R::read(args, host)?;
    let again = R::want(args, &after)?;
    let left = change::compare(&after.resources(), &again.resources());
    if let Some(rest) = left.first() {
        let properties: Vec<&str> = rest.differences.iter().map(|difference| difference.property.as_str()).collect();
        return Err(Failure::new(format!("not converged: {} still differs in {}", rest.resource, properties.join(", "))));
    }
    let mut result = R::result(args, &now, &after);
    result.extend(written.result);
    Ok(Outcome { ending: Ending::Changed, result, changes, wanted: record, warnings: written.warnings })
}
