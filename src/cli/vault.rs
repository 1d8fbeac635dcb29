//! `stead vault`.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use stead::session::Echo;
use stead::vault::{
    Key, PasswordSource, SealOptions, VaultError, header, is_sealed, private_directory, read_password, seal, write_private,
};

use super::environment::{self, Environment};
use super::run_args::VaultArgs;
use super::{USAGE, complain};

/// Create, edit and read files that are encrypted with Ansible Vault.
#[derive(Debug, Args)]
pub(crate) struct Vault {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a new encrypted file in an editor.
    Create(Create),
    /// Change an encrypted file in an editor.
    Edit(Edit),
    /// Print the content of encrypted files.
    View(View),
    /// Encrypt files in place, or standard input to standard output.
    Encrypt(Encrypt),
    /// Decrypt files in place, or standard input to standard output.
    Decrypt(Decrypt),
    /// Encrypt files anew with another password.
    Rekey(Rekey),
    /// Encrypt a value for a YAML file: prints it as `!vault`.
    #[command(alias = "encrypt_string")]
    EncryptString(EncryptString),
}

/// With which password something is encrypted.
#[derive(Debug, Args)]
struct EncryptArgs {
    #[command(flatten)]
    vault: VaultArgs,
    /// Of several vault ids, the one to encrypt with.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
}

#[derive(Debug, Args)]
struct Create {
    /// The file; it must not exist.
    file: PathBuf,
    #[command(flatten)]
    with: EncryptArgs,
}

#[derive(Debug, Args)]
struct Edit {
    /// The file.
    file: PathBuf,
    #[command(flatten)]
    vault: VaultArgs,
}

#[derive(Debug, Args)]
struct View {
    /// The files; `-` is standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    vault: VaultArgs,
}

#[derive(Debug, Args)]
struct Encrypt {
    /// The files; none or `-` means standard input.
    files: Vec<PathBuf>,
    /// Where the result goes, for one input; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    with: EncryptArgs,
}

#[derive(Debug, Args)]
struct Decrypt {
    /// The files; none or `-` means standard input.
    files: Vec<PathBuf>,
    /// Where the result goes, for one input; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    vault: VaultArgs,
}

#[derive(Debug, Args)]
struct Rekey {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The new vault id and where its password comes from.
    #[arg(long, value_name = "ID@SOURCE", conflicts_with = "new_vault_password_file")]
    new_vault_id: Option<String>,
    /// A file with the new password, or a program that prints it.
    #[arg(long, value_name = "FILE")]
    new_vault_password_file: Option<String>,
    #[command(flatten)]
    vault: VaultArgs,
}

#[derive(Debug, Args)]
struct EncryptString {
    /// The texts. Others on this machine may see arguments: without texts, the terminal or standard input is read.
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// The variable's name; for several texts several times.
    #[arg(short, long)]
    name: Vec<String>,
    /// Read standard input and give it this name.
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<String>,
    /// Ask for the text.
    #[arg(short, long)]
    prompt: bool,
    /// Show what is typed.
    #[arg(long, requires = "prompt")]
    show_input: bool,
    /// Where the result goes instead of standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    with: EncryptArgs,
}

/// What went wrong was said; this is the exit code.
type Done = Result<(), ExitCode>;

impl Vault {
    pub(crate) fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Create(command) => command.run(),
            Command::Edit(command) => command.run(),
            Command::View(command) => command.run(),
            Command::Encrypt(command) => command.run(),
            Command::Decrypt(command) => command.run(),
            Command::Rekey(command) => command.run(),
            Command::EncryptString(command) => command.run(),
        };
        done.map_or_else(|code| code, |()| ExitCode::SUCCESS)
    }
}

fn is_standard(path: &Path) -> bool {
    path == Path::new("-")
}

fn shown(path: &Path) -> String {
    if is_standard(path) { "standard input".to_owned() } else { format!("`{}`", path.display()) }
}

fn read(path: &Path) -> Result<Vec<u8>, ExitCode> {
    let read = if is_standard(path) {
        let mut content = Vec::new();
        std::io::stdin().lock().read_to_end(&mut content).map(|_| content)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| complain(&format!("cannot read {}: {error}", shown(path)), None))
}

fn write(path: &Path, content: &[u8]) -> Done {
    let written = if is_standard(path) {
        let mut out = std::io::stdout().lock();
        out.write_all(content).and_then(|()| out.flush())
    } else {
        write_private(path, content)
    };
    written.map_err(|error| complain(&format!("cannot write `{}`: {error}", path.display()), None))
}

fn say(text: &str) {
    anstream::eprintln!("{text}");
}

/// Inputs, and where each goes.
fn ways(files: Vec<PathBuf>, output: Option<PathBuf>) -> Result<Vec<(PathBuf, PathBuf)>, ExitCode> {
    let files = if files.is_empty() { vec![PathBuf::from("-")] } else { files };
    match output {
        Some(_) if files.len() > 1 => {
            Err(complain("`--output` is for one file", Some("without it, files are replaced in place")))
        }
        Some(output) => Ok(files.into_iter().map(|file| (file, output.clone())).collect()),
        None => Ok(files.iter().map(|file| (file.clone(), file.clone())).collect()),
    }
}

