//! What the rules about options share.

use crate::playbook::{Entry, Loader, Task};
use crate::source::{Node, Span};
use stead_modules::args::ArgError;

/// The module of a task, if its options can be checked.
pub(super) fn checkable<'a>(task: &Task, loader: &'a Loader) -> Option<&'a Entry> {
    loader.catalog().find(&task.action.module).filter(|entry| !entry.takes_anything)
}

/// Options that only the engine gives are not a user's.
fn is_visible(name: &str) -> bool {
    !name.starts_with("stead_") && !name.starts_with('_')
}

/// Whether a module has an option of this name.
pub(super) fn is_known(entry: &Entry, name: &str) -> bool {
    (is_visible(name) || name == "_raw_params")
        && entry.fields.iter().any(|field| field.name == name || field.aliases.contains(&name))
}

/// The names of a module's options.
pub(super) fn names(entry: &Entry) -> impl Iterator<Item = &'static str> {
    let all = entry.fields.iter().flat_map(|field| std::iter::once(field.name).chain(field.aliases.iter().copied()));
    all.filter(|name| is_visible(name))
}

/// The option of this name, or of one of its aliases, as it was given.
pub(super) fn given<'a>(task: &'a Task, entry: &Entry, name: &str) -> Option<(&'a str, &'a Node)> {
    let field = entry.fields.iter().find(|field| field.name == name);
    let is = |given: &str| given == name || field.is_some_and(|field| field.aliases.contains(&given));
    task.action.options.iter().find(|(given, _)| is(given)).map(|(given, node)| (&**given, node))
}

/// Whether a name or alias means the option of this name.
pub(super) fn is_same(entry: &Entry, given: &str, name: &str) -> bool {
    given == name || entry.fields.iter().any(|field| field.name == name && field.aliases.contains(&given))
}

/// Whether an option is one that `package` would hand on to the module of the host's package manager.
pub(super) fn is_passed_on(entry: &Entry, name: &str) -> bool {
    const OPTIONS: &[&str] = &[
        "allow_downgrade",
        "allow_unauthenticated",
        "allowerasing",
        "autoremove",
        "cache_valid_time",
        "deb",
        "default_release",
        "disable_excludes",
        "disable_gpg_check",
        "disable_plugin",
        "disablerepo",
        "dpkg_options",
        "enable_plugin",
        "enablerepo",
        "exclude",
        "force",
        "install_recommends",
        "install_weak_deps",
        "installroot",
        "list",
        "lock_timeout",
        "nobest",
        "only_upgrade",
        "purge",
        "releasever",
        "security",
        "skip_broken",
        "update_cache",
        "update_only",
        "upgrade",
        "validate_certs",
    ];
    entry.name == "package" && OPTIONS.contains(&name) && !is_known(entry, name)
}

/// Whether a module knows an option and cannot do what it asks for.
pub(super) fn is_refused(error: &ArgError) -> bool {
    error.problem.contains("cannot be honoured")
}

/// Where an option's name stands; its value's place where it was written otherwise.
pub(super) fn key_span(task: &Task, name: &str, value: &Node) -> Span {
    let maps = task.written.entries.iter().filter_map(|(_, node)| node.as_map());
    let mut keys = maps.filter_map(|map| map.entry(name));
    keys.find(|(_, node)| node.span == value.span).map_or(value.span, |(key, _)| key.span)
}
