//! Doing it: events, scheduler, dispatch.

pub mod event;
