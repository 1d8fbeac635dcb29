//! Scenarios: what a user writes and what a run then says, as Markdown in `tests/scenarios/`.
//!
//! Fenced blocks give the project's files (```` ```file PATH ````), files on the hosts
//! (```` ```host NAME PATH ````), and what is expected of a plan, an apply and a second apply
//! (```` ```plan ````, ```` ```apply ````, ```` ```again ````). The engine runs with its real wire protocol against hosts in memory.
//! `STEAD_BLESS=1 cargo test --test scenarios` writes down what is said now.

mod pages;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use stead::actions;
use stead::inventory::{Inventory, InventorySettings};
use stead::lint;
use stead::playbook::{LoadSettings, Loader, TagSelection};
use stead::run::event::{Event, EventSink, RunMode};
use stead::run::settings::{Language, RunSettings, Stop};
use stead::run::state::{RunParts, RunState};
use stead::session::SessionSettings;
use stead::session::memory::World;
use stead::source::{Diagnostics, SourceMap, render};
use stead::template::{RenderSettings, Renderer};
use stead::vars::Variables;
use stead_modules::host::memory::MemoryHost;

use pages::blocks;

/// A host with what every Debian host has.
fn usual_host() -> MemoryHost {
    let mut host = MemoryHost::default();
    for directory in ["/etc", "/tmp", "/srv", "/root", "/home", "/usr", "/usr/bin"] {
        host.add_directory(directory);
    }
    host.add_group("root", 0, &[]);
    host.add_user("root", 0, 0, "/root", "/bin/bash");
    host.add_unit("cron.service", "active", "enabled");
    host.add_package("cron", "3.0pl1-162");
    host
}

/// Writes events as lines that a person can compare.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl EventSink for Lines {
    fn event(&mut self, event: &Event) {
        let mut text = String::new();
        let mut said = |host: &str,
                        what: &str,
                        ending: &dyn std::fmt::Debug,
                        message: &Option<String>,
                        changes: &[stead_modules::change::Change]| {
            let _ = write!(text, "{host}: {what}: {}", format!("{ending:?}").to_lowercase());
            if let Some(message) = message {
                let _ = write!(text, " ({message})");
            }
            for change in changes {
                let _ = write!(text, "\n    {:?} {}", change.action, change.resource);
                for difference in &change.differences {
                    let _ = write!(
                        text,
                        "\n        {}: {} -> {}",
                        difference.property,
                        short(&difference.before),
                        short(&difference.after)
                    );
                }
            }
        };
        match event {
            Event::TaskEnded { task, host, ending, message, changes, .. } => {
                let name = if task.handler { format!("handler {}", task.name) } else { task.name.clone() };
                said(host, &name, ending, message, changes);
            }
            Event::ItemEnded { task, host, item, ending, message, changes, .. } => {
                said(host, &format!("{} [{item}]", task.name), ending, message, changes);
            }
            Event::Note { host, text: note, .. } => text = format!("{}: note: {note}", host.as_deref().unwrap_or("run")),
            Event::RunEnded { recap, .. } => {
                for line in recap {
                    let _ = writeln!(text, "recap {}: {:?}", line.host, line.ending);
                }
            }
            Event::RunStarted { .. } | Event::PlayStarted { .. } | Event::TaskStarted { .. } => return,
        }
        self.0.lock().unwrap().push(text.trim_end().to_owned());
    }
}

fn short(value: &serde_json::Value) -> String {
    match value.as_str() {
        Some(text) if text.starts_with("sha256:") => text[..15].to_owned(),
        _ => value.to_string(),
    }
}

