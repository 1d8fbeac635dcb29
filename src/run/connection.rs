//! How a host is reached and as whom a task acts, from variables, keywords and the command line.

use std::sync::Arc;
use std::time::Duration;

use super::state::{HostState, RunState};
use crate::playbook::Keywords;
use crate::session::{Become, HostSession, Identity, Secret, SessionError, Target, Transport};
use crate::source::Node;
use crate::template::TemplateError;
use crate::vars::{Precedence, Scope, Value};

/// Variables that decide how a host is reached: facts from the host itself never set them.
pub const CONNECTION_VARIABLES: &[&str] = &[
    "ansible_connection",
    "ansible_host",
    "ansible_ssh_host",
    "ansible_port",
    "ansible_ssh_port",
    "ansible_user",
    "ansible_ssh_user",
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_ssh_private_key_file",
    "ansible_private_key_file",
    "ansible_ssh_private_key_passphrase",
    "ansible_private_key_passphrase",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_args",
    "ansible_host_key_checking",
    "ansible_ssh_host_key_checking",
    "ansible_become",
    "ansible_become_user",
    "ansible_become_method",
    "ansible_become_flags",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
    "ansible_su_pass",
];

/// How long the end of an old session is waited for.
const GOODBYE: Duration = Duration::from_secs(2);

/// Reads variables of a host without its facts.
struct Reader<'a> {
    run: &'a RunState,
    scope: Scope,
}

impl<'a> Reader<'a> {
    fn new(run: &'a RunState, scope: &Scope) -> Self {
        let mut scope = scope.clone();
        scope.layers.retain(|layer| layer.precedence != Precedence::Facts);
        Self { run, scope }
    }

