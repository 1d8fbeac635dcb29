//! SELinux: its mode, and what an administrator adds to its policy.

use crate::registry::{self, Module};

mod policy;
pub mod seboolean;
pub mod sefcontext;
pub mod selinux_mode;
pub mod seport;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<seboolean::Seboolean>("seboolean", seboolean::EXAMPLES),
    registry::resource::<sefcontext::Sefcontext>("sefcontext", sefcontext::EXAMPLES),
    registry::resource::<selinux_mode::Selinux>("selinux", selinux_mode::EXAMPLES),
    registry::resource::<seport::Seport>("seport", seport::EXAMPLES),
];
