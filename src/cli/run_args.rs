//! Arguments that `apply`, `plan` and `drift` share.

use std::path::PathBuf;

use clap::Args;

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
    /// Where records are kept.
    #[arg(long, value_name = "FILE", default_value = HISTORY)]
    pub(crate) history: PathBuf,
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
    /// Hosts worked on at once.
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) forks: u32,
    /// Log in as this user.
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Log in with this key.
    #[arg(long, value_name = "FILE", alias = "key-file")]
    pub(crate) private_key: Option<PathBuf>,
    /// Ask for the login password.
    #[arg(short = 'k', long)]
    pub(crate) ask_pass: bool,
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
    /// Accept and record keys of hosts that are not known yet. A key that changed is refused all the same.
    #[arg(long)]
    pub(crate) accept_new_host_keys: bool,
    /// Seconds for connecting and for authenticating, each.
    #[arg(short = 'T', long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
    /// Seconds to wait for a host that another run has locked.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) lock_wait: u64,
    /// Say more; twice or three times: still more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}
