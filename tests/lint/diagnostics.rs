//! Twenty mistakes: stead names the right line of each before a host is contacted, and the manual
//! shows what it says beside what ansible-core says.
//!
//! `STEAD_BLESS=1` writes the manual's page anew; where ansible-core is there (`STEAD_TEST_ANSIBLE`, or
//! `bench/.venv`) its messages are recorded in the cases first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stead::source::{Node, SourceMap, yaml};

use super::support::{files, root, say};

/// So much of ansible-core's message is recorded.
const MOST_LINES: usize = 24;

struct Case {
    path: PathBuf,
    title: String,
    line: String,
    files: Vec<(String, String)>,
    ansible: String,
}

fn cases() -> Vec<Case> {
    files(&root().join("tests/diagnostics"))
        .into_iter()
        .map(|path| {
            let map = SourceMap::default();
            let file = stead::source::load(&map, &path).unwrap();
            let (documents, problems) = yaml::parse(&map, file);
            assert!(problems.is_empty(), "{}: {problems:?}", path.display());
            let fields = documents[0].as_map().unwrap();
            let text = |node: &Node| node.as_str().unwrap_or_else(|| panic!("{}: text is wanted", path.display())).to_owned();
            let field = |name: &str| text(fields.get(name).unwrap_or_else(|| panic!("{}: no `{name}`", path.display())));
            let files = fields.get("files").unwrap().as_map().unwrap();
            Case {
                title: field("title"),
                line: field("line"),
                files: files.entries.iter().map(|(name, content)| (text(name), text(content))).collect(),
                ansible: field("ansible"),
                path,
            }
        })
        .collect()
}

impl Case {
    fn write(&self) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("hosts.ini"), "localhost ansible_connection=local\n").unwrap();
        for (name, content) in &self.files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        directory
    }

    /// What stead says before a run.
    fn stead(&self) -> String {
        let directory = self.write();
        let output = Command::new(env!("CARGO_BIN_EXE_stead"))
            .args(["plan", "-i", "hosts.ini", "site.yml"])
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}: {said}", self.title);
        assert!(output.stdout.is_empty(), "{}: a host was contacted", self.title);
        said
    }

    /// What ansible-core says: its last words, without what it says of every play.
    fn ansible(&self, program: &Path) -> String {
        let directory = self.write();
        let output = Command::new(program)
            .args(["-i", "hosts.ini", "site.yml"])
            .current_dir(directory.path())
            .env("HOME", directory.path())
            .envs([("ANSIBLE_NOCOLOR", "1"), ("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3"), ("COLUMNS", "100")])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let shown = directory.path().canonicalize().unwrap();
        let noise = ["PLAY", "TASK", "ok:", "changed:", "localhost  ", "[WARNING]"];
        let mut lines: Vec<String> = Vec::new();
        for text in [output.stderr, output.stdout] {
            let text = String::from_utf8_lossy(&text).replace(&format!("{}/", shown.display()), "");
            let kept = text.lines().filter(|line| !line.trim().is_empty() && !noise.iter().any(|word| line.starts_with(word)));
            lines.extend(kept.map(|line| line.trim_end().to_owned()));
        }
        let cut = |line: &String| {
            if line.chars().count() > 200 { line.chars().take(200).chain(['…']).collect() } else { line.clone() }
        };
        let mut kept: Vec<String> = lines.iter().take(MOST_LINES).map(cut).collect();
        if lines.len() > MOST_LINES {
            kept.push(format!("… and {} more lines", lines.len() - MOST_LINES));
        }
        kept.join("\n") + "\n"
    }

    /// Writes the case with another recording.
    fn record(&self, ansible: &str) {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let (before, _) = text.split_once("\nansible:").unwrap();
        let mut block = String::from("\nansible: |2\n");
        for line in ansible.lines() {
            block.push_str(format!("  {line}").trim_end());
            block.push('\n');
        }
        std::fs::write(&self.path, format!("{before}{block}")).unwrap();
    }
}

/// ansible-core, to compare with.
fn ansible_playbook() -> Option<PathBuf> {
    let named = std::env::var_os("STEAD_TEST_ANSIBLE").map(PathBuf::from);
    named.into_iter().chain([root().join("bench/.venv/bin/ansible-playbook")]).find(|path| path.exists())
}

fn page(cases: &[Case]) -> String {
    let requirements = std::fs::read_to_string(root().join("bench/requirements.txt")).unwrap();
    let version = requirements.lines().find_map(|line| line.strip_prefix("ansible-core==")).unwrap();
    let mut page = format!(
        "# Diagnostics\n\n\
         Mistakes in playbooks, roles, variables and templates are told before a host is contacted, all of them at once, each\n\
         with its line and with what can be done. `stead lint` looks for likely mistakes too; `stead lint --list-rules` lists\n\
         what it knows.\n\n\
         Below are twenty mistakes: the files, what stead says before it does anything, and what ansible-core {version} says\n\
         when it gets there.\n"
    );
    for (number, case) in cases.iter().enumerate() {
        let _ = write!(page, "\n## {}. {}\n", number + 1, case.title);
        for (name, content) in &case.files {
            let _ = write!(page, "\n`{name}`:\n\n```\n{}```\n", content.replace('\t', "→       "));
        }
        let _ = write!(page, "\nstead:\n\n```text\n{}```\n", case.stead());
        let _ = write!(page, "\nansible-core:\n\n```text\n{}```\n", case.ansible);
    }
    page
}

#[test]
fn the_right_line_is_named_in_all_twenty() {
    let cases = cases();
    assert_eq!(cases.len(), 20);
    let mut wrong = String::new();
    for case in &cases {
        let said = case.stead();
        let place = said.lines().find_map(|line| line.trim_start().strip_prefix("--> ")).unwrap_or_default();
        if !place.starts_with(&format!("{}:", case.line)) {
            let _ = writeln!(wrong, "{}: {} is the line, this was said:\n{said}", case.title, case.line);
        }
        if !said.contains("hint: ") && !said.contains("^ ") {
            let _ = writeln!(wrong, "{}: nothing helps:\n{said}", case.title);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_manual_shows_what_is_said_now() {
    let path = root().join("src/docs/pages/diagnostics.md");
    let mut all = cases();
    if std::env::var_os("STEAD_BLESS").is_some() {
        if let Some(program) = ansible_playbook() {
            all.iter().for_each(|case| case.record(&case.ansible(&program)));
            all = cases();
        } else {
            say("SKIPPED recording ansible-core's messages: there is no ansible-playbook");
        }
        std::fs::write(&path, page(&all)).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == page(&all), "{} is stale: STEAD_BLESS=1 cargo test --test lint writes it anew", path.display());
    let recorded = all.iter().all(|case| !case.ansible.trim().is_empty());
    assert!(recorded, "a case has no recording of ansible-core's message");
}
