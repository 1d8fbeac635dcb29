//! Archives: what is in them, and where it may go.

pub(crate) mod choose;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod zip;
