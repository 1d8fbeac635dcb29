//! Doing it: events, scheduler, dispatch.

pub mod connection;
pub mod dispatch;
pub mod escape;
pub mod event;
pub mod explain;
pub mod fact_cache;
pub mod facts;
pub mod handlers;
pub mod include;
pub mod job;
pub mod looping;
mod meta;
pub mod play;
pub mod redact;
pub mod result;
pub mod roster;
pub mod scheduler;
pub mod scope;
pub mod sealed;
pub mod settings;
pub mod state;
mod step;
pub mod summary;
pub mod tally;
pub mod task;

pub use play::run;
pub use settings::RunSettings;
