//! `sefcontext`: which label files get by their paths.

use serde_json::{Map, Value, json};

use super::policy::{SEMANAGE, list, require};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;
use crate::{args, choice};

choice! {
    /// Files of which kind.
    pub enum Ftype {
        /// All.
        All = "a",
        /// Block devices.
        Block = "b",
        /// Character devices.
        Character = "c",
        /// Directories.
        Directory = "d",
        /// Regular files.
        File = "f",
        /// Symbolic links.
        Link = "l",
        /// Named pipes.
        Pipe = "p",
        /// Sockets.
        Socket = "s",
    }
}

impl Ftype {
    /// The words of `semanage`.
    fn shown(self) -> &'static str {
        match self {
            Self::All => "all files",
            Self::Block => "block device",
            Self::Character => "character device",
            Self::Directory => "directory",
            Self::File => "regular file",
            Self::Link => "symbolic link",
            Self::Pipe => "named pipe",
            Self::Socket => "socket",
        }
    }
}

args! {
    /// Manages which label files get by their paths, with the host's `semanage`. Files that are there
    /// keep the label they have until `restorecon` is run.
    pub struct Args {
        /// The paths, as a pattern (`/srv/web(/.*)?`).
        target ("path"): String,
        /// Files of which kind.
        ftype: Ftype = Ftype::All,
        /// The type.
        setype: Option<String>,
        /// Another path whose labels hold for `target`, too.
        substitute ("equal"): Option<String>,
        /// The user of SELinux; `system_u` for a new entry.
        seuser: Option<String>,
        /// The range; `s0` for a new entry.
        selevel ("serange"): Option<String>,
        /// Whether there is such an entry; without `setype` and `substitute` both kinds are removed.
        state: Presence = Presence::Present,
        /// Whether the policy is loaded afterwards.
        reload: bool = true,
        /// Whether it does not matter that SELinux is off (in a chroot).
        ignore_selinux_state: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: What the web server may read
  sefcontext:
    target: /srv/web(/.*)?
    setype: httpd_sys_content_t
- name: Homes elsewhere
  sefcontext:
    target: /srv/home
    substitute: /home
- name: Not any more
  sefcontext:
    target: /srv/old(/.*)?
    state: absent
";

/// The module.
pub struct Sefcontext;

/// A label without its role: user, type, range; the type alone where nothing is labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Label {
    user: String,
    setype: String,
    range: String,
}

/// What holds for the paths.
#[derive(Debug, Clone)]
pub struct State {
    target: String,
    ftype: Ftype,
    label: Option<Label>,
    /// Whether the policy itself says so, and nobody added it.
    given: bool,
    substitute: Option<String>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = label_id(&self.target, self.ftype);
        let label = match &self.label {
            None => ResourceState::absent(id),
            Some(label) => ResourceState::present(id)
                .with("seuser", label.user.clone())
                .with("setype", label.setype.clone())
                .with("selevel", label.range.clone()),
        };
        let id = substitute_id(&self.target);
        let substitute = match &self.substitute {
            None => ResourceState::absent(id),
            Some(other) => ResourceState::present(id).with("substitute", other.clone()),
        };
        vec![label, substitute]
    }
}

fn label_id(target: &str, ftype: Ftype) -> ResourceId {
    ResourceId::new("sefcontext", format!("{target} ({})", ftype.shown()))
}

fn substitute_id(target: &str) -> ResourceId {
    ResourceId::new("sefcontext", format!("{target} (as another)"))
}

const NONE: &str = "<<none>>";

/// `user:role:type:range`, of which the range may be missing.
fn parse_label(text: &str) -> Option<Label> {
    if text.eq_ignore_ascii_case(NONE) {
        return Some(Label { user: String::new(), setype: NONE.into(), range: String::new() });
    }
    let mut parts = text.splitn(4, ':');
    let (user, _, setype) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Label { user: user.into(), setype: setype.into(), range: parts.next().unwrap_or_default().into() })
}

/// Finds the entry of these paths: a pattern, the kind of file in words, the label.
fn find_label(list: &str, target: &str, ftype: Ftype) -> Option<Label> {
    list.lines().find_map(|line| {
        let (kind, label) = line.strip_prefix(target)?.trim().rsplit_once(char::is_whitespace)?;
        (kind.trim() == ftype.shown()).then(|| parse_label(label))?
    })
}

/// Finds the path whose labels hold for this one, too.
fn find_substitute(list: &str, target: &str) -> Option<String> {
    list.lines().find_map(|line| {
        let (path, other) = line.split_once(" = ")?;
        (path.trim() == target).then(|| other.trim().to_owned())
    })
}

/// A label as a plan remembers it.
fn text(label: &Label) -> String {
    format!("{}:object_r:{}:{}", label.user, label.setype, label.range)
}

fn check(args: &Args) -> Result<(), Failure> {
    if args.setype.is_some() && args.substitute.is_some() {
        return Err(Failure::new("parameters are mutually exclusive: setype|substitute"));
    }
    if args.state == Presence::Present && args.setype.is_none() && args.substitute.is_none() {
        return Err(Failure::new("state is present but any of the following are missing: setype, substitute"));
    }
    plain_word("target", &args.target)?;
    for (option, word) in
        [("setype", &args.setype), ("substitute", &args.substitute), ("seuser", &args.seuser), ("selevel", &args.selevel)]
    {
        word.as_deref().map_or(Ok(()), |word| plain_word(option, word))?;
    }
    Ok(())
}

