//! From arguments to something that can run: inventory, playbooks, settings; and the run itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stead::actions;
use stead::inventory::{Inventory, InventorySettings};
use stead::lab::{Lab, LabSettings};
use stead::lint;
use stead::playbook::{LoadSettings, Loader, Playbook, TagSelection, keywords};
use stead::plugins::{PythonPlugins, interpreter_of};
use stead::run::event::RunMode;
use stead::run::fact_cache::FactCache;
use stead::run::roster::Reload;
use stead::run::settings::{Language, RunSettings, Stop};
use stead::run::state::{RunParts, RunState};
use stead::session::{Secret, SessionSettings};
use stead::source::{Diagnostics, Severity, SourceMap, render, yaml};
use stead::template::{Plugins, RenderSettings, Renderer};
use stead::vars::{Definition, Origin, Value, Variable, Variables};

use super::environment::{self, Environment};
use super::run_args::{HostArgs, VaultArgs};
use super::ui::Sinks;
use super::{USAGE, complain};

/// Inventory and playbooks, read and checked.
pub(crate) struct Prepared {
    pub(crate) map: SourceMap,
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) loader: Arc<Loader>,
    pub(crate) renderer: Arc<Renderer>,
    pub(crate) playbooks: Vec<Playbook>,
    pub(crate) extra_vars: Arc<Variables>,
    pub(crate) environment: Environment,
    /// Directory of the first playbook.
    pub(crate) directory: PathBuf,
    /// Reads the inventory again.
    pub(crate) reload: Option<Reload>,
    /// Throw-away hosts, alive as long as this is.
    pub(crate) lab: Option<Lab>,
}

/// A playbook to be read.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// Its file; of one that is not in a file, what stands for it in messages.
    pub(crate) path: PathBuf,
    /// Its text, if it is not in a file.
    pub(crate) text: Option<String>,
}

impl Written {
    /// Playbooks in files.
    pub(crate) fn files(paths: &[PathBuf]) -> Vec<Self> {
        paths.iter().map(|path| Self { path: path.clone(), text: None }).collect()
    }
}

/// Prints problems; whether there were errors among them.
pub(crate) fn show(diagnostics: &Diagnostics, map: &SourceMap) -> bool {
    if !diagnostics.is_empty() {
        let text = render::render(diagnostics, map, render::Colour::Ansi);
        anstream::eprint!("{}", map.vault().redactor().text(&text));
    }
    diagnostics.has_errors()
}

/// Where playbooks' neighbours are looked for.
fn playbook_directories(playbooks: &[Written]) -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    for playbook in playbooks {
        let directory =
            playbook.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned();
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    directories
}

/// What reads playbooks, before it has read any.
struct Reading {
    environment: Environment,
    map: SourceMap,
    diagnostics: Diagnostics,
    extra_vars: Arc<Variables>,
    renderer: Arc<Renderer>,
    loader: Arc<Loader>,
}

/// From arguments, settings and passwords to what reads playbooks.
fn reading(
    environment: Environment,
    directory: &Path,
    vault: &VaultArgs,
    given: &[String],
    roles: Vec<PathBuf>,
) -> Result<Reading, ExitCode> {
    let vault = Arc::new(environment.vault(vault)?);
    let map = SourceMap::new(Arc::clone(&vault));
    let mut diagnostics = Diagnostics::default();
    let extra_vars = Arc::new(extra_vars(given, &map, &mut diagnostics));
    let plugins = Arc::new(PythonPlugins::new(environment.plugins()));
    let render_settings = RenderSettings {
        extensions: environment.config.list("jinja2_extensions").to_vec(),
        environment: environment.variables.clone(),
        base: directory.to_owned(),
        vault,
        plugins: Some(Arc::clone(&plugins) as Arc<dyn Plugins>),
    };
    let renderer = Arc::new(Renderer::new(render_settings));
    let usual = ["~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"];
    let mut roles_path = match environment.config.paths("roles_path") {
        Some(paths) => paths.to_vec(),
        None => usual.iter().map(|path| environment.expand(path)).collect(),
    };
    roles_path.extend(roles);
    let play_defaults = Arc::new(environment.config.play_defaults(&map));
    let collections_path = match environment.config.paths("collections_path") {
        Some(paths) => paths.to_vec(),
        None => ["~/.ansible/collections", "/usr/share/ansible/collections"].map(|path| environment.expand(path)).into(),
    };
    let settings =
        LoadSettings { roles_path, collections_path, extra_vars: Arc::clone(&extra_vars), play_defaults, foreign: Some(plugins) };
    let loader = Arc::new(Loader::new(map.clone(), Arc::new(actions::catalog()), settings, Arc::clone(&renderer)));
    Ok(Reading { environment, map, diagnostics, extra_vars, renderer, loader })
}

