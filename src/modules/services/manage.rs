//! What `service` and `systemd` share: the state of a unit and how it is changed.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Effect, Host, Inspect, ServiceManager, Unit};
use crate::outcome::Failure;
use crate::resource;

choice! {
    /// Whether a service runs, or what is done to it.
    pub enum Activity {
        /// It runs.
        Started = "started",
        /// It does not run.
        Stopped = "stopped",
        /// It is restarted every time.
        Restarted = "restarted",
        /// It reads its configuration again every time.
        Reloaded = "reloaded",
    }
}

choice! {
    /// Which systemd is meant.
    pub enum Scope {
        /// That of the host.
        System = "system",
        /// That of the user.
        User = "user",
        /// That of all users.
        Global = "global",
    }
}

/// What is asked for, whichever module asks.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The unit as written.
    pub name: Option<String>,
    /// Whether it runs.
    pub state: Option<Activity>,
    /// Whether it starts at boot.
    pub enabled: Option<bool>,
    /// Whether it is masked.
    pub masked: Option<bool>,
    /// Which systemd.
    pub scope: Scope,
    /// Do not wait until it is done.
    pub no_block: bool,
    /// Replace links that are in the way.
    pub force: bool,
    /// Words added to an init script's command line.
    pub arguments: String,
    /// Seconds between stop and start of an init script.
    pub sleep: Option<u64>,
    /// Manage through systemd even where it does not run the host.
    pub systemd: bool,
}

/// A unit as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    /// The unit; `None` if none is named.
    pub(super) unit: Option<Unit>,
    manager: ServiceManager,
    /// Compared properties: `None` = left alone.
    running: Option<bool>,
    enabled: Option<bool>,
    masked: Option<bool>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let Some(unit) = &self.unit else { return Vec::new() };
        let words = |is: Option<bool>, [yes, no]: [&'static str; 2]| is.map(|is| if is { yes } else { no });
        vec![
            ResourceState::present(ResourceId::new("service", plain(&unit.name)))
                .with("masked", self.masked)
                .with("enabled", self.enabled)
                .with("state", words(self.running, ["started", "stopped"])),
        ]
    }
}

