//! Inventories that are programs: `PROGRAM --list` prints groups and hosts as JSON, `PROGRAM --host
//! NAME` the variables of a host where `--list` has no `_meta`.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use indexmap::IndexSet;

use super::beside::add_variables;
use super::model::{Inventory, Names};
use crate::source::{Diagnostic, Diagnostics, Mapping, Node, NodeValue, SourceMap, Span, load, yaml};
use crate::vars::Variables;

/// Lines of what a program said on standard error, at most.
const SAID_LINES: usize = 20;

/// Whether a file is a program, and whether it may be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is read.
    Data,
    /// It is run.
    Program,
    /// It begins as a program does (`#!`, a binary), but may not be executed.
    NotExecutable,
}

/// What kind of file this is.
pub(super) fn kind(path: &Path) -> Kind {
    let mut first = [0; 4];
    let read = std::fs::File::open(path).and_then(|file| file.take(4).read(&mut first)).unwrap_or(0);
    if !first[..read].starts_with(b"#!") && first[..read] != *b"\x7fELF" {
        return Kind::Data;
    }
    if rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok() { Kind::Program } else { Kind::NotExecutable }
}

/// Runs the program and reads what it prints into the inventory.
pub(super) fn read(
    inventory: &mut Inventory,
    map: &SourceMap,
    path: &Path,
    timeout: Duration,
    names: &mut Names,
    diagnostics: &mut Diagnostics,
) {
    let program = Program { path, timeout };
    let Some(node) = program.json(map, &[OsStr::new("--list")], diagnostics) else { return };
    let Some(groups) = node.as_map() else {
        let problem =
            format!("the inventory program `{}` must print groups by name, and this is {}", path.display(), node.kind());
        return diagnostics.push(Diagnostic::error("inventory-program", problem).at(node.span, "found here"));
    };
    let mut reader = Reader { inventory, names, diagnostics, hosts: IndexSet::new() };
    for (key, value) in &groups.entries {
        let group = key.as_str().expect("keys of JSON are text");
        if group != "_meta" {
            reader.group(group, value);
        }
    }
    let Reader { hosts, .. } = reader;
    let known = groups.get("_meta").and_then(Node::as_map).and_then(|meta| meta.get("hostvars"));
    if let Some(known) = known {
        let Some(known) = known.as_map() else {
            let problem = format!("`_meta.hostvars` is a mapping of hosts, and this is {}", known.kind());
            return diagnostics.push(Diagnostic::error("inventory-program", problem).at(known.span, "found here"));
        };
        for (key, value) in &known.entries {
            let host = key.as_str().expect("keys of JSON are text");
            if hosts.contains(host) {
                variables_of(inventory, host, value, names, diagnostics);
            }
        }
        return;
    }
    for host in hosts {
        let Some(node) = program.json(map, &[OsStr::new("--host"), OsStr::new(&host)], diagnostics) else { return };
        variables_of(inventory, &host, &node, names, diagnostics);
    }
}

fn variables_of(inventory: &mut Inventory, host: &str, node: &Node, names: &mut Names, diagnostics: &mut Diagnostics) {
    let mut variables = Variables::new();
    add_variables(node, names, &mut variables, diagnostics);
    inventory.set_host_variables(host, variables);
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    names: &'a mut Names,
    diagnostics: &'a mut Diagnostics,
    hosts: IndexSet<String>,
}

impl Reader<'_> {
    /// A list of hosts, or a mapping with `hosts`, `vars` and `children`. A mapping with none of
    /// them is a host of that name and its variables.
    fn group(&mut self, group: &str, node: &Node) {
        self.inventory.add_group(group);
        let sections: &Mapping = match &node.value {
            NodeValue::List(_) => return self.hosts(group, node),
            NodeValue::Map(map) => map,
            _ => return self.wrong(group, "is a list of hosts or has `hosts`, `vars` and `children`", node),
        };
        if !["hosts", "vars", "children"].iter().any(|key| sections.get(key).is_some()) {
            self.host(group, group);
            return self.group_variables(group, node);
        }
        if let Some(hosts) = sections.get("hosts") {
            self.hosts(group, hosts);
        }
        if let Some(variables) = sections.get("vars") {
            self.group_variables(group, variables);
        }
        if let Some(children) = sections.get("children") {
            self.children(group, children);
        }
    }

    fn wrong(&mut self, group: &str, expected: &str, node: &Node) {
        let problem = format!("the group `{group}` {expected}, and this is {}", node.kind());
        self.diagnostics.push(Diagnostic::error("inventory-program", problem).at(node.span, "found here"));
    }

    fn host(&mut self, group: &str, host: &str) {
        self.inventory.add_host_to_group(host, group);
        self.hosts.insert(host.to_owned());
    }

    fn hosts(&mut self, group: &str, node: &Node) {
        let Some(items) = node.as_list() else { return self.wrong(group, "needs a list of hosts", node) };
        for item in items {
            match item.as_str() {
                Some(host) => self.host(group, host),
                None => self.wrong(group, "lists hosts by name", item),
            }
        }
    }

    fn children(&mut self, group: &str, node: &Node) {
        let Some(items) = node.as_list() else { return self.wrong(group, "needs a list of children", node) };
        for item in items {
            let Some(child) = item.as_str() else {
                self.wrong(group, "lists children by name", item);
                continue;
            };
            if let Err(cycle) = self.inventory.add_child(group, child) {
                let problem = Diagnostic::error("inventory-cycle", cycle.to_string());
                self.diagnostics.push(problem.at(item.span, "closes the circle"));
            }
        }
    }

    fn group_variables(&mut self, group: &str, node: &Node) {
        let mut variables = Variables::new();
        add_variables(node, self.names, &mut variables, self.diagnostics);
        for (name, variable) in variables {
            self.inventory.set_group_variable(group, name, variable);
        }
    }
}