/// What inventories that are programs or plugins need.
fn inventory_settings(renderer: &Arc<Renderer>, extra_vars: &Arc<Variables>) -> InventorySettings {
    InventorySettings { renderer: Arc::clone(renderer), extra_vars: Arc::clone(extra_vars), ..InventorySettings::default() }
}

/// What a static check starts from.
pub(crate) struct LintStart {
    pub(crate) map: SourceMap,
    pub(crate) loader: Arc<Loader>,
    /// Names of variables that inventory and command line define.
    pub(crate) known: BTreeSet<String>,
    /// Whether the inventory of a run was given.
    pub(crate) closed: bool,
}

/// Like [`prepare`], for a look at files alone.
pub(crate) fn for_lint(
    environment: Environment,
    paths: &[PathBuf],
    inventories: &[String],
    given: &[String],
    vault: &VaultArgs,
) -> Result<LintStart, ExitCode> {
    let Reading { map, mut diagnostics, extra_vars, loader, renderer, .. } =
        reading(environment, Path::new("."), vault, given, lint::role_directories(paths))?;
    let (inventory, found) = Inventory::load(&map, inventories, &inventory_settings(&renderer, &extra_vars));
    diagnostics.extend(found);
    if show(&diagnostics, &map) {
        return Err(ExitCode::from(USAGE));
    }
    let known = lint::known_names(&inventory, &extra_vars);
    Ok(LintStart { map, loader, known, closed: !inventories.is_empty() && !inventory.has_closed_files() })
}

/// Reads inventory and playbooks; with problems, prints them and gives the exit code.
pub(crate) fn prepare(playbooks: &[Written], hosts: &HostArgs, lab: Option<u16>) -> Result<Prepared, ExitCode> {
    let directory = playbook_directories(playbooks).into_iter().next().unwrap_or_else(|| PathBuf::from("."));
    let mut environment = Environment::read()?;
    environment.library = hosts.module_path(&environment);
    if hosts.verbosity(&environment.config) > 0 {
        environment.tell_what_has_no_effect();
    }
    let Reading { environment, map, mut diagnostics, extra_vars, renderer, loader } =
        reading(environment, &directory, &hosts.vault, &hosts.extra_vars, Vec::new())?;
    let read: Vec<Playbook> = playbooks
        .iter()
        .map(|written| {
            let (playbook, found) = match &written.text {
                Some(text) => loader.playbook_text(&written.path, text),
                None => loader.playbook(&written.path),
            };
            diagnostics.extend(found);
            playbook
        })
        .collect();
    let sources = hosts.inventories(&environment.config);
    let (mut inventory, found) = Inventory::load(&map, &sources, &inventory_settings(&renderer, &extra_vars));
    diagnostics.extend(found);
    let named: Vec<String> = read.iter().flat_map(|playbook| &playbook.plays).flat_map(|play| plain_names(&play.hosts)).collect();
    if lab.is_some() {
        // Their variables are read below: of groups that there are.
        named.iter().for_each(|group| inventory.add_group(group));
    }
    for directory in playbook_directories(playbooks) {
        diagnostics.extend(inventory.load_beside_playbook(&map, &directory));
    }
    if !read.is_empty() {
        // With many hosts their names take a while.
        let known = lint::known_names(&inventory, &extra_vars);
        let found = lint::before_run(&read, &loader, &known);
        // What an encrypted file defines that could not be opened is not known; whoever needs the file
        // hears of it when its hosts are known.
        let closed = inventory.has_closed_files();
        found.into_vec().into_iter().filter(|problem| !closed || problem.code != "undefined-variable").for_each(|problem| {
            diagnostics.push(problem);
        });
    }
    if show(&diagnostics, &map) {
        return Err(ExitCode::from(USAGE));
    }
    if hosts.flush_cache {
        let cache = language(hosts, &environment).fact_cache;
        inventory.hosts().for_each(|host| cache.forget(host));
    }
    let reload: Option<Reload> = (lab.is_none() && !sources.is_empty())
        .then(|| reload(&map, sources, playbook_directories(playbooks), inventory_settings(&renderer, &extra_vars)));
    let lab = match lab {
        None => None,
        Some(count) => Some(start_lab(usize::from(count))?),
    };
    if let Some(lab) = &lab {
        let named: Vec<String> =
            read.iter().flat_map(|playbook| &playbook.plays).flat_map(|play| plain_names(&play.hosts)).collect();
        inventory = lab_inventory(&inventory, lab, &named);
    }
    Ok(Prepared {
        map,
        inventory: Arc::new(inventory),
        loader,
        renderer,
        playbooks: read,
        extra_vars,
        environment,
        directory,
        reload,
        lab,
    })
}