    fn value(&self, names: &[&str]) -> Result<Option<Value>, TemplateError> {
        for name in names {
            if let Some(value) = self.run.renderer.variable(name, &self.scope)?
                && !matches!(value, Value::Null | Value::Omit)
            {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn text(&self, names: &[&str]) -> Result<Option<String>, TemplateError> {
        Ok(self.value(names)?.map(|value| value.to_string()).filter(|text| !text.is_empty()))
    }

    fn secret(&self, names: &[&str]) -> Result<Option<Secret>, TemplateError> {
        Ok(self.text(names)?.map(|text| {
            self.run.redactor.learn(&text);
            Secret::new(text)
        }))
    }

    fn flag(&self, names: &[&str]) -> Result<Option<bool>, TemplateError> {
        Ok(self.value(names)?.and_then(|value| is_true(&value)))
    }

    fn keyword(&self, node: Option<&Node>) -> Result<Option<Value>, TemplateError> {
        let value = node.map(|node| self.run.renderer.value(node, &self.scope)).transpose()?;
        Ok(value.filter(|value| !matches!(value, Value::Null | Value::Omit)))
    }

    fn keyword_text(&self, node: Option<&Node>) -> Result<Option<String>, TemplateError> {
        Ok(self.keyword(node)?.map(|value| value.to_string()).filter(|text| !text.is_empty()))
    }
}

/// A value as a boolean keyword reads it.
pub fn is_true(value: &Value) -> Option<bool> {
    let json = value.to_json().ok()?;
    <bool as stead_modules::args::Arg>::parse(&json).ok()
}

/// Splits arguments as a shell would: blanks, single and double quotes, backslashes.
pub fn shell_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut open) = (Vec::new(), String::new(), false);
    let (mut quote, mut chars) = (None, text.chars());
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => {
                quote = Some(char);
                open = true;
            }
            (Some(end), _) if char == end => quote = None,
            (None | Some('"'), '\\') => {
                word.extend(chars.next());
                open = true;
            }
            (None, _) if char.is_whitespace() => {
                if open {
                    words.push(std::mem::take(&mut word));
                    open = false;
                }
            }
            _ => {
                word.push(char);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    words
}

/// Where a host is and how to log in.
pub fn target(run: &RunState, host: &HostState, scope: &Scope, keywords: &Keywords) -> Result<Target, TemplateError> {
    let read = Reader::new(run, scope);
    let connection = match read.text(&["ansible_connection"])? {
        Some(name) => Some(name),
        None => run.settings.connection.clone().or(read.keyword_text(keywords.connection.as_ref())?),
    };
    let implicit_local = connection.is_none()
        && matches!(&*host.name, "localhost" | "127.0.0.1" | "::1")
        && !run.roster.view().has_host(&host.name);
    let transport = match connection.as_deref().map(|name| name.rsplit('.').next().unwrap_or(name)) {
        Some("local") => Transport::Local,
        Some("memory") => Transport::Memory,
        None if implicit_local => Transport::Local,
        None | Some("ssh" | "smart" | "paramiko" | "paramiko_ssh") => Transport::Ssh,
        Some(other) => {
            return Err(TemplateError {
                kind: crate::template::TemplateErrorKind::Failed,
                message: format!("connection `{other}` is not supported"),
                span: keywords.connection.as_ref().map(|node| node.span),
                defined: None,
                hint: Some("`ssh` and `local` are".into()),
            });
        }
    };
    let mut ssh_args = Vec::new();
    for (at, name) in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"].iter().enumerate() {
        if let Some(text) = read.text(&[name])?.or_else(|| run.settings.ssh_args.get(at).cloned().flatten()) {
            ssh_args.extend(shell_words(&text));
        }
    }
    let port = read.text(&["ansible_port", "ansible_ssh_port"])?.or(read.keyword_text(keywords.port.as_ref())?);
    let user = read.text(&["ansible_user", "ansible_ssh_user"])?;
    let password = read.secret(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?;
    let key = read.text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?;
    Ok(Target {
        host: Arc::clone(&host.name),
        transport,
        address: read.text(&["ansible_host", "ansible_ssh_host"])?.unwrap_or_else(|| host.name.to_string()),
        port: port.and_then(|text| text.parse().ok()),
        user: match user {
            Some(user) => Some(user),
            None => read.keyword_text(keywords.remote_user.as_ref())?.or_else(|| run.settings.remote_user.clone()),
        },
        password: password.or_else(|| run.settings.password.clone()),
        private_key: key.map(std::path::PathBuf::from).or_else(|| run.settings.private_key.clone()),
        passphrase: read.secret(&["ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase"])?,
        ssh_args,
        host_key_checking: read
            .flag(&["ansible_host_key_checking", "ansible_ssh_host_key_checking"])?
            .or(run.settings.host_key_checking),
    })
}

/// As whom a task acts.
pub fn identity(run: &RunState, scope: &Scope, keywords: &Keywords) -> Result<Identity, TemplateError> {
    let read = Reader::new(run, scope);
    let keyword = read.keyword(keywords.r#become.as_ref())?.and_then(|value| is_true(&value));
    let becomes = read.flag(&["ansible_become"])?.or(keyword).unwrap_or(run.settings.r#become);
    if !becomes {
        return Ok(Identity::Login);
    }
    let or = |variable: Option<String>, keyword: Option<String>, setting: Option<&String>, default: &str| {
        variable.or(keyword).or_else(|| setting.cloned()).unwrap_or_else(|| default.to_owned())
    };
    let user = or(
        read.text(&["ansible_become_user"])?,
        read.keyword_text(keywords.become_user.as_ref())?,
        run.settings.become_user.as_ref(),
        "root",
    );
    let login = read.text(&["ansible_user", "ansible_ssh_user"])?;
    if login.as_deref() == Some(user.as_str()) && user == "root" {
        return Ok(Identity::Login);
    }
    let method = or(
        read.text(&["ansible_become_method"])?,
        read.keyword_text(keywords.become_method.as_ref())?,
        run.settings.become_method.as_ref(),
        "sudo",
    );
    let flags = read.text(&["ansible_become_flags"])?.or(read.keyword_text(keywords.become_flags.as_ref())?);
    let password = read.secret(&["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass", "ansible_su_pass"])?;
    Ok(Identity::Become(Become {
        method: method.rsplit('.').next().unwrap_or(&method).to_owned(),
        user,
        flags: flags.map(|flags| shell_words(&flags)).unwrap_or_default(),
        password: password.or_else(|| run.settings.become_password.clone()),
    }))
}

/// The host's session, connected when it is first needed. A host that could not be reached is not
/// tried again.
pub async fn session(
    run: &Arc<RunState>,
    host: &HostState,
    target: impl FnOnce() -> Result<Target, TemplateError>,
) -> Result<Result<Arc<HostSession>, SessionError>, TemplateError> {
    let mut slot = host.session.lock().await;
    if let Some(known) = slot.as_ref() {
        return Ok(known.clone());
    }
    let connected = HostSession::connect(target()?, Arc::clone(&run.settings.session), run.contents.clone()).await.map(Arc::new);
    if let Ok(session) = &connected {
        host.note_reached();
        if session.accepted_new_key() {
            let key = session.host_key().unwrap_or_default();
            run.emit(super::event::Event::Note {
                level: super::event::NoteLevel::Warning,
                host: Some(Arc::clone(&host.name)),
                text: format!("its host key was unknown; accepted and recorded {key}"),
            });
        }
    }
    *slot = Some(connected.clone());
    Ok(connected)
}

/// Forgets the host's session, dead or alive, and connects anew: the host was restarted, or has come up since.
pub async fn reconnect(
    run: &RunState,
    host: &HostState,
    target: Target,
    within: Option<Duration>,
) -> Result<Arc<HostSession>, SessionError> {
    let mut slot = host.session.lock().await;
    if let Some(Ok(old)) = slot.take() {
        // Whoever is gone does not answer a goodbye.
        let _ = tokio::time::timeout(GOODBYE, old.close()).await;
    }
    // The lock ended with the session that held it.
    *host.locked.lock().await = false;
    let mut settings = Arc::clone(&run.settings.session);
    if let Some(within) = within {
        Arc::make_mut(&mut settings).connect_timeout = within;
    }
    let connected = HostSession::connect(target, settings, run.contents.clone()).await.map(Arc::new);
    if connected.is_ok() {
        host.note_reached();
    }
    *slot = Some(connected.clone());
    connected
}

#[cfg(test)]
mod tests {
    use super::shell_words;

    #[test]
    fn arguments_are_split_as_a_shell_does() {
        assert_eq!(
            shell_words(r#"-o ProxyCommand="ssh -W %h:%p jump" -o 'A=b c' d\ e"#),
            ["-o", "ProxyCommand=ssh -W %h:%p jump", "-o", "A=b c", "d e"]
        );
    }
}
