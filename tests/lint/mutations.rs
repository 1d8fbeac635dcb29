//! Typos seeded into the examples, one at a time, at every place where a name stands: nearly all
//! are found, and nothing is found without them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stead::actions;
use stead::playbook::Catalog;
use stead::source::{Node, NodeValue, Severity, SourceMap, Span, Style, yaml};
use stead::template::{FileOptions, RenderSettings, Renderer};
use stead_modules::args::ArgKind;

use super::support::{Look, copy, drawn, files, look, root, say};

/// One place for a typo.
struct Site {
    kind: &'static str,
    path: PathBuf,
    start: usize,
    end: usize,
}

/// Names that must not come out of a typo: then it would not be one.
type Valid = HashSet<String>;

/// A slip of the finger in the longest word of `name`, the same one in every run: two letters change
/// places, or one is lost, or doubled.
fn typo(name: &str, salt: usize, valid: &Valid) -> Option<String> {
    let letters: Vec<char> = name.chars().collect();
    let plain: Vec<usize> =
        (1..letters.len()).filter(|at| letters[*at].is_ascii_alphanumeric() && letters[at - 1].is_ascii_alphanumeric()).collect();
    for attempt in 0..plain.len() * 3 {
        let at = *plain.get((salt + attempt) % plain.len())?;
        let mut typed = letters.clone();
        match (salt + attempt) % 3 {
            0 if letters[at] != letters[at - 1] => typed.swap(at, at - 1),
            1 if letters.len() > 3 => drop(typed.remove(at)),
            2 if letters[at].is_ascii_alphabetic() => typed.insert(at, letters[at]),
            _ => continue,
        }
        let typed: String = typed.into_iter().collect();
        if typed != name && !valid.contains(&typed) {
            return Some(typed);
        }
    }
    None
}

struct Sites<'a> {
    found: Vec<Site>,
    catalog: &'a Catalog,
    renderer: &'a Renderer,
    map: &'a SourceMap,
    path: PathBuf,
}

