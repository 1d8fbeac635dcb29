//! The passwords of a run, and what they opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use sha2::{Digest as _, Sha256};

use super::cipher::{self, OpenError};
use super::redactor::Redactor;
use super::secret::Secret;

/// A password and the vault id that it is for.
#[derive(Debug, Clone)]
pub struct Key {
    /// The vault id.
    pub id: String,
    /// The password.
    pub password: Secret<Vec<u8>>,
}

/// Why something encrypted could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no password at all, or none for its id.
    #[error("{}", no_password(.id.as_deref()))]
    NoPassword {
        /// The vault id that the text names.
        id: Option<String>,
    },
    /// None of the passwords fits.
    #[error("{}", wrong_password(.id.as_deref(), .tried))]
    WrongPassword {
        /// The vault id that the text names.
        id: Option<String>,
        /// Ids of the passwords that were tried, in order.
        tried: Vec<String>,
    },
    /// The text is damaged.
    #[error("{0}")]
    Broken(#[from] OpenError),
    /// What was encrypted is not text.
    #[error("what is encrypted is not UTF-8 text")]
    NotText,
}

fn no_password(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("it is encrypted with the vault id `{id}`, and no password for it was given"),
        None => "it is encrypted, and no vault password was given".to_owned(),
    }
}

fn wrong_password(id: Option<&str>, tried: &[String]) -> String {
    let of = id.map(|id| format!(" with the vault id `{id}`")).unwrap_or_default();
    let tried: Vec<String> = tried.iter().map(|id| format!("`{id}`")).collect();
    let (noun, verb) = if tried.len() == 1 { ("the password", "does not fit") } else { ("none of the passwords", "fits") };
    format!("it is encrypted{of}, and {noun} of {} {verb}", tried.join(", "))
}

impl VaultError {
    /// What can be done about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoPassword { id: Some(id) } => format!("give one with `--vault-id {id}@FILE` or `--vault-id {id}@prompt`"),
            Self::NoPassword { id: None } => {
                "give one with `--vault-password-file FILE`, `--vault-id ID@FILE` or `--ask-vault-pass`".to_owned()
            }
            Self::WrongPassword { id, .. } => {
                let id = id.as_deref().unwrap_or(super::DEFAULT_ID);
                format!("`--vault-id {id}@FILE` names another password file, `--vault-id {id}@prompt` asks for the password")
            }
            Self::Broken(_) => "restore the file from where it is kept: nothing of it can be trusted".to_owned(),
            Self::NotText => "a variable holds text; keep binary content in a file of its own".to_owned(),
        }
    }
}

type Slot<T> = Arc<OnceLock<Result<T, VaultError>>>;
type Memo<T> = Mutex<HashMap<[u8; 32], Slot<T>>>;

/// All passwords, and every text that they opened: each once, when it is first needed.
#[derive(Default)]
pub struct Vault {
    keys: Vec<Key>,
    only_matching: bool,
    contents: Memo<Arc<[u8]>>,
    texts: Memo<Arc<str>>,
    /// The encrypted form of opened texts, by where the opened text lies in memory: `texts` keeps it
    /// there.
    sealed: Mutex<HashMap<usize, Arc<str>>>,
    redactor: Arc<Redactor>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
        f.debug_struct("Vault").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Vault {
    /// Nothing that is encrypted can be opened yet.
    pub fn new(redactor: Arc<Redactor>) -> Self {
        Self { redactor, ..Self::default() }
    }

    /// With `vault_id_match`, only passwords of a text's own id are tried.
    pub fn only_matching(mut self, only_matching: bool) -> Self {
        self.only_matching = only_matching;
        self
    }

    /// Adds a password; earlier ones are tried first.
    pub fn add(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// The passwords, in the order in which they were given.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Who hides what was opened.
    pub fn redactor(&self) -> &Arc<Redactor> {
        &self.redactor
    }

    /// Keys in the order in which they are tried: those of the text's id first, then the others.
    fn candidates(&self, id: Option<&str>) -> Vec<&Key> {
        let wanted = id.unwrap_or(super::DEFAULT_ID);
        let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.id == wanted).collect();
        if !self.only_matching {
            keys.extend(self.keys.iter().filter(|key| key.id != wanted));
        }
        keys
    }

    /// Opens an encrypted text and says which password fitted. Nothing is remembered, and the
    /// redactor is not told.
    pub fn open_with(&self, text: &[u8]) -> Result<(Vec<u8>, &Key), VaultError> {
        let id = cipher::header(text)?.id;
        let mut tried = Vec::new();
        for key in self.candidates(id.as_deref()) {
            match cipher::open(text, key.password.reveal_bytes()) {
                Ok(content) => return Ok((content, key)),
                Err(OpenError::WrongPassword) => tried.push(key.id.clone()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(if tried.is_empty() { VaultError::NoPassword { id } } else { VaultError::WrongPassword { id, tried } })
    }

    /// The content of an encrypted file. Whoever asks knows which parts of it are secret, and tells
    /// the redactor.
    pub fn open(&self, text: &[u8]) -> Result<Arc<[u8]>, VaultError> {
        once(&self.contents, text, || self.open_with(text).map(|(content, _)| content.into()))
    }

    /// An encrypted value (`!vault`): the redactor knows it from now on.
    pub fn text(&self, sealed: &str) -> Result<Arc<str>, VaultError> {
        once(&self.texts, sealed.as_bytes(), || {
            let (content, _) = self.open_with(sealed.as_bytes())?;
            let opened: Arc<str> = String::from_utf8(content).map_err(|_| VaultError::NotText)?.into();
            self.redactor.learn(&opened);
            self.note(&opened, sealed);
            Ok(opened)
        })
    }

    /// Encrypts a text so that both forms stay together, as those of a `!vault` value do.
    pub fn keep(&self, text: &str, sealed: &str) -> Arc<str> {
        let opened: Arc<str> = text.into();
        self.redactor.learn(text);
        self.note(&opened, sealed);
        let slot = Arc::new(OnceLock::from(Ok(Arc::clone(&opened))));
        let mut memo = self.texts.lock().expect("no thread panics while it holds this");
        match memo.entry(digest(sealed.as_bytes())).or_insert(slot).get() {
            Some(Ok(known)) => Arc::clone(known),
            _ => opened,
        }
    }

    fn note(&self, opened: &Arc<str>, sealed: &str) {
        self.sealed.lock().expect("no thread panics while it holds this").insert(address(opened), sealed.into());
    }

    /// The encrypted form of a value that came from [`Self::text`]: of the value itself, not of a
    /// text that only reads the same.
    pub fn sealed_form(&self, opened: &Arc<str>) -> Option<Arc<str>> {
        self.sealed.lock().expect("no thread panics while it holds this").get(&address(opened)).cloned()
    }
}

fn address(text: &Arc<str>) -> usize {
    Arc::as_ptr(text).cast::<u8>() as usize
}

fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// What was opened before, or is opened now; others who need the same wait for it.
fn once<T: Clone>(memo: &Memo<T>, text: &[u8], open: impl FnOnce() -> Result<T, VaultError>) -> Result<T, VaultError> {
    let slot = Arc::clone(memo.lock().expect("no thread panics while it holds this").entry(digest(text)).or_default());
    slot.get_or_init(open).clone()
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
