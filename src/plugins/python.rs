//! Plugins in Python, as templates ask for them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::files::{Places, add_existing, collection_of, folder_name};
use super::helper::{Helper, HelperError};
use super::modules::Known;
use super::{interpreter, wire};
use crate::template::{PluginCall, PluginError, PluginKind, PluginVariables, Plugins, TemplateErrorKind};
use crate::vars::Value;

/// What running plugins needs from outside.
#[derive(Debug, Clone)]
pub struct PythonSettings {
    /// The Python to use; without one it is looked for.
    pub python: Option<PathBuf>,
    /// The controller's environment: of the program, and to find it.
    pub environment: BTreeMap<String, String>,
    /// Folders of plugins besides those of projects.
    pub folders: Vec<(PluginKind, PathBuf)>,
    /// Folders in which collections are installed: those that hold `ansible_collections`, or those
    /// folders themselves.
    pub collections: Vec<PathBuf>,
    /// Folders of modules besides those of projects.
    pub library: Vec<PathBuf>,
    /// Folders of what modules share, besides those of projects.
    pub utilities: Vec<PathBuf>,
    /// How long one call may take.
    pub limit: Duration,
}

impl Default for PythonSettings {
    fn default() -> Self {
        Self {
            python: None,
            environment: BTreeMap::new(),
            folders: Vec::new(),
            collections: Vec::new(),
            library: Vec::new(),
            utilities: Vec::new(),
            limit: Duration::from_secs(60),
        }
    }
}

/// Plugins in variables that plugins ask for.
const DEEPEST: u32 = 4;

/// Runs plugins that are written in Python.
#[derive(Debug)]
pub struct PythonPlugins {
    settings: PythonSettings,
    python: Option<PathBuf>,
    places: RwLock<Places>,
    helper: Mutex<Option<Helper>>,
    modules: Mutex<Known>,
}

/// The Python that runs plugins with these settings, if there is one.
pub fn interpreter_of(settings: &PythonSettings) -> Option<PathBuf> {
    interpreter::find(settings.python.as_deref(), &settings.environment)
}

impl PythonPlugins {
    /// Nothing is started before a plugin is called.
    pub fn new(settings: PythonSettings) -> Self {
        let python = interpreter_of(&settings);
        let mut places = Places::default();
        for (kind, folder) in &settings.folders {
            places.add_folder(*kind, folder.clone());
        }
        for root in &settings.collections {
            let named = root.file_name().is_some_and(|name| name == "ansible_collections");
            places.add_collections(if named { root.clone() } else { root.join("ansible_collections") });
        }
        for root in python.iter().flat_map(|python| interpreter::site_collections(python)) {
            places.add_collections(root);
        }
        for folder in &settings.library {
            add_existing(&mut places.library, folder.clone());
        }
        for folder in &settings.utilities {
            add_existing(&mut places.utilities, folder.clone());
        }
        Self { settings, python, places: RwLock::new(places), helper: Mutex::default(), modules: Mutex::default() }
    }

    pub(super) fn modules(&self) -> std::sync::MutexGuard<'_, Known> {
        self.modules.lock().expect("no thread panics while it holds this")
    }

    pub(super) fn places(&self) -> std::sync::RwLockReadGuard<'_, Places> {
        self.places.read().expect("no thread panics while it holds this")
    }

    /// Where the files are that a call is about, for messages.
    fn place_of(&self, call: &PluginCall<'_>) -> String {
        let places = self.places();
        if let Some((collection, _)) = collection_of(call.name)
            && let Some(root) = places.collection(collection)
        {
            return root.join("plugins").join(call.kind.word()).display().to_string();
        }
        let folders =
            places.folders.iter().filter(|(kind, _)| *kind == call.kind).map(|(_, folder)| folder.display().to_string());
        let folders: Vec<String> = folders.collect();
        if folders.is_empty() { folder_name(call.kind).to_owned() } else { folders.join("`, `") }
    }

    /// The program, started and told of all places.
    fn started<'h>(&self, python: &Path, helper: &'h mut Option<Helper>, base: &Path) -> Result<&'h mut Helper, HelperError> {
        let running = match helper {
            Some(running) => running,
            None => helper.insert(Helper::start(python, base, &self.settings.environment, self.settings.limit)?),
        };
        let places = self.places();
        let (folders, collections) = running.known;
        // Later requests are read in order, so nothing has to be waited for.
        for root in &places.collections[collections..] {
            running.tell(&json!({"add": "collection", "directory": root}))?;
        }
        for (kind, folder) in &places.folders[folders..] {
            running.tell(&json!({"add": kind.word(), "directory": folder}))?;
        }
        running.known = (places.folders.len(), places.collections.len());
        Ok(running)
    }

    /// Asks the program something that needs no variables. The error is a message and a hint.
    pub(super) fn ask(&self, request: &Json) -> Result<Json, (String, Option<String>)> {
        let Some(python) = &self.python else {
            let hint = "install Python 3 and ansible-core on this machine, or name a Python in STEAD_PYTHON";
            return Err(("modules in Python are packed by Python, and this machine has none".to_owned(), Some(hint.to_owned())));
        };
        let mut helper = self.helper.lock().expect("no thread panics while it holds this");
        let answer = self.started(python, &mut helper, Path::new("/")).and_then(|running| {
            running.tell(request)?;
            running.hear(Instant::now())
        });
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                *helper = None;
                return Err((error.to_string(), None));
            }
        };
        let text = |name: &str| answer.get(name).and_then(Json::as_str).map(str::to_owned);
        match (text("problem"), text("hint")) {
            (Some(problem), hint) => Err((problem, hint)),
            (None, _) => Ok(answer.get_mut("value").map(Json::take).unwrap_or_default()),
        }
    }

    fn run(
        &self,
        python: &Path,
        helper: &mut Option<Helper>,
        call: &PluginCall<'_>,
        variables: &dyn PluginVariables,
    ) -> Result<Json, HelperError> {
        let running = self.started(python, helper, call.base)?;
        let named: serde_json::Map<String, Json> =
            call.named.iter().map(|(name, value)| (name.to_string(), wire::encoded(value))).collect();
        running.tell(&json!({
            "kind": call.kind.word(),
            "name": call.name,
            "args": call.plain.iter().map(wire::encoded).collect::<Vec<_>>(),
            "named": named,
            "search": call.search,
            "base": call.base,
        }))?;
        let since = Instant::now();
        loop {
            let message = running.hear(since)?;
            match message.get("ask").and_then(Json::as_str) {
                None => return Ok(message),
                Some("names") => {
                    let names = variables.names();
                    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
                    running.tell(&json!({"names": names}))?;
                }
                Some(_) => {
                    let name = message.get("name").and_then(Json::as_str).unwrap_or_default();
                    let answer = match variables.value(name) {
                        Ok(Some(value)) => json!({"value": wire::encoded(&value)}),
                        Ok(None) => json!({}),
                        Err(problem) => json!({"problem": problem}),
                    };
                    running.tell(&answer)?;
                }
            }
        }
    }
}

