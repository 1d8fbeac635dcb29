//! What a run knows while it goes on: hosts, their variables and sessions, notified handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};

use super::event::{Event, EventSink};
use super::redact;
use super::settings::{RunSettings, Stop};
use super::tally::Tally;
use crate::actions::Digests;
use crate::inventory::Inventory;
use crate::playbook::{Loader, Play, RoleInfo, Task};
use crate::session::{Contents, HostSession, SessionError};
use crate::source::SourceMap;
use crate::template::Renderer;
use crate::vars::{Layer, Precedence, Scope, Value, Variable, Variables, World};
use crate::vault::Redactor;

/// The whole run.
pub struct RunState {
    /// What was asked for.
    pub settings: RunSettings,
    /// Files that were read.
    pub map: SourceMap,
    /// Reads includes.
    pub loader: Arc<Loader>,
    /// Renders.
    pub renderer: Arc<Renderer>,
    /// Hosts and groups.
    pub inventory: Arc<Inventory>,
    /// Hosts that were selected by any play, and those that were only delegated to.
    pub hosts: RwLock<BTreeMap<Arc<str>, Arc<HostState>>>,
    /// Content for hosts.
    pub contents: Contents,
    /// Digests of local files.
    pub digests: Digests,
    /// Known secrets.
    pub redactor: Arc<Redactor>,
    /// Asked to stop.
    pub stop: Stop,
    /// Counts what was emitted.
    pub tally: Mutex<Tally>,
    sink: Mutex<Box<dyn EventSink>>,
}

impl std::fmt::Debug for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunState").field("run", &self.settings.run).finish_non_exhaustive()
    }
}

/// What a run is made of.
pub struct RunParts {
    /// What was asked for.
    pub settings: RunSettings,
    /// Reads includes.
    pub loader: Arc<Loader>,
    /// Renders.
    pub renderer: Arc<Renderer>,
    /// Hosts and groups.
    pub inventory: Arc<Inventory>,
    /// Asked to stop.
    pub stop: Stop,
    /// Takes the events.
    pub sink: Box<dyn EventSink>,
}

impl RunState {
    /// A run that has not begun.
    pub fn new(parts: RunParts) -> Arc<Self> {
        let RunParts { settings, loader, renderer, inventory, stop, sink } = parts;
        let redactor = Arc::clone(loader.map().vault().redactor());
        for secret in [&settings.become_password, &settings.password].into_iter().flatten() {
            redactor.learn(secret.reveal());
        }
        Arc::new(Self {
            map: loader.map().clone(),
            tally: Mutex::default(),
            settings,
            loader,
            renderer,
            inventory,
            hosts: RwLock::default(),
            contents: Contents::default(),
            digests: Digests::default(),
            redactor,
            stop,
            sink: Mutex::new(sink),
        })
    }

    /// Sends an event to everybody who listens.
    pub fn emit(&self, event: Event) {
        let event = redact::event(&self.redactor, event);
        self.tally.lock().expect("counting does not panic").event(&event);
        self.sink.lock().expect("no reporter panics").event(&event);
    }

    /// The state of a host, made when it is first needed.
    pub fn host(self: &Arc<Self>, name: &Arc<str>) -> Arc<HostState> {
        if let Some(host) = self.hosts.read().expect("no thread panics here").get(name) {
            return Arc::clone(host);
        }
        let mut hosts = self.hosts.write().expect("no thread panics here");
        Arc::clone(hosts.entry(Arc::clone(name)).or_insert_with(|| Arc::new(HostState::new(self, name))))
    }

    /// Whether nothing may be changed.
    pub fn plans(&self) -> bool {
        self.settings.mode != super::event::RunMode::Apply
    }
}

/// One host.
#[derive(Debug)]
pub struct HostState {
    /// Inventory name.
    pub name: Arc<str>,
    /// The inventory's variables.
    pub inventory: Vec<Layer>,
    facts: RwLock<Arc<Variables>>,
    set: RwLock<Arc<Variables>>,
    included: RwLock<Arc<Variables>>,
    /// Handlers (by task id) that were notified and have not run.
    pub notified: Mutex<BTreeSet<u64>>,
    /// Roles that were included with `public`.
    pub public_roles: Mutex<Vec<Arc<RoleInfo>>>,
    pub(super) session: tokio::sync::Mutex<Option<Result<Arc<HostSession>, SessionError>>>,
    pub(super) locked: tokio::sync::Mutex<bool>,
    /// Who holds its lock, if another run does.
    pub locked_by: Mutex<Option<String>>,
    /// It was reached (for the recap and the record).
    pub reached: AtomicBool,
}

