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

    /// Decides without looking at the state whether there is anything to do (`creates`): the outcome if
    /// not (usually skipped), `None` if there may be.
    fn guard(args: &Self::Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let _ = (args, host);
        Ok(None)
    }

    /// What is done before the state is read, because it decides what there is to see (refreshing
    /// package lists, reloading unit files).
    fn prepare(args: &Self::Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let _ = (args, host);
        Ok(Prepared::default())
    }

    /// Looks at the host.
    fn read(args: &Self::Args, host: &dyn Inspect) -> Result<Self::State, Failure>;

    /// The state that the options ask for, given what is there.
    fn want(args: &Self::Args, now: &Self::State) -> Result<Self::State, Failure>;

    /// What is run once beside closing the difference (a restart): a change every time.
    fn runs(args: &Self::Args, now: &Self::State, want: &Self::State) -> Vec<Change> {
        let _ = (args, now, want);
        Vec::new()
    }

    /// Closes the difference between `now` and `want` and does the `runs`; called only when there
    /// is something to do.
    fn write(args: &Self::Args, step: &Step<'_, Self::State>, host: &mut dyn Host) -> Result<Written, Failure>;

    /// Whether a difference that is left after writing is no failure (a service that has done its
    /// work and ended).
    fn settled(args: &Self::Args, after: &Self::State) -> bool {
        let _ = (args, after);
        false
    }

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

/// What `prepare` did.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Changes that count as such.
    pub changes: Vec<Change>,
    /// Result fields.
    pub result: Map<String, Value>,
    /// Things worth saying.
    pub warnings: Vec<String>,
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
    if let Some(outcome) = R::guard(args, host.inspect())? {
        return Ok(outcome);
    }
    let mut prepared = R::prepare(args, host)?;
    let now = R::read(args, host)?;
    let want = R::want(args, &now)?;
    let wanted = want.resources();
    let mut changes = change::compare(&now.resources(), &wanted);
    changes.extend(R::runs(args, &now, &want));
    let record = change::record(&wanted);
    if changes.is_empty() {
        let mut result = R::result(args, &now, &now);
        result.extend(prepared.result);
        let ending = if prepared.changes.is_empty() { Ending::Ok } else { Ending::Changed };
        return Ok(Outcome { ending, result, changes: prepared.changes, wanted: record, warnings: prepared.warnings });
    }
    let written = R::write(args, &Step { now: &now, want: &want, changes: &changes }, host)?;
    let after = R::read(args, host)?;
    let again = R::want(args, &after)?;
    let left = change::compare(&after.resources(), &again.resources());
    if let Some(rest) = left.first().filter(|_| !R::settled(args, &after)) {
        let properties: Vec<&str> = rest.differences.iter().map(|difference| difference.property.as_str()).collect();
        return Err(Failure::new(format!("not converged: {} still differs in {}", rest.resource, properties.join(", "))));
    }
    let mut result = R::result(args, &now, &after);
    result.extend(prepared.result);
    result.extend(written.result);
    prepared.changes.extend(changes);
    prepared.warnings.extend(written.warnings);
    Ok(Outcome { ending: Ending::Changed, result, changes: prepared.changes, wanted: record, warnings: prepared.warnings })
}
