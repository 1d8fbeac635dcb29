//! Roles and collections from elsewhere: `requirements.yml` is read, what it names is fetched (git,
//! archives, directories), locked by content, verified later, and installed again without a network.

mod archive;
mod fetch;
mod install;
mod lock;
mod requirements;
mod tree;

pub use archive::ArchiveError;
pub use fetch::FetchError;
pub use install::{Installed, Installer, Problem, Verdict, verify};
pub use lock::{Lock, LockError, Locked};
pub use requirements::{Kind, Requirement, Source, read};
pub use tree::TreeError;
