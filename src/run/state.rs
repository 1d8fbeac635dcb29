//! What a run knows while it goes on: hosts, their variables and sessions, notified handlers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};

use super::event::{Event, EventSink};
use super::fact_cache::FactCache;
use super::redact;
use super::roster::{Reload, Roster};
use super::settings::{Language, RunSettings, Stop};
use super::tally::Tally;
use crate::actions::Digests;
use crate::inventory::Inventory;
use crate::playbook::{Loader, Play, RoleInfo, Task};
use crate::session::{Contents, HostSession, SessionError};
use crate::source::SourceMap;
use crate::template::Renderer;
use crate::vars::{Layer, Map, Origin, Precedence, Scope, Value, Variable, Variables, World};
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
    pub roster: Roster,
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
    /// Modules of others that ran on the hosts' Python.
    pub bridged: Mutex<BTreeSet<String>>,
    /// What was answered to `--step`.
    pub(super) answers: tokio::sync::Mutex<super::step::Answers>,
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
    /// Reads hosts and groups again.
    pub reload: Option<Reload>,
    /// Asked to stop.
    pub stop: Stop,
    /// Takes the events.
    pub sink: Box<dyn EventSink>,
}

impl RunState {
    /// A run that has not begun.
    pub fn new(parts: RunParts) -> Arc<Self> {
        let RunParts { settings, loader, renderer, inventory, reload, stop, sink } = parts;
        let redactor = Arc::clone(loader.map().vault().redactor());
        for secret in [&settings.become_password, &settings.password].into_iter().flatten() {
            redactor.learn(secret.reveal());
        }
        Arc::new(Self {
            map: loader.map().clone(),
            tally: Mutex::default(),
            bridged: Mutex::default(),
            answers: tokio::sync::Mutex::default(),
            settings,
            roster: Roster::new(inventory, loader.map().clone(), reload),
            loader,
            renderer,
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
    /// The inventory's variables, and the change of the roster at which they were read.
    inventory: RwLock<(u64, Arc<[Layer]>)>,
    facts: RwLock<Arc<Variables>>,
    /// Facts under the names that modules gave them.
    written: Mutex<Map>,
    /// Facts were gathered in this run, or are known from an earlier one.
    pub gathered: AtomicBool,
    set: RwLock<Arc<Variables>>,
    included: RwLock<Arc<Variables>>,
    /// Roles that ran here, by key, and in which place of use.
    pub(super) roles: Mutex<BTreeMap<String, Arc<RoleInfo>>>,
    /// Places of use whose role was ended by `meta: end_role`.
    pub(super) ended_roles: Mutex<Vec<Arc<RoleInfo>>>,
    /// Handlers (by task id) that were notified and have not run.
    pub notified: Mutex<BTreeSet<u64>>,
    pub(super) session: tokio::sync::Mutex<Option<Result<Arc<HostSession>, SessionError>>>,
    pub(super) locked: tokio::sync::Mutex<bool>,
    /// Who holds its lock, if another run does.
    pub locked_by: Mutex<Option<String>>,
    /// It was reached (for the recap and the record).
    pub reached: AtomicBool,
    /// What an earlier task does here is not known.
    pub(super) in_doubt: AtomicBool,
    /// An earlier task changed something, or (plan) would have.
    pub(super) changed: AtomicBool,
}

impl HostState {
    fn new(run: &RunState, name: &Arc<str>) -> Self {
        let host = Self::unknown(run, name);
        if let Some(facts) = run.settings.language.fact_cache.load(name) {
            let _ = super::facts::add(
                &host,
                &facts,
                &Origin::Builtin,
                &Language { fact_cache: FactCache::Memory, ..run.settings.language.clone() },
            );
            host.gathered.store(true, Ordering::SeqCst);
        }
        host
    }

    fn unknown(run: &RunState, name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            inventory: RwLock::new((run.roster.changes(), run.roster.view().host_layers(name).into())),
            facts: RwLock::default(),
            written: Mutex::default(),
            gathered: AtomicBool::new(false),
            roles: Mutex::default(),
            ended_roles: Mutex::default(),
            set: RwLock::default(),
            included: RwLock::default(),
            notified: Mutex::default(),
            session: tokio::sync::Mutex::default(),
            locked: tokio::sync::Mutex::default(),
            locked_by: Mutex::default(),
            reached: AtomicBool::new(false),
            in_doubt: AtomicBool::new(false),
            changed: AtomicBool::new(false),
        }
    }

    /// The inventory's variables as they are now.
    pub fn inventory_layers(&self, run: &RunState) -> Arc<[Layer]> {
        let now = run.roster.changes();
        {
            let known = self.inventory.read().expect("no thread panics here");
            if known.0 == now {
                return Arc::clone(&known.1);
            }
        }
        let layers: Arc<[Layer]> = run.roster.view().host_layers(&self.name).into();
        *self.inventory.write().expect("no thread panics here") = (now, Arc::clone(&layers));
        layers
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

    /// Facts under the names that modules gave them.
    pub fn written_facts(&self) -> Map {
        self.written.lock().expect("no thread panics here").clone()
    }

    /// Replaces facts by what `change` makes of them; `written` are all under their own names.
    pub fn change_facts(&self, written: Map, change: impl FnOnce(&mut Variables)) {
        *self.written.lock().expect("no thread panics here") = written;
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
    /// Hosts that are in play no more, those of earlier batches too.
    pub removed: Arc<RwLock<BTreeSet<Arc<str>>>>,
    /// Handlers, those of included roles too.
    pub handlers: RwLock<Vec<Arc<Task>>>,
    /// Answers to `vars_prompt`.
    pub prompted: Arc<Variables>,
    /// Variables of `vars_files`, by host.
    pub vars_files: BTreeMap<Arc<str>, Arc<Variables>>,
    /// Roles that were included with `public`.
    pub public_roles: RwLock<Vec<Arc<RoleInfo>>>,
    /// Magic variables that are the same for all hosts.
    pub magic: Arc<Variables>,
}

impl PlayState {
    /// Notes which hosts of the batch are still in play.
    pub fn set_live(&self, live: &BTreeSet<&Arc<str>>) {
        let mut removed = self.removed.write().expect("no thread panics here");
        for host in &self.batch {
            if live.contains(&host.name) {
                removed.remove(&host.name);
            } else {
                removed.insert(Arc::clone(&host.name));
            }
        }
    }

    /// Of these hosts, those that are still in play.
    pub fn live<'a>(&self, hosts: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<Value> {
        let removed = self.removed.read().expect("no thread panics here");
        hosts.into_iter().filter(|host| !removed.contains(*host)).map(|host| Value::from(&**host)).collect()
    }
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
        self.0.upgrade().map(|run| run.roster.view().hosts().cloned().collect()).unwrap_or_default()
    }

    fn scope(&self, host: &str) -> Option<Arc<Scope>> {
        let run = self.0.upgrade()?;
        let name: Arc<str> = host.into();
        if !run.roster.view().has_host(host) && !run.hosts.read().expect("no thread panics here").contains_key(&name) {
            return None;
        }
        Some(Arc::new(super::scope::host_scope(&run, &run.host(&name))))
    }
}
