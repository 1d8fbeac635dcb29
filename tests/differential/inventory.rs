//! Inventories: the cases of `tests/differential/inventory/*.md`, each read by ansible-core and by
//! stead: groups in their order, hosts, what every host's variables are, which source a host is from,
//! and which hosts patterns select.
//!
//! A case stands below a heading of the second level. Fenced blocks: `ini` and `yaml` are the files
//! `hosts` and `hosts.yml`; `file PATH` any other (`program PATH`: one that is run); `sources` what is
//! given with `-i`, one on a line (without it: `hosts` or `hosts.yml`); `extra` is `name=value` of `-e`;
//! `patterns` one on a line, ` @@ ` before a limit, `[a, b]` for a list of patterns; `fails` says that
//! both refuse the inventory; `unordered` that the order of hosts in groups is chance. `differs` is a difference that is kept, exactly as this test prints it.
//! `STEAD_CASES=TEXT` runs only cases whose name contains the text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use stead::inventory::{Inventory, InventorySettings};
use stead::source::{Node, NodeValue, SourceMap};
use stead::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable, Variables};
use tempfile::TempDir;

use crate::ansible;
use crate::pages::{self, Block};

/// One case.
#[derive(Default)]
struct Case {
    name: String,
    files: Vec<(String, String, bool)>,
    sources: Vec<String>,
    extra: BTreeMap<String, String>,
    patterns: Vec<(Json, Option<String>)>,
    fails: bool,
    unordered: bool,
    differs: String,
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/inventory");
    let mut pages: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let wanted = std::env::var("STEAD_CASES").unwrap_or_default();
    pages.iter().flat_map(|page| page_cases(page)).filter(|case| case.name.contains(&wanted)).collect()
}

fn page_cases(path: &Path) -> Vec<Case> {
    let page = fs::read_to_string(path).unwrap();
    let stem = path.file_stem().unwrap().to_string_lossy();
    let mut blocks = pages::blocks(&page).into_iter().peekable();
    let mut cases = Vec::new();
    let headings: Vec<(usize, &str)> =
        page.match_indices("\n## ").map(|(at, _)| (at, page[at + 4..].lines().next().unwrap_or_default())).collect();
    for (index, (_, name)) in headings.iter().enumerate() {
        let end = headings.get(index + 1).map_or(page.len(), |(at, _)| *at);
        let mut case = Case { name: format!("{stem}: {name}"), ..Case::default() };
        while let Some(block) = blocks.next_if(|block| block.at.start < end) {
            case.add(block);
        }
        if case.sources.is_empty() {
            let given = ["hosts", "hosts.yml"].into_iter().filter(|name| case.files.iter().any(|(file, ..)| file == name));
            case.sources = given.map(str::to_owned).collect();
        }
        cases.push(case);
    }
    cases
}

impl Case {
    fn add(&mut self, block: Block) {
        let lines = || block.text.lines().filter(|line| !line.is_empty()).map(str::to_owned);
        match (block.words[0].as_str(), block.words.get(1)) {
            ("ini", None) => self.files.push(("hosts".to_owned(), block.text, false)),
            ("yaml", None) => self.files.push(("hosts.yml".to_owned(), block.text, false)),
            ("file", Some(path)) => self.files.push((path.clone(), block.text, false)),
            ("program", Some(path)) => self.files.push((path.clone(), block.text, true)),
            ("sources", None) => self.sources = lines().collect(),
            ("extra", None) => {
                let pair = |line: String| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
                self.extra = lines().map(pair).collect();
            }
            ("patterns", None) => self.patterns.extend(lines().map(|line| {
                let (pattern, limit) = match line.split_once(" @@ ") {
                    Some((pattern, limit)) => (pattern, Some(limit.to_owned())),
                    None => (line.as_str(), None),
                };
                let list = pattern.strip_prefix("[\"").map(|_| serde_json::from_str(pattern).expect("a JSON list"));
                (list.unwrap_or_else(|| json!(pattern)), limit)
            })),
            ("fails", None) => self.fails = true,
            ("unordered", None) => self.unordered = true,
            ("differs", None) => self.differs = block.text,
            (other, _) => panic!("{}: a block `{other}` means nothing", self.name),
        }
    }