/// Opens something that must be encrypted.
fn open<'v>(vault: &'v stead::vault::Vault, path: &Path, text: &[u8]) -> Result<(Vec<u8>, &'v Key), ExitCode> {
    if !is_sealed(text.trim_ascii_start()) {
        return Err(complain(&format!("{} is not encrypted", shown(path)), Some("`stead vault encrypt` encrypts it")));
    }
    vault.open_with(text).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, error: &VaultError) -> ExitCode {
    complain(&format!("cannot read {}: {error}", shown(path)), Some(&error.hint()))
}

/// Encrypts in the way that the settings want.
fn sealed(environment: &Environment, content: &[u8], key: &Key, id: Option<&str>) -> Vec<u8> {
    let salt = environment.config.text("vault_encrypt_salt").map(str::as_bytes);
    seal(content, key.password.reveal_bytes(), &SealOptions { id, salt }).into_bytes()
}

impl EncryptArgs {
    /// The password to encrypt with.
    fn key(&self, environment: &Environment) -> Result<Key, ExitCode> {
        let vault = environment.vault_or_ask(&self.vault, true)?;
        let wanted = self.encrypt_vault_id.as_deref().or_else(|| environment.config.text("vault_encrypt_identity"));
        let mut ids: Vec<&str> = vault.keys().iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        let wanted = match (wanted, ids.as_slice()) {
            (Some(id), _) => id,
            (None, [id]) => id,
            (None, several) => {
                let message = format!("there are passwords of several vault ids: {}", several.join(", "));
                return Err(complain(&message, Some("say with which to encrypt: `--encrypt-vault-id ID`")));
            }
        };
        let key = vault.keys().iter().find(|key| key.id == wanted).cloned();
        key.ok_or_else(|| {
            let message = format!("there is no password of the vault id `{wanted}`");
            complain(&message, Some(&format!("the vault ids are {}; give one with `--vault-id {wanted}@FILE`", ids.join(", "))))
        })
    }
}

impl Create {
    fn run(self) -> Done {
        if self.file.exists() {
            let message = format!("`{}` exists already", self.file.display());
            return Err(complain(&message, Some("`stead vault edit` changes it")));
        }
        let environment = Environment::read()?;
        let key = self.with.key(&environment)?;
        let content = edited(&environment, &self.file, b"")?;
        write(&self.file, &sealed(&environment, &content, &key, Some(&key.id)))
    }
}

impl Edit {
    fn run(self) -> Done {
        let environment = Environment::read()?;
        let vault = environment.vault_or_ask(&self.vault, false)?;
        let text = read(&self.file)?;
        let (content, key) = open(&vault, &self.file, &text)?;
        let changed = edited(&environment, &self.file, &content)?;
        if changed == content {
            say("nothing was changed");
            return Ok(());
        }
        // The file stays one of its vault id.
        let id = header(&text).ok().and_then(|header| header.id);
        write(&self.file, &sealed(&environment, &changed, key, id.as_deref()))
    }
}

impl View {
    fn run(self) -> Done {
        let vault = Environment::read()?.vault_or_ask(&self.vault, false)?;
        for file in &self.files {
            let text = read(file)?;
            write(Path::new("-"), &open(&vault, file, &text)?.0)?;
        }
        Ok(())
    }
}

impl Encrypt {
    fn run(self) -> Done {
        let environment = Environment::read()?;
        let key = self.with.key(&environment)?;
        for (from, to) in ways(self.files, self.output)? {
            let content = read(&from)?;
            if is_sealed(&content) {
                let message = format!("{} is encrypted already", shown(&from));
                return Err(complain(&message, Some("`stead vault rekey` changes the password")));
            }
            write(&to, &sealed(&environment, &content, &key, Some(&key.id)))?;
            report("encrypted", &from, &to);
        }
        Ok(())
    }
}

impl Decrypt {
    fn run(self) -> Done {
        let vault = Environment::read()?.vault_or_ask(&self.vault, false)?;
        for (from, to) in ways(self.files, self.output)? {
            let text = read(&from)?;
            write(&to, &open(&vault, &from, &text)?.0)?;
            report("decrypted", &from, &to);
        }
        Ok(())
    }
}

/// Says what was done where the result is not on the screen.
fn report(what: &str, from: &Path, to: &Path) {
    if !is_standard(to) {
        let into = if from == to { String::new() } else { format!(" into `{}`", to.display()) };
        say(&format!("{what} {}{into}", shown(from)));
    }
}

