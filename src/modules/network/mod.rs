//! Networks and firewalls.

use crate::registry::{self, Module};

pub mod firewalld;
mod firewalld_side;
mod interfaces;
pub mod interfaces_file;
pub mod iptables;
mod iptables_rule;
pub mod nmcli;
mod nmcli_profile;
pub mod ufw;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<firewalld::Firewalld>("firewalld", firewalld::EXAMPLES),
    registry::resource::<interfaces_file::InterfacesFile>("interfaces_file", interfaces_file::EXAMPLES),
    registry::resource::<iptables::Iptables>("iptables", iptables::EXAMPLES),
    registry::resource::<nmcli::Nmcli>("nmcli", nmcli::EXAMPLES),
    registry::resource::<ufw::Ufw>("ufw", ufw::EXAMPLES),
];
