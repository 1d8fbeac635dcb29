//! How a host is to be reached: connection variables first, then the arguments of
//! `ansible_ssh_common_args`, then `ssh_config` as OpenSSH itself reads it (`ssh -G`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::session::error::SessionError;
use crate::session::target::{SessionSettings, Target};

/// How long `ssh -G` may take.
const ASKING: Duration = Duration::from_secs(15);
/// Keys that are tried where no other is named, below the home directory.
const DEFAULT_KEYS: [&str; 3] = [".ssh/id_ed25519", ".ssh/id_ecdsa", ".ssh/id_rsa"];

/// What is done about a host key that is not in any file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Refuse it.
    Strict,
    /// Accept and record it; a changed one is refused.
    AcceptNew,
    /// Accept whatever comes.
    Off,
}

/// How a host is to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    /// Address or name to connect to.
    pub(super) hostname: String,
    /// Port.
    pub(super) port: u16,
    /// Login user.
    pub(super) user: String,
    /// Private keys, in the order in which they are tried.
    pub(super) identity_files: Vec<PathBuf>,
    /// Certificates for them beside the ones found by name.
    pub(super) certificate_files: Vec<PathBuf>,
    /// Of the agent's keys, use only those that are named as files.
    pub(super) identities_only: bool,
    /// The agent's socket.
    pub(super) agent_socket: Option<PathBuf>,
    /// Hosts to go through, the first one first.
    pub(super) proxy_jump: Vec<String>,
    /// A command whose standard input and output are the connection.
    pub(super) proxy_command: Option<String>,
    /// Host key files; the first is the one that is written.
    pub(super) user_known_hosts: Vec<PathBuf>,
    /// Host key files that are only read.
    pub(super) global_known_hosts: Vec<PathBuf>,
    /// The name under which the host key is looked up.
    pub(super) host_key_alias: Option<String>,
    /// What is done about unknown keys.
    pub(super) strictness: Strictness,
    /// Record names hashed.
    pub(super) hash_known_hosts: bool,
    /// Limit for connecting.
    pub(super) connect_timeout: Duration,
}

/// Finds out how a target is to be reached.
pub(super) async fn resolve(target: &Target, settings: &SessionSettings) -> Result<Options, SessionError> {
    let arguments = parse_arguments(&target.ssh_args)?;
    let mut pairs = Vec::new();
    if let Some(port) = target.port {
        pairs.push(("port".to_owned(), port.to_string()));
    }
    if let Some(user) = &target.user {
        pairs.push(("user".to_owned(), user.clone()));
    }
    pairs.extend(arguments.pairs.clone());
    if matters(&arguments, settings.home.as_deref()) {
        pairs.extend(ask_openssh(target).await?);
    }
    let mut options = from_pairs(&target.address, &pairs, settings)?;
    if let Some(key) = &target.private_key {
        let key = expand(&key.to_string_lossy(), settings.home.as_deref());
        options.identity_files.retain(|file| *file != key);
        options.identity_files.insert(0, key);
    }
    if settings.accept_new_host_keys && options.strictness == Strictness::Strict {
        options.strictness = Strictness::AcceptNew;
    }
    if target.host_key_checking == Some(false) {
        options.strictness = Strictness::Off;
    }
    Ok(options)
}

/// `ssh` arguments as the options that they stand for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    pairs: Vec<(String, String)>,
    config_file: Option<String>,
}

fn parse_arguments(arguments: &[String]) -> Result<Arguments, SessionError> {
    let mut parsed = Arguments::default();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            return Err(bad_argument(word, "it is not an option"));
        };
        let flag = flags.chars().next().expect("it is not empty");
        if !"BbcDEeFIiJLlmOopQRSWw".contains(flag) {
            continue; // a switch such as -C, -q or -4
        }
        let rest = &flags[flag.len_utf8()..];
        let value = if rest.is_empty() { words.next().map(String::as_str) } else { Some(rest) };
        let Some(value) = value else { return Err(bad_argument(word, "its value is missing")) };
        let pair = |name: &str| (name.to_owned(), value.to_owned());
        match flag {
            'o' => parsed.pairs.push(split_option(value).ok_or_else(|| bad_argument(value, "write NAME=VALUE"))?),
            'p' => parsed.pairs.push(pair("port")),
            'l' => parsed.pairs.push(pair("user")),
            'i' => parsed.pairs.push(pair("identityfile")),
            'J' => parsed.pairs.push(pair("proxyjump")),
            'F' => parsed.config_file = Some(value.to_owned()),
            _ => {} // ciphers, forwardings and so on are not for us
        }
    }
    Ok(parsed)
}

