//! Why a variable has its value on a host before anything has run: all definitions in inventory,
//! command line, plays and roles, which one wins, and why the others lose.

use std::sync::Arc;

use crate::inventory::{HostDefinition, Inventory};
use crate::playbook::load::collect_tasks;
use crate::playbook::{Loader, Play, Playbook};
use crate::source::{Diagnostics, Span};
use crate::template::Renderer;
use crate::vars::{Layer, Precedence, Scope, Value, Variable, Variables};

/// A definition and its fate.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it is and where it stands.
    pub variable: Variable,
    /// Its level.
    pub precedence: Precedence,
    /// Whose it is, where the level does not say it: `group web`, `role nginx`.
    pub owner: Option<String>,
    /// Why it loses; none: it wins.
    pub loses: Option<String>,
}

/// All definitions of a variable for a host, in the inventory alone or in one play.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The definitions, the winner first.
    pub candidates: Vec<Candidate>,
    /// Tasks that define it when they run, and by what (`set_fact`, `register` ...).
    pub later: Vec<(Span, &'static str)>,
    /// What cannot be known before the play runs, such as files whose names are templates.
    pub unknown: Vec<Span>,
    /// Everything that the host sees here, for rendering the winner.
    pub scope: Scope,
}

impl Explanation {
    /// What inventory, command line and (if given) a play say about a variable of a host.
    pub fn new(
        inventory: &Inventory,
        extra_vars: &Arc<Variables>,
        play: Option<(&Play, &Loader)>,
        host: &str,
        name: &str,
    ) -> Self {
        let scope = Scope { layers: inventory.host_layers(host), ..Scope::default() };
        let mut others = Others { name, scope, found: Vec::new() };
        let (mut later, mut unknown) = (Vec::new(), Vec::new());
        if let Some((play, loader)) = play {
            others.play(play, loader, &mut unknown);
            later = setters(play, name);
            others.scope.search = Arc::from(vec![play.directory.clone()]);
        }
        others.add(Precedence::ExtraVars, extra_vars, None);
        let Others { scope, found, .. } = others;
        Self { candidates: ranked(&inventory.definitions(host, name), found), later, unknown, scope }
    }
}

/// The plays that run on a host. A pattern that cannot be rendered before the run counts as one.
pub fn plays_of<'a>(
    inventory: &Inventory,
    renderer: &Renderer,
    extra_vars: &Arc<Variables>,
    playbooks: &'a [Playbook],
    host: &str,
) -> Vec<&'a Play> {
    let mut scope = Scope::default();
    scope.push(Layer { precedence: Precedence::ExtraVars, variables: Arc::clone(extra_vars) });
    let selects = |play: &Play| {
        let Ok(value) = renderer.value(&play.hosts, &scope) else { return true };
        let patterns: Vec<String> = match &value {
            Value::List(items) => items.iter().map(ToString::to_string).collect(),
            one => vec![one.to_string()],
        };
        inventory.select_all(&patterns, None).is_ok_and(|found| found.hosts.iter().any(|name| &**name == host))
    };
    playbooks.iter().flat_map(|playbook| &playbook.plays).map(|play| &**play).filter(|play| selects(play)).collect()
}

/// The winner first, every other one with the reason why it loses against it.
fn ranked(definitions: &[HostDefinition], others: Vec<Candidate>) -> Vec<Candidate> {
    let best = definitions.last();
    let mut all: Vec<Candidate> = definitions
        .iter()
        .enumerate()
        .map(|(at, definition)| {
            let last = at + 1 == definitions.len();
            let loses = best.filter(|_| !last).map(|best| {
                // What replaces it stands next.
                let winner = if definition.is_replaced() { &definitions[at + 1] } else { best };
                definition.loses_to(winner)
            });
            let owner = definition.group.as_ref().map(|group| format!("group {}", group.name));
            Candidate { variable: definition.variable.clone(), precedence: definition.precedence, owner, loses }
        })
        .collect();
    all.extend(others);
    // Of one level the later one wins.
    all.sort_by_key(|candidate| candidate.precedence);
    all.reverse();
    let winner = all.first().map(|candidate| candidate.precedence);
    for candidate in all.iter_mut().skip(1) {
        let level = candidate.precedence;
        let winner = winner.expect("there is a first if there is a second");
        candidate.loses = Some(match candidate.loses.take() {
            Some(reason) if level == winner => reason,
            _ if level != winner => level.below(winner),
            _ => "a later definition of the same level wins".to_owned(),
        });
    }
    all
}

/// Definitions outside of the inventory.
struct Others<'a> {
    name: &'a str,
    scope: Scope,
    found: Vec<Candidate>,
}

impl Others<'_> {
    fn add(&mut self, precedence: Precedence, variables: &Arc<Variables>, owner: Option<String>) {
        if let Some(variable) = variables.get(self.name) {
            self.found.push(Candidate { variable: variable.clone(), precedence, owner, loses: None });
        }
        self.scope.push(Layer { precedence, variables: Arc::clone(variables) });
    }

    fn play(&mut self, play: &Play, loader: &Loader, unknown: &mut Vec<Span>) {
        self.add(Precedence::PlayVars, &play.vars, None);
        for entry in &play.vars_files {
            let names = entry.as_list().unwrap_or(std::slice::from_ref(entry));
            let mut file = None;
            for node in names {
                let Some(name) = node.as_str().filter(|name| !name.contains("{{")) else {
                    unknown.push(node.span);
                    break;
                };
                let paths = [play.directory.join(name), play.directory.join("vars").join(name)];
                file = paths.into_iter().find(|path| path.is_file()).map(|path| (path, node.span));
                if file.is_some() {
                    break;
                }
            }
            if let Some((path, span)) = file {
                // What is wrong with the file is said by whoever runs the play.
                let variables = loader.variables_file(&path, Some(span), &mut Diagnostics::default());
                self.add(Precedence::PlayVarsFiles, &Arc::new(variables), None);
            }
        }
        for role in &play.roles {
            let owner = || Some(format!("role {}", role.name));
            for defaults in &role.defaults {
                self.add(Precedence::RoleDefaults, defaults, owner());
            }
            for vars in &role.vars {
                self.add(Precedence::RoleVars, vars, owner());
            }
            if let Some(variable) = role.params.get(self.name) {
                let owner = Some(format!("role {}, seen by its tasks only", role.name));
                self.found.push(Candidate { variable: variable.clone(), precedence: Precedence::RoleParams, owner, loses: None });
            }
        }
    }
}

/// Tasks that define a variable when they run.
fn setters(play: &Play, name: &str) -> Vec<(Span, &'static str)> {
    let mut tasks = Vec::new();
    collect_tasks(&play.items, &mut tasks);
    tasks.extend(play.handlers.iter().cloned());
    let mut found = Vec::new();
    for task in tasks {
        if task.register.as_deref() == Some(name) {
            found.push((task.span, "register"));
        }
        if &*task.action.module == "set_fact" && task.action.options.iter().any(|(option, _)| &**option == name) {
            found.push((task.span, "set_fact"));
        }
        for (index, vars) in task.keywords.vars.iter().enumerate() {
            if vars.contains_key(name) {
                found.push((task.span, if index < task.own_vars { "its block's vars" } else { "its own vars" }));
            }
        }
    }
    found
}
