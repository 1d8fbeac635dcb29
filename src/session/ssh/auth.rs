//! Logging in: the agent's keys, key files, then the password.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{
    Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey, decode_secret_key, load_openssh_certificate,
};
use russh::{MethodKind, MethodSet};
use tokio::sync::Mutex;

use super::config::Options;
use super::connection::Gate;
use crate::session::error::SessionError;
use crate::session::process::readable;
use crate::session::target::{SessionSettings, Target};
use crate::vault::Secret;

/// Most keys of an agent that are offered: servers count them as failures.
const MOST_AGENT_KEYS: usize = 5;

/// One log-in under way.
pub(super) struct Login<'a> {
    /// The connection.
    pub(super) handle: &'a mut Handle<Gate>,
    /// How the host is reached.
    pub(super) options: &'a Options,
    /// What the inventory says.
    pub(super) target: &'a Target,
    /// Limits and the way to ask.
    pub(super) settings: &'a SessionSettings,
    /// The host key is not trustworthy: no password leaves this machine.
    pub(super) withhold_password: bool,
    /// What was tried, for the error message.
    tried: Vec<String>,
    /// What the server still takes.
    remaining: Option<MethodSet>,
    /// A key that exists but could not be used, and why.
    unusable: Vec<String>,
}

/// Logs in, or says what was tried.
pub(super) async fn log_in(
    handle: &mut Handle<Gate>,
    options: &Options,
    target: &Target,
    settings: &SessionSettings,
    withhold_password: bool,
) -> Result<(), SessionError> {
    let mut login =
        Login { handle, options, target, settings, withhold_password, tried: Vec::new(), remaining: None, unusable: Vec::new() };
    if login.with_keys().await? || login.with_password().await? {
        return Ok(());
    }
    Err(login.failed())
}

