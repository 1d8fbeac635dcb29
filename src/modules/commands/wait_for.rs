//! `wait_for`: waits for a port, a file or the passing of time.

use std::io::Read as _;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::bytes::Regex;
use serde_json::{Map, Value, json};

use super::{glob, resolve, words};
use crate::command::Command;
use crate::host::{FileKind, Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};
use crate::{args, choice};

choice! {
    /// What is waited for.
    pub enum State {
        /// The port can be reached.
        Started = "started",
        /// The port cannot be reached.
        Stopped = "stopped",
        /// The file exists (or, for a port, as `started`).
        Present = "present",
        /// The file does not exist (or, for a port, as `stopped`).
        Absent = "absent",
        /// The port has no active connections.
        Drained = "drained",
    }
}

args! {
    /// Waits until a port answers (or does not), a file is there (or not), a text appears in either,
    /// or simply for a time. In a plan it looks once; what is not so yet cannot be known.
    pub struct Args {
        /// Name or address whose port is tried, from the managed host itself.
        host: String = "127.0.0.1".into(),
        /// The port; not together with `path`.
        port: Option<u16>,
        /// A path that must be there (or be gone).
        path: Option<PathBuf>,
        /// What is waited for.
        state: State = State::Started,
        /// Seconds before the first look.
        delay: u64 = 0,
        /// Seconds after which it is a failure; without port and path: seconds to wait.
        timeout: u64 = 300,
        /// Seconds between looks.
        sleep: u64 = 1,
        /// Seconds that one attempt to connect may take.
        connect_timeout: u64 = 5,
        /// Regular expression that must match in the file, or in what the port sends.
        search_regex: Option<String>,
        /// States of connections that count as active for `drained`.
        active_connection_states: Vec<String> = ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"].map(String::from).into(),
        /// Peers whose connections do not count for `drained`.
        exclude_hosts: Option<Vec<String>>,
        /// The message of the failure instead of the usual one.
        msg: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Until a file is there
  wait_for:
    path: /etc/passwd
    timeout: 5
- name: Until a file says so
  wait_for:
    path: /etc/passwd
    search_regex: '^root:'
    timeout: 5
- name: Until a lock is gone
  wait_for:
    path: /var/lock/file.lock
    state: absent
";

/// The module.
pub struct WaitFor;

/// One look: whether it is so, and the groups of the regular expression.
struct Look {
    so: bool,
    groups: Vec<Value>,
    named: Map<String, Value>,
}

impl Look {
    fn plain(so: bool) -> Self {
        Self { so, groups: Vec::new(), named: Map::new() }
    }
}

impl Command for WaitFor {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let regex = checked(args)?;
        if host.acts() {
            return Ok(None);
        }
        let looked = look(args, regex.as_ref(), host)?;
        Ok(looked.so.then(|| Outcome::new(Ending::Ok, result(args, looked, 0, host))))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let regex = checked(args)?;
        let start = host.now();
        let elapsed = |host: &dyn Host| (host.now() - start) as u64;
        host.pause(Duration::from_secs(args.delay));
        if args.port.is_none() && args.path.is_none() && args.state != State::Drained {
            host.pause(Duration::from_secs(args.timeout.saturating_sub(args.delay)));
            let took = elapsed(host);
            return Ok(Outcome::new(Ending::Ok, result(args, Look::plain(true), took, host.inspect())));
        }
        loop {
            let looked = look(args, regex.as_ref(), host.inspect())?;
            let took = elapsed(host);
            if looked.so {
                return Ok(Outcome::new(Ending::Ok, result(args, looked, took, host.inspect())));
            }
            if took >= args.timeout {
                let message = args.msg.clone().unwrap_or_else(|| timed_out(args));
                return Err(Failure::new(message).with("elapsed", took));
            }
            host.pause(Duration::from_secs(args.sleep.max(1)).min(Duration::from_secs(args.timeout - took)));
        }
    }

    fn is_change(_: &Args) -> bool {
        false
    }

    fn describe(args: &Args) -> String {
        match (&args.path, args.port) {
            (Some(path), _) => format!("wait for {} to be {}", path.display(), args.state.word()),
            (None, Some(port)) => format!("wait for {}:{port} to be {}", args.host, args.state.word()),
            (None, None) => format!("wait for {} s", args.timeout),
        }
    }
}

/// What cannot be asked for, and the compiled regular expression.
fn checked(args: &Args) -> Result<Option<Regex>, Failure> {
    let problem = match (args.port, &args.path, args.state) {
        (Some(_), Some(_), _) => Some("port and path parameter can not both be passed to wait_for"),
        (None, _, State::Stopped) if args.path.is_some() => {
            Some("state=stopped should only be used for checking a port in the wait_for module")
        }
        (_, Some(_), State::Drained) | (None, _, State::Drained) => {
            Some("state=drained should only be used for checking a port in the wait_for module")
        }
        _ if args.exclude_hosts.is_some() && args.state != State::Drained => {
            Some("exclude_hosts should only be with state=drained")
        }
        _ => None,
    };
    if let Some(problem) = problem {
        return Err(Failure::new(problem).with("elapsed", 0));
    }
    args.search_regex
        .as_ref()
        .map(|text| {
            regex::bytes::RegexBuilder::new(text)
                .multi_line(true)
                .size_limit(4 << 20)
                .build()
                .map_err(|error| Failure::new(format!("option `search_regex`: {error}")))
        })
        .transpose()
}

fn look(args: &Args, regex: Option<&Regex>, host: &dyn Inspect) -> Result<Look, Failure> {
    match (&args.path, args.port, args.state) {
        (Some(path), _, State::Absent) => Ok(Look::plain(host.stat(&words::expand_path(path, host))?.is_none())),
        (Some(path), _, _) => {
            let path = words::expand_path(path, host);
            let Some(regex) = regex else { return Ok(Look::plain(glob::exists(&path, host))) };
            Ok(host.read(&path, 64 << 20).map_or_else(|_| Look::plain(false), |content| search(regex, &content)))
        }
        (None, Some(port), State::Drained) => Ok(Look::plain(active_connections(args, port, host)? == 0)),
        (None, Some(port), State::Stopped | State::Absent) => Ok(Look::plain(connect(args, port, host).is_none())),
        (None, Some(port), _) => {
            let Some(mut stream) = connect(args, port, host) else { return Ok(Look::plain(false)) };
            let Some(regex) = regex else { return Ok(Look::plain(true)) };
            // What a port sends is read in portions until it matches, ends or the time is over.
            let deadline = host.now() + args.connect_timeout as f64;
            let mut heard = Vec::new();
            let mut part = [0; 1024];
            while heard.len() < 1 << 20 && host.now() < deadline {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(args.connect_timeout.max(1))));
                match stream.read(&mut part) {
                    Ok(count) if count > 0 => heard.extend_from_slice(&part[..count]),
                    _ => break,
                }
                let looked = search(regex, &heard);
                if looked.so {
                    return Ok(looked);
                }
            }
            Ok(Look::plain(false))
        }
        // Only time is waited for: a plan need not wait.
        (None, None, _) => Ok(Look::plain(true)),
    }
}

