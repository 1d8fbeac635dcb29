//! `alternatives`: which of several programs a name stands for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::tool::{Tool, exists, plain_word};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What is wanted of the alternative.
    pub enum Wish {
        /// It is known.
        Present = "present",
        /// It is known and chosen.
        Selected = "selected",
        /// It is known, and the one of the highest priority is chosen.
        Auto = "auto",
        /// It is not known.
        Absent = "absent",
    }
}

args! {
    /// Manages the names that `update-alternatives` links, e.g. `editor` and `java`.
    pub struct Args {
        /// Name of the group.
        name: String,
        /// The program.
        path: Option<PathBuf>,
        /// Family of programs; on Red Hat's kin, instead of `path`.
        family: Option<String>,
        /// The link; needed for a group that is not known.
        link: Option<PathBuf>,
        /// Priority; 50 for a new one.
        priority: Option<i64>,
        /// What is wanted.
        state: Wish = Wish::Selected,
        /// Links that follow it: each with `name`, `link` and `path`.
        subcommands ("slaves"): Option<Vec<Map<String, Value>>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Chosen
  alternatives:
    name: editor
    path: /usr/bin/vim.basic
- name: Known, in a new group
  alternatives:
    name: tool
    link: /usr/local/bin/tool
    path: /usr/bin/app
    priority: 10
    state: present
- name: By priority again
  alternatives:
    name: editor
    path: /bin/nano
    state: auto
";

const TOOL: Tool = Tool::new("update-alternatives", "dpkg");

/// The module.
pub struct Alternatives;

/// One program of a group.
#[derive(Debug, Clone, Default, PartialEq)]
struct Alternative {
    priority: i64,
    family: Option<String>,
    /// Name to path of what follows it.
    followers: BTreeMap<String, String>,
}

/// A group as the tool knows it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Group {
    link: Option<String>,
    manual: bool,
    value: Option<String>,
    links: BTreeMap<String, String>,
    all: BTreeMap<String, Alternative>,
}

/// The group, and what is compared of it.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    group: Group,
    path: Option<String>,
    managed: Managed,
}

/// Properties; `None` = not managed.
#[derive(Debug, Clone, Default)]
struct Managed {
    known: Option<bool>,
    priority: Option<i64>,
    followers: Option<Value>,
    selected: Option<String>,
    mode: Option<&'static str>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let managed = &self.managed;
        vec![
            ResourceState::present(id(&self.name))
                .with("known", json!(managed.known))
                .with("priority", json!(managed.priority))
                .with("subcommands", json!(managed.followers))
                .with("selected", json!(managed.selected))
                .with("mode", json!(managed.mode)),
        ]
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("alternative", name)
}

/// What `--query` prints (Debian).
fn parse_query(text: &str) -> Group {
    let mut group = Group::default();
    let mut at: Option<String> = None;
    for line in text.lines() {
        if let Some(follower) = line.strip_prefix(' ') {
            let (name, path) = follower.split_once(' ').unwrap_or((follower, ""));
            match &at {
                None => drop(group.links.insert(name.into(), path.into())),
                Some(at) => drop(group.all.entry(at.clone()).or_default().followers.insert(name.into(), path.into())),
            }
            continue;
        }
        let (key, value) = line.split_once(": ").unwrap_or((line, ""));
        match key {
            "Link" => group.link = Some(value.into()),
            "Status" => group.manual = value == "manual",
            "Value" if at.is_none() => group.value = Some(value.into()).filter(|value: &String| value != "none"),
            "Alternative" => {
                group.all.insert(value.into(), Alternative::default());
                at = Some(value.into());
            }
            "Priority" => {
                if let Some(one) = at.as_ref().and_then(|at| group.all.get_mut(at)) {
                    one.priority = value.parse().unwrap_or(0);
                }
            }
            _ => {}
        }
    }
    group
}

