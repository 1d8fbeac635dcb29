//! Linting in this process.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stead::actions;
use stead::inventory::{Inventory, InventorySettings};
use stead::lint::{self, Report, Request, Selection};
use stead::playbook::{LoadSettings, Loader, TagSelection};
use stead::source::{SourceMap, render};
use stead::template::{RenderSettings, Renderer};
use stead::vars::Variables;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says why a test does not run here, past the test harness, which swallows what passing tests print.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What is looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) paths: Vec<PathBuf>,
    pub(crate) inventory: Option<PathBuf>,
    pub(crate) tags: Vec<String>,
}

/// Lints, as the command does.
pub(crate) fn look(look: &Look) -> (Report, SourceMap) {
    let map = SourceMap::default();
    let renderer = Arc::new(Renderer::new(RenderSettings::default()));
    let settings = LoadSettings { roles_path: lint::role_directories(&look.paths), ..LoadSettings::default() };
    let loader = Loader::new(map.clone(), Arc::new(actions::catalog()), settings, renderer);
    let known = match &look.inventory {
        Some(path) => {
            let (mut inventory, _) = Inventory::load(&map, &[path.display().to_string()], &InventorySettings::default());
            inventory.settle();
            lint::known_names(&inventory, &Variables::new())
        }
        None => BTreeSet::new(),
    };
    let tags = (!look.tags.is_empty()).then(|| TagSelection { only: look.tags.clone(), skip: Vec::new() });
    let request =
        Request { paths: look.paths.clone(), known, closed: look.inventory.is_some(), tags, selection: Selection::default() };
    (lint::lint(&loader, &request), map)
}

/// Findings as a person sees them.
pub(crate) fn drawn(report: &Report, map: &SourceMap) -> String {
    report.findings.iter().map(|finding| render::render_one(finding, map, render::Colour::Plain)).collect()
}

/// Copies a directory.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Files below a directory, sorted.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