fn search(regex: &Regex, content: &[u8]) -> Look {
    let Some(captures) = regex.captures(content) else { return Look::plain(false) };
    let text = |found: Option<regex::bytes::Match<'_>>| {
        found.map_or(Value::Null, |found| String::from_utf8_lossy(found.as_bytes()).into_owned().into())
    };
    let groups = captures.iter().skip(1).map(text).collect();
    let named = regex.capture_names().flatten().map(|name| (name.to_owned(), text(captures.name(name)))).collect();
    Look { so: true, groups, named }
}

fn connect(args: &Args, port: u16, host: &dyn Inspect) -> Option<std::net::TcpStream> {
    let within = Duration::from_secs(args.connect_timeout.max(1));
    resolve::resolve(&args.host, host).into_iter().find_map(|ip| host.connect(SocketAddr::new(ip, port), within).ok())
}

fn active_connections(args: &Args, port: u16, host: &dyn Inspect) -> Result<usize, Failure> {
    let own = resolve::resolve(&args.host, host);
    let excluded: Vec<IpAddr> = args.exclude_hosts.iter().flatten().flat_map(|name| resolve::resolve(name, host)).collect();
    let mut count = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = host.read(Path::new(table), 64 << 20) else {
            if table.ends_with('6') {
                continue; // A kernel without IPv6.
            }
            return Err(Failure::new(format!("cannot read `{table}`, which lists the connections")));
        };
        count += connections(&String::from_utf8_lossy(&text))
            .filter(|connection| connection.local.1 == port)
            .filter(|connection| args.active_connection_states.iter().any(|state| state == connection.state))
            .filter(|connection| own.iter().any(|ip| ip.is_unspecified() || *ip == connection.local.0))
            .filter(|connection| !excluded.contains(&connection.remote.0))
            .count();
    }
    Ok(count)
}

