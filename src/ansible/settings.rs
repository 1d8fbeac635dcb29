//! The table of settings: what `ansible.cfg`, the environment and `stead.toml` may say, and what
//! becomes of it here. Adding one is adding a line.

/// What a setting's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number,
    /// Text.
    Text,
    /// Texts, with commas between them.
    List,
    /// A path; relative ones start at the file that names it.
    Path,
    /// Directories, with colons between them.
    Directories,
    /// Paths, with commas between them.
    Sources,
}

/// What becomes of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is honoured: as this.
    As(&'static str),
    /// It changes nothing, for this reason.
    None(&'static str),
    /// Only these values (compared without case) can be honoured, for this reason; others are an error.
    Only(&'static [&'static str], &'static str),
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Our name: in `stead.toml`, and for who asks for the value.
    pub name: &'static str,
    /// `section.key` in `ansible.cfg`; none for a setting of our own.
    pub ini: &'static [&'static str],
    /// Environment variables, the one that wins first.
    pub environment: &'static [&'static str],
    /// What its value looks like.
    pub kind: Kind,
    /// What becomes of it.
    pub effect: Effect,
}

impl Setting {
    /// Whether `stead.toml` may say it.
    pub fn is_ours(&self) -> bool {
        matches!(self.effect, Effect::As(_))
    }
}

const fn set(
    name: &'static str,
    ini: &'static [&'static str],
    environment: &'static [&'static str],
    kind: Kind,
    effect: Effect,
) -> Setting {
    Setting { name, ini, environment, kind, effect }
}

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Sections of which every key belongs to a plugin that has no equivalent here.
pub const PLUGIN_SECTIONS: &[(&str, &str)] = &[
    ("colors", "colours are the terminal's"),
    ("galaxy", "roles and collections are installed by `ansible-galaxy`"),
    ("galaxy_server.", "roles and collections are installed by `ansible-galaxy`"),
    ("callback_", "events are written as text, JSON (`--json`) or JUnit (`--junit`)"),
    ("persistent_connection", "there are no network devices behind persistent connections here"),
    ("paramiko_connection", "there is one SSH client, and it reads ssh_config"),
    ("netconf_connection", "there are no network devices here"),
    ("powershell", "hosts are Linux"),
    ("winrm", "hosts are Linux"),
];

use Effect::{As, None as No, Only};
use Kind::{Directories, Flag, List, Number, Path, Sources, Text};

const ONE_SESSION: &str = "there is one session per host, kept open for the whole run";
const NO_PLUGIN: &str = "plugins of this kind have no equivalent";
const NOT_PYTHON: &str = "nothing on hosts runs in Python";
const TALK: &str = "it concerns only how ansible-core talks";
const RETRY: &str = "the record of a run says which hosts failed";