impl Sites<'_> {
    /// A name that stands letter by letter at a place.
    fn add(&mut self, kind: &'static str, span: Span, name: &str) {
        let text = self.map.text(span.file);
        let whole = &text[span.start as usize..span.end as usize];
        let Some(offset) = whole.find(name) else { return };
        let start = span.start as usize + offset;
        // Two letters leave no room for a slip that is still a name.
        if name.chars().filter(char::is_ascii_alphanumeric).count() >= 3 {
            self.found.push(Site { kind, path: self.path.clone(), start, end: start + name.len() });
        }
    }

    fn node_name(&mut self, kind: &'static str, node: &Node) {
        for item in node.as_list().unwrap_or(std::slice::from_ref(node)) {
            if let NodeValue::Str(text, Style::Plain | Style::Quoted) = &item.value
                && !text.contains("{{")
            {
                self.add(kind, item.span, text);
            }
        }
    }

    fn playbook(&mut self, document: &Node) {
        for play in document.as_list().unwrap_or_default() {
            let Some(map) = play.as_map() else { continue };
            for section in ["pre_tasks", "tasks", "post_tasks", "handlers"] {
                if let Some(node) = map.get(section) {
                    self.tasks(node, section == "handlers");
                }
            }
            for entry in map.get("roles").and_then(Node::as_list).unwrap_or_default() {
                self.node_name("include path", entry.as_map().and_then(|map| map.get("role")).unwrap_or(entry));
            }
            if let Some(node) = map.get("vars") {
                self.variables(node);
            }
            if let Some(node) = map.get("vars_files") {
                self.node_name("include path", node);
            }
        }
    }

    /// A mapping of variables: their names, and what their values read.
    fn variables(&mut self, node: &Node) {
        for (key, value) in node.as_map().into_iter().flat_map(|map| &map.entries) {
            if let Some(name) = key.as_str() {
                self.add("variable", key.span, name);
            }
            self.texts(value);
        }
    }

    fn tasks(&mut self, node: &Node, handlers: bool) {
        for task in node.as_list().unwrap_or_default() {
            let Some(map) = task.as_map() else { continue };
            for section in ["block", "rescue", "always"] {
                if let Some(inner) = map.get(section) {
                    self.tasks(inner, handlers);
                }
            }
            for (key, value) in &map.entries {
                match key.as_str().unwrap_or_default() {
                    "block" | "rescue" | "always" => {}
                    "notify" | "listen" => self.node_name("handler", value),
                    "name" if handlers && map.get("listen").is_none() => self.node_name("handler", value),
                    "tags" => self.node_name("tag", value),
                    "register" => self.node_name("variable", value),
                    "vars" => self.variables(value),
                    "when" | "changed_when" | "failed_when" | "until" => self.conditions(value),
                    "loop_control" | "name" => {}
                    name => match self.catalog.find(name.rsplit('.').next().unwrap_or(name)).or(match name {
                        "ansible.builtin.systemd_service" => self.catalog.find("systemd"),
                        _ => None,
                    }) {
                        Some(_) => self.action(key, value, name),
                        None => self.texts(value),
                    },
                }
            }
        }
    }

    fn action(&mut self, key: &Node, value: &Node, name: &str) {
        let short = name.rsplit('.').next().unwrap_or(name);
        self.add("module", key.span, short);
        let plain = if short == "systemd_service" { "systemd" } else { short };
        let Some(entry) = self.catalog.find(plain) else { return };
        if matches!(plain, "import_tasks" | "include_tasks" | "import_role" | "include_role") {
            match value.as_map() {
                None => self.node_name("include path", value),
                Some(map) => {
                    ["file", "name"].iter().filter_map(|key| map.get(key)).for_each(|node| self.node_name("include path", node));
                }
            }
        }
        for (option, value) in value.as_map().into_iter().flat_map(|map| &map.entries) {
            let Some(written) = option.as_str() else { continue };
            if plain == "set_fact" {
                self.add("variable", option.span, written);
            } else if !entry.takes_anything {
                self.add("option", option.span, written);
            }
            let field = entry.fields.iter().find(|field| field.name == written || field.aliases.contains(&written));
            let literal = self.map.text(value.span.file)[value.span.start as usize..value.span.end as usize].to_owned();
            match field.map(|field| &field.kind) {
                Some(ArgKind::Choice(_) | ArgKind::Bool | ArgKind::Int) if !literal.contains("{{") => {
                    self.add("type", value.span, literal.trim_matches(['\'', '"']));
                }
                _ => {}
            }
            match (plain, written) {
                ("template", "src") => self.node_name("template", value),
                ("assert", "that") => self.conditions(value),
                _ => {}
            }
            self.texts(value);
        }
        if value.as_map().is_none() {
            self.texts(value);
        }
    }

    fn conditions(&mut self, node: &Node) {
        for item in node.as_list().unwrap_or(std::slice::from_ref(node)) {
            self.text(item, true);
        }
    }

    fn texts(&mut self, node: &Node) {
        match &node.value {
            NodeValue::Str(..) => self.text(node, false),
            NodeValue::List(items) => items.iter().for_each(|item| self.texts(item)),
            NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| self.texts(value)),
            _ => {}
        }
    }

    fn text(&mut self, node: &Node, bare: bool) {
        for read in self.renderer.reads(node, bare) {
            // Where escapes or indentation hide the exact place, the span is that of the whole text.
            if (read.span.end - read.span.start) as usize == read.name.len() {
                self.add("variable", read.span, &read.name);
            }
        }
        let source = self.map.text(node.span.file);
        self.filters(&source, node.span);
    }

    /// `| name` inside braces or expressions.
    fn filters(&mut self, source: &Arc<str>, span: Span) {
        let text = &source[span.start as usize..span.end as usize];
        for (at, _) in text.match_indices("| ") {
            let name: String = text[at + 2..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if !name.is_empty() {
                let start = span.start + at as u32 + 2;
                self.add("filter", Span { start, end: start + name.len() as u32, ..span }, &name);
            }
        }
    }
}

