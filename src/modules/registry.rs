//! The one table of modules. The agent runs them from it; the tool checks, documents and lints
//! from it; the registry tests walk it.

use serde_json::{Map, Value};

use crate::args::{ArgError, Arguments, Field};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::command::Command;
use crate::host::Host;
use crate::outcome::{Ending, Failure, Outcome};
use crate::query::Query;
use crate::resource::{Resource, converge};

/// By which contract a module works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contract {
    /// Manages state; fully planned.
    Resource,
    /// Only looks; runs in a plan.
    Query,
    /// Does something once; unknown in a plan.
    Command,
}

/// One module, whatever its contract.
pub struct Module {
    /// Its plain name in playbooks (without collection).
    pub name: &'static str,
    /// By which contract it works.
    pub contract: Contract,
    /// Its options.
    pub fields: fn() -> Vec<Field>,
    /// Its manual text.
    pub doc: fn() -> &'static str,
    /// YAML list of tasks; every one is a test.
    pub examples: &'static str,
    /// Checks options without a host.
    pub check: fn(&Map<String, Value>) -> Vec<ArgError>,
    /// What a task with these options touches.
    pub claims: fn(&Map<String, Value>) -> Claims,
    /// Runs it.
    pub run: fn(&Map<String, Value>, &mut dyn Host) -> Outcome,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("name", &self.name).field("contract", &self.contract).finish_non_exhaustive()
    }
}

fn parse<A: Arguments>(options: &Map<String, Value>) -> Result<A, Failure> {
    A::parse(options).map_err(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(list.join("; "))
    })
}

// The agent only runs modules. What the tool asks of them beforehand would be a tenth of it.
#[cfg(any(test, feature = "docs"))]
fn described<A: Arguments>() -> Vec<Field> {
    A::fields()
}

#[cfg(not(any(test, feature = "docs")))]
#[expect(clippy::extra_unused_type_parameters, reason = "the same call with and without the manual")]
fn described<A: Arguments>() -> Vec<Field> {
    Vec::new()
}

#[cfg(any(test, feature = "docs"))]
fn check<A: Arguments>(options: &Map<String, Value>) -> Vec<ArgError> {
    A::parse(options).err().unwrap_or_default()
}

#[cfg(not(any(test, feature = "docs")))]
#[expect(clippy::extra_unused_type_parameters, reason = "the same call with and without the manual")]
fn check<A: Arguments>(_options: &Map<String, Value>) -> Vec<ArgError> {
    Vec::new()
}

#[cfg(any(test, feature = "docs"))]
fn claimed<A: Arguments>(options: &Map<String, Value>, claims: fn(&A) -> Claims) -> Claims {
    A::parse(options).map(|args| claims(&args)).unwrap_or_default()
}

#[cfg(not(any(test, feature = "docs")))]
fn claimed<A: Arguments>(_options: &Map<String, Value>, _claims: fn(&A) -> Claims) -> Claims {
    Claims::default()
}

/// A resource module for the table.
pub const fn resource<R: Resource>(name: &'static str, examples: &'static str) -> Module {
    Module {
        name,
        contract: Contract::Resource,
        fields: described::<R::Args>,
        doc: R::Args::doc,
        examples: crate::args::doc(examples),
        check: check::<R::Args>,
        claims: |options| claimed(options, R::claims),
        run: |options, host| {
            parse::<R::Args>(options).and_then(|args| converge::<R>(&args, host)).unwrap_or_else(Outcome::failed)
        },
    }
}

/// A query module for the table.
pub const fn query<Q: Query>(name: &'static str, examples: &'static str) -> Module {
    Module {
        name,
        contract: Contract::Query,
        fields: described::<Q::Args>,
        doc: Q::Args::doc,
        examples: crate::args::doc(examples),
        check: check::<Q::Args>,
        claims: |_| Claims::default(),
        run: |options, host| {
            parse::<Q::Args>(options).and_then(|args| Q::query(&args, host.inspect())).map_or_else(Outcome::failed, looked)
        },
    }
}

/// The outcome of a query; its `warnings` are things worth saying, not a result.
fn looked(mut result: Map<String, Value>) -> Outcome {
    let warnings = match result.remove("warnings") {
        Some(Value::Array(texts)) => texts.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    Outcome { warnings, ..Outcome::new(Ending::Ok, result) }
}

/// A command module for the table.
pub const fn command<C: Command>(name: &'static str, examples: &'static str) -> Module {
    Module {
        name,
        contract: Contract::Command,
        fields: described::<C::Args>,
        doc: C::Args::doc,
        examples: crate::args::doc(examples),
        check: check::<C::Args>,
        claims: |options| claimed(options, C::claims),
        run: |options, host| {
            parse::<C::Args>(options).and_then(|args| run_command::<C>(&args, host)).unwrap_or_else(Outcome::failed)
        },
    }
}

fn run_command<C: Command>(args: &C::Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
    if let Some(outcome) = C::guard(args, host.inspect())? {
        return Ok(outcome);
    }
    if host.acts() {
        return C::run(args, host);
    }
    let mut outcome = Outcome::new(Ending::Unknown, Map::new());
    if C::is_change(args) {
        outcome.changes.push(Change::run(ResourceId::new("command", C::describe(args))));
    }
    Ok(outcome)
}

/// All modules, sorted by name.
pub fn all() -> &'static [&'static Module] {
    static ALL: std::sync::OnceLock<Vec<&'static Module>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<&'static Module> = FAMILIES.iter().copied().flatten().collect();
        all.sort_by_key(|module| module.name);
        all
    })
}

/// Modules that playbooks do not call: the controller calls them for others.
pub const INTERNAL: &[&str] = &["bridge"];

/// The module of this plain name.
pub fn find(name: &str) -> Option<&'static Module> {
    let all = all();
    all.binary_search_by(|module| module.name.cmp(name)).ok().map(|at| all[at])
}

/// Each family's own table stands in its `mod.rs`.
static FAMILIES: &[&[Module]] = &[
    crate::accounts::MODULES,
    crate::commands::MODULES,
    crate::containers::MODULES,
    crate::crypto::MODULES,
    crate::databases::MODULES,
    crate::facts::MODULES,
    crate::files::MODULES,
    crate::network::MODULES,
    crate::packages::MODULES,
    crate::selinux::MODULES,
    crate::services::MODULES,
    crate::source::MODULES,
    crate::storage::MODULES,
    crate::system::MODULES,
    crate::web::MODULES,
];

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