/// `Name=value`, `Name value` or `Name = "value"`.
fn split_option(text: &str) -> Option<(String, String)> {
    let (name, value) = text.trim().split_once(|c: char| c == '=' || c.is_whitespace())?;
    let value = value.trim().trim_start_matches('=').trim();
    let plain = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    Some((name.trim().to_ascii_lowercase(), plain.to_owned()))
}

fn bad_argument(word: &str, why: &str) -> SessionError {
    SessionError::unreachable(format!("SSH argument `{word}` cannot be used: {why}"))
        .hint("it stands in `ansible_ssh_common_args` or `ansible_ssh_extra_args`")
}

/// Whether any configuration file could change something: asking OpenSSH costs 15 ms.
fn matters(arguments: &Arguments, home: Option<&Path>) -> bool {
    match arguments.config_file.as_deref() {
        Some("none" | "/dev/null") => return false,
        Some(_) => return true,
        None => {}
    }
    let own = home.map(|home| home.join(".ssh/config"));
    let own = own.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let system = std::fs::read_to_string("/etc/ssh/ssh_config").unwrap_or_default();
    let included = std::fs::read_dir("/etc/ssh/ssh_config.d")
        .is_ok_and(|names| names.flatten().any(|name| name.file_name().to_string_lossy().ends_with(".conf")));
    says_something(&own) || says_something(&system) || included
}

fn says_something(text: &str) -> bool {
    const INDIFFERENT: [&str; 5] = ["host", "sendenv", "hashknownhosts", "gssapiauthentication", "include"];
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).any(|line| {
        let (name, value) = line.split_once(|c: char| c == '=' || c.is_whitespace()).unwrap_or((line, ""));
        let name = name.to_ascii_lowercase();
        // The distribution's own include directory is looked into by itself.
        let other_include = name == "include" && !value.trim().starts_with("/etc/ssh/ssh_config.d/");
        !INDIFFERENT.contains(&name.as_str()) || other_include
    })
}

/// The configuration as OpenSSH reads it for this host.
async fn ask_openssh(target: &Target) -> Result<Vec<(String, String)>, SessionError> {
    let mut command = Command::new("ssh");
    command.arg("-G").args(&target.ssh_args);
    if let Some(port) = target.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(user) = &target.user {
        command.args(["-l", user]);
    }
    command.arg("--").arg(&target.address).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(ASKING, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SessionError::unreachable("there is an SSH configuration, but no `ssh` that could read it")
                .hint("install the OpenSSH client, or add `-F none` to `ansible_ssh_common_args`"));
        }
        Ok(Err(error)) => return Err(SessionError::unreachable(format!("cannot run `ssh -G`: {error}"))),
        Err(_) => return Err(SessionError::unreachable("`ssh -G` did not end in time")),
    };
    if !output.status.success() {
        let said = crate::session::process::readable(&output.stderr);
        return Err(SessionError::unreachable(format!("the SSH configuration cannot be read: {said}")));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(split_option).collect())
}

