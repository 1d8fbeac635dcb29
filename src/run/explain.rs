//! Why a variable has its value on a host before anything has run: all definitions in inventory,
//! command line, plays and roles, which one wins, and why the others lose.

use std::collections::HashSet;
use std::sync::Arc;

use crate::inventory::{HostDefinition, Inventory};
use crate::playbook::load::collect_tasks;
use crate::playbook::{Loader, Play, Playbook};
use crate::source::{Diagnostics, Span};
use crate::template::Renderer;
use crate::vars::{Layer, Origin, Precedence, Scope, Value, Variable, Variables};

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
    /// What defines it for some tasks only or while running, and by what (`set_fact`, `register` ...).
    pub later: Vec<(Span, String)>,
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
        let scope = inventory_scope(inventory, host);
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

/// What a host sees before any play: what the inventory says of it, and of its place in it.
pub fn inventory_scope(inventory: &Inventory, host: &str) -> Scope {
    let mut scope = Scope { layers: inventory.host_layers(host), ..Scope::default() };
    scope.push(Layer { precedence: Precedence::Magic, variables: Arc::new(inventory.host_magic(host)) });
    scope
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
        }
    }
}

/// What defines a variable for some tasks only: their own `vars`, parameters of their role, and
/// tasks that define it when they run.
fn setters(play: &Play, name: &str) -> Vec<(Span, String)> {
    let mut found = Vec::new();
    let mut tasks = Vec::new();
    collect_tasks(&play.items, &mut tasks);
    tasks.extend(play.handlers.iter().cloned());
    for role in play.roles.iter().chain(tasks.iter().filter_map(|task| task.role.as_ref())) {
        if let Some(Origin::File(span)) = role.params.get(name).map(|variable| &variable.origin) {
            found.push((*span, format!("a parameter of role {}", role.name)));
        }
    }
    for task in tasks {
        if task.register.as_deref() == Some(name) {
            found.push((task.span, "register".to_owned()));
        }
        if &*task.action.module == "set_fact" && task.action.options.iter().any(|(option, _)| &**option == name) {
            found.push((task.span, "set_fact".to_owned()));
        }
        for (index, vars) in task.keywords.vars.iter().enumerate() {
            if let Some(Origin::File(span)) = vars.get(name).map(|variable| &variable.origin) {
                found.push((*span, if index < task.own_vars { "a block's vars" } else { "a task's vars" }.to_owned()));
            }
        }
    }
    // A block's variables are said once, not for each of its tasks.
    let mut seen = HashSet::new();
    found.retain(|(span, _)| seen.insert(*span));
    found
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;
    use crate::actions;
    use crate::inventory::InventorySettings;
    use crate::playbook::LoadSettings;
    use crate::source::SourceMap;
    use crate::template::RenderSettings;

    const FILES: &[(&str, &str)] = &[
        (
            "hosts",
            "[web]\nw1 tier=8 other=1\nw1 tier=9\n[db]\nw1\n[site:children]\nweb\n[web:vars]\ntier=3\n[db:vars]\ntier=2\n[site:vars]\ntier=1\n",
        ),
        ("group_vars/web/a.yml", "tier: 61\n"),
        ("group_vars/web/b.yml", "tier: 62\n"),
        ("play/group_vars/all.yml", "tier: 5\n"),
        ("play/more.yml", "tier: 14\n"),
        ("play/roles/r/defaults/main.yml", "tier: 2\n"),
        ("play/roles/r/vars/main.yml", "tier: 15\n"),
        ("play/roles/r/tasks/main.yml", "- debug:\n"),
        (
            "play/site.yml",
            "\
- hosts: web
  vars: { tier: 12 }
  vars_files: [more.yml, '{{ x }}.yml']
  roles: [{ role: r, tier: 20 }]
  tasks:
    - set_fact: { tier: 19 }
    - command: id
      register: tier
    - block:
        - debug:
        - debug:
      vars: { tier: 16 }
- hosts: nobody
",
        ),
    ];

    /// `place value level: fate` for each definition, then what defines it later.
    fn explained(playbook: bool, extra: Option<i64>) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in FILES {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let map = SourceMap::default();
        let hosts = directory.path().join("hosts").display().to_string();
        let (mut inventory, problems) = Inventory::load(&map, &[hosts], &InventorySettings::default());
        assert!(problems.is_empty(), "{problems:?}");
        let renderer = Arc::new(Renderer::new(RenderSettings::default()));
        let loader = Loader::new(map.clone(), Arc::new(actions::catalog()), LoadSettings::default(), Arc::clone(&renderer));
        let extra = extra.map(|number| {
            let variable =
                Variable { definition: crate::vars::Definition::Data(Value::Int(number)), origin: Origin::CommandLine };
            ("tier".into(), variable)
        });
        let extra: Arc<Variables> = Arc::new(extra.into_iter().collect());
        let explanation = if playbook {
            let (read, problems) = loader.playbook(&directory.path().join("play/site.yml"));
            assert!(!problems.has_errors(), "{problems:?}");
            assert!(inventory.load_beside_playbook(&map, &directory.path().join("play")).is_empty());
            let playbooks = [read];
            let plays = plays_of(&inventory, &renderer, &extra, &playbooks, "w1");
            assert_eq!(plays.len(), 1, "the other play is not for this host");
            Explanation::new(&inventory, &extra, Some((plays[0], &loader)), "w1", "tier")
        } else {
            Explanation::new(&inventory, &extra, None, "w1", "tier")
        };
        let place = |span: Span| map.place(span).replace(&format!("{}/", directory.path().display()), "");
        let mut text = String::new();
        for candidate in &explanation.candidates {
            let at = match &candidate.variable.origin {
                Origin::File(span) => place(*span),
                other => format!("{other:?}"),
            };
            let owner = candidate.owner.as_deref().unwrap_or("-");
            let number = candidate.precedence.number().unwrap();
            writeln!(text, "{at} {number} {owner}: {}", candidate.loses.as_deref().unwrap_or("wins")).unwrap();
        }
        for (span, what) in &explanation.later {
            writeln!(text, "later {}: {what}", place(*span)).unwrap();
        }
        for span in &explanation.unknown {
            writeln!(text, "unknown {}", place(*span)).unwrap();
        }
        assert!(Path::new(directory.path()).exists());
        text
    }

    #[test]
    fn every_definition_in_the_inventory_has_its_fate() {
        assert_eq!(
            explained(false, None),
            "\
hosts:3 8 -: wins
hosts:2 8 -: the same host or group has a later definition, which replaces this one
group_vars/web/b.yml:1 6 group web: the host in the inventory (8) is above this level (6)
group_vars/web/a.yml:1 6 group web: the host in the inventory (8) is above this level (6)
hosts:9 3 group web: the host in the inventory (8) is above this level (3)
hosts:13 3 group site: the host in the inventory (8) is above this level (3)
hosts:11 3 group db: the host in the inventory (8) is above this level (3)
"
        );
    }

    #[test]
    fn a_play_adds_its_own_definitions_and_those_of_its_roles() {
        assert_eq!(
            explained(true, Some(22)),
            "\
CommandLine 22 -: wins
play/roles/r/vars/main.yml:1 15 role r: the command line (22) is above this level (15)
play/more.yml:1 14 -: the command line (22) is above this level (14)
play/site.yml:2 12 -: the command line (22) is above this level (12)
hosts:3 8 -: the command line (22) is above this level (8)
hosts:2 8 -: the command line (22) is above this level (8)
group_vars/web/b.yml:1 6 group web: the command line (22) is above this level (6)
group_vars/web/a.yml:1 6 group web: the command line (22) is above this level (6)
play/group_vars/all.yml:1 5 group all: the command line (22) is above this level (5)
hosts:9 3 group web: the command line (22) is above this level (3)
hosts:13 3 group site: the command line (22) is above this level (3)
hosts:11 3 group db: the command line (22) is above this level (3)
play/roles/r/defaults/main.yml:1 2 role r: the command line (22) is above this level (2)
later play/site.yml:4: a parameter of role r
later play/site.yml:6: set_fact
later play/site.yml:7: register
later play/site.yml:12: a block's vars
unknown play/site.yml:3
"
        );
    }
}
