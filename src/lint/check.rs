//! Runs the rules: over playbooks before a run, and over whatever paths a user names.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::corpus::{Content, Corpus, Kind, ProjectFile};
use super::discover::{self, Found};
use super::follow::{self, Depth, PlayView};
use super::noqa::Exceptions;
use super::project::Project;
use super::report::Report;
use super::rule::Check;
use super::{Selection, rules};
use crate::playbook::{Item, Keywords, Loader, Place, Play, Playbook, TagSelection};
use crate::source::{Diagnostic, Diagnostics, FileId, Severity};

/// What is looked at, and for what.
#[derive(Debug, Default)]
pub struct Request {
    /// Playbooks, directories, single files.
    pub paths: Vec<PathBuf>,
    /// Names that inventory and command line define.
    pub known: BTreeSet<String>,
    /// Whether that is all, because the inventory of a run is given.
    pub closed: bool,
    /// Tags of a command line, to be checked too.
    pub tags: Option<TagSelection>,
    /// Which rules.
    pub selection: Selection,
}

/// The errors of playbooks that were read: what would fail for sure. `known` are the names that
/// inventory and command line define.
pub fn before_run(playbooks: &[Playbook], loader: &Loader, known: &BTreeSet<String>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let plays = playbooks
        .iter()
        .enumerate()
        .flat_map(|(number, playbook)| playbook.plays.iter().map(move |play| (number, play)))
        .map(|(number, play)| follow::view(play, number, loader, Depth::Certain, &mut found))
        .collect();
    let project = Project::new(loader, known.clone(), true, None, plays, Corpus::default());
    let selection = Selection::default();
    run(&project, &selection, Severity::Error, &mut found);
    let mut exceptions = exceptions(&project);
    let mut errors = Diagnostics::default();
    for finding in found.into_vec() {
        if finding.severity == Severity::Error && !silenced(&finding, &mut exceptions, loader) {
            errors.push(finding);
        }
    }
    errors
}

/// Tags of a run that none of its tasks has.
pub fn unknown_tags(playbooks: &[Playbook], loader: &Loader, tags: &TagSelection) -> Diagnostics {
    let mut found = Diagnostics::default();
    if *tags == TagSelection::default() {
        return found;
    }
    let plays = playbooks.iter().enumerate().flat_map(|(number, playbook)| playbook.plays.iter().map(move |play| (number, play)));
    let plays = plays.map(|(number, play)| follow::view(play, number, loader, Depth::All, &mut Diagnostics::default())).collect();
    let project = Project::new(loader, BTreeSet::new(), false, Some(tags.clone()), plays, Corpus::default());
    if let Some(Check::Project(check)) = rules::find("unknown-tag").map(|rule| rule.check) {
        check(&project, &mut found);
    }
    found
}

/// The errors of tasks that a run is about to include: what is wrong with the tasks themselves.
pub fn included(items: &[Item], play: &Arc<Play>, loader: &Loader) -> Diagnostics {
    let view = follow::items(items, play);
    let project = Project::new(loader, BTreeSet::new(), false, None, vec![view], Corpus::default());
    let mut found = Diagnostics::default();
    for rule in rules::all().filter(|rule| rule.severity == Severity::Error) {
        match rule.check {
            Check::Task(check) => project.tasks().iter().for_each(|seen| check(seen, &project, &mut found)),
            Check::Project(check) => check(&project, &mut found),
            Check::Play(_) | Check::Reading => {}
        }
    }
    let mut exceptions = exceptions(&project);
    let mut errors = Diagnostics::default();
    for finding in found.into_vec() {
        if finding.severity == Severity::Error && !silenced(&finding, &mut exceptions, loader) {
            errors.push(finding);
        }
    }
    errors
}

