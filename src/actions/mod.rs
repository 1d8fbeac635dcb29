//! Tasks that the controller does itself, alone or with the agent's help: one file each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use serde_json::{Map as JsonMap, Value as Json};
use stead_modules::args::{ArgError, Arguments, Field};
use stead_modules::change::{Change, Observed};
use stead_modules::claims::Claims;
use stead_modules::outcome::{Ending, Outcome};
use stead_modules::registry::{self, Contract};

use crate::docs::{Page, Performed};
use crate::playbook::{Action, Catalog, Entry, Performer};
use crate::session::{ContentSource, Contents, Prompt, RawOutput, SessionError};
use crate::source::{SourceMap, Span};
use crate::template::{Renderer, TemplateError};
use crate::vars::{Map, Scope, Value};

pub mod argument_spec;
pub mod assemble;
pub mod assert;
pub mod bridge;
pub mod copy;
pub mod debug;
pub mod engine;
pub mod fail;
pub mod fetch;
pub mod include_vars;
pub mod inventory;
pub mod pause;
pub mod raw;
pub mod reboot;
pub mod script;
pub mod sent;
pub mod set_fact;
pub mod synchronize;
pub mod template;
pub mod wait_for_connection;

/// What came of an action.
#[derive(Debug, Clone)]
pub struct Done {
    /// How it ended.
    pub ending: Ending,
    /// Result fields.
    pub result: Map,
    /// What was (or would be) changed.
    pub changes: Vec<Change>,
    /// What was asked for.
    pub wanted: Vec<Observed>,
    /// Things worth saying.
    pub warnings: Vec<String>,
    /// What a person should read: a failure's message, debug's text.
    pub message: Option<String>,
    /// What can be done about it.
    pub hint: Option<String>,
    /// Variables to be set on the host, as `set_fact` does.
    pub set: Vec<(Arc<str>, Value)>,
    /// They are facts too, and outlive the run where facts do (`cacheable`).
    pub cacheable: bool,
    /// Files of variables that were read (`include_vars`).
    pub included: Option<Arc<crate::vars::Variables>>,
    /// What is added to the inventory.
    pub added: Option<inventory::Addition>,
}

impl Done {
    /// Ended like this, with these fields.
    pub fn new(ending: Ending, result: Map) -> Self {
        Self {
            ending,
            result,
            changes: Vec::new(),
            wanted: Vec::new(),
            warnings: Vec::new(),
            message: None,
            hint: None,
            set: Vec::new(),
            cacheable: false,
            included: None,
            added: None,
        }
    }

    /// A failure with a message.
    pub fn failed(message: impl Into<String>) -> Self {
        let message = message.into();
        let mut done = Self::new(Ending::Failed, Map::from_iter([("msg".into(), Value::from(message.as_str()))]));
        done.message = Some(message);
        done
    }
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        let mut result = Map::new();
        for (name, value) in outcome.result {
            result.insert(name.into(), Value::from(value));
        }
        let message = match result.get("msg") {
            Some(Value::Str(text)) if matches!(outcome.ending, Ending::Failed | Ending::Skipped | Ending::Unknown) => {
                Some(text.to_string())
            }
            _ => None,
        };
        Self {
            ending: outcome.ending,
            result,
            changes: outcome.changes,
            wanted: outcome.wanted,
            warnings: outcome.warnings,
            message,
            hint: None,
            set: Vec::new(),
            cacheable: false,
            included: None,
            added: None,
        }
    }
}

/// Why an action could not be carried through.
#[derive(Debug, Clone)]
pub enum ActionError {
    /// A template in it could not be rendered.
    Template(TemplateError, Span),
    /// The host was lost or could not be reached.
    Session(SessionError),
    /// In a plan: it depends on something that is not known.
    Unknown(Arc<str>),
}

impl From<SessionError> for ActionError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// The agent, as an action calls it.
#[async_trait]
pub trait Agent: Send + Sync {
    /// Runs a module on the host.
    async fn module(&self, name: &str, options: JsonMap<String, Json>) -> Result<Outcome, SessionError>;
    /// Runs a command line through the login shell.
    async fn raw(&self, command: &str) -> Result<RawOutput, SessionError>;
    /// Connects anew, in this time: the host was restarted, or has come up since.
    async fn reconnect(&self, within: Option<Duration>) -> Result<(), SessionError>;
    /// Whether the host is the machine of the controller.
    fn is_controller(&self) -> bool;
}

