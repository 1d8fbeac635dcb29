//! Which variables a task on a host sees: the layers, from every place where variables are made.

use std::sync::Arc;

use super::state::{HostState, Nested, PlayState, RunState, RunWorld};
use crate::playbook::Task;
use crate::vars::{Definition, Key, Layer, Map, Origin, Precedence, Scope, Value, Variable, Variables};

/// A variable that holds data of our own making.
pub fn data(value: impl Into<Value>) -> Variable {
    Variable { definition: Definition::Data(value.into()), origin: Origin::Builtin }
}

/// What `hostvars[host]` shows: no play and no task.
pub fn host_scope(run: &Arc<RunState>, host: &HostState) -> Scope {
    let mut scope = Scope { world: Some(Arc::new(RunWorld(Arc::downgrade(run)))), ..Scope::default() };
    for layer in host.inventory_layers(run).iter() {
        scope.push(layer.clone());
    }
    for layer in host.layers() {
        scope.push(layer);
    }
    scope.push(Layer { precedence: Precedence::ExtraVars, variables: Arc::clone(&run.settings.extra_vars) });
    scope.push(Layer { precedence: Precedence::Magic, variables: Arc::new(run.roster.view().host_magic(&host.name)) });
    scope.push(Layer { precedence: Precedence::Magic, variables: run.roster.groups() });
    scope
}

/// What a play's own settings on a host see (its name, `vars_files`, connection of a delegated host).
pub fn play_scope(run: &Arc<RunState>, play: &PlayState, host: &HostState) -> Scope {
    let mut scope = host_scope(run, host);
    let mut push = |precedence, variables: &Arc<Variables>| scope.push(Layer { precedence, variables: Arc::clone(variables) });
    push(Precedence::PlayVars, &play.play.vars);
    push(Precedence::PlayVarsPrompt, &play.prompted);
    if let Some(files) = play.vars_files.get(&host.name) {
        push(Precedence::PlayVarsFiles, files);
    }
    let public = play.public_roles.read().expect("no thread panics here").clone();
    for role in play.play.roles.iter().chain(&public) {
        push(Precedence::RoleDefaults, &role.own_defaults);
        push(Precedence::RoleVars, &role.own_vars);
    }
    push(Precedence::Magic, &play.magic);
    push(Precedence::Magic, &Arc::new(live_magic(play)));
    scope.search = Arc::from(vec![play.play.directory.clone()]);
    scope
}

/// What a task on a host sees.
pub fn task_scope(run: &Arc<RunState>, play: &PlayState, host: &HostState, task: &Task, nested: &Nested) -> Scope {
    let mut scope = play_scope(run, play, host);
    let mut push = |precedence, variables: &Arc<Variables>| scope.push(Layer { precedence, variables: Arc::clone(variables) });
    if let Some(role) = &task.role {
        role.defaults.iter().for_each(|layer| push(Precedence::RoleDefaults, layer));
        role.vars.iter().for_each(|layer| push(Precedence::RoleVars, layer));
        push(Precedence::RoleParams, &role.params);
        let (collection, plain) = match role.name.rsplit_once('.') {
            Some((collection, plain)) if collection.contains('.') && !role.name.contains('/') => (Some(collection), plain),
            _ => (None, &*role.name),
        };
        let parents: Vec<Value> = role.parents.iter().map(|name| Value::from(&**name)).collect();
        let mut magic = Variables::from_iter([
            (Arc::from("role_name"), data(plain)),
            (Arc::from("ansible_role_name"), data(&*role.name)),
            (Arc::from("role_path"), data(absolute(&role.path))),
        ]);
        if !parents.is_empty() {
            magic.insert(Arc::from("ansible_parent_role_names"), data(parents));
        }
        if let Some(collection) = collection {
            magic.insert(Arc::from("ansible_collection_name"), data(collection));
        }
        push(Precedence::Magic, &Arc::new(magic));
    }
    for (index, vars) in task.keywords.vars.iter().enumerate() {
        push(if index < task.own_vars { Precedence::BlockVars } else { Precedence::TaskVars }, vars);
    }
    for layer in &nested.layers {
        push(layer.precedence, &layer.variables);
    }
    let mut search = Vec::new();
    let places = task.role.iter().map(|role| &role.path).chain([&task.directory, &play.play.directory]);
    for place in places {
        let place = std::path::absolute(place).unwrap_or_else(|_| place.clone());
        if !search.contains(&place) {
            search.push(place);
        }
    }
    scope.search = search.into();
    scope
}

