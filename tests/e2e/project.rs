//! A directory with an inventory and playbooks, and stead (or ansible-playbook) run in it.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use stead::run::event::{Event, HostEnding, HostRecap, TaskEnding};
use stead_modules::change::Change;
use tempfile::TempDir;

use crate::support::{STEAD, skip, text};

/// A project in a temporary directory, which is also the home of who runs it.
pub(crate) struct Project {
    directory: TempDir,
}

/// What a run with `--json` said.
pub(crate) struct Report {
    pub(crate) output: Output,
    pub(crate) events: Vec<Event>,
}

impl Project {
    /// A project with this inventory.
    pub(crate) fn new(inventory: &str) -> Self {
        let project = Self { directory: TempDir::new().expect("a temporary directory can be made") };
        project.write("hosts.ini", inventory);
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file of the project.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is below the project")).expect("directories can be made");
        fs::write(path, content).expect("files can be written");
    }

    /// Replaces a text that is there in a file of the project.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).expect("the file is there");
        assert!(text.contains(from), "{name} has no `{from}`");
        self.write(name, &text.replace(from, to));
    }

    /// Copies a directory of the repository into the project.
    pub(crate) fn copy(&self, from: &str, to: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
        let status = Command::new("cp").arg("-r").arg("--no-preserve=mode").arg(source).arg(self.path(to)).status();
        assert!(status.expect("cp starts").success());
    }

    /// The tool, ready to be given arguments.
    pub(crate) fn stead(&self) -> Command {
        let mut command = Command::new(STEAD);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("USER", "root")
            .env("BENCH_OUT", self.path("out"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `stead COMMAND --json -i hosts.ini ARGUMENTS`.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Report {
        let output = self.stead().args([command, "--json", "-i", "hosts.ini"]).args(arguments).output().expect("stead starts");
        Report::of(output)
    }

    /// Runs `ansible-playbook` and requires success; says so where there is none.
    pub(crate) fn ansible(&self, test: &str, playbook: &str) -> Option<String> {
        let Some(program) = ansible_playbook() else {
            skip(test, "no ansible-playbook: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
            return None;
        };
        let output = Command::new(program)
            .args(["-i", "hosts.ini", playbook])
            .env("HOME", self.directory.path())
            .env("BENCH_OUT", self.path("out"))
            .envs([("ANSIBLE_PIPELINING", "1"), ("ANSIBLE_HOST_KEY_CHECKING", "0"), ("ANSIBLE_NOCOLOR", "1")])
            .env("ANSIBLE_SSH_ARGS", "-F none -o ControlMaster=auto -o ControlPersist=10s")
            .env("ANSIBLE_SSH_CONTROL_PATH_DIR", self.path("cp"))
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output()
            .expect("ansible-playbook starts");
        assert!(output.status.success(), "ansible-playbook {playbook}: {}", text(&output));
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// ansible-core, to compare with.
pub(crate) fn ansible_playbook() -> Option<PathBuf> {
    let named = env::var_os("STEAD_TEST_ANSIBLE").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/.venv/bin/ansible-playbook");
    named.into_iter().chain([installed]).find(|path| path.exists())
}

impl Report {
    pub(crate) fn of(output: Output) -> Self {
        let stdout = String::from_utf8_lossy(&output.stdout);
        let events = stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("not an event: {error}: {line}: {}", text(&output)))
            })
            .collect();
        Self { output, events }
    }

    /// Requires an exit code.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.failures());
        self
    }

    /// What went wrong, and what was said beside the events, for messages of failed tests.
    fn failures(&self) -> String {
        let bad = |ending: &TaskEnding| matches!(ending, TaskEnding::Failed | TaskEnding::Unreachable | TaskEnding::Unknown);
        let lines: Vec<String> = self
            .events
            .iter()
            .filter_map(|event| match event {
                Event::TaskEnded { task, host, ending, message, .. } if bad(ending) => {
                    Some(format!("{host}: {} ({}): {ending:?}: {}", task.name, task.place, message.as_deref().unwrap_or("-")))
                }
                Event::RunEnded { recap, .. } => Some(format!("{recap:?}")),
                _ => None,
            })
            .collect();
        format!("{}\n{}", lines.join("\n"), String::from_utf8_lossy(&self.output.stderr))
    }

    /// The last event's lines, by host.
    pub(crate) fn recap(&self) -> BTreeMap<String, HostRecap> {
        let Some(Event::RunEnded { recap, .. }) = self.events.last() else { panic!("the run has no end: {}", self.failures()) };
        recap.iter().map(|line| (line.host.to_string(), line.clone())).collect()
    }

    /// How each host ended.
    pub(crate) fn endings(&self) -> BTreeMap<String, HostEnding> {
        self.recap().into_iter().map(|(host, line)| (host, line.ending)).collect()
    }

    /// Every task (or item of its loop) that ended so, with its changes.
    pub(crate) fn ended(&self, wanted: TaskEnding) -> BTreeMap<(String, String, String), Vec<Change>> {
        let mut found = BTreeMap::new();
        let mut looped = std::collections::BTreeSet::new();
        for event in &self.events {
            match event {
                Event::ItemEnded { task, host, item, ending, changes, .. } => {
                    looped.insert((task.id, host.clone()));
                    if *ending == wanted {
                        found
                            .insert((host.to_string(), format!("{} ({})", task.name, task.place), item.clone()), changes.clone());
                    }
                }
                Event::TaskEnded { task, host, ending, changes, .. }
                    if *ending == wanted && !looped.contains(&(task.id, host.clone())) =>
                {
                    found.insert((host.to_string(), format!("{} ({})", task.name, task.place), String::new()), changes.clone());
                }
                _ => {}
            }
        }
        found
    }
}
