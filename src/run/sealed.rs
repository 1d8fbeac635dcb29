//! Encrypted values and files that plays need for sure: opened before any host is contacted, so that a
//! wrong or missing password stops a run that has changed nothing. Of the values with one vault id
//! one is tried; the others are opened when they are needed.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::connection::CONNECTION_VARIABLES;
use super::state::RunState;
use crate::playbook::outline::names;
use crate::playbook::{Item, Play, Task};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Span};
use crate::vars::{Definition, Layer, Scope, Variable, Variables};
use crate::vault::{VaultError, header, is_sealed_file};

/// Tries what the plays need on their hosts.
pub fn check<'p>(run: &RunState, plays: impl Iterator<Item = (&'p Arc<Play>, &'p [Arc<str>])>) -> Diagnostics {
    let mut checker = Checker { run, tried: BTreeSet::new(), files: HashSet::new(), diagnostics: Diagnostics::default() };
    for (play, hosts) in plays.filter(|(_, hosts)| !hosts.is_empty()) {
        checker.play(play, hosts);
    }
    checker.diagnostics
}

struct Checker<'a> {
    run: &'a RunState,
    /// Vault ids of which a value was tried.
    tried: BTreeSet<Option<String>>,
    files: HashSet<PathBuf>,
    diagnostics: Diagnostics,
}

impl Checker<'_> {
    fn play(&mut self, play: &Play, hosts: &[Arc<str>]) {
        let mut wanted = BTreeSet::new();
        certain(&play.items, &mut |task| {
            for node in needs(task) {
                names(node, false, &mut wanted);
                self.values(node);
            }
            self.file(task, &play.directory);
        });
        let becomes = self.run.settings.r#become || play.keywords.r#become.is_some();
        let connection = CONNECTION_VARIABLES.iter().filter(|name| becomes || !name.starts_with("ansible_become"));
        wanted.extend(connection.map(ToString::to_string));
        let own = self.own_layers(play);
        let inventory = self.inventory_layers(hosts);
        let all: Vec<&Variables> =
            own.iter().map(|layer| &**layer).chain(inventory.iter().map(|layer| &*layer.variables)).collect();
        if !all.iter().any(|layer| layer.values().any(|variable| source(variable).is_some_and(holds_sealed))) {
            return;
        }
        let wanted = with_what_they_use(wanted, &all);
        for name in &wanted {
            self.name(name, play, &own, hosts);
        }
    }

    /// Variables that plays and roles define themselves.
    fn own_layers(&mut self, play: &Play) -> Vec<Arc<Variables>> {
        let mut layers = vec![Arc::clone(&play.vars)];
        for role in &play.roles {
            layers.extend(role.vars.iter().chain([&role.params]).cloned());
        }
        for entry in &play.vars_files {
            let Some(name) = entry.as_str().filter(|name| !name.contains("{{")) else { continue };
            let paths = [play.directory.join(name), play.directory.join("vars").join(name)];
            let Some(path) = paths.into_iter().find(|path| path.is_file()) else { continue };
            let mut found = Diagnostics::default();
            layers.push(Arc::new(self.run.loader.variables_file(&path, Some(entry.span), &mut found)));
            let closed = found.iter().filter(|problem| problem.code == ENCRYPTED && self.files.insert(path.clone())).cloned();
            let closed: Vec<Diagnostic> = closed.collect();
            closed.into_iter().for_each(|problem| self.diagnostics.push(problem));
        }
        layers
    }

    /// Layers of the hosts, those that they share once.
    fn inventory_layers(&self, hosts: &[Arc<str>]) -> Vec<Layer> {
        let mut seen = HashSet::new();
        let inventory = self.run.roster.view();
        let layers = hosts.iter().flat_map(|host| inventory.host_layers(host));
        layers.filter(|layer| seen.insert(Arc::as_ptr(&layer.variables))).collect()
    }

    /// The definition of a name that wins, for every host.
    fn name(&mut self, name: &str, play: &Play, own: &[Arc<Variables>], hosts: &[Arc<str>]) {
        if let Some(variable) = self.run.settings.extra_vars.get(name) {
            return self.variable(&variable.clone());
        }
        let mut above = own.iter().filter_map(|layer| layer.get(name)).peekable();
        if above.peek().is_some() {
            // Which of several wins differs from task to task.
            return above.cloned().collect::<Vec<_>>().iter().for_each(|variable| self.variable(variable));
        }
        let mut seen = HashSet::new();
        let mut missing = false;
        let inventory = self.run.roster.view();
        for host in hosts {
            let mut scope = Scope::default();
            inventory.host_layers(host).into_iter().for_each(|layer| scope.push(layer));
            match scope.lookup(name) {
                Some((variable, _)) if seen.insert(std::ptr::from_ref(variable)) => self.variable(variable),
                Some(_) => {}
                None => missing = true,
            }
        }
        if missing {
            let defaults = play.roles.iter().flat_map(|role| &role.defaults).filter_map(|layer| layer.get(name));
            defaults.cloned().collect::<Vec<_>>().iter().for_each(|variable| self.variable(variable));
        }
    }

    fn variable(&mut self, variable: &Variable) {
        if let Some(node) = source(variable) {
            self.values(node);
        }
    }

    /// Encrypted values in a node.
    fn values(&mut self, node: &Node) {
        match &node.value {
            NodeValue::Vault(sealed) => {
                let id = header(sealed.as_bytes()).ok().and_then(|header| header.id);
                if self.tried.insert(id)
                    && let Err(error) = self.run.map.vault().text(sealed)
                {
                    self.closed(&error, "this value cannot be decrypted", node.span);
                }
            }
            NodeValue::List(items) => items.iter().for_each(|item| self.values(item)),
            NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| self.values(value)),
            _ => {}
        }
    }

    /// The file of the project that a task sends or reads.
    fn file(&mut self, task: &Task, playbook: &Path) {
        let (folder, options): (&str, &[&str]) = match &*task.action.module {
            "copy" | "unarchive" if task.action.option("remote_src").is_none() && task.action.option("decrypt").is_none() => {
                ("files", &["src"])
            }
            "template" => ("templates", &["src"]),
            "script" if task.action.option("decrypt").is_none() => ("files", &["_raw_params", "free_form", "cmd"]),
            "include_vars" => ("vars", &["_raw_params", "file"]),
            _ => return,
        };
        let Some(node) = options.iter().find_map(|name| task.action.option(name)) else { return };
        let Some(name) = node.as_str().filter(|name| !name.contains("{{")) else { return };
        let name = if folder == "files" && options.len() > 1 { name.split_whitespace().next().unwrap_or_default() } else { name };
        let roots = task.role.iter().map(|role| role.path.as_path()).chain([task.directory.as_path(), playbook]);
        let mut candidates = roots.flat_map(|root| [root.join(folder).join(name), root.join(name)]);
        let Some(path) = candidates.find(|path| path.is_file()) else { return };
        if !is_sealed_file(&path).unwrap_or(false) || !self.files.insert(path.clone()) {
            return;
        }
        // A file that cannot be read is found by others.
        let Ok(content) = std::fs::read(&path) else { return };
        if let Err(error) = self.run.map.vault().open(&content) {
            self.closed(&error, &format!("cannot read `{}`", path.display()), node.span);
        }
    }

    fn closed(&mut self, error: &VaultError, what: &str, span: Span) {
        let problem = Diagnostic::error(ENCRYPTED, format!("{what}: {error}"));
        self.diagnostics.push(problem.at(span, "needed here").hint(error.hint()));
    }
}