/// All places in a project's files.
fn sites(directory: &Path, catalog: &Catalog, valid: &mut Valid) -> Vec<Site> {
    let map = SourceMap::default();
    let renderer = Renderer::new(RenderSettings::default());
    let mut all = Sites { found: Vec::new(), catalog, renderer: &renderer, map: &map, path: PathBuf::new() };
    for path in files(directory) {
        let inside = path.strip_prefix(directory).unwrap();
        let parts: Vec<&str> = inside.iter().filter_map(|part| part.to_str()).collect();
        let has = |name: &str| parts.contains(&name);
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if has("files") || !matches!(extension, "yml" | "j2") {
            continue;
        }
        let file = stead::source::load(&map, &path).unwrap();
        all.path.clone_from(&path);
        if extension == "j2" {
            for read in renderer.file_reads(&map, file, &FileOptions::default()).unwrap_or_default() {
                all.add("variable", read.span, &read.name);
            }
            let source = map.text(file);
            let whole = Span { file, start: 0, end: source.len() as u32 };
            all.filters(&source, whole);
            for (at, word) in source.match_indices("{% end") {
                let start = (at + word.len() - 3) as u32;
                let end = start + source[start as usize..].find(' ').unwrap_or(3) as u32;
                all.add("template", Span { file, start, end }, &source[start as usize..end as usize]);
            }
            continue;
        }
        let (documents, _) = yaml::parse(&map, file);
        let Some(document) = documents.first() else { continue };
        if has("tasks") {
            all.tasks(document, false);
        } else if has("handlers") {
            all.tasks(document, true);
        } else if has("defaults") || has("vars") || has("group_vars") || has("host_vars") {
            all.variables(document);
        } else if has("meta") {
            for entry in document.as_map().and_then(|map| map.get("dependencies")).and_then(Node::as_list).unwrap_or_default() {
                all.node_name("include path", entry.as_map().and_then(|map| map.get("role")).unwrap_or(entry));
            }
        } else {
            all.playbook(document);
        }
    }
    for site in &all.found {
        let text = std::fs::read_to_string(&site.path).unwrap();
        valid.insert(text[site.start..site.end].to_owned());
    }
    all.found
}

#[derive(Default)]
struct Score {
    found: usize,
    all: usize,
}

/// Seeds every typo of a project and counts which are found.
fn seed(directory: &Path, asked: &Look, catalog: &Catalog, scores: &mut BTreeMap<&'static str, Score>, missed: &mut Vec<String>) {
    let mut valid: Valid = catalog.names().map(str::to_owned).collect();
    for entry in catalog.entries() {
        for field in &entry.fields {
            valid.insert(field.name.to_owned());
            valid.extend(field.aliases.iter().map(|alias| (*alias).to_owned()));
        }
    }
    valid.extend(["yes", "no", "on", "off", "true", "false"].map(str::to_owned));
    let (clean, map) = look(asked);
    let worse: Vec<_> = clean.findings.iter().filter(|finding| finding.severity != Severity::Info).collect();
    let key = |finding: &stead::source::Diagnostic| (finding.code, finding.message.clone());
    let known: BTreeSet<_> = worse.iter().map(|finding| key(finding)).collect();
    drop(map);
    for (number, site) in sites(directory, catalog, &mut valid).iter().enumerate() {
        let text = std::fs::read_to_string(&site.path).unwrap();
        let name = &text[site.start..site.end];
        let Some(typed) = typo(name, number, &valid) else { continue };
        let seeded = format!("{}{typed}{}", &text[..site.start], &text[site.end..]);
        std::fs::write(&site.path, seeded).unwrap();
        let (report, _) = look(asked);
        std::fs::write(&site.path, &text).unwrap();
        let told = report.findings.iter().any(|finding| finding.severity != Severity::Info && !known.contains(&key(finding)));
        let score = scores.entry(site.kind).or_default();
        score.all += 1;
        if told {
            score.found += 1;
        } else {
            let line = text[..site.start].matches('\n').count() + 1;
            let place = site.path.strip_prefix(directory).unwrap().display();
            missed.push(format!("{}: {place}:{line}: `{name}` -> `{typed}`", site.kind));
        }
    }
}

