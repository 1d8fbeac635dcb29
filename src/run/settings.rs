//! What a run is asked to do, beside its playbooks and inventory.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::fact_cache::FactCache;
use crate::playbook::TagSelection;
use crate::run::event::RunMode;
use crate::session::{Secret, SessionSettings};
use crate::vars::Variables;

/// Settings of one run; the command line and the environment are read by the binary.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// Apply, plan or drift.
    pub mode: RunMode,
    /// Unique id of the run, sortable by time.
    pub run: String,
    /// Hosts worked on at once.
    pub forks: usize,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--step`: every task is asked about at the terminal.
    pub step: bool,
    /// A run without any host is a success, as under Ansible; otherwise it is an error.
    pub allow_no_hosts: bool,
    /// `--tags`, `--skip-tags`.
    pub tags: TagSelection,
    /// `-e`.
    pub extra_vars: Arc<Variables>,
    /// `-v` count.
    pub verbosity: u8,
    /// `--become`.
    pub r#become: bool,
    /// `--become-user`.
    pub become_user: Option<String>,
    /// `--become-method`.
    pub become_method: Option<String>,
    /// `--ask-become-pass`.
    pub become_password: Option<Secret>,
    /// `--user`.
    pub remote_user: Option<String>,
    /// `--ask-pass`.
    pub password: Option<Secret>,
    /// `--private-key`.
    pub private_key: Option<std::path::PathBuf>,
    /// `ssh_args`, `ssh_common_args`, `ssh_extra_args`: used where a host has no variable for it.
    pub ssh_args: Vec<Option<String>>,
    /// `--connection`.
    pub connection: Option<String>,
    /// `ANSIBLE_HOST_KEY_CHECKING`.
    pub host_key_checking: Option<bool>,
    /// Seconds to wait for a host's lock.
    pub lock_wait: u64,
    /// How this run is named to others who find the lock taken.
    pub owner: String,
    /// Limits and policies of sessions.
    pub session: Arc<SessionSettings>,
    /// What changes the meaning of playbooks.
    pub language: Language,
}

/// Settings that change the meaning of playbooks.
#[derive(Debug, Clone)]
pub struct Language {
    /// Handlers run although the host failed, in every play.
    pub force_handlers: bool,
    /// Facts are variables under their own names, too (`ansible_hostname` beside `ansible_facts.hostname`).
    pub inject_facts: bool,
    /// Where facts are kept between runs.
    pub fact_cache: FactCache,
    /// Seconds between looks at an `async` task that does not say.
    pub poll_interval: u64,
    /// The Python of the controller, for playbooks that name it (`ansible_playbook_python`).
    pub python: Option<PathBuf>,
    /// The settings file that was read.
    pub config_file: Option<PathBuf>,
}

impl Default for Language {
    fn default() -> Self {
        Self {
            force_handlers: false,
            inject_facts: true,
            fact_cache: FactCache::default(),
            poll_interval: 15,
            python: None,
            config_file: None,
        }
    }
}

/// How urgently a run should stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU8>);

impl Stop {
    /// Start nothing new; finish what runs.
    pub fn ask(&self) {
        self.0.fetch_max(1, Ordering::SeqCst);
    }

    /// Whether nothing new may start.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}