impl Rekey {
    fn run(self) -> Done {
        let environment = Environment::read()?;
        let vault = environment.vault_or_ask(&self.vault, false)?;
        let path = |text: &str| environment.expand(text);
        let source = match (&self.new_vault_id, &self.new_vault_password_file) {
            (Some(text), _) => PasswordSource::parse(text, path),
            (None, Some(file)) => PasswordSource::default_file(path(file)),
            (None, None) => PasswordSource::default_prompt(),
        };
        let ask = environment::prompt();
        let new = read_password(&source, &vault, &|question| ask.secret(question), true)
            .map_err(|error| complain(&error.to_string(), None))?;
        // All are opened before any is changed.
        let mut opened = Vec::new();
        for file in &self.files {
            let text = read(file)?;
            opened.push((file, open(&vault, file, &text)?.0));
        }
        for (file, content) in opened {
            write(file, &sealed(&environment, &content, &new, Some(&new.id)))?;
            report("encrypted anew:", file, file);
        }
        Ok(())
    }
}

impl EncryptString {
    fn run(self) -> Done {
        let environment = Environment::read()?;
        let texts = self.inputs()?;
        if self.name.len() > texts.len() {
            return Err(complain("there are more names than texts", None));
        }
        let key = self.with.key(&environment)?;
        let mut out = String::new();
        for (name, text) in texts {
            let sealed = sealed(&environment, &text, &key, Some(&key.id));
            let name = name.map(|name| format!("{name}: ")).unwrap_or_default();
            out.push_str(&format!("{name}!vault |\n"));
            for line in String::from_utf8_lossy(&sealed).lines() {
                out.push_str(&format!("          {line}\n"));
            }
        }
        write(self.output.as_deref().unwrap_or(Path::new("-")), out.as_bytes())
    }

    /// Texts with their names.
    fn inputs(&self) -> Result<Vec<(Option<String>, Vec<u8>)>, ExitCode> {
        let named = |at: usize| self.name.get(at).cloned();
        let mut inputs: Vec<(Option<String>, Vec<u8>)> = Vec::new();
        let standard = self.stdin_name.is_some()
            || self.texts.iter().any(|text| text == "-")
            || (self.texts.is_empty() && !self.prompt && !std::io::stdin().is_terminal());
        if self.prompt || (self.texts.is_empty() && !standard) {
            let echo = if self.show_input { Echo::Shown } else { Echo::Hidden };
            let text = environment::prompt().ask("text to encrypt: ", echo);
            let Some(text) = text else {
                return Err(complain("cannot ask for the text: there is no terminal", None));
            };
            inputs.push((named(0), text.reveal().as_bytes().to_vec()));
        }
        if standard {
            if std::io::stdin().is_terminal() {
                say("reading the text from the terminal; end it with Ctrl-D (twice, if no line break is wanted)");
            }
            let name = self.stdin_name.clone().or_else(|| named(inputs.len()));
            inputs.push((name, read(Path::new("-"))?));
        }
        for text in self.texts.iter().filter(|text| *text != "-") {
            let at = inputs.len() - usize::from(self.stdin_name.is_some());
            inputs.push((named(at), text.as_bytes().to_vec()));
        }
        if inputs.iter().any(|(_, text)| text.is_empty()) {
            return Err(complain("there is nothing to encrypt: the text is empty", None));
        }
        Ok(inputs)
    }
}

/// The content after somebody changed it in an editor. It lies in a private directory, in memory
/// where there is a file system for that, and is removed afterwards whatever happens.
fn edited(environment: &Environment, path: &Path, content: &[u8]) -> Result<Vec<u8>, ExitCode> {
    let failed = |what: &str, error: &dyn std::fmt::Display| complain(&format!("{what}: {error}"), None);
    let places: Vec<PathBuf> = environment
        .get("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .into_iter()
        .chain(["/dev/shm".into(), std::env::temp_dir()])
        .collect();
    let directory = private_directory(&places).map_err(|error| failed("cannot make a private directory", &error))?;
    // The name says to the editor what kind of file it is.
    let copy = directory.path().join(path.file_name().unwrap_or("vault.yml".as_ref()));
    write_private(&copy, content).map_err(|error| failed("cannot write for the editor", &error))?;
    // From here on a signal must not end this program before the copy is removed.
    let runtime = super::prepare::runtime()?;
    let signals = runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()].map(signal)
    });
    let editor = environment.editor();
    let words = stead::run::connection::shell_words(&editor);
    let Some((program, arguments)) = words.split_first() else {
        return Err(complain("EDITOR is empty", Some("set it, e.g. `EDITOR=nano`")));
    };
    let status = std::process::Command::new(program).args(arguments).arg(&copy).status();
    drop(signals);
    match status {
        Ok(status) if status.success() => {
            std::fs::read(&copy).map_err(|error| failed("cannot read what the editor left", &error))
        }
        Ok(status) => Err(complain(&format!("the editor `{editor}` ended with {status}; nothing was changed"), None)),
        Err(error) => {
            complain(&format!("cannot start the editor `{editor}`: {error}"), Some("set EDITOR"));
            Err(ExitCode::from(USAGE))
        }
    }
}
