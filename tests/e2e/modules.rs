//! Modules, each on two Debian hosts, one worked on by ansible-core and one by stead: the cases of
//! `tests/differential/modules/*.md`. Each page is planned (check mode), applied, and applied again,
//! and compared is how every task ended, the fields of its result, and what the hosts are like.
//!
//! A page holds cases, each below a heading of the second level, of fenced blocks: `tasks` (in which
//! `d` is a fresh directory of the case), `prepare` (a script, before the first and the second run;
//! `$d` is the directory), `state` (a script whose output is compared after each run, beside the
//! directory itself), `ignore` (fields of results that are not compared), and `differs`, a
//! difference that is kept, exactly as this test prints it. Blocks before the first heading are
//! shared: `prepare` and `state` of the whole page, `ignore` of every case.
//!
//! In check mode Ansible's word is a guess. Where it says other than ansible-core itself did
//! afterwards, stead has to say what was done.
//!
//! What ansible-core did is kept in `recorded/`, because it takes minutes to find out. It is asked
//! again for pages that were edited since, and for those that `STEAD_LIVE` names (`all`, or names
//! with commas between); `STEAD_BLESS=1` writes down what it does. `STEAD_CASES=TEXT` runs only pages
//! whose name contains the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};
use stead::run::event::{Event, TaskEnding};

use crate::fleet::Fleet;
use crate::pages::sections;
use crate::project::{Project, Report, ansible_playbook};
use crate::support::{skip, text};

/// Hosts of the two programs.
pub(crate) const OURS: usize = 1;
pub(crate) const THEIRS: usize = 2;

/// Fields that are about the run or worded for people.
const NOT_COMPARED: [&str; 14] = [
    "invocation",
    "diff",
    "warnings",
    "deprecations",
    "msg",
    "start",
    "end",
    "delta",
    "exception",
    "module_stderr",
    "module_stdout",
    "atime",
    "ctime",
    "mtime",
];

/// What Git keeps for itself (`*.git`) is full of times: cases ask Git.
const GIT: &str = "-name '*.git' -prune";

/// Runs of one page, in order.
const PHASES: [&str; 3] = ["plan", "apply", "again"];

#[derive(Default)]
struct Case {
    name: String,
    tasks: Vec<Value>,
    prepare: String,
    state: String,
    ignore: BTreeSet<String>,
    differs: String,
}

struct Page {
    name: String,
    /// SHA-256 of the page.
    digest: String,
    shared: Case,
    cases: Vec<Case>,
}

fn pages() -> Vec<Page> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/modules");
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let wanted = std::env::var("STEAD_CASES").unwrap_or_default();
    let named = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "md") && path.file_stem().unwrap().to_string_lossy().contains(&wanted)
    };
    paths.iter().filter(|path| named(path)).map(|path| read(path)).collect()
}

fn read(path: &Path) -> Page {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap();
    let digest = stead_modules::host::digest_bytes(text.as_bytes(), "sha256").unwrap();
    let mut page = Page { name, digest, shared: Case::default(), cases: Vec::new() };
    for (heading, blocks) in sections(&text) {
        let mut case = Case { name: heading, ..Case::default() };
        for block in &blocks {
            match block.words.first().map(String::as_str) {
                Some("tasks") => case.tasks = tasks(&case.name, &block.text),
                Some("prepare") => case.prepare.clone_from(&block.text),
                Some("state") => case.state.clone_from(&block.text),
                Some("ignore") => case.ignore = block.text.split_whitespace().map(str::to_owned).collect(),
                Some("differs") => case.differs.clone_from(&block.text),
                other => panic!("{}: {}: a block that nobody knows: {other:?}", page.name, case.name),
            }
        }
        if case.name.is_empty() {
            page.shared = case;
        } else {
            assert!(!case.tasks.is_empty(), "{}: {}: no tasks", page.name, case.name);
            page.cases.push(case);
        }
    }
    page
}

/// The tasks, each with a name of its own.
pub(crate) fn tasks(case: &str, text: &str) -> Vec<Value> {
    let tasks: Vec<Map<String, Value>> = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{case}: {error}"));
    let name = |(index, mut task): (usize, Map<String, Value>)| {
        task.insert("name".into(), json!(format!("{case} #{}", index + 1)));
        Value::Object(task)
    };
    tasks.into_iter().enumerate().map(name).collect()
}

