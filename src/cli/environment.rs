//! The environment, read once: the library reads none.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use stead::session::{Prompt, Secret};

/// What the environment says.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// All variables, for `lookup('env', ...)`.
    pub(crate) variables: BTreeMap<String, String>,
    /// The user's home directory.
    pub(crate) home: Option<PathBuf>,
    /// The user's name.
    pub(crate) user: String,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let variables: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let home = variables.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let user = ["USER", "LOGNAME"].iter().find_map(|name| variables.get(*name)).cloned();
        let user = user
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| if home.as_deref() == Some("/root".as_ref()) { "root".into() } else { String::new() });
        Self { variables, home, user }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A variable as Ansible reads its switches.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" | "y" | "t" => Some(true),
            "0" | "false" | "no" | "off" | "n" | "f" => Some(false),
            _ => None,
        }
    }

    /// A list of paths separated by colons; `~` is the home directory.
    pub(crate) fn paths(&self, name: &str) -> Vec<PathBuf> {
        self.get(name)
            .map(|list| list.split(':').filter(|path| !path.is_empty()).map(|path| self.expand(path)).collect())
            .unwrap_or_default()
    }

    /// A path in which `~` is the home directory.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }
}

/// Asks at the terminal without echo; never where there is none.
pub(crate) fn prompt() -> Prompt {
    Prompt(Arc::new(|question| {
        use std::io::IsTerminal as _;
        if !std::io::stdin().is_terminal() {
            return None;
        }
        rpassword::prompt_password(question).ok().map(Secret::new)
    }))
}