struct Program<'a> {
    path: &'a Path,
    timeout: Duration,
}

/// What one call of a program left behind.
struct Finished {
    status: ExitStatus,
    output: Vec<u8>,
    said: String,
}

enum Event {
    Output(Vec<u8>),
    Said(Vec<u8>),
    Ended(std::io::Result<ExitStatus>),
}

impl Program<'_> {
    /// What a call prints, as nodes that know their place in it. An empty answer is an empty mapping.
    fn json(&self, map: &SourceMap, arguments: &[&OsStr], diagnostics: &mut Diagnostics) -> Option<Node> {
        let shown: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        let shown = format!("{} {}", self.path.display(), shown.join(" "));
        let finished = match self.run(arguments) {
            Ok(finished) => finished,
            Err(reason) => {
                let problem = format!("the inventory program `{shown}` {reason}");
                diagnostics.push(Diagnostic::error("inventory-program", problem));
                return None;
            }
        };
        let failed = |message: String| {
            let problem = Diagnostic::error("inventory-program", message);
            if finished.said.is_empty() { problem } else { problem.hint(format!("it said: {}", finished.said)) }
        };
        if !finished.status.success() {
            diagnostics.push(failed(format!("the inventory program `{shown}` failed: {}", finished.status)));
            return None;
        }
        let Ok(text) = String::from_utf8(finished.output) else {
            diagnostics.push(failed(format!("what the inventory program `{shown}` prints is not UTF-8 text")));
            return None;
        };
        let text = if text.trim().is_empty() && arguments.len() > 1 { "{}".to_owned() } else { text };
        let file = map.add(Path::new(&shown), text.as_str());
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            let at = (line_start + error.column().saturating_sub(1)).min(text.len());
            let span = Span { file, start: at as u32, end: (at + 1).min(text.len().max(at)) as u32 };
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            diagnostics.push(failed(format!("the inventory program `{shown}` prints no valid JSON: {reason}")).at(span, "here"));
            return None;
        }
        if !finished.said.is_empty() {
            let problem = format!("the inventory program `{shown}` said: {}", finished.said);
            diagnostics.push(Diagnostic::warning("inventory-program", problem));
        }
        let (node, problems) = yaml::parse_one(map, file);
        let broken = problems.has_errors();
        diagnostics.extend(problems);
        (!broken).then_some(node)
    }

    /// Runs the program in a process group of its own, which is ended when the time is over.
    fn run(&self, arguments: &[&OsStr]) -> Result<Finished, String> {
        let program = std::path::absolute(self.path).unwrap_or_else(|_| self.path.to_owned());
        let mut child = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let group = rustix::process::Pid::from_child(&child);
        let (mut output, mut said) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
        let (send, events) = mpsc::channel();
        let (sends, ends) = (send.clone(), send.clone());
        // One thread for each thing that can block; a send to nobody is after the time was over.
        std::thread::spawn(move || send.send(Event::Output(all_of(&mut output))));
        std::thread::spawn(move || sends.send(Event::Said(all_of(&mut said))));
        std::thread::spawn(move || ends.send(Event::Ended(child.wait())));
        let deadline = Instant::now() + self.timeout;
        let (mut output, mut said, mut status) = (None, None, None);
        while output.is_none() || said.is_none() || status.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            match events.recv_timeout(left) {
                Ok(Event::Output(bytes)) => output = Some(bytes),
                Ok(Event::Said(bytes)) => said = Some(bytes),
                Ok(Event::Ended(ended)) => status = Some(ended.map_err(|error| format!("cannot be waited for: {error}"))?),
                Err(_) => {
                    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                    return Err(format!("did not end within {} seconds", self.timeout.as_secs_f32()));
                }
            }
        }
        let (Some(output), Some(said), Some(status)) = (output, said, status) else {
            unreachable!("the loop ends when all three are there")
        };
        if output.len() as u64 > load::MAX_BYTES {
            return Err(format!("prints more than {} MiB", load::MAX_BYTES >> 20));
        }
        Ok(Finished { status, output, said: shortened(&said) })
    }
}

/// Everything, but not more than a file may have.
fn all_of(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.take(load::MAX_BYTES + 1).read_to_end(&mut bytes);
    bytes
}

/// The end of what was said, without control characters.
fn shortened(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.trim().lines().collect();
    let lines = &lines[lines.len().saturating_sub(SAID_LINES)..];
    lines.join("\n").chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}
