//! `dpkg_selections`: what dpkg is told to do with a package.

use serde_json::{Map, Value};

use super::work;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What dpkg is told to do with a package.
    pub enum Selection {
        /// It is to be installed.
        Install = "install",
        /// It stays as it is.
        Hold = "hold",
        /// It is to be removed.
        Deinstall = "deinstall",
        /// It is to be removed with its configuration files.
        Purge = "purge",
    }
}

args! {
    /// Sets the selection of a package: held back from upgrades, or marked for removal. Nothing is
    /// installed or removed by it.
    pub struct Args {
        /// Name of the package.
        name: String,
        /// What dpkg is told to do with it.
        selection: Selection,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: No upgrades of a package
  dpkg_selections:
    name: cron
    selection: hold
";

/// The module.
pub struct DpkgSelections;

/// A package and its selection.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    selection: String,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![ResourceState::present(id(&self.name)).with("selection", self.selection.clone())]
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("package-selection", name)
}

/// `name<TAB>selection` lines: that of this package.
fn parse(text: &str, name: &str) -> Option<String> {
    let plain = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
    text.lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(found, _)| *found == name || plain(found) == name)
        .map(|(_, selection)| selection.trim().to_owned())
}

impl Resource for DpkgSelections {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let given = [args.name.clone()];
        let name = *work::names(&given)?.first().ok_or_else(|| Failure::new("name cannot be empty"))?;
        let here = |selection: String| Ok(State { name: name.to_owned(), selection });
        match host.thing(&id(name)) {
            Some(Thing::There(selection)) => return here(selection),
            Some(Thing::Gone) => {}
            None => {
                let line = CommandLine::new(["dpkg", "--get-selections", name]);
                if let Some(selection) = host.query(&line).ok().and_then(|output| parse(&output.text(), name)) {
                    return here(selection);
                }
            }
        }
        match host.package(name)? {
            Some(package) if package.held => here("hold".into()),
            Some(package) if package.config_only => here("deinstall".into()),
            Some(_) => here("install".into()),
            None => {
                let wanted = args.selection.word();
                Err(Failure::new(format!("Failed to find package '{name}' to perform selection '{wanted}'.")))
            }
        }
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { selection: args.selection.word().into(), ..now.clone() })
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let State { name, selection } = step.want;
        let line = CommandLine::new(["dpkg", "--set-selections"]).input(format!("{name} {selection}\n"));
        succeed(host, &line, &[Effect::Thing(id(name), Thing::There(selection.clone()))])?;
        Ok(Written::quiet())
    }

    fn result(_: &Args, before: &State, after: &State) -> Map<String, Value> {
        let fields = [("before", before), ("after", after)];
        fields.into_iter().map(|(name, state)| (name.to_owned(), state.selection.clone().into())).collect()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("package", &args.name), ResourceId::new("package-manager", "apt")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_with_and_without_architecture() {
        let text = "libc6:amd64\t\t\t\tinstall\nbash\t\t\t\thold\n";
        assert_eq!(parse(text, "bash").as_deref(), Some("hold"));
        assert_eq!(parse(text, "libc6").as_deref(), Some("install"));
        assert_eq!(parse(text, "libc6:amd64").as_deref(), Some("install"));
        assert_eq!(parse(text, "dash"), None);
    }
}
