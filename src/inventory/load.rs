//! From `-i` to an inventory: files, directories, programs and lists of names, and the variable files
//! beside them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::beside::Beside;
use super::model::{HostSource, Inventory, LOCALHOST, Names, UNGROUPED};
use super::settings::InventorySettings;
use super::{ini, plugin, program, range, tree};
use crate::source::{self, Diagnostic, Diagnostics, NodeValue, SourceMap, Span};
use crate::vars::Variables;

/// In a directory, files that end so are not inventories.
const IGNORED_ENDINGS: [&str; 14] =
    [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry", ".ini~", ".toml~"];
/// In a directory, these belong to variables.
const IGNORED_NAMES: [&str; 3] = ["group_vars", "host_vars", "vars_plugins"];
/// Directories in each other.
const MAX_DEPTH: usize = 10;

impl Inventory {
    /// Reads all sources, each a path or a list of names with a comma in it, and the `group_vars`
    /// and `host_vars` beside them. A later source wins over an earlier one.
    pub fn load(map: &SourceMap, sources: &[impl AsRef<str>], settings: &InventorySettings) -> (Self, Diagnostics) {
        let mut loader = Loader {
            map,
            settings,
            inventory: Self::default(),
            names: Names::default(),
            diagnostics: Diagnostics::default(),
            places: Vec::new(),
        };
        for source in sources.iter().map(AsRef::as_ref).filter(|source| !source.is_empty()) {
            let path = Path::new(source);
            if source.contains(',') && !path.exists() {
                loader.inventory.given.push(source.to_owned());
                loader.names(source);
                continue;
            }
            loader.inventory.given.push(clean(path).display().to_string());
            let place = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
            // Of the files in a place that is given twice the later mention counts.
            loader.places.retain(|other| other != place);
            loader.places.push(place.to_owned());
            loader.path(path, 0);
        }
        loader.inventory.read_from(None);
        loader.inventory.settle();
        loader.inventory.beside = loader.read_beside();
        (loader.inventory, loader.diagnostics)
    }

    /// Reads the `group_vars` and `host_vars` beside a playbook; those of an earlier playbook no
    /// longer count.
    pub fn load_beside_playbook(&mut self, map: &SourceMap, directory: &Path) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        let beside = self.read_beside(map, directory, &mut Names::default(), &mut diagnostics);
        self.beside_playbook = Some(Arc::new(beside));
        diagnostics
    }

    /// Reads the files beside the sources and beside the playbook for groups and hosts that came later.
    pub fn load_beside_of(&mut self, map: &SourceMap, groups: &[Arc<str>], hosts: &[Arc<str>]) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for beside in self.beside.iter_mut().chain(&mut self.beside_playbook) {
            *beside = Arc::new(beside.with(map, groups.iter(), hosts.iter(), &mut diagnostics));
        }
        diagnostics
    }

    fn read_beside(&self, map: &SourceMap, directory: &Path, names: &mut Names, diagnostics: &mut Diagnostics) -> Beside {
        // This machine is there even if nobody names it.
        let implicit: Vec<Arc<str>> = LOCALHOST.iter().filter(|name| !self.has_host(name)).map(|name| Arc::from(*name)).collect();
        // A name with a slash (a path to a chroot) has no file of its own.
        let hosts = self.hosts().chain(&implicit).filter(|name| !name.contains('/'));
        let groups = self.group_names().filter(|name| !name.contains('/'));
        Beside::read(map, directory, groups, hosts, names, diagnostics)
    }
}

/// An absolute path without `.` and `..`; symbolic links stay.
fn clean(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut clean = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    clean
}

/// An inventory while its sources are being read.
pub(super) struct Loader<'a> {
    map: &'a SourceMap,
    pub(super) settings: &'a InventorySettings,
    pub(super) inventory: Inventory,
    pub(super) names: Names,
    pub(super) diagnostics: Diagnostics,
    /// Directories of the sources so far.
    places: Vec<PathBuf>,
}