/// Reads options out of names and values; the first value of a name counts, files add up.
fn from_pairs(address: &str, pairs: &[(String, String)], settings: &SessionSettings) -> Result<Options, SessionError> {
    let home = settings.home.as_deref();
    let first = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let set = |name: &str| first(name).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case("none"));
    let files = |name: &str| -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for (_, value) in pairs.iter().filter(|(key, value)| key == name && !value.eq_ignore_ascii_case("none")) {
            let file = expand(value, home);
            if !files.contains(&file) {
                files.push(file);
            }
        }
        files
    };
    let list = |name: &str, default: &[PathBuf]| match first(name) {
        None => default.to_vec(),
        Some(value) => value.split_whitespace().filter(|file| *file != "none").map(|file| expand(file, home)).collect(),
    };
    let port = match first("port") {
        None => 22,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(SessionError::unreachable(format!("`{text}` is not a port number"))),
        },
    };
    let in_home = |names: &[&str]| -> Vec<PathBuf> {
        home.map(|home| names.iter().map(|name| home.join(name)).collect()).unwrap_or_default()
    };
    let mut identity_files = files("identityfile");
    if identity_files.is_empty() {
        identity_files = in_home(&DEFAULT_KEYS);
    }
    let strictness = match first("stricthostkeychecking").map(str::to_ascii_lowercase).as_deref() {
        Some("no" | "off" | "false") => Strictness::Off,
        Some("accept-new") => Strictness::AcceptNew,
        _ => Strictness::Strict,
    };
    let own_timeout = set("connecttimeout").and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    Ok(Options {
        hostname: set("hostname").unwrap_or(address).replace("%h", address),
        port,
        user: set("user").unwrap_or(&settings.user).to_owned(),
        identity_files,
        certificate_files: files("certificatefile"),
        identities_only: first("identitiesonly").is_some_and(|value| value == "yes" || value == "true"),
        agent_socket: match first("identityagent") {
            None | Some("SSH_AUTH_SOCK") => settings.agent_socket.clone(),
            Some(value) if value.eq_ignore_ascii_case("none") => None,
            Some(value) => Some(expand(value, home)),
        },
        proxy_jump: set("proxyjump").map(|hops| hops.split(',').map(|hop| hop.trim().to_owned()).collect()).unwrap_or_default(),
        proxy_command: set("proxycommand").map(str::to_owned),
        user_known_hosts: list("userknownhostsfile", &in_home(&[".ssh/known_hosts", ".ssh/known_hosts2"])),
        global_known_hosts: list(
            "globalknownhostsfile",
            &["/etc/ssh/ssh_known_hosts".into(), "/etc/ssh/ssh_known_hosts2".into()],
        ),
        host_key_alias: set("hostkeyalias").map(str::to_owned),
        strictness,
        hash_known_hosts: first("hashknownhosts").is_some_and(|value| value == "yes" || value == "true"),
        connect_timeout: own_timeout.unwrap_or(settings.connect_timeout),
    })
}

fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    let Some(home) = home else { return PathBuf::from(path) };
    match path.strip_prefix("~/") {
        Some(rest) => home.join(rest),
        None => PathBuf::from(path.replace("%d", &home.to_string_lossy())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> SessionSettings {
        SessionSettings { home: Some("/home/ann".into()), user: "ann".into(), ..SessionSettings::default() }
    }

    fn options(arguments: &[&str]) -> Options {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        from_pairs("web1", &parse_arguments(&arguments).unwrap().pairs, &settings()).unwrap()
    }

    #[test]
    fn without_arguments_the_defaults_hold() {
        let options = options(&[]);
        assert_eq!((options.hostname.as_str(), options.port, options.user.as_str()), ("web1", 22, "ann"));
        assert_eq!(options.strictness, Strictness::Strict);
        assert_eq!(options.identity_files[0], Path::new("/home/ann/.ssh/id_ed25519"));
        assert_eq!(options.user_known_hosts[0], Path::new("/home/ann/.ssh/known_hosts"));
        assert_eq!(options.connect_timeout, Duration::from_secs(15));
    }

    #[test]
    fn arguments_are_read_as_ssh_reads_them() {
        let options = options(&[
            "-C",
            "-o",
            "ControlMaster=auto",
            "-oStrictHostKeyChecking=no",
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-p2222",
            "-l",
            "root",
            "-i",
            "~/key",
            "-o",
            "ProxyCommand=\"ssh -W %h:%p gate\"",
            "-o",
            "ConnectTimeout 3",
            "-o",
            "Port=99",
        ]);
        assert_eq!(options.strictness, Strictness::Off);
        assert_eq!(options.user_known_hosts, [Path::new("/dev/null")]);
        assert_eq!((options.port, options.user.as_str()), (2222, "root"));
        assert_eq!(options.identity_files, [Path::new("/home/ann/key")]);
        assert_eq!(options.proxy_command.as_deref(), Some("ssh -W %h:%p gate"));
        assert_eq!(options.connect_timeout, Duration::from_secs(3));
    }

    #[test]
    fn jump_hosts_come_in_order() {
        assert_eq!(options(&["-J", "ann@gate:2222,inner"]).proxy_jump, ["ann@gate:2222", "inner"]);
        assert!(options(&["-o", "ProxyJump=none"]).proxy_jump.is_empty());
    }

    #[test]
    fn a_bad_argument_is_named() {
        for words in [vec!["-o".to_owned()], vec!["web2".to_owned()], vec!["-o".to_owned(), "Port".to_owned()]] {
            assert!(parse_arguments(&words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn a_distribution_s_default_file_says_nothing() {
        assert!(!says_something(
            "# x\nInclude /etc/ssh/ssh_config.d/*.conf\nHost *\n  SendEnv LANG LC_*\n  HashKnownHosts yes\n"
        ));
        assert!(says_something("Host web1\n  HostName=10.0.0.1\n"));
        assert!(says_something("Include other\n"));
    }
}
