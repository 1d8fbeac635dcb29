//! `git_config`: one setting of git.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::failed;
use crate::commands::words::expand_path;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists, plain_word};
use crate::{args, choice};

choice! {
    /// Where a setting is kept.
    pub enum Scope {
        /// In a file.
        File = "file",
        /// In a repository.
        Local = "local",
        /// In the acting user's home directory.
        Global = "global",
        /// For all users.
        System = "system",
    }
}

choice! {
    /// What happens to other values of the same setting.
    pub enum AddMode {
        /// They stay.
        Add = "add",
        /// They are replaced.
        ReplaceAll = "replace-all",
    }
}

args! {
    /// Manages one setting of git.
    pub struct Args {
        /// Name of the setting, e.g. `user.email`.
        name: String,
        /// The repository, for `scope: local`.
        repo: Option<PathBuf>,
        /// The file, for `scope: file`.
        file: Option<PathBuf>,
        /// Where the setting is kept. Missing: `system`.
        scope: Option<Scope>,
        /// Whether it is set.
        state: Presence = Presence::Present,
        /// Its value; needed to set it.
        value: Option<String>,
        /// Whether the value replaces others of that name or stands beside them.
        add_mode: AddMode = AddMode::ReplaceAll,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Who commits
  git_config:
    name: user.email
    scope: global
    value: root@example.org
- name: A second value beside others
  git_config:
    name: push.pushoption
    value: merge_request.draft
    add_mode: add
- name: Not set
  git_config:
    name: alias.ci
    scope: global
    state: absent
";

const GIT: Tool = Tool::new("git", "git");

/// The module.
pub struct GitConfig;

/// The values of the setting.
#[derive(Debug, Clone)]
pub struct State {
    id: ResourceId,
    values: Vec<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![match self.values.as_slice() {
            [] => ResourceState::absent(self.id.clone()),
            [value] => ResourceState::present(self.id.clone()).with("value", value.as_str()),
            values => ResourceState::present(self.id.clone()).with("value", values.to_vec()),
        }]
    }
}

impl Args {
    fn scope(&self) -> Scope {
        self.scope.unwrap_or(Scope::System)
    }

    fn check(&self) -> Result<(), Failure> {
        plain_word("name", &self.name)?;
        match self.scope() {
            Scope::Local if self.repo.is_none() => Err(Failure::new("scope is local but all of the following are missing: repo")),
            Scope::File if self.file.is_none() => Err(Failure::new("scope is file but all of the following are missing: file")),
            _ if self.state == Presence::Present && self.value.is_none() => {
                Err(Failure::new("state is present but all of the following are missing: value"))
            }
            _ => Ok(()),
        }
    }

    /// What the setting is called among the resources of a host.
    fn id(&self) -> ResourceId {
        let place = match (self.scope(), &self.repo, &self.file) {
            (Scope::Local, Some(path), _) | (Scope::File, _, Some(path)) => path.display().to_string(),
            (scope, _, _) => scope.word().to_owned(),
        };
        ResourceId::new("git config", format!("{place}:{}", self.name))
    }

    fn line(&self, words: &[&str], host: &dyn Inspect) -> CommandLine {
        let mut argv = vec!["config".to_owned()];
        match (self.scope(), &self.file) {
            (Scope::File, Some(file)) => argv.push(format!("--file={}", expand_path(file, host).display())),
            (scope, _) => argv.push(format!("--{}", scope.word())),
        }
        argv.extend(words.iter().map(|&word| word.to_owned()));
        let chdir = self.repo.as_ref().filter(|_| self.scope() == Scope::Local);
        CommandLine { chdir: chdir.map(|path| expand_path(path, host)), ..GIT.line(argv) }
    }

    /// Whether the repository is one that only a plan knows yet.
    fn is_planned(&self, host: &dyn Inspect) -> bool {
        !host.acts() && self.repo.as_ref().is_some_and(|path| exists(expand_path(path, host), host))
    }
}

impl Resource for GitConfig {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        args.check()?;
        let id = args.id();
        let planned = host.thing(&id).map(|thing| match thing {
            Thing::Gone => Vec::new(),
            Thing::There(values) => serde_json::from_str(&values).unwrap_or_default(),
        });
        if let Some(values) = planned {
            return Ok(State { id, values });
        }
        let line = args.line(&["--null", "--get-all", &args.name], host);
        let values = match GIT.query(&line, host) {
            Ok(Some(output)) => match output.rc {
                0 => output.text().split_terminator('\0').map(str::to_owned).collect(),
                1 => Vec::new(),
                _ if args.is_planned(host) => Vec::new(),
                _ => return Err(failed(&line, &output)),
            },
            Ok(None) => Vec::new(),
            Err(_) if args.is_planned(host) => Vec::new(),
            Err(failure) => return Err(failure),
        };
        Ok(State { id, values })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let value = args.value.clone().unwrap_or_default();
        let values = match (args.state, args.add_mode) {
            (Presence::Absent, _) => Vec::new(),
            (Presence::Present, AddMode::ReplaceAll) => vec![value],
            (Presence::Present, AddMode::Add) if now.values.contains(&value) => now.values.clone(),
            (Presence::Present, AddMode::Add) => now.values.iter().cloned().chain([value]).collect(),
        };
        Ok(State { values, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let value = args.value.clone().unwrap_or_default();
        let words: &[&str] = match (args.state, args.add_mode) {
            (Presence::Absent, _) => &["--unset-all", &args.name],
            (Presence::Present, AddMode::ReplaceAll) => &["--replace-all", &args.name, &value],
            (Presence::Present, AddMode::Add) => &["--add", &args.name, &value],
        };
        let thing = if step.want.values.is_empty() { Thing::Gone } else { Thing::There(json!(step.want.values).to_string()) };
        let line = args.line(words, host.inspect());
        GIT.run(&line, &[Effect::Thing(step.want.id.clone(), thing)], host)?;
        let message = if args.state == Presence::Absent { "setting unset" } else { "setting changed" };
        Ok(Written::quiet().with("msg", message))
    }

    fn result(_: &Args, before: &State, _: &State) -> Map<String, Value> {
        let first = before.values.first().cloned().unwrap_or_default();
        Map::from_iter([("msg".to_owned(), "".into()), ("config_value".to_owned(), first.into())])
    }

    fn claims(args: &Args) -> Claims {
        let path = |path: &PathBuf| ResourceId::new("file", path.display().to_string());
        Claims::provides([args.id()].into_iter().chain(args.file.iter().map(path)))
            .needing(args.repo.iter().map(path).chain([ResourceId::new("package", "git")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::real::RealHost;
    use crate::outcome::Ending;
    use crate::registry::find;

    /// Runs the module on a file of its own with the machine's git.
    fn ending(place: &std::path::Path, options: Value) -> Ending {
        let mut host = RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        let mut options = options.as_object().unwrap().clone();
        options.insert("scope".into(), "file".into());
        options.insert("file".into(), place.join("config").display().to_string().into());
        let outcome = (find("git_config").unwrap().run)(&options, &mut host);
        assert_ne!(outcome.ending, Ending::Failed, "{:?}", outcome.result);
        outcome.ending
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test looks at what git wrote")]
    fn settings_are_made_changed_and_taken_away_by_git_itself() {
        let place = tempfile::tempdir().unwrap();
        let text = || std::fs::read_to_string(place.path().join("config")).unwrap();
        for (options, expected) in [
            (json!({"name": "a.b", "value": "-x y"}), "[a]\n\tb = -x y\n"),
            (json!({"name": "a.b", "value": "z", "add_mode": "add"}), "[a]\n\tb = -x y\n\tb = z\n"),
            (json!({"name": "a.b", "value": "q"}), "[a]\n\tb = q\n"),
            (json!({"name": "a.b", "state": "absent"}), ""),
        ] {
            assert_eq!(ending(place.path(), options.clone()), Ending::Changed, "{options}");
            assert_eq!(text(), expected, "{options}");
            assert_eq!(ending(place.path(), options.clone()), Ending::Ok, "{options}");
        }
    }

    #[test]
    fn a_name_is_never_an_option() {
        let mut host = crate::host::memory::MemoryHost::default();
        let options = json!({"name": "--edit", "value": "x"}).as_object().unwrap().clone();
        let outcome = (find("git_config").unwrap().run)(&options, &mut host);
        assert_eq!((outcome.ending, host.ran.len()), (Ending::Failed, 0));
    }
}