/// One line of `/proc/net/tcp`.
struct Connection {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    state: &'static str,
}

const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
];

fn connections(table: &str) -> impl Iterator<Item = Connection> + '_ {
    table.lines().skip(1).filter_map(|line| {
        let mut columns = line.split_whitespace().skip(1);
        let (local, remote) = (end_point(columns.next()?)?, end_point(columns.next()?)?);
        let state = usize::from_str_radix(columns.next()?, 16).ok()?;
        Some(Connection { local, remote, state: STATES.get(state.checked_sub(1)?)? })
    })
}

/// `0100007F:1F90`: an address as 32-bit words in the machine's byte order, and a port.
fn end_point(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u32> = address
        .as_bytes()
        .chunks(8)
        .map(|word| u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok())
        .collect::<Option<_>>()?;
    let ip = match words.as_slice() {
        [v4] => IpAddr::from(v4.to_ne_bytes()),
        [_, _, _, _] => {
            let mut bytes = [0; 16];
            for (at, word) in words.iter().enumerate() {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_ne_bytes());
            }
            let v6 = Ipv6Addr::from(bytes);
            v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
        }
        _ => return None,
    };
    Some((ip, port))
}

fn timed_out(args: &Args) -> String {
    let place = match (&args.path, args.port) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(port)) => format!("{}:{port}", args.host),
        (None, None) => String::new(),
    };
    match (args.state, &args.search_regex) {
        (State::Drained, _) => format!("Timeout when waiting for {place} to drain"),
        (State::Stopped | State::Absent, _) if args.path.is_none() => format!("Timeout when waiting for {place} to stop."),
        (State::Stopped | State::Absent, _) => format!("Timeout when waiting for {place} to be absent."),
        (_, Some(regex)) => format!("Timeout when waiting for search string {regex} in {place}"),
        (_, None) if args.path.is_some() => format!("Timeout when waiting for file {place}"),
        (_, None) => format!("Timeout when waiting for {place}"),
    }
}

fn result(args: &Args, looked: Look, elapsed: u64, host: &dyn Inspect) -> Map<String, Value> {
    let mut result = Map::new();
    result.insert("state".into(), args.state.word().into());
    result.insert("port".into(), json!(args.port));
    result.insert("search_regex".into(), json!(args.search_regex));
    result.insert("match_groups".into(), looked.groups.into());
    result.insert("match_groupdict".into(), looked.named.into());
    result.insert("path".into(), json!(args.path.as_ref().map(|path| words::expand_path(path, host).display().to_string())));
    result.insert("elapsed".into(), elapsed.into());
    let stat = args.path.as_ref().and_then(|path| host.stat(&words::expand_path(path, host)).ok().flatten());
    if let Some(stat) = stat {
        let state = match stat.kind {
            FileKind::Directory => "directory",
            FileKind::Link => "link",
            _ if stat.nlink > 1 => "hard",
            _ => "file",
        };
        result.insert("state".into(), state.into());
        result.insert("uid".into(), stat.uid.into());
        result.insert("gid".into(), stat.gid.into());
        let owner = host.user_by_id(stat.uid).ok().flatten().map_or_else(|| stat.uid.to_string(), |user| user.name);
        let group = host.group_by_id(stat.gid).ok().flatten().map_or_else(|| stat.gid.to_string(), |group| group.name);
        result.insert("owner".into(), owner.into());
        result.insert("group".into(), group.into());
        result.insert("mode".into(), format!("{:04o}", stat.mode).into());
        result.insert("size".into(), stat.size.into());
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 0200000A:D431 01 00000000:00000000\n";
        let found: Vec<_> = connections(table).map(|c| (c.local, c.remote, c.state)).collect();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        if cfg!(target_endian = "little") {
            assert_eq!(found, [((ip("127.0.0.1"), 8080), (ip("10.0.0.2"), 54321), "ESTABLISHED")]);
        }
        let mapped = end_point("0000000000000000FFFF00000100007F:0016").unwrap();
        assert_eq!(mapped, (ip("127.0.0.1"), 22));
    }

    #[test]
    fn groups_of_the_match_are_returned() {
        let looked = search(&Regex::new("(?m)^(?P<user>\\w+):x").unwrap(), b"root:x:0");
        assert_eq!(looked.groups, [json!("root")]);
        assert_eq!(looked.named["user"], "root");
    }
}
