//! What the rules about templates share: all texts that are compiled, and the files of templates.

use std::collections::HashSet;

use crate::lint::corpus::{Content, Kind};
use crate::lint::project::Project;
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, FileId, Node, Severity, Span};
use crate::template::{FileOptions, TemplateErrorKind};

/// Compiles everything that is reached and reports problems of one kind.
pub(super) fn check(project: &Project<'_>, kind: TemplateErrorKind, found: &mut Diagnostics) {
    let renderer = project.loader.renderer();
    let one = |node: &Node, bare: bool, certain: bool, found: &mut Diagnostics| {
        let Some(text) = node.as_str() else { return };
        if (bare || text::has_template(text))
            && let Err(error) = renderer.check(text, node.span, bare && !text::has_template(text))
            && error.kind == kind
        {
            found.push(weighed(error.diagnostic(node.span), certain));
        }
    };
    for seen in project.tasks() {
        for (node, bare) in text::templates(&seen.task) {
            one(node, bare, seen.certain, found);
        }
    }
    for (_, file, document) in project.corpus.yaml() {
        if file == Kind::Variables {
            text::walk(document, &mut |node| one(node, false, false, found));
        }
    }
    let mut seen = HashSet::new();
    for (file, used, certain) in files(project) {
        if !seen.insert(file) {
            continue;
        }
        if let Err(error) = renderer.file_reads(project.loader.map(), file, &FileOptions::default())
            && error.kind == kind
        {
            let mut problem = error.diagnostic(Span { file, start: 0, end: 0 });
            if let Some(used) = used {
                problem = problem.related(used, "used here");
            }
            found.push(weighed(problem, certain));
        }
    }
}

/// What a collection brings along is missing here, not misspelled: an error only where it is certain to be needed.
fn weighed(problem: Diagnostic, certain: bool) -> Diagnostic {
    let of_collection = problem.code == "unknown-template-name" && is_of_collection(&problem.message);
    if !of_collection {
        return problem;
    }
    let severity = if certain { problem.severity } else { Severity::Warning };
    Diagnostic { severity, hint: Some("stead has no plugins of collections".to_owned()), ..problem }
}

/// Whether the name in a message is that of a collection's plugin.
fn is_of_collection(message: &str) -> bool {
    message.split('`').nth(1).is_some_and(|name| name.matches('.').count() >= 2 && !name.starts_with("ansible.builtin."))
}

/// Template files: those that tasks use, whether for sure, and those of the project.
fn files(project: &Project<'_>) -> Vec<(FileId, Option<Span>, bool)> {
    let map = project.loader.map();
    let mut files = Vec::new();
    for view in &project.plays {
        for seen in view.tasks.iter().filter(|seen| seen.certain || !project.corpus.files.is_empty()) {
            let node = seen.task.action.option("src");
            for path in super::missing_file::templates(&seen.task, view, project.loader) {
                if let Ok(file) = crate::source::load::once(map, &path) {
                    files.push((file, node.map(|node| node.span), seen.certain));
                }
            }
        }
    }
    let known: HashSet<_> = files.iter().filter_map(|(file, ..)| map.path(*file).canonicalize().ok()).collect();
    for file in project.corpus.of(Kind::Template) {
        if let Content::Text(id, _) = &file.content
            && file.path.extension().is_some_and(|extension| extension == "j2")
            && file.path.canonicalize().is_ok_and(|path| !known.contains(&path))
        {
            files.push((*id, None, false));
        }
    }
    files
}
