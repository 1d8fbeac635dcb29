//! `acl`: who else may do what with a file.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::paths::stat_followed;
use super::state::resource_id;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::Tool;
use crate::{args, choice};

choice! {
    /// What is done.
    pub enum Wish {
        /// The entry is there.
        Present = "present",
        /// The entry is not there.
        Absent = "absent",
        /// The list is only read.
        Query = "query",
    }
}

choice! {
    /// Whom an entry is for.
    pub enum Whom {
        /// A group.
        Group = "group",
        /// What all but the owner may at most.
        Mask = "mask",
        /// Everybody else.
        Other = "other",
        /// An account.
        User = "user",
    }
}

choice! {
    /// When the mask is computed anew.
    pub enum Mask {
        /// As `setfacl` does it.
        Default = "default",
        /// Always.
        Mask = "mask",
        /// Never.
        NoMask = "no_mask",
    }
}

args! {
    /// Manages an entry of a file's access control list, with the host's `setfacl`.
    pub struct Args {
        /// The file or directory.
        path ("name"): PathBuf,
        /// What is done.
        state: Wish = Wish::Query,
        /// Whom the entry is for.
        etype: Option<Whom>,
        /// Name or number of the account or group; nothing for the owner.
        entity: String = String::new(),
        /// What is allowed: letters of `rwxX`.
        permissions: Option<String>,
        /// The entry as text, e.g. `user:joe:rw`, `default:group:www:rx`; older form of the three before.
        entry: Option<String>,
        /// Whether it is the list that new files in the directory get.
        default: bool = false,
        /// Whether links are followed.
        follow: bool = true,
        /// Whether everything beneath the directory is meant too.
        recursive ("recurse"): bool = false,
        /// When the mask is computed anew.
        recalculate_mask: Mask = Mask::Default,
        /// `true` is refused: lists of NFSv4 are not supported.
        use_nfsv4_acls: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: One more account may read a file
  acl:
    path: /etc/motd
    entity: www-data
    etype: user
    permissions: r
    state: present
- name: What is there
  acl:
    path: /etc/motd
  register: found
";

/// The module.
pub struct Acl;

/// The list, and paths that are not as they should be.
#[derive(Debug, Clone)]
pub struct State {
    id: ResourceId,
    acl: Vec<String>,
    /// The list as it should be.
    wanted: Vec<String>,
    /// Of a whole tree: what differs.
    outdated: Vec<String>,
    is_tree: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let state = ResourceState::present(self.id.clone()).with("acl", self.acl.clone());
        vec![if self.is_tree { state.with("paths that differ", self.outdated.clone()) } else { state }]
    }
}

/// An entry, taken apart.
struct Entry {
    is_default: bool,
    text: String,
}

impl Args {
    fn check(&self) -> Result<(), Failure> {
        let fail = |text: &str| Err(Failure::new(text));
        let state = self.state.word();
        if self.use_nfsv4_acls {
            return fail("`use_nfsv4_acls` is not supported");
        }
        if self.state == Wish::Query && self.recursive {
            return fail("'recursive' MUST NOT be set when 'state=query'.");
        }
        if self.state == Wish::Query && self.recalculate_mask != Mask::Default {
            return fail("'recalculate_mask' MUST NOT be set to 'mask' or 'no_mask' when 'state=query'.");
        }
        let Some(entry) = &self.entry else {
            return match self.state {
                Wish::Absent if self.permissions.is_some() => fail("'permissions' MUST NOT be set when 'state=absent'."),
                Wish::Absent if self.entity.is_empty() => fail("'entity' MUST be set when 'state=absent'."),
                Wish::Present | Wish::Absent if self.etype.is_none() => {
                    fail(&format!("'etype' MUST be set when 'state={state}'."))
                }
                _ => Ok(()),
            };
        };
        if self.etype.is_some() || !self.entity.is_empty() || self.permissions.is_some() {
            return fail("'entry' MUST NOT be set when 'entity', 'etype' or 'permissions' are set.");
        }
        let colons = entry.matches(':').count();
        match self.state {
            Wish::Present if ![2, 3].contains(&colons) => {
                fail("'entry' MUST have 3 or 4 sections divided by ':' when 'state=present'.")
            }
            Wish::Absent if ![1, 2].contains(&colons) => {
                fail("'entry' MUST have 2 or 3 sections divided by ':' when 'state=absent'.")
            }
            Wish::Query => fail("'entry' MUST NOT be set when 'state=query'."),
            _ => Ok(()),
        }
    }

    /// The entry as `setfacl` takes it.
    fn wanted(&self) -> Result<Entry, Failure> {
        let mut is_default = self.default;
        let (whom, entity, permissions) = match &self.entry {
            None => (self.etype.map_or("", Whom::word), self.entity.as_str(), self.permissions.as_deref()),
            Some(entry) => {
                let mut parts: Vec<&str> = entry.split(':').collect();
                if entry.starts_with(['d', 'D']) {
                    is_default = true;
                    parts.remove(0);
                }
                let whom = match parts.first().and_then(|word| word.chars().next()).map(|letter| letter.to_ascii_lowercase()) {
                    Some('u') => "user",
                    Some('g') => "group",
                    Some('m') => "mask",
                    Some('o') => "other",
                    _ => return Err(Failure::new(format!("`entry`: `{entry}` is for nobody that is known"))),
                };
                (whom, parts.get(1).copied().unwrap_or_default(), parts.get(2).copied())
            }
        };
        if entity.contains([',', ':', '\n', ' ']) {
            return Err(Failure::new(format!("`entity`: `{entity}` cannot be the name of an account or a group")));
        }
        let permissions = permissions.filter(|_| self.state == Wish::Present && permissions != Some(""));
        if permissions.is_some_and(|text| !text.chars().all(|letter| "rwxX-01234567".contains(letter))) {
            return Err(Failure::new(format!(
                "`permissions`: `{}` has other letters than rwxX",
                permissions.unwrap_or_default()
            )));
        }
        let text = match permissions {
            Some(permissions) => format!("{whom}:{entity}:{permissions}"),
            None => format!("{whom}:{entity}"),
        };
        Ok(Entry { is_default, text })
    }

    /// The words for `setfacl`.
    fn words(&self, entry: &Entry, more: &[&str], host: &dyn Inspect) -> Vec<String> {
        let mut words: Vec<String> = more.iter().map(|&word| word.to_owned()).collect();
        let mut add = |is_wanted: bool, word: &str| words.extend(is_wanted.then(|| word.to_owned()));
        add(self.recursive, "--recursive");
        add(self.recalculate_mask == Mask::Mask, "--mask");
        add(self.recalculate_mask == Mask::NoMask, "--no-mask");
        add(!self.follow, "--physical");
        add(entry.is_default, "-d");
        add(true, if self.state == Wish::Present { "-m" } else { "-x" });
        words.extend([entry.text.clone(), "--".to_owned(), expand_path(&self.path, host).display().to_string()]);
        words
    }

    fn is_default(&self) -> bool {
        self.default || self.entry.as_deref().is_some_and(|entry| entry.starts_with(['d', 'D']))
    }
}

/// A line of `setfacl --test`: path, and its list as it would be; none where nothing would change.
fn tested(line: &str) -> Option<(&str, Option<Vec<String>>)> {
    let (path, lists) = line.rsplit_once(": ")?;
    if lists == "*,*" {
        return Some((path, None));
    }
    let long = |entry: &str| {
        let entry = entry.strip_prefix("d:").unwrap_or(entry);
        let (whom, rest) = entry.split_once(':').unwrap_or((entry, ""));
        let whom = [("u", "user"), ("g", "group"), ("m", "mask"), ("o", "other")].into_iter().find(|(short, _)| *short == whom);
        format!("{}:{rest}", whom.map_or("", |(_, long)| long))
    };
    Some((path, Some(lists.split(',').filter(|entry| *entry != "*").map(long).collect())))
}

const GETFACL: Tool = Tool::new("getfacl", "acl");
const SETFACL: Tool = Tool::new("setfacl", "acl");

impl Resource for Acl {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        args.check()?;
        let path = expand_path(&args.path, host);
        if stat_followed(&path, host)?.is_none() {
            return Err(Failure::new("Path not found or not accessible."));
        }
        let place = path.display().to_string();
        let entry = if args.state == Wish::Query { None } else { Some(args.wanted()?) };
        let name = entry.as_ref().map_or(String::new(), |entry| format!(" {}", entry.text));
        let kind = if args.is_default() { "default acl" } else { "acl" };
        let id = ResourceId::new(kind, format!("{place}{name}"));
        let state = State { id, acl: Vec::new(), wanted: Vec::new(), outdated: Vec::new(), is_tree: args.recursive };
        if let Some(Thing::There(planned)) = host.thing(&state.id) {
            let acl: Vec<String> = serde_json::from_str(&planned).unwrap_or_default();
            return Ok(State { wanted: acl.clone(), acl, ..state });
        }
        let mut words = vec!["--absolute-names", "--omit-header"];
        words.extend((!args.follow).then_some("--physical"));
        words.extend(args.is_default().then_some("-d"));
        words.extend(["--", &place]);
        let ask = |tool: Tool, words: Vec<String>| match tool.answer(words, host) {
            // What an earlier task of the plan would make has no list yet.
            Err(failure) if !host.acts() => Err(Failure::unknown(failure.message)),
            Ok(None) => Err(Failure::unknown("the package `acl` is not installed yet")),
            other => Ok(other?.unwrap_or_default()),
        };
        let said = ask(GETFACL, words.into_iter().map(str::to_owned).collect())?;
        let acl: Vec<String> = said.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let Some(entry) = entry else { return Ok(State { wanted: acl.clone(), acl, ..state }) };
        let said = ask(SETFACL, args.words(&entry, &["--test"], host))?;
        let changes: Vec<(&str, Vec<String>)> =
            said.lines().filter_map(tested).filter_map(|(path, list)| Some((path, list?))).collect();
        let wanted = changes.iter().find(|(path, _)| *path == place).map_or_else(|| acl.clone(), |(_, list)| list.clone());
        let outdated = changes.iter().map(|(path, _)| (*path).to_owned()).collect();
        Ok(State { acl, wanted, outdated, ..state })
    }

    fn want(_: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { acl: now.wanted.clone(), outdated: Vec::new(), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let effect = Effect::Thing(step.want.id.clone(), Thing::There(json!(step.want.acl).to_string()));
        SETFACL.act(args.words(&args.wanted()?, &[], host.inspect()), &[effect], host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let entry = args.wanted().map(|entry| entry.text).unwrap_or_default();
        let message = match args.state {
            Wish::Present => format!("{entry} is present"),
            Wish::Absent => format!("{entry} is absent"),
            Wish::Query => "current acl".to_owned(),
        };
        Map::from_iter([("msg".to_owned(), message.into()), ("acl".to_owned(), after.acl.clone().into())])
    }

    fn claims(args: &Args) -> Claims {
        let file = resource_id(&args.path);
        let package = ResourceId::new("package", "acl");
        if args.state == Wish::Query {
            return Claims::default().needing([file, package]);
        }
        let acl = ResourceId::new("acl", args.path.display().to_string());
        let named = matches!(args.etype, Some(Whom::User | Whom::Group)) && !args.entity.is_empty();
        let account = args.etype.filter(|_| named).map(|kind| ResourceId::new(kind.word(), args.entity.as_str()));
        Claims::provides([acl]).needing([file, package].into_iter().chain(account))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test makes files")]
mod tests {
    use super::*;
    use crate::host::overlay::Overlay;
    use crate::host::real::RealHost;
    use crate::outcome::Ending;
    use crate::registry::find;

    #[test]
    fn lines_of_a_test_are_understood() {
        assert_eq!(tested("/a: b: *,*"), Some(("/a: b", None)));
        assert_eq!(tested("d: *,d:u::rwx,d:m::r-x"), Some(("d", Some(vec!["user::rwx".into(), "mask::r-x".into()]))));
        assert_eq!(tested("f: u::rw-,u:bin:r--,*").unwrap().1.unwrap(), ["user::rw-", "user:bin:r--"]);
    }

    #[test]
    fn entries_are_added_and_taken_away() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("d")).unwrap();
        std::fs::write(place.path().join("d/f"), "x").unwrap();
        let host = || RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        let has_tool = std::process::Command::new("setfacl").arg("--version").output().is_ok();
        for (options, ending, shown) in [
            (json!({"state": "present", "etype": "user", "entity": "bin", "permissions": "rX"}), Ending::Changed, "user:bin:r-x"),
            (json!({"state": "present", "entry": "u:bin:rx"}), Ending::Ok, "user:bin:r-x"),
            (json!({"state": "present", "entry": "u:bin:rx", "recursive": true}), Ending::Changed, "user:bin:r-x"),
            (json!({"state": "present", "entry": "default:group:2:rw"}), Ending::Changed, "group:bin:rw-"),
            (json!({"default": true}), Ending::Ok, "group:bin:rw-"),
            (json!({"state": "absent", "etype": "user", "entity": "bin", "recurse": true}), Ending::Changed, "user::rwx"),
            (json!({"state": "absent", "entry": "u:bin"}), Ending::Ok, "user::rwx"),
            (json!({"state": "present", "etype": "user", "entity": "bin,u:daemon", "permissions": "r"}), Ending::Failed, ""),
            (json!({"state": "present", "etype": "user", "entity": "bin", "permissions": "r,u:x:w"}), Ending::Failed, ""),
            (json!({"state": "absent", "etype": "user"}), Ending::Failed, ""),
            (json!({"path": "/no/such"}), Ending::Failed, ""),
        ] {
            if !has_tool && ending != Ending::Failed {
                continue;
            }
            let mut all = json!({"path": place.path().join("d").display().to_string()}).as_object().unwrap().clone();
            all.extend(options.as_object().unwrap().clone());
            let module = find("acl").unwrap();
            let mut overlay = Overlay::new(host());
            let planned = (module.run)(&all, &mut overlay);
            let outcome = (module.run)(&all, &mut host());
            assert_eq!(outcome.ending, ending, "{options}: {:?}", outcome.result);
            if ending != Ending::Failed {
                assert_eq!((planned.ending, planned.changes), (ending, outcome.changes), "{options}");
                let acl = outcome.result["acl"].as_array().unwrap();
                assert!(acl.contains(&json!(shown)), "{options}: {acl:?}");
                for again in [(module.run)(&all, &mut host()), (module.run)(&all, &mut overlay)] {
                    assert_eq!(again.ending, Ending::Ok, "{options}: {:?}", again.changes);
                }
            }
        }
    }
}
