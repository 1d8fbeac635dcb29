//! `include_vars`: variables from files of the project, read while running.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, Done};
use crate::playbook::keywords;
use crate::source::{Diagnostics, NodeValue, Severity, yaml};
use crate::vars::{Definition, Key, Map, Origin, Value, Variable, Variables};

args! {
    /// Reads variables from a YAML or JSON file of the project, or from all files of a directory.
    pub struct Args {
        /// The file.
        file ("_raw_params"): Option<String>,
        /// The directory.
        dir: Option<String>,
        /// Put them into one variable of this name.
        name: Option<String>,
        /// How deep below the directory files are read; 0: without limit.
        depth: u64 = 0,
        /// Regular expression: only files whose names match.
        files_matching: Option<String>,
        /// Regular expressions: no files whose names begin so.
        ignore_files: Vec<String> = Vec::new(),
        /// Extensions that files of variables have.
        extensions: Vec<String> = ["json", "yaml", "yml"].map(str::to_owned).into(),
        /// Pass by files with other extensions.
        ignore_unknown_extensions: bool = false,
        /// What becomes of a mapping that is defined already; only `replace` is supported.
        hash_behaviour: Option<String>,
    }
}

/// Extensions of files that are read from a directory.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items.iter().map(ToString::to_string).collect(),
        Some(Value::Null | Value::Omit) | None => Vec::new(),
        Some(one) => one.to_string().split(',').map(|text| text.trim().to_owned()).collect(),
    }
}

/// All files below a directory, sorted.
fn all_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// The files of a directory that are wanted, sorted; an error names a file with a strange extension.
fn files_of(context: &ActionContext<'_>, directory: &Path) -> Result<Vec<PathBuf>, String> {
    let pattern = |text: &str| regex::Regex::new(text).map_err(|error| format!("`{text}` is no regular expression: {error}"));
    let wanted = context.text("files_matching").map(|text| pattern(&text)).transpose()?;
    let ignored = texts(context.options.get("ignore_files")).iter().map(|text| pattern(text)).collect::<Result<Vec<_>, _>>()?;
    let depth = context.text("depth").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    let given = texts(context.options.get("extensions"));
    let extensions = if given.is_empty() { EXTENSIONS.map(str::to_owned).to_vec() } else { given };
    let tolerant = context.flag("ignore_unknown_extensions", false)?;
    let mut files = Vec::new();
    for path in all_files(directory) {
        let below = path.strip_prefix(directory).unwrap_or(&path);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if depth > 0 && below.components().count() > depth {
            continue;
        }
        if wanted.as_ref().is_some_and(|wanted| !wanted.is_match(&name)) {
            continue;
        }
        if ignored.iter().any(|ignored| ignored.find(&name).is_some_and(|found| found.start() == 0)) {
            continue;
        }
        let known = path.extension().is_some_and(|extension| extensions.iter().any(|one| *one == *extension.to_string_lossy()));
        match (known, tolerant) {
            (true, _) => files.push(path),
            (false, true) => {}
            (false, false) => {
                let list = extensions.join(", ");
                return Err(format!("`{}` does not have one of the extensions {list}", path.display()));
            }
        }
    }
    Ok(files)
}

pub(super) fn run(context: &ActionContext<'_>) -> Done {
    let paths = if let Some(name) = ["file", "_raw_params"].iter().find_map(|option| context.text(option)) {
        match context.find("vars", &name) {
            Some(path) => vec![path],
            None => return context.not_found("vars", &name),
        }
    } else if let Some(name) = context.text("dir") {
        match context.find("vars", &name).map(|path| files_of(context, &path)) {
            Some(Ok(paths)) => paths,
            Some(Err(problem)) => return Done::failed(problem),
            None => return context.not_found("vars", &name),
        }
    } else {
        return Done::failed("`include_vars` needs `file` or `dir`");
    };
    if let Some(behaviour) = context.text("hash_behaviour").filter(|text| text != "replace") {
        return Done::failed(format!(
            "`hash_behaviour: {behaviour}` is not supported: combine the mappings with `| combine(recursive=True)`"
        ));
    }
    let mut all = Variables::new();
    let mut diagnostics = Diagnostics::default();
    let mut nodes = Vec::new();
    for path in &paths {
        match crate::source::load(context.map, path) {
            Ok(file) => {
                let (documents, found) = yaml::parse(context.map, file);
                diagnostics.extend(found);
                for node in documents.into_iter().take(1).filter(|node| !node.is_null()) {
                    all.extend(keywords::variables(&node, &mut diagnostics));
                    nodes.push(node);
                }
            }
            Err(problem) => diagnostics.push(*problem),
        }
    }
    if let Some(problem) = diagnostics.iter().find(|problem| problem.severity == Severity::Error) {
        let place = problem.span.as_ref().map(|(span, _)| format!("{}: ", context.map.place(*span))).unwrap_or_default();
        let mut done = Done::failed(format!("{place}{}", problem.message));
        done.hint.clone_from(&problem.hint);
        return done;
    }
    if let Some(name) = context.text("name") {
        let mut entries = Vec::new();
        let mut span = context.action.span;
        for node in &nodes {
            if let NodeValue::Map(map) = &node.value {
                entries.extend(map.entries.iter().cloned());
                span = node.span;
            }
        }
        let node = crate::source::Node { span, value: NodeValue::Map(Arc::new(crate::source::Mapping { entries })) };
        all = Variables::from_iter([(
            Arc::from(name),
            Variable { definition: Definition::Source(node), origin: Origin::File(span) },
        )]);
    }
    let mut done = Done::new(Ending::Ok, Map::new());
    let files: Vec<Value> = paths.iter().map(|path| Value::from(path.display().to_string())).collect();
    done.result.insert(Key::from("ansible_included_var_files"), Value::from(files));
    done.included = Some(Arc::new(all));
    done
}