/// How the inventory is read again in mid-run.
fn reload(map: &SourceMap, sources: Vec<String>, directories: Vec<PathBuf>, settings: InventorySettings) -> Reload {
    let map = map.clone();
    Arc::new(move || {
        let (mut inventory, mut found) = Inventory::load(&map, &sources, &settings);
        for directory in &directories {
            found.extend(inventory.load_beside_playbook(&map, directory));
        }
        match found.iter().find(|problem| problem.severity == Severity::Error) {
            Some(problem) => Err(problem.message.clone()),
            None => Ok(inventory),
        }
    })
}

/// Lab hosts in place of the inventory's: members of every group, and of those that plays name.
fn lab_inventory(inventory: &Inventory, lab: &Lab, named: &[String]) -> Inventory {
    let mut inventory = inventory.without_hosts();
    let mut groups: Vec<String> = inventory.group_names().map(ToString::to_string).collect();
    groups.extend(named.iter().cloned());
    for host in lab.hosts() {
        inventory.add_host(&host.name);
        for group in groups.iter().filter(|group| !matches!(group.as_str(), "all" | "ungrouped")) {
            inventory.add_host_to_group(&host.name, group);
        }
        for (name, value) in host.variables() {
            let variable = Variable { definition: Definition::Data(Value::from(value)), origin: Origin::Builtin };
            inventory.set_host_variable(&host.name, name.into(), variable);
        }
    }
    inventory.settle();
    inventory
}

fn start_lab(count: usize) -> Result<Lab, ExitCode> {
    let program = std::env::current_exe().map_err(|error| complain(&format!("cannot find this program: {error}"), None))?;
    Lab::start_and_wait(count, &LabSettings::new(program)).map_err(|error| {
        let text = error.to_string();
        let (message, hint) = text.split_once("\nhint: ").map_or((text.as_str(), None), |(message, hint)| (message, Some(hint)));
        complain(message, hint)
    })
}

/// Names of hosts or groups in a host pattern that are neither patterns nor templates.
fn plain_names(hosts: &stead::source::Node) -> Vec<String> {
    let texts: Vec<&str> = match hosts.as_list() {
        Some(items) => items.iter().filter_map(stead::source::Node::as_str).collect(),
        None => hosts.as_str().into_iter().collect(),
    };
    texts
        .iter()
        .flat_map(|text| text.split([',', ':']))
        .map(|name| name.trim().trim_start_matches(['&', '!']))
        .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)))
        .filter(|name| !matches!(*name, "all" | "localhost" | "ungrouped"))
        .map(str::to_owned)
        .collect()
}

