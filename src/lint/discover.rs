//! From paths to what is in them: playbooks, roles, files of tasks and variables, templates, by
//! where they lie, as people lay them out.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use super::corpus::{Content, Kind, ProjectFile};
use crate::playbook::Loader;
use crate::source::{Diagnostics, Node};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) playbooks: Vec<PathBuf>,
    /// Directories of roles.
    pub(super) roles: Vec<PathBuf>,
    pub(super) files: Vec<ProjectFile>,
    /// Files that were looked at, whatever they are.
    seen: HashSet<PathBuf>,
    /// Whether files of variables are encrypted as a whole.
    pub(super) encrypted: bool,
}

/// Directories that hold no project's files.
const IGNORED: &[&str] = &["node_modules", "venv", "__pycache__", "molecule", "collections"];
/// Directories that make their parent a role.
const ROLE_PARTS: &[&str] = &["tasks", "handlers", "defaults", "meta", "vars"];
/// A text that is larger is nobody's template or plugin.
const LARGEST: u64 = 1 << 20;
/// How a file begins that is encrypted as a whole.
const VAULT_HEADER: &str = "$ANSIBLE_VAULT;";

/// Looks through a directory.
pub(super) fn directory(root: &Path, loader: &Loader, diagnostics: &mut Diagnostics, found: &mut Found) {
    let mut paths = Vec::new();
    collect(root, 0, &mut paths);
    paths.sort();
    for path in paths {
        file(&path, root, loader, diagnostics, found);
    }
}

/// Where the roles of directories lie: a playbook anywhere in them may use each of them.
pub fn role_directories(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for root in paths.iter().filter(|path| path.is_dir()) {
        let mut files = Vec::new();
        collect(root, 0, &mut files);
        for file in files {
            let is_main = file.file_stem().is_some_and(|stem| stem == "main");
            let Some(part) = file.parent().filter(|part| is_main && (part.ends_with("tasks") || part.ends_with("meta"))) else {
                continue;
            };
            if let Some(beside) = part.parent().and_then(Path::parent)
                && !found.iter().any(|known| known == beside)
            {
                found.push(beside.to_owned());
            }
        }
    }
    found.sort();
    found
}

/// One file, by where it lies below `root`.
pub(super) fn file(path: &Path, root: &Path, loader: &Loader, diagnostics: &mut Diagnostics, found: &mut Found) {
    if !found.seen.insert(path.to_owned()) {
        return;
    }
    let inside: Vec<&str> = path
        .strip_prefix(root)
        .unwrap_or(path)
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    let Some((name, folders)) = inside.split_last() else { return };
    // A root may itself be a role, or one of its folders.
    let around: Vec<&str> = root.components().filter_map(|part| part.as_os_str().to_str()).collect();
    let below = |folder: &str| folders.contains(&folder) || around.last() == Some(&folder);
    if below("files") {
        return;
    }
    if below("templates") {
        return text(path, Kind::Template, loader, found);
    }
    let is_yaml = [".yml", ".yaml"].iter().any(|ending| name.ends_with(ending));
    let variables = ["group_vars", "host_vars"].iter().any(|folder| below(folder));
    if !is_yaml && !variables {
        if [".py", ".j2", ".sh"].iter().any(|ending| name.ends_with(ending)) {
            let kind = if name.ends_with(".j2") { Kind::Template } else { Kind::Other };
            text(path, kind, loader, found);
        }
        return;
    }
    // The innermost folder with a meaning decides.
    let part = folders.iter().rposition(|folder| ROLE_PARTS.contains(folder));
    let kind = match part.map(|at| folders[at]) {
        _ if variables => Some(Kind::Variables),
        Some("tasks") => Some(Kind::Tasks),
        Some("handlers") => Some(Kind::Handlers),
        Some("defaults" | "vars") => Some(Kind::Variables),
        Some("meta") => Some(Kind::Meta),
        _ => None,
    };
    if !variables && let Some(at) = part {
        // `./a` and `a` are one directory.
        let base = if root == Path::new(".") && at > 0 { PathBuf::new() } else { root.to_owned() };
        let role: PathBuf = folders[..at].iter().fold(base, |path, folder| path.join(folder));
        if is_role(&role) && !found.roles.contains(&role) {
            found.roles.push(role);
        }
    }
    if encrypted(path) {
        found.encrypted |= kind == Some(Kind::Variables);
        return;
    }
    match kind {
        Some(kind) => {
            if let Some(node) = loader.document(path, None, diagnostics) {
                found.files.push(ProjectFile { path: path.to_owned(), kind, content: Content::Yaml(node) });
            }
        }
        // Other YAML is a playbook if it reads like one; otherwise it is not ours.
        None => {
            let node = loader.document(path, None, &mut Diagnostics::default());
            if let Some(node) = node.filter(is_playbook) {
                found.playbooks.push(path.to_owned());
                found.files.push(ProjectFile { path: path.to_owned(), kind: Kind::Playbook, content: Content::Yaml(node) });
            }
        }
    }
}

/// A directory with tasks or handlers, or with what a role says of itself.
fn is_role(path: &Path) -> bool {
    ["tasks", "handlers", "meta"]
        .iter()
        .any(|part| ["main.yml", "main.yaml"].iter().any(|file| path.join(part).join(file).is_file()))
}

/// A list of mappings of which one names hosts or imports a playbook.
fn is_playbook(node: &Node) -> bool {
    let names = ["hosts", "import_playbook", "ansible.builtin.import_playbook"];
    node.as_list().is_some_and(|items| {
        items.iter().any(|item| {
            // Rulebooks name hosts too.
            item.as_map().is_some_and(|map| names.iter().any(|name| map.get(name).is_some()) && map.get("rules").is_none())
        })
    })
}

fn encrypted(path: &Path) -> bool {
    use std::io::Read as _;
    let mut first = [0; VAULT_HEADER.len()];
    std::fs::File::open(path).is_ok_and(|mut file| file.read_exact(&mut first).is_ok() && first == *VAULT_HEADER.as_bytes())
}

fn text(path: &Path, kind: Kind, loader: &Loader, found: &mut Found) {
    let small = std::fs::metadata(path).is_ok_and(|meta| meta.len() <= LARGEST);
    if small && let Ok(file) = crate::source::load::once(loader.map(), path) {
        let content = Content::Text(file, loader.map().text(file));
        found.files.push(ProjectFile { path: path.to_owned(), kind, content });
    }
}

/// Files below a directory; symbolic links to directories are not followed.
fn collect(directory: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    if depth > 30 {
        return;
    }
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        // `./a` and `a` are one file.
        let path = if directory == Path::new(".") { PathBuf::from(name) } else { directory.join(name) };
        if kind.is_dir() {
            if !IGNORED.contains(&name) {
                collect(&path, depth + 1, into);
            }
        } else {
            into.push(path);
        }
    }
}
