//! Which plugins there may be, as far as their files tell: nothing is run for that.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::template::PluginKind;

/// Files of plugins are small; what is larger is not looked through.
const LARGEST: u64 = 4 << 20;

/// Where plugins are looked for.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Folders of one kind: `filter_plugins` and the like.
    pub(super) folders: Vec<(PluginKind, PathBuf)>,
    /// Folders of a project's own modules.
    pub(super) library: Vec<PathBuf>,
    /// Folders of what a project's own modules share.
    pub(super) utilities: Vec<PathBuf>,
    /// Roots of collections: folders that hold `NAMESPACE/NAME`.
    pub(super) collections: Vec<PathBuf>,
    read: Mutex<HashMap<PathBuf, Arc<Vec<PluginFile>>>>,
}

/// A file of plugins, as text.
#[derive(Debug)]
struct PluginFile {
    stem: String,
    text: String,
}

/// The folder of a kind beside a playbook or in a role.
pub(super) fn folder_name(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Filter => "filter_plugins",
        PluginKind::Test => "test_plugins",
        PluginKind::Lookup => "lookup_plugins",
    }
}

/// `NAMESPACE.COLLECTION` and the rest of a name, if it is one of a collection.
pub(super) fn collection_of(name: &str) -> Option<(&str, &str)> {
    let first = name.find('.')?;
    let second = first + 1 + name[first + 1..].find('.')?;
    let collection = &name[..second];
    (!collection.starts_with("ansible.builtin") && !collection.starts_with("ansible.legacy"))
        .then_some((collection, &name[second + 1..]))
}

/// Adds a folder that exists, once.
pub(super) fn add_existing(folders: &mut Vec<PathBuf>, folder: PathBuf) {
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    if folder.is_dir() && !folders.contains(&folder) {
        folders.push(folder);
    }
}

impl Places {
    /// Adds what a directory has; whether it was new.
    pub(super) fn add(&mut self, directory: &Path) -> bool {
        let before = (self.folders.len(), self.collections.len());
        for kind in [PluginKind::Filter, PluginKind::Test, PluginKind::Lookup] {
            self.add_folder(kind, directory.join(folder_name(kind)));
        }
        add_existing(&mut self.library, directory.join("library"));
        add_existing(&mut self.utilities, directory.join("module_utils"));
        self.add_collections(directory.join("collections/ansible_collections"));
        self.add_collections(directory.join("ansible_collections"));
        before != (self.folders.len(), self.collections.len())
    }

    /// Adds a folder of plugins, if it exists.
    pub(super) fn add_folder(&mut self, kind: PluginKind, folder: PathBuf) {
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        if folder.is_dir() && !self.folders.iter().any(|(own, known)| *own == kind && *known == folder) {
            self.folders.push((kind, folder));
        }
    }

    /// Adds a folder of collections, if it exists.
    pub(super) fn add_collections(&mut self, root: PathBuf) {
        add_existing(&mut self.collections, root);
    }

    /// The folder of an installed collection.
    pub(super) fn collection(&self, name: &str) -> Option<PathBuf> {
        let (namespace, collection) = name.split_once('.')?;
        self.collections.iter().map(|root| root.join(namespace).join(collection)).find(|path| path.is_dir())
    }

    /// Whether a file may define a name.
    pub(super) fn may_have(&self, kind: PluginKind, name: &str) -> bool {
        if let Some((collection, rest)) = collection_of(name) {
            let Some(root) = self.collection(collection) else { return false };
            let (inner, short) = rest.rsplit_once('.').map_or(("", rest), |(inner, short)| (inner, short));
            let folder = root.join("plugins").join(kind.word()).join(inner.replace('.', "/"));
            return self.files(&folder).iter().any(|file| file.defines(kind, short));
        }
        let short = name.rsplit('.').next().unwrap_or(name);
        self.folders_of(kind).any(|folder| self.files(folder).iter().any(|file| file.defines(kind, short)))
    }

