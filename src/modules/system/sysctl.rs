//! `sysctl`: kernel parameters, in a file and live.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::text_file::TextFile;
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{Attributes, CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages a kernel parameter in a file that is read at boot and, if asked, in the running kernel.
    pub struct Args {
        /// Name, e.g. `net.ipv4.ip_forward`.
        name ("key"): String,
        /// Value.
        value ("val"): Option<String>,
        /// Whether the file sets it.
        state: Presence = Presence::Present,
        /// Whether the file is loaded into the kernel after it was changed.
        reload: bool = true,
        /// Whether the running kernel's value is compared and set, too.
        sysctl_set: bool = false,
        /// The file.
        sysctl_file: PathBuf = "/etc/sysctl.conf".into(),
        /// Whether parameters that the kernel does not have are passed over.
        ignoreerrors: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: In a file of its own
  sysctl:
    name: vm.swappiness
    value: '5'
    sysctl_file: /etc/sysctl.d/50-vm.conf
    reload: false
- name: No longer set
  sysctl:
    name: kernel.panic
    state: absent
    reload: false
";

/// The module.
pub struct Sysctl;

/// The file, and the running kernel's value.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    name: String,
    live: Option<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let mut list = vec![self.file.resource()];
        if let Some(value) = &self.live {
            list.push(ResourceState::present(ResourceId::new("sysctl", &self.name)).with("value", value.clone()));
        }
        list
    }
}

/// Where the kernel shows a parameter. A slash in a name stands for a dot in an interface's name.
fn live_path(name: &str) -> PathBuf {
    let swapped: String = name
        .chars()
        .map(|c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        })
        .collect();
    Path::new("/proc/sys").join(swapped)
}

fn squeeze(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value as the module's users write it: booleans are numbers.
fn value(args: &Args) -> String {
    match args.value.as_deref().unwrap_or_default().trim() {
        "True" | "true" => "1".into(),
        "False" | "false" => "0".into(),
        other => squeeze(other),
    }
}

/// The file's text with the parameter set (or, without a value, gone). A comment stays a comment.
fn edit(text: &str, name: &str, value: Option<&str>) -> String {
    let is = |line: &str| {
        let line = line.trim_start().trim_start_matches('-').trim_start();
        !line.starts_with(['#', ';']) && line.split_once('=').is_some_and(|(key, _)| key.trim() == name)
    };
    let mut lines: Vec<String> = Vec::new();
    let mut done = false;
    for line in text.lines() {
        match value {
            _ if !is(line) => lines.push(line.to_owned()),
            None => {}
            // Of several lines the last one would count: one stays.
            Some(_) if done => {}
            Some(value) => {
                done = true;
                let same = line.split_once('=').is_some_and(|(_, now)| squeeze(now) == value);
                lines.push(if same { line.to_owned() } else { format!("{name}={value}") });
            }
        }
    }
    if let Some(value) = value.filter(|_| !done) {
        lines.push(format!("{name}={value}"));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

impl Resource for Sysctl {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let file = TextFile::read(&args.sysctl_file, host)?;
        let live = if args.sysctl_set && args.state == Presence::Present {
            match TextFile::read(&live_path(&args.name), host)?.text {
                Some(text) => Some(squeeze(&text)),
                None if args.ignoreerrors => None,
                None => return Err(Failure::new(format!("this host's kernel has no parameter `{}`", args.name))),
            }
        } else {
            None
        };
        Ok(State { file, name: args.name.clone(), live })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Presence::Absent {
            let file = match &now.file.text {
                None => now.file.clone(),
                Some(text) => now.file.with(edit(text, &args.name, None)),
            };
            return Ok(State { file, ..now.clone() });
        }
        if args.value.as_deref().is_none_or(|value| value.trim().is_empty()) {
            return Err(Failure::new("value cannot be None"));
        }
        let value = value(args);
        let text = now.file.text.as_deref().unwrap_or_default();
        Ok(State {
            file: now.file.with(edit(text, &args.name, Some(&value))),
            live: now.live.as_ref().map(|_| value),
            ..now.clone()
        })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let value = value(args);
        let effect = [Effect::File(live_path(&args.name), format!("{value}\n").into_bytes(), 0o644)];
        if step.differs("value") {
            let mut argv = vec!["sysctl".to_owned()];
            argv.extend(args.ignoreerrors.then(|| "-e".to_owned()));
            argv.extend(["-w".into(), format!("{}={value}", args.name)]);
            succeed(host, &CommandLine::new(argv), &effect)?;
        }
        if step.differs("content") {
            step.want.file.write(Attributes::default(), host)?;
            if args.reload {
                let mut argv = vec!["sysctl".to_owned()];
                argv.extend(args.ignoreerrors.then(|| "-e".to_owned()));
                argv.extend(["-p".into(), args.sysctl_file.display().to_string()]);
                let effects: &[Effect] = if args.state == Presence::Present { &effect } else { &[] };
                succeed(host, &CommandLine::new(argv), effects)?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), args.name.clone().into())])
    }

    fn claims(args: &Args) -> Claims {
        let file = args.sysctl_file.display().to_string();
        let mut claims = Claims::provides([ResourceId::new("sysctl", &args.name), ResourceId::new("file", file)]);
        if let Some(parent) = args.sysctl_file.parent() {
            claims = claims.needing([ResourceId::new("file", parent.display().to_string())]);
        }
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_stands_once_in_the_file() {
        let cases = [
            ("", Some("1"), "a.b=1\n"),
            ("# a.b = 0\nx=2\n", Some("1"), "# a.b = 0\nx=2\na.b=1\n"),
            ("a.b = 0\nx=2\na.b=3\n", Some("1"), "a.b=1\nx=2\n"),
            ("a.b =  1\n", Some("1"), "a.b =  1\n"),
            ("a.b=1\nx=2\n", None, "x=2\n"),
        ];
        for (text, value, expected) in cases {
            assert_eq!(edit(text, "a.b", value), expected, "{text}");
        }
        assert_eq!(live_path("net.ipv4.conf.eth0/1.forwarding"), Path::new("/proc/sys/net/ipv4/conf/eth0.1/forwarding"));
    }
}
