//! `service`: services, whichever manager runs the host.

use serde_json::{Map, Value};

use super::manage::{self, Activity, Scope, State, Wish};
use crate::args;
use crate::change::Change;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

args! {
    /// Manages services through the manager that runs the host: systemd or init scripts.
    ///
    /// `restarted` and `reloaded` are a change every time; what does not run is started.
    pub struct Args {
        /// Name of the service.
        name: String,
        /// Whether it runs, or what is done to it.
        state: Option<Activity>,
        /// Whether it starts at boot.
        enabled: Option<bool>,
        /// Seconds between stop and start of a restart; init scripts only.
        sleep: Option<u64>,
        /// Words added to the command line; init scripts only.
        arguments ("args"): String = String::new(),
        /// Text that stands in the list of processes if it runs; no effect: the manager is asked.
        pattern: Option<String>,
        /// Runlevel; OpenRC only, no effect.
        runlevel: Option<String>,
        /// Which manager is used: `auto` or the one that runs the host.
        r#use: String = "auto".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: It runs
  service:
    name: nginx
    state: started
- name: It does not run
  service:
    name: cron
    state: stopped
- name: It is restarted
  service:
    name: ssh
    state: restarted
- name: It starts at boot
  service:
    name: nginx
    enabled: yes
";

/// The module.
pub struct Service;

fn wish(args: &Args) -> Wish {
    Wish {
        name: Some(args.name.clone()),
        state: args.state,
        enabled: args.enabled,
        masked: None,
        scope: Scope::System,
        no_block: false,
        force: false,
        arguments: args.arguments.clone(),
        sleep: args.sleep,
        systemd: false,
    }
}

impl Resource for Service {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.state.is_none() && args.enabled.is_none() {
            return Err(Failure::new("Neither 'state' nor 'enabled' set"));
        }
        let manager = format!("{:?}", host.service_manager()).to_lowercase();
        let known = ["auto", "service", &manager];
        if !known.contains(&args.r#use.as_str()) {
            return Err(Failure::new(format!("`use: {}`: this host is run by {manager}", args.r#use)));
        }
        manage::read(&wish(args), host)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        manage::want(&wish(args), now)
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        manage::runs(&wish(args), now)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        manage::write(&wish(args), step, host)
    }

    fn settled(args: &Args, after: &State) -> bool {
        manage::settled(&wish(args), after)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        manage::result(&wish(args), before, after)
    }

    fn claims(args: &Args) -> Claims {
        manage::claims(&wish(args))
    }
}
