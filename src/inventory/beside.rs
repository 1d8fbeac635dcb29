//! `group_vars/` and `host_vars/` beside an inventory or a playbook.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::model::{Names, Overwritten, Owner};
use crate::source::{self, Diagnostic, Diagnostics, FileId, Node, NodeValue, SourceMap, yaml};
use crate::vars::{Definition, Origin, Variable, Variables};

/// Files of a group or host are found under its name with one of these, the first one that exists.
const EXTENSIONS: [&str; 4] = ["", ".yml", ".yaml", ".json"];
/// Directories in each other.
const MAX_DEPTH: usize = 20;
/// Groups or hosts whose files are held in memory before their variables are taken over.
const AT_ONCE: usize = 500;
/// Below this many files they are parsed before a thread would have begun.
const WORTH_A_THREAD: usize = 16;

/// What the files in one place define, by group and by host.
#[derive(Debug, Default, Clone)]
pub(super) struct Beside {
    /// Where the files are.
    directory: PathBuf,
    pub(super) groups: HashMap<Arc<str>, Arc<Variables>>,
    pub(super) hosts: HashMap<Arc<str>, Arc<Variables>>,
    /// Definitions that a later file of the same host or group replaced, earliest first.
    pub(super) overwritten: Vec<Overwritten>,
    /// Encrypted files that could not be opened: a problem only for who needs them.
    pub(super) closed: Vec<(Owner, Diagnostic)>,
}

impl Beside {
    /// Reads the files of these groups and hosts in `directory`; files of other names are ignored.
    pub(super) fn read<'a>(
        map: &SourceMap,
        directory: &Path,
        groups: impl Iterator<Item = &'a Arc<str>>,
        hosts: impl Iterator<Item = &'a Arc<str>>,
        names: &mut Names,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let (mut overwritten, mut closed) = (Vec::new(), Vec::new());
        let mut read = |folder: &str, owner: fn(Arc<str>) -> Owner, entities: &mut dyn Iterator<Item = &'a Arc<str>>| {
            let folder = directory.join(folder);
            let entries = entries(&folder, diagnostics);
            let mut found = HashMap::new();
            if entries.is_empty() {
                return found;
            }
            let mut wanted = Vec::new();
            for name in entities {
                let file =
                    EXTENSIONS.iter().map(|extension| format!("{name}{extension}")).find(|file| entries.contains_key(file));
                let Some(file) = file else { continue };
                let mut files = Vec::new();
                collect(&folder.join(&file), entries[&file], 0, &mut files, diagnostics);
                wanted.push((name, files));
            }
            for part in wanted.chunks(AT_ONCE) {
                let mut nodes = parsed(map, part.iter().flat_map(|(_, files)| files)).into_iter();
                for (name, files) in part {
                    let mut variables = Variables::new();
                    for node in nodes.by_ref().take(files.len()) {
                        let mut more = Variables::new();
                        if let Err(problem) = add_parsed(node, names, &mut more, diagnostics) {
                            closed.push((owner(Arc::clone(name)), *problem));
                        }
                        if variables.is_empty() {
                            variables = more;
                            continue;
                        }
                        for (variable, definition) in more {
                            if let Some(old) = variables.insert(Arc::clone(&variable), definition) {
                                overwritten.push(Overwritten { owner: owner(Arc::clone(name)), name: variable, variable: old });
                            }
                        }
                    }
                    found.insert(Arc::clone(name), Arc::new(variables));
                }
            }
            found
        };
        let groups = read("group_vars", Owner::Group, &mut { groups });
        let hosts = read("host_vars", Owner::Host, &mut { hosts });
        Self { directory: directory.to_owned(), groups, hosts, overwritten, closed }
    }

    /// The same with the files of further groups and hosts.
    pub(super) fn with<'a>(
        &self,
        map: &SourceMap,
        groups: impl Iterator<Item = &'a Arc<str>>,
        hosts: impl Iterator<Item = &'a Arc<str>>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let more = Self::read(map, &self.directory, groups, hosts, &mut Names::default(), diagnostics);
        let mut all = self.clone();
        all.groups.extend(more.groups);
        all.hosts.extend(more.hosts);
        all.overwritten.extend(more.overwritten);
        all.closed.extend(more.closed);
        all
    }
}

