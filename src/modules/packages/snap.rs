//! `snap`: packages of Snapcraft.

use serde_json::{Map, Value, json};

use super::work::{self, Kind, Step as Change, Work};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What snaps should be.
    pub enum Presence {
        /// Not installed.
        Absent = "absent",
        /// Installed.
        Present = "present",
        /// Installed and in use.
        Enabled = "enabled",
        /// Installed and not in use.
        Disabled = "disabled",
    }
}

args! {
    /// Manages packages of Snapcraft by `snap`.
    pub struct Args {
        /// Names; also paths of `.snap` files on the host.
        name: Vec<String>,
        /// What they should be.
        state: Presence = Presence::Present,
        /// Channel that is followed, e.g. `latest/edge`; only for one snap.
        channel: Option<String>,
        /// Whether a snap may be installed that is not confined.
        classic: bool = false,
        /// Whether a snap without signature may be installed.
        dangerous: bool = false,
        /// Settings: `key=value`, or `snap:key=value` for one of several.
        options: Option<Vec<String>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Two snaps
  snap:
    name: [foo, bar]
- name: A channel
  snap:
    name: kubectl
    channel: latest/edge
    classic: true
- name: No snap
  snap:
    name: oldsnap
    state: absent
";

/// The module.
pub struct Snap;

const SNAP: Kind = Kind { word: "snap", system: false };

/// A row of `snap list`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    name: String,
    version: String,
    channel: String,
    disabled: bool,
}

fn parse(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, version, _, channel, .., notes] = words[..] else { return None };
        let disabled = notes.split(',').any(|note| note == "disabled");
        Some(Row { name: name.into(), version: version.into(), channel: channel.into(), disabled })
    };
    text.lines().skip(1).filter_map(row).collect()
}

/// A channel with its track and its risk: `edge` -> `latest/edge`, `4.0` -> `4.0/stable`.
fn whole(channel: &str) -> String {
    let is_risk = |word: &str| ["stable", "candidate", "beta", "edge"].contains(&word);
    match channel.split('/').next() {
        Some(first) if is_risk(first) => format!("latest/{channel}"),
        Some(_) if channel.contains('/') => channel.to_owned(),
        _ => format!("{channel}/stable"),
    }
}

/// `foo_1.0_amd64.snap` -> `foo`.
fn bare(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.strip_suffix(".snap").map_or(name, |stem| stem.split('_').next().unwrap_or(stem))
}