impl Page {
    fn directory(&self, index: usize) -> String {
        format!("/srv/cases/{}/{index}", self.name)
    }

    fn playbook(&self) -> String {
        let block = |(index, case): (usize, &Case)| json!({"vars": {"d": self.directory(index)}, "block": case.tasks, "ignore_errors": true});
        let blocks: Vec<Value> = self.cases.iter().enumerate().map(block).collect();
        json!([{"hosts": "all", "gather_facts": false, "tasks": blocks}]).to_string()
    }

    /// Makes every case's directory, and in it what the case starts from.
    fn prepare(&self) -> String {
        let mut script = format!("set -eu; umask 022\n{}\n", self.shared.prepare);
        for (index, case) in self.cases.iter().enumerate() {
            let directory = self.directory(index);
            let _ = writeln!(script, "(d={directory}; rm -rf $d; mkdir -p $d; cd $d\n{}\n:)", case.prepare);
        }
        script
    }

    /// What the host is like, a line each, by case.
    fn state(&self) -> String {
        let mut script = String::from("umask 022\n");
        let all =
            std::iter::once((None, &self.shared)).chain(self.cases.iter().enumerate().map(|(index, case)| (Some(index), case)));
        for (index, case) in all {
            let name = if case.name.is_empty() { &self.name } else { &case.name };
            let _ = writeln!(script, "echo '\u{1}{name}'");
            if let Some(index) = index {
                let directory = self.directory(index);
                let _ = writeln!(
                    script,
                    "(d={directory}; cd $d && find . {GIT} -o -printf '%p %y %m %u:%g %l\\n' | LC_ALL=C sort\n\
                     find . {GIT} -o -type f -size -4k -print | LC_ALL=C sort | while read -r f; do echo \"-- $f\"; cat \"$f\"; echo; done | cat -v\n\
                     find . {GIT} -o -type f -size +3k -exec sha256sum {{}} + | LC_ALL=C sort -k2\n{}\n:) 2>&1",
                    case.state
                );
            } else {
                let _ = writeln!(script, "({}\n:) 2>&1", case.state);
            }
        }
        script
    }
}

/// What happened, by case: lines.
pub(crate) type Lines = BTreeMap<String, Vec<String>>;

/// How a task (or an item of its loop) ended.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Ended {
    /// `case #number` or `role : name`, and the item.
    pub(crate) task: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<String>,
    pub(crate) ending: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(crate) result: Value,
    /// Plain name of the module.
    #[serde(skip)]
    pub(crate) module: String,
}

/// What a program did in one run, and what its host was like afterwards.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct Ran {
    pub(crate) ended: Vec<Ended>,
    pub(crate) state: Lines,
}

/// What ansible-core did with a page.
#[derive(serde::Serialize, serde::Deserialize)]
struct Recorded {
    /// Of the page that it was.
    digest: String,
    runs: Vec<Ran>,
}

impl Page {
    fn record(&self) -> PathBuf {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/modules/recorded");
        directory.join(format!("{}.json", self.name))
    }

    /// What is known of it, if it did not change since.
    fn recorded(&self) -> Option<Vec<Ran>> {
        let live = std::env::var("STEAD_LIVE").unwrap_or_default();
        if live.split(',').any(|name| name == "all" || name == self.name) {
            return None;
        }
        let recorded: Recorded = serde_json::from_slice(&fs::read(self.record()).ok()?).ok()?;
        (recorded.digest == self.digest).then_some(recorded.runs)
    }

    /// Fields of results of a case that are not compared.
    fn ignored(&self, task: &str) -> BTreeSet<&str> {
        let own = self.cases.iter().find(|case| case.name == case_of(task)).map(|case| &case.ignore);
        own.into_iter().chain([&self.shared.ignore]).flatten().map(String::as_str).chain(NOT_COMPARED).collect()
    }
}

/// Without the fields that are not compared, at any depth.
fn compared(value: Value, ignored: &BTreeSet<&str>) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(name, _)| !ignored.contains(name.as_str()));
            kept.map(|(name, value)| (name, compared(value, ignored))).collect()
        }
        Value::Array(items) => items.into_iter().map(|item| compared(item, ignored)).collect(),
        other => other,
    }
}