fn run(directory: &Path, world: &World, mode: RunMode) -> String {
    let map = SourceMap::default();
    let renderer = Arc::new(Renderer::new(RenderSettings { base: directory.to_owned(), ..RenderSettings::default() }));
    let loader = Arc::new(Loader::new(map.clone(), Arc::new(actions::catalog()), LoadSettings::default(), Arc::clone(&renderer)));
    let (playbook, mut diagnostics) = loader.playbook(&directory.join("site.yml"));
    let (mut inventory, found) =
        Inventory::load(&map, &[directory.join("hosts.ini").display().to_string()], &InventorySettings::default());
    diagnostics.extend(found);
    diagnostics.extend(inventory.load_beside_playbook(&map, directory));
    let playbooks = [playbook];
    diagnostics.extend(lint::before_run(&playbooks, &loader, &lint::known_names(&inventory, &Variables::new())));
    let [playbook] = playbooks;
    if diagnostics.has_errors() {
        return render::render(&diagnostics, &map, render::Colour::Plain).replace(&format!("{}/", directory.display()), "");
    }
    let lines = Lines::default();
    let settings = RunSettings {
        step: false,
        allow_no_hosts: false,
        mode,
        run: "r1".into(),
        forks: 10,
        limit: None,
        tags: TagSelection::default(),
        extra_vars: Arc::default(),
        verbosity: 0,
        r#become: false,
        become_user: None,
        become_method: None,
        become_password: None,
        remote_user: None,
        password: None,
        private_key: None,
        ssh_args: Vec::new(),
        connection: Some("memory".into()),
        host_key_checking: None,
        lock_wait: 0,
        owner: "test".into(),
        session: Arc::new(SessionSettings { memory: world.clone(), ..SessionSettings::default() }),
        language: Language::default(),
    };
    let parts = RunParts {
        settings,
        loader,
        renderer,
        inventory: Arc::new(inventory),
        reload: None,
        stop: Stop::default(),
        sink: Box::new(lines.clone()),
    };
    let state = RunState::new(parts);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let finished = runtime.block_on(stead::run::run(&state, &[playbook], &mut Diagnostics::default()));
    if finished.diagnostics.has_errors() {
        return render::render(&finished.diagnostics, &map, render::Colour::Plain)
            .replace(&format!("{}/", directory.display()), "");
    }
    let mut lines = lines.0.lock().unwrap().clone();
    // Hosts go on side by side: only the order on each host is a promise.
    lines.sort_by_key(|line| line.split(':').next().unwrap_or_default().to_owned());
    let mut text = lines.join("\n").replace(&format!("{}/", directory.display()), "");
    text.push('\n');
    text
}

fn scenario(path: &Path, bless: bool) -> Option<String> {
    let page = std::fs::read_to_string(path).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let world = World::default();
    let blocks = blocks(&page);
    let mut hosts: std::collections::BTreeMap<String, MemoryHost> = std::collections::BTreeMap::new();
    for block in &blocks {
        match block.words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["file", name] => {
                let file = directory.path().join(name);
                std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                std::fs::write(file, &block.text).unwrap();
            }
            ["host", name] => {
                hosts.entry((*name).to_owned()).or_insert_with(usual_host);
            }
            ["host", name, file] => {
                let host = hosts.entry((*name).to_owned()).or_insert_with(usual_host);
                host.add_file(file, &block.text);
            }
            _ => {}
        }
    }
    for (name, host) in hosts {
        world.add(&name, host);
    }
    let mut blessed = page.clone();
    let mut wrong = String::new();
    for block in blocks.iter().rev().collect::<Vec<_>>().into_iter().rev() {
        let mode = match block.words.first().map(String::as_str) {
            Some("plan") => RunMode::Plan,
            Some("apply" | "again") => RunMode::Apply,
            _ => continue,
        };
        let said = run(directory.path(), &world, mode);
        if said != block.text {
            let _ = write!(wrong, "--- {} {}: expected\n{}--- said\n{said}", path.display(), block.words.join(" "), block.text);
            blessed = blessed.replacen(
                &page[block.at.start - 4..block.at.end],
                &format!("{}{said}", &page[block.at.start - 4..block.at.start]),
                1,
            );
        }
    }
    if bless && !wrong.is_empty() {
        std::fs::write(path, blessed).unwrap();
        return None;
    }
    (!wrong.is_empty()).then_some(wrong)
}

#[test]
fn every_scenario_says_what_its_page_says() {
    let bless = std::env::var_os("STEAD_BLESS").is_some();
    let mut pages: Vec<PathBuf> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    let wrong: Vec<String> = pages.iter().filter_map(|page| scenario(page, bless)).collect();
    assert!(pages.len() > 10, "the pages are missing");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
