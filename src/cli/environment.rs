//! The environment and the settings, read once: the library reads none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use stead::ansible::config::{Around, Config};
use stead::plugins::PythonSettings;
use stead::session::{Echo, Prompt, Secret};
use stead::source::render;
use stead::template::PluginKind;
use stead::vault::{PasswordSource, Redactor, Vault, read_password};

use super::run_args::VaultArgs;
use super::{USAGE, complain};

/// What the environment and the files of settings say.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// All variables, for `lookup('env', ...)`.
    pub(crate) variables: BTreeMap<String, String>,
    /// The user's home directory.
    pub(crate) home: Option<PathBuf>,
    /// The user's name.
    pub(crate) user: String,
    /// Settings.
    pub(crate) config: Config,
    /// Directories of modules in Python, before those of the settings.
    pub(crate) library: Vec<PathBuf>,
}

impl Environment {
    /// Reads the environment alone, for what needs no settings.
    pub(crate) fn bare() -> Self {
        let variables: BTreeMap<String, String> =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
        let home = variables.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let user = ["USER", "LOGNAME"].iter().find_map(|name| variables.get(*name)).cloned();
        let user = user
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| if home.as_deref() == Some("/root".as_ref()) { "root".into() } else { String::new() });
        Self { variables, home, user, config: Config::default(), library: Vec::new() }
    }

    /// Reads all; with problems in settings, prints them and gives the exit code.
    pub(crate) fn read() -> Result<Self, ExitCode> {
        let bare = Self::bare();
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let around = Around { environment: &bare.variables, directory: &directory, home: bare.home.as_deref() };
        let (config, problems) = Config::read(&around);
        if !problems.is_empty() {
            anstream::eprint!("{}", render::render(&problems, config.map(), render::Colour::Ansi));
        }
        if problems.has_errors() {
            return Err(ExitCode::from(USAGE));
        }
        Ok(Self { config, ..bare })
    }

    /// Where plugins of projects are, and what runs them.
    pub(crate) fn plugins(&self) -> PythonSettings {
        let kinds = [PluginKind::Filter, PluginKind::Test, PluginKind::Lookup];
        let of_kind = |kind: PluginKind| {
            let paths = self.config.paths(&format!("{}_plugins", kind.word())).unwrap_or_default();
            paths.iter().map(move |path| (kind, path.clone()))
        };
        let collections = match self.config.paths("collections_path") {
            Some(paths) => paths.to_vec(),
            None => ["~/.ansible/collections", "/usr/share/ansible/collections"].map(|path| self.expand(path)).to_vec(),
        };
        PythonSettings {
            python: self.get("STEAD_PYTHON").map(PathBuf::from),
            environment: self.variables.clone(),
            folders: kinds.into_iter().flat_map(of_kind).collect(),
            collections,
            library: self.library.iter().chain(self.config.paths("library").unwrap_or_default()).cloned().collect(),
            utilities: self.config.paths("module_utils").unwrap_or_default().to_vec(),
            ..PythonSettings::default()
        }
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A path in which `~` is the home directory.
    pub(crate) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(path),
        }
    }

    /// The editor of files that are encrypted.
    pub(crate) fn editor(&self) -> String {
        let named = self.get("ANSIBLE_EDITOR").or_else(|| self.get("EDITOR")).or_else(|| self.config.text("editor"));
        named.unwrap_or("vi").to_owned()
    }

    /// Tells once what was set and has no effect.
    pub(crate) fn tell_what_has_no_effect(&self) {
        for (name, why, place) in self.config.without_effect() {
            anstream::eprintln!("note: the setting `{name}` has no effect: {why} ({place})");
        }
    }

    /// Where passwords of vaults come from, in the order in which Ansible tries them: the list of
    /// identities, `--vault-id`, `--vault-password-file`, the one file of the settings.
    fn vault_sources(&self, args: &VaultArgs) -> Vec<PasswordSource> {
        let config = &self.config;
        let default_id = config.text("vault_identity");
        // Paths of a list in a file start at the current directory, as in Ansible.
        let parse = |text: &String| {
            let source = PasswordSource::parse(text, |path| self.expand(path));
            PasswordSource { id: source.id.or_else(|| default_id.map(str::to_owned)), ..source }
        };
        let mut sources: Vec<PasswordSource> =
            config.list("vault_identity_list").iter().chain(&args.vault_id).map(parse).collect();
        let named = args.vault_password_file.iter().map(|file| self.expand(file));
        let files = named.chain(config.path("vault_password_file").map(Path::to_owned));
        sources.extend(files.map(PasswordSource::default_file));
        if args.ask_vault_pass || (sources.is_empty() && config.flag("ask_vault_pass") == Some(true)) {
            sources.push(PasswordSource::default_prompt());
        }
        sources
    }

    /// All passwords of vaults, read now: what cannot be read ends the program before anything is
    /// contacted.
    pub(crate) fn vault(&self, args: &VaultArgs) -> Result<Vault, ExitCode> {
        self.keyring(&self.vault_sources(args), false)
    }

    /// The same, and where there is no source somebody is asked; twice for a `new` password.
    pub(crate) fn vault_or_ask(&self, args: &VaultArgs, new: bool) -> Result<Vault, ExitCode> {
        let mut sources = self.vault_sources(args);
        if sources.is_empty() {
            sources.push(PasswordSource::default_prompt());
        }
        self.keyring(&sources, new)
    }

    fn keyring(&self, sources: &[PasswordSource], new: bool) -> Result<Vault, ExitCode> {
        let matching = self.config.flag("vault_id_match").unwrap_or(false);
        let mut vault = Vault::new(Arc::new(Redactor::default())).only_matching(matching);
        let ask = prompt();
        for source in sources {
            let key = read_password(source, &vault, &|question| ask.secret(question), new)
                .map_err(|error| complain(&error.to_string(), None))?;
            vault.add(key);
        }
        Ok(vault)
    }

    /// A password that a file or a program gives.
    pub(crate) fn password_file(&self, path: &Path) -> Result<Secret, ExitCode> {
        let source = PasswordSource { id: None, file: Some(path.to_owned()) };
        let key = read_password(&source, &Vault::default(), &|_| None, false)
            .map_err(|error| complain(&error.to_string().replace("vault password", "password"), None))?;
        String::from_utf8(key.password.reveal_bytes().to_vec())
            .map(Secret::new)
            .map_err(|_| complain(&format!("the password in `{}` is not UTF-8 text", path.display()), None))
    }
}

/// Asks at the terminal; never where there is none.
pub(crate) fn prompt() -> Prompt {
    Prompt(Arc::new(|question, echo| {
        use std::io::{BufRead as _, IsTerminal as _, Write as _};
        let input = std::io::stdin();
        if !input.is_terminal() {
            return None;
        }
        if echo == Echo::Hidden {
            return rpassword::prompt_password(question).ok().map(Secret::new);
        }
        let mut screen = std::io::stderr();
        screen.write_all(question.as_bytes()).and_then(|()| screen.flush()).ok()?;
        let mut line = String::new();
        let read = input.lock().read_line(&mut line).ok()?;
        (read > 0).then(|| Secret::new(line.trim_end_matches(['\r', '\n'])))
    }))
}