fn theirs(events: &Path) -> Vec<Ended> {
    let mut all = Vec::new();
    for line in fs::read_to_string(events).unwrap_or_default().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let kind = text("e");
        let (ending, item) = match kind.strip_prefix("item_") {
            Some(ending) => (ending, Some(text("item"))),
            None => (kind.as_str(), None),
        };
        let ending = match ending {
            "ok" if event["result"]["changed"] == json!(true) => "changed",
            "ok" => "ok",
            "skipped" => "skipped",
            "failed" => "failed",
            "unreachable" => "unreachable",
            _ => continue,
        };
        let (task, module, ending) = (text("task"), text("module"), ending.to_owned());
        all.push(Ended { task, item, ending, result: event["result"].clone(), module });
    }
    all
}

fn ours(report: &Report) -> Vec<Ended> {
    let word = |ending: TaskEnding| match ending {
        TaskEnding::Ok => "ok",
        TaskEnding::Changed => "changed",
        TaskEnding::Skipped => "skipped",
        TaskEnding::Failed | TaskEnding::Ignored | TaskEnding::Rescued => "failed",
        TaskEnding::Unreachable => "unreachable",
        TaskEnding::Unknown => "unknown",
    };
    let ended = |event: &Event| {
        let (task, ending, result, item) = match event {
            Event::TaskEnded { task, ending, result, .. } => (task, ending, result, None),
            Event::ItemEnded { task, ending, result, item, .. } => (task, ending, result, Some(item.clone())),
            _ => return None,
        };
        let name = task.role.as_ref().map_or_else(|| task.name.clone(), |role| format!("{role} : {}", task.name));
        let (ending, module) = (word(*ending).to_owned(), task.module.clone());
        Some(Ended { task: name, item, ending, result: result.clone(), module })
    };
    report.events.iter().filter_map(ended).collect()
}

/// The case of a task's name.
fn case_of(task: &str) -> &str {
    task.rsplit_once(" #").map_or(task, |(case, _)| case)
}

/// Only the fields that stand in Ansible's result are compared, and only of what worked.
fn fields(result: &Value, wanted: &Value) -> String {
    let (Some(result), Some(wanted)) = (result.as_object(), wanted.as_object()) else { return String::new() };
    let compared = result.iter().filter(|(name, _)| wanted.contains_key(*name));
    let sorted: BTreeMap<&String, &Value> =
        compared.filter(|(name, _)| !["results", "failed", "changed"].contains(&name.as_str())).collect();
    sorted.iter().map(|(name, value)| format!(" {name}={}", canonical(value))).collect()
}

/// JSON with sorted keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, String> = map.iter().map(|(name, value)| (name, canonical(value))).collect();
            let parts: Vec<String> = sorted.into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The two hosts, each with a project that knows no other.