/// What `--display` prints (Red Hat's kin, whose tool has no `--query`).
fn parse_display(text: &str) -> Group {
    let mut group = Group::default();
    let mut at = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if line.contains(" - status is ") {
            group.manual = trimmed.trim_end_matches('.').ends_with("manual");
        } else if let Some(path) = trimmed.strip_prefix("link currently points to ") {
            group.value = Some(path.into());
        } else if let Some((name, path)) =
            trimmed.strip_prefix("follower ").or_else(|| trimmed.strip_prefix("slave ")).and_then(|rest| rest.split_once(": "))
        {
            group.all.entry(at.clone()).or_default().followers.insert(name.into(), path.into());
        } else if let Some((path, rest)) = line.split_once(" - ").filter(|(path, _)| path.starts_with('/')) {
            let words: Vec<&str> = rest.split_whitespace().collect();
            let after = |word: &str| words.iter().position(|other| *other == word).and_then(|at| words.get(at + 1)).copied();
            at = path.to_owned();
            let priority = after("priority").and_then(|number| number.parse().ok()).unwrap_or(0);
            group.all.insert(
                at.clone(),
                Alternative { priority, family: after("family").map(str::to_owned), followers: BTreeMap::new() },
            );
        }
    }
    group
}

/// As a plan remembers it: the form of `--query`.
fn remember(group: &Group) -> Thing {
    let follower = |(name, path): (&String, &String)| format!(" {name} {path}\n");
    let mut text = format!("Link: {}\n", group.link.as_deref().unwrap_or_default());
    text += &group.links.iter().map(follower).collect::<String>();
    text += &format!("Status: {}\n", if group.manual { "manual" } else { "auto" });
    text += &format!("Value: {}\n", group.value.as_deref().unwrap_or("none"));
    for (path, one) in &group.all {
        text += &format!("\nAlternative: {path}\nPriority: {}\n", one.priority);
        text += &one.followers.iter().map(follower).collect::<String>();
    }
    Thing::There(text)
}

fn read_group(name: &str, host: &dyn Inspect) -> Result<Group, Failure> {
    match host.thing(&id(name)) {
        Some(Thing::There(text)) => return Ok(parse_query(&text)),
        Some(Thing::Gone) => return Ok(Group::default()),
        None => {}
    }
    match TOOL.ask(["--query", name], host)? {
        Some(output) if output.rc == 0 => return Ok(parse_query(&output.text())),
        None => return Ok(Group::default()),
        Some(_) => {}
    }
    // Debian's tool ends the same way for a group that it does not know; Red Hat's keeps its groups elsewhere.
    let red_hat = Path::new("/var/lib/alternatives").join(name);
    if !exists(&red_hat, host) || exists("/var/lib/dpkg/alternatives", host) {
        return Ok(Group::default());
    }
    let mut group = parse_display(&TOOL.answer(["--display", name], host)?.unwrap_or_default());
    let own = String::from_utf8_lossy(&host.read(&red_hat, 1 << 20)?).into_owned();
    group.link = own.lines().nth(1).map(str::to_owned);
    Ok(group)
}

/// Followers that the task asks for: name to link and path.
fn followers(args: &Args) -> Result<Option<BTreeMap<String, (String, String)>>, Failure> {
    let Some(list) = &args.subcommands else { return Ok(None) };
    let mut all = BTreeMap::new();
    for one in list {
        let get = |key: &str| {
            let value = one.get(key).and_then(Value::as_str);
            value.map(str::to_owned).ok_or_else(|| Failure::new(format!("subcommands: `{key}` is missing")))
        };
        all.insert(get("name")?, (get("link")?, get("path")?));
    }
    Ok(Some(all))
}

/// The program that is meant, by its path or its family.
fn meant(args: &Args, group: &Group) -> Result<String, Failure> {
    match (&args.path, &args.family) {
        (Some(path), _) => Ok(path.display().to_string()),
        (None, Some(family)) => {
            let mut all: Vec<_> = group.all.iter().filter(|(_, one)| one.family.as_ref() == Some(family)).collect();
            all.sort_by_key(|(_, one)| one.priority);
            all.last()
                .map(|(path, _)| (*path).clone())
                .ok_or_else(|| Failure::new(format!("no alternative of `{}` is of the family `{family}`", args.name)))
        }
        (None, None) => Err(Failure::new("one of the following is required: path, family")),
    }
}

