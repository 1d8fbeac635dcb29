//! Collections: where they are, and what of theirs a playbook can name: roles, playbooks, groups of modules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::load::Loader;
use crate::source::{Diagnostics, Node};

/// Parts of `namespace.collection.name`; the name may have dots of its own (folders).
fn qualified(name: &str) -> Option<(&str, &str, &str)> {
    let mut parts = name.splitn(3, '.');
    let (namespace, collection, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let is_word = |text: &str| {
        !text.is_empty()
            && !text.starts_with(|first: char| first.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    [namespace, collection].into_iter().chain(rest.split('.')).all(is_word).then_some((namespace, collection, rest))
}

impl Loader {
    /// The directory of a collection: beside the playbook first.
    fn collection(&self, playbook: &Path, namespace: &str, collection: &str) -> Option<PathBuf> {
        let beside = [playbook.join("collections")];
        let roots = beside.iter().chain(&self.settings.collections_path);
        roots
            .flat_map(|root| [root.join("ansible_collections"), root.clone()])
            .map(|root| root.join(namespace).join(collection))
            .find(|path| path.is_dir())
    }

    /// The full name and the directory of a role that is named with its collection, or lies in one of
    /// `searched`.
    pub(super) fn collection_role(&self, playbook: &Path, name: &str, searched: &[String]) -> Option<(String, PathBuf)> {
        let named = qualified(name);
        let in_searched = searched.iter().filter_map(|collection| {
            let (namespace, collection) = collection.split_once('.')?;
            Some((namespace, collection, name))
        });
        named
            .into_iter()
            .chain(in_searched)
            .filter_map(|(namespace, collection, role)| {
                let path = self.collection(playbook, namespace, collection)?.join("roles").join(role.replace('.', "/"));
                Some((format!("{namespace}.{collection}.{role}"), path))
            })
            .find(|(_, path)| path.is_dir())
    }

    /// The file of a playbook that is named with its collection.
    pub(super) fn collection_playbook(&self, playbook: &Path, name: &str) -> Option<PathBuf> {
        let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml")).unwrap_or(name);
        let (namespace, collection, rest) = qualified(stem)?;
        let directory = self.collection(playbook, namespace, collection)?.join("playbooks");
        let path = directory.join(rest.replace('.', "/"));
        ["yml", "yaml"].iter().map(|extension| path.with_extension(extension)).find(|path| path.is_file())
    }

    /// The plain names of the modules in a group (`group/namespace.collection.name` of `module_defaults`);
    /// empty where nobody defines it.
    pub fn module_group(&self, playbook: &Path, group: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.collect_group(playbook, group, &mut BTreeSet::new(), &mut found);
        found
    }

    fn collect_group(&self, playbook: &Path, group: &str, seen: &mut BTreeSet<String>, found: &mut BTreeSet<String>) {
        let Some((namespace, collection, name)) = qualified(group) else { return };
        if !seen.insert(group.to_owned()) {
            return;
        }
        let Some(directory) = self.collection(playbook, namespace, collection) else { return };
        let runtime = directory.join("meta/runtime.yml");
        if !runtime.is_file() {
            return;
        }
        let document = self.document(&runtime, None, &mut Diagnostics::default());
        let groups = document.as_ref().and_then(Node::as_map).and_then(|map| map.get("action_groups")).and_then(Node::as_map);
        let members = groups.and_then(|groups| groups.get(name)).and_then(Node::as_list).unwrap_or_default();
        let full = |name: &str| if name.contains('.') { name.to_owned() } else { format!("{namespace}.{collection}.{name}") };
        for member in members {
            if let Some(module) = member.as_str() {
                found.insert(crate::ansible::names::plain(&full(module)).to_owned());
            }
            let more = member.as_map().and_then(|map| map.get("metadata")?.as_map()?.get("extend_group").cloned());
            for other in more.iter().flat_map(|node| node.as_list().unwrap_or_default()).filter_map(Node::as_str) {
                self.collect_group(playbook, &full(other), seen, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::qualified;

    #[test]
    fn a_name_with_its_collection_has_three_parts() {
        assert_eq!(qualified("a.b.c"), Some(("a", "b", "c")));
        assert_eq!(qualified("a.b.c.d"), Some(("a", "b", "c.d")));
        for not in ["role", "a.b", "./a.b.c", "a.b.c/d", "a..c", "1.2.3"] {
            assert_eq!(qualified(not), None, "{not}");
        }
    }
}