/// `ssh` of `ssh.service`; other suffixes stay.
fn plain(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// Looks at the unit.
pub(super) fn read(wish: &Wish, host: &dyn Inspect) -> Result<State, Failure> {
    let manager = host.service_manager();
    let Some(name) = &wish.name else {
        return Ok(State { unit: None, manager, running: None, enabled: None, masked: None });
    };
    let mut unit = match (manager, wish.scope) {
        (ServiceManager::Systemd, Scope::User | Scope::Global) => scoped(name, wish.scope, host)?,
        (ServiceManager::Sysvinit | ServiceManager::None, _) if wish.systemd => offline(name, host)?,
        (ServiceManager::None, _) => {
            return Err(Failure::new("no service manager that is known here runs this host (systemd or init scripts)"));
        }
        _ => host.unit(name)?,
    };
    // A file that a plan has written says more than the guess that a planned package brings a unit.
    let is_guessed = unit.properties.get("Planned").is_some_and(|planned| planned == "yes");
    if (!unit.exists || is_guessed) && wish.scope == Scope::System {
        unit = from_file(unit, host);
    }
    if !unit.exists {
        return Err(Failure::new(format!("Could not find the requested service {name}: host")));
    }
    let running = matches!(unit.active.as_str(), "active" | "activating" | "reloading" | "refreshing")
        || (wish.state == Some(Activity::Stopped) && unit.active == "deactivating");
    let enabled = match unit.enabled.as_str() {
        "enabled" | "static" | "alias" => true,
        "generated" => linked_for_boot(plain(&unit.name), host),
        _ => false,
    };
    let masked = unit.enabled.starts_with("masked") || unit.properties.get("LoadState").is_some_and(|state| state == "masked");
    Ok(State { manager, running: Some(running), enabled: Some(enabled), masked: Some(masked), unit: Some(unit) })
}

/// The unit of a user's manager, which the host's own does not know.
fn scoped(name: &str, scope: Scope, host: &dyn Inspect) -> Result<Unit, Failure> {
    let full = crate::host::unit_name(name);
    let scope = format!("--{}", scope.word());
    if scope == "--global" {
        let output = host.query(&CommandLine::new(["systemctl", "--global", "is-enabled", &full]).env("LC_ALL", "C"))?;
        let enabled = output.text().trim().to_owned();
        return Ok(Unit { name: full, exists: !enabled.is_empty() && enabled != "not-found", enabled, ..Unit::default() });
    }
    let output = host.query(&CommandLine::new(["systemctl", &scope, "show", "--no-pager", "--", &full]).env("LC_ALL", "C"))?;
    if output.rc != 0 {
        return Err(Failure::new(format!("cannot look at the user's unit `{full}`: {}", output.error_text().trim_end())));
    }
    let properties: std::collections::BTreeMap<String, String> = output
        .text()
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let get = |name: &str| properties.get(name).cloned().unwrap_or_default();
    Ok(Unit {
        exists: get("LoadState") != "not-found",
        active: get("ActiveState"),
        enabled: get("UnitFileState"),
        needs_reload: get("NeedDaemonReload") == "yes",
        name: full,
        properties,
    })
}

/// A unit where systemd does not run (a container's image, a chroot): only its links can be seen.
fn offline(name: &str, host: &dyn Inspect) -> Result<Unit, Failure> {
    let full = crate::host::unit_name(name);
    let output = host.query(&CommandLine::new(["systemctl", "is-enabled", &full]).env("LC_ALL", "C"))?;
    let enabled = output.text().trim().to_owned();
    let exists = !enabled.is_empty() && enabled != "not-found";
    Ok(Unit { name: full, exists, active: "inactive".into(), enabled, ..Unit::default() })
}

/// A unit whose file is there although the manager does not know it: a plan has just written it.
fn from_file(unit: Unit, host: &dyn Inspect) -> Unit {
    const PLACES: [&str; 4] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
    let full = crate::host::unit_name(&unit.name);
    let template = full.split_once('@').and_then(|(stem, rest)| Some(format!("{stem}@.{}", rest.rsplit_once('.')?.1)));
    let names: Vec<String> = [Some(full.clone()), template].into_iter().flatten().collect();
    let file = PLACES
        .iter()
        .flat_map(|place| names.iter().map(move |name| Path::new(place).join(name)))
        .find(|path| host.stat(path).is_ok_and(|stat| stat.is_some()));
    let script = PathBuf::from("/etc/init.d").join(plain(&full));
    let Some(file) = file.or_else(|| host.stat(&script).ok().flatten().map(|_| script)) else { return unit };
    let text = host.read(&file, 4 << 20).unwrap_or_default();
    let installable =
        !file.starts_with("/etc/init.d") && String::from_utf8_lossy(&text).lines().any(|line| line.trim() == "[Install]");
    let enabled = if installable || file.starts_with("/etc/init.d") { "disabled" } else { "static" };
    let properties = [
        ("Id", full.as_str()),
        ("LoadState", "loaded"),
        ("ActiveState", "inactive"),
        ("UnitFileState", enabled),
        ("FragmentPath", &file.display().to_string()),
    ];
    Unit {
        name: full.clone(),
        exists: true,
        active: "inactive".into(),
        enabled: enabled.into(),
        properties: properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        needs_reload: false,
    }
}

/// Whether an init script has a start link in a runlevel.
fn linked_for_boot(name: &str, host: &dyn Inspect) -> bool {
    ["/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d", "/etc/rcS.d"].iter().any(|directory| {
        host.list(Path::new(directory))
            .unwrap_or_default()
            .iter()
            .any(|link| link.starts_with('S') && link.get(3..).is_some_and(|rest| rest == name))
    })
}

/// Decides.
pub(super) fn want(wish: &Wish, now: &State) -> Result<State, Failure> {
    if wish.name.is_none() && (wish.state.is_some() || wish.enabled.is_some() || wish.masked.is_some()) {
        return Err(Failure::new("`name` is needed to change the state of a unit"));
    }
    if wish.state.is_some() && wish.systemd && now.manager != ServiceManager::Systemd {
        return Err(Failure::new("systemd does not run this host, so no unit can be started or stopped"));
    }
    let running = wish.state.map(|state| state != Activity::Stopped);
    Ok(State { running, enabled: wish.enabled, masked: wish.masked, ..now.clone() })
}

/// A restart or reload of what runs; what does not run is started, which the comparison sees.
pub(super) fn runs(wish: &Wish, now: &State) -> Vec<Change> {
    let (Some(unit), Some(activity @ (Activity::Restarted | Activity::Reloaded)), Some(true)) =
        (&now.unit, wish.state, now.running)
    else {
        return Vec::new();
    };
    let difference = Difference { property: "state".into(), before: "started".into(), after: activity.word().into(), diff: None };
    vec![Change { resource: ResourceId::new("service", plain(&unit.name)), action: Action::Run, differences: vec![difference] }]
}

/// Carries it out: unmask, enable, then start, stop, restart or reload; mask last.
pub(super) fn write(wish: &Wish, step: &resource::Step<'_, State>, host: &mut dyn Host) -> Result<resource::Written, Failure> {
    let Some(unit) = &step.now.unit else { return Ok(resource::Written::quiet()) };
    let mut tool = Tool { wish, unit: unit.clone(), systemd: wish.systemd || step.now.manager == ServiceManager::Systemd };
    let restart = step.changes.iter().any(|change| change.action == Action::Run);
    let mut written = resource::Written::quiet();
    if step.differs("masked") {
        tool.mask(wish.masked == Some(true), host)?;
    }
    if let Some(enabled) = wish.enabled.filter(|_| step.differs("enabled")) {
        tool.enable(enabled, host)?;
    }
    if restart || step.differs("state") {
        if unit.needs_reload && host.acts() {
            let again = host.unit(&unit.name)?;
            if again.needs_reload {
                written
                    .warnings
                    .push(format!("the file of {} changed since systemd read it; `daemon_reload` is missing", unit.name));
            }
        }
        let verb = match wish.state {
            Some(Activity::Stopped) => "stop",
            Some(Activity::Restarted) if restart => "restart",
            Some(Activity::Reloaded) if restart => "reload",
            _ => "start",
        };
        tool.act(verb, host)?;
    }
    Ok(written)
}

/// What changes a unit.
struct Tool<'a> {
    wish: &'a Wish,
    unit: Unit,
    systemd: bool,
}

