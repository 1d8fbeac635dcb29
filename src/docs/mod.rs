//! The manual: the reference of modules, generated from the same tables that check and run them, and pages about
//! the rest.

pub mod ansible_doc;
mod page;
mod pages;
mod render;

pub use page::{Page, Performed, find, modules};
pub use pages::{Topic, topic, topics};
pub use render::{list, markdown, text};