/// `-e`: `@file`, a YAML or JSON mapping, or `name=value` words.
fn extra_vars(texts: &[String], map: &SourceMap, diagnostics: &mut Diagnostics) -> Variables {
    let mut all = Variables::new();
    for text in texts {
        let trimmed = text.trim();
        let file = match trimmed.strip_prefix('@') {
            Some(path) => match stead::source::load(map, Path::new(path)) {
                Ok(file) => file,
                Err(problem) => {
                    diagnostics.push(*problem);
                    continue;
                }
            },
            None if trimmed.starts_with(['{', '[']) => map.add(Path::new("<command line>"), trimmed),
            None => {
                match stead::ansible::free_form::pairs(trimmed) {
                    Ok(pairs) => all.extend(pairs.into_iter().map(|(name, value)| {
                        (name.into(), Variable { definition: Definition::Data(Value::from(value)), origin: Origin::CommandLine })
                    })),
                    Err(word) => diagnostics.push(
                        stead::source::Diagnostic::error(
                            "bad-extra-vars",
                            format!("`{word}` in `-e` is not of the form `name=value`"),
                        )
                        .hint("for other types use JSON, e.g. -e '{\"ports\": [80, 443]}', or a file: -e @vars.yml"),
                    ),
                }
                continue;
            }
        };
        let (documents, found) = yaml::parse(map, file);
        diagnostics.extend(found);
        if let Some(node) = documents.first().filter(|node| !node.is_null()) {
            all.extend(keywords::variables(node, diagnostics));
        }
    }
    all
}

/// A run's id: time first, so that it sorts.
fn run_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let stamp = jiff::Timestamp::from_second(now.as_secs() as i64)
        .map(|at| at.strftime("%Y%m%dT%H%M%SZ").to_string())
        .unwrap_or_default();
    format!("{stamp}-{:04x}", (now.subsec_nanos() ^ std::process::id()) & 0xffff)
}

/// Sessions as the arguments and the environment want them.
pub(crate) fn session_settings(hosts: &HostArgs, environment: &Environment, directory: &Path) -> SessionSettings {
    SessionSettings {
        connect_timeout: Duration::from_secs(hosts.timeout(&environment.config)),
        accept_new_host_keys: HostArgs::or_set(hosts.accept_new_host_keys, &environment.config, "accept_new_host_keys"),
        home: environment.home.clone(),
        user: environment.user.clone(),
        directory: directory.canonicalize().unwrap_or_else(|_| PathBuf::from("/")),
        agent_socket: environment.get("SSH_AUTH_SOCK").map(PathBuf::from),
        ask: Some(environment::prompt()),
        retries: 3,
        ..SessionSettings::default()
    }
}

fn ask(question: &str) -> Result<Secret, ExitCode> {
    environment::prompt().secret(question).ok_or_else(|| {
        complain(
            &format!("cannot ask for the {}: there is no terminal", question.trim_end_matches(": ")),
            Some("put it into a variable of the inventory that only you can read"),
        )
    })
}

/// Settings that change what playbooks mean.
fn language(hosts: &HostArgs, environment: &Environment) -> Language {
    let config = &environment.config;
    let directory = config.text("fact_caching_connection").map(|directory| environment.expand(directory));
    let cache = match (config.text("fact_caching"), directory) {
        (Some("jsonfile" | "ansible.builtin.jsonfile"), Some(directory)) => FactCache::JsonFile {
            directory,
            prefix: config.text("fact_caching_prefix").unwrap_or_default().to_owned(),
            timeout: u64::try_from(config.number("fact_caching_timeout").unwrap_or(86_400))
                .ok()
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        },
        _ => FactCache::Memory,
    };
    let defaults = Language::default();
    Language {
        force_handlers: hosts.force_handlers,
        inject_facts: config.flag("inject_facts_as_vars").unwrap_or(true),
        fact_cache: cache,
        poll_interval: config
            .number("poll_interval")
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or(defaults.poll_interval),
        python: interpreter_of(&environment.plugins()),
        config_file: config.files().iter().find(|file| file.extension().is_some_and(|extension| extension == "cfg")).cloned(),
    }
}