impl Tool<'_> {
    fn systemctl(&self, words: &[&str]) -> CommandLine {
        let mut argv = vec!["systemctl".to_owned()];
        if self.wish.scope != Scope::System {
            argv.push(format!("--{}", self.wish.scope.word()));
        }
        if self.wish.no_block {
            argv.push("--no-block".into());
        }
        if self.wish.force {
            argv.push("--force".into());
        }
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        argv.push(self.wish.name.clone().unwrap_or_else(|| self.unit.name.clone()));
        CommandLine::new(argv)
    }

    fn run(&self, doing: &str, line: &CommandLine, host: &mut dyn Host) -> Result<(), Failure> {
        let name = self.wish.name.as_deref().unwrap_or(&self.unit.name);
        succeed(host, line, &[Effect::Unit(self.unit.clone())]).map(|_| ()).map_err(|failure| {
            let said = failure.result.get("stderr").and_then(Value::as_str).unwrap_or(&failure.message).trim_end().to_owned();
            Failure { message: format!("Unable to {doing} service {name}: {said}"), ..failure }
        })
    }

    fn mask(&mut self, mask: bool, host: &mut dyn Host) -> Result<(), Failure> {
        if !self.systemd {
            return Err(Failure::new("only systemd can mask a unit"));
        }
        // A mask is a link in this place; systemd replaces links there, but no files.
        let own = Path::new("/etc/systemd/system").join(crate::host::unit_name(&self.unit.name));
        if mask
            && self.wish.scope == Scope::System
            && host.stat(&own)?.is_some_and(|stat| stat.kind != crate::host::FileKind::Link)
        {
            let message = format!("Unable to mask service {}: `{}` is a file, not a link", self.unit.name, own.display());
            return Err(Failure::new(message));
        }
        self.unit.enabled = if mask { "masked" } else { "disabled" }.into();
        self.unit.properties.insert("LoadState".into(), if mask { "masked" } else { "loaded" }.into());
        let verb = if mask { "mask" } else { "unmask" };
        let line = self.systemctl(&[verb]);
        self.run(verb, &line, host)
    }

    fn enable(&mut self, enable: bool, host: &mut dyn Host) -> Result<(), Failure> {
        let word = if enable { "enabled" } else { "disabled" };
        self.unit.enabled = word.into();
        self.unit.properties.insert("UnitFileState".into(), word.into());
        let verb = if enable { "enable" } else { "disable" };
        if self.systemd {
            let line = self.systemctl(&[verb]);
            return self.run(verb, &line, host);
        }
        let name = plain(&self.unit.name).to_owned();
        if enable {
            self.run(verb, &CommandLine::new(["update-rc.d", &name, "defaults"]), host)?;
        }
        self.run(verb, &CommandLine::new(["update-rc.d", &name, verb]), host)
    }

    fn act(&mut self, verb: &str, host: &mut dyn Host) -> Result<(), Failure> {
        let active = if verb == "stop" { "inactive" } else { "active" };
        self.unit.active = active.into();
        self.unit.properties.insert("ActiveState".into(), active.into());
        if self.systemd {
            let line = self.systemctl(&[verb]);
            self.run(verb, &line, host)?;
        } else {
            match self.wish.sleep.filter(|_| verb == "restart") {
                None => self.init_script(verb, host)?,
                Some(seconds) => {
                    self.init_script("stop", host)?;
                    if host.acts() {
                        host.pause(std::time::Duration::from_secs(seconds));
                    }
                    self.init_script("start", host)?;
                }
            }
        }
        if verb != "stop" && self.wish.scope == Scope::System && !self.wish.no_block {
            let after = host.unit(&self.unit.name)?;
            if after.active == "failed" {
                let why = after.properties.get("Result").map_or("unknown", String::as_str);
                let hint = format!("`journalctl -u {}` on the host says more", self.unit.name);
                return Err(Failure::new(format!(
                    "service {} failed right after {verb} (result: {why}); {hint}",
                    self.unit.name
                )));
            }
        }
        Ok(())
    }

    fn init_script(&self, verb: &str, host: &mut dyn Host) -> Result<(), Failure> {
        let mut argv = vec!["service".to_owned(), plain(&self.unit.name).to_owned(), verb.to_owned()];
        argv.extend(self.wish.arguments.split_whitespace().map(str::to_owned));
        self.run(verb, &CommandLine::new(argv), host)
    }
}