/// A value as snapd keeps it: JSON where it is JSON.
fn setting(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn line(words: &[&str]) -> CommandLine {
    CommandLine::new(["snap"].iter().chain(words).copied())
}

impl Args {
    fn install(&self, names: &[&str]) -> CommandLine {
        let mut install = line(&["install"]);
        install.argv.extend(self.classic.then(|| "--classic".to_owned()));
        install.argv.extend(self.dangerous.then(|| "--dangerous".to_owned()));
        install.argv.extend(self.channel.iter().flat_map(|channel| ["--channel".to_owned(), channel.clone()]));
        install.argv.extend(names.iter().map(|&name| name.to_owned()));
        install
    }
}

/// Adds what is to be set.
fn add_options(args: &Args, names: &[&str], work: &mut Work, host: &dyn Inspect) -> Result<Vec<String>, Failure> {
    let mut changed = Vec::new();
    for option in args.options.iter().flatten() {
        let (key, value) =
            option.split_once('=').ok_or_else(|| Failure::new(format!("Cannot set option '{option}': it is not key=value")))?;
        let (only, key) = key.split_once(':').map_or((None, key), |(snap, key)| (Some(snap), key));
        work::names(&[key.to_owned()])?;
        for name in names.iter().map(|name| bare(name)).filter(|name| only.is_none_or(|only| only == *name)) {
            let id = ResourceId::new("snap-option", format!("{name} {key}"));
            let wanted = setting(value);
            let now = match host.thing(&id) {
                Some(Thing::There(text)) => Some(setting(&text)),
                _ => work::ask(&line(&["get", "-d", name, key]), "snapd", host)
                    .ok()
                    .filter(|output| output.rc == 0)
                    .and_then(|output| serde_json::from_str::<Value>(&output.text()).ok())
                    .and_then(|document| document.get(key).cloned()),
            };
            let state = |value: Value| ResourceState::present(id.clone()).with("value", value);
            let before = now.clone().map_or_else(|| ResourceState::absent(id.clone()), state);
            if now.as_ref() != Some(&wanted) {
                changed.push(format!("{name}:{key}={value}"));
                let effect = Effect::Thing(id.clone(), Thing::There(value.to_owned()));
                work.run(line(&["set", name, &format!("{key}={value}")]), vec![effect]);
            }
            work.describe(before, state(wanted));
        }
    }
    Ok(changed)
}

impl Resource for Snap {
    type Args = Args;
    type State = Work;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let names = work::names(&args.name)?;
        if args.channel.is_some() && names.len() > 1 {
            return Err(Failure::new("`channel` can only be given for one snap"));
        }
        let rows = match work::text(&line(&["list", "--all"]), "snapd", host) {
            Ok(text) => parse(&text),
            // An earlier task of this plan may bring snapd.
            Err(_) if !host.acts() => Vec::new(),
            Err(failure) => return Err(failure),
        };
        // Older revisions are listed as disabled, too: one that is in use goes before them.
        let row = |name: &str| rows.iter().filter(|row| row.name == bare(name)).min_by_key(|row| row.disabled);
        let now = |name: &str| SNAP.seen(bare(name), row(name).map(|row| row.version.clone()), host);
        let mut work = Work::default();
        let (mut fresh, mut gone) = (Vec::new(), Vec::new());
        for name in &names {
            match (now(name), args.state) {
                (None, Presence::Absent) | (Some(_), Presence::Present | Presence::Enabled | Presence::Disabled) => {
                    work.keep(SNAP, bare(name), now(name).as_deref());
                }
                (Some(_), Presence::Absent) => gone.push(*name),
                (None, _) => fresh.push(*name),
            }
        }
        let step = |name: &&str, after: Option<String>| Change::new(bare(name), now(name), after);
        if !fresh.is_empty() {
            work.add(SNAP, fresh.iter().map(|name| step(name, Some(String::new()))).collect(), args.install(&fresh), host);
        }
        if !gone.is_empty() {
            let words: Vec<&str> = ["remove"].into_iter().chain(gone.iter().copied()).collect();
            work.add(SNAP, gone.iter().map(|name| step(name, None)).collect(), line(&words), host);
        }
        let installed: Vec<&str> =
            names.iter().copied().filter(|name| now(name).is_some() && args.state != Presence::Absent).collect();
        for name in &installed {
            let mut manage = |what: &'static str, kind: &str, before: String, after: String, run: CommandLine| {
                let id = ResourceId::new(kind, bare(name));
                let before = if let Some(Thing::There(text)) = host.thing(&id) { text } else { before };
                let state = |text: &String| ResourceState::present(id.clone()).with(what, text.clone());
                work.describe(state(&before), state(&after));
                if before != after {
                    work.run(run, vec![Effect::Thing(id.clone(), Thing::There(after))]);
                }
            };
            if let (Some(channel), Some(row)) = (&args.channel, row(name)) {
                let refresh = line(&["refresh", "--channel", channel, bare(name)]);
                manage("channel", "snap-channel", whole(&row.channel), whole(channel), refresh);
            }
            if let (Presence::Enabled | Presence::Disabled, Some(row)) = (args.state, row(name)) {
                let word = |disabled: bool| if disabled { "disabled" } else { "enabled" }.to_owned();
                let verb = if args.state == Presence::Disabled { "disable" } else { "enable" };
                manage("state", "snap-state", word(row.disabled), args.state.word().into(), line(&[verb, bare(name)]));
            }
        }
        let changed = if args.state == Presence::Absent { Vec::new() } else { add_options(args, &names, &mut work, host)? };
        let cmd = if fresh.is_empty() { Vec::new() } else { args.install(&fresh).argv };
        let fields = json!({"classic": args.classic, "channel": args.channel, "cmd": cmd.join(" "), "snaps_installed": fresh,
            "snaps_removed": gone, "options_changed": changed});
        work.result = fields.as_object().cloned().unwrap_or_default();
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(_: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        before.result.clone()
    }

    fn claims(_: &Args) -> Claims {
        // Snaps bring programs and services.
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<Snap>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        let list = "Name    Version  Rev   Tracking       Publisher  Notes\n\
                    lxd     5.0.2    2464  5.0/stable/x   canonical  disabled\nlxd     5.0.3    2465  5.0/stable   canonical  -\n\
                    kubectl 1.29     3000  latest/stable  canonical  classic\nold     1        1     latest/stable  me         disabled,classic\n";
        host.answer(&["snap", "list", "--all"], 0, list);
        host.answer(&["snap", "get", "-d", "lxd", "daemon.debug"], 0, r#"{"daemon.debug": true}"#);
        host
    }

    #[test]
    fn channels_are_compared_whole() {
        for (short, long) in
            [("edge", "latest/edge"), ("4.0", "4.0/stable"), ("4.0/beta", "4.0/beta"), ("stable/fix", "latest/stable/fix")]
        {
            assert_eq!(whole(short), long);
        }
        assert_eq!((bare("/srv/foo_1.0_amd64.snap"), bare("foo")), ("foo", "foo"));
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let mut host = host();
        let outcome = run(&json!({"name": ["lxd", "foo", "bar"]}), &mut host).unwrap();
        assert_eq!(outcome.result["snaps_installed"], json!(["foo", "bar"]));
        assert_eq!(host.ran[0].argv, ["snap", "install", "foo", "bar"]);
    }

    #[test]
    fn channel_state_and_settings_are_compared() {
        let mut host = host();
        assert_eq!(run(&json!({"name": "kubectl", "channel": "stable", "state": "enabled"}), &mut host).unwrap().changes, []);
        assert_eq!(run(&json!({"name": "lxd", "options": ["daemon.debug=true"]}), &mut host).unwrap().changes, []);
        run(&json!({"name": "kubectl", "channel": "edge"}), &mut host).unwrap();
        run(&json!({"name": "old", "state": "enabled"}), &mut host).unwrap();
        run(&json!({"name": "lxd", "options": ["lxd:daemon.debug=false"]}), &mut host).unwrap();
        let ran: Vec<String> = host.ran.iter().map(|line| line.argv.join(" ")).collect();
        assert_eq!(ran, ["snap refresh --channel edge kubectl", "snap enable old", "snap set lxd daemon.debug=false"]);
        assert!(run(&json!({"name": ["a", "b"], "channel": "edge"}), &mut host).is_err());
    }
}