impl Login<'_> {
    async fn with_keys(&mut self) -> Result<bool, SessionError> {
        // A key that the inventory names comes first; the others after the agent's.
        let named = usize::from(self.target.private_key.is_some());
        let files = self.options.identity_files.clone();
        let mut encrypted = Vec::new();
        for file in &files[..named] {
            if self.with_file(file, &mut encrypted).await? {
                return Ok(true);
            }
        }
        if self.with_agent(&files).await? {
            return Ok(true);
        }
        for file in &files[named..] {
            if self.with_file(file, &mut encrypted).await? {
                return Ok(true);
            }
        }
        // Asking comes last: it may not be needed.
        for (file, text) in encrypted {
            match open_encrypted(&file, &text, self.target, self.settings).await {
                Ok(key) => {
                    if self.with_key(&file, key).await? {
                        return Ok(true);
                    }
                }
                Err(why) => self.unusable.push(why),
            }
        }
        Ok(false)
    }

    async fn with_file(&mut self, file: &Path, encrypted: &mut Vec<(PathBuf, String)>) -> Result<bool, SessionError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            // The default ones need not be there.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.target.private_key.as_deref() != Some(file) => {
                return Ok(false);
            }
            Err(error) => {
                self.unusable.push(format!("key `{}` cannot be read: {error}", file.display()));
                return Ok(false);
            }
        };
        match decode_secret_key(&text, None) {
            Ok(key) => self.with_key(file, Arc::new(key)).await,
            Err(_) if is_encrypted(&text) => {
                encrypted.push((file.to_owned(), text));
                Ok(false)
            }
            Err(error) => {
                self.unusable.push(format!("key `{}` cannot be used: {error}", file.display()));
                Ok(false)
            }
        }
    }

    async fn with_key(&mut self, file: &Path, key: Arc<PrivateKey>) -> Result<bool, SessionError> {
        let mut beside = file.as_os_str().to_owned();
        beside.push("-cert.pub");
        let mut certificates = vec![PathBuf::from(beside)];
        certificates.extend(self.options.certificate_files.iter().cloned());
        for path in certificates {
            let Ok(certificate) = load_openssh_certificate(&path) else { continue };
            if certificate.public_key() != key.public_key().key_data() {
                continue;
            }
            self.tried.push(format!("certificate `{}`", path.display()));
            let user = self.options.user.clone();
            let asked = self.handle.authenticate_openssh_cert(user, Arc::clone(&key), certificate);
            let result = limited(self.settings.connect_timeout, asked).await?;
            if self.accepted(result) {
                return Ok(true);
            }
        }
        self.tried.push(format!("key `{}`", file.display()));
        let hash = self.rsa_hash(&key.algorithm()).await?;
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let asked = self.handle.authenticate_publickey(self.options.user.clone(), key);
        let result = limited(self.settings.connect_timeout, asked).await?;
        Ok(self.accepted(result))
    }

    /// The newest RSA signature that the server takes; none for other keys.
    async fn rsa_hash(&self, algorithm: &Algorithm) -> Result<Option<HashAlg>, SessionError> {
        if !matches!(algorithm, Algorithm::Rsa { .. }) {
            return Ok(None);
        }
        let best = limited(self.settings.connect_timeout, self.handle.best_supported_rsa_hash()).await?;
        // Servers that do not say take SHA-2 since 2016.
        Ok(best.unwrap_or(Some(HashAlg::Sha512)))
    }

    async fn with_agent(&mut self, files: &[PathBuf]) -> Result<bool, SessionError> {
        let Some(socket) = &self.options.agent_socket else { return Ok(false) };
        let timeout = self.settings.connect_timeout;
        let Ok(Ok(mut agent)) = tokio::time::timeout(timeout, AgentClient::connect_uds(socket)).await else {
            self.unusable.push(format!("the SSH agent at `{}` does not answer", socket.display()));
            return Ok(false);
        };
        let Ok(Ok(identities)) = tokio::time::timeout(timeout, agent.request_identities()).await else {
            self.unusable.push("the SSH agent does not list its keys".into());
            return Ok(false);
        };
        let named: Vec<PublicKey> = files.iter().filter_map(|file| public_half(file)).collect();
        let is_named = |identity: &AgentIdentity| {
            let key = identity.public_key().into_owned();
            named.iter().any(|named| named.key_data() == key.key_data())
        };
        let (mut chosen, others): (Vec<_>, Vec<_>) = identities.into_iter().partition(is_named);
        if !self.options.identities_only {
            chosen.extend(others);
        }
        for identity in chosen.into_iter().take(MOST_AGENT_KEYS) {
            let user = self.options.user.clone();
            // A key that asks for a touch or a confirmation takes its time.
            let patience = Duration::from_secs(60).max(timeout);
            let result = match identity {
                AgentIdentity::PublicKey { key, comment } => {
                    self.tried.push(format!("agent key `{}`", readable(comment.as_bytes())));
                    let hash = self.rsa_hash(&key.algorithm()).await?;
                    let asked = self.handle.authenticate_publickey_with(user, key, hash, &mut agent);
                    tokio::time::timeout(patience, asked).await
                }
                AgentIdentity::Certificate { certificate, comment } => {
                    self.tried.push(format!("agent certificate `{}`", readable(comment.as_bytes())));
                    let hash = self.rsa_hash(&certificate.algorithm()).await?;
                    let asked = self.handle.authenticate_certificate_with(user, certificate, hash, &mut agent);
                    tokio::time::timeout(patience, asked).await
                }
            };
            match result {
                Ok(Ok(result)) => {
                    if self.accepted(result) {
                        return Ok(true);
                    }
                }
                Ok(Err(error)) => self.unusable.push(format!("the SSH agent cannot sign: {error}")),
                Err(_) => return Err(too_slow(patience)),
            }
        }
        Ok(false)
    }

    async fn with_password(&mut self) -> Result<bool, SessionError> {
        let Some(password) = &self.target.password else { return Ok(false) };
        if self.withhold_password {
            self.unusable.push("the password was withheld: the host key is not the known one".into());
            return Ok(false);
        }
        let timeout = self.settings.connect_timeout;
        let user = || self.options.user.clone();
        if self.takes(MethodKind::Password) {
            self.tried.push("password".into());
            let asked = self.handle.authenticate_password(user(), password.reveal());
            let result = limited(timeout, asked).await?;
            if self.accepted(result) {
                return Ok(true);
            }
        }
        if !self.takes(MethodKind::KeyboardInteractive) {
            return Ok(false);
        }
        self.tried.push("password by keyboard-interactive".into());
        let started = self.handle.authenticate_keyboard_interactive_start(user(), None);
        let mut reply = limited(timeout, started).await?;
        let mut given = false;
        loop {
            match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. } => {
                    self.remaining = Some(remaining_methods);
                    return Ok(false);
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    // The password is tried once; a second question is something else.
                    if !prompts.is_empty() && given {
                        return Ok(false);
                    }
                    given |= !prompts.is_empty();
                    let answer = |prompt: &russh::client::Prompt| {
                        if prompt.echo { String::new() } else { password.reveal().to_owned() }
                    };
                    let answers = prompts.iter().map(answer).collect();
                    reply = limited(timeout, self.handle.authenticate_keyboard_interactive_respond(answers)).await?;
                }
            }
        }
    }

    fn takes(&self, method: MethodKind) -> bool {
        self.remaining.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    fn accepted(&mut self, result: AuthResult) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure { remaining_methods, .. } => {
                self.remaining = Some(remaining_methods);
                false
            }
        }
    }

    fn failed(self) -> SessionError {
        let Options { user, hostname, port, .. } = self.options;
        let tried = if self.tried.is_empty() { "nothing, for lack of keys".to_owned() } else { self.tried.join(", ") };
        let mut message = format!("cannot log in as `{user}` on `{hostname}` port {port}: tried {tried}");
        if let Some(methods) = self.remaining.filter(|methods| !methods.is_empty()) {
            let names: Vec<&str> = methods.iter().map(<&str>::from).collect();
            message.push_str(&format!("; the server takes {}", names.join(", ")));
        }
        if !self.unusable.is_empty() {
            message.push_str(&format!("; {}", self.unusable.join("; ")));
        }
        SessionError::unreachable(message).hint(
            "check `ansible_user`, and give a key that the host knows (`ansible_ssh_private_key_file`, the SSH agent) \
             or a password (`ansible_password`)",
        )
    }
}

