//! `docker_login`: credentials for a registry, in the client's settings.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Map, Value, json};

use super::engine::{Engine, docker_args};
use crate::accounts::group::Presence;
use crate::change::{Change, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::host::{CommandLine, Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;

/// The registry that is meant where none is named.
const DEFAULT: &str = "https://index.docker.io/v1/";

docker_args! {
    /// Logs in to a registry, or out: what the docker client keeps for it in its settings or its store of credentials.
    ///
    /// The password goes through standard input.
    pub struct Args {
        /// Address of the registry.
        registry_url ("registry", "url"): String = DEFAULT.into(),
        /// Name of the account.
        username: Option<String>,
        /// Its password or token.
        password: Option<String>,
        /// Whether to log in also where the same credentials are kept already.
        reauthorize ("reauth"): bool = false,
        /// The client's settings, a file named `config.json`.
        config_path ("dockercfg_path"): PathBuf = "~/.docker/config.json".into(),
        /// Whether it is logged in.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Log in
  docker_login:
    registry_url: registry.example.org
    username: deploy
    password: secret
- name: Log out
  docker_login:
    registry_url: old.example.org
    state: absent
";

/// The module.
pub struct DockerLogin;

/// What is kept for the registry.
#[derive(Debug, Clone)]
pub struct State {
    login: Object,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let mut state = self.login.resource(&["username"]);
        if self.login.exists() {
            state = state.with_secret("password", self.login.get("password").clone());
        }
        vec![state]
    }
}

/// The client's settings, and the program with the directory that they are in.
fn settings(args: &Args, host: &dyn Inspect) -> Result<(Engine, PathBuf), Failure> {
    let mut engine = args.engine()?;
    plain_word("registry_url", &args.registry_url)?;
    let path = expand_path(&args.config_path, host);
    let directory = path.parent().filter(|_| path.file_name().is_some_and(|name| name == "config.json"));
    let Some(directory) = directory else {
        return Err(Failure::new(format!(
            "`config_path`: the docker client can only use a file named `config.json`, not `{}`",
            path.display()
        )));
    };
    engine.words.splice(0..0, ["--config".to_owned(), directory.display().to_string()]);
    Ok((engine, path))
}

/// What the settings keep for a registry: account and password.
fn kept(path: &Path, registry: &str, host: &dyn Inspect) -> Result<Option<(String, String)>, Failure> {
    if host.stat(path)?.is_none() {
        return Ok(None);
    }
    let text = host.read(path, 4 << 20)?;
    let settings: Value = serde_json::from_slice(&text).map_err(|error| Failure::at("read", path, error))?;
    let plain = registry.trim_start_matches("https://").trim_start_matches("http://");
    let store = settings["credHelpers"][plain].as_str().or(settings["credsStore"].as_str());
    if let Some(store) = store {
        let line = CommandLine::new([format!("docker-credential-{store}"), "get".to_owned()]).input(registry);
        let output = host.query(&line)?;
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        return Ok(match (&said["Username"], &said["Secret"]) {
            (Value::String(user), Value::String(secret)) if output.rc == 0 => Some((user.clone(), secret.clone())),
            _ => None,
        });
    }
    let auths = &settings["auths"];
    let found = [registry, plain].into_iter().map(|name| &auths[name]).find(|found| !found.is_null());
    let decoded = found
        .and_then(|found| found["auth"].as_str())
        .and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(text.and_then(|text| text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))))
}

fn id(args: &Args, path: &Path) -> ResourceId {
    ResourceId::new("docker_login", format!("{} in {}", args.registry_url, path.display()))
}

impl Resource for DockerLogin {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let (_, path) = settings(args, host)?;
        let id = id(args, &path);
        if let Some(login) = Object::planned(&id, host) {
            return Ok(State { login });
        }
        Ok(State {
            login: match kept(&path, &args.registry_url, host)? {
                None => Object::absent(id),
                Some((user, password)) => {
                    Object::present(id, properties([("username", user.into()), ("password", password.into())]))
                }
            },
        })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let id = now.login.id.clone();
        if args.state == Presence::Absent {
            return Ok(State { login: Object::absent(id) });
        }
        let (Some(user), Some(password)) = (&args.username, &args.password) else {
            return Err(Failure::new("state is present but all of the following are missing: username, password"));
        };
        plain_word("username", user)?;
        Ok(State { login: Object::present(id, properties([("username", json!(user)), ("password", json!(password))])) })
    }

    fn runs(args: &Args, now: &State, want: &State) -> Vec<Change> {
        let again = args.reauthorize && now.login.exists() && want.login.exists();
        if again { vec![Change::run(now.login.id.clone())] } else { Vec::new() }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (engine, _) = settings(args, host.inspect())?;
        let effect = [step.want.login.effect(&step.now.login)];
        let server: &[&str] = if args.registry_url == DEFAULT { &[] } else { &[&args.registry_url] };
        if step.want.login.exists() {
            let user = args.username.as_deref().unwrap_or_default();
            let words = ["login", "--username", user, "--password-stdin"].into_iter().chain(server.iter().copied());
            let line = engine.line(words).input(args.password.as_deref().unwrap_or_default());
            engine.run(&line, &effect, host)?;
        } else {
            engine.act(["logout"].into_iter().chain(server.iter().copied()), &effect, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        if args.state == Presence::Absent {
            return Map::new();
        }
        let login = json!({"serveraddress": args.registry_url, "username": args.username});
        properties([("login_result", login)])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(args, &args.config_path)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;

    fn apply(options: &Value, settings: &Value, host: &mut MemoryHost) -> Result<Vec<(Vec<String>, Vec<u8>)>, Failure> {
        host.add_file("/root/.docker/config.json", &settings.to_string());
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        resource::converge::<DockerLogin>(&args, host)?;
        Ok(host.ran.iter().map(|line| (line.argv.clone(), line.stdin.clone().unwrap_or_default())).collect())
    }

    #[test]
    fn the_password_is_no_argument_and_is_compared() {
        let options = json!({"registry_url": "r.example.org", "username": "me", "password": "s3cret"});
        let auth =
            |text: &str| json!({"auths": {"r.example.org": {"auth": base64::engine::general_purpose::STANDARD.encode(text)}}});
        for (settings, expected) in [(json!({}), 1), (auth("me:s3cret"), 0), (auth("me:other"), 1), (auth("you:s3cret"), 1)] {
            let ran = apply(&options, &settings, &mut MemoryHost::default()).unwrap();
            assert_eq!(ran.len(), expected, "{settings}");
            for (argv, stdin) in ran {
                assert_eq!(argv.join(" "), "docker --config /root/.docker login --username me --password-stdin r.example.org");
                assert_eq!(stdin, b"s3cret");
            }
        }
    }

    #[test]
    fn a_store_of_credentials_is_asked() {
        let mut host = MemoryHost::default();
        host.answer(&["docker-credential-pass", "get"], 0, "{\"Username\":\"me\",\"Secret\":\"s3cret\"}");
        let options = json!({"registry_url": "r.example.org", "username": "me", "password": "s3cret"});
        assert_eq!(apply(&options, &json!({"credsStore": "pass"}), &mut host).unwrap(), []);
        let odd = json!({"username": "me", "password": "x", "config_path": "/etc/other.json"});
        assert!(apply(&odd, &json!({}), &mut host).unwrap_err().message.contains("config.json"));
    }
}
