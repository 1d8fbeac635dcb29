//! Networks and firewalls.

use crate::registry::{self, Module};

pub mod firewalld;
mod firewalld_side;
pub mod iptables;
mod iptables_rule;
pub mod ufw;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<firewalld::Firewalld>("firewalld", firewalld::EXAMPLES),
    registry::resource::<iptables::Iptables>("iptables", iptables::EXAMPLES),
    registry::resource::<ufw::Ufw>("ufw", ufw::EXAMPLES),
];
