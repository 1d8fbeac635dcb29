//! Archives: what is in them, and where it may go.

pub(crate) mod choose;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod read;
pub(crate) mod source;
pub(crate) mod zip;
