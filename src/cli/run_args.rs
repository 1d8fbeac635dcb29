//! Arguments that `apply`, `plan` and `drift` share.

use std::path::{Path, PathBuf};

use clap::Args;
use stead::ansible::config::Config;

use super::environment::Environment;

/// Where records are kept if nothing else is said.
pub(crate) const HISTORY: &str = ".stead/history.sqlite3";

/// What runs, where, and as whom.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Playbooks, run one after another.
    #[arg(required = true, value_name = "PLAYBOOK")]
    pub(crate) playbooks: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) hosts: HostArgs,
    /// Only tasks with one of these tags.
    #[arg(short, long, value_delimiter = ',', value_name = "TAGS")]
    pub(crate) tags: Vec<String>,
    /// No tasks with one of these tags.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    pub(crate) skip_tags: Vec<String>,
    /// One event a line, as JSON, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write a JUnit report to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Start so many throw-away hosts on this machine and run on them instead of the inventory's hosts.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) lab: Option<u16>,
    /// Where records are kept. Default: `.stead/history.sqlite3`.
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Where passwords of vaults come from.
#[derive(Debug, Default, Args)]
pub(crate) struct VaultArgs {
    /// A vault id and where its password comes from: `ID@FILE`, `ID@PROGRAM` or `ID@prompt`. May be given several times.
    #[arg(long, value_name = "ID@SOURCE")]
    pub(crate) vault_id: Vec<String>,
    /// A file with the vault password, or a program that prints it. May be given several times.
    #[arg(long, value_name = "FILE", alias = "vault-pass-file")]
    pub(crate) vault_password_file: Vec<String>,
    /// Ask for the vault password.
    #[arg(short = 'J', long, alias = "ask-vault-password", conflicts_with = "vault_password_file")]
    pub(crate) ask_vault_pass: bool,
}

/// Which hosts, how they are reached, and as whom.
#[derive(Debug, Args)]
pub(crate) struct HostArgs {
    /// Inventory: a file, a directory, or hosts with a comma at the end. May be given several times.
    #[arg(short, long, value_name = "INVENTORY")]
    pub(crate) inventory: Vec<String>,
    /// Only hosts that match this pattern too.
    #[arg(short, long, value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// Variables that override all others: `name=value`, YAML or JSON, or `@file`.
    #[arg(short, long, value_name = "VARS")]
    pub(crate) extra_vars: Vec<String>,
    /// Hosts worked on at once. Default: 50.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    forks: Option<u32>,
    /// Log in as this user.
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Log in with this key.
    #[arg(long, value_name = "FILE", alias = "key-file")]
    pub(crate) private_key: Option<PathBuf>,
    /// Ask for the login password.
    #[arg(short = 'k', long)]
    pub(crate) ask_pass: bool,
    /// A file with the login password, or a program that prints it.
    #[arg(long, value_name = "FILE", alias = "conn-pass-file", conflicts_with = "ask_pass")]
    pub(crate) connection_password_file: Option<PathBuf>,
    /// Arguments of `ssh` that say how hosts are reached, e.g. `-o ProxyJump=gate`.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) ssh_common_args: Option<String>,
    /// More arguments of `ssh`.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    pub(crate) ssh_extra_args: Option<String>,
    /// How hosts are reached: `ssh` or `local`.
    #[arg(short, long, value_name = "NAME")]
    pub(crate) connection: Option<String>,
    /// Become another user.
    #[arg(short, long)]
    pub(crate) r#become: bool,
    /// The user to become.
    #[arg(long, value_name = "USER")]
    pub(crate) become_user: Option<String>,
    /// How: `sudo`, `su` or `doas`.
    #[arg(long, value_name = "METHOD")]
    pub(crate) become_method: Option<String>,
    /// Ask for the password of becoming another user.
    #[arg(short = 'K', long)]
    pub(crate) ask_become_pass: bool,
    /// A file with the password of becoming another user, or a program that prints it.
    #[arg(long, value_name = "FILE", alias = "become-pass-file", conflicts_with = "ask_become_pass")]
    pub(crate) become_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
    /// Accept and record keys of hosts that are not known yet. A key that changed is refused all the same.
    #[arg(long)]
    pub(crate) accept_new_host_keys: bool,
    /// Seconds for connecting and for authenticating, each. Default: 15.
    #[arg(short = 'T', long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Directories of modules in Python, before those of the settings. May be given several times.
    #[arg(short = 'M', long, value_name = "PATHS")]
    module_path: Vec<String>,
    /// Forget the facts that are kept of every host of the inventory.
    #[arg(long)]
    pub(crate) flush_cache: bool,
    /// Run notified handlers also on hosts that failed.
    #[arg(long)]
    pub(crate) force_handlers: bool,
    /// Seconds to wait for a host that another run has locked. Default: 0.
    #[arg(long, value_name = "SECONDS")]
    lock_wait: Option<u64>,
    /// Say more; twice or three times: still more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// A number of the command line, else of the settings (if it makes sense there), else the default.
fn number(given: Option<u64>, config: &Config, name: &str, smallest: u64, default: u64) -> u64 {
    let set = || config.number(name).and_then(|number| u64::try_from(number).ok()).filter(|number| *number >= smallest);
    given.or_else(set).unwrap_or(default)
}

impl HostArgs {
    /// `--forks`, or the setting.
    pub(crate) fn forks(&self, config: &Config) -> usize {
        number(self.forks.map(u64::from), config, "forks", 1, 50) as usize
    }

    /// `--module-path`: directories between colons.
    pub(crate) fn module_path(&self, environment: &Environment) -> Vec<PathBuf> {
        let named = self.module_path.iter().flat_map(|paths| paths.split(':')).filter(|path| !path.is_empty());
        named.map(|path| environment.expand(path)).collect()
    }

    /// `--timeout`, or the setting.
    pub(crate) fn timeout(&self, config: &Config) -> u64 {
        number(self.timeout, config, "timeout", 1, 15)
    }

    /// `--lock-wait`, or the setting.
    pub(crate) fn lock_wait(&self, config: &Config) -> u64 {
        number(self.lock_wait, config, "lock_wait", 0, 0)
    }

    /// `-v`, or the setting.
    pub(crate) fn verbosity(&self, config: &Config) -> u8 {
        if self.verbose > 0 { self.verbose } else { number(None, config, "verbosity", 0, 0).min(9) as u8 }
    }

    /// `--inventory`, or the setting, or Ansible's own file where there is one.
    pub(crate) fn inventories(&self, config: &Config) -> Vec<String> {
        if !self.inventory.is_empty() {
            return self.inventory.clone();
        }
        if let Some(paths) = config.paths("inventory") {
            return paths.iter().map(|path| path.display().to_string()).collect();
        }
        let usual = Path::new("/etc/ansible/hosts");
        if usual.exists() { vec![usual.display().to_string()] } else { Vec::new() }
    }

    /// A switch that the settings may set too.
    pub(crate) fn or_set(given: bool, config: &Config, name: &str) -> bool {
        given || config.flag(name) == Some(true)
    }
}

impl RunArgs {
    /// `--history`, or the setting.
    pub(crate) fn history(&self, config: &Config) -> PathBuf {
        let path = self.history.as_deref().or_else(|| config.path("history"));
        path.unwrap_or(Path::new(HISTORY)).to_owned()
    }
}
