//! YAML files that configure an inventory plugin (`plugin: constructed`): which plugins there are,
//! and the options that they share.

use super::load::Loader;
use super::{constructed, generator};
use crate::source::suggest::did_you_mean;
use crate::source::{Diagnostic, Mapping, Node, NodeValue};

/// Lets the plugin that the file names make hosts and groups.
pub(super) fn run(loader: &mut Loader<'_>, options: &Mapping) {
    let (key, plugin) = options.entry("plugin").expect("the file was recognised by it");
    let Some(name) = plugin.as_str() else {
        let problem = format!("`plugin` is the name of an inventory plugin, and this is {}", plugin.kind());
        return loader.diagnostics.push(Diagnostic::error("inventory-plugin", problem).at(plugin.span, "found here"));
    };
    let short = ["ansible.builtin.", "ansible.legacy."].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    match short {
        "constructed" => constructed::run(loader, options),
        "generator" => generator::run(loader, options),
        _ => loader.diagnostics.push(
            Diagnostic::error(
                "inventory-plugin",
                format!("this inventory is made by the plugin `{name}`, which only ansible-inventory can run"),
            )
            .at(key.span, "names a plugin")
            .hint(
                "an executable script with `exec ansible-inventory -i THIS_FILE --list` in it can take its place; \
                 `constructed` and `generator` are built in",
            ),
        ),
    }
}

/// Warns of options that the plugin does not have.
pub(super) fn known_only(loader: &mut Loader<'_>, options: &Mapping, plugin: &str, known: &[&str]) {
    for (key, _) in &options.entries {
        let name = key.as_str().unwrap_or(key.kind());
        if name != "plugin" && !known.contains(&name) {
            let mut problem = Diagnostic::warning("inventory-unknown-key", format!("`{plugin}` has no option `{name}`"))
                .at(key.span, "is ignored");
            problem.hint = did_you_mean(name, known.iter().copied());
            loader.diagnostics.push(problem);
        }
    }
}

/// A switch of a plugin; text as Ansible reads its switches.
pub(super) fn switch(loader: &mut Loader<'_>, options: &Mapping, name: &str, default: bool) -> bool {
    let Some(node) = options.get(name) else { return default };
    let text = node.as_str().map(str::to_lowercase);
    match (&node.value, text.as_deref()) {
        (NodeValue::Bool(value), _) => *value,
        (NodeValue::Int(number @ 0..=1), _) => *number == 1,
        (_, Some("yes" | "true" | "on" | "y" | "t" | "1")) => true,
        (_, Some("no" | "false" | "off" | "n" | "f" | "0")) => false,
        _ => {
            wrong(loader, &format!("`{name}` is `true` or `false`"), node);
            default
        }
    }
}

/// A mapping among the options; nothing if there is none.
pub(super) fn mapping<'n>(loader: &mut Loader<'_>, options: &'n Mapping, name: &str) -> &'n [(Node, Node)] {
    match options.get(name).map(|node| (node, &node.value)) {
        Some((_, NodeValue::Map(map))) => &map.entries,
        None | Some((_, NodeValue::Null)) => &[],
        Some((node, _)) => {
            wrong(loader, &format!("`{name}` is a mapping"), node);
            &[]
        }
    }
}

/// A list among the options; nothing if there is none.
pub(super) fn list<'n>(loader: &mut Loader<'_>, options: &'n Mapping, name: &str) -> &'n [Node] {
    match options.get(name).map(|node| (node, &node.value)) {
        Some((_, NodeValue::List(items))) => items,
        None | Some((_, NodeValue::Null)) => &[],
        Some((node, _)) => {
            wrong(loader, &format!("`{name}` is a list"), node);
            &[]
        }
    }
}

/// An option of the wrong kind.
pub(super) fn wrong(loader: &mut Loader<'_>, expected: &str, node: &Node) {
    let problem = format!("{expected}, and this is {}", node.kind());
    loader.diagnostics.push(Diagnostic::error("inventory-plugin", problem).at(node.span, "found here"));
}
