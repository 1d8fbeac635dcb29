//! Where passwords of vaults come from: a file, a program, a person.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cipher;
use super::keyring::{Key, Vault, VaultError};
use super::secret::Secret;

/// The id of what has none.
pub const DEFAULT_ID: &str = "default";
/// What a client program answers when it knows no password for the id.
const UNKNOWN_ID: i32 = 2;

/// Asks a question at the terminal, without echo; none where there is no terminal.
pub type Asks<'a> = &'a dyn Fn(&str) -> Option<Secret>;

/// `ID@SOURCE`, as `--vault-id` takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordSource {
    /// The vault id, if one was given.
    pub id: Option<String>,
    /// The file or program; none means that a person is asked.
    pub file: Option<PathBuf>,
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The file cannot be read.
    #[error("cannot read the vault password file `{}`: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is empty.
    #[error("the vault password from `{from}` is empty")]
    Empty {
        /// Where it was looked for.
        from: String,
    },
    /// The program failed.
    #[error("the vault password program `{}` failed: {reason}", .path.display())]
    Program {
        /// Which.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// The client program knows no such id.
    #[error("the vault password program `{}` knows no password for the vault id `{id}`", .path.display())]
    UnknownId {
        /// Which.
        path: PathBuf,
        /// The id.
        id: String,
    },
    /// The password file is itself encrypted.
    #[error("the vault password file `{}` is encrypted itself: {error}", .path.display())]
    Sealed {
        /// Which.
        path: PathBuf,
        /// Why it could not be opened.
        error: VaultError,
    },
    /// There is nobody to be asked.
    #[error("cannot ask for the vault password: there is no terminal")]
    NoTerminal,
    /// Two answers differ.
    #[error("the two passwords differ")]
    Differ,
}

impl PasswordSource {
    /// Reads `ID@SOURCE` or `SOURCE`, where SOURCE is `prompt` or a path. `path` makes the path of it.
    pub fn parse(text: &str, path: impl Fn(&str) -> PathBuf) -> Self {
        let (id, source) = match text.split_once('@') {
            Some((id, source)) => (Some(id.trim()), source.trim()),
            None => (None, text.trim()),
        };
        let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        let file = (!matches!(source, "prompt" | "prompt_ask_vault_pass")).then(|| path(source));
        Self { id, file }
    }

    /// A file or program for the id `default`.
    pub fn default_file(path: PathBuf) -> Self {
        Self { id: Some(DEFAULT_ID.to_owned()), file: Some(path) }
    }

    /// The id `default`, asked for.
    pub fn default_prompt() -> Self {
        Self { id: Some(DEFAULT_ID.to_owned()), file: None }
    }
}

/// Gets a password. `known` opens password files that are encrypted themselves. A `new` password is
/// asked for twice.
pub fn read_password(source: &PasswordSource, known: &Vault, ask: Asks<'_>, new: bool) -> Result<Key, PasswordError> {
    let id = source.id.clone().unwrap_or_else(|| DEFAULT_ID.to_owned());
    let password = match &source.file {
        None => prompted(&id, ask, new)?,
        Some(path) => from_file(path, source.id.as_deref(), known)?,
    };
    if password.is_empty() {
        let from = source.file.as_ref().map_or_else(|| "the terminal".to_owned(), |path| path.display().to_string());
        return Err(PasswordError::Empty { from });
    }
    Ok(Key { id, password: Secret::of_bytes(password) })
}

fn prompted(id: &str, ask: Asks<'_>, new: bool) -> Result<Vec<u8>, PasswordError> {
    let asked = |question: &str| ask(question).ok_or(PasswordError::NoTerminal);
    let of = if id == DEFAULT_ID { String::new() } else { format!(" ({id})") };
    let first = asked(&format!("{} password{of}: ", if new { "new vault" } else { "vault" }))?;
    if new && asked(&format!("new vault password{of}, again: "))? != first {
        return Err(PasswordError::Differ);
    }
    Ok(first.reveal().trim().as_bytes().to_vec())
}

fn from_file(path: &Path, id: Option<&str>, known: &Vault) -> Result<Vec<u8>, PasswordError> {
    let failed = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        PasswordError::File { path: path.to_owned(), reason }
    };
    let meta = std::fs::metadata(path).map_err(failed)?;
    if meta.is_dir() {
        return Err(PasswordError::File { path: path.to_owned(), reason: "it is a directory".to_owned() });
    }
    if meta.permissions().mode() & 0o111 != 0 {
        return from_program(path, id);
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let bytes = if cipher::is_sealed(&bytes) {
        known.open(&bytes).map_err(|error| PasswordError::Sealed { path: path.to_owned(), error })?.to_vec()
    } else {
        bytes
    };
    Ok(bytes.trim_ascii().to_vec())
}

