//! Which names are variables in a play.

use std::collections::HashSet;
use std::sync::Arc;

use super::corpus::Kind;
use super::follow::PlayView;
use super::project::Project;
use super::text;
use crate::playbook::{Loader, Play, Task};
use crate::source::{Diagnostics, Node};

/// Names that the engine or the template language defines. Anything that begins with `ansible_`
/// may be a fact.
const ALWAYS: &[&str] = &[
    "inventory_hostname",
    "inventory_hostname_short",
    "inventory_file",
    "inventory_dir",
    "group_names",
    "groups",
    "hostvars",
    "vars",
    "environment",
    "playbook_dir",
    "play_hosts",
    "role_name",
    "role_path",
    "role_names",
    "omit",
    "item",
    "lookup",
    "query",
    "q",
    "now",
    "range",
    "dict",
    "namespace",
    "undef",
    "lipsum",
    "cycler",
    "joiner",
    "self",
    "super",
    "caller",
    "loop",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
    "template_host",
    "template_path",
    "template_fullpath",
    "template_destpath",
    "template_mtime",
    "template_uid",
    "template_run_date",
];

/// Magic variables, and facts and connection variables that playbooks often read: a name that is
/// one letter away from these was meant to be one.
const ANSIBLE: &[&str] = &[
    "ansible_all_ipv4_addresses",
    "ansible_all_ipv6_addresses",
    "ansible_architecture",
    "ansible_become",
    "ansible_become_method",
    "ansible_become_password",
    "ansible_become_user",
    "ansible_check_mode",
    "ansible_collection_name",
    "ansible_config_file",
    "ansible_connection",
    "ansible_date_time",
    "ansible_default_ipv4",
    "ansible_default_ipv6",
    "ansible_devices",
    "ansible_diff_mode",
    "ansible_distribution",
    "ansible_distribution_file_variety",
    "ansible_distribution_major_version",
    "ansible_distribution_release",
    "ansible_distribution_version",
    "ansible_dns",
    "ansible_domain",
    "ansible_effective_user_id",
    "ansible_env",
    "ansible_facts",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_forks",
    "ansible_fqdn",
    "ansible_host",
    "ansible_hostname",
    "ansible_index_var",
    "ansible_interfaces",
    "ansible_inventory_sources",
    "ansible_kernel",
    "ansible_limit",
    "ansible_local",
    "ansible_loop",
    "ansible_loop_var",
    "ansible_lsb",
    "ansible_machine",
    "ansible_machine_id",
    "ansible_managed",
    "ansible_memfree_mb",
    "ansible_memory_mb",
    "ansible_memtotal_mb",
    "ansible_mounts",
    "ansible_nodename",
    "ansible_os_family",
    "ansible_parent_role_names",
    "ansible_parent_role_paths",
    "ansible_password",
    "ansible_pkg_mgr",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_name",
    "ansible_play_role_names",
    "ansible_playbook_python",
    "ansible_port",
    "ansible_processor",
    "ansible_processor_cores",
    "ansible_processor_count",
    "ansible_processor_vcpus",
    "ansible_python",
    "ansible_python_interpreter",
    "ansible_python_version",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_search_path",
    "ansible_selinux",
    "ansible_service_mgr",
    "ansible_skip_tags",
    "ansible_ssh_common_args",
    "ansible_ssh_host",
    "ansible_ssh_pass",
    "ansible_ssh_port",
    "ansible_ssh_private_key_file",
    "ansible_ssh_user",
    "ansible_swaptotal_mb",
    "ansible_system",
    "ansible_uptime_seconds",
    "ansible_user",
    "ansible_user_dir",
    "ansible_user_gid",
    "ansible_user_id",
    "ansible_user_uid",
    "ansible_userspace_bits",
    "ansible_verbosity",
    "ansible_version",
    "ansible_virtualization_role",
    "ansible_virtualization_type",
];

/// What was meant by a name that begins with `ansible_` and is a letter away from a known one.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    if !name.starts_with("ansible_") || ANSIBLE.contains(&name) {
        return None;
    }
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    ANSIBLE.iter().copied().find(|known| {
        name.len().abs_diff(known.len()) <= 1 && digits(known) == digits(name) && strsim::damerau_levenshtein(name, known) == 1
    })
}

/// Variables of a play.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The names that somebody defines.
    pub(super) defined: HashSet<Arc<str>>,
    /// There may be others: something is only known while running.
    pub(super) open: bool,
}