pub(crate) struct Work<'a> {
    pub(crate) fleet: &'a Fleet,
    /// Of ansible-core and of stead.
    pub(crate) projects: [Project; 2],
    pub(crate) collections: Option<PathBuf>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(fleet: &'a Fleet) -> Self {
        let collections = std::env::var_os("STEAD_TEST_COLLECTIONS")
            .and_then(|path| Path::new(&path).parent().map(Path::to_owned))
            .or_else(|| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/.collections")))
            .filter(|path| path.join("ansible_collections").exists());
        let inventory = |number: usize| -> String {
            let name = format!("h{number} ");
            let wanted = fleet.inventory().lines().filter(|line| !line.starts_with('h') || line.starts_with(&name));
            wanted.map(|line| format!("{line}\n")).collect()
        };
        Self { fleet, projects: [THEIRS, OURS].map(|number| Project::new(&inventory(number))), collections }
    }

    pub(crate) fn ansible(&self, phase: &str) -> Vec<Ended> {
        let project = &self.projects[0];
        let events = project.path("events");
        let _ = fs::remove_file(&events);
        let mut command = Command::new(ansible_playbook().expect("asked before"));
        command.args(["-i", "hosts.ini", "site.yml"]);
        if phase == "plan" {
            command.arg("--check");
        }
        if let Some(collections) = &self.collections {
            command.env("ANSIBLE_COLLECTIONS_PATH", collections);
        }
        let output = command
            .env("HOME", project.path("."))
            .envs([("ANSIBLE_PIPELINING", "1"), ("ANSIBLE_HOST_KEY_CHECKING", "0"), ("ANSIBLE_NOCOLOR", "1")])
            .env("ANSIBLE_SSH_ARGS", "-F none -o ControlMaster=auto -o ControlPersist=30s")
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", project.path("cp"))
            .env("ANSIBLE_CALLBACK_PLUGINS", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/callback"))
            .env("ANSIBLE_STDOUT_CALLBACK", "stead_differential")
            .env("STEAD_DIFFERENTIAL_EVENTS", &events)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(project.path("."))
            .stdin(Stdio::null())
            .output()
            .expect("ansible-playbook starts");
        let ended = theirs(&events);
        assert!(!ended.is_empty(), "ansible-playbook: {}", text(&output));
        ended
    }

    pub(crate) fn stead(&self, phase: &str) -> Vec<Ended> {
        let project = &self.projects[1];
        let mut command = project.stead();
        command.args([if phase == "plan" { "plan" } else { "apply" }, "--json", "-i", "hosts.ini", "site.yml"]);
        if let Some(collections) = &self.collections {
            command.env("ANSIBLE_COLLECTIONS_PATH", collections);
        }
        let report = Report::of(command.output().expect("stead starts"));
        let ended = ours(&report);
        assert!(!ended.is_empty(), "stead: {}", text(&report.output));
        ended
    }

    /// What a script says of a host: lines, below the names that it marks.
    pub(crate) fn state(&self, script: &str, host: usize) -> Lines {
        let mut lines = Lines::new();
        let said = self.fleet.on(host, script);
        for part in said.split('\u{1}').skip(1) {
            let (name, rest) = part.split_once('\n').unwrap_or((part, ""));
            lines.insert(name.to_owned(), rest.lines().map(str::to_owned).collect());
        }
        lines
    }

    /// Runs a page, with the state before the first run and after each.
    fn runs(&self, page: &Page, host: usize, run: &dyn Fn(&str) -> Vec<Ended>) -> (Lines, Vec<Ran>) {
        let mut before = Lines::new();
        let one = |phase: &&str| {
            if *phase != "again" {
                self.fleet.on(host, &page.prepare());
            }
            if *phase == "plan" {
                before = self.state(&page.state(), host);
            }
            let mut ended = run(phase);
            for one in &mut ended {
                one.result = compared(std::mem::take(&mut one.result), &page.ignored(&one.task));
            }
            Ran { ended, state: self.state(&page.state(), host) }
        };
        let runs = PHASES.iter().map(one).collect();
        (before, runs)
    }

    /// What differs, by case, and how often Ansible's check mode guessed wrong.
    fn compare(&self, page: &Page) -> (BTreeMap<String, String>, usize) {
        let playbook = page.playbook();
        self.projects.iter().for_each(|project| project.write("site.yml", &playbook));
        let (theirs, (before, ours)) = match page.recorded() {
            Some(recorded) => (recorded, self.runs(page, OURS, &|phase| self.stead(phase))),
            None => std::thread::scope(|scope| {
                let theirs = scope.spawn(|| self.runs(page, THEIRS, &|phase| self.ansible(phase)).1);
                let ours = self.runs(page, OURS, &|phase| self.stead(phase));
                (theirs.join().unwrap(), ours)
            }),
        };
        let mut different: BTreeMap<String, String> = BTreeMap::new();
        for ((phase, theirs), ours) in PHASES.iter().zip(&theirs).zip(&ours) {
            let is_plan = *phase == "plan";
            let names = if is_plan { ["before", "after"] } else { ["ansible", "stead"] };
            for (case, expected) in if is_plan { &before } else { &theirs.state } {
                let said = difference(expected, &ours.state[case], names);
                if !said.is_empty() {
                    let _ = write!(different.entry(case.clone()).or_default(), "{phase}, state:\n{said}");
                }
            }
        }
        let guesses = compare_endings(page, &theirs, &ours, &mut different);
        if std::env::var_os("STEAD_BLESS").is_some() {
            fs::create_dir_all(page.record().parent().unwrap()).unwrap();
            let recorded = Recorded { digest: page.digest.clone(), runs: theirs };
            fs::write(page.record(), serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
        }
        (different, guesses)
    }
}

/// How every task ended in every run; counts wrong guesses of Ansible's check mode.
fn compare_endings(page: &Page, theirs: &[Ran], ours: &[Ran], different: &mut BTreeMap<String, String>) -> usize {
    let mut guesses = 0;
    for ((phase, ran), other) in PHASES.iter().zip(theirs).zip(ours) {
        let mut lines: BTreeMap<&str, [Vec<String>; 2]> = BTreeMap::new();
        for one in &ran.ended {
            let Some(case) = page.cases.iter().find(|case| case.name == case_of(&one.task)) else { continue };
            let same = |other: &&Ended| other.task == one.task && other.item == one.item;
            let other = other.ended.iter().find(same);
            let mut expected = one.ending.as_str();
            let real = theirs[1].ended.iter().find(same).map_or(expected, |real| real.ending.as_str());
            if *phase == "plan" && expected != real {
                guesses += 1;
                let other = other.map_or(real, |other| other.ending.as_str());
                // A task that is not for check mode is skipped by both.
                let is_skipped = other == "skipped" && expected == other;
                expected = if other == "unknown" || is_skipped { other } else { real };
            }
            let worked = *phase != "plan" && matches!(expected, "ok" | "changed");
            let said = |ending: &str, result: &Value| {
                let said = if worked { fields(result, &one.result) } else { String::new() };
                let item = one.item.as_ref().map(|item| format!(" [{item}]")).unwrap_or_default();
                format!("{}{item}: {ending}{said}", one.task)
            };
            let pair = lines.entry(&case.name).or_default();
            pair[0].push(said(expected, &one.result));
            pair[1].extend(other.map(|other| said(&other.ending, &other.result)));
        }
        for (case, [theirs, ours]) in lines {
            let said = difference(&theirs, &ours, ["ansible", "stead"]);
            if !said.is_empty() {
                let _ = write!(different.entry(case.to_owned()).or_default(), "{phase}:\n{said}");
            }
        }
    }
    guesses
}

/// Lines of one side only.
pub(crate) fn difference(theirs: &[String], ours: &[String], names: [&str; 2]) -> String {
    let (theirs, ours) = (theirs.join("\n"), ours.join("\n"));
    let diff = similar::TextDiff::from_lines(&theirs, &ours);
    let mut said = String::new();
    for change in diff.iter_all_changes() {
        let name = match change.tag() {
            similar::ChangeTag::Delete => names[0],
            similar::ChangeTag::Insert => names[1],
            similar::ChangeTag::Equal => continue,
        };
        let _ = writeln!(said, "  {name}: {}", change.value().trim_end());
    }
    said
}

#[test]
fn modules_do_what_they_do_under_ansible() {
    let test = "modules_do_what_they_do_under_ansible";
    let mut pages = pages();
    assert!(!pages.is_empty(), "no page has this name");
    if ansible_playbook().is_none() {
        let count = pages.len();
        pages.retain(|page| page.recorded().is_some());
        if pages.len() < count {
            skip(test, "pages that need ansible-core: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
        }
    }
    let hosts = if pages.iter().all(|page| page.recorded().is_some()) { OURS } else { THEIRS };
    let Some(fleet) = Fleet::boot_with_packages(test, hosts) else { return };
    let work = Work::new(&fleet);
    let (mut report, mut cases, mut wrong, mut kept, mut guesses) = (String::new(), 0, 0, 0, 0);
    for page in &pages {
        let (different, guessed) = work.compare(page);
        guesses += guessed;
        cases += page.cases.len();
        for case in std::iter::once(&page.shared).chain(&page.cases) {
            let name = if case.name.is_empty() { &page.name } else { &case.name };
            let found = different.get(name).map_or("", String::as_str);
            kept += usize::from(!case.differs.is_empty());
            if found.trim() != case.differs.trim() {
                wrong += 1;
                let _ = writeln!(report, "=== {}: {name}\n{found}", page.name);
            }
        }
    }
    assert!(wrong == 0, "{wrong} of {cases} cases differ\n{report}");
    use std::io::Write as _;
    let figures = format!("{cases} cases of modules, {kept} kept differences; Ansible's check mode was wrong {guesses} times");
    let _ = writeln!(std::io::stderr(), "{figures}");
}