/// A program prints the password. One whose name ends with `-client` (before its extension) is told
/// for which vault id.
fn from_program(path: &Path, id: Option<&str>) -> Result<Vec<u8>, PasswordError> {
    let is_client = path.file_stem().is_some_and(|name| name.to_string_lossy().ends_with("-client"));
    // A name without a slash would be looked for in PATH.
    let program = if path.components().count() == 1 { Path::new(".").join(path) } else { path.to_owned() };
    let mut command = Command::new(program);
    command.stdout(Stdio::piped());
    if is_client {
        command.stderr(Stdio::piped());
        if let Some(id) = id {
            command.args(["--vault-id", id]);
        }
    } else {
        command.stderr(Stdio::inherit());
    }
    let failed = |reason: String| PasswordError::Program { path: path.to_owned(), reason };
    let output = command
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .map_err(|error| failed(format!("{error} (if it is no program, remove its executable bit)")))?;
    if output.status.success() {
        let end = output.stdout.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
        let start = output.stdout[..end].iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(end);
        return Ok(output.stdout[start..end].to_vec());
    }
    if is_client && output.status.code() == Some(UNKNOWN_ID) {
        return Err(PasswordError::UnknownId { path: path.to_owned(), id: id.unwrap_or(DEFAULT_ID).to_owned() });
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    Err(failed(if said.is_empty() { output.status.to_string() } else { format!("{}: {said}", output.status) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(directory: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn read(source: &PasswordSource) -> Result<String, String> {
        let nobody = |_: &str| None;
        read_password(source, &Vault::default(), &nobody, false)
            .map(|key| format!("{}={}", key.id, String::from_utf8_lossy(key.password.reveal_bytes())))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sources_are_written_as_id_at_path() {
        let cases = [
            ("prod@pass", Some("prod"), Some("pass")),
            ("pass", None, Some("pass")),
            ("@pass", None, Some("pass")),
            ("prod@prompt", Some("prod"), None),
            ("prompt", None, None),
            ("a@b@c", Some("a"), Some("b@c")),
        ];
        for (text, id, file) in cases {
            let expected = PasswordSource { id: id.map(str::to_owned), file: file.map(PathBuf::from) };
            assert_eq!(PasswordSource::parse(text, |path| path.into()), expected, "{text}");
        }
    }

    #[test]
    fn files_are_stripped_and_programs_are_run() {
        let directory = tempfile::tempdir().unwrap();
        let source = |id: Option<&str>, name: &str, text: &str, mode| PasswordSource {
            id: id.map(str::to_owned),
            file: Some(at(directory.path(), name, text, mode)),
        };
        assert_eq!(read(&source(None, "plain", "  two words \n", 0o600)), Ok("default=two words".into()));
        assert_eq!(read(&source(Some("p"), "run", "#!/bin/sh\necho ' kept '\necho\n", 0o700)), Ok("p= kept ".into()));
        let client = "#!/bin/sh\necho \"$*\"\n";
        assert_eq!(read(&source(Some("p"), "my-client.sh", client, 0o700)), Ok("p=--vault-id p".into()));
        assert!(read(&source(None, "my-client", client, 0o700)).unwrap_err().contains("is empty"), "no id, no argument");
        let problem = read(&source(Some("p"), "no-client", "#!/bin/sh\nexit 2\n", 0o700)).unwrap_err();
        assert!(problem.contains("knows no password for the vault id `p`"), "{problem}");
        let problem = read(&source(Some("p"), "bad-client", "#!/bin/sh\necho locked >&2; exit 3\n", 0o700)).unwrap_err();
        assert!(problem.ends_with("locked"), "{problem}");
        assert!(read(&source(None, "empty", "\n", 0o600)).unwrap_err().contains("is empty"));
        let nowhere = PasswordSource { id: None, file: Some(directory.path().join("none")) };
        assert!(read(&nowhere).unwrap_err().ends_with("there is no such file"));
    }

    #[test]
    fn a_new_password_is_asked_for_twice() {
        let source = PasswordSource::parse("prod@prompt", |path| path.into());
        let asked = std::cell::RefCell::new(Vec::new());
        let ask = |question: &str| {
            asked.borrow_mut().push(question.to_owned());
            Some(Secret::new("one"))
        };
        assert!(read_password(&source, &Vault::default(), &ask, true).is_ok());
        assert_eq!(*asked.borrow(), ["new vault password (prod): ", "new vault password (prod), again: "]);
        let count = std::cell::Cell::new(0);
        let ask = |_: &str| {
            count.set(count.get() + 1);
            Some(Secret::new(count.get().to_string()))
        };
        assert!(matches!(read_password(&source, &Vault::default(), &ask, true), Err(PasswordError::Differ)));
    }
}
