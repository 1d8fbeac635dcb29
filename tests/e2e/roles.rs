//! Roles as people publish them, each on two Debian hosts, one worked on by ansible-core and one by
//! stead: the directories of `tests/roles/`, and the playbooks beside them, which apply some of them
//! to a pristine host. Adding a role is adding its directory and naming it in a playbook.
//!
//! Every playbook is planned by stead, applied, and applied again. The plan must touch nothing and
//! say what the apply then does (what a command does is unknown); the second apply must change
//! nothing. How every task ended, and what `state.sh` of the role says of the host, is compared with
//! what ansible-core made of it. A difference that is kept stands in `differs` of the role, as this
//! test prints it.
//!
//! What ansible-core did is kept in `NAME.recorded.json` beside the playbook, because it takes
//! minutes to find out. It is asked again for playbooks of which something was edited since, and for
//! those that `STEAD_LIVE` names (`all`, or names with commas between); `STEAD_BLESS=1` writes down
//! what it does. `STEAD_CASES=TEXT` runs only playbooks whose name contains the text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use stead_modules::registry::{Contract, find};

use crate::fleet::Fleet;
use crate::modules::{Ended, Lines, OURS, Ran, THEIRS, Work, difference};
use crate::project::ansible_playbook;
use crate::support::skip;

/// Runs that ansible-core and stead have in common.
const PHASES: [&str; 2] = ["apply", "again"];

/// The host gets packages from where the fleet offers them.
const SOURCES: &str = "echo 'deb [trusted=yes] file:/srv/packages ./' >/etc/apt/sources.list; apt-get -qq update";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/roles")
}

/// A playbook and the roles that it names.
struct Group {
    name: String,
    playbook: String,
    roles: Vec<String>,
    /// SHA-256 of the playbook and of all files of its roles.
    digest: String,
}

fn groups() -> Vec<Group> {
    let names = |end: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
        let wanted =
            entries.filter(|path| if end.is_empty() { path.is_dir() } else { path.extension().is_some_and(|e| e == end) });
        wanted.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let groups: Vec<Group> = names("yml").into_iter().map(|name| read(&name)).collect();
    let applied: BTreeSet<String> = groups.iter().flat_map(|group| group.roles.clone()).collect();
    assert_eq!(applied, names(""), "roles that playbooks name, and roles that there are");
    groups
}

fn read(name: &str) -> Group {
    let playbook = fs::read_to_string(directory().join(format!("{name}.yml"))).unwrap();
    let plays: Vec<Value> = serde_yaml::from_str(&playbook).unwrap_or_else(|error| panic!("{name}: {error}"));
    let named = |role: &Value| role.as_str().or_else(|| role["role"].as_str()).expect("a role has a name").to_owned();
    let roles: Vec<String> = plays.iter().flat_map(|play| play["roles"].as_array().into_iter().flatten().map(named)).collect();
    let mut all = playbook.clone().into_bytes();
    for role in &roles {
        for path in files(&directory().join(role)) {
            all.extend(path.strip_prefix(directory()).unwrap().to_string_lossy().as_bytes());
            all.extend(fs::read(&path).unwrap());
        }
    }
    let digest = stead_modules::host::digest_bytes(&all, "sha256").unwrap();
    Group { name: name.to_owned(), playbook, roles, digest }
}

/// All files below a role's directory that decide what is done, in order.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| !path.ends_with("differs")).collect()
}

/// What ansible-core did with a playbook.
#[derive(serde::Serialize, serde::Deserialize)]
struct Recorded {
    /// Of the group that it was.
    digest: String,
    runs: Vec<Ran>,
}

impl Group {
    fn record(&self) -> PathBuf {
        directory().join(format!("{}.recorded.json", self.name))
    }

    /// What is known of it, if nothing changed since.
    fn recorded(&self) -> Option<Vec<Ran>> {
        let live = std::env::var("STEAD_LIVE").unwrap_or_default();
        if live.split(',').any(|name| name == "all" || name == self.name) {
            return None;
        }
        let recorded: Recorded = serde_json::from_slice(&fs::read(self.record()).ok()?).ok()?;
        (recorded.digest == self.digest).then_some(recorded.runs)
    }

