//! Lookups that read files of the controller.

use std::path::{Path, PathBuf};

use super::{Lookup, candidates, flattened, lookup, project_file};
use crate::template::FileOptions;
use crate::template::about::about;
use crate::template::error::{Fault, TemplateError, TemplateErrorKind, fail};
use crate::template::eval::{Home, Interpreter, Surroundings};
use crate::template::place::Place;
use crate::template::runtime::Runtime;
use crate::template::val::{Args, Res, Val};
use crate::vault::is_sealed;

pub(super) const LOOKUPS: &[Lookup] = &[
    lookup("file", file),
    lookup("unvault", unvault),
    lookup("template", template),
    lookup("fileglob", file_glob),
    lookup("first_found", first_found),
];

fn option(runtime: &Runtime, args: &mut Args, name: &str, default: bool) -> Res<bool> {
    args.named(name).map_or(Ok(default), |value| runtime.truth(&value))
}

/// The text of a file of the project, decrypted if it is encrypted.
pub(in crate::template) fn read(runtime: &Runtime, path: &Path) -> Res<String> {
    let bytes = std::fs::read(path).map_err(|error| fail(format!("cannot read `{}`: {error}", path.display())))?;
    let bytes = if is_sealed(&bytes) {
        let vault = &runtime.shared.settings.vault;
        let opened = vault.open(&bytes).map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            TemplateError::new(TemplateErrorKind::Failed, message).hint(error.hint())
        })?;
        vault.redactor().learn(&String::from_utf8_lossy(&opened));
        opened.to_vec()
    } else {
        bytes
    };
    runtime.bytes(bytes.len())?;
    String::from_utf8(bytes).map_err(|_| fail(format!("`{}` is not UTF-8 text", path.display())))
}

fn not_found(name: &str) -> Fault {
    fail(format!("there is no file `{name}` where files of the project are searched"))
}

fn file(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let (left, right) = (option(runtime, args, "lstrip", false)?, option(runtime, args, "rstrip", true)?);
    let mut out = Vec::new();
    for term in &terms {
        let name = runtime.string(term)?;
        let path = project_file(it, "files", &name).ok_or_else(|| not_found(&name))?;
        let text = read(runtime, &path)?;
        let text = if left { text.trim_start() } else { &text };
        out.push(Val::str(if right { text.trim_end() } else { text }));
    }
    Ok(out)
}

/// Like `file`, but nothing is stripped.
fn unvault(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in &terms {
        let name = it.runtime.string(term)?;
        let path = project_file(it, "files", &name).ok_or_else(|| not_found(&name))?;
        out.push(Val::str(read(it.runtime, &path)?));
    }
    Ok(out)
}

fn template(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let mut options = FileOptions {
        trim_blocks: option(runtime, args, "trim_blocks", true)?,
        lstrip_blocks: option(runtime, args, "lstrip_blocks", false)?,
        ..FileOptions::default()
    };
    for (at, name) in [
        "block_start_string",
        "block_end_string",
        "variable_start_string",
        "variable_end_string",
        "comment_start_string",
        "comment_end_string",
    ]
    .into_iter()
    .enumerate()
    {
        if let Some(value) = args.named(name) {
            options.delimiters[at] = runtime.string(&value)?.to_string();
        }
    }
    // A lone expression keeps its type in any case.
    for name in ["convert_data", "jinja2_native"] {
        args.named(name);
    }
    let own = args.named("template_vars");
    let mut out = Vec::new();
    for term in &terms {
        let name = runtime.string(term)?;
        let path = project_file(it, "templates", &name).ok_or_else(|| not_found(&name))?;
        let nowhere = crate::source::SourceMap::default();
        let map = runtime.map.as_ref().unwrap_or(&nowhere);
        let text: std::sync::Arc<str> = read(runtime, &path)?.into();
        let (file, compiled) = runtime.shared.file_template(map, &path, std::sync::Arc::clone(&text), None, &options).map_err(
            |error| match runtime.map {
                Some(_) => Fault::from(error),
                None => fail(format!("{}: {}", path.display(), error.message)),
            },
        )?;
        let place = if runtime.map.is_some() { Place::File { file, start: compiled.start } } else { Place::Nowhere };
        let home = Home { directory: path.parent().map(Path::to_owned), options: options.clone() };
        let interpreter = Interpreter::of_file(runtime, place, home);
        let around = Surroundings { context: it.around.context, ..interpreter.around };
        let interpreter = it.in_other(around);
        for (key, value) in about(&name, &path, None) {
            interpreter.around.frame.set(&key.into(), Val::from(value));
        }
        if let Some(own) = &own {
            for (key, value) in runtime.mapping(own)? {
                interpreter.around.frame.set(&key.to_string().into(), value);
            }
        }
        let value = interpreter.render_text(&compiled, &text)?;
        runtime.solid(&value)?;
        out.push(value);
    }
    Ok(out)
}

