//! Playbooks: the cases of `tests/differential/playbooks/*.md`, each run by ansible-playbook and by
//! `stead apply`, and what happened compared: every task's ending on every host in order, what debug
//! and commands said, the recap, the files, the kind of exit status.
//!
//! A page holds cases, each below a heading of the second level; what stands before the first is
//! shared by all of them. Fenced blocks: `playbook` (site.yml), `inventory` (hosts; two local hosts
//! without it), `file PATH`, `args` (for both programs), `env` (`NAME=value` lines), and `differs`,
//! a difference that is kept, exactly as this test prints it.
//! `STEAD_CASES=TEXT` runs only cases whose name contains the text; `STEAD_KEEP=1` keeps the directories.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use stead::run::event::{Event, TaskEnding, TaskInfo};

use crate::ansible;
use crate::pages::sections;

const INVENTORY: &str = "[web]\na\nb\n";

/// One case.
#[derive(Default, Clone)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    differs: String,
}

/// What a program did, as text to compare.
#[derive(Default)]
struct Did {
    lines: Vec<String>,
    output: String,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/playbooks");
    let mut pages: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let wanted = std::env::var("STEAD_CASES").unwrap_or_default();
    pages.iter().flat_map(|page| page_cases(page)).filter(|case| case.name.contains(&wanted)).collect()
}

fn page_cases(path: &Path) -> Vec<Case> {
    let page = fs::read_to_string(path).unwrap();
    let stem = path.file_stem().unwrap().to_string_lossy();
    let mut shared = Case::default();
    let mut cases: Vec<Case> = Vec::new();
    for (name, blocks) in sections(&page) {
        if name.is_empty() {
            blocks.iter().for_each(|block| take(&mut shared, &block.words, &block.text));
            continue;
        }
        let mut case = Case { name: format!("{stem}: {name}"), ..shared.clone() };
        blocks.iter().for_each(|block| take(&mut case, &block.words, &block.text));
        case.files.entry("hosts".into()).or_insert_with(|| INVENTORY.to_owned());
        assert!(case.files.contains_key("site.yml"), "{}: no playbook", case.name);
        cases.push(case);
    }
    cases
}

fn take(case: &mut Case, words: &[String], text: &str) {
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["playbook"] => _ = case.files.insert("site.yml".into(), text.to_owned()),
        ["inventory"] => _ = case.files.insert("hosts".into(), text.to_owned()),
        ["file", name @ ..] => _ = case.files.insert(name.join(" "), text.to_owned()),
        ["args"] => case.args.extend(text.split_whitespace().map(str::to_owned)),
        ["env"] => case.env.extend(
            text.lines().filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))),
        ),
        ["differs"] => text.clone_into(&mut case.differs),
        other => panic!("{}: a block that nobody knows: {other:?}", case.name),
    }
}

fn write_project(case: &Case, directory: &Path) {
    for (name, text) in &case.files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        if text.starts_with("#!") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

/// Files below a directory with their modes and contents; what programs keep for themselves is left out.
fn tree(root: &Path, into: &mut Vec<String>) {
    let mut open = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if name.starts_with('.') || name.contains("__pycache__") {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                open.push(path);
            } else {
                let text = fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
                found.push(format!("file {name} {:o} {text:?}", meta.permissions().mode() & 0o7777));
            }
        }
    }
    found.sort();
    into.extend(found.into_iter().map(|line| line.replace(&root.display().to_string(), "{dir}")));
}

