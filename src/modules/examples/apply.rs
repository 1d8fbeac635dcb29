//! Applies one module to this machine: `apply MODULE '{"option": ...}'` prints the outcome as JSON;
//! with a third word `plan` nothing is touched.
//!
//! For tests that watch the system calls of a write, and for trying a module by hand.

use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};
use stead_modules::host::overlay::Overlay;
use stead_modules::host::real::RealHost;
use stead_modules::outcome::{Ending, Failure, Outcome};
use stead_modules::registry;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = apply(&words).unwrap_or_else(Outcome::failed);
    // Nobody may be listening.
    let _ = writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome).unwrap_or_default());
    ExitCode::from(u8::from(outcome.ending == Ending::Failed))
}

fn apply(words: &[String]) -> Result<Outcome, Failure> {
    let (name, options, plan) = match words {
        [name, options] => (name, options, false),
        [name, options, word] if word == "plan" => (name, options, true),
        _ => return Err(Failure::new("usage: apply MODULE OPTIONS [plan]")),
    };
    let module = registry::find(name).ok_or_else(|| Failure::new(format!("no module named `{name}`")))?;
    let options: Map<String, Value> = serde_json::from_str(options).map_err(|error| Failure::new(error.to_string()))?;
    let mut host = RealHost::new(Box::new(|sha256| Err(Failure::new(format!("content {sha256} was not offered")))));
    Ok(if plan { (module.run)(&options, &mut Overlay::new(host)) } else { (module.run)(&options, &mut host) })
}
