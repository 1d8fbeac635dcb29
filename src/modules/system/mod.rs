//! Settings of the system as a whole.

use crate::registry::{self, Module};

pub mod authorized_key;
pub mod cron;
#[cfg(test)]
pub(crate) mod fixture;
pub mod getent;
pub mod hostname;
pub mod modprobe;
pub mod sysctl;
pub(crate) mod text_file;
pub mod timezone;
pub(crate) mod tool;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<authorized_key::AuthorizedKey>("authorized_key", authorized_key::EXAMPLES),
    registry::resource::<cron::Cron>("cron", cron::EXAMPLES),
    registry::query::<getent::Getent>("getent", getent::EXAMPLES),
    registry::resource::<hostname::Hostname>("hostname", hostname::EXAMPLES),
    registry::resource::<modprobe::Modprobe>("modprobe", modprobe::EXAMPLES),
    registry::resource::<sysctl::Sysctl>("sysctl", sysctl::EXAMPLES),
    registry::resource::<timezone::Timezone>("timezone", timezone::EXAMPLES),
];