    fn write_record(&self, runs: Vec<Ran>) -> Vec<Ran> {
        let recorded = Recorded { digest: self.digest.clone(), runs };
        if std::env::var_os("STEAD_BLESS").is_some() {
            fs::write(self.record(), serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
        }
        recorded.runs
    }

    /// What the host is like, by role.
    fn state(&self) -> String {
        let mut script = String::from("umask 022; cd /; export LC_ALL=C\n");
        for role in &self.roles {
            let state =
                fs::read_to_string(directory().join(role).join("state.sh")).unwrap_or_else(|error| panic!("{role}: {error}"));
            let _ = writeln!(script, "echo '\u{1}{role}'\n({state}\n:) 2>&1");
        }
        script
    }

    fn runs(&self, work: &Work, host: usize, run: &dyn Fn(&str) -> Vec<Ended>) -> Vec<Ran> {
        let one = |phase: &&str| Ran { ended: plain(run(phase), work), state: work.state(&self.state(), host) };
        PHASES.iter().map(one).collect()
    }
}

/// Without what only one of the two programs reports, or spells in its own way.
fn plain(mut ended: Vec<Ended>, work: &Work) -> Vec<Ended> {
    let is_inclusion = |one: &Ended| ["include_tasks", "include_role", "meta"].contains(&one.module.as_str());
    ended.retain(|one| !(is_inclusion(one) && one.ending == "ok"));
    let directories: Vec<String> = work.projects.iter().map(|project| project.path("").display().to_string()).collect();
    for one in &mut ended {
        let hidden = one.result.get("censored").is_some();
        let shown = |item| directories.iter().fold(item, |item: String, directory| item.replace(directory, ""));
        one.item = one.item.take().map(|item| if hidden { "hidden".to_owned() } else { shown(item) });
        if one.ending != "failed" {
            one.result = Value::Null;
        }
    }
    ended
}

/// The role of a task's name.
fn role_of(ended: &Ended) -> &str {
    ended.task.split_once(" : ").map_or("", |(role, _)| role)
}

fn line(one: &Ended, ending: &str) -> String {
    let item = one.item.as_ref().map(|item| format!(" [{item}]")).unwrap_or_default();
    format!("{}{item}: {ending}", one.task)
}

fn lines_of(ended: &[Ended], role: &str) -> Vec<String> {
    ended.iter().filter(|one| role_of(one) == role).map(|one| line(one, &one.ending)).collect()
}

/// What is found of one role.
#[derive(Default)]
struct Found {
    tasks: usize,
    endings: usize,
    different: String,
}

/// A playbook on the two hosts, by role.
fn compare(group: &Group, fleet: &Fleet, work: &Work) -> BTreeMap<String, Found> {
    let recorded = group.recorded();
    let hosts = if recorded.is_some() { vec![OURS] } else { vec![OURS, THEIRS] };
    hosts.iter().for_each(|host| drop(fleet.on(*host, SOURCES)));
    work.projects.iter().for_each(|project| project.write("site.yml", &group.playbook));
    let ours = || {
        let before = work.state(&group.state(), OURS);
        let planned = plain(work.stead("plan"), work);
        let after = work.state(&group.state(), OURS);
        (before, planned, after, group.runs(work, OURS, &|phase| work.stead(phase)))
    };
    let (theirs, (before, planned, after, ours)) = match recorded {
        Some(runs) => (runs, ours()),
        None => std::thread::scope(|scope| {
            let theirs = scope.spawn(|| group.runs(work, THEIRS, &|phase| work.ansible(phase)));
            let ours = ours();
            (group.write_record(theirs.join().unwrap()), ours)
        }),
    };
    let mut all = BTreeMap::new();
    for role in &group.roles {
        let mut found = Found::default();
        let mut say = |what: &str, said: &str| {
            if !said.is_empty() {
                let _ = write!(found.different, "{what}:\n{said}");
            }
        };
        say("plan, state", &difference(&before[role], &after[role], ["before", "after"]));
        say("plan", &difference(&expected(&planned, &ours[0].ended, role), &lines_of(&planned, role), ["apply", "plan"]));
        for ((phase, theirs), ours) in PHASES.iter().zip(&theirs).zip(&ours) {
            let names = ["ansible", "stead"];
            say(phase, &difference(&lines_of(&theirs.ended, role), &lines_of(&ours.ended, role), names));
            say(&format!("{phase}, state"), &difference(lines(&theirs.state, role), lines(&ours.state, role), names));
        }
        let ran = [("plan", &planned), ("apply", &ours[0].ended), ("again", &ours[1].ended), ("ansible", &theirs[0].ended)];
        for (who, ended) in ran {
            let failed = ended.iter().filter(|one| role_of(one) == role && one.ending == "failed");
            failed.for_each(|one| {
                say(&format!("failed, {who}"), &format!("  {}: {} {}\n", one.task, one.result["msg"], one.result["stderr"]));
            });
        }
        let changed = ours[1].ended.iter().filter(|one| role_of(one) == role && one.ending == "changed");
        changed.for_each(|one| say("not settled", &format!("  {}\n", line(one, &one.ending))));
        let of_role = || theirs[0].ended.iter().filter(|one| role_of(one) == role);
        found.tasks = of_role().map(|one| &one.task).collect::<BTreeSet<_>>().len();
        found.endings = theirs.iter().map(|ran| lines_of(&ran.ended, role).len()).sum();
        all.insert(role.clone(), found);
    }
    all
}

fn lines<'a>(state: &'a Lines, role: &str) -> &'a [String] {
    state.get(role).map_or(&[], Vec::as_slice)
}

