//! The reference of modules, generated from the same tables that check and run them.

mod page;
mod render;

pub use page::{Page, Performed, find, modules};
pub use render::{list, markdown, text};
