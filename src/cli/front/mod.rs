//! The front door for those who call `ansible-playbook` or `ansible`: this program, started by one of
//! those names (a link), takes their options and gives their exit codes and the shape of their output.

mod adhoc;
mod config;
mod doc;
mod exit;
mod inventory;
mod list;
mod playbook;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

/// A program whose name this one answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `ansible-playbook`
    Playbook,
    /// `ansible`
    AdHoc,
    /// `ansible-doc`
    Doc,
    /// `ansible-inventory`
    Inventory,
    /// `ansible-vault`
    Vault,
    /// `ansible-config`
    Config,
}

/// Names of links.
const NAMES: &[(&str, Program)] = &[
    ("ansible-playbook", Program::Playbook),
    ("ansible", Program::AdHoc),
    ("ansible-doc", Program::Doc),
    ("ansible-inventory", Program::Inventory),
    ("ansible-vault", Program::Vault),
    ("ansible-config", Program::Config),
];

impl Program {
    /// The program that the first argument, a path or a name, stands for.
    pub(crate) fn of(first: &OsString) -> Option<Self> {
        let name = std::path::Path::new(first).file_name()?.to_str()?;
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, program)| *program)
    }

    /// Runs it with the arguments after its name.
    pub(crate) fn run(self, arguments: &[OsString]) -> ExitCode {
        match self {
            Self::Playbook => parsed::<playbook::PlaybookCli>(arguments).map_or_else(|code| code, playbook::PlaybookCli::run),
            Self::Inventory => {
                parsed::<inventory::InventoryCli>(arguments).map_or_else(|code| code, inventory::InventoryCli::run)
            }
            Self::Vault => parsed::<VaultCli>(arguments).map_or_else(|code| code, |cli| cli.vault.run()),
            Self::Config => parsed::<config::ConfigCli>(arguments).map_or_else(|code| code, config::ConfigCli::run),
            Self::Doc => parsed::<doc::DocCli>(arguments).map_or_else(|code| code, doc::DocCli::run),
            Self::AdHoc => parsed::<adhoc::AdHocCli>(arguments).map_or_else(|code| code, adhoc::AdHocCli::run),
        }
    }
}

/// Encryption and decryption of files and values.
#[derive(Debug, Parser)]
#[command(name = "ansible-vault", version)]
struct VaultCli {
    #[command(flatten)]
    vault: super::vault::Vault,
}

fn parsed<T: Parser>(arguments: &[OsString]) -> Result<T, ExitCode> {
    T::try_parse_from(arguments).map_err(|error| {
        let _ = error.print();
        if error.use_stderr() { ExitCode::from(exit::BAD_OPTIONS) } else { ExitCode::SUCCESS }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn links_are_known_by_their_last_part() {
        assert_eq!(Program::of(&"/usr/local/bin/ansible-playbook".into()), Some(Program::Playbook));
        assert_eq!(Program::of(&"ansible".into()), Some(Program::AdHoc));
        assert_eq!(Program::of(&"stead".into()), None);
    }

    #[test]
    fn command_lines_are_well_formed() {
        playbook::PlaybookCli::command().debug_assert();
        adhoc::AdHocCli::command().debug_assert();
        doc::DocCli::command().debug_assert();
        config::ConfigCli::command().debug_assert();
        inventory::InventoryCli::command().debug_assert();
        VaultCli::command().debug_assert();
    }
}
