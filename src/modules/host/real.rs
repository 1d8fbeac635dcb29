//! real host.