impl HostState {
    fn new(run: &RunState, name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            inventory: run.inventory.host_layers(name),
            facts: RwLock::default(),
            set: RwLock::default(),
            included: RwLock::default(),
            notified: Mutex::default(),
            public_roles: Mutex::default(),
            session: tokio::sync::Mutex::default(),
            locked: tokio::sync::Mutex::default(),
            locked_by: Mutex::default(),
            reached: AtomicBool::new(false),
        }
    }

    /// Facts and the like, `set_fact` and registered results, included variables: their layers.
    pub fn layers(&self) -> [Layer; 3] {
        let layer = |precedence, variables: &RwLock<Arc<Variables>>| Layer {
            precedence,
            variables: Arc::clone(&variables.read().expect("no thread panics here")),
        };
        [
            layer(Precedence::Facts, &self.facts),
            layer(Precedence::IncludeVars, &self.included),
            layer(Precedence::SetFact, &self.set),
        ]
    }

    /// Sets variables as `set_fact` and `register` do.
    pub fn set(&self, variables: impl IntoIterator<Item = (Arc<str>, Variable)>) {
        let mut set = self.set.write().expect("no thread panics here");
        Arc::make_mut(&mut set).extend(variables);
    }

    /// Adds variables of `include_vars`.
    pub fn include(&self, variables: &Variables) {
        let mut included = self.included.write().expect("no thread panics here");
        Arc::make_mut(&mut included).extend(variables.iter().map(|(name, variable)| (Arc::clone(name), variable.clone())));
    }

    /// Replaces facts by what `change` makes of them.
    pub fn change_facts(&self, change: impl FnOnce(&mut Variables)) {
        let mut facts = self.facts.write().expect("no thread panics here");
        change(Arc::make_mut(&mut facts));
    }

    /// `ansible_facts` as it is now.
    pub fn facts(&self) -> Option<Value> {
        let facts = self.facts.read().expect("no thread panics here");
        match &facts.get("ansible_facts")?.definition {
            crate::vars::Definition::Data(value) => Some(value.clone()),
            crate::vars::Definition::Source(_) => None,
        }
    }

    /// Notes that it answered.
    pub fn note_reached(&self) {
        self.reached.store(true, Ordering::SeqCst);
    }
}

/// One batch of one play.
#[derive(Debug)]
pub struct PlayState {
    /// The play.
    pub play: Arc<Play>,
    /// All hosts of the play, in order.
    pub all: Vec<Arc<str>>,
    /// Hosts of this batch, in order.
    pub batch: Vec<Arc<HostState>>,
    /// Hosts of the batch that are still in play.
    pub live: RwLock<Vec<Arc<str>>>,
    /// Handlers, those of included roles too.
    pub handlers: RwLock<Vec<Arc<Task>>>,
    /// Answers to `vars_prompt`.
    pub prompted: Arc<Variables>,
    /// Variables of `vars_files`, by host.
    pub vars_files: BTreeMap<Arc<str>, Arc<Variables>>,
    /// Magic variables that are the same for all hosts.
    pub magic: Arc<Variables>,
}

/// What a nested list of tasks (an include) adds to its tasks.
#[derive(Debug, Clone, Default)]
pub struct Nested {
    /// Layers above the task's own (include parameters, the include's loop variable).
    pub layers: Vec<Layer>,
    /// A `rescue` outside will take a failure over.
    pub rescued_outside: bool,
    /// How deep the includes are.
    pub depth: usize,
}

/// `hostvars`.
#[derive(Debug)]
pub struct RunWorld(pub Weak<RunState>);

impl World for RunWorld {
    fn hosts(&self) -> Vec<Arc<str>> {
        self.0.upgrade().map(|run| run.inventory.hosts().cloned().collect()).unwrap_or_default()
    }

    fn scope(&self, host: &str) -> Option<Arc<Scope>> {
        let run = self.0.upgrade()?;
        let name: Arc<str> = host.into();
        if !run.inventory.has_host(host) && !run.hosts.read().expect("no thread panics here").contains_key(&name) {
            return None;
        }
        Some(Arc::new(super::scope::host_scope(&run, &run.host(&name))))
    }
}