/// Looks at paths with all rules that are wanted.
pub fn lint(loader: &Loader, request: &Request) -> Report {
    let mut found = Diagnostics::default();
    let mut place = Found::default();
    for path in &request.paths {
        if path.is_dir() {
            discover::directory(path, loader, &mut found, &mut place);
        } else {
            single(path, loader, &mut found, &mut place);
        }
    }
    let mut plays: Vec<PlayView> = Vec::new();
    let mut number = 0;
    for path in &place.playbooks {
        let (playbook, problems) = loader.playbook(path);
        found.extend(problems);
        for play in &playbook.plays {
            plays.push(follow::view(play, number, loader, Depth::All, &mut found));
        }
        number += 1;
    }
    around(&plays, loader, &mut found, &mut place);
    // Roles that no playbook here uses stand for themselves.
    for role in place.roles.clone() {
        let used = plays.iter().flat_map(|view| &view.roles).any(|used| same(&used.path, &role));
        if used {
            continue;
        }
        if let Some(view) = alone(&role, number, loader, &mut found) {
            plays.push(view);
            number += 1;
        }
    }
    loose(&place, &mut plays, number, loader, &mut found);
    let corpus = Corpus::new(place.files, place.encrypted);
    let project = Project::new(loader, request.known.clone(), request.closed, request.tags.clone(), plays, corpus);
    run(&project, &request.selection, Severity::Info, &mut found);
    let mut exceptions = exceptions(&project);
    let mut findings: Vec<Diagnostic> =
        found.into_vec().into_iter().filter(|finding| !silenced(finding, &mut exceptions, loader)).collect();
    findings.extend(exceptions.unknown(files_of(&project).into_iter(), loader.map()));
    for finding in findings.iter_mut().filter(|finding| finding.code == "missing-role") {
        // A collection is perhaps installed where the playbook runs.
        if finding.message.split('`').nth(1).is_some_and(|name| name.matches('.').count() >= 2 && !name.contains('/')) {
            finding.severity = Severity::Warning;
        }
    }
    findings.retain(|finding| wanted(finding, &request.selection));
    Report::new(findings, loader.map(), project.tasks().len())
}