/// Magic variables of a play that do not change while it runs. The names are those that
/// Ansible's documentation lists as special variables.
pub fn play_magic(run: &RunState, play: &crate::playbook::Play, all: &[Arc<str>]) -> Variables {
    let tags = |list: &[String], none: &[&str]| -> Vec<Value> {
        if list.is_empty() {
            none.iter().map(|tag| Value::from(*tag)).collect()
        } else {
            list.iter().map(|tag| Value::from(tag.as_str())).collect()
        }
    };
    let version = Map::from_iter([
        (Key::from("full"), Value::from("2.19.0")),
        (Key::from("major"), Value::Int(2)),
        (Key::from("minor"), Value::Int(19)),
        (Key::from("revision"), Value::Int(0)),
        (Key::from("string"), Value::from("2.19.0")),
    ]);
    let roles = |wanted: &dyn Fn(&crate::playbook::RoleInfo) -> bool| -> Value {
        let mut names: Vec<&str> = Vec::new();
        for role in play.roles.iter().filter(|role| wanted(role)) {
            if !names.contains(&&*role.name) {
                names.push(&role.name);
            }
        }
        Value::from(names.into_iter().map(Value::from).collect::<Vec<_>>())
    };
    let language = &run.settings.language;
    let path = |path: Option<&std::path::PathBuf>| data(path.map(|path| path.display().to_string()));
    Variables::from_iter([
        (Arc::from("ansible_inventory_sources"), data(run.roster.view().sources().iter().map(Value::from).collect::<Value>())),
        (Arc::from("playbook_dir"), data(absolute(&play.directory))),
        (Arc::from("ansible_play_name"), data(play.title())),
        (Arc::from("ansible_play_hosts_all"), data(all.iter().map(|name| Value::from(&**name)).collect::<Vec<_>>())),
        (Arc::from("ansible_play_role_names"), data(roles(&|role| role.named))),
        (Arc::from("ansible_dependent_role_names"), data(roles(&|role| !role.named))),
        (Arc::from("ansible_role_names"), data(roles(&|_| true))),
        (Arc::from("role_names"), data(roles(&|role| role.named))),
        (Arc::from("ansible_check_mode"), data(run.plans())),
        (Arc::from("ansible_diff_mode"), data(run.plans())),
        (Arc::from("ansible_verbosity"), data(i64::from(run.settings.verbosity))),
        (Arc::from("ansible_forks"), data(run.settings.forks as i64)),
        (Arc::from("ansible_version"), data(version)),
        (Arc::from("ansible_run_tags"), data(tags(&run.settings.tags.only, &["all"]))),
        (Arc::from("ansible_skip_tags"), data(tags(&run.settings.tags.skip, &[]))),
        (Arc::from("ansible_playbook_python"), path(language.python.as_ref())),
        (Arc::from("ansible_config_file"), path(language.config_file.as_ref())),
        (Arc::from("ansible_limit"), data(run.settings.limit.clone().map_or(Value::Null, Value::from))),
    ])
}

/// Hosts that are still in play.
fn live_magic(play: &PlayState) -> Variables {
    let batch = play.live(play.batch.iter().map(|host| &host.name));
    Variables::from_iter([
        (Arc::from("ansible_play_hosts"), data(play.live(&play.all))),
        (Arc::from("ansible_play_batch"), data(batch.clone())),
        (Arc::from("play_hosts"), data(batch)),
    ])
}

fn absolute(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}