/// Opened keys, so that a passphrase is asked for once in a run and not once per host.
fn opened() -> &'static Mutex<HashMap<PathBuf, Arc<PrivateKey>>> {
    static OPENED: OnceLock<Mutex<HashMap<PathBuf, Arc<PrivateKey>>>> = OnceLock::new();
    OPENED.get_or_init(Mutex::default)
}

async fn open_encrypted(file: &Path, text: &str, target: &Target, settings: &SessionSettings) -> Result<Arc<PrivateKey>, String> {
    // Held while asking: other hosts wait for the answer.
    let mut opened = opened().lock().await;
    if let Some(key) = opened.get(file) {
        return Ok(Arc::clone(key));
    }
    let passphrase = match (&target.passphrase, &settings.ask) {
        (Some(passphrase), _) => Some(passphrase.clone()),
        (None, Some(ask)) => {
            let (ask, question) = (ask.clone(), format!("Passphrase of key {}: ", file.display()));
            tokio::task::spawn_blocking(move || ask.secret(&question)).await.ok().flatten()
        }
        (None, None) => None,
    };
    let Some(passphrase) = passphrase else {
        return Err(format!("key `{}` is encrypted and there is no passphrase", file.display()));
    };
    let key = decrypt(text.to_owned(), passphrase).await;
    let key = key.ok_or_else(|| format!("the passphrase of key `{}` is wrong", file.display()))?;
    opened.insert(file.to_owned(), Arc::clone(&key));
    Ok(key)
}

/// Slow by design: off the threads that serve connections.
async fn decrypt(text: String, passphrase: Secret) -> Option<Arc<PrivateKey>> {
    let open = move || decode_secret_key(&text, Some(passphrase.reveal())).ok().map(Arc::new);
    tokio::task::spawn_blocking(open).await.ok().flatten()
}

fn is_encrypted(text: &str) -> bool {
    let openssh = || PrivateKey::from_openssh(text).is_ok_and(|key| key.is_encrypted());
    text.contains("ENCRYPTED") || openssh()
}

/// The public half of a key file: from the file beside it, or from the key itself.
fn public_half(file: &Path) -> Option<PublicKey> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".pub");
    let public = std::fs::read_to_string(beside).ok().and_then(|text| PublicKey::from_openssh(text.trim()).ok());
    public.or_else(|| {
        let text = std::fs::read_to_string(file).ok()?;
        // A named `.pub` file stands for the agent's key.
        let named = PublicKey::from_openssh(text.trim()).ok();
        named.or_else(|| PrivateKey::from_openssh(&text).ok().map(|key| key.public_key().clone()))
    })
}

async fn limited<T>(limit: Duration, asked: impl Future<Output = Result<T, russh::Error>>) -> Result<T, SessionError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(SessionError::unreachable(format!("the connection broke while logging in: {error}"))),
        Err(_) => Err(too_slow(limit)),
    }
}

fn too_slow(limit: Duration) -> SessionError {
    SessionError::unreachable(format!("the host did not answer the log-in within {} s", limit.as_secs()))
}