/// A playbook or another single file.
fn single(path: &Path, loader: &Loader, found: &mut Diagnostics, place: &mut Found) {
    let before = place.files.len();
    let root = path.ancestors().nth(3).filter(|root| !root.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    discover::file(path, root, loader, found, place);
    // What does not read like a playbook, and lies nowhere special, was named as one all the same.
    let is_known = place.files.len() > before;
    if !is_known && !place.playbooks.iter().any(|other| other == path) {
        place.playbooks.push(path.to_owned());
    }
}

/// Files beside playbooks and in the roles that they use.
fn around(plays: &[PlayView], loader: &Loader, found: &mut Diagnostics, place: &mut Found) {
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut roots: Vec<PathBuf> = Vec::new();
    for view in plays {
        for folder in ["group_vars", "host_vars", "templates", "vars"] {
            roots.push(view.play.directory.join(folder));
        }
        let roles = view.roles.iter().chain(view.tasks.iter().filter_map(|seen| seen.task.role.as_ref()));
        roots.extend(roles.map(|role| role.path.clone()));
    }
    for root in roots {
        if seen.contains(&root) || !root.is_dir() {
            continue;
        }
        discover::directory(&root, loader, found, place);
        seen.push(root);
    }
    let views = plays.iter().flat_map(|view| &view.tasks);
    let mut reached: BTreeSet<FileId> = views.map(|seen| seen.task.span.file).collect();
    for known in &place.files {
        reached.remove(&known.id());
    }
    for file in reached {
        let path = loader.map().path(file);
        if let Some(node) = loader.document(&path, None, &mut Diagnostics::default()) {
            place.files.push(ProjectFile { path, kind: Kind::Tasks, content: Content::Yaml(node) });
        }
    }
}

/// A play that does nothing but use a role.
fn alone(role: &Path, number: usize, loader: &Loader, found: &mut Diagnostics) -> Option<PlayView> {
    let name = role.file_name()?.to_str()?;
    let directory = role.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let path = directory.join(format!("<role {name}>"));
    let text = format!("- hosts: all\n  roles: [{}]\n", serde_json::Value::from(name));
    let (playbook, problems) = loader.playbook_text(&path, &text);
    found.extend(problems);
    let mut view = follow::view(playbook.plays.first()?, number, loader, Depth::All, found);
    view.written = false;
    Some(view)
}

/// Files of tasks that are included under names which are only known while running.
fn loose(place: &Found, plays: &mut Vec<PlayView>, number: usize, loader: &Loader, found: &mut Diagnostics) {
    let reached: HashSet<FileId> = plays.iter().flat_map(PlayView::all).map(|task| task.span.file).collect();
    let mut nobody = None;
    for file in place.files.iter().filter(|file| matches!(file.kind, Kind::Tasks | Kind::Handlers)) {
        let Content::Yaml(node) = &file.content else { continue };
        if reached.contains(&file.id()) || node.as_list().is_none_or(|list| list.iter().all(|item| item.as_map().is_none())) {
            continue;
        }
        let of_role = plays.iter().find_map(|view| {
            let role = view.roles.iter().find(|role| file.path.starts_with(&role.path))?;
            Some((Arc::clone(&view.play), Arc::clone(role), view.playbook))
        });
        let (play, role, playbook) = match of_role {
            Some((play, role, playbook)) => (play, Some(role), playbook),
            None => {
                let play = nobody.get_or_insert_with(|| {
                    let (playbook, _) = loader.playbook_text(Path::new("<included>"), "- hosts: all\n");
                    playbook.plays.into_iter().next()
                });
                let Some(play) = play else { continue };
                (Arc::clone(play), None, number)
            }
        };
        let place = Place {
            directory: play.directory.clone(),
            playbook: play.directory.clone(),
            role: role.clone(),
            outer: Keywords::default(),
            handlers: file.kind == Kind::Handlers,
            stack: Vec::new(),
            vars: Vec::new(),
            collections: Vec::new(),
            found_handlers: Arc::default(),
        };
        let items = loader.tasks_file(&file.path, node.span, &place, found);
        let mut view = follow::items(&items, &play);
        view.roles.extend(role);
        view.playbook = playbook;
        plays.push(view);
    }
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Runs all rules that can find something as bad as `worst` asks for.
fn run(project: &Project<'_>, selection: &Selection, worst: Severity, found: &mut Diagnostics) {
    let mut gathered: Vec<Diagnostic> = Vec::new();
    let mut keep = |found: Diagnostics| gathered.extend(found.into_vec());
    let tasks = project.tasks();
    for rule in rules::all() {
        // `Error` is the smallest: a rule whose worst is a warning finds no error.
        if rule.severity > worst || !selection.wants(rule.name) {
            continue;
        }
        let mut own = Diagnostics::default();
        match rule.check {
            Check::Reading => continue,
            Check::Task(check) => tasks.iter().for_each(|seen| check(seen, project, &mut own)),
            Check::Play(check) => project.plays.iter().for_each(|view| check(view, project, &mut own)),
            Check::Project(check) => check(project, &mut own),
        }
        keep(own);
    }
    // By place, whichever rule found it: files in the order in which they were read.
    let place = |finding: &Diagnostic| finding.span.as_ref().map(|(span, _)| *span);
    gathered.sort_by_key(place);
    gathered.into_iter().for_each(|finding| found.push(finding));
}

fn exceptions(project: &Project<'_>) -> Exceptions {
    Exceptions::new(project.tasks().iter().map(|seen| seen.task.span))
}

/// What cannot be read cannot be excused: nothing would be left to run.
fn silenced(finding: &Diagnostic, exceptions: &mut Exceptions, loader: &Loader) -> bool {
    let is_reading = rules::find(finding.code).is_none_or(|rule| matches!(rule.check, Check::Reading));
    !(is_reading && finding.severity == Severity::Error) && exceptions.cover(finding, loader.map())
}

/// Whether a finding is to be shown: matters of style only if they were asked for.
fn wanted(finding: &Diagnostic, selection: &Selection) -> bool {
    selection.wants(finding.code) && (finding.severity != Severity::Info || selection.style || selection.names(finding.code))
}

fn files_of(project: &Project<'_>) -> BTreeSet<FileId> {
    let reached = project.plays.iter().flat_map(|view| view.all().map(|task| task.span.file));
    project.corpus.files.iter().map(ProjectFile::id).chain(reached).collect()
}
