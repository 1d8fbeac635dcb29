//! The steps of building a graph, one file each.

mod barriers;
mod claims;
mod cycles;
mod data;
mod nodes;
mod notify;
mod order;
mod rescue;

pub(super) use barriers::barriers;
pub(super) use claims::claims;
pub(super) use cycles::cycles;
pub(super) use data::data;
pub(super) use nodes::nodes;
pub(super) use notify::notify;
pub(super) use order::order;
pub(super) use rescue::rescue;