/// Names in a directory, sorted, and whether each is a directory. Nothing if there is none.
fn entries(directory: &Path, diagnostics: &mut Diagnostics) -> BTreeMap<String, bool> {
    let listing = match std::fs::read_dir(directory) {
        Ok(listing) => listing,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return BTreeMap::new();
        }
        Err(error) => {
            let problem = format!("cannot read the directory `{}`: {error}", directory.display());
            diagnostics.push(Diagnostic::error("unreadable-file", problem));
            return BTreeMap::new();
        }
    };
    listing
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_directory = std::fs::metadata(entry.path()).is_ok_and(|meta| meta.is_dir());
            Some((name, is_directory))
        })
        .collect()
}

/// A file, or the files of a directory in the order of their names. As in Ansible, names that
/// begin with `.` or end with `~` are left out, so are directories with a dot in their name and
/// files whose extension is not one of YAML or JSON.
fn collect(path: &Path, is_directory: bool, depth: usize, files: &mut Vec<PathBuf>, diagnostics: &mut Diagnostics) {
    if !is_directory {
        files.push(path.to_owned());
        return;
    }
    if depth > MAX_DEPTH {
        let problem = format!("more than {MAX_DEPTH} directories in each other at `{}`", path.display());
        diagnostics.push(Diagnostic::error("unreadable-file", problem).hint("is there a symbolic link that leads back up?"));
        return;
    }
    for (name, is_directory) in entries(path, diagnostics) {
        let extension = Path::new(&name).extension().and_then(|extension| extension.to_str());
        let wanted = match extension {
            None => true,
            Some(extension) => !is_directory && matches!(extension, "yml" | "yaml" | "json"),
        };
        if wanted && !name.starts_with('.') && !name.ends_with('~') {
            collect(&path.join(&name), is_directory, depth + 1, files, diagnostics);
        }
    }
}

/// A file that was read, or why it could not be.
type Parsed = Result<(Node, Diagnostics), Box<Diagnostic>>;

/// Reads files in their order, and parses them on all processors.
fn parsed<'a>(map: &SourceMap, paths: impl Iterator<Item = &'a PathBuf>) -> Vec<Parsed> {
    let files: Vec<_> = paths.map(|path| source::load(map, path)).collect();
    let parse = |file: Result<FileId, _>| file.map(|file| yaml::parse_one(map, file));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    if threads == 1 || files.len() < WORTH_A_THREAD {
        return files.into_iter().map(parse).collect();
    }
    let share = files.len().div_ceil(threads);
    let mut files = files.into_iter();
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        loop {
            let own: Vec<_> = files.by_ref().take(share).collect();
            if own.is_empty() {
                break;
            }
            workers.push(scope.spawn(move || own.into_iter().map(parse).collect::<Vec<_>>()));
        }
        workers.into_iter().flat_map(|worker| worker.join().expect("parsing a file does not panic")).collect()
    })
}

/// Adds the variables of a file; the problem of one that is encrypted and cannot be opened comes back.
fn add_parsed(
    file: Parsed,
    names: &mut Names,
    variables: &mut Variables,
    diagnostics: &mut Diagnostics,
) -> Result<(), Box<Diagnostic>> {
    let (node, problems) = match file {
        Ok(parsed) => parsed,
        Err(problem) if problem.code == "encrypted-file" => return Err(problem),
        Err(problem) => {
            diagnostics.push(*problem);
            return Ok(());
        }
    };
    let broken = problems.has_errors();
    diagnostics.extend(problems);
    if !broken {
        add_variables(&node, names, variables, diagnostics);
    }
    Ok(())
}

/// Adds the variables of a mapping; later definitions win.
pub(super) fn add_variables(node: &Node, names: &mut Names, variables: &mut Variables, diagnostics: &mut Diagnostics) {
    let map = match &node.value {
        NodeValue::Map(map) => map,
        NodeValue::Null => return,
        _ => {
            diagnostics.push(
                Diagnostic::error(
                    "invalid-variables",
                    format!("variables are a mapping (`name: value`), and this is {}", node.kind()),
                )
                .at(node.span, "expected a mapping"),
            );
            return;
        }
    };
    variables.reserve_exact(map.entries.len());
    for (key, value) in &map.entries {
        let Some(name) = key.as_str() else {
            diagnostics.push(
                Diagnostic::error("invalid-variables", format!("a variable's name is text, and this is {}", key.kind()))
                    .at(key.span, "used as a name")
                    .hint("names consist of letters, digits and `_`; quote a name that looks like a number or a boolean"),
            );
            continue;
        };
        variables.insert(names.get(name), variable(value.clone(), key.span));
    }
}

/// A definition in a file: `span` is where its name stands.
pub(super) fn variable(value: Node, span: source::Span) -> Variable {
    Variable { definition: Definition::Source(value), origin: Origin::File(span) }
}