/// What a result says that both programs must agree on.
fn said(module: &str, ending: &str, result: &Value) -> Value {
    let Some(map) = result.as_object() else { return Value::Null };
    if map.contains_key("censored") {
        return json!("censored");
    }
    let kept = |names: &[&str]| -> Map<String, Value> {
        map.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    Value::Object(match (module, ending) {
        ("debug", "ok" | "changed") => {
            let drop = [
                "changed",
                "failed",
                "attempts",
                "item",
                "results",
                "skipped",
                "warnings",
                "deprecations",
                "ansible_loop_var",
                "ansible_loop",
                "ansible_index_var",
            ];
            map.iter()
                .filter(|(name, _)| {
                    !drop.contains(&name.as_str()) && !name.starts_with("_ansible") && !name.contains("failed_when")
                })
                .filter(|(name, _)| {
                    map.get("ansible_loop_var") != Some(&json!(name)) && map.get("ansible_index_var") != Some(&json!(name))
                })
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }
        ("fail" | "assert", "failed") => kept(&["msg"]),
        ("command" | "shell" | "raw" | "script", _) => kept(&["rc", "stdout", "stderr"]),
        _ => Map::new(),
    })
}

/// JSON with sorted keys, and numbers that are equal written alike.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, String> = map.iter().map(|(name, value)| (name, canonical(value))).collect();
            let parts: Vec<String> = sorted.into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(", ")),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

struct Ended<'a> {
    host: &'a str,
    task: &'a str,
    module: &'a str,
    item: Option<&'a str>,
    ending: &'a str,
    result: &'a Value,
}

impl Ended<'_> {
    /// The host and the line; nothing for what only one of the two programs reports.
    fn line(&self, directory: &Path) -> Option<(String, String)> {
        if matches!(self.module, "include_tasks" | "include_role") && self.ending == "ok" {
            return None;
        }
        let hidden = self.result.get("censored").is_some();
        let item = self.item.map(|item| if hidden { " [hidden]".to_owned() } else { format!(" [{item}]") }).unwrap_or_default();
        let said = canonical(&said(self.module, self.ending, self.result));
        let said = if said == "{}" { String::new() } else { format!(" {said}") };
        let text = format!("{}: {}{item}: {}{said}", self.host, self.task, self.ending);
        Some((self.host.to_owned(), text.replace(&directory.display().to_string(), "{dir}")))
    }
}

/// Lines by host: between hosts there is no order.
fn by_host(mut lines: Vec<(String, String)>) -> Vec<String> {
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    lines.into_iter().map(|(_, line)| line).collect()
}

fn ansible_did(directory: &Path, events: &Path, output: &Path) -> Did {
    let mut lines = Vec::new();
    let mut rest = Vec::new();
    let (mut code, mut ended) = (None, false);
    for line in fs::read_to_string(events).unwrap_or_default().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        match text("e") {
            "exit" => code = event["code"].as_i64(),
            "play" => {}
            "stats" => {
                ended = true;
                for (host, counts) in event["hosts"].as_object().unwrap() {
                    let count = |name: &str| counts[name].as_i64().unwrap();
                    rest.push(format!(
                        "recap {host}: ok={} changed={} unreachable={} failed={} skipped={} rescued={} ignored={}",
                        count("ok"),
                        count("changed"),
                        count("unreachable"),
                        count("failures"),
                        count("skipped"),
                        count("rescued"),
                        count("ignored")
                    ));
                }
            }
            kind => {
                let (ending, item) = match kind.strip_prefix("item_") {
                    Some(ending) => (ending, Some(text("item"))),
                    None => (kind, None),
                };
                let result = &event["result"];
                let ending = match ending {
                    "ok" if result["changed"] == json!(true) => "changed",
                    "failed" if event["ignored"] == json!(true) => "ignored",
                    other => other,
                };
                let ended = Ended { host: text("host"), task: text("task"), module: text("module"), item, ending, result };
                lines.extend(ended.line(directory));
            }
        }
    }
    let mut lines = by_host(lines);
    rest.sort();
    lines.append(&mut rest);
    lines.push(format!(
        "exit: {}",
        match (code, ended) {
            (Some(0), _) => "ok",
            (_, false) => "refused",
            (Some(2), _) => "failed",
            (Some(4), _) => "unreachable",
            _ => "?",
        }
    ));
    tree(directory, &mut lines);
    Did { lines, output: fs::read_to_string(output).unwrap_or_default() }
}

