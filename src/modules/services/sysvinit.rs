//! `sysvinit`: init scripts, run by themselves whatever manager runs the host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::manage::Activity;
use crate::args;
use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists, plain_word};

args! {
    /// Manages services by their scripts in `/etc/init.d`.
    ///
    /// `restarted` and `reloaded` are a change every time. Output of a script that stays in the background is not waited for.
    pub struct Args {
        /// Name of the script.
        name ("service"): String,
        /// Whether it runs, or what is done to it.
        state: Option<Activity>,
        /// Whether it starts at boot.
        enabled: Option<bool>,
        /// Seconds between stop and start of a restart.
        sleep: u64 = 1,
        /// Text that stands in the list of processes if it runs, for scripts without `status`.
        pattern: Option<String>,
        /// Runlevels in which it starts, instead of those that the script names.
        runlevels: Option<Vec<String>>,
        /// Words added to the script's command line.
        arguments ("args"): String = String::new(),
        /// No effect: a script that stays behind is not waited for.
        daemonize: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: It runs
  sysvinit:
    name: app
    state: started
    enabled: true
- name: Restarted
  sysvinit:
    name: app
    state: restarted
    sleep: 0
- name: Only in some runlevels
  sysvinit:
    name: app
    enabled: true
    runlevels: ['3', '5']
";

const LEVELS: [&str; 8] = ["0", "1", "2", "3", "4", "5", "6", "S"];
const UPDATE: Tool = Tool::new("update-rc.d", "init-system-helpers");
const CHKCONFIG: Tool = Tool::new("chkconfig", "chkconfig");

/// The module.
pub struct Sysvinit;

/// Whether it runs, and the runlevels in which it starts; `None` = not managed.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    running: Option<bool>,
    /// It starts somewhere.
    enabled: Option<bool>,
    levels: Option<Vec<String>>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let running = self.running.map(|running| if running { "started" } else { "stopped" });
        vec![
            ResourceState::present(id(&self.name))
                .with("enabled", self.enabled)
                .with("runlevels", json!(self.levels))
                .with("state", running),
        ]
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("service", name)
}

fn script(args: &Args) -> PathBuf {
    Path::new("/etc/init.d").join(&args.name)
}

/// Start links (`S20name`) of a runlevel.
fn links(name: &str, level: &str, host: &dyn Inspect) -> Vec<PathBuf> {
    let directory = PathBuf::from(format!("/etc/rc{level}.d"));
    let names = host.list(&directory).unwrap_or_default();
    let is = |link: &String| link.starts_with('S') && link.get(3..) == Some(name);
    names.into_iter().filter(is).map(|link| directory.join(link)).collect()
}

fn is_running(args: &Args, host: &dyn Inspect) -> Result<bool, Failure> {
    match host.thing(&id(&args.name)) {
        Some(Thing::There(state)) => return Ok(state == "started"),
        Some(Thing::Gone) => return Ok(false),
        None => {}
    }
    if let Some(pattern) = &args.pattern {
        let pids = host.list(Path::new("/proc"))?.into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        for pid in pids {
            let line = host.read(Path::new(&format!("/proc/{pid}/cmdline")), 1 << 20).unwrap_or_default();
            if String::from_utf8_lossy(&line).replace('\0', " ").contains(pattern) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let line = CommandLine::new([script(args).display().to_string(), "status".into()]).env("LC_ALL", "C");
    let output = host.query(&line)?;
    let said = (output.text() + &output.error_text()).to_lowercase();
    Ok(output.rc == 0 && !["not running", "stopped", "is down"].iter().any(|word| said.contains(word)))
}

impl Resource for Sysvinit {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("name", &args.name)?;
        if args.name.contains('/') || args.name == ".." {
            return Err(Failure::new(format!("`{}` cannot be the name of an init script", args.name)));
        }
        if args.state.is_none() && args.enabled.is_none() {
            return Err(Failure::new("one of the following is required: state, enabled"));
        }
        let wrong = args.runlevels.iter().flatten().find(|level| !LEVELS.contains(&level.as_str()));
        if let Some(level) = wrong {
            return Err(Failure::new(format!("`{level}` is not a runlevel")));
        }
        if !exists(script(args), host) {
            return Err(Failure::new(format!(
                "Unable to find the init script of `{}`: there is no {}",
                args.name,
                script(args).display()
            )));
        }
        let levels: Vec<String> =
            LEVELS.iter().filter(|level| !links(&args.name, level, host).is_empty()).map(|&level| level.to_owned()).collect();
        Ok(State {
            name: args.name.clone(),
            running: if args.state.is_some() { Some(is_running(args, host)?) } else { None },
            enabled: Some(!levels.is_empty()),
            levels: args.runlevels.is_some().then_some(levels),
        })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        // Runlevels that are not named are left alone.
        let named = args.runlevels.as_deref().unwrap_or_default();
        let levels = args.enabled.zip(now.levels.as_ref()).map(|(enabled, levels)| {
            let is_in = |level: &&str| {
                if named.iter().any(|name| name == level) { enabled } else { levels.iter().any(|now| now == level) }
            };
            LEVELS.into_iter().filter(is_in).map(str::to_owned).collect::<Vec<_>>()
        });
        Ok(State {
            running: args.state.map(|state| state != Activity::Stopped),
            enabled: if levels.is_some() { None } else { args.enabled },
            levels,
            ..now.clone()
        })
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        let (Some(activity @ (Activity::Restarted | Activity::Reloaded)), Some(true)) = (args.state, now.running) else {
            return Vec::new();
        };
        let difference =
            Difference { property: "state".into(), before: "started".into(), after: activity.word().into(), diff: None };
        vec![Change { resource: id(&args.name), action: Action::Run, differences: vec![difference] }]
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if step.differs("enabled") || step.differs("runlevels") {
            enable(args, step.want, host)?;
        }
        let again = step.changes.iter().any(|change| change.action == Action::Run);
        if again || step.differs("state") {
            match args.state {
                Some(Activity::Stopped) => run(args, "stop", host)?,
                Some(Activity::Reloaded) if again => run(args, "reload", host)?,
                Some(Activity::Restarted) if again => {
                    run(args, "stop", host)?;
                    if host.acts() {
                        host.pause(Duration::from_secs(args.sleep));
                    }
                    run(args, "start", host)?;
                }
                _ => run(args, "start", host)?,
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let mut status = Map::new();
        let enabled =
            |state: &State| state.enabled.unwrap_or_else(|| state.levels.as_ref().is_some_and(|levels| !levels.is_empty()));
        if args.enabled.is_some() {
            status.insert("enabled".into(), json!({"changed": enabled(before) != enabled(after), "rc": Value::Null, "stdout": Value::Null, "stderr": Value::Null}));
        }
        if let Some(state) = args.state {
            let changed = before.running != after.running || !matches!(state, Activity::Started | Activity::Stopped);
            status.insert(
                state.word().into(),
                json!({"changed": changed, "rc": Value::Null, "stdout": Value::Null, "stderr": Value::Null}),
            );
        }
        Map::from_iter([("name".to_owned(), json!(args.name)), ("status".to_owned(), Value::Object(status))])
    }

    fn claims(args: &Args) -> Claims {
        let file = ResourceId::new("file", script(args).display().to_string());
        Claims::provides([id(&args.name)]).needing([file, ResourceId::new("package", &args.name)])
    }
}

fn run(args: &Args, verb: &str, host: &mut dyn Host) -> Result<(), Failure> {
    let mut argv = vec![script(args).display().to_string(), verb.to_owned()];
    argv.extend(args.arguments.split_whitespace().map(str::to_owned));
    let state = if verb == "stop" { "stopped" } else { "started" };
    succeed(host, &CommandLine::new(argv), &[Effect::Thing(id(&args.name), Thing::There(state.into()))]).map(|_| ())
}

/// Sets the start links through the host's tool; the effects are the links themselves.
fn enable(args: &Args, want: &State, host: &mut dyn Host) -> Result<(), Failure> {
    let name = args.name.as_str();
    let enabled = args.enabled == Some(true);
    let usual: Vec<String> = ["2", "3", "4", "5"].map(String::from).into();
    let wanted = match &want.levels {
        Some(levels) => levels.clone(),
        None if enabled => usual,
        None => Vec::new(),
    };
    let mut effects = Vec::new();
    for level in LEVELS {
        let now = links(name, level, host.inspect());
        let start = wanted.iter().any(|wanted| wanted == level);
        if start && now.is_empty() && exists(format!("/etc/rc{level}.d"), host.inspect()) {
            effects.push(Effect::File(format!("/etc/rc{level}.d/S01{name}").into(), Vec::new(), 0o777));
        } else if !start {
            effects.extend(now.into_iter().map(Effect::NoPath));
        }
    }
    let levels = args.runlevels.clone().unwrap_or_default();
    if ["/usr/sbin/update-rc.d", "/sbin/update-rc.d"].iter().any(|path| exists(path, host.inspect()))
        || !exists("/sbin/chkconfig", host.inspect())
    {
        if enabled {
            UPDATE.act([name, "defaults"], &[], host)?;
        }
        let mut words = vec![name.to_owned(), if enabled { "enable" } else { "disable" }.to_owned()];
        words.extend(levels);
        UPDATE.act(words, &effects, host)?;
        return Ok(());
    }
    let mut words = Vec::new();
    if !levels.is_empty() {
        words.extend(["--level".to_owned(), levels.concat()]);
    }
    words.extend([name.to_owned(), if enabled { "on" } else { "off" }.to_owned()]);
    CHKCONFIG.act(words, &effects, host).map(|_| ())
}