impl Resource for Sefcontext {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        check(args)?;
        require(args.ignore_selinux_state, host)?;
        let (all, local) = (list("fcontext", false, host)?, list("fcontext", true, host)?);
        let (target, ftype) = (args.target.clone(), args.ftype);
        let mut given = false;
        let label = match host.thing(&label_id(&target, ftype)) {
            Some(Thing::There(label)) => parse_label(&label),
            Some(Thing::Gone) => None,
            None => find_label(&local, &target, ftype).or_else(|| {
                let label = find_label(&all, &target, ftype);
                given = label.is_some();
                label
            }),
        };
        let substitute = match host.thing(&substitute_id(&target)) {
            Some(Thing::There(other)) => Some(other),
            Some(Thing::Gone) => None,
            None => find_substitute(&local, &target),
        };
        Ok(State { target, ftype, label, given, substitute })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        match (args.state, &args.setype, &args.substitute) {
            (Presence::Present, Some(setype), _) => {
                let or = |option: &Option<String>, old: Option<&String>, new: &str| {
                    option.clone().or_else(|| old.filter(|old| !old.is_empty()).cloned()).unwrap_or_else(|| new.into())
                };
                let old = now.label.as_ref();
                want.label = if setype.eq_ignore_ascii_case(NONE) {
                    parse_label(NONE)
                } else {
                    let (user, range) = (old.map(|label| &label.user), old.map(|label| &label.range));
                    // A policy without ranges shows none.
                    let range = match (old, &args.selevel) {
                        (Some(label), None) if label.range.is_empty() && label.setype != NONE => String::new(),
                        _ => or(&args.selevel, range, "s0"),
                    };
                    Some(Label { user: or(&args.seuser, user, "system_u"), setype: setype.clone(), range })
                };
            }
            (Presence::Present, None, Some(other)) => want.substitute = Some(other.clone()),
            (Presence::Present, None, None) => {}
            (Presence::Absent, setype, substitute) => {
                // What the policy itself says cannot be removed, and nobody asked for it by name.
                if substitute.is_none() && !(now.given && setype.is_none()) {
                    want.label = None;
                }
                if setype.is_none() {
                    want.substitute = None;
                }
                if now.given && now.label.is_some() && want.label.is_none() {
                    return Err(Failure::new(format!(
                        "the file context of {} is defined in the policy and cannot be removed",
                        args.target
                    )));
                }
            }
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let State { target, ftype, .. } = step.want;
        if step.now.label != step.want.label {
            let mut words = vec!["fcontext"];
            let thing = match &step.want.label {
                None => {
                    words.extend(["-d", "-f", ftype.word()]);
                    Thing::Gone
                }
                Some(label) => {
                    words.push(if step.now.label.is_some() { "-m" } else { "-a" });
                    words.extend(["-f", ftype.word(), "-t", &label.setype]);
                    if !label.user.is_empty() {
                        words.extend(["-s", &label.user]);
                    }
                    if !label.range.is_empty() {
                        words.extend(["-r", &label.range]);
                    }
                    Thing::There(text(label))
                }
            };
            words.extend((!args.reload).then_some("-N"));
            words.push(target);
            SEMANAGE.act(words, &[Effect::Thing(label_id(target, *ftype), thing)], host)?;
        }
        if step.now.substitute != step.want.substitute {
            let (verb, thing) = match (&step.now.substitute, &step.want.substitute) {
                (_, None) => ("-d", Thing::Gone),
                (None, Some(other)) => ("-a", Thing::There(other.clone())),
                (Some(_), Some(other)) => ("-m", Thing::There(other.clone())),
            };
            let mut words = vec!["fcontext", verb];
            let other = step.want.substitute.as_ref().or(step.now.substitute.as_ref());
            words.extend(other.map(|other| ["-e", other.as_str()]).into_iter().flatten());
            words.extend((!args.reload).then_some("-N"));
            words.push(target);
            SEMANAGE.act(words, &[Effect::Thing(substitute_id(target), thing)], host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let label = after.label.as_ref();
        let fields = json!({
            "target": args.target,
            "ftype": args.ftype.word(),
            "setype": args.setype,
            "substitute": args.substitute,
            "seuser": args.seuser.as_ref().or(label.map(|label| &label.user)),
            "serange": args.selevel.as_ref().or(label.map(|label| &label.range)),
            "state": args.state.word(),
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([label_id(&args.target, args.ftype), substitute_id(&args.target)])
            .needing([ResourceId::new("package", "policycoreutils-python-utils")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found() {
        let list = "/                                                  directory          system_u:object_r:root_t:s0 \n\
                    /srv/web(/.*)?                                     all files          system_u:object_r:web_t:s0 \n\
                    /srv/web(/.*)?                                     regular file       staff_u:object_r:text_t\n\
                    /tmp/x                                             all files          <<None>>\n\
                    /srv/home = /home\n";
        let label =
            |user: &str, setype: &str, range: &str| Some(Label { user: user.into(), setype: setype.into(), range: range.into() });
        for (target, ftype, expected) in [
            ("/srv/web(/.*)?", Ftype::All, label("system_u", "web_t", "s0")),
            ("/srv/web(/.*)?", Ftype::File, label("staff_u", "text_t", "")),
            ("/srv/web(/.*)?", Ftype::Directory, None),
            ("/srv/web", Ftype::All, None),
            ("/", Ftype::Directory, label("system_u", "root_t", "s0")),
            ("/", Ftype::All, None),
            ("/tmp/x", Ftype::All, label("", NONE, "")),
        ] {
            assert_eq!(find_label(list, target, ftype), expected, "{target}");
        }
        assert_eq!(find_substitute(list, "/srv/home").as_deref(), Some("/home"));
        assert_eq!(find_substitute(list, "/srv"), None);
    }
}