/// Settings of a run.
pub(crate) fn run_settings(
    mode: RunMode,
    hosts: &HostArgs,
    tags: TagSelection,
    prepared: &Prepared,
) -> Result<RunSettings, ExitCode> {
    let environment = &prepared.environment;
    let config = &environment.config;
    let text = |given: &Option<String>, name: &str| given.clone().or_else(|| config.text(name).map(str::to_owned));
    let asked = |file: &Option<PathBuf>, file_name: &str, ask_too: bool, name: &str, question: &str| {
        let file = file.as_deref().or_else(|| config.path(file_name).filter(|_| !ask_too));
        match file {
            Some(file) => environment.password_file(file).map(Some),
            None if HostArgs::or_set(ask_too, config, name) => ask(question).map(Some),
            None => Ok(None),
        }
    };
    let question = "login password: ";
    let password = asked(&hosts.connection_password_file, "connection_password_file", hosts.ask_pass, "ask_pass", question)?;
    let question = "password for becoming another user: ";
    let become_password =
        asked(&hosts.become_password_file, "become_password_file", hosts.ask_become_pass, "become_ask_pass", question)?;
    let ssh_args = [None, hosts.ssh_common_args.clone(), hosts.ssh_extra_args.clone()];
    let ssh_args = std::iter::zip(ssh_args, ["ssh_args", "ssh_common_args", "ssh_extra_args"]);
    let run = run_id();
    let controller = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Ok(RunSettings {
        mode,
        owner: format!("{}@{controller} run {run} process {}", environment.user, std::process::id()),
        run,
        forks: hosts.forks(config),
        step: false,
        allow_no_hosts: false,
        limit: if prepared.lab.is_some() { None } else { hosts.limit.clone() },
        tags,
        extra_vars: Arc::clone(&prepared.extra_vars),
        verbosity: hosts.verbosity(config),
        r#become: HostArgs::or_set(hosts.r#become, config, "become"),
        become_user: text(&hosts.become_user, "become_user"),
        become_method: text(&hosts.become_method, "become_method"),
        become_password,
        remote_user: text(&hosts.user, "remote_user"),
        password,
        private_key: hosts.private_key.clone().or_else(|| config.path("private_key_file").map(Path::to_owned)),
        ssh_args: ssh_args.map(|(given, name)| text(&given, name)).collect(),
        connection: text(&hosts.connection, "connection"),
        host_key_checking: config.flag("host_key_checking"),
        lock_wait: hosts.lock_wait(config),
        session: Arc::new(session_settings(hosts, environment, &prepared.directory)),
        language: language(hosts, environment),
    })
}

/// Starts the async runtime.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| complain(&format!("cannot start threads: {error}"), None))
}

/// Runs what was prepared; lab hosts are removed whatever happens.
pub(crate) fn run(prepared: Prepared, settings: RunSettings, readers: Sinks) -> Result<Arc<RunState>, ExitCode> {
    let Prepared { map, inventory, loader, renderer, playbooks, lab, reload, .. } = prepared;
    let stop = Stop::default();
    let parts = RunParts { settings, loader, renderer, inventory, reload, stop: stop.clone(), sink: Box::new(readers) };
    let state = RunState::new(parts);
    let mut warnings = Diagnostics::default();
    let finished = runtime()?.block_on(async {
        let signals = tokio::spawn(stop_on_signals(stop));
        let finished = stead::run::run(&state, &playbooks, &mut warnings).await;
        signals.abort();
        if let Some(lab) = lab {
            lab.stop().await;
        }
        finished
    });
    show(&warnings, &map);
    if show(&finished.diagnostics, &map) {
        return Err(ExitCode::from(USAGE));
    }
    Ok(state)
}

/// The first signal asks the run to stop, the second ends the program.
async fn stop_on_signals(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_asked() {
            // What runs on hosts is left to the agents: they finish their operation and end.
            std::process::exit(130);
        }
        stop.ask();
        anstream::eprintln!("stopping: nothing new is started, what runs is finished; once more to leave now");
    }
}

/// The tags of the command line, else of the settings.
pub(crate) fn tags(only: &[String], skip: &[String], prepared: &Prepared) -> TagSelection {
    let or_set = |given: &[String], name: &str| {
        if given.is_empty() { prepared.environment.config.list(name).to_vec() } else { given.to_vec() }
    };
    TagSelection { only: or_set(only, "tags"), skip: or_set(skip, "skip_tags") }
}
