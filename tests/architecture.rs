//! The rules of ARCHITECTURE.md that a compiler does not check: which folder may use which, who may
//! name a third-party crate, what the library leaves alone. Reads the source as text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders of the library, lowest first, and what each may use. An arrow more is a design change.
const ARROWS: &[(&str, &[&str])] = &[
    ("vault", &[]),
    ("source", &["vault"]),
    ("vars", &["source"]),
    ("template", &["source", "vars", "vault"]),
    ("plugins", &["template", "vars"]),
    ("inventory", &["source", "vars", "template"]),
    ("ansible", &["source"]),
    ("graph", &["source"]),
    ("playbook", &["source", "vars", "template", "plugins", "ansible", "graph"]),
    ("lint", &["source", "vars", "template", "plugins", "inventory", "graph", "playbook"]),
    ("session", &["vault"]),
    ("lab", &[]),
    ("docs", &["source"]),
    ("deps", &["source"]),
    ("actions", &["source", "vars", "template", "plugins", "playbook", "session", "docs", "vault"]),
    ("run", &["source", "vars", "template", "inventory", "ansible", "graph", "playbook", "lint", "session", "actions", "vault"]),
    ("history", &["run"]),
    ("drift", &["run", "history"]),
];

/// Crates that stay behind one door, and where the door is.
const DOORS: &[(&str, &[&str])] = &[
    ("russh", &["src/session/ssh/", "src/lab/"]),
    ("tar", &["src/deps/archive", "src/modules/files/packed/"]),
    ("ureq", &["src/modules/web/client.rs"]),
    ("rustls", &["src/modules/web/client.rs"]),
    ("saphyr_parser", &["src/source/yaml"]),
    ("annotate_snippets", &["src/source/render"]),
    ("minijinja", &["src/template/"]),
    ("minijinja_contrib", &["src/template/"]),
    ("petgraph", &["src/graph/", "src/run/scheduler.rs"]),
    ("clap", &["src/cli/"]),
    ("clap_complete", &["src/cli/"]),
    ("indicatif", &["src/cli/"]),
    ("anstream", &["src/cli/"]),
    ("comfy_table", &["src/cli/"]),
    ("rpassword", &["src/cli/"]),
    ("rusqlite", &["src/history/"]),
    ("toml_edit", &["src/ansible/project_file.rs"]),
    ("ring", &["src/vault/cipher.rs"]),
    ("aes", &["src/vault/cipher.rs"]),
    ("ctr", &["src/vault/cipher.rs"]),
];

/// What the agent must never link.
const NOT_ON_HOSTS: &[&str] = &["tokio", "russh", "minijinja", "clap", "petgraph", "saphyr-parser", "rusqlite", "indicatif"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Rust files below a folder, without tests that have a file of their own.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                // Cargo's own folders for what is not part of a package's library.
                if name != "tests" && name != "examples" {
                    open.push(path);
                }
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The code of a file: no comments, no unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    // Tests may have attributes between.
    let is_tests = |rest: &str| rest.lines().find(|line| !line.starts_with("#[")).is_some_and(|line| line.starts_with("mod "));
    let mark = "\n#[cfg(test)]\n";
    let end = text.match_indices(mark).find(|(at, _)| is_tests(&text[at + mark.len()..])).map_or(text.len(), |(at, _)| at);
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// Whether `word::` is used, as a path's first segment.
fn names_crate(code: &str, word: &str) -> bool {
    let starts = |line: &str, at: usize| {
        line[..at].chars().last().is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':')
    };
    code.lines().any(|line| {
        let path = format!("{word}::");
        line.match_indices(&path).any(|(at, _)| starts(line, at)) || line.trim() == format!("use {word};")
    })
}

/// The folders that a file of the library uses.
fn used_folders(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        let list = rest.strip_prefix('{').map_or(rest, |inside| inside.split_once("};").map_or(inside, |(list, _)| list));
        let mut depth = 0;
        let mut names = vec![String::new()];
        for character in list.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 && rest.starts_with('{') => names.push(String::new()),
                _ if depth == 0 => names.last_mut().unwrap().push(character),
                _ => {}
            }
        }
        let first =
            |name: &String| name.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
        used.extend(names.iter().map(first).take(if rest.starts_with('{') { usize::MAX } else { 1 }));
    }
    used.retain(|name| root().join("src").join(name).is_dir());
    used
}

#[test]
fn folders_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for (position, (folder, allowed)) in ARROWS.iter().enumerate() {
        for below in *allowed {
            assert!(ARROWS[..position].iter().any(|(name, _)| name == below), "{below} does not come before {folder}");
        }
        for path in rust_files(&format!("src/{folder}")) {
            let used = used_folders(&code(&path));
            wrong.extend(
                used.iter()
                    .filter(|name| name != folder && !allowed.contains(&name.as_str()))
                    .map(|name| format!("{} uses {name}", shown(&path))),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_folder_has_its_place() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let folders: BTreeSet<&str> = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let placed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(folders, placed);
}

#[test]
fn third_party_crates_stay_behind_their_doors() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let (name, code) = (shown(&path), code(&path));
        for (word, doors) in DOORS {
            if names_crate(&code, word) && !doors.iter().any(|door| name.starts_with(door)) {
                wrong.push(format!("{name} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_library_neither_prints_nor_reads_the_environment() {
    let mut wrong = Vec::new();
    for path in ARROWS
        .iter()
        .flat_map(|(folder, _)| rust_files(&format!("src/{folder}")))
        .chain(rust_files("src/modules").into_iter().filter(|path| !shown(path).starts_with("src/modules/host/")))
    {
        let code = code(&path);
        for word in ["println!(", "eprintln!(", "print!(", "eprint!(", "dbg!(", "std::env::", "env::var"] {
            let found = code
                .match_indices(word)
                .any(|(at, _)| !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_'));
            if found {
                wrong.push(format!("{}: {word}", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn modules_reach_the_machine_only_through_the_host() {
    let doors = ["std::fs", "process::Command", "rustix::", "TcpStream", "UdpSocket", "UnixStream"];
    let mut wrong = Vec::new();
    for path in rust_files("src/modules") {
        let name = shown(&path);
        if name.starts_with("src/modules/host/") {
            continue;
        }
        let code = code(&path);
        // Waiting for a port means connecting to it, the kernel's name is in no file, and HTTP is a door of its own.
        let exempt = |word: &str| {
            [
                ("src/modules/commands/wait_for.rs", "TcpStream"),
                ("src/modules/facts/platform.rs", "rustix::"),
                ("src/modules/web/client.rs", "UnixStream"),
            ]
            .contains(&(name.as_str(), word))
        };
        wrong.extend(doors.iter().filter(|word| code.contains(**word) && !exempt(word)).map(|word| format!("{name}: {word}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_agent_stays_small() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "-p", "stead-agent", "-e", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(linked.contains("stead-modules"), "{linked:?}");
    let wrong: Vec<_> = NOT_ON_HOSTS.iter().filter(|name| linked.contains(**name)).collect();
    assert!(wrong.is_empty(), "the agent links {wrong:?}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<String> = rust_files("src")
        .iter()
        .filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! "))
        .map(|path| shown(path))
        .collect();
    assert!(silent.is_empty(), "no `//!` header: {silent:#?}");
}

#[test]
fn used_folders_are_found_in_all_spellings() {
    let code = "use crate::source::{Node, Span};\nuse crate::{run::event, vars::{Scope, graph}};\nlet x = crate::template::Renderer::new(a, session);";
    let found: Vec<String> = used_folders(code).into_iter().collect();
    assert_eq!(found, ["run", "source", "template", "vars"]);
}