fn ending_word(ending: TaskEnding) -> &'static str {
    match ending {
        TaskEnding::Ok => "ok",
        TaskEnding::Changed => "changed",
        TaskEnding::Skipped => "skipped",
        // A callback of Ansible's sees the failure; that it was rescued shows in the recap.
        TaskEnding::Failed | TaskEnding::Rescued => "failed",
        TaskEnding::Ignored => "ignored",
        TaskEnding::Unreachable => "unreachable",
        TaskEnding::Unknown => "unknown",
    }
}

fn task_name(task: &TaskInfo) -> String {
    let name = task.name.trim();
    task.role.as_ref().map_or_else(|| name.to_owned(), |role| format!("{role} : {name}"))
}

fn stead_did(case: &Case, directory: &Path, home: &Path, python: &Path) -> Did {
    let output = Command::new(env!("CARGO_BIN_EXE_stead"))
        .args(["apply", "--json", "-i", "hosts", "-c", "local", "--lock-wait", "300", "--history", ".stead/h", "site.yml"])
        .args(&case.args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("USER", "root")
        // What packs modules of others, and what runs them on the host.
        .env("STEAD_PYTHON", python)
        .args(["-e", &format!("ansible_python_interpreter={}", python.display())])
        .envs(&case.env)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .expect("stead starts");
    let (mut lines, mut rest) = (Vec::new(), Vec::new());
    let mut ended = false;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let event: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", case.name));
        match event {
            Event::TaskEnded { task, host, ending, result, .. } => {
                let name = task_name(&task);
                let module = task.module.as_str();
                // That a lost host is ignored is told by another callback.
                let is_gone = ending == TaskEnding::Ignored && result["unreachable"] == json!(true);
                let word = if is_gone { "unreachable" } else { ending_word(ending) };
                let ended = Ended { host: &host, task: &name, module, item: None, ending: word, result: &result };
                lines.extend(ended.line(directory));
            }
            Event::ItemEnded { task, host, ending, result, item, .. } => {
                let name = task_name(&task);
                let module = task.module.as_str();
                let ended =
                    Ended { host: &host, task: &name, module, item: Some(&item), ending: ending_word(ending), result: &result };
                lines.extend(ended.line(directory));
            }
            Event::RunEnded { recap, .. } => {
                ended = true;
                for one in recap {
                    let counts = one.counts;
                    let all = counts.ok + counts.unreachable + counts.failed + counts.skipped + counts.rescued + counts.unknown;
                    if all > 0 {
                        rest.push(format!(
                            "recap {}: ok={} changed={} unreachable={} failed={} skipped={} rescued={} ignored={}",
                            one.host,
                            counts.ok,
                            counts.changed,
                            counts.unreachable,
                            counts.failed,
                            counts.skipped,
                            counts.rescued,
                            counts.ignored
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    let mut lines = by_host(lines);
    rest.sort();
    lines.append(&mut rest);
    lines.push(format!(
        "exit: {}",
        match (output.status.code(), ended) {
            (Some(0), _) => "ok",
            (_, false) => "refused",
            (Some(4), _) => "failed",
            (Some(5), _) => "unreachable",
            _ => "?",
        }
    ));
    tree(directory, &mut lines);
    Did { lines, output: String::from_utf8_lossy(&output.stderr).into_owned() }
}

/// Lines of one that the other lacks, in order: a longest common subsequence is what both have.
fn difference(theirs: &[String], ours: &[String]) -> String {
    let (rows, columns) = (theirs.len(), ours.len());
    let mut longest = vec![vec![0_usize; columns + 1]; rows + 1];
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row][column] = if theirs[row] == ours[column] {
                longest[row + 1][column + 1] + 1
            } else {
                longest[row + 1][column].max(longest[row][column + 1])
            };
        }
    }
    let (mut row, mut column, mut text) = (0, 0, String::new());
    while row < rows || column < columns {
        if row < rows && column < columns && theirs[row] == ours[column] {
            (row, column) = (row + 1, column + 1);
        } else if column == columns || (row < rows && longest[row + 1][column] >= longest[row][column + 1]) {
            let _ = writeln!(text, "ansible: {}", theirs[row]);
            row += 1;
        } else {
            let _ = writeln!(text, "stead:   {}", ours[column]);
            column += 1;
        }
    }
    text
}

fn run_ansible(programs: &Path, cases: &[Case], root: &Path) {
    let jobs: Vec<Value> = cases
        .iter()
        .enumerate()
        .map(|(index, case)| {
            let own = root.join(index.to_string());
            let mut args = vec!["-i".to_owned(), "hosts".into(), "-c".into(), "local".into(), "site.yml".into()];
            args.extend(case.args.iter().cloned());
            json!({
                "dir": own.join("ansible"), "args": args, "env": case.env,
                "events": own.join("ansible.events"), "output": own.join("ansible.output"),
            })
        })
        .collect();
    let list = root.join("jobs.json");
    fs::write(&list, serde_json::to_vec(&jobs).unwrap()).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    let python = programs.join("python");
    let status = Command::new(&python)
        .arg(tests.join("playbooks.py"))
        .arg(&list)
        .arg("3")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", root.join("home"))
        // Where `async_status` looks, it takes from the account, not from HOME.
        .env("ANSIBLE_ASYNC_DIR", root.join("home/.ansible_async"))
        .env("USER", "root")
        .env("LANG", "C.UTF-8")
        .env("ANSIBLE_PYTHON_INTERPRETER", &python)
        .env("ANSIBLE_CALLBACK_PLUGINS", tests.join("callback"))
        .env("ANSIBLE_STDOUT_CALLBACK", "stead_differential")
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_LOCALHOST_WARNING", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(root)
        .stdin(Stdio::null())
        .status()
        .expect("python starts");
    assert!(status.success(), "playbooks.py: {status}");
}

#[test]
fn playbooks_mean_what_they_mean_to_ansible() {
    let Some(programs) = ansible::programs("playbooks_mean_what_they_mean_to_ansible") else { return };
    let cases = cases();
    let temporary = tempfile::tempdir().unwrap();
    let root = temporary.path().canonicalize().unwrap();
    let home = root.join("home");
    fs::create_dir(&home).unwrap();
    for (index, case) in cases.iter().enumerate() {
        for who in ["ansible", "stead"] {
            write_project(case, &root.join(index.to_string()).join(who));
        }
    }
    // Both use this machine's two halves at once: Ansible in the background, stead one case after another.
    let stead: Vec<Did> = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| run_ansible(&programs, &cases, &root));
        let ours = cases
            .iter()
            .enumerate()
            .map(|(index, case)| stead_did(case, &root.join(index.to_string()).join("stead"), &home, &programs.join("python")))
            .collect();
        theirs.join().unwrap();
        ours
    });
    let (mut report, mut wrong) = (String::new(), 0);
    for (index, (case, stead)) in cases.iter().zip(&stead).enumerate() {
        let own = root.join(index.to_string());
        let ansible = ansible_did(&own.join("ansible"), &own.join("ansible.events"), &own.join("ansible.output"));
        let difference = difference(&ansible.lines, &stead.lines);
        if difference.trim() == case.differs.trim() {
            continue;
        }
        wrong += 1;
        let _ = writeln!(report, "=== {} ({index})\n{difference}", case.name);
        let _ = writeln!(report, "--- ansible said\n{}\n--- stead said\n{}", ansible.output.trim(), stead.output.trim());
    }
    if std::env::var_os("STEAD_KEEP").is_some() {
        let _ = writeln!(report, "kept: {}", temporary.keep().display());
    }
    assert!(!cases.is_empty(), "no case has this name");
    assert!(wrong == 0, "{wrong} of {} cases differ\n{report}", cases.len());
}
