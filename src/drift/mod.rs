//! What moved since the last apply, and on which side: desired now, last applied, observed.

mod collect;
mod finding;
mod report;
mod severity;

pub use collect::Collector;
pub use finding::{Class, Finding};
pub use report::Report;
pub use severity::{Rated, Severity};
