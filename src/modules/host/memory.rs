//! memory host.