    fn directory(&self) -> TempDir {
        let directory = TempDir::new().unwrap();
        for (name, text, is_program) in &self.files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            if *is_program {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        directory
    }

    /// Paths in the directory; lists of names stay.
    fn sources(&self, directory: &Path) -> Vec<String> {
        let path = |source: &String| {
            if source.contains(',') { source.clone() } else { directory.join(source).display().to_string() }
        };
        self.sources.iter().map(path).collect()
    }

    fn request(&self, directory: &Path) -> Json {
        json!({
            "directory": directory,
            "sources": self.sources(directory),
            "extra": self.extra,
            "unordered": self.unordered,
            "patterns": self.patterns.iter().map(|(pattern, limit)| (pattern, limit.as_ref().map(|limit| placed(limit, directory)))).collect::<Vec<_>>(),
        })
    }

    /// stead's answer, in the shape of the other one.
    fn answer(&self, directory: &Path) -> (Json, Vec<String>) {
        let map = SourceMap::default();
        let data = |text: &String| Variable { definition: Definition::Data(Value::from(text)), origin: Origin::CommandLine };
        let extra: Variables = self.extra.iter().map(|(name, value)| (name.as_str().into(), data(value))).collect();
        let settings = InventorySettings { extra_vars: Arc::new(extra), ..InventorySettings::default() };
        let (mut inventory, mut problems) = Inventory::load(&map, &self.sources(directory), &settings);
        problems.extend(inventory.load_beside_playbook(&map, &directory.join("play")));
        let said = problems.iter().map(|problem| problem.message.clone()).collect();
        if problems.has_errors() {
            return (json!({"failed": true}), said);
        }
        let (mut groups, mut variables, mut origins) = (Map::new(), Map::new(), Map::new());
        for name in inventory.group_names() {
            let mut members = inventory.group_hosts(name);
            if self.unordered {
                members.sort();
            }
            let group = json!({
                "hosts": inventory.own_hosts_of(name),
                "children": inventory.children_of(name),
                "members": members,
            });
            groups.insert(name.to_string(), group);
        }
        for host in inventory.hosts() {
            let mut scope = Scope { layers: inventory.host_layers(host), ..Scope::default() };
            scope.push(Layer { precedence: Precedence::ExtraVars, variables: Arc::clone(&settings.extra_vars) });
            let value =
                |name: Arc<str>| (name.to_string(), raw(&scope.lookup(&name).expect("it is one of the names").0.definition));
            variables.insert(host.to_string(), Json::Object(scope.names().into_iter().map(value).collect()));
            let source = inventory.source_of(host).expect("all are from a source");
            origins.insert(host.to_string(), json!([source.file, source.directory]));
        }
        let patterns: Vec<Json> = self
            .patterns
            .iter()
            .map(|(pattern, limit)| {
                let patterns: Vec<&str> = match pattern {
                    Json::Array(items) => items.iter().filter_map(Json::as_str).collect(),
                    one => one.as_str().into_iter().collect(),
                };
                let limit = limit.as_ref().map(|limit| placed(limit, directory));
                match inventory.select_all(&patterns, limit.as_deref()) {
                    Ok(found) => json!(found.hosts),
                    // A limit that leaves nobody ends ansible-playbook too, but later.
                    Err(problems) if problems.iter().any(|problem| problem.code == "limit-without-hosts") => json!([]),
                    Err(_) => Json::Null,
                }
            })
            .collect();
        (json!({"failed": false, "groups": groups, "variables": variables, "from": origins, "patterns": patterns}), said)
    }
}

/// A limit's file lies in the directory.
fn placed(limit: &str, directory: &Path) -> String {
    limit.strip_prefix('@').map_or_else(|| limit.to_owned(), |name| format!("@{}", directory.join(name).display()))
}

/// A definition without rendering.
fn raw(definition: &Definition) -> Json {
    match definition {
        Definition::Data(value) => value.to_json().expect("nothing is unknown here"),
        Definition::Source(node) => of_node(node),
    }
}

fn of_node(node: &Node) -> Json {
    match &node.value {
        NodeValue::Null => Json::Null,
        NodeValue::Bool(value) => json!(value),
        NodeValue::Int(value) => json!(value),
        NodeValue::Float(value) => json!(value),
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) | NodeValue::Vault(text) => json!(&**text),
        NodeValue::List(items) => items.iter().map(of_node).collect(),
        NodeValue::Map(map) => {
            let key = |key: &Node| match of_node(key) {
                Json::String(text) => text,
                Json::Bool(value) => if value { "True" } else { "False" }.to_owned(),
                Json::Null => "None".to_owned(),
                other => other.to_string(),
            };
            Json::Object(map.entries.iter().map(|(name, value)| (key(name), of_node(value))).collect())
        }
    }
}

/// Where two answers differ: `path: theirs | ours`.
fn differences(path: &str, theirs: &Json, ours: &Json, out: &mut String) {
    match (theirs, ours) {
        (Json::Object(a), Json::Object(b)) => {
            // Groups come in order, names of variables do not.
            if path.ends_with("groups") && !a.keys().eq(b.keys()) {
                let names = |map: &Map<String, Json>| map.keys().cloned().collect::<Vec<_>>().join(" ");
                writeln!(out, "{path}: {} | {}", names(a), names(b)).unwrap();
            }
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                let missing = Json::String("(missing)".to_owned());
                differences(&format!("{path}.{name}"), a.get(name).unwrap_or(&missing), b.get(name).unwrap_or(&missing), out);
            }
        }
        (a, b) if a != b => writeln!(out, "{path}: {a} | {b}").unwrap(),
        _ => {}
    }
}

#[test]
fn inventories_mean_what_they_mean_to_ansible() {
    let Some(programs) = ansible::programs("inventories_mean_what_they_mean_to_ansible") else { return };
    let cases = cases();
    let directories: Vec<TempDir> = cases.iter().map(Case::directory).collect();
    let requests: Vec<Json> = cases.iter().zip(&directories).map(|(case, directory)| case.request(directory.path())).collect();
    let home = TempDir::new().unwrap();
    let config = home.path().join("ansible.cfg");
    fs::write(&config, "").unwrap();
    let mut child = Command::new(programs.join("python"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/inventory.py"))
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_CONFIG", &config)
        .env("HOME", home.path())
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &requests).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the driver failed");
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), cases.len());
    let mut wrong = String::new();
    for ((case, directory), theirs) in cases.iter().zip(&directories).zip(&answers) {
        let (ours, said) = case.answer(directory.path());
        let fails = theirs["failed"] == json!(true);
        let mut found = String::new();
        if !(fails && ours["failed"] == json!(true)) {
            differences("", theirs, &ours, &mut found);
        }
        let found = found.replace(&directory.path().display().to_string(), "DIR");
        if found != case.differs || (case.differs.is_empty() && fails != case.fails) {
            writeln!(wrong, "== {}\n{found}   ansible: {}\n   stead: {said:?}", case.name, theirs["why"]).unwrap();
        }
    }
    // What was fetched in vain is no proof.
    assert!(!cases.is_empty());
    assert!(wrong.is_empty(), "case, path: ansible | stead\n{wrong}");
}