/// What an action works with.
pub struct ActionContext<'a> {
    /// The action as written.
    pub action: &'a Action,
    /// Its options, rendered; internal ones are added by the action.
    pub options: Map,
    /// Variables.
    pub scope: &'a Scope,
    /// Renders what has to be rendered late.
    pub renderer: &'a Renderer,
    /// Files that were read.
    pub map: &'a SourceMap,
    /// Directories in which files are looked for: `files`, `templates` below them first.
    pub search: &'a [PathBuf],
    /// The host's inventory name.
    pub host: &'a str,
    /// The host that the task is delegated to.
    pub delegate: Option<&'a str>,
    /// Nothing may be changed.
    pub plan: bool,
    /// `-v` level.
    pub verbosity: u8,
    /// The host.
    pub agent: &'a dyn Agent,
    /// Content for hosts.
    pub contents: &'a Contents,
    /// Digests of local files, once per run.
    pub digests: &'a Digests,
    /// Asks the person at the terminal.
    pub ask: Option<&'a Prompt>,
}

impl ActionContext<'_> {
    /// An option as text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.options.get(name)? {
            Value::Null | Value::Omit => None,
            other => Some(other.to_string()),
        }
    }

    /// An option as a boolean, as modules read it.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        match self.options.get(name) {
            None | Some(Value::Null | Value::Omit) => Ok(default),
            Some(value) => {
                let json = value.to_json().map_err(|reason| reason.to_string())?;
                <bool as stead_modules::args::Arg>::parse(&json).map_err(|problem| format!("option `{name}`: {problem}"))
            }
        }
    }

    /// The options as JSON for the agent; an unknown one is an error.
    pub fn json_options(&self) -> Result<JsonMap<String, Json>, ActionError> {
        json_options(&self.options)
    }

    /// A file of the project: `folder` (`files`, `templates`) below each search directory first.
    pub fn find(&self, folder: &str, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        if path.is_absolute() {
            return path.exists().then(|| path.to_owned());
        }
        self.search.iter().flat_map(|root| [root.join(folder).join(path), root.join(path)]).find(|path| path.exists())
    }

    /// Offers a file of the project to the host: digest, size and mode. One that is encrypted is
    /// decrypted first, if that is wanted; its lines are hidden from then on.
    pub fn offer(&self, path: &Path, decrypt: bool) -> Result<(String, u64, u32), Done> {
        use std::os::unix::fs::PermissionsExt as _;
        if !decrypt || !crate::vault::is_sealed_file(path).map_err(|error| unreadable(path, &error))? {
            return self.digests.offer(path, self.contents).map_err(|error| unreadable(path, &error));
        }
        let meta = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        let opened = self.content(path, decrypt)?;
        let size = opened.len() as u64;
        Ok((self.contents.offer_bytes(opened), size, meta.permissions().mode() & 0o7777))
    }

    /// The content of a file of the project, decrypted as [`ActionContext::offer`] does it.
    pub fn content(&self, path: &Path, decrypt: bool) -> Result<Arc<[u8]>, Done> {
        let is_sealed = decrypt && crate::vault::is_sealed_file(path).map_err(|error| unreadable(path, &error))?;
        let content = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        if !is_sealed {
            return Ok(content.into());
        }
        let vault = self.map.vault();
        let opened = vault.open(&content).map_err(|error| {
            let mut done = Done::failed(format!("cannot read `{}`: {error}", path.display()));
            done.hint = Some(error.hint());
            done
        })?;
        if let Ok(text) = std::str::from_utf8(&opened) {
            vault.redactor().learn_lines(text);
        }
        Ok(opened)
    }

    /// The message for a file that is nowhere.
    pub fn not_found(&self, folder: &str, name: &str) -> Done {
        let mut done = Done::failed(format!("no file `{name}` in the project"));
        let looked: Vec<String> = self
            .search
            .iter()
            .flat_map(|root| [root.join(folder), root.clone()])
            .map(|root| format!("`{}`", root.display()))
            .collect();
        done.hint = Some(format!("looked in {}", looked.join(", ")));
        done
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Done {
    Done::failed(format!("cannot read `{}`: {error}", path.display()))
}

/// Options as JSON for the agent.
pub fn json_options(options: &Map) -> Result<JsonMap<String, Json>, ActionError> {
    options
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Omit))
        .map(|(name, value)| Ok((name.to_string(), value.to_json().map_err(ActionError::Unknown)?)))
        .collect()
}

type DigestCache = BTreeMap<PathBuf, (Option<SystemTime>, u64, String)>;

/// SHA-256 of local files, computed once as long as size and time stay the same.
#[derive(Debug, Default)]
pub struct Digests {
    known: Mutex<DigestCache>,
}

