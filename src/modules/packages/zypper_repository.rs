//! `zypper_repository`: repositories of zypper.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ini::{self, Section};
use super::{fetch, whole_file};
use crate::accounts::group::Presence;
use crate::args;
use crate::change::ResourceId;
use crate::change::ResourceState;
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{Attributes, CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::text_file::TextFile;

args! {
    /// Manages a repository of zypper: a section of a file in `/etc/zypp/repos.d`.
    ///
    /// Settings of a repository that the task does not know of stay as they are.
    pub struct Args {
        /// Name (alias) of the repository; not needed for a `.repo` file.
        name: Option<String>,
        /// Its address; or a path or an address of a `.repo` file.
        repo: Option<String>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Name for people; the alias if it is not given.
        description: Option<String>,
        /// Whether signatures are not checked.
        disable_gpg_check: bool = false,
        /// Whether its lists are refreshed by themselves.
        autorefresh ("refresh"): bool = true,
        /// Order among repositories: the smallest number goes first.
        priority: Option<i64>,
        /// Whether it replaces several repositories of the same name or address.
        overwrite_multiple: bool = false,
        /// Whether its key is trusted when its lists are refreshed after a change; implies `runrefresh`.
        auto_import_keys: bool = false,
        /// Whether its lists are refreshed; with `repo: '*'` those of all.
        runrefresh: bool = false,
        /// Whether the repository is used.
        enabled: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A repository
  zypper_repository:
    name: nvidia-repo
    repo: ftp://download.nvidia.com/opensuse/12.2
- name: No such repository
  zypper_repository:
    name: old
    state: absent
";

const PARTS: &str = "/etc/zypp/repos.d";

/// The module.
pub struct ZypperRepository;

/// All files of repositories.
#[derive(Debug, Clone)]
pub struct State {
    files: Vec<TextFile>,
    /// The sections of a `.repo` file that is named as repository.
    offered: Vec<(String, Section)>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.files.iter().map(TextFile::resource).collect()
    }
}

impl Args {
    /// Only lists are refreshed.
    fn refreshes_all(&self) -> bool {
        self.repo.as_deref() == Some("*")
    }

    fn is_repo_file(&self) -> bool {
        self.repo.as_deref().is_some_and(|repo| Path::new(repo).extension().is_some_and(|extension| extension == "repo"))
    }

    /// What the task sets, over what is there.
    fn section(&self, alias: &str, now: Option<Section>, offered: Option<&Section>) -> Section {
        let flag = |is: bool| u8::from(is).to_string();
        let mut section = now.unwrap_or_default();
        section.extend(offered.cloned().unwrap_or_default());
        let mut set = |key: &str, value: String| section.insert(key.to_owned(), value);
        match (&self.description, offered) {
            (Some(description), _) => drop(set("name", description.clone())),
            (None, None) => drop(set("name", alias.to_owned())),
            (None, Some(_)) => {}
        }
        set("enabled", flag(self.enabled));
        set("autorefresh", flag(self.autorefresh));
        if let Some(repo) = self.repo.as_ref().filter(|_| offered.is_none()) {
            set("baseurl", repo.clone());
        }
        if let Some(priority) = self.priority {
            set("priority", priority.to_string());
        }
        if self.disable_gpg_check {
            set("gpgcheck", "0".into());
        } else if section.get("gpgcheck").is_some_and(|check| check == "0") && offered.is_none() {
            section.insert("gpgcheck".into(), "1".into());
        }
        section
    }
}

/// Addresses are the same with and without a slash at their end.
fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

impl Resource for ZypperRepository {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if let Some(name) = args.name.as_deref().filter(|name| name.is_empty() || name.contains([']', '[', '/', '\n'])) {
            return Err(Failure::new(format!("`{}` cannot be the name of a repository", name.escape_debug())));
        }
        let mut offered = Vec::new();
        if let Some(repo) = args.repo.as_deref().filter(|_| args.is_repo_file()) {
            let bytes = if fetch::is_url(repo) { fetch::get(repo, true, host)? } else { host.read(Path::new(repo), 1 << 20)? };
            offered = ini::sections(&String::from_utf8_lossy(&bytes));
            if offered.is_empty() {
                return Err(Failure::new(format!("Invalid format, .repo file could not be parsed: `{repo}`")));
            }
        }
        let names = host.list(Path::new(PARTS)).unwrap_or_default();
        let is_list = |name: &&String| Path::new(name).extension().is_some_and(|extension| extension == "repo");
        let mut paths: Vec<PathBuf> = names.iter().filter(is_list).map(|name| Path::new(PARTS).join(name)).collect();
        let own = args
            .name
            .iter()
            .chain(offered.iter().map(|(alias, _)| alias))
            .map(|name| Path::new(PARTS).join(format!("{name}.repo")));
        let new: Vec<PathBuf> = own.filter(|path| !paths.contains(path)).collect();
        paths.extend(new);
        let files = paths.iter().map(|path| TextFile::read(path, host)).collect::<Result<_, _>>()?;
        Ok(State { files, offered })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        if args.refreshes_all() {
            return Ok(want);
        }
        if args.name.is_none() && (args.repo.is_none() || (args.state == Presence::Present && !args.is_repo_file())) {
            return Err(Failure::new("Name required when adding non-repo files."));
        }
        if args.state == Presence::Present && args.repo.is_none() {
            return Err(Failure::new("Module option state=present requires repo"));
        }
        let wanted: Vec<(String, Option<&Section>)> = match &args.name {
            Some(name) => vec![(name.clone(), now.offered.first().map(|(_, section)| section))],
            None => now.offered.iter().map(|(alias, section)| (alias.clone(), Some(section))).collect(),
        };
        // Where a name is given an address alone does not name a repository that goes.
        let by_address = |section: &Section| {
            args.repo
                .as_ref()
                .filter(|_| now.offered.is_empty())
                .is_some_and(|repo| section.get("baseurl").is_some_and(|address| same_address(address, repo)))
        };
        let is_meant = |alias: &str, section: &Section| wanted.iter().any(|(name, _)| name == alias) || by_address(section);
        let mut found: Vec<(usize, String, Section)> = Vec::new();
        for (at, file) in now.files.iter().enumerate() {
            let all = ini::sections(file.text.as_deref().unwrap_or_default());
            found.extend(
                all.into_iter().filter(|(alias, section)| is_meant(alias, section)).map(|(alias, section)| (at, alias, section)),
            );
        }
        let mut edit = |at: usize, alias: &str, section: Option<&Section>| {
            let file: &mut TextFile = &mut want.files[at];
            let text = ini::edit(file.text.as_deref().unwrap_or_default(), alias, section);
            file.text = Some(text).filter(|text| !text.trim().is_empty());
        };
        if args.state == Presence::Absent {
            found.iter().for_each(|(at, alias, _)| edit(*at, alias, None));
            return Ok(want);
        }
        let others: Vec<&(usize, String, Section)> =
            found.iter().filter(|(_, alias, _)| !wanted.iter().any(|(name, _)| name == alias)).collect();
        if found.len() > wanted.len() && !args.overwrite_multiple {
            let names: Vec<&str> = found.iter().map(|(_, alias, _)| alias.as_str()).collect();
            return Err(Failure::new(format!(
                "More than one repo matched \"{}\": \"{}\". Use overwrite_multiple to allow more than one repo to be overwritten",
                args.name.as_deref().unwrap_or_default(),
                names.join(", ")
            )));
        }
        others.iter().for_each(|(at, alias, _)| edit(*at, alias, None));
        for (alias, offered) in &wanted {
            let there = found.iter().find(|(_, name, _)| name == alias);
            let path = Path::new(PARTS).join(format!("{alias}.repo"));
            let own = now.files.iter().position(|file| file.path == path).expect("read looks at files of these names");
            let section = args.section(alias, there.map(|(_, _, section)| section.clone()), *offered);
            edit(there.map_or(own, |(at, _, _)| *at), alias, Some(&section));
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        whole_file::make_directories(Some(Path::new(PARTS)), host)?;
        for (want, now) in step.want.files.iter().zip(&step.now.files).filter(|(want, now)| want != now) {
            want.write(Attributes { mode: now.text.is_none().then_some(0o644), ..Attributes::default() }, host)?;
        }
        if args.state == Presence::Present && (args.runrefresh || args.auto_import_keys) {
            let mut line = CommandLine::new(["zypper", "--non-interactive"]);
            line.argv.extend(args.auto_import_keys.then(|| "--gpg-auto-import-keys".to_owned()));
            line.argv.push("refresh".into());
            line.argv.extend(args.name.clone());
            process::succeed(host, &line, &[Effect::PackageLists])?;
        }
        Ok(Written::quiet())
    }

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<crate::resource::Prepared, Failure> {
        if args.refreshes_all() {
            if !args.runrefresh {
                return Err(Failure::new("repo=* can only be used with the runrefresh option."));
            }
            let line = CommandLine::new(["zypper", "--non-interactive", "refresh"]);
            process::succeed(host, &line, &[Effect::PackageLists])?;
        }
        Ok(crate::resource::Prepared::default())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let named = |file: &TextFile| args.name.as_ref().and_then(|name| ini::section(file.text.as_deref()?, name));
        let data = after.files.iter().find_map(named).unwrap_or_default();
        let fields = json!({"repodata": data, "state": args.state.word()});
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(_: &Args) -> Claims {
        Claims::provides([ResourceId::new("file", PARTS), ResourceId::new("package-manager", "zypper")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<ZypperRepository>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    #[test]
    fn what_the_task_does_not_know_of_stays() {
        let mut host = MemoryHost::default();
        host.add_file(
            "/etc/zypp/repos.d/all.repo",
            "[oss]\nname=Main\nenabled=0\nautorefresh=1\nbaseurl=http://a/oss/\ntype=rpm-md\n",
        );
        let options = json!({"name": "oss", "repo": "http://a/oss/", "description": "Main", "priority": 90});
        assert_eq!(run(&options, &mut host).unwrap().changes.len(), 1);
        assert_eq!(
            host.text("/etc/zypp/repos.d/all.repo").unwrap(),
            "[oss]\nautorefresh = 1\nbaseurl = http://a/oss/\nenabled = 1\nname = Main\npriority = 90\ntype = rpm-md\n\n"
        );
        assert_eq!(run(&options, &mut host).unwrap().changes, []);
        assert_eq!(run(&json!({"repo": "http://a/oss", "state": "absent"}), &mut host).unwrap().changes.len(), 1);
        assert_eq!(host.text("/etc/zypp/repos.d/all.repo"), None);
    }

    #[test]
    fn repo_files_are_taken_over() {
        let mut host = MemoryHost::default();
        host.add_file("/srv/x.repo", "[x-repo]\nname=X\nbaseurl=http://x\ngpgkey=http://x/key\n");
        run(&json!({"repo": "/srv/x.repo"}), &mut host).unwrap();
        let section = ini::section(&host.text("/etc/zypp/repos.d/x-repo.repo").unwrap(), "x-repo").unwrap();
        assert_eq!(
            (section["name"].as_str(), section["gpgkey"].as_str(), section["enabled"].as_str()),
            ("X", "http://x/key", "1")
        );
    }

    #[test]
    fn several_repositories_are_not_replaced_unasked() {
        let mut host = MemoryHost::default();
        host.add_file("/etc/zypp/repos.d/a.repo", "[a]\nname=a\nbaseurl=http://same\n");
        host.add_file("/etc/zypp/repos.d/b.repo", "[b]\nname=b\nbaseurl=http://other\n");
        let mut options = json!({"name": "b", "repo": "http://same"});
        assert!(run(&options, &mut host).unwrap_err().message.contains("overwrite_multiple"));
        options["overwrite_multiple"] = true.into();
        run(&options, &mut host).unwrap();
        assert_eq!(host.text("/etc/zypp/repos.d/a.repo"), None);
    }
}
