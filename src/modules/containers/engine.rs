//! Docker and Podman through their command lines: how they are asked, and how they act.
//!
//! Answers are the engines' own JSON. What may be secret goes through standard input or the environment,
//! never through the list of arguments.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::change::ResourceId;
use crate::commands::process::failed;
use crate::host::{CommandLine, Effect, Host, Inspect, Output};
use crate::outcome::Failure;
use crate::system::tool::{Tool, plain_word};

/// Which engine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Docker, a service that its client talks to.
    Docker,
    /// Podman, which has no service.
    Podman,
}

impl Flavor {
    /// The word that resources and programs begin with.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }

    /// Packages that bring the program; the first one is named where it is missing.
    fn tools(self) -> &'static [(&'static str, Tool)] {
        match self {
            Self::Docker => DOCKER,
            Self::Podman => PODMAN,
        }
    }
}

const DOCKER: &[(&str, Tool)] = &[
    ("docker.io", Tool::new("docker", "docker.io")),
    ("docker-ce-cli", Tool::new("docker", "docker-ce-cli")),
    ("docker-ce", Tool::new("docker", "docker-ce")),
    ("docker-cli", Tool::new("docker", "docker-cli")),
    ("moby-cli", Tool::new("docker", "moby-cli")),
];

const PODMAN: &[(&str, Tool)] = &[("podman", Tool::new("podman", "podman"))];

/// An engine, and how it is reached.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    /// Which one.
    pub(crate) flavor: Flavor,
    /// The program.
    pub(crate) program: String,
    /// Words before the command (`-H tcp://...`).
    pub(crate) words: Vec<String>,
    /// Variables for it.
    pub(crate) environment: BTreeMap<String, String>,
    /// How long it may take to answer.
    pub(crate) patience: Option<Duration>,
    /// Where it is, if that is not this host.
    pub(crate) place: Option<String>,
}

impl Engine {
    /// Podman of this name.
    pub(crate) fn podman(executable: &str) -> Self {
        Self {
            flavor: Flavor::Podman,
            program: executable.to_owned(),
            words: Vec::new(),
            environment: BTreeMap::new(),
            patience: None,
            place: None,
        }
    }

    /// The resource of something that this engine has.
    pub(crate) fn id(&self, kind: &str, name: &str) -> ResourceId {
        let kind = format!("{}_{kind}", self.flavor.word());
        match &self.place {
            None => ResourceId::new(&kind, name),
            Some(place) => ResourceId::new(&kind, format!("{place} {name}")),
        }
    }

    /// The program with these arguments.
    pub(crate) fn line<S: Into<String>>(&self, words: impl IntoIterator<Item = S>) -> CommandLine {
        let argv =
            std::iter::once(self.program.clone()).chain(self.words.iter().cloned()).chain(words.into_iter().map(Into::into));
        let mut line = CommandLine::new(argv).env("LC_ALL", "C");
        line.environment.extend(self.environment.clone());
        line
    }

    fn tool(&self, host: &dyn Inspect) -> Tool {
        let tools = self.flavor.tools();
        let planned = |package: &str| host.package(package).ok().flatten().is_some_and(|package| package.planned);
        tools.iter().find(|(package, _)| !host.acts() && planned(package)).unwrap_or(&tools[0]).1
    }

