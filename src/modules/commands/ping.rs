//! `ping`: shows that a host can be reached and that the agent runs there.

use serde_json::{Map, Value};

use crate::args;
use crate::host::Inspect;
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Answers `pong` if the host can be reached and the agent runs there. Nothing is touched.
    pub struct Args {
        /// What comes back as `ping`; `crash` makes the module fail.
        data: String = "pong".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Is it there
  ping:
- name: Send something else back
  ping:
    data: marco
";

/// The module.
pub struct Ping;

impl Query for Ping {
    type Args = Args;

    fn query(args: &Args, _: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        if args.data == "crash" {
            return Err(Failure::new("boom"));
        }
        Ok(Map::from_iter([("ping".to_owned(), Value::from(args.data.as_str()))]))
    }
}