impl Digests {
    /// Digest (lower-case hex), size and mode of a file; the content is offered.
    pub fn offer(&self, path: &Path, contents: &Contents) -> std::io::Result<(String, u64, u32)> {
        use std::os::unix::fs::PermissionsExt as _;
        let meta = std::fs::metadata(path)?;
        let mode = meta.permissions().mode() & 0o7777;
        let (modified, size) = (meta.modified().ok(), meta.len());
        let known = self.known.lock().expect("no thread panics while hashing").get(path).cloned();
        if let Some((when, length, sha256)) = known
            && when == modified
            && length == size
        {
            return Ok((sha256, size, mode));
        }
        let sha256 = digest(path)?;
        contents.offer(&sha256, ContentSource::File(path.to_owned()));
        self.known.lock().expect("no thread panics while hashing").insert(path.to_owned(), (modified, size, sha256.clone()));
        Ok((sha256, size, mode))
    }
}

fn digest(path: &Path) -> std::io::Result<String> {
    use sha2::{Digest as _, Sha256};
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(stead_modules::change::hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Whether the controller does this module itself.
pub fn is_action(module: &str) -> bool {
    sent::MODULES.contains(&module)
        || matches!(
            module,
            "add_host"
                | "assemble"
                | "assert"
                | "copy"
                | "debug"
                | "fail"
                | "fetch"
                | "group_by"
                | "include_vars"
                | "pause"
                | "raw"
                | "reboot"
                | "script"
                | "set_fact"
                | "synchronize"
                | "template"
                | "validate_argument_spec"
                | "wait_for_connection"
        )
}

/// Runs the action of this module.
pub async fn run(module: &str, context: &ActionContext<'_>) -> Result<Done, ActionError> {
    match module {
        "add_host" => Ok(inventory::add_host(context)),
        "assemble" => assemble::run(context).await,
        "assert" => assert::run(context),
        "copy" => copy::run(context).await,
        "debug" => debug::run(context),
        "fail" => Ok(fail::run(context)),
        "fetch" => fetch::run(context).await,
        "group_by" => Ok(inventory::group_by(context)),
        "include_vars" => Ok(include_vars::run(context)),
        "pause" => pause::run(context).await,
        "raw" => raw::run(context).await,
        "reboot" => reboot::run(context).await,
        "script" => script::run(context).await,
        "set_fact" => Ok(set_fact::run(context)),
        "synchronize" => synchronize::run(context).await,
        "template" => template::run(context).await,
        "validate_argument_spec" => argument_spec::run(context),
        "wait_for_connection" => wait_for_connection::run(context).await,
        sent if sent::MODULES.contains(&sent) => sent::run(sent, context).await,
        other => unreachable!("`{other}` is not an action; `is_action` said it was"),
    }
}

/// A pause that does not block other hosts.
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

fn check<A: Arguments>(options: &JsonMap<String, Json>) -> Vec<ArgError> {
    A::parse(options).err().unwrap_or_default()
}

/// An entry of a module that the controller does.
fn entry<A: Arguments>(name: &'static str, performer: Performer) -> Entry {
    Entry {
        name,
        performer,
        fields: A::fields(),
        takes_command: false,
        takes_anything: false,
        observable: false,
        check: check::<A>,
        claims: |_| Claims::default(),
    }
}

/// Modules whose effect another host could notice.
const OBSERVABLE: &[&str] = &[
    "add_host",
    "command",
    "fetch",
    "group_by",
    "meta",
    "pause",
    "raw",
    "reboot",
    "script",
    "service",
    "shell",
    "systemd",
    "uri",
    "wait_for",
    "wait_for_connection",
];

/// Everything that a playbook may call.
pub fn catalog() -> Catalog {
    let agent = registry::all().iter().filter(|module| !registry::INTERNAL.contains(&module.name)).map(|module| Entry {
        name: module.name,
        performer: Performer::Agent,
        fields: (module.fields)(),
        takes_command: matches!(module.name, "command" | "shell" | "script" | "raw"),
        takes_anything: false,
        observable: module.contract == Contract::Command || OBSERVABLE.contains(&module.name),
        check: module.check,
        claims: module.claims,
    });
    let mut entries: Vec<Entry> = agent.collect();
    let mut own = vec![
        entry::<inventory::AddHostArgs>("add_host", Performer::Controller),
        entry::<assert::Args>("assert", Performer::Controller),
        entry::<debug::Args>("debug", Performer::Controller),
        entry::<fail::Args>("fail", Performer::Controller),
        entry::<fetch::Args>("fetch", Performer::Controller),
        entry::<inventory::GroupByArgs>("group_by", Performer::Controller),
        entry::<include_vars::Args>("include_vars", Performer::Controller),
        entry::<pause::Args>("pause", Performer::Controller),
        entry::<raw::Args>("raw", Performer::Controller),
        entry::<reboot::Args>("reboot", Performer::Controller),
        entry::<set_fact::Args>("set_fact", Performer::Controller),
        entry::<argument_spec::Args>("validate_argument_spec", Performer::Controller),
        entry::<wait_for_connection::Args>("wait_for_connection", Performer::Controller),
        entry::<engine::MetaArgs>("meta", Performer::Engine),
        entry::<engine::IncludeTasksArgs>("include_tasks", Performer::Engine),
        entry::<engine::IncludeTasksArgs>("import_tasks", Performer::Engine),
        entry::<engine::RoleArgs>("include_role", Performer::Engine),
        entry::<engine::RoleArgs>("import_role", Performer::Engine),
    ];
    for entry in &mut own {
        entry.observable = OBSERVABLE.contains(&entry.name);
        entry.takes_command = entry.name == "raw";
        entry.takes_anything = matches!(entry.name, "set_fact" | "add_host");
    }
    entries.append(&mut own);
    // Options of these two that the controller alone understands.
    let extra: [(&str, fn() -> Vec<Field>); 2] = [("template", template::Args::fields), ("copy", copy::Args::fields)];
    for (name, fields) in extra {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) {
            for field in fields() {
                if !entry.fields.iter().any(|known| known.name == field.name || known.aliases.contains(&field.name)) {
                    entry.fields.push(field);
                }
            }
            entry.performer = Performer::Controller;
            entry.check = if name == "template" { template::check } else { copy::check };
        }
    }
    Catalog::new(entries)
}

/// The manual's pages of what the controller does.
pub fn pages() -> Vec<Page> {
    let looks = Performed::OnController(Contract::Query);
    let manages = Performed::OnController(Contract::Resource);
    let runs = Performed::OnController(Contract::Command);
    let mut pages = vec![
        Page::of::<assert::Args>(
            "assert",
            looks,
            "- assert: { that: [ansible_facts.os_family == 'Debian'], fail_msg: not a Debian }\n",
        ),
        Page::of::<inventory::AddHostArgs>(
            "add_host",
            looks,
            "- add_host: { name: \"{{ new_address }}\", groups: [web], http_port: 8080 }\n",
        ),
        Page::of::<inventory::GroupByArgs>("group_by", looks, "- group_by: { key: \"os_{{ ansible_facts.distribution }}\" }\n"),
        Page::of::<argument_spec::Args>(
            "validate_argument_spec",
            looks,
            "- validate_argument_spec: { argument_spec: { port: { type: int, required: true } } }\n",
        ),
        Page::of::<debug::Args>(
            "debug",
            looks,
            "- debug: { msg: \"{{ inventory_hostname }}\" }\n- debug: { var: ansible_facts.distribution }\n",
        ),
        Page::of::<fail::Args>("fail", looks, "- fail: { msg: no disk left }\n  when: free_bytes < 1000000\n"),
        Page::of::<fetch::Args>("fetch", manages, "- fetch: { src: /etc/ssh/sshd_config, dest: fetched/ }\n"),
        Page::of::<include_vars::Args>("include_vars", looks, "- include_vars: \"{{ ansible_facts.os_family }}.yml\"\n"),
        Page::of::<pause::Args>("pause", runs, "- pause: { seconds: 5 }\n"),
        Page::of::<raw::Args>("raw", runs, "- raw: apt-get install -y python3\n"),
        Page::of::<reboot::Args>("reboot", runs, "- reboot: { reboot_timeout: 300 }\n"),
        Page::of::<wait_for_connection::Args>(
            "wait_for_connection",
            looks,
            "- wait_for_connection: { delay: 5, timeout: 120 }\n",
        ),
        Page::of::<set_fact::Args>("set_fact", looks, "- set_fact: { release_dir: \"/opt/app/{{ version }}\" }\n"),
        Page::of::<engine::MetaArgs>("meta", looks, "- meta: flush_handlers\n"),
        Page::of::<engine::IncludeTasksArgs>("include_tasks", looks, "- include_tasks: \"{{ ansible_facts.os_family }}.yml\"\n"),
        Page::of::<engine::IncludeTasksArgs>("import_tasks", looks, "- import_tasks: users.yml\n"),
        Page::of::<engine::RoleArgs>("include_role", looks, "- include_role: { name: web }\n"),
        Page::of::<engine::RoleArgs>("import_role", looks, "- import_role: { name: web, tasks_from: tls }\n"),
    ];
    // Of these two the host does the larger part: the controller's options stand first.
    let shared: [(&str, Page); 2] = [
        (
            "template",
            Page::of::<template::Args>("template", manages, "- template: { src: motd.j2, dest: /etc/motd, mode: \"0644\" }\n"),
        ),
        ("copy", Page::of::<copy::Args>("copy", manages, "- copy: { src: motd, dest: /etc/motd, mode: \"0644\" }\n")),
    ];
    for (name, mut page) in shared {
        if let Some(module) = registry::find(name) {
            page.doc = (module.doc)();
            let more = (module.fields)();
            page.fields.extend(more.into_iter().filter(|field| !field.name.starts_with("stead_")));
            page.examples = module.examples;
        }
        pages.push(page);
    }
    pages
}