/// All settings.
#[rustfmt::skip]
pub const SETTINGS: &[Setting] = &[
    // What runs, and where.
    set("inventory", &["defaults.inventory"], &["ANSIBLE_INVENTORY"], Sources, As("`--inventory`")),
    set("roles_path", &["defaults.roles_path"], &["ANSIBLE_ROLES_PATH"], Directories, As("where roles are looked for")),
    set("collections_path", &["defaults.collections_path", "defaults.collections_paths"], &["ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_COLLECTIONS_PATHS"], Directories, As("where collections are looked for")),
    set("library", &["defaults.library"], &["ANSIBLE_LIBRARY"], Directories, As("where modules in Python are looked for")),
    set("module_utils", &["defaults.module_utils"], &["ANSIBLE_MODULE_UTILS"], Directories, As("where what modules in Python share is looked for")),
    set("filter_plugins", &["defaults.filter_plugins"], &["ANSIBLE_FILTER_PLUGINS"], Directories, As("where filters in Python are looked for")),
    set("test_plugins", &["defaults.test_plugins"], &["ANSIBLE_TEST_PLUGINS"], Directories, As("where tests in Python are looked for")),
    set("lookup_plugins", &["defaults.lookup_plugins"], &["ANSIBLE_LOOKUP_PLUGINS"], Directories, As("where lookups in Python are looked for")),
    set("tags", &["tags.run"], &["ANSIBLE_RUN_TAGS"], List, As("`--tags`")),
    set("skip_tags", &["tags.skip"], &["ANSIBLE_SKIP_TAGS"], List, As("`--skip-tags`")),
    set("forks", &["defaults.forks"], &["ANSIBLE_FORKS"], Number, As("`--forks`")),
    set("verbosity", &["defaults.verbosity"], &["ANSIBLE_VERBOSITY"], Number, As("`-v`, so often")),
    // How hosts are reached.
    set("remote_user", &["defaults.remote_user"], &["ANSIBLE_REMOTE_USER"], Text, As("`--user`")),
    set("remote_port", &["defaults.remote_port"], &["ANSIBLE_REMOTE_PORT"], Number, As("the SSH port of plays that name none")),
    set("connection", &["defaults.transport"], &["ANSIBLE_TRANSPORT"], Text, As("`--connection`")),
    set("private_key_file", &["defaults.private_key_file", "ssh_connection.private_key_file"], &["ANSIBLE_PRIVATE_KEY_FILE"], Path, As("`--private-key`")),
    set("host_key_checking", &["defaults.host_key_checking", "ssh_connection.host_key_checking"], &["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"], Flag, As("`false`: keys of hosts are not checked")),
    set("timeout", &["defaults.timeout", "ssh_connection.timeout"], &["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"], Number, As("`--timeout`")),
    set("ssh_args", &["ssh_connection.ssh_args"], &["ANSIBLE_SSH_ARGS"], Text, As("`ssh` arguments that say how a host is reached")),
    set("ssh_common_args", &["ssh_connection.ssh_common_args"], &["ANSIBLE_SSH_COMMON_ARGS"], Text, As("`--ssh-common-args`")),
    set("ssh_extra_args", &["ssh_connection.ssh_extra_args"], &["ANSIBLE_SSH_EXTRA_ARGS"], Text, As("`--ssh-extra-args`")),
    set("ask_pass", &["defaults.ask_pass"], &["ANSIBLE_ASK_PASS"], Flag, As("`--ask-pass`")),
    set("connection_password_file", &["defaults.connection_password_file"], &["ANSIBLE_CONNECTION_PASSWORD_FILE"], Path, As("`--connection-password-file`")),
    // As whom tasks act.
    set("become", &["privilege_escalation.become"], &["ANSIBLE_BECOME"], Flag, As("`--become`")),
    set("become_user", &["privilege_escalation.become_user"], &["ANSIBLE_BECOME_USER"], Text, As("`--become-user`")),
    set("become_method", &["privilege_escalation.become_method"], &["ANSIBLE_BECOME_METHOD"], Text, As("`--become-method`")),
    set("become_flags", &["privilege_escalation.become_flags", "sudo_become_plugin.flags"], &["ANSIBLE_BECOME_FLAGS", "ANSIBLE_SUDO_FLAGS"], Text, As("flags of plays that name none")),
    set("become_ask_pass", &["privilege_escalation.become_ask_pass"], &["ANSIBLE_BECOME_ASK_PASS"], Flag, As("`--ask-become-pass`")),
    set("become_password_file", &["defaults.become_password_file"], &["ANSIBLE_BECOME_PASSWORD_FILE"], Path, As("`--become-password-file`")),
    set("become_exe", &["privilege_escalation.become_exe", "sudo_become_plugin.executable"], &["ANSIBLE_BECOME_EXE", "ANSIBLE_SUDO_EXE"], Text, Only(&["", "sudo", "su", "doas"], "the program of the method is looked for in the host's PATH")),
    set("become_allow_same_user", &["privilege_escalation.become_allow_same_user"], &["ANSIBLE_BECOME_ALLOW_SAME_USER"], Flag, No("who is that user already acts at once")),
    set("agnostic_become_prompt", &["privilege_escalation.agnostic_become_prompt"], &["ANSIBLE_AGNOSTIC_BECOME_PROMPT"], Flag, No("the prompt is found in any language")),
    set("become_plugins", &["defaults.become_plugins"], &["ANSIBLE_BECOME_PLUGINS"], Directories, No("`sudo`, `su` and `doas` are built in, and no others")),
    // The static check.
    set("lint_skip_rules", &[], &[], List, As("`stead lint --skip-rule`")),
    set("lint_style", &[], &[], Flag, As("`stead lint --style`")),
    set("lint_strict", &[], &[], Flag, As("`stead lint --strict`")),
    // Vaults.
    set("vault_password_file", &["defaults.vault_password_file"], &["ANSIBLE_VAULT_PASSWORD_FILE"], Path, As("`--vault-password-file`")),
    set("vault_identity_list", &["defaults.vault_identity_list"], &["ANSIBLE_VAULT_IDENTITY_LIST"], List, As("`--vault-id`, several times")),
    set("vault_identity", &["defaults.vault_identity"], &["ANSIBLE_VAULT_IDENTITY"], Text, As("the vault id of a password that names none")),
    set("vault_encrypt_identity", &["defaults.vault_encrypt_identity"], &["ANSIBLE_VAULT_ENCRYPT_IDENTITY"], Text, As("`--encrypt-vault-id`")),
    set("vault_id_match", &["defaults.vault_id_match"], &["ANSIBLE_VAULT_ID_MATCH"], Flag, As("only passwords of a text's own vault id are tried")),
    set("vault_encrypt_salt", &["defaults.vault_encrypt_salt"], &["ANSIBLE_VAULT_ENCRYPT_SALT"], Text, As("a fixed salt for new encrypted texts")),
    set("ask_vault_pass", &["defaults.ask_vault_pass"], &["ANSIBLE_ASK_VAULT_PASS"], Flag, As("`--ask-vault-pass`")),
    set("editor", &["defaults.editor"], &["ANSIBLE_EDITOR"], Text, As("the editor of `stead vault edit`")),
    // What plays get that do not say it themselves.
    set("gathering", &["defaults.gathering"], &["ANSIBLE_GATHERING"], Text, As("`explicit`: facts are gathered only in plays that say so")),
    set("strategy", &["defaults.strategy"], &["ANSIBLE_STRATEGY"], Text, As("the strategy of plays that name none")),
    set("any_errors_fatal", &["defaults.any_errors_fatal"], &["ANSIBLE_ANY_ERRORS_FATAL"], Flag, As("the same of plays that do not say it")),
    set("force_handlers", &["defaults.force_handlers"], &["ANSIBLE_FORCE_HANDLERS"], Flag, As("the same of plays that do not say it")),
    set("no_log", &["defaults.no_log"], &["ANSIBLE_NO_LOG"], Flag, As("the same of plays that do not say it")),
    set("task_timeout", &["defaults.task_timeout"], &["ANSIBLE_TASK_TIMEOUT"], Number, As("`timeout` of plays that name none")),
    // What can be honoured only as it is by default.
    set("hash_behaviour", &["defaults.hash_behaviour"], &["ANSIBLE_HASH_BEHAVIOUR"], Text, Only(&["replace"], "the later definition of a variable replaces the earlier one; merge with the filter `combine(recursive=True)`")),
    set("error_on_undefined_vars", &["defaults.error_on_undefined_vars"], &["ANSIBLE_ERROR_ON_UNDEFINED_VARS"], Flag, Only(&["true"], "an undefined variable is always an error; use `| default(...)`")),
    set("jinja2_extensions", &["defaults.jinja2_extensions"], &["ANSIBLE_JINJA2_EXTENSIONS"], List, Only(&["jinja2.ext.do", "jinja2.ext.loopcontrols", "jinja2.ext.with_", "jinja2.ext.autoescape"], "they switch on `do`, `break` and `continue`; other extensions are not there")),
    set("jinja2_native", &["defaults.jinja2_native"], &["ANSIBLE_JINJA2_NATIVE"], Flag, No("values keep their types, as in ansible-core 2.19")),
    set("allow_broken_conditionals", &["defaults.allow_broken_conditionals"], &["ANSIBLE_ALLOW_BROKEN_CONDITIONALS"], Flag, Only(&["false"], "the result of a condition is a boolean; use `| bool`, `is truthy` or a comparison")),
    set("private_role_vars", &["defaults.private_role_vars"], &["ANSIBLE_PRIVATE_ROLE_VARS"], Flag, Only(&["false"], "variables of a role are seen by what follows it; use `public: false` with `include_role`")),
    set("inject_facts_as_vars", &["defaults.inject_facts_as_vars"], &["ANSIBLE_INJECT_FACT_VARS"], Flag, As("whether facts are variables of their own too")),
    set("enable_task_debugger", &["defaults.enable_task_debugger"], &["ANSIBLE_ENABLE_TASK_DEBUGGER"], Flag, Only(&["false"], "there is no task debugger; `stead plan` shows what a task would do")),
    set("precedence", &["defaults.precedence"], &["ANSIBLE_PRECEDENCE"], List, Only(&["all_inventory", "groups_inventory", "all_plugins_inventory", "all_plugins_play", "groups_plugins_inventory", "groups_plugins_play"], "the order of definitions cannot be changed")),
    set("keep_remote_files", &["defaults.keep_remote_files"], &["ANSIBLE_KEEP_REMOTE_FILES"], Flag, Only(&["false"], "nothing is left on hosts but the agent")),
    // Facts.
    set("fact_caching", &["defaults.fact_caching"], &["ANSIBLE_CACHE_PLUGIN"], Text, Only(&["memory", "jsonfile", "ansible.builtin.memory", "ansible.builtin.jsonfile"], "facts are kept in memory or in files")),
    set("fact_caching_connection", &["defaults.fact_caching_connection"], &["ANSIBLE_CACHE_PLUGIN_CONNECTION"], Text, As("the directory of `jsonfile`")),
    set("fact_caching_prefix", &["defaults.fact_caching_prefix"], &["ANSIBLE_CACHE_PLUGIN_PREFIX"], Text, As("what stands before the names of hosts in `jsonfile`")),
    set("fact_caching_timeout", &["defaults.fact_caching_timeout"], &["ANSIBLE_CACHE_PLUGIN_TIMEOUT"], Number, As("seconds after which facts are too old; 0: never")),
    set("gather_subset", &["defaults.gather_subset"], &["ANSIBLE_GATHER_SUBSET"], List, No("ansible-core no longer reads it; set it in the play or in `module_defaults`")),
    set("gather_timeout", &["defaults.gather_timeout"], &["ANSIBLE_GATHER_TIMEOUT"], Number, No("ansible-core no longer reads it; set it in the play or in `module_defaults`")),
    set("facts_modules", &["defaults.facts_modules"], &["ANSIBLE_FACTS_MODULES"], List, No("facts come from the agent")),
    set("cache_plugins", &["defaults.cache_plugins"], &["ANSIBLE_CACHE_PLUGINS"], Directories, No(NO_PLUGIN)),
    // SSH, as another program would be started for it.
    set("pipelining", &["defaults.pipelining", "connection.pipelining", "ssh_connection.pipelining"], &["ANSIBLE_PIPELINING", "ANSIBLE_SSH_PIPELINING"], Flag, No(ONE_SESSION)),
    set("control_path", &["ssh_connection.control_path"], &["ANSIBLE_SSH_CONTROL_PATH"], Text, No(ONE_SESSION)),
    set("control_path_dir", &["ssh_connection.control_path_dir"], &["ANSIBLE_SSH_CONTROL_PATH_DIR"], Path, No(ONE_SESSION)),
    set("ssh_retries", &["ssh_connection.retries", "connection.retries"], &["ANSIBLE_SSH_RETRIES"], Number, No("a host is tried three times before anything was started on it")),
    set("transfer_method", &["ssh_connection.transfer_method", "ssh_connection.scp_if_ssh", "ssh_connection.ssh_transfer_method"], &["ANSIBLE_SSH_TRANSFER_METHOD", "ANSIBLE_SCP_IF_SSH"], Text, No(ONE_SESSION)),
    set("scp_extra_args", &["ssh_connection.scp_extra_args"], &["ANSIBLE_SCP_EXTRA_ARGS"], Text, No(ONE_SESSION)),
    set("sftp_extra_args", &["ssh_connection.sftp_extra_args"], &["ANSIBLE_SFTP_EXTRA_ARGS"], Text, No(ONE_SESSION)),
    set("sftp_batch_mode", &["ssh_connection.sftp_batch_mode"], &["ANSIBLE_SFTP_BATCH_MODE"], Flag, No(ONE_SESSION)),
    set("usetty", &["ssh_connection.usetty"], &["ANSIBLE_SSH_USETTY"], Flag, No("commands run without a terminal")),
    set("ssh_executable", &["ssh_connection.ssh_executable"], &["ANSIBLE_SSH_EXECUTABLE"], Text, No("the SSH client is built in")),
    set("scp_executable", &["ssh_connection.scp_executable"], &["ANSIBLE_SCP_EXECUTABLE"], Text, No("the SSH client is built in")),
    set("sftp_executable", &["ssh_connection.sftp_executable"], &["ANSIBLE_SFTP_EXECUTABLE"], Text, No("the SSH client is built in")),
    set("sshpass_prompt", &["ssh_connection.sshpass_prompt"], &["ANSIBLE_SSHPASS_PROMPT"], Text, No("passwords are given over the protocol")),
    set("ssh_agent", &["connection.ssh_agent"], &["ANSIBLE_SSH_AGENT"], Text, No("the agent of SSH_AUTH_SOCK is used")),
    set("ssh_agent_executable", &["connection.ssh_agent_executable"], &["ANSIBLE_SSH_AGENT_EXECUTABLE"], Text, No("the agent of SSH_AUTH_SOCK is used")),
    set("ssh_agent_key_lifetime", &["connection.ssh_agent_key_lifetime"], &["ANSIBLE_SSH_AGENT_KEY_LIFETIME"], Number, No("the agent of SSH_AUTH_SOCK is used")),
    set("use_persistent_connections", &["defaults.use_persistent_connections"], &["ANSIBLE_USE_PERSISTENT_CONNECTIONS"], Flag, No(ONE_SESSION)),
    set("connection_path", &["persistent_connection.ansible_connection_path"], &["ANSIBLE_CONNECTION_PATH"], Path, No(ONE_SESSION)),
    // What runs on hosts.
    set("interpreter_python", &["defaults.interpreter_python"], &["ANSIBLE_PYTHON_INTERPRETER"], Text, No(NOT_PYTHON)),
    set("executable", &["defaults.executable"], &["ANSIBLE_EXECUTABLE"], Text, No("the agent needs no shell; `shell` has the option `executable`")),
    set("remote_tmp", &["defaults.remote_tmp"], &["ANSIBLE_REMOTE_TEMP", "ANSIBLE_REMOTE_TMP"], Path, No("the agent makes a private directory where it runs")),
    set("allow_world_readable_tmpfiles", &["defaults.allow_world_readable_tmpfiles"], &["ANSIBLE_SHELL_ALLOW_WORLD_READABLE_TEMP"], Flag, No("no file passes through a shared directory")),
    set("module_compression", &["defaults.module_compression"], &[], Text, No("modules are part of the agent")),
    set("module_lang", &["defaults.module_lang"], &["ANSIBLE_MODULE_LANG"], Text, No("the agent runs in the C locale")),
    set("module_set_locale", &["defaults.module_set_locale"], &["ANSIBLE_MODULE_SET_LOCALE"], Flag, No("the agent runs in the C locale")),
    set("module_ignore_exts", &["defaults.module_ignore_exts"], &["ANSIBLE_MODULE_IGNORE_EXTS"], List, No("modules are part of the agent")),
    set("module_strict_utf8_response", &["defaults.module_strict_utf8_response"], &["ANSIBLE_MODULE_STRICT_UTF8_RESPONSE"], Flag, No("the agent answers in UTF-8")),
    set("python_module_rlimit_nofile", &["defaults.python_module_rlimit_nofile"], &["ANSIBLE_PYTHON_MODULE_RLIMIT_NOFILE"], Number, No(NOT_PYTHON)),
    set("no_target_syslog", &["defaults.no_target_syslog"], &["ANSIBLE_NO_TARGET_SYSLOG"], Flag, No("nothing is written to a host's system log")),
    set("syslog_facility", &["defaults.syslog_facility"], &["ANSIBLE_SYSLOG_FACILITY"], Text, No("nothing is written to a host's system log")),
    set("target_log_info", &["defaults.target_log_info"], &["ANSIBLE_TARGET_LOG_INFO"], Text, No("nothing is written to a host's system log")),
    set("local_tmp", &["defaults.local_tmp"], &["ANSIBLE_LOCAL_TEMP"], Path, No("no file of a run is kept here")),
    set("special_context_filesystems", &["selinux.special_context_filesystems"], &["ANSIBLE_SELINUX_SPECIAL_FS"], List, No("where labels cannot be set the kernel says so")),
    set("libvirt_lxc_noseclabel", &["selinux.libvirt_lxc_noseclabel"], &["ANSIBLE_LIBVIRT_LXC_NOSECLABEL"], Flag, No(NO_PLUGIN)),
    set("poll_interval", &["defaults.poll_interval"], &["ANSIBLE_POLL_INTERVAL"], Number, As("seconds between looks at a task with `async` but without `poll`")),
    set("internal_poll_interval", &["defaults.internal_poll_interval"], &[], Text, No("nothing is polled")),
    set("win_async_startup_timeout", &["defaults.win_async_startup_timeout"], &["ANSIBLE_WIN_ASYNC_STARTUP_TIMEOUT"], Number, No("hosts are Linux")),
    set("module_args", &["defaults.module_args"], &["ANSIBLE_MODULE_ARGS"], Text, No("it concerns only the program `ansible`")),
    set("module_name", &["defaults.module_name"], &[], Text, No("it concerns only the program `ansible`")),
    // Inventory.
    set("inventory_enable_plugins", &["inventory.enable_plugins"], &["ANSIBLE_INVENTORY_ENABLED"], List, No("the kind of a source is known by its content")),
    set("inventory_unparsed_is_failed", &["inventory.unparsed_is_failed"], &["ANSIBLE_INVENTORY_UNPARSED_FAILED"], Flag, No("an inventory that cannot be read is always an error")),
    set("inventory_any_unparsed_is_failed", &["inventory.any_unparsed_is_failed"], &["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"], Flag, No("an inventory that cannot be read is always an error")),
    set("inventory_unparsed_warning", &["inventory.inventory_unparsed_warning"], &["ANSIBLE_INVENTORY_UNPARSED_WARNING"], Flag, No("an inventory that cannot be read is always an error")),
    set("inventory_export", &["inventory.export"], &["ANSIBLE_INVENTORY_EXPORT"], Flag, No("`stead inventory` shows what a run sees")),
    set("inventory_ignore_extensions", &["defaults.inventory_ignore_extensions", "inventory.ignore_extensions"], &["ANSIBLE_INVENTORY_IGNORE"], List, No("the usual endings are left out of directories")),
    set("inventory_ignore_patterns", &["defaults.inventory_ignore_patterns", "inventory.ignore_patterns"], &["ANSIBLE_INVENTORY_IGNORE_REGEX"], List, No("the usual names are left out of directories")),
    set("inventory_cache", &["inventory.cache", "inventory.cache_plugin", "inventory.cache_timeout", "inventory.cache_connection", "inventory.cache_prefix"], &["ANSIBLE_INVENTORY_CACHE"], Text, No("inventories are read anew in every run")),
    set("host_pattern_mismatch", &["inventory.host_pattern_mismatch"], &["ANSIBLE_HOST_PATTERN_MISMATCH"], Text, No("a pattern that matches nothing is a warning")),
    set("force_valid_group_names", &["defaults.force_valid_group_names"], &["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"], Text, No("names of groups stay as they are written")),
    set("localhost_warning", &["defaults.localhost_warning"], &["ANSIBLE_LOCALHOST_WARNING"], Flag, No(TALK)),
    set("inventory_plugins", &["defaults.inventory_plugins"], &["ANSIBLE_INVENTORY_PLUGINS"], Directories, No("inventory plugins are built in, or programs that print an inventory")),
    set("vars_plugins", &["defaults.vars_plugins"], &["ANSIBLE_VARS_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("vars_plugins_enabled", &["defaults.vars_plugins_enabled"], &["ANSIBLE_VARS_ENABLED"], List, No(NO_PLUGIN)),
    set("run_vars_plugins", &["defaults.run_vars_plugins"], &["ANSIBLE_RUN_VARS_PLUGINS"], Text, No(NO_PLUGIN)),
    set("playbook_vars_root", &["defaults.playbook_vars_root"], &["ANSIBLE_PLAYBOOK_VARS_ROOT"], Text, No("`group_vars` and `host_vars` lie beside the playbook that is run")),
    set("playbook_dir", &["defaults.playbook_dir"], &["ANSIBLE_PLAYBOOK_DIR"], Path, No("it concerns only programs that run no playbook")),
    set("yaml_valid_extensions", &["defaults.yaml_valid_extensions"], &["ANSIBLE_YAML_FILENAME_EXT"], List, No("variable files end with .yml, .yaml or .json")),
    set("duplicate_dict_key", &["defaults.duplicate_dict_key"], &["ANSIBLE_DUPLICATE_YAML_DICT_KEY"], Text, No("a key that is there twice is a warning")),
    // Screen, files, logs.
    set("stdout_callback", &["defaults.stdout_callback"], &["ANSIBLE_STDOUT_CALLBACK"], Text, No("what is shown follows `-v`, `--json` and `--junit`")),
    set("callbacks_enabled", &["defaults.callbacks_enabled", "defaults.callback_whitelist"], &["ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_CALLBACK_WHITELIST"], List, No("times are in the record of a run; `--json` and `--junit` write events for others")),
    set("callback_plugins", &["defaults.callback_plugins"], &["ANSIBLE_CALLBACK_PLUGINS"], Directories, No("`--json` writes events for others")),
    set("bin_ansible_callbacks", &["defaults.bin_ansible_callbacks"], &["ANSIBLE_LOAD_CALLBACK_PLUGINS"], Flag, No("`--json` writes events for others")),
    set("display_skipped_hosts", &["defaults.display_skipped_hosts"], &["ANSIBLE_DISPLAY_SKIPPED_HOSTS"], Flag, As("whether `ansible-playbook` shows skipped tasks; `stead` shows them with `-v`")),
    set("display_ok_hosts", &["defaults.display_ok_hosts"], &["ANSIBLE_DISPLAY_OK_HOSTS"], Flag, No("tasks with nothing to do are shown with `-v` only")),
    set("display_failed_stderr", &["defaults.display_failed_stderr"], &["ANSIBLE_DISPLAY_FAILED_STDERR"], Flag, No("failures are shown with the rest")),
    set("display_args_to_stdout", &["defaults.display_args_to_stdout"], &["ANSIBLE_DISPLAY_ARGS_TO_STDOUT"], Flag, No("options of tasks are not shown")),
    set("display_traceback", &["defaults.display_traceback"], &["ANSIBLE_DISPLAY_TRACEBACK"], List, No(TALK)),
    set("show_custom_stats", &["defaults.show_custom_stats"], &["ANSIBLE_SHOW_CUSTOM_STATS"], Flag, No("the recap shows hosts")),
    set("check_mode_markers", &["defaults.check_mode_markers"], &["ANSIBLE_CHECK_MODE_MARKERS"], Flag, No("a plan is called a plan")),
    set("max_diff_size", &["defaults.max_diff_size"], &["ANSIBLE_MAX_DIFF_SIZE"], Number, No("a diff is cut at 256 KiB")),
    set("diff_always", &["diff.always"], &["ANSIBLE_DIFF_ALWAYS"], Flag, No("plans show diffs, runs with `-v`")),
    set("diff_context", &["diff.context"], &["ANSIBLE_DIFF_CONTEXT"], Number, No("a diff has three lines around a change")),
    set("retry_files_enabled", &["defaults.retry_files_enabled"], &["ANSIBLE_RETRY_FILES_ENABLED"], Flag, No(RETRY)),
    set("retry_files_save_path", &["defaults.retry_files_save_path"], &["ANSIBLE_RETRY_FILES_SAVE_PATH"], Path, No(RETRY)),
    set("log_path", &["defaults.log_path"], &["ANSIBLE_LOG_PATH"], Path, No("every run leaves a record (`--history`)")),
    set("log_filter", &["defaults.log_filter"], &["ANSIBLE_LOG_FILTER"], List, No("every run leaves a record (`--history`)")),
    set("log_verbosity", &["defaults.log_verbosity"], &["ANSIBLE_LOG_VERBOSITY"], Number, No("every run leaves a record (`--history`)")),
    set("nocows", &["defaults.nocows"], &["ANSIBLE_NOCOWS"], Flag, No("there are no cows")),
    set("cow_selection", &["defaults.cow_selection"], &["ANSIBLE_COW_SELECTION"], Text, No("there are no cows")),
    set("cowpath", &["defaults.cowpath"], &["ANSIBLE_COW_PATH"], Text, No("there are no cows")),
    set("cowsay_enabled_stencils", &["defaults.cowsay_enabled_stencils"], &["ANSIBLE_COW_ACCEPTLIST"], List, No("there are no cows")),
    set("nocolor", &["defaults.nocolor"], &["ANSIBLE_NOCOLOR"], Flag, No("set NO_COLOR; in a pipe there are no colours")),
    set("force_color", &["defaults.force_color"], &["ANSIBLE_FORCE_COLOR"], Flag, No("set CLICOLOR_FORCE")),
    set("verbose_to_stderr", &["defaults.verbose_to_stderr"], &["ANSIBLE_VERBOSE_TO_STDERR"], Flag, No("talk goes to standard error")),
    set("pager", &["defaults.pager"], &["ANSIBLE_PAGER"], Text, No("nothing is shown in a pager")),
    set("debug", &["defaults.debug"], &["ANSIBLE_DEBUG"], Flag, No(TALK)),
    set("action_warnings", &["defaults.action_warnings"], &["ANSIBLE_ACTION_WARNINGS"], Flag, No(TALK)),
    set("command_warnings", &["defaults.command_warnings"], &["ANSIBLE_COMMAND_WARNINGS"], Flag, No(TALK)),
    set("deprecation_warnings", &["defaults.deprecation_warnings"], &["ANSIBLE_DEPRECATION_WARNINGS"], Flag, No(TALK)),
    set("devel_warning", &["defaults.devel_warning"], &["ANSIBLE_DEVEL_WARNING"], Flag, No(TALK)),
    set("system_warnings", &["defaults.system_warnings"], &["ANSIBLE_SYSTEM_WARNINGS"], Flag, No(TALK)),
    set("docsite_root_url", &["defaults.docsite_root_url"], &[], Text, No(TALK)),
    // What else there is in ansible-core.
    set("home", &["defaults.home"], &["ANSIBLE_HOME"], Path, No("roles and collections are looked for in `~/.ansible`")),
    set("ansible_managed", &["defaults.ansible_managed"], &[], Text, No("the variable `ansible_managed` is the fixed text that ansible-core has")),
    set("allow_embedded_templates", &["defaults.allow_embedded_templates"], &["ANSIBLE_ALLOW_EMBEDDED_TEMPLATES"], Flag, No("templates in constants of templates are rendered in conditions only, as in ansible-core")),
    set("allow_unsafe_lookups", &["defaults.allow_unsafe_lookups"], &[], Flag, No("what a lookup brings is never a template")),
    set("null_representation", &["defaults.null_representation"], &["ANSIBLE_NULL_REPRESENTATION"], Text, No("ansible-core no longer reads it")),
    set("dont_type_filters", &["jinja2.dont_type_filters"], &["ANSIBLE_STRING_TYPE_FILTERS"], List, No("values keep their types, as in ansible-core 2.19")),
    set("error_on_missing_handler", &["defaults.error_on_missing_handler"], &["ANSIBLE_ERROR_ON_MISSING_HANDLER"], Flag, No("a handler that is missing is always an error")),
    set("invalid_task_attribute_failed", &["defaults.invalid_task_attribute_failed"], &["ANSIBLE_INVALID_TASK_ATTRIBUTE_FAILED"], Flag, No("an unknown keyword is always an error")),
    set("collections_on_ansible_version_mismatch", &["defaults.collections_on_ansible_version_mismatch"], &["ANSIBLE_COLLECTIONS_ON_ANSIBLE_VERSION_MISMATCH"], Text, No("modules of collections are built in")),
    set("collections_scan_sys_path", &["defaults.collections_scan_sys_path"], &["ANSIBLE_COLLECTIONS_SCAN_SYS_PATH"], Flag, No("collections are looked for in `collections_path` only")),
    set("validate_action_group_metadata", &["defaults.validate_action_group_metadata"], &["ANSIBLE_VALIDATE_ACTION_GROUP_METADATA"], Flag, No(TALK)),
    set("old_plugin_cache_clear", &["defaults.old_plugin_cache_clear"], &["ANSIBLE_OLD_PLUGIN_CACHE_CLEAR"], Flag, No(NO_PLUGIN)),
    set("plugin_filters_cfg", &["defaults.plugin_filters_cfg"], &[], Path, No(NO_PLUGIN)),
    set("action_plugins", &["defaults.action_plugins"], &["ANSIBLE_ACTION_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("cliconf_plugins", &["defaults.cliconf_plugins"], &["ANSIBLE_CLICONF_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("connection_plugins", &["defaults.connection_plugins"], &["ANSIBLE_CONNECTION_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("doc_fragment_plugins", &["defaults.doc_fragment_plugins"], &["ANSIBLE_DOC_FRAGMENT_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("httpapi_plugins", &["defaults.httpapi_plugins"], &["ANSIBLE_HTTPAPI_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("netconf_plugins", &["defaults.netconf_plugins"], &["ANSIBLE_NETCONF_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("strategy_plugins", &["defaults.strategy_plugins"], &["ANSIBLE_STRATEGY_PLUGINS"], Directories, No("`linear`, `free`, `host_pinned` and `graph` are built in, and no others")),
    set("terminal_plugins", &["defaults.terminal_plugins"], &["ANSIBLE_TERMINAL_PLUGINS"], Directories, No(NO_PLUGIN)),
    set("network_group_modules", &["defaults.network_group_modules"], &["ANSIBLE_NETWORK_GROUP_MODULES"], List, No("there are no network devices here")),
    set("task_debugger_ignore_errors", &["defaults.task_debugger_ignore_errors"], &["ANSIBLE_TASK_DEBUGGER_IGNORE_ERRORS"], Flag, No("there is no task debugger")),
    set("su", &["defaults.su"], &["ANSIBLE_SU"], Flag, No("ansible-core no longer reads it; set `become_method`")),
    // Our own.
    set("accept_new_host_keys", &[], &[], Flag, As("`--accept-new-host-keys`")),
    set("lock_wait", &[], &[], Number, As("`--lock-wait`")),
    set("history", &[], &[], Path, As("`--history`")),
];
