//! Packages of the host's package manager.

use crate::registry::{self, Module};

pub mod apk;
mod apk_db;
pub mod apt;
pub mod apt_key;
mod apt_lists;
pub mod apt_repository;
pub mod apt_state;
pub mod composer;
pub mod deb822_repository;
pub mod debconf;
pub mod dnf;
mod dnf_tool;
pub mod dpkg_selections;
mod fetch;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gem;
pub mod homebrew;
mod ini;
pub mod npm;
mod openpgp;
pub mod package;
pub mod package_facts;
pub mod pacman;
mod pacman_db;
mod pep440;
pub mod pip;
mod pip_tool;
mod ppa;
mod requirement;
mod rpm;
pub mod rpm_key;
pub mod snap;
pub(crate) mod version;
mod whole_file;
mod work;
pub mod yum_repository;
pub mod zypper;
pub mod zypper_repository;
mod zypper_tool;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<apk::Apk>("apk", apk::EXAMPLES),
    registry::resource::<apt::Apt>("apt", apt::EXAMPLES),
    registry::resource::<apt_key::AptKey>("apt_key", apt_key::EXAMPLES),
    registry::resource::<apt_repository::AptRepository>("apt_repository", apt_repository::EXAMPLES),
    registry::resource::<composer::Composer>("composer", composer::EXAMPLES),
    registry::resource::<deb822_repository::Deb822Repository>("deb822_repository", deb822_repository::EXAMPLES),
    registry::resource::<debconf::Debconf>("debconf", debconf::EXAMPLES),
    registry::resource::<dnf::Dnf>("dnf", dnf::EXAMPLES),
    registry::resource::<dpkg_selections::DpkgSelections>("dpkg_selections", dpkg_selections::EXAMPLES),
    registry::resource::<gem::Gem>("gem", gem::EXAMPLES),
    registry::resource::<homebrew::Homebrew>("homebrew", homebrew::EXAMPLES),
    registry::resource::<npm::Npm>("npm", npm::EXAMPLES),
    registry::resource::<package::PackageModule>("package", package::EXAMPLES),
    registry::query::<package_facts::PackageFacts>("package_facts", package_facts::EXAMPLES),
    registry::resource::<pacman::Pacman>("pacman", pacman::EXAMPLES),
    registry::resource::<pip::PipModule>("pip", pip::EXAMPLES),
    registry::resource::<rpm_key::RpmKey>("rpm_key", rpm_key::EXAMPLES),
    registry::resource::<snap::Snap>("snap", snap::EXAMPLES),
    registry::resource::<yum_repository::YumRepository>("yum_repository", yum_repository::EXAMPLES),
    registry::resource::<zypper::Zypper>("zypper", zypper::EXAMPLES),
    registry::resource::<zypper_repository::ZypperRepository>("zypper_repository", zypper_repository::EXAMPLES),
];
