//! Doing it: events, scheduler, dispatch.

pub mod event;
pub mod scheduler;
pub mod summary;
