//! `known_hosts`: keys of SSH servers that are trusted.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::edit::{self, Edited, Missing};
use super::state;
use super::tempfile::random_word;
use crate::accounts::group::Presence;
use crate::args;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages the keys of one SSH server in a file of known hosts.
    pub struct Args {
        /// Name of the server as it stands before the key; `[name]:port` where the port is not 22.
        name ("host"): String,
        /// The key with the server's name before it, as `ssh-keyscan` prints it; several on lines of
        /// their own. Without it, `state: absent` removes all keys of the server.
        key: Option<String>,
        /// The file. Links are followed.
        path: PathBuf = "~/.ssh/known_hosts".into(),
        /// Whether names are written so that they cannot be read back.
        hash_host: bool = false,
        /// Whether the keys are there.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A server that is known to everybody
  known_hosts:
    path: /etc/ssh/ssh_known_hosts
    name: git.example.org
    key: git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAhVPDSpKfHgs9JVzVVfGxtgI5GFf1zlOCqlDkBXC2AB
- name: A server that is no longer trusted
  known_hosts:
    path: /etc/ssh/ssh_known_hosts
    name: git.example.org
    state: absent
";

/// The module.
pub struct KnownHosts;

/// The file, and a salt for a new hashed name.
#[derive(Debug, Clone)]
pub struct State {
    file: Edited,
    salt: [u8; 20],
}

impl resource::State for State {
    fn resources(&self) -> Vec<crate::change::ResourceState> {
        resource::State::resources(&self.file)
    }
}

/// A line of the file: a mark (`@revoked`), names, kind and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line<'a> {
    mark: &'a str,
    names: &'a str,
    kind: &'a str,
    key: &'a str,
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut words = line.split_whitespace().peekable();
    let mark = words.next_if(|word| word.starts_with('@')).unwrap_or_default();
    let names = words.next().filter(|names| !names.starts_with('#'))?;
    Some(Line { mark, names, kind: words.next()?, key: words.next()? })
}

/// SHA-1 of a name under a salt, as `HashKnownHosts` keeps it.
fn hmac(salt: &[u8], name: &str) -> Vec<u8> {
    let mut key = [0_u8; 64];
    if salt.len() > key.len() {
        key[..20].copy_from_slice(&Sha1::digest(salt));
    } else {
        key[..salt.len()].copy_from_slice(salt);
    }
    let inner = Sha1::new().chain_update(key.map(|byte| byte ^ 0x36)).chain_update(name).finalize();
    Sha1::new().chain_update(key.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn hashed(salt: &[u8], name: &str) -> String {
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hmac(salt, name)))
}

fn is_hashed(names: &str) -> bool {
    names.starts_with("|1|")
}

/// Whether a line is about a server of this name. Patterns are not matched: they are about others, too.
fn is_about(names: &str, name: &str) -> bool {
    if let Some(rest) = names.strip_prefix("|1|") {
        let parts =
            rest.split_once('|').and_then(|(salt, hash)| Some((STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?)));
        return parts.is_some_and(|(salt, hash)| hmac(&salt, name) == hash);
    }
    names.split(',').any(|other| other.eq_ignore_ascii_case(name))
}

impl Args {
    fn name(&self) -> String {
        self.name.to_lowercase()
    }

    /// The lines that are given; each must be about the server.
    fn given(&self) -> Result<Vec<&str>, Failure> {
        let text = self.key.as_deref().unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        if self.state == Presence::Present && lines.is_empty() {
            return Err(Failure::new("No key specified when adding a host"));
        }
        for line in &lines {
            let parsed = parse(line).filter(|line| STANDARD.decode(line.key).is_ok());
            let parsed =
                parsed.ok_or_else(|| Failure::new(format!("`{line}` is not a server's name, a kind of key and a key")))?;
            if !is_about(parsed.names, &self.name()) {
                return Err(Failure::new("Host parameter does not match hashed host field in supplied key"));
            }
        }
        Ok(lines)
    }

    fn absent(&self, text: &str) -> Result<String, Failure> {
        let given: Vec<Line<'_>> = self.given()?.into_iter().filter_map(parse).collect();
        let name = self.name();
        let goes = |line: &str| {
            parse(line).is_some_and(|line| {
                let is_it = |given: &Line<'_>| given.kind == line.kind && given.key == line.key;
                is_about(line.names, &name) && (given.is_empty() || given.iter().any(is_it))
            })
        };
        Ok(text.split_inclusive('\n').filter(|line| !goes(line)).collect())
    }

    fn present(&self, text: &str, salt: &[u8]) -> Result<String, Failure> {
        let name = self.name();
        let mut text = text.to_owned();
        for given in self.given()? {
            let wanted = parse(given).expect("what is given was checked");
            let same = |line: &Line<'_>| (line.mark, line.kind) == (wanted.mark, wanted.kind) && is_about(line.names, &name);
            let is_there = |line: &Line<'_>| {
                same(line) && line.key == wanted.key && (is_hashed(line.names) == self.hash_host || is_hashed(wanted.names))
            };
            if text.lines().filter_map(parse).any(|line| is_there(&line)) {
                continue;
            }
            // Another key of the same kind is no longer the server's.
            let stays = |line: &&str| !parse(line).is_some_and(|line| same(&line));
            text = text.split_inclusive('\n').filter(stays).collect();
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            if self.hash_host && !is_hashed(wanted.names) {
                text.extend([wanted.mark, if wanted.mark.is_empty() { "" } else { " " }]);
                text.push_str(&format!("{} {} {}\n", hashed(salt, &name), wanted.kind, wanted.key));
            } else {
                text.push_str(given);
                text.push('\n');
            }
        }
        Ok(text)
    }
}