const ENCRYPTED: &str = "encrypted-file";

/// Tasks that are reached for sure and whose failure is nobody's wish.
fn certain(items: &[Item], see: &mut dyn FnMut(&Task)) {
    for item in items {
        match item {
            Item::Task(task) if task.keywords.when.is_empty() && task.keywords.ignore_errors.is_none() => see(task),
            Item::Block(block) if block.rescue.is_empty() => {
                certain(&block.body, see);
                certain(&block.always, see);
            }
            Item::Task(_) | Item::Block(_) => {}
        }
    }
}

/// What is rendered for a task.
fn needs(task: &Task) -> impl Iterator<Item = &Node> {
    let options = task.action.options.iter().map(|(_, node)| node);
    options.chain(task.keywords.environment.iter()).chain(task.r#loop.as_ref().map(|spec| &spec.list))
}

fn source(variable: &Variable) -> Option<&Node> {
    match &variable.definition {
        Definition::Source(node) => Some(node),
        Definition::Data(_) => None,
    }
}

fn holds_sealed(node: &Node) -> bool {
    match &node.value {
        NodeValue::Vault(_) => true,
        NodeValue::List(items) => items.iter().any(holds_sealed),
        NodeValue::Map(map) => map.entries.iter().any(|(_, value)| holds_sealed(value)),
        _ => false,
    }
}

/// Names, and the names that their definitions use.
fn with_what_they_use(names_wanted: BTreeSet<String>, layers: &[&Variables]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut open: Vec<String> = names_wanted.into_iter().collect();
    while let Some(name) = open.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        let mut used = BTreeSet::new();
        layers.iter().filter_map(|layer| source(layer.get(name.as_str())?)).for_each(|node| names(node, false, &mut used));
        open.extend(used);
    }
    known
}