    /// Asks it something, whatever its exit status; `None` in a plan that would install it first.
    pub(crate) fn ask<S: Into<String>>(
        &self,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<Option<Output>, Failure> {
        let mut line = self.line(words);
        line.deadline = self.patience;
        let output = self.tool(host).query(&line, host)?;
        match output {
            Some(output) if output.rc != 0 && !host.acts() && does_not_answer(&output) => {
                Err(Failure::unknown(format!("{} does not answer before this is applied", self.flavor.word())))
            }
            output => Ok(output),
        }
    }

    /// Asks it something that it must be able to answer.
    pub(crate) fn answer<S: Into<String>>(
        &self,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<Option<String>, Failure> {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        match self.ask(words.clone(), host)? {
            Some(output) if output.rc != 0 => Err(failed(&self.line(words), &output)),
            output => Ok(output.map(|output| output.text())),
        }
    }

    /// Asks it for a list: a JSON array, or an object on each line.
    pub(crate) fn list<S: Into<String>>(
        &self,
        words: impl IntoIterator<Item = S>,
        host: &dyn Inspect,
    ) -> Result<Vec<Value>, Failure> {
        self.answer(words, host)?.map_or(Ok(Vec::new()), |text| items(&text))
    }

    /// What it says of a thing of this kind (`container`, `image`, `network` ...); `None` where there is none.
    pub(crate) fn inspect(&self, kind: &str, name: &str, host: &dyn Inspect) -> Result<Option<Value>, Failure> {
        plain_word("name", name)?;
        let words = [kind, "inspect", name];
        let Some(output) = self.ask(words, host)? else { return Ok(None) };
        if output.rc == 0 {
            return Ok(items(&output.text())?.into_iter().next());
        }
        if is_absent(&output) { Ok(None) } else { Err(failed(&self.line(words), &output)) }
    }

    /// Lets it act; it must succeed.
    pub(crate) fn act<S: Into<String>>(
        &self,
        words: impl IntoIterator<Item = S>,
        effects: &[Effect],
        host: &mut dyn Host,
    ) -> Result<Output, Failure> {
        self.run(&self.line(words), effects, host)
    }

    /// Lets it act with a command line of its own; it must succeed.
    pub(crate) fn run(&self, line: &CommandLine, effects: &[Effect], host: &mut dyn Host) -> Result<Output, Failure> {
        self.tool(host.inspect()).run(line, effects, host)
    }
}

/// The items of a JSON array or of lines of JSON; one object is a list of one.
pub(crate) fn items(text: &str) -> Result<Vec<Value>, Failure> {
    let stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let mut list = Vec::new();
    for value in stream {
        match value.map_err(|error| Failure::new(format!("the engine's answer is no JSON: {error}")))? {
            Value::Array(items) => list.extend(items),
            Value::Null => {}
            one => list.push(one),
        }
    }
    Ok(list)
}

/// Whether a failed look means that the thing is not there.
fn is_absent(output: &Output) -> bool {
    let said = output.error_text().to_lowercase();
    matches!(output.text().trim(), "" | "[]") && ["no such", "not found", "not known"].iter().any(|words| said.contains(words))
}

/// Whether the service behind the client cannot be reached.
fn does_not_answer(output: &Output) -> bool {
    let said = output.error_text().to_lowercase();
    ["cannot connect", "failed to connect", "unable to connect", "daemon running"].iter().any(|words| said.contains(words))
}

/// Declares a module's options followed by those of every module of Docker's.
macro_rules! docker_args {
    (
        $(#[doc = $doc:literal])*
        $vis:vis struct $name:ident { $($fields:tt)* }
    ) => {
        $crate::args! {
            $(#[doc = $doc])*
            $vis struct $name {
                $($fields)*
                /// Where the engine is: `unix:///path`, `tcp://host:port`, `ssh://user@host`; missing: what the environment or
                /// the client's settings say, else this host's socket.
                docker_host ("docker_url"): Option<String>,
                /// The client.
                docker_cli: String = "docker".into(),
                /// A context of the client's settings.
                cli_context: Option<String>,
                /// Name that the engine's certificate must be for. The client cannot be told another one than that of
                /// `docker_host`: any other is an error.
                tls_hostname: Option<String>,
                /// Version of the engine's API; `auto`: the newest that both know.
                api_version ("docker_api_version"): String = "auto".into(),
                /// Seconds that the engine has for an answer to a look.
                timeout: u64 = 60,
                /// File of the authorities that may have signed the engine's certificate.
                ca_path ("ca_cert", "tls_ca_cert", "cacert_path"): Option<::std::path::PathBuf>,
                /// File of a certificate to log in with.
                client_cert ("tls_client_cert", "cert_path"): Option<::std::path::PathBuf>,
                /// File of its key.
                client_key ("tls_client_key", "key_path"): Option<::std::path::PathBuf>,
                /// Whether the connection is encrypted, whoever the engine is.
                tls: bool = false,
                /// Accepted: the client always uses `ssh` for `ssh://`.
                use_ssh_client: bool = false,
                /// Whether the connection is encrypted and the engine must have a good certificate.
                validate_certs ("tls_verify"): bool = false,
                /// Whether the client says more in its errors.
                debug: bool = false,
            }
        }
        impl $name {
            /// The engine.
            pub(crate) fn engine(&self) -> ::std::result::Result<$crate::containers::engine::Engine, $crate::outcome::Failure> {
                $crate::containers::engine::Reached {
                    host: self.docker_host.as_deref(),
                    program: &self.docker_cli,
                    context: self.cli_context.as_deref(),
                    name: self.tls_hostname.as_deref(),
                    version: &self.api_version,
                    timeout: self.timeout,
                    files: [
                        ("--tlscacert", self.ca_path.as_deref()),
                        ("--tlscert", self.client_cert.as_deref()),
                        ("--tlskey", self.client_key.as_deref()),
                    ],
                    tls: self.tls,
                    verify: self.validate_certs,
                    debug: self.debug,
                }
                .engine()
            }

            /// The resource of something that the engine has, for claims.
            #[allow(dead_code, reason = "modules that only look claim nothing")]
            fn claimed(&self, kind: &str, name: &str) -> $crate::change::ResourceId {
                match self.engine() {
                    Ok(engine) => engine.id(kind, name),
                    Err(_) => $crate::change::ResourceId::new(kind, name),
                }
            }
        }
    };
}
pub(crate) use docker_args;

/// How Docker is reached, as options say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached<'a> {
    pub(crate) host: Option<&'a str>,
    pub(crate) program: &'a str,
    pub(crate) context: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) version: &'a str,
    pub(crate) timeout: u64,
    pub(crate) files: [(&'static str, Option<&'a std::path::Path>); 3],
    pub(crate) tls: bool,
    pub(crate) verify: bool,
    pub(crate) debug: bool,
}

impl Reached<'_> {
    /// The engine, with the client's words for all this.
    pub(crate) fn engine(self) -> Result<Engine, Failure> {
        let mut words = Vec::new();
        if let Some(host) = self.host {
            plain_word("docker_host", host)?;
            words.extend(["-H".to_owned(), host.to_owned()]);
        }
        if let Some(context) = self.context {
            plain_word("cli_context", context)?;
            if self.host.is_some() {
                return Err(Failure::new("`docker_host` and `cli_context` exclude each other"));
            }
            words.extend(["--context".to_owned(), context.to_owned()]);
        }
        let server =
            self.host.and_then(|host| host.split_once("://")).map(|(_, rest)| rest.split([':', '/']).next().unwrap_or(rest));
        if let Some(name) = self.name.filter(|name| server.is_some_and(|server| server != *name)) {
            return Err(Failure::new(format!(
                "`tls_hostname` `{name}` is not the host of `docker_host`; the docker client cannot do that"
            )));
        }
        if self.verify {
            words.push("--tlsverify".into());
        } else if self.tls {
            words.push("--tls".into());
        }
        for (option, file) in self.files {
            if let Some(file) = file {
                words.extend([option.to_owned(), file.display().to_string()]);
            }
        }
        if self.debug {
            words.push("--debug".into());
        }
        let mut environment = BTreeMap::new();
        if self.version != "auto" {
            environment.insert("DOCKER_API_VERSION".to_owned(), self.version.to_owned());
        }
        let place = self.host.filter(|host| !host.starts_with("unix://")).or(self.context).map(str::to_owned);
        Ok(Engine {
            flavor: Flavor::Docker,
            program: self.program.to_owned(),
            words,
            environment,
            patience: Some(Duration::from_secs(self.timeout.max(1))),
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use serde_json::json;

    const PLAIN: Reached<'static> = Reached {
        host: None,
        program: "docker",
        context: None,
        name: None,
        version: "auto",
        timeout: 60,
        files: [("--tlscacert", None), ("--tlscert", None), ("--tlskey", None)],
        tls: false,
        verify: false,
        debug: false,
    };

    #[test]
    fn an_engine_elsewhere_is_reached_as_the_client_wants_it() {
        let reached = Reached {
            host: Some("tcp://box:2376"),
            verify: true,
            files: [("--tlscacert", Some(std::path::Path::new("/ca"))), ("--tlscert", None), ("--tlskey", None)],
            version: "1.41",
            ..PLAIN
        };
        let engine = reached.engine().unwrap();
        let line = engine.line(["version"]);
        assert_eq!(line.argv, ["docker", "-H", "tcp://box:2376", "--tlsverify", "--tlscacert", "/ca", "version"]);
        assert_eq!(line.environment["DOCKER_API_VERSION"], "1.41");
        assert_eq!(engine.id("volume", "v").to_string(), "docker_volume tcp://box:2376 v");
        assert_eq!(PLAIN.engine().unwrap().id("volume", "v").to_string(), "docker_volume v");
        for bad in [
            Reached { name: Some("other"), ..reached },
            Reached { context: Some("x"), ..reached },
            Reached { host: Some("-x"), ..PLAIN },
        ] {
            assert!(bad.engine().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lists_are_arrays_or_lines() {
        assert_eq!(items("[{\"a\":1},2]\n").unwrap(), [json!({"a": 1}), json!(2)]);
        assert_eq!(items("{\"a\":1}\n{\"a\":2}\n").unwrap(), [json!({"a": 1}), json!({"a": 2})]);
        assert_eq!(items("").unwrap(), Vec::<Value>::new());
        assert!(items("Error").is_err());
    }

    #[test]
    fn what_is_not_there_is_no_failure_and_what_went_wrong_is_one() {
        let engine = PLAIN.engine().unwrap();
        for (stdout, stderr, there) in [
            ("[]\n", "Error response from daemon: No such container: a\n", Some(false)),
            ("[]\n", "Error: no such network: x", Some(false)),
            ("", "Error: a: image not known", Some(false)),
            ("[]\n", "permission denied", None),
        ] {
            let mut host = MemoryHost::default();
            let output = Output { rc: 1, stdout: stdout.into(), stderr: stderr.into() };
            host.answers.push((vec!["docker".into(), "*".into()], output));
            assert_eq!(engine.inspect("container", "a", &host).ok().map(|found| found.is_some()), there, "{stderr}");
        }
    }
}
