//! Files, directories, links and what is in them.

use crate::registry::{self, Module};

pub mod acl;
pub mod archive;
pub mod assemble;
pub(crate) mod attributes;
pub mod blockinfile;
pub mod copy;
pub mod copy_tree;
pub(crate) mod crypt;
pub(crate) mod edit;
pub mod fetch;
pub mod file;
pub mod find;
pub mod htpasswd;
pub(crate) mod ini;
pub mod ini_file;
pub mod known_hosts;
pub mod lineinfile;
pub mod mode;
pub mod offer;
pub(crate) mod packed;
pub mod patch;
pub(crate) mod paths;
pub(crate) mod pattern;
pub mod replace;
pub mod slurp;
pub mod stat;
pub(crate) mod state;
pub mod synchronize;
pub mod tempfile;
pub mod template;
pub(crate) mod times;
pub mod tree;
pub mod unarchive;
pub mod xattr;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<acl::Acl>("acl", acl::EXAMPLES),
    registry::resource::<archive::Archive>("archive", archive::EXAMPLES),
    registry::resource::<assemble::Assemble>("assemble", assemble::EXAMPLES),
    registry::resource::<blockinfile::BlockInFile>("blockinfile", blockinfile::EXAMPLES),
    registry::resource::<copy::Copy>("copy", copy::EXAMPLES),
    registry::resource::<copy_tree::CopyTree>("copy_tree", copy_tree::EXAMPLES),
    registry::query::<fetch::Fetch>("fetch", fetch::EXAMPLES),
    registry::resource::<file::File>("file", file::EXAMPLES),
    registry::query::<find::Find>("find", find::EXAMPLES),
    registry::resource::<htpasswd::Htpasswd>("htpasswd", htpasswd::EXAMPLES),
    registry::resource::<ini_file::IniFile>("ini_file", ini_file::EXAMPLES),
    registry::resource::<known_hosts::KnownHosts>("known_hosts", known_hosts::EXAMPLES),
    registry::resource::<lineinfile::LineInFile>("lineinfile", lineinfile::EXAMPLES),
    registry::resource::<patch::Patch>("patch", patch::EXAMPLES),
    registry::resource::<replace::Replace>("replace", replace::EXAMPLES),
    registry::query::<slurp::Slurp>("slurp", slurp::EXAMPLES),
    registry::query::<stat::Stat>("stat", stat::EXAMPLES),
    registry::resource::<synchronize::Synchronize>("synchronize", synchronize::EXAMPLES),
    registry::command::<tempfile::TemporaryFile>("tempfile", tempfile::EXAMPLES),
    registry::resource::<template::Template>("template", template::EXAMPLES),
    registry::resource::<unarchive::Unarchive>("unarchive", unarchive::EXAMPLES),
    registry::resource::<xattr::Xattr>("xattr", xattr::EXAMPLES),
];
