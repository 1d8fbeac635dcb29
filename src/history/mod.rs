//! Records of runs on the controller: every event, and the last applied state of every resource.

mod recorder;
mod schema;
mod store;

pub use recorder::{Clock, Problem, Recorder};
pub use store::{Applied, HistoryError, RunRecord, Sighting, Store, applied};
