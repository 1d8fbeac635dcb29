//! `htpasswd`: one user in a web server's file of passwords.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::crypt::{Scheme, crypt};
use super::edit::{self, Edited, Missing};
use super::state::{self, Body, Put, make_directories};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::Tool;

file_args! {
    /// Manages one user in a file of passwords for HTTP basic authentication. A password that the
    /// file has already, under whatever scheme, is no change.
    pub struct Args {
        /// The file. Links are followed.
        path ("dest", "destfile"): PathBuf,
        /// The user.
        name ("username"): String,
        /// The password; needed for a user that is not there yet.
        password: Option<String>,
        /// How a new password is hashed: `apr_md5_crypt`, `md5_crypt`, `ldap_sha1`, `sha256_crypt`,
        /// `sha512_crypt`, `plaintext`, or `bcrypt` (with the program `htpasswd` of the host).
        hash_scheme ("crypt_scheme"): String = "apr_md5_crypt".into(),
        /// Whether the user is in the file.
        state: Presence = Presence::Present,
        /// Whether a missing file is made.
        create: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A user
  htpasswd:
    path: /etc/nginx/passwords
    name: jane
    password: '9s36?;fyNp'
    owner: root
    group: www-data
    mode: '0640'
- name: No such user
  htpasswd:
    path: /etc/default/app
    name: jane
    state: absent
";

const HTPASSWD: Tool = Tool::new("htpasswd", "apache2-utils");

/// The module.
pub struct Htpasswd;

/// The file, and the user's line in it.
#[derive(Debug, Clone)]
pub struct State {
    file: Edited,
    id: ResourceId,
    hash: Option<String>,
    /// The password is that of the hash.
    fits: bool,
    /// A new hash, where one is needed.
    new: Option<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        // The text is full of secrets: only the user is compared.
        let mut file = self.file.clone();
        file.file.content = None;
        let mut list = resource::State::resources(&file);
        list.push(match &self.hash {
            None => ResourceState::absent(self.id.clone()),
            Some(hash) => ResourceState::present(self.id.clone()).with_secret("password", hash.as_str()),
        });
        list
    }
}

fn name_of(line: &str) -> Option<&str> {
    line.split_once(':').map(|(name, _)| name).filter(|name| !name.starts_with('#'))
}

/// The text with the user's line like this, or without it.
fn with_line(text: &str, name: &str, hash: Option<&str>) -> String {
    let mut done = String::with_capacity(text.len() + 64);
    let mut line = hash.map(|hash| format!("{name}:{hash}\n"));
    for old in text.lines() {
        if name_of(old) == Some(name) {
            done.push_str(&line.take().unwrap_or_default());
        } else {
            done.push_str(old);
            done.push('\n');
        }
    }
    done + &line.unwrap_or_default()
}

fn hash(password: &str, scheme: &str, host: &dyn Inspect) -> Result<String, Failure> {
    let known = Scheme::named(scheme).ok_or_else(|| Failure::new(format!("`hash_scheme`: `{scheme}` is not known here")))?;
    if let Some(hash) = crypt(password.as_bytes(), &known.new_setting()) {
        return Ok(hash);
    }
    // The password goes by standard input.
    let line = HTPASSWD.line(["-n", "-i", "-B", "user"]).input(password.as_bytes().to_vec());
    let output = HTPASSWD.query(&line, host)?;
    let said = output.map(|output| output.text()).unwrap_or_default();
    match said.trim().strip_prefix("user:") {
        Some(hash) => Ok(hash.to_owned()),
        // In a plan that installs the program first.
        None if !host.acts() => Ok("$2y$".into()),
        None => Err(Failure::new("`htpasswd` did not make a hash")),
    }
}

impl Args {
    /// Whether the password is the one in the file.
    fn fits(&self, found: &str, host: &dyn Inspect) -> Result<bool, Failure> {
        let Some(password) = &self.password else { return Ok(true) };
        if Scheme::of(found) != Scheme::Bcrypt {
            return Ok(crypt(password.as_bytes(), found).as_deref() == Some(found));
        }
        let path = crate::commands::words::expand_path(&self.path, host).display().to_string();
        let line = HTPASSWD.line(["-v", "-i", "--", &path, &self.name]).input(password.as_bytes().to_vec());
        Ok(HTPASSWD.query(&line, host)?.is_some_and(|output| output.rc == 0))
    }
}

impl Resource for Htpasswd {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.name.is_empty() || args.name.contains([':', '\n', '#']) || args.name.starts_with('-') {
            return Err(Failure::new(format!("`{}` cannot be the name of a user", args.name)));
        }
        if args.password.as_ref().is_some_and(|password| password.contains('\n')) {
            return Err(Failure::new("a password cannot have a newline in it"));
        }
        let creates = args.create && args.state == Presence::Present;
        let missing = if creates { Missing::Create } else { Missing::Leave };
        let file = edit::read(&args.path, args.wanted_attributes(), missing, host)?;
        let text = String::from_utf8_lossy(&file.text);
        let found = text.lines().filter(|line| name_of(line) == Some(&args.name)).find_map(|line| line.split(':').nth(1));
        let found = found.map(str::to_owned);
        let fits = found.as_deref().map(|found| args.fits(found, host)).transpose()?.unwrap_or(false);
        let new = match &args.password {
            Some(password) if !fits && args.state == Presence::Present => Some(hash(password, &args.hash_scheme, host)?),
            _ => None,
        };
        let id = ResourceId::new("web user", format!("{}:{}", file.shown, args.name));
        Ok(State { file, id, hash: found, fits, new })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let exists = now.file.file.kind.is_some();
        let mut want = now.clone();
        if args.state == Presence::Absent && !exists {
            want.file = edit::leave(&now.file);
            return Ok(want);
        }
        if !exists && !args.create {
            return Err(Failure::new(format!("Destination {} does not exist", now.file.shown)));
        }
        want.hash = match args.state {
            Presence::Absent => None,
            Presence::Present if now.fits => now.hash.clone(),
            Presence::Present => now.new.clone(),
        };
        if args.state == Presence::Present && want.hash.is_none() {
            return Err(Failure::new(format!("password is required for `{}`, who is not in the file", args.name)));
        }
        let text = String::from_utf8_lossy(&now.file.text).into_owned();
        let text = if want.hash == now.hash { text } else { with_line(&text, &args.name, want.hash.as_deref()) };
        want.file = edit::want(&now.file, text.into_bytes(), "");
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        make_directories(&step.want.file.above, host)?;
        let how = Put { body: Body::Bytes(&step.want.file.text), validate: None, backup: false, backup_field: "backup_file" };
        let written = state::put(&step.now.file.file, &step.want.file.file, &how, host)?;
        let name = &args.name;
        let message = match (args.state, &step.now.hash) {
            (Presence::Absent, Some(_)) => format!("Remove {name}"),
            (Presence::Present, None) if step.now.file.file.kind.is_none() => {
                format!("Created {} and added {name}", step.want.file.shown)
            }
            (Presence::Present, None) => format!("Added {name}"),
            (Presence::Present, Some(_)) if !step.now.fits => format!("Updated {name}"),
            _ => String::new(),
        };
        Ok(if message.is_empty() { written } else { written.with("msg", message) })
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let name = &args.name;
        let message = match (args.state, after.file.file.kind) {
            (Presence::Present, _) => format!("{name} already present"),
            (Presence::Absent, None) => format!("{} not present", after.file.shown),
            (Presence::Absent, Some(_)) => format!("{name} not present"),
        };
        Map::from_iter([("path".to_owned(), after.file.shown.as_str().into()), ("msg".to_owned(), message.into())])
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.path, args.owner.as_deref(), args.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::Ending;
    use crate::registry::find;
    use serde_json::json;

    fn run(host: &mut MemoryHost, options: Value) -> crate::outcome::Outcome {
        let mut options = options.as_object().unwrap().clone();
        options.insert("path".into(), "/f".into());
        (find("htpasswd").unwrap().run)(&options, host)
    }

    #[test]
    fn a_password_that_is_there_is_left_and_another_replaced_in_place() {
        let mut host = MemoryHost::default();
        host.add_file("/f", "# kept\njoe:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\njane:$apr1$abcdefgh$x\n");
        assert_eq!(run(&mut host, json!({"name": "joe", "password": ""})).ending, Ending::Ok);
        let outcome = run(&mut host, json!({"name": "joe", "password": "secret", "hash_scheme": "ldap_sha1"}));
        assert_eq!((outcome.ending, outcome.result["msg"].as_str()), (Ending::Changed, Some("Updated joe")));
        let text = "# kept\njoe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\njane:$apr1$abcdefgh$x\n";
        assert_eq!(host.text("/f").as_deref(), Some(text));
        assert_eq!(run(&mut host, json!({"name": "jane", "state": "absent"})).ending, Ending::Changed);
        assert_eq!(host.text("/f").as_deref(), text.split("jane").next());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut host = MemoryHost::default();
        let outcome = run(&mut host, json!({"name": "joe", "password": "geheim", "hash_scheme": "plaintext"}));
        assert_eq!(outcome.ending, Ending::Changed);
        assert!(!serde_json::to_string(&outcome).unwrap().contains("geheim"));
    }

    #[test]
    fn names_cannot_break_the_file() {
        for name in ["a:b", "a\nb", "", "-c"] {
            assert_eq!(
                run(&mut MemoryHost::default(), json!({"name": name, "password": "x"})).ending,
                Ending::Failed,
                "{name:?}"
            );
        }
    }
}