impl Resource for Alternatives {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("name", &args.name)?;
        let group = read_group(&args.name, host)?;
        let path = meant(args, &group)?;
        plain_word("path", &path)?;
        if args.state != Wish::Absent && !exists(&path, host) {
            return Err(Failure::new(format!("Specified path {path} does not exist")));
        }
        let one = group.all.get(&path);
        let managed = Managed {
            known: Some(one.is_some()),
            priority: one.map(|one| one.priority),
            followers: one.map(|one| json!(one.followers)),
            selected: Some(group.value.clone().unwrap_or_default()),
            mode: Some(if group.manual { "manual" } else { "auto" }),
        };
        Ok(State { name: args.name.clone(), path: Some(path), group, managed })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let path = now.path.clone().unwrap_or_default();
        if args.state == Wish::Absent {
            return Ok(State { managed: Managed { known: Some(false), ..Managed::default() }, ..now.clone() });
        }
        let known = now.group.all.contains_key(&path);
        if !known && args.link.is_none() && now.group.link.is_none() {
            return Err(Failure::new("Needed to install the alternative, but unable to do so as we are missing the link"));
        }
        let followers = followers(args)?;
        let followers = followers.map(|all| all.into_iter().map(|(name, (_, path))| (name, path)).collect::<BTreeMap<_, _>>());
        let managed = Managed {
            known: Some(true),
            priority: args.priority.or((!known).then_some(50)),
            followers: followers.map(|followers| json!(followers)),
            selected: (args.state == Wish::Selected).then(|| path.clone()),
            mode: (args.state == Wish::Auto).then_some("auto"),
        };
        Ok(State { managed, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let path = step.want.path.clone().unwrap_or_default();
        let mut group = step.now.group.clone();
        let act = |words: Vec<String>, group: &Group, host: &mut dyn Host| {
            TOOL.act(words, &[Effect::Thing(id(&args.name), remember(group))], host).map(|_| ())
        };
        if args.state == Wish::Absent {
            group.all.remove(&path);
            choose(&mut group);
            act(vec!["--remove".into(), args.name.clone(), path], &group, host)?;
            return Ok(Written::quiet());
        }
        if ["known", "priority", "subcommands"].iter().any(|property| step.differs(property)) {
            let old = group.all.get(&path).cloned().unwrap_or_default();
            let priority = args.priority.unwrap_or(if step.now.managed.known == Some(true) { old.priority } else { 50 });
            let link = args.link.as_ref().map(|link| link.display().to_string()).or(group.link.clone()).unwrap_or_default();
            let mut words = vec!["--install".to_owned(), link.clone(), args.name.clone(), path.clone(), priority.to_string()];
            // Followers that are not named stay.
            let all = followers(args)?.unwrap_or_else(|| {
                let link = |name: &String| group.links.get(name).cloned().unwrap_or_default();
                old.followers.iter().map(|(name, path)| (name.clone(), (link(name), path.clone()))).collect()
            });
            for (name, (link, path)) in &all {
                words.extend(["--slave".to_owned(), link.clone(), name.clone(), path.clone()]);
                group.links.insert(name.clone(), link.clone());
            }
            let followers = all.into_iter().map(|(name, (_, path))| (name, path)).collect();
            group.link = Some(link);
            group.all.insert(path.clone(), Alternative { priority, family: None, followers });
            choose(&mut group);
            act(words, &group, host)?;
        }
        if args.state == Wish::Selected && (group.value.as_ref() != Some(&path) || !host.acts()) && step.differs("selected") {
            (group.manual, group.value) = (true, Some(path.clone()));
            let chosen = args.family.clone().filter(|_| args.path.is_none()).unwrap_or(path);
            act(vec!["--set".into(), args.name.clone(), chosen], &group, host)?;
        }
        if step.differs("mode") {
            group.manual = false;
            choose(&mut group);
            act(vec!["--auto".into(), args.name.clone()], &group, host)?;
        }
        Ok(Written::quiet())
    }

    fn claims(args: &Args) -> Claims {
        let file = |path: &PathBuf| ResourceId::new("file", path.display().to_string());
        Claims::provides([id(&args.name)].into_iter().chain(args.link.as_ref().map(file))).needing(args.path.as_ref().map(file))
    }
}

/// What the tool chooses by itself.
fn choose(group: &mut Group) {
    let lost = group.value.as_ref().is_some_and(|value| !group.all.contains_key(value));
    if !group.manual || lost {
        group.manual = false;
        group.value = group.all.iter().max_by_key(|(_, one)| one.priority).map(|(path, _)| path.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::Ending;

    const QUERY: &str = "Name: editor\nLink: /usr/bin/editor\nSlaves:\n editor.1.gz /usr/share/man/man1/editor.1.gz\nStatus: auto\n\
        Best: /usr/bin/vim\nValue: /usr/bin/vim\n\nAlternative: /bin/ed\nPriority: -100\nSlaves:\n editor.1.gz /usr/share/man/man1/ed.1.gz\n\n\
        Alternative: /usr/bin/vim\nPriority: 30\n";

    #[test]
    fn both_forms_of_a_group_are_read() {
        let group = parse_query(QUERY);
        assert_eq!((group.value.as_deref(), group.manual, group.all["/bin/ed"].priority), (Some("/usr/bin/vim"), false, -100));
        assert_eq!(group.all["/bin/ed"].followers["editor.1.gz"], "/usr/share/man/man1/ed.1.gz");
        assert_eq!(group.links["editor.1.gz"], "/usr/share/man/man1/editor.1.gz");
        let Thing::There(text) = remember(&group) else { panic!("a group is there") };
        assert_eq!(parse_query(&text), group);
        let group = parse_display(
            "java - status is manual.\n link currently points to /opt/j11/java\n/opt/j11/java - family java-11 priority 11\n follower jar: /opt/j11/jar\n\
             /opt/j8/java - priority 8\nCurrent `best' version is /opt/j11/java.\n",
        );
        assert_eq!((group.manual, group.value.as_deref()), (true, Some("/opt/j11/java")));
        assert_eq!((group.all["/opt/j11/java"].family.as_deref(), group.all["/opt/j8/java"].priority), (Some("java-11"), 8));
        assert_eq!(group.all["/opt/j11/java"].followers["jar"], "/opt/j11/jar");
    }

    #[test]
    fn what_differs_is_set() {
        let mut host = MemoryHost::default();
        host.answer(&["update-alternatives", "--query", "editor"], 0, QUERY);
        host.add_file("/bin/ed", "");
        let module = crate::registry::find("alternatives").unwrap();
        let mut run = |options: Value| {
            let outcome = (module.run)(options.as_object().unwrap(), &mut host);
            let line = host.ran.last().map(|line| line.argv[1..].join(" "));
            (outcome.ending, line)
        };
        assert_eq!(run(json!({"name": "editor", "path": "/bin/ed", "state": "present"})), (Ending::Ok, None));
        let line = "--install /usr/bin/editor editor /bin/ed 5 --slave /usr/share/man/man1/editor.1.gz editor.1.gz /usr/share/man/man1/ed.1.gz";
        assert_eq!(
            run(json!({"name": "editor", "path": "/bin/ed", "priority": 5, "state": "present"})),
            (Ending::Changed, Some(line.into()))
        );
        assert_eq!(run(json!({"name": "editor", "path": "/bin/ed"})), (Ending::Changed, Some("--set editor /bin/ed".into())));
        assert_eq!(
            run(json!({"name": "editor", "path": "/bin/ed", "state": "auto"})),
            (Ending::Changed, Some("--auto editor".into()))
        );
        assert_eq!(run(json!({"name": "editor", "path": "/nowhere"})).0, Ending::Failed);
        assert_eq!(run(json!({"name": "new", "path": "/bin/ed"})).0, Ending::Failed);
    }
}
