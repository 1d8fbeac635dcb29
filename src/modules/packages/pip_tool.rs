//! The pip of a host or of a virtual environment: where it is, what it has, what it would do.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::pep440::normal;
use super::pip::PYTHON;
use super::work::{self, Step};
use crate::host::{CommandLine, Effect, Inspect};
use crate::outcome::Failure;

/// How long pip may take to say what it would do.
const REPORT_DEADLINE: Duration = Duration::from_secs(600);

/// A pip, and the packages that it has.
#[derive(Debug, Clone)]
pub(super) struct Pip {
    argv: Vec<String>,
    /// Whether it is there; one that an earlier task would bring has nothing yet.
    pub exists: bool,
    version: (u64, u64),
    /// Versions by name in its normal form.
    pub installed: BTreeMap<String, String>,
}

/// `pip 23.0.1 from /usr/lib/python3/dist-packages/pip (python 3.11)` -> (23, 0).
fn version(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.strip_prefix("pip ")?.split_whitespace().next()?.split('.').map(|part| part.parse().unwrap_or(0));
    Some((numbers.next()?, numbers.next().unwrap_or(0)))
}

impl Pip {
    /// The pip to be run. One that is missing is an error, but in a plan, where an earlier task may bring it.
    pub(super) fn find(executable: Option<&str>, venv: Option<&Path>, host: &dyn Inspect) -> Result<Self, Failure> {
        let python = |path: &str| [path, "-m", "pip"].map(String::from).to_vec();
        let candidates = match (executable, venv) {
            (Some(executable), _) => vec![vec![executable.to_owned()]],
            (None, Some(venv)) => vec![python(&venv.join("bin/python").display().to_string())],
            (None, None) => vec![python("python3"), vec!["pip3".into()], vec!["pip".into()]],
        };
        let first = candidates[0].clone();
        for argv in candidates {
            let mut line = CommandLine::new(argv.clone());
            line.argv.push("--version".into());
            if let Ok(output) = host.query(&line)
                && let Some(version) = version(&output.text()).filter(|_| output.rc == 0)
            {
                return Ok(Self { argv, exists: true, version, installed: BTreeMap::new() });
            }
        }
        // An environment that is made by this very task brings its own.
        let made = venv.is_some_and(|venv| !host.stat(&venv.join("bin/activate")).is_ok_and(|stat| stat.is_some()));
        if host.acts() && !made && venv.is_none() {
            let name = executable.unwrap_or("pip");
            return Err(Failure::new(format!("Unable to find `{name}`; the package `python3-pip` has it")));
        }
        Ok(Self { argv: first, exists: false, version: (0, 0), installed: BTreeMap::new() })
    }

    /// A run of this pip.
    pub(super) fn line(&self, words: &[String]) -> CommandLine {
        let mut line = CommandLine::new(self.argv.clone()).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1");
        line.argv.extend_from_slice(words);
        line
    }

    fn rows(&self, words: &[&str], host: &dyn Inspect) -> Result<Vec<Value>, Failure> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let text = work::text(&self.line(&words), "python3-pip", host)?;
        serde_json::from_str(text.trim())
            .map_err(|error| Failure::new(format!("cannot read what `pip {}` says: {error}", words.join(" "))))
    }

    /// Looks at what is installed; `label` is the name under which a plan remembers a package.
    pub(super) fn look(&mut self, host: &dyn Inspect, label: &dyn Fn(&str) -> String) -> Result<(), Failure> {
        if self.exists {
            for row in self.rows(&["list", "--format=json"], host)? {
                if let (Some(name), Some(version)) = (row["name"].as_str(), row["version"].as_str()) {
                    let name = normal(name);
                    if let Some(version) = PYTHON.seen(&label(&name), Some(version.to_owned()), host) {
                        self.installed.insert(name, version);
                    }
                }
            }
        }
        Ok(())
    }

    /// The newest versions of packages that are not the newest.
    pub(super) fn outdated(&self, host: &dyn Inspect) -> Result<BTreeMap<String, String>, Failure> {
        if !self.exists {
            return Ok(BTreeMap::new());
        }
        let rows = self.rows(&["list", "--outdated", "--format=json"], host)?;
        let pair = |row: &Value| Some((normal(row["name"].as_str()?), row["latest_version"].as_str()?.to_owned()));
        Ok(rows.iter().filter_map(pair).collect())
    }

    /// Whether it can say what it would do.
    pub(super) fn has_reports(&self) -> bool {
        self.exists && self.version >= (22, 2)
    }

    /// What a run that installs would do.
    pub(super) fn report(&self, mut line: CommandLine, host: &dyn Inspect) -> Result<Vec<Step>, Failure> {
        line.argv.extend(["--dry-run", "--quiet", "--report", "-"].map(String::from));
        line.deadline = Some(REPORT_DEADLINE);
        let text = work::text(&line, "python3-pip", host)?;
        // Sources under version control may write before the report.
        let start = text.find('{').unwrap_or(0);
        let report: Value = serde_json::from_str(text[start..].trim())
            .map_err(|error| Failure::new(format!("cannot read what pip says it would do: {error}")))?;
        let commits = self.commits(&report, host);
        let steps = report["install"].as_array().into_iter().flatten().filter_map(|item| {
            let name = normal(item["metadata"]["name"].as_str()?);
            let version = item["metadata"]["version"].as_str()?;
            let commit = item["download_info"]["vcs_info"]["commit_id"].as_str();
            let before = self.installed.get(&name).map(|version| with_commit(version, commits.get(&name).map(String::as_str)));
            Some(Step::new(name, before, Some(with_commit(version, commit))))
        });
        Ok(steps.collect())
    }

    /// The commits of installed packages, where the report is about sources under version control.
    fn commits(&self, report: &Value, host: &dyn Inspect) -> BTreeMap<String, String> {
        let items = report["install"].as_array();
        if !items.into_iter().flatten().any(|item| item["download_info"]["vcs_info"].is_object()) {
            return BTreeMap::new();
        }
        let frozen = work::text(&self.line(&["freeze".to_owned()]), "python3-pip", host).unwrap_or_default();
        frozen
            .lines()
            .filter_map(|line| {
                // `app @ git+https://example.org/app@abcdef`, `-e git+https://example.org/app@abcdef#egg=app`
                let (name, address) = line.split_once(" @ ").or_else(|| {
                    let (address, name) = line.strip_prefix("-e ")?.split_once("#egg=")?;
                    Some((name, address))
                })?;
                Some((normal(name), address.rsplit_once('@')?.1.to_owned()))
            })
            .collect()
    }
}

fn with_commit(version: &str, commit: Option<&str>) -> String {
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

/// What making an environment leaves behind, as far as later tasks look.
pub(super) fn environment_effects(venv: &Path, host: &dyn Inspect) -> Result<Vec<Effect>, Failure> {
    let (uid, gid) = host.whoami();
    let mut effects = Vec::new();
    let mut missing = Vec::new();
    for path in venv.ancestors() {
        if host.stat(path)?.is_some() {
            break;
        }
        missing.push(path.to_owned());
    }
    effects.extend(missing.into_iter().rev().map(|path| Effect::Directory(path, 0o755, uid, gid)));
    effects.push(Effect::Directory(venv.join("bin"), 0o755, uid, gid));
    let programs = [("activate", 0o644), ("python", 0o755), ("python3", 0o755), ("pip", 0o755)];
    effects.extend(programs.map(|(name, mode)| Effect::File(venv.join("bin").join(name), Vec::new(), mode)));
    Ok(effects)
}