impl Names {
    /// Whether a name is a variable here, as far as can be known.
    pub(super) fn has(&self, name: &str) -> bool {
        self.defined.contains(name) || is_given(name)
    }
}

/// Whether a name is there without anybody defining it.
pub(super) fn is_given(name: &str) -> bool {
    name.starts_with("ansible_") || ALWAYS.contains(&name)
}

/// The names that a play's tasks see.
pub(super) fn of_play(view: &PlayView, project: &Project<'_>) -> Names {
    let mut names = Names { defined: HashSet::new(), open: view.open };
    names.defined.extend(project.known.iter().map(|name| Arc::from(name.as_str())));
    for (path, kind, document) in project.corpus.yaml() {
        let beside = || path.components().any(|part| ["group_vars", "host_vars"].iter().any(|name| part.as_os_str() == *name));
        if kind == Kind::Variables && beside() {
            let keys = document.as_map().into_iter().flat_map(|map| &map.entries);
            names.defined.extend(keys.filter_map(|(key, _)| key.as_str().map(Arc::from)));
        }
    }
    // Nobody but who has its password knows what an encrypted file defines.
    names.open |= project.corpus.encrypted;
    let play = &view.play;
    names.open |= !vars_files(play, project.loader, &mut names.defined);
    names.defined.extend(play.vars.keys().cloned());
    names.defined.extend(play.vars_prompt.iter().map(|prompt| Arc::clone(&prompt.name)));
    for role in view.roles.iter().chain(view.all().filter_map(|task| task.role.as_ref())) {
        for layer in role.defaults.iter().chain(&role.vars).chain([&role.params]) {
            names.defined.extend(layer.keys().cloned());
        }
    }
    for task in view.all() {
        names.defined.extend(task.keywords.vars.iter().flat_map(|layer| layer.keys().cloned()));
        let control = &task.loop_control;
        names.defined.extend([&control.loop_var, &control.index_var].into_iter().flatten().cloned());
        let module = &*task.action.module;
        if module == "include_vars" {
            names.open |= !included(task, project.loader, &mut names.defined);
        }
        // Modules that are not ours may set facts of any name; so may options that are a template.
        names.open |= task.action.template.is_some()
            || project.loader.catalog().find(module).is_none()
            || (module.ends_with("_facts") && module != "gather_facts");
        // A handler that includes is followed; its names are those of its tasks.
    }
    // What a task sets on a host is there in later plays too.
    for other in project.plays.iter().filter(|other| other.playbook == view.playbook) {
        for task in other.all() {
            set(task, &mut names);
        }
    }
    names
}

/// What a task defines for its host.
fn set(task: &Task, names: &mut Names) {
    names.defined.extend(task.register.iter().cloned());
    match &*task.action.module {
        "set_fact" | "add_host" => {
            for (name, _) in &task.action.options {
                names.open |= text::has_template(name);
                names.defined.insert(Arc::clone(name));
            }
        }
        _ => {}
    }
}

/// Names that `vars_files` define; false where that cannot be known.
fn vars_files(play: &Play, loader: &Loader, defined: &mut HashSet<Arc<str>>) -> bool {
    let mut known = true;
    for entry in &play.vars_files {
        let path = entry.as_str().filter(|name| !text::has_template(name)).and_then(|name| {
            let paths = [play.directory.join(name), play.directory.join("vars").join(name)];
            paths.into_iter().find(|path| path.is_file())
        });
        let Some(path) = path else {
            known = false;
            continue;
        };
        let variables = loader.variables_file(&path, Some(entry.span), &mut Diagnostics::default());
        known &= !variables.is_empty();
        defined.extend(variables.into_keys());
    }
    known
}

/// Names that `include_vars` of one literal file defines; false where that cannot be known.
fn included(task: &Task, loader: &Loader, defined: &mut HashSet<Arc<str>>) -> bool {
    let node = task.action.option("_raw_params").or_else(|| task.action.option("file"));
    let Some(name) = node.and_then(Node::as_str).filter(|name| !text::has_template(name)) else { return false };
    let roots = task.role.iter().map(|role| role.path.as_path()).chain([task.directory.as_path()]);
    let path = roots.flat_map(|root| [root.join("vars").join(name), root.join(name)]).find(|path| path.is_file());
    let Some(path) = path else { return false };
    if let Some(name) = task.action.option("name").and_then(Node::as_str) {
        defined.insert(name.into());
        return true;
    }
    let variables = loader.variables_file(&path, node.map(|node| node.span), &mut Diagnostics::default());
    let known = !variables.is_empty();
    defined.extend(variables.into_keys());
    known
}
