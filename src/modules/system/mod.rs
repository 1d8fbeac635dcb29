//! Settings of the system as a whole.

use crate::registry::{self, Module};

pub mod alternatives;
pub mod at;
pub mod authorized_key;
pub mod capabilities;
pub mod cron;
pub mod crontab;
pub mod cronvar;
#[cfg(test)]
pub(crate) mod fixture;
pub mod getent;
pub mod hostname;
pub mod kernel_blacklist;
pub mod locale_gen;
pub mod modprobe;
pub mod pam_limits;
mod pam_rule;
pub mod pamd;
mod ssh_block;
pub mod ssh_config;
pub mod sudoers;
pub mod sysctl;
pub(crate) mod text_file;
pub mod timezone;
pub(crate) mod tool;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<alternatives::Alternatives>("alternatives", alternatives::EXAMPLES),
    registry::resource::<at::At>("at", at::EXAMPLES),
    registry::resource::<authorized_key::AuthorizedKey>("authorized_key", authorized_key::EXAMPLES),
    registry::resource::<capabilities::Capabilities>("capabilities", capabilities::EXAMPLES),
    registry::resource::<cron::Cron>("cron", cron::EXAMPLES),
    registry::resource::<cronvar::Cronvar>("cronvar", cronvar::EXAMPLES),
    registry::query::<getent::Getent>("getent", getent::EXAMPLES),
    registry::resource::<hostname::Hostname>("hostname", hostname::EXAMPLES),
    registry::resource::<kernel_blacklist::KernelBlacklist>("kernel_blacklist", kernel_blacklist::EXAMPLES),
    registry::resource::<locale_gen::LocaleGen>("locale_gen", locale_gen::EXAMPLES),
    registry::resource::<modprobe::Modprobe>("modprobe", modprobe::EXAMPLES),
    registry::resource::<pam_limits::PamLimits>("pam_limits", pam_limits::EXAMPLES),
    registry::resource::<pamd::Pamd>("pamd", pamd::EXAMPLES),
    registry::resource::<ssh_config::SshConfig>("ssh_config", ssh_config::EXAMPLES),
    registry::resource::<sudoers::Sudoers>("sudoers", sudoers::EXAMPLES),
    registry::resource::<sysctl::Sysctl>("sysctl", sysctl::EXAMPLES),
    registry::resource::<timezone::Timezone>("timezone", timezone::EXAMPLES),
];
