//! overlay host.