    /// Names that files define, as far as one can see.
    pub(super) fn names(&self, kind: PluginKind) -> Vec<String> {
        let mut names: Vec<String> = self
            .folders_of(kind)
            .flat_map(|folder| {
                let files = self.files(folder);
                files.iter().flat_map(|file| file.names(kind)).collect::<Vec<_>>()
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn folders_of(&self, kind: PluginKind) -> impl Iterator<Item = &PathBuf> {
        self.folders.iter().filter(move |(own, _)| *own == kind).map(|(_, folder)| folder)
    }

    fn files(&self, folder: &Path) -> Arc<Vec<PluginFile>> {
        let mut read = self.read.lock().expect("no thread panics while it holds this");
        if let Some(files) = read.get(folder) {
            return Arc::clone(files);
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let mut files: Vec<PluginFile> = entries
            .filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST))
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let stem = name.strip_suffix(".py").filter(|stem| !stem.starts_with('.') && !stem.starts_with("__init__"))?;
                let bytes = std::fs::read(entry.path()).ok()?;
                Some(PluginFile { stem: stem.to_owned(), text: String::from_utf8_lossy(&bytes).into_owned() })
            })
            .collect();
        files.sort_by(|one, other| one.stem.cmp(&other.stem));
        let files = Arc::new(files);
        read.insert(folder.to_owned(), Arc::clone(&files));
        files
    }
}

impl PluginFile {
    /// A lookup is its file. Filters and tests are named in the text: in quotes, or as `name=`.
    fn defines(&self, kind: PluginKind, name: &str) -> bool {
        if self.stem == name || kind == PluginKind::Lookup {
            return self.stem == name;
        }
        let quoted = |quote: char| self.text.contains(&format!("{quote}{name}{quote}"));
        let keyword = || {
            self.text.match_indices(name).any(|(at, _)| {
                let before = self.text[..at].chars().next_back();
                let after = self.text[at + name.len()..].trim_start();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
                    && after.starts_with('=')
                    && !after.starts_with("==")
            })
        };
        quoted('\'') || quoted('"') || keyword()
    }

    /// Names in quotes in front of a colon, as in the dictionary that a file of filters gives.
    fn names(&self, kind: PluginKind) -> Vec<String> {
        if kind == PluginKind::Lookup {
            return vec![self.stem.clone()];
        }
        let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        let mut names = Vec::new();
        for line in self.text.lines() {
            let line = line.trim_start();
            let Some(quote) = line.chars().next().filter(|c| matches!(c, '\'' | '"')) else { continue };
            if let Some((name, rest)) = line[1..].split_once(quote)
                && is_name(name)
                && rest.trim_start().starts_with(':')
            {
                names.push(name.to_owned());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_what_they_define() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "filter_plugins/own.py",
            "class FilterModule:\n    def filters(self):\n        return {\n            'double': f,\n            \"half\": g,\n        }\n",
        );
        write("filter_plugins/more.py", "        return dict(triple=f, other = g)\n");
        write("lookup_plugins/secret.py", "class LookupModule: pass\n");
        write("ansible_collections/acme/net/plugins/filter/ip.py", "'first_ip': f");
        write("ansible_collections/acme/net/plugins/filter/deep/x.py", "'low': f");
        let mut places = Places::default();
        assert!(places.add(directory.path()));
        assert!(!places.add(directory.path()));
        for (kind, name, known) in [
            (PluginKind::Filter, "double", true),
            (PluginKind::Filter, "half", true),
            (PluginKind::Filter, "triple", true),
            (PluginKind::Filter, "other", true),
            (PluginKind::Filter, "filters", false),
            (PluginKind::Filter, "ansible.legacy.double", true),
            (PluginKind::Test, "double", false),
            (PluginKind::Lookup, "secret", true),
            (PluginKind::Lookup, "LookupModule", false),
            (PluginKind::Filter, "acme.net.first_ip", true),
            (PluginKind::Filter, "acme.net.deep.low", true),
            (PluginKind::Filter, "acme.net.nope", false),
            (PluginKind::Filter, "acme.other.first_ip", false),
            (PluginKind::Filter, "first_ip", false),
        ] {
            assert_eq!(places.may_have(kind, name), known, "{name}");
        }
        assert_eq!(places.names(PluginKind::Filter), ["double", "half"]);
        assert!(places.collection("acme.net").is_some() && places.collection("acme.other").is_none());
    }
}