impl Loader<'_> {
    /// The files beside the sources so far, for the hosts and groups so far.
    pub(super) fn read_beside(&mut self) -> Vec<Arc<Beside>> {
        let read =
            |place: &PathBuf| Arc::new(self.inventory.read_beside(self.map, place, &mut self.names, &mut self.diagnostics));
        self.places.iter().map(read).collect()
    }

    /// `web1,web2:2222,`
    fn names(&mut self, list: &str) {
        self.inventory.read_from(Some(HostSource { file: list.to_owned(), directory: None }));
        let mut file = None;
        let mut at = 0;
        for part in list.split(',') {
            let name = part.trim();
            let start = at + (part.len() - part.trim_start().len());
            at += part.len() + 1;
            if name.is_empty() {
                continue;
            }
            let file = *file.get_or_insert_with(|| self.map.add(Path::new("<inventory list>"), list));
            let span = Span { file, start: start as u32, end: (start + name.len()) as u32 };
            match range::expand(name) {
                Ok((hosts, port)) => {
                    for host in hosts {
                        self.inventory.add_host_to_group(&host, UNGROUPED);
                        if let Some(port) = port {
                            let value = source::Node { span, value: NodeValue::Int(i64::from(port)) };
                            let name = self.names.get("ansible_port");
                            let port = Variables::from_iter([(name, super::beside::variable(value, span))]);
                            self.inventory.set_host_variables(&host, port);
                        }
                    }
                }
                Err(message) => self.diagnostics.push(Diagnostic::error("inventory-syntax", message).at(span, "in this name")),
            }
        }
    }

    fn path(&mut self, path: &Path, depth: usize) {
        let shown = path.display();
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) => {
                let reason = if error.kind() == std::io::ErrorKind::NotFound {
                    "there is no such file or directory".to_owned()
                } else {
                    error.to_string()
                };
                self.diagnostics.push(
                    Diagnostic::error("inventory-source", format!("cannot read the inventory `{shown}`: {reason}"))
                        .hint("a list of host names needs a comma: `-i web1,`"),
                );
                return;
            }
        };
        if meta.is_dir() {
            return self.directory(path, depth);
        }
        let absolute = clean(path);
        let directory = absolute.parent().map(|parent| parent.display().to_string());
        self.inventory.read_from(Some(HostSource { file: absolute.display().to_string(), directory }));
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match program::kind(path) {
            program::Kind::Program => {
                let timeout = self.settings.program_timeout;
                return program::read(&mut self.inventory, self.map, path, timeout, &mut self.names, &mut self.diagnostics);
            }
            program::Kind::NotExecutable if !matches!(extension, "yml" | "yaml" | "json" | "ini") => {
                let problem = format!("the inventory `{shown}` begins like a program, but may not be executed");
                let problem = Diagnostic::error("inventory-program", problem).hint(format!("chmod +x {shown}"));
                return self.diagnostics.push(problem);
            }
            program::Kind::NotExecutable | program::Kind::Data => {}
        }
        let file = match source::load(self.map, path) {
            Ok(file) => file,
            Err(problem) => return self.diagnostics.push(*problem),
        };
        let text = self.map.text(file);
        if self.map.is_secret(file) {
            // Names of hosts are no secrets; values of their variables are.
            let values = text.split_whitespace().filter_map(|word| word.split_once('=')).map(|(_, value)| value);
            values.for_each(|value| self.map.vault().redactor().learn(value.trim_matches(['"', '\''])));
        }
        let is_tree = match extension {
            "yml" | "yaml" | "json" => true,
            "toml" => {
                let problem = format!("the inventory `{shown}` is written in TOML, which is not supported");
                return self.diagnostics.push(Diagnostic::error("inventory-format", problem).hint("write it as YAML or INI"));
            }
            _ => looks_like_yaml(&text),
        };
        if !is_tree {
            return ini::read(&mut self.inventory, self.map, file, &mut self.names, &mut self.diagnostics);
        }
        let plugin = tree::read(&mut self.inventory, self.map, file, &mut self.names, &mut self.diagnostics);
        if let Some(options) = plugin {
            plugin::run(self, &options);
        }
    }

    fn directory(&mut self, path: &Path, depth: usize) {
        let failed = |reason: &str| {
            Diagnostic::error("inventory-source", format!("cannot read the inventory `{}`: {reason}", path.display()))
        };
        if depth > MAX_DEPTH {
            return self.diagnostics.push(failed("too many directories in each other"));
        }
        let mut entries = match std::fs::read_dir(path) {
            Ok(listing) => {
                listing.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
            }
            Err(error) => return self.diagnostics.push(failed(&error.to_string())),
        };
        entries.sort_unstable();
        for name in entries {
            let ignored = name.starts_with('.')
                || IGNORED_NAMES.contains(&name.as_str())
                || IGNORED_ENDINGS.iter().any(|ending| name.ends_with(ending));
            if !ignored {
                self.path(&path.join(name), depth + 1);
            }
        }
    }
}

/// A file without a telling extension is YAML if its first line says so.
fn looks_like_yaml(text: &str) -> bool {
    let Some(line) =
        text.lines().map(str::trim_end).find(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['#', ';']))
    else {
        return false;
    };
    if line.starts_with("---") || line.starts_with('{') || line.starts_with("%YAML") {
        return true;
    }
    let key = line.strip_suffix(':').or_else(|| line.split_once(": ").map(|(key, _)| key));
    key.is_some_and(|key| !key.is_empty() && !key.starts_with('[') && !key.contains([' ', '=']))
}