/// The files of a scenario's page.
fn page(path: &Path, into: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    let mut open: Option<(PathBuf, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```file ")) {
            (None, Some(name)) => open = Some((into.join(name), String::new())),
            (Some(_), _) if line == "```" => {
                let (path, text) = open.take().unwrap();
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, text).unwrap();
            }
            (Some((_, content)), _) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    // Pages about mistakes have them already.
    !text.contains("\nerror[") && into.join("site.yml").exists()
}

/// The tags of a project: what its users type behind `--tags`.
fn tags(directory: &Path) -> Vec<String> {
    let catalog = actions::catalog();
    let mut tags: BTreeSet<String> = BTreeSet::new();
    for site in sites(directory, &catalog, &mut Valid::new()).iter().filter(|site| site.kind == "tag") {
        let text = std::fs::read_to_string(&site.path).unwrap();
        tags.extend(text[site.start..site.end].split(',').map(|tag| tag.trim().to_owned()));
    }
    tags.into_iter().collect()
}

/// Projects to be seeded: the examples, and the scenarios that hold no mistake.
fn projects() -> Vec<(tempfile::TempDir, Look, String)> {
    let mut projects = Vec::new();
    let examples = tempfile::tempdir().unwrap();
    for folder in ["playbooks", "templates", "inventory"] {
        copy(&root().join(folder), &examples.path().join(folder));
    }
    let at = examples.path().to_owned();
    let examples_look =
        Look { paths: vec![at.clone()], inventory: Some(at.join("inventory/hosts.ini")), tags: tags(&at.join("playbooks")) };
    projects.push((examples, examples_look, "examples".to_owned()));
    for path in files(&root().join("tests/scenarios")) {
        let directory = tempfile::tempdir().unwrap();
        if page(&path, directory.path()) {
            let at = directory.path().to_owned();
            let inventory = Some(at.join("hosts.ini")).filter(|path| path.exists());
            let look = Look { paths: vec![at.clone()], inventory, tags: tags(&at) };
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            projects.push((directory, look, name));
        }
    }
    projects
}

/// True findings in the scenarios, which are there on purpose: page, rule.
const ON_PURPOSE: &[(&str, &str)] = &[
    ("handlers.md", "risky-file-permissions"),
    ("hosts.md", "risky-file-permissions"),
    ("includes.md", "ignore-errors"),
    ("secrets.md", "risky-file-permissions"),
    ("unknown.md", "no-changed-when"),
    ("unknown.md", "risky-file-permissions"),
    ("variables.md", "ignore-errors"),
    ("variables.md", "undefined-variable"),
];

#[test]
fn nothing_is_found_in_what_is_right() {
    let mut wrong = String::new();
    for (directory, asked, name) in projects() {
        let (report, map) = look(&asked);
        let mut report = report;
        report
            .findings
            .retain(|finding| finding.severity != Severity::Info && !ON_PURPOSE.contains(&(name.as_str(), finding.code)));
        if !report.findings.is_empty() {
            wrong.push_str(&format!("== {name}\n"));
        }
        wrong.push_str(&drawn(&report, &map).replace(&format!("{}/", directory.path().display()), ""));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn nearly_all_typos_are_found() {
    let catalog = actions::catalog();
    let mut scores: BTreeMap<&'static str, Score> = BTreeMap::new();
    let mut missed = Vec::new();
    for (directory, asked, _) in projects() {
        seed(directory.path(), &asked, &catalog, &mut scores, &mut missed);
    }
    let (found, all) = scores.values().fold((0, 0), |(found, all), score| (found + score.found, all + score.all));
    for (kind, score) in &scores {
        say(&format!("{kind}: {} of {}", score.found, score.all));
    }
    let percentage = 100.0 * found as f64 / all as f64;
    say(&format!("typos found: {found} of {all} ({percentage:.1} %)"));
    missed.iter().for_each(|miss| say(&format!("missed {miss}")));
    for kind in ["option", "variable", "handler", "tag", "module", "type", "filter", "template", "include path"] {
        assert!(scores.get(kind).is_some_and(|score| score.all > 0), "no place for a typo in a {kind}");
    }
    assert!(all > 300 && percentage >= 95.0, "{percentage:.1} % of {all}; missed:\n{}", missed.join("\n"));
}