/// What a plan should have said: what was done, but for commands, which may be unknown.
fn expected(planned: &[Ended], applied: &[Ended], role: &str) -> Vec<String> {
    let is_command = |one: &Ended| find(&one.module).is_some_and(|module| module.contract == Contract::Command);
    let mut left: Vec<&Ended> = planned.iter().filter(|one| role_of(one) == role).collect();
    let mut expected = Vec::new();
    for one in applied.iter().filter(|one| role_of(one) == role) {
        let place = left.iter().position(|other| other.task == one.task && other.item == one.item);
        let is_unknown = place.map(|place| left.remove(place)).is_some_and(|other| other.ending == "unknown" && is_command(one));
        expected.push(line(one, if is_unknown { "unknown" } else { &one.ending }));
    }
    expected
}

#[test]
fn roles_do_what_they_do_under_ansible() {
    let test = "roles_do_what_they_do_under_ansible";
    let wanted = std::env::var("STEAD_CASES").unwrap_or_default();
    let mut groups = groups();
    groups.retain(|group| group.name.contains(&wanted));
    if ansible_playbook().is_none() {
        let count = groups.len();
        groups.retain(|group| group.recorded().is_some());
        if groups.len() < count {
            skip(test, "roles that need ansible-core: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
        }
    }
    let hosts = if groups.iter().all(|group| group.recorded().is_some()) { OURS } else { THEIRS };
    let Some(fleet) = Fleet::boot_with_packages(test, hosts) else { return };
    let (mut report, mut figures, mut wrong, mut count) = (String::new(), String::new(), 0, 0);
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            fleet.reset();
        }
        let work = Work::new(&fleet);
        work.projects.iter().for_each(|project| project.copy("tests/roles", "roles"));
        for (role, found) in compare(group, &fleet, &work) {
            let kept = fs::read_to_string(directory().join(&role).join("differs")).unwrap_or_default();
            let unequal = found.different.lines().filter(|line| line.starts_with("  ansible: ")).count();
            count += 1;
            let _ =
                writeln!(figures, "{role}: {} tasks, {} endings, {unequal} lines unlike Ansible's", found.tasks, found.endings);
            if found.different.trim() != kept.trim() {
                wrong += 1;
                let _ = writeln!(report, "=== {}: {role}\n{}", group.name, found.different);
            }
        }
    }
    use std::io::Write as _;
    let _ = write!(std::io::stderr(), "{figures}");
    assert!(wrong == 0, "{wrong} of {count} roles differ\n{report}");
}
