//! `systemd` (also `systemd_service`): units.

use serde_json::{Map, Value};

use super::manage::{self, Activity, Scope, State, Wish};
use crate::args;
use crate::change::Change;
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Prepared, Resource, Step, Written};

args! {
    /// Manages systemd units: whether they run, start at boot or are masked.
    ///
    /// `restarted` and `reloaded` are a change every time; what does not run is started.
    pub struct Args {
        /// Name of the unit; `.service` is added where no suffix stands.
        name ("service", "unit"): Option<String>,
        /// Whether it runs, or what is done to it.
        state: Option<Activity>,
        /// Whether it starts at boot.
        enabled: Option<bool>,
        /// Whether links that are in the way are replaced.
        force: bool = false,
        /// Whether it is masked, so that nothing can start it.
        masked: Option<bool>,
        /// Whether systemd reads its unit files again first; not counted as a change.
        daemon_reload ("daemon-reload"): bool = false,
        /// Whether systemd itself is executed anew first; not counted as a change.
        daemon_reexec ("daemon-reexec"): bool = false,
        /// Which systemd is meant: that of the host, of the user, or of all users.
        scope: Scope = Scope::System,
        /// Do not wait until it is done.
        no_block: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: It runs now and after the next boot
  systemd:
    name: nginx
    state: started
    enabled: true
- name: It does not run
  systemd:
    name: cron.service
    state: stopped
- name: Restart after new unit files were written
  systemd:
    state: restarted
    daemon_reload: true
    name: cron
- name: Nothing may start it
  systemd:
    name: nginx
    masked: true
- name: Only read the unit files
  systemd:
    daemon_reload: true
";

/// The module.
pub struct Systemd;

fn wish(args: &Args) -> Wish {
    Wish {
        name: args.name.clone(),
        state: args.state,
        enabled: args.enabled,
        masked: args.masked,
        scope: args.scope,
        no_block: args.no_block,
        force: args.force,
        arguments: String::new(),
        sleep: None,
        systemd: true,
    }
}

impl Resource for Systemd {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        for (asked, verb) in [(args.daemon_reload, "daemon-reload"), (args.daemon_reexec, "daemon-reexec")] {
            if asked {
                let mut argv = vec!["systemctl".to_owned()];
                if args.scope == Scope::User {
                    argv.push("--user".into());
                }
                argv.push(verb.into());
                succeed(host, &CommandLine::new(argv), &[])?;
            }
        }
        Ok(Prepared::default())
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
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
        if args.daemon_reload || args.daemon_reexec {
            return Claims::everything();
        }
        manage::claims(&wish(args))
    }
}
