//! The same text through ansible-core and through stead, compared.

mod ansible;
mod expressions;
mod inventory;
#[path = "../pages/mod.rs"]
mod pages;
mod playbooks;
mod scalars;