/// Whether a file name matches a shell pattern: `*`, `?`, `[abc]`, `[!abc]`.
pub fn matches_glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        let next = match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => match pattern[p + 1..].iter().skip(1).position(|c| *c == ']') {
                Some(length) => {
                    let set = &pattern[p + 1..p + 2 + length];
                    let (negated, set) = if matches!(set.first(), Some('!')) { (true, &set[1..]) } else { (false, set) };
                    let mut at = 0;
                    let mut found = false;
                    while at < set.len() {
                        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
                            found |= (set[at]..=set[at + 2]).contains(&name[n]);
                            at += 3;
                        } else {
                            found |= set[at] == name[n];
                            at += 1;
                        }
                    }
                    (found != negated).then_some(p + 3 + length)
                }
                None => (name[n] == '[').then_some(p + 1),
            },
            Some(c) => (*c == name[n]).then_some(p + 1),
            None => None,
        };
        match (next, star) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            (None, Some((star_p, star_n))) => {
                star = Some((star_p, star_n + 1));
                p = star_p + 1;
                n = star_n + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Files (not directories) that match, sorted; the first directory with the pattern's folder counts.
fn file_glob(it: &Interpreter<'_>, terms: Vec<Val>, _: &mut Args) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in &terms {
        let pattern = it.runtime.string(term)?;
        let (folder, name) = pattern.rsplit_once('/').map_or((None, &*pattern), |(folder, name)| (Some(folder), name));
        let folders = match folder {
            Some("") => vec![PathBuf::from("/")],
            Some(folder) => candidates(it, &["files"], folder),
            None => {
                let scope = &it.runtime.context(it.around.context).scope;
                let base = &it.runtime.shared.settings.base;
                scope.search.iter().chain([base]).flat_map(|directory| [directory.join("files"), directory.clone()]).collect()
            }
        };
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            let found = files_in(folder, name);
            if !found.is_empty() {
                out.extend(found.iter().map(|path| Val::str(path.to_string_lossy())));
                break;
            }
        }
    }
    Ok(out)
}

/// Files of a folder whose names match a shell pattern, in order of their names.
fn files_in(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let matches = |own: &str| matches_glob(pattern, own) && (pattern.starts_with('.') || !own.starts_with('.'));
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(matches))
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    found
}

/// Files that match a shell pattern in the last part of a path; other parts may be patterns too.
pub(in crate::template) fn matching_files(pattern: &str) -> Vec<PathBuf> {
    let (folder, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
    let mut folders = vec![PathBuf::from(if folder.starts_with('/') || folder.is_empty() { "/" } else { "" })];
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        folders = if part.contains(['*', '?', '[']) {
            let matches = |own: &str| matches_glob(part, own) && (part.starts_with('.') || !own.starts_with('.'));
            let inside =
                |folder: &PathBuf| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).collect::<Vec<_>>();
            let mut found: Vec<PathBuf> = folders
                .iter()
                .flat_map(inside)
                .filter(|entry| entry.file_name().to_str().is_some_and(matches))
                .map(|entry| entry.path())
                .collect();
            found.sort();
            found
        } else {
            folders.iter().map(|folder| folder.join(part)).collect()
        };
    }
    folders.iter().flat_map(|folder| files_in(folder, name)).collect()
}

/// The first of several files that exists. Terms are names, or dictionaries with `files`, `paths`
/// and `skip`.
fn first_found(it: &Interpreter<'_>, terms: Vec<Val>, args: &mut Args) -> Res<Vec<Val>> {
    let runtime = it.runtime;
    let names = |value: &Val| -> Res<Vec<String>> {
        let items = flattened(it, vec![value.clone()])?;
        let mut out = Vec::new();
        for item in items {
            let text = runtime.string(&item)?;
            out.extend(text.split([',', ';']).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
        }
        Ok(out)
    };
    let mut skip = option(runtime, args, "skip", false)?;
    let files = args.named("files").map(|files| names(&files)).transpose()?;
    let paths = args.named("paths").map(|paths| names(&paths)).transpose()?.unwrap_or_default();
    let mut wanted: Vec<String> = Vec::new();
    let joined = |paths: &[String], files: Vec<String>, wanted: &mut Vec<String>| {
        if paths.is_empty() {
            wanted.extend(files);
        } else {
            for path in paths {
                wanted.extend(files.iter().map(|file| format!("{}/{file}", path.trim_end_matches('/'))));
            }
        }
    };
    for term in flattened(it, terms)? {
        if term.is_mapping(runtime) {
            let part = |name: &str| runtime.get(&term, &name.into());
            let files = part("files")?.map(|files| names(&files)).transpose()?.unwrap_or_default();
            let own_paths = part("paths")?.map(|paths| names(&paths)).transpose()?.unwrap_or_else(|| paths.clone());
            if let Some(value) = part("skip")? {
                skip |= runtime.truth(&value)?;
            }
            joined(&own_paths, files, &mut wanted);
        } else {
            joined(&paths, vec![runtime.string(&term)?.to_string()], &mut wanted);
        }
    }
    if let Some(files) = files {
        joined(&paths, files, &mut wanted);
    }
    // A loop says where its task looks; an expression knows no folder.
    let folder = args.named("_folder").map(|folder| runtime.string(&folder)).transpose()?;
    let folders: Vec<&str> = folder.as_deref().into_iter().collect();
    for name in &wanted {
        let found = candidates(it, &folders, name).into_iter().find(|path| path.exists());
        if let Some(path) = found {
            return Ok(vec![Val::str(path.to_string_lossy())]);
        }
    }
    if skip {
        return Ok(Vec::new());
    }
    Err(fail(format!("none of these files exists: {}", wanted.join(", "))))
}