impl Resource for KnownHosts {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.name.is_empty() || args.name.contains(|c: char| c.is_whitespace() || c == ',') {
            return Err(Failure::new(format!("`{}` is not the name of one server", args.name)));
        }
        let plain = super::attributes::Written { owner: None, group: None, mode: None };
        let file = edit::read(&args.path, plain, Missing::Leave, host)?;
        let mut salt = [0; 20];
        salt.copy_from_slice(random_word(20).as_bytes());
        Ok(State { file, salt })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let text = String::from_utf8_lossy(&now.file.text);
        let exists = now.file.file.kind.is_some();
        let edited = match args.state {
            Presence::Absent if !exists => return Ok(State { file: edit::leave(&now.file), ..now.clone() }),
            Presence::Absent => args.absent(&text)?,
            Presence::Present => args.present(&text, &now.salt)?,
        };
        let edited = if edited == text { now.file.text.clone() } else { edited.into_bytes() };
        Ok(State { file: edit::want(&now.file, edited, ""), ..now.clone() })
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = edit::write(&step.now.file, &step.want.file, None, false, "backup_file", host)?;
        written.result.remove("msg");
        Ok(written)
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let mut result = if after.file.file.kind.is_some() { after.file.file.result() } else { Map::new() };
        result.insert("name".into(), args.name().into());
        result.insert("key".into(), json!(args.key));
        result.insert("path".into(), after.file.shown.as_str().into());
        result.insert("hash_host".into(), args.hash_host.into());
        result
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.path, None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry::find;

    const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAhVPDSpKfHgs9JVzVVfGxtgI5GFf1zlOCqlDkBXC2AB";
    const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAhVPDSpKfHgs9JVzVVfGxtgI5GFf1zlOCqlDkBXC2AC";
    const C: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ==";

    fn named(text: &str) -> String {
        [(" A", A), (" B", B), (" C", C)].iter().fold(text.to_owned(), |text, (word, key)| {
            text.replace(&format!("{word}\n"), &format!(" {key}\n")).replace(&format!("{word} "), &format!(" {key} "))
        })
    }

    #[test]
    fn keys_are_replaced_and_removed_as_the_namesake_does() {
        // `A` and `B` are keys of one kind, `C` of another. Run through the module of ansible-core.
        for (text, name, key, present, expected) in [
            ("", "h", "h A\n", true, "h A\n"),
            ("h A\n", "h", "h A\n", true, "h A\n"),
            ("h A\n", "H", "h A comment", true, "h A\n"),
            ("h,10.0.0.1 A\nx C\n", "h", "h B\n", true, "x C\nh B\n"),
            ("h,10.0.0.1 A\nx C\n", "h", "", false, "x C\n"),
            ("h A\nh C\n", "h", "h C\n", false, "h A\n"),
            ("h A\nh C\n", "h", "", false, ""),
            ("h A\nh C\n", "h", "h B\n", true, "h C\nh B\n"),
            ("", "g", "h,g B\ng C\n", true, "h,g B\ng C\n"),
            ("[h]:2222 A\n", "[h]:2222", "[h]:2222 B\n", true, "[h]:2222 B\n"),
            ("[h]:2222 A\n", "h", "h A\n", true, "[h]:2222 A\nh A\n"),
            ("@revoked h A\n", "h", "h A\n", true, "@revoked h A\nh A\n"),
            ("", "h", "@cert-authority h A\n", true, "@cert-authority h A\n"),
        ] {
            let mut host = MemoryHost::default();
            host.add_file("/f", &named(text));
            let mut options = Map::from_iter([("path".to_owned(), json!("/f")), ("name".to_owned(), json!(name))]);
            options.insert("state".into(), if present { "present" } else { "absent" }.into());
            if !key.is_empty() {
                options.insert("key".into(), named(key).into());
            }
            let outcome = (find("known_hosts").unwrap().run)(&options, &mut host);
            assert_eq!(host.text("/f").unwrap(), named(expected), "{text:?} {key:?}: {:?}", outcome.result.get("msg"));
        }
    }

    #[test]
    fn hashed_names_are_those_of_openssh() {
        // From `ssh-keygen -H`.
        let names = "|1|veatFcHdI759EbffyWUpwjgltNM=|i27h1nCvuxFuQmLUS1yZVyQDmiM=";
        assert!(is_about(names, "git.example.org") && !is_about(names, "example.org"));
        let salt = STANDARD.decode(names.split('|').nth(2).unwrap()).unwrap();
        assert_eq!(hashed(&salt, "git.example.org"), names);
    }

    #[test]
    fn a_hashed_name_replaces_a_plain_one_once() {
        let mut host = MemoryHost::default();
        host.add_file("/f", &named("h A\n"));
        let options = json!({"path": "/f", "name": "h", "key": named("h A\n"), "hash_host": true}).as_object().unwrap().clone();
        let run = find("known_hosts").unwrap().run;
        assert_eq!(run(&options, &mut host).ending, crate::outcome::Ending::Changed);
        let text = host.text("/f").unwrap();
        assert!(text.starts_with("|1|") && is_about(text.split(' ').next().unwrap(), "h"), "{text}");
        assert_eq!(run(&options, &mut host).ending, crate::outcome::Ending::Ok);
    }

    #[test]
    fn what_is_not_a_key_of_that_server_is_refused() {
        for key in ["nonsense", "other ssh-ed25519 AAAA", "h ssh-ed25519 ???"] {
            let mut host = MemoryHost::default();
            let options = json!({"path": "/f", "name": "h", "key": key}).as_object().unwrap().clone();
            assert_eq!((find("known_hosts").unwrap().run)(&options, &mut host).ending, crate::outcome::Ending::Failed, "{key}");
        }
    }
}