impl Plugins for PythonPlugins {
    fn add_directory(&self, directory: &Path) {
        if self.places.write().expect("no thread panics while it holds this").add(directory) {
            self.modules().forget();
        }
    }

    fn may_have(&self, kind: PluginKind, name: &str) -> bool {
        self.places().may_have(kind, name)
    }

    fn names(&self, kind: PluginKind) -> Vec<String> {
        self.places().names(kind)
    }

    fn absence(&self, kind: PluginKind, name: &str) -> Option<(String, String)> {
        let (collection, _) = collection_of(name)?;
        let word = kind.word();
        Some(match self.places().collection(collection) {
            Some(root) => (
                format!("the collection `{collection}` has no {word} `{name}`"),
                format!("looked in `{}`", root.join("plugins").join(word).display()),
            ),
            None => (
                format!("no {word} named `{name}`: the collection `{collection}` is not installed"),
                "install it with `stead deps install`, or put it into `ansible_collections` beside the playbook".to_owned(),
            ),
        })
    }

    fn call(&self, call: &PluginCall<'_>, variables: &dyn PluginVariables) -> Result<Value, PluginError> {
        let failed = |message: String, hint: Option<&str>| PluginError {
            message,
            file: Some(self.place_of(call)),
            hint: hint.map(str::to_owned),
            kind: TemplateErrorKind::Failed,
        };
        let Some(python) = &self.python else {
            let hint = "install Python 3 on this machine, or name one in STEAD_PYTHON; hosts need none";
            return Err(failed("it is written in Python, and this machine has none".to_owned(), Some(hint)));
        };
        // While a plugin asks for variables, rendering them may call another one: that one gets a
        // program of its own.
        let (mut own, mut shared);
        let helper = if CALLS.get() == 0 {
            shared = self.helper.lock().expect("no thread panics while it holds this");
            &mut *shared
        } else {
            own = None;
            &mut own
        };
        if CALLS.get() >= DEEPEST {
            return Err(failed("plugins ask for variables that are made by plugins, too deeply".to_owned(), None));
        }
        let result = nested(|| self.run(python, helper, call, variables));
        let mut answer = match result {
            Ok(answer) => answer,
            Err(error) => {
                // The next call starts afresh.
                *helper = None;
                let hint = matches!(error, HelperError::Late(_)).then_some("a plugin runs on this machine and must end soon");
                return Err(failed(error.to_string(), hint));
            }
        };
        if let Some(value) = answer.get_mut("value").map(Json::take) {
            return wire::decoded(value).ok_or_else(|| failed("its result is not a value of templates".to_owned(), None));
        }
        let text = |name: &str| answer.get(name).and_then(Json::as_str).map(str::to_owned);
        Err(PluginError {
            message: text("problem").unwrap_or_else(|| "it gave no result".to_owned()),
            file: text("file").or_else(|| Some(self.place_of(call))),
            hint: text("hint"),
            kind: match text("kind").as_deref() {
                Some("undefined") => TemplateErrorKind::Undefined,
                Some("name") => TemplateErrorKind::UnknownName,
                _ => TemplateErrorKind::Failed,
            },
        })
    }
}

thread_local! {
    /// How many calls this thread is in.
    static CALLS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

fn nested<T>(run: impl FnOnce() -> T) -> T {
    CALLS.set(CALLS.get() + 1);
    let result = run();
    CALLS.set(CALLS.get() - 1);
    result
}