/// A service that was started, did its work and ended well is as it should be.
pub(super) fn settled(wish: &Wish, after: &State) -> bool {
    let Some(unit) = &after.unit else { return true };
    let rest_is_fine = wish.enabled.is_none_or(|wanted| after.enabled == Some(wanted))
        && wish.masked.is_none_or(|wanted| after.masked == Some(wanted));
    let ended_well = unit.active == "inactive" && unit.properties.get("Result").is_none_or(|result| result == "success");
    rest_is_fine && (wish.no_block || (wish.state != Some(Activity::Stopped) && ended_well))
}

/// The result fields.
pub(super) fn result(wish: &Wish, before: &State, after: &State) -> Map<String, Value> {
    let mut result = Map::new();
    let Some(unit) = &before.unit else { return Map::from_iter([("name".into(), Value::Null), ("status".into(), json!({}))]) };
    result.insert("name".into(), json!(wish.name));
    result.insert("status".into(), json!(unit.properties));
    if let Some(enabled) = wish.enabled {
        result.insert("enabled".into(), after.enabled.unwrap_or(enabled).into());
    }
    if let Some(state) = wish.state {
        result.insert("state".into(), if state == Activity::Stopped { "stopped" } else { "started" }.into());
    }
    result
}

/// What a task about this unit touches.
pub(super) fn claims(wish: &Wish) -> Claims {
    let Some(name) = &wish.name else { return Claims::everything() };
    let name = plain(name);
    let full = crate::host::unit_name(name);
    let places = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];
    let mut needs: Vec<ResourceId> = places.iter().map(|place| ResourceId::new("file", format!("{place}/{full}"))).collect();
    needs.push(ResourceId::new("package", name));
    Claims::provides([ResourceId::new("service", name)]).needing(needs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::host::{Attributes, FileWrite, Package};
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut dyn Host) -> Outcome {
        let module = crate::registry::find("systemd").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn a_restart_is_a_change_every_time_and_a_start_if_it_does_not_run() {
        let mut host = MemoryHost::default();
        host.add_unit("app.service", "inactive", "disabled");
        let wish = json!({"name": "app", "state": "restarted"});
        assert_eq!(run(wish.clone(), &mut host).changes[0].action, Action::Update);
        assert_eq!(run(wish.clone(), &mut host).changes[0].action, Action::Run);
        assert_eq!(run(wish, &mut host).ending, Ending::Changed);
        let verbs: Vec<&str> = host.ran.iter().map(|line| line.argv[1].as_str()).collect();
        assert_eq!(verbs, ["start", "restart", "restart"]);
    }

    #[test]
    fn what_is_enabled_until_the_next_boot_only_is_enabled_for_good() {
        let mut host = MemoryHost::default();
        host.add_unit("db@main.service", "active", "enabled-runtime");
        assert_eq!(run(json!({"name": "db@main", "enabled": true}), &mut host).ending, Ending::Changed);
        assert_eq!(run(json!({"name": "db@main", "enabled": true}), &mut host).ending, Ending::Ok);
    }

    #[test]
    fn a_plan_knows_units_that_earlier_tasks_would_bring() {
        let mut host = MemoryHost::default();
        host.add_directory("/etc/systemd/system");
        let mut plan = Overlay::new(host);
        let wish = json!({"name": "app", "state": "started", "enabled": true});
        assert_eq!(run(wish.clone(), &mut plan).ending, Ending::Failed);
        let content = b"[Service]\nExecStart=/bin/app\n[Install]\nWantedBy=multi-user.target\n";
        let path = Path::new("/etc/systemd/system/app.service");
        plan.write(&FileWrite { path, content, attributes: Attributes::default(), validate: None }).unwrap();
        let planned = run(wish.clone(), &mut plan);
        let named: Vec<&str> = planned.changes[0].differences.iter().map(|difference| difference.property.as_str()).collect();
        assert_eq!(named, ["enabled", "state"]);
        assert_eq!(run(wish, &mut plan).ending, Ending::Ok);
        let package = Package { name: "other".into(), planned: true, ..Package::default() };
        plan.act(&CommandLine::default(), &[Effect::Package(package)]).unwrap();
        assert_eq!(run(json!({"name": "other", "state": "restarted"}), &mut plan).ending, Ending::Changed);
        let path = Path::new("/etc/systemd/system/third.service");
        plan.write(&FileWrite { path, content, attributes: Attributes::default(), validate: None }).unwrap();
        let wish = json!({"name": "third", "state": "started", "enabled": true});
        assert_eq!(run(wish.clone(), &mut plan).ending, Ending::Changed);
        assert_eq!(run(wish, &mut plan).ending, Ending::Ok);
    }

    #[test]
    fn a_missing_service_is_named() {
        let outcome = run(json!({"name": "nosuch", "state": "started"}), &mut MemoryHost::default());
        assert_eq!(outcome.result["msg"], "Could not find the requested service nosuch: host");
    }

    #[test]
    fn a_file_is_in_the_way_of_a_mask_in_a_plan_too() {
        let host = |file: bool| {
            let mut host = MemoryHost::default();
            host.add_unit("app.service", "inactive", "disabled");
            if file {
                host.add_file("/etc/systemd/system/app.service", "[Unit]\n");
            }
            Overlay::new(host)
        };
        let wish = json!({"name": "app", "masked": true});
        assert_eq!(run(wish.clone(), &mut host(false)).ending, Ending::Changed);
        let outcome = run(wish, &mut host(true));
        assert!(outcome.result["msg"].as_str().unwrap().ends_with("is a file, not a link"), "{:?}", outcome.result);
    }
}
