//! `authorized_key`: SSH keys that may log in.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::text_file::TextFile;
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words;
use crate::host::{Attributes, Host, Inspect, User};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages SSH keys that may log in to an account.
    pub struct Args {
        /// The account.
        user: String,
        /// One or more public keys, one a line.
        key: String,
        /// Whether they may log in.
        state: Presence = Presence::Present,
        /// The file instead of `.ssh/authorized_keys` in the home directory; `%u`, `%h` stand for user and home.
        path: Option<PathBuf>,
        /// Whether the file's directory is made and gets owner and mode.
        manage_dir: bool = true,
        /// Options before the key, e.g. `no-port-forwarding,from="10.0.1.1"`.
        key_options: Option<String>,
        /// Whether keys that are not named here are removed.
        exclusive: bool = false,
        /// Comment of the keys instead of theirs.
        comment: Option<String>,
        /// Whether a symbolic link at the file's place is followed; it always is.
        follow: bool = false,
        /// No effect: keys are not fetched from URLs.
        validate_certs: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A key
  authorized_key:
    user: admin
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAhVPDSpKfHgs9JVzVVfGxtgI5GFf1zlOCqlDkBXC2 joe@example.org
- name: With options
  authorized_key:
    user: admin
    key: ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ backup
    key_options: no-port-forwarding,from=\"10.0.1.1\"
    exclusive: true
";

/// The module.
pub struct AuthorizedKey;

/// The account and its file of keys.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    user: User,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource()]
    }
}

/// A line of the file that is a key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    options: String,
    kind: String,
    data: String,
    comment: String,
}

/// Splits a line at blanks outside of quotes.
fn parse(line: &str) -> Option<Key> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let is_kind = |word: &str| ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start));
    let mut at = 0;
    let mut quoted = false;
    let bytes = line.as_bytes();
    if !is_kind(line) {
        while at < bytes.len() && (quoted || !bytes[at].is_ascii_whitespace()) {
            quoted ^= bytes[at] == b'"' && (at == 0 || bytes[at - 1] != b'\\');
            at += 1;
        }
    }
    let (options, rest) = line.split_at(at);
    let mut words = rest.trim_start().splitn(3, char::is_whitespace);
    let kind = words.next().filter(|word| is_kind(word))?.to_owned();
    let data = words.next().filter(|word| !word.is_empty())?.to_owned();
    Some(Key { options: options.to_owned(), kind, data, comment: words.next().unwrap_or_default().trim().to_owned() })
}

impl Key {
    fn line(&self) -> String {
        [&self.options, &self.kind, &self.data, &self.comment]
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn asked(args: &Args) -> Result<Vec<Key>, Failure> {
    if args.key.contains("://") {
        return Err(Failure::new("a key cannot be fetched from a URL; use `lookup('url', ...)` or the key itself"));
    }
    let mut keys = Vec::new();
    for line in args.key.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')) {
        let mut key = parse(line).ok_or_else(|| Failure::new(format!("invalid key specified: {line}")))?;
        if let Some(options) = &args.key_options {
            key.options.clone_from(options);
        }
        if let Some(comment) = &args.comment {
            key.comment.clone_from(comment);
        }
        keys.push(key);
    }
    Ok(keys)
}

fn edit(text: &str, keys: &[Key], state: Presence, exclusive: bool) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for line in text.lines() {
        let Some(now) = parse(line) else {
            if !exclusive || state == Presence::Absent {
                lines.push(line.to_owned());
            }
            continue;
        };
        match (keys.iter().find(|key| key.data == now.data), state) {
            (Some(_), Presence::Absent) => {}
            (Some(key), Presence::Present) => {
                if !seen.contains(&key.data.as_str()) {
                    seen.push(&key.data);
                    let same = key.options == now.options
                        && key.kind == now.kind
                        && (key.comment == now.comment || key.comment.is_empty());
                    lines.push(if same { line.to_owned() } else { key.line() });
                }
            }
            (None, Presence::Present) if exclusive => {}
            (None, _) => lines.push(line.to_owned()),
        }
    }
    if state == Presence::Present {
        lines.extend(keys.iter().filter(|key| !seen.contains(&key.data.as_str())).map(Key::line));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

impl Resource for AuthorizedKey {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let user = host.user(&args.user)?;
        let user = user.ok_or_else(|| Failure::new(format!("Failed to lookup user {}: there is no such account", args.user)))?;
        let path = match &args.path {
            Some(path) => {
                let text = path.display().to_string().replace("%u", &args.user).replace("%h", &user.home.display().to_string());
                PathBuf::from(words::expand_home(&text, host))
            }
            None => user.home.join(".ssh/authorized_keys"),
        };
        Ok(State { file: TextFile::read(&path, host)?, user })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let keys = asked(args)?;
        if now.file.text.is_none() && args.state == Presence::Absent {
            return Ok(now.clone());
        }
        let text = edit(now.file.text.as_deref().unwrap_or_default(), &keys, args.state, args.exclusive);
        Ok(State { file: now.file.with(text), user: now.user.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let user = &step.now.user;
        let own = |mode| Attributes { mode: Some(mode), uid: Some(user.uid), gid: Some(user.gid) };
        if let Some(directory) = step.want.file.path.parent().filter(|_| args.manage_dir) {
            match host.stat(directory)? {
                None => host.make_directory(directory, &own(0o700))?,
                Some(_) if args.path.is_none() => host.set_attributes(directory, &own(0o700))?,
                Some(_) => {}
            }
        }
        step.want.file.write(own(0o600), host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let result = json!({
            "user": args.user, "key": args.key, "state": args.state.word(), "keyfile": after.file.path.display().to_string(),
            "path": args.path.as_ref().map(|path| path.display().to_string()), "exclusive": args.exclusive, "manage_dir": args.manage_dir,
            "key_options": args.key_options, "comment": args.comment, "follow": args.follow, "validate_certs": args.validate_certs,
            "unique": false,
        });
        result.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let mut provides = vec![ResourceId::new("authorized-keys", &args.user)];
        provides.extend(args.path.iter().map(|path| ResourceId::new("file", path.display().to_string())));
        let parent =
            args.path.as_deref().and_then(Path::parent).map(|parent| ResourceId::new("file", parent.display().to_string()));
        Claims::provides(provides).needing([ResourceId::new("user", &args.user)].into_iter().chain(parent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_options_and_comments() {
        let key = parse("from=\"10.0.0.1\",command=\"echo a b\" ssh-ed25519 AAAA me and you").unwrap();
        assert_eq!((key.options.as_str(), key.comment.as_str()), ("from=\"10.0.0.1\",command=\"echo a b\"", "me and you"));
        assert_eq!((parse("# ssh-rsa AAAA"), parse("nonsense")), (None, None));
    }

    #[test]
    fn the_file_is_edited_by_key() {
        let new = [parse("ssh-rsa BBBB new").unwrap()];
        let text = "# mine\nssh-rsa AAAA old\n";
        assert_eq!(edit(text, &new, Presence::Present, false), "# mine\nssh-rsa AAAA old\nssh-rsa BBBB new\n");
        assert_eq!(edit(text, &new, Presence::Present, true), "ssh-rsa BBBB new\n");
        assert_eq!(edit("ssh-rsa BBBB x\n", &new, Presence::Absent, false), "");
        assert_eq!(edit("no-pty ssh-rsa BBBB x\n", &new, Presence::Present, false), "ssh-rsa BBBB new\n");
    }
}
