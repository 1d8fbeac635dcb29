//! `selinux`: whether SELinux is in use, now and after the next boot.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::policy::{ENFORCE, is_enabled};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::text_file::TextFile;
use crate::system::tool::{Tool, plain_word};
use crate::{args, choice};

choice! {
    /// How SELinux is in use.
    pub enum Mode {
        /// Not at all.
        Disabled = "disabled",
        /// What is against the policy is denied.
        Enforcing = "enforcing",
        /// What is against the policy is logged.
        Permissive = "permissive",
    }
}

args! {
    /// Sets the mode and the policy of SELinux, in its configuration and in the running kernel. What
    /// needs a reboot is said (`reboot_required`), not done.
    pub struct Args {
        /// Name of the policy (`targeted`); may be left out only to disable it.
        policy: Option<String>,
        /// The mode.
        state: Mode,
        /// Whether the kernel's boot parameters say so, too (with `grubby`).
        update_kernel_param: bool = false,
        /// The configuration file.
        configfile ("conf", "file"): PathBuf = "/etc/selinux/config".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Only log
  selinux:
    policy: targeted
    state: permissive
- name: Off, by the kernel's parameters, too
  selinux:
    state: disabled
    update_kernel_param: true
";

const SETENFORCE: Tool = Tool::new("setenforce", "libselinux-utils");
const GRUBBY: Tool = Tool::new("grubby", "grubby");

/// Kernels are told nothing, so SELinux is in use.
const ENABLED: &str = "enabled";
/// All kernels are told to leave it off.
const DISABLED: &str = "disabled";

/// The module.
pub struct Selinux;

/// The configuration, the running kernel's mode, and whether kernels are told at boot to use it.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    live: Option<Mode>,
    /// In words; `None` where it is not managed.
    boot: Option<&'static str>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let mut list = vec![self.file.resource()];
        if let Some(live) = self.live {
            list.push(ResourceState::present(ResourceId::new("selinux", "mode")).with("state", live.word()));
        }
        if let Some(boot) = self.boot {
            list.push(ResourceState::present(boot_id()).with("boot", boot));
        }
        list
    }
}

fn boot_id() -> ResourceId {
    ResourceId::new("selinux", "kernel parameters")
}

/// The value of a setting of the configuration.
fn setting<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::trim))
}

/// The configuration with the setting.
fn set(text: &str, name: &str, value: &str) -> String {
    if setting(text, name) == Some(value) {
        return text.to_owned();
    }
    let is = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    let new = format!("{name}={value}");
    let mut lines: Vec<&str> = text.lines().map(|line| if is(line) { new.as_str() } else { line }).collect();
    if !lines.contains(&new.as_str()) {
        lines.push(&new);
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

/// What `grubby` says of all kernels: whether they are told to leave SELinux off.
fn boot_word(info: &str) -> &'static str {
    let off: Vec<bool> = info
        .lines()
        .filter_map(|line| line.trim().strip_prefix("args="))
        .map(|args| args.trim_matches('"').split_whitespace().any(|word| word == "selinux=0"))
        .collect();
    match (off.contains(&true), off.contains(&false)) {
        (true, true) => "differs by kernel",
        (true, false) => DISABLED,
        (false, _) => ENABLED,
    }
}

/// What a restart is needed for.
fn waits(args: &Args, live: Option<Mode>) -> bool {
    (live.is_none() && args.state != Mode::Disabled) || (live.is_some() && args.state == Mode::Disabled)
}

impl Resource for Selinux {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let file = TextFile::read(&args.configfile, host)?;
        if file.text.is_none() {
            return Err(Failure::new(format!(
                "Unable to find file {}; the package `selinux-policy` (on Debian `selinux-basics`) brings it",
                args.configfile.display()
            )));
        }
        let live = if is_enabled(host) {
            let enforces = host.read(Path::new(ENFORCE), 64)?.starts_with(b"1");
            Some(if enforces { Mode::Enforcing } else { Mode::Permissive })
        } else {
            None
        };
        let boot = match host.thing(&boot_id()).filter(|_| args.update_kernel_param) {
            Some(thing) => Some(if thing == Thing::There(ENABLED.into()) { ENABLED } else { DISABLED }),
            None if !args.update_kernel_param => None,
            None => {
                let info = GRUBBY.answer(["--info=ALL"], host)?;
                Some(boot_word(&info.ok_or_else(|| Failure::unknown("`grubby` is not installed yet"))?))
            }
        };
        Ok(State { file, live, boot })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut text = now.file.text.clone().unwrap_or_default();
        match &args.policy {
            None if args.state != Mode::Disabled => {
                return Err(Failure::new("Policy is required if state is not 'disabled'"));
            }
            None => {}
            Some(policy) => {
                plain_word("policy", policy)?;
                text = set(&text, "SELINUXTYPE", policy);
            }
        }
        let live = now.live.map(|_| if args.state == Mode::Disabled { Mode::Permissive } else { args.state });
        let boot = now.boot.map(|_| if args.state == Mode::Disabled { DISABLED } else { ENABLED });
        Ok(State { file: now.file.with(set(&text, "SELINUX", args.state.word())), live, boot })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = Written::quiet();
        if let Some(live) = step.want.live.filter(|_| step.differs("state")) {
            let word = if live == Mode::Enforcing { "1" } else { "0" };
            SETENFORCE.act([word], &[Effect::File(ENFORCE.into(), word.into(), 0o644)], host)?;
            if args.state == Mode::Disabled {
                written.warnings.push("SELinux only logs until the next boot, then it is off".into());
            }
        }
        if step.differs("content") {
            step.want.file.write(Attributes::default(), host)?;
        }
        if let Some(word) = step.want.boot.filter(|_| step.differs("boot")) {
            let option = if word == ENABLED { "--remove-args" } else { "--args" };
            let effect = Effect::Thing(boot_id(), Thing::There(word.into()));
            GRUBBY.act(["--update-kernel=ALL", option, "selinux=0"], &[effect], host)?;
        }
        if step.now.live.is_none() && args.state != Mode::Disabled {
            written.warnings.push(format!("Reboot is required to set SELinux state to '{}'", args.state.word()));
        }
        Ok(written)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let (old, new) = (before.file.text.as_deref().unwrap_or_default(), after.file.text.as_deref().unwrap_or_default());
        let mut said = Vec::new();
        let (was, is) = (setting(old, "SELINUXTYPE"), setting(new, "SELINUXTYPE"));
        if was != is {
            let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
            said.push(format!("SELinux policy configuration in '{}' changed from '{was}' to '{is}'", args.configfile.display()));
        }
        if let (Some(was), Some(is)) = (before.live, after.live)
            && was != is
        {
            said.push(format!("SELinux state changed from '{}' to '{}'", was.word(), is.word()));
        }
        let (was, now) = (setting(old, "SELINUX"), setting(new, "SELINUX"));
        if was != now {
            let (was, now) = (was.unwrap_or_default(), now.unwrap_or_default());
            said.push(format!("Config SELinux state changed from '{was}' to '{now}'"));
        }
        let fields = json!({
            "msg": said.join(", "),
            "configfile": args.configfile.display().to_string(),
            "policy": args.policy.as_deref().or(is),
            "state": args.state.word(),
            "reboot_required": waits(args, after.live),
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let file = ResourceId::new("file", args.configfile.display().to_string());
        let packages = ["selinux-policy", "selinux-policy-targeted", "grubby"];
        Claims::provides([file, ResourceId::new("selinux", "mode"), boot_id()])
            .needing(packages.map(|name| ResourceId::new("package", name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_replaced_in_place() {
        for (text, name, value, expected) in [
            (
                "# SELINUX= mode\nSELINUX=enforcing\nSELINUXTYPE=targeted\n",
                "SELINUX",
                "disabled",
                "# SELINUX= mode\nSELINUX=disabled\nSELINUXTYPE=targeted\n",
            ),
            ("SELINUX=enforcing \n", "SELINUX", "enforcing", "SELINUX=enforcing \n"),
            ("SELINUX=enforcing\n", "SELINUXTYPE", "mls", "SELINUX=enforcing\nSELINUXTYPE=mls\n"),
        ] {
            assert_eq!(set(text, name, value), expected);
        }
    }

    #[test]
    fn kernels_may_differ() {
        for (info, expected) in [
            ("index=0\nargs=\"ro quiet\"\n", ENABLED),
            ("args=\"ro selinux=0\"\nargs=\"selinux=0\"\n", DISABLED),
            ("args=\"ro selinux=0\"\nargs=\"ro\"\n", "differs by kernel"),
            ("args=\"ro xselinux=0\"\n", ENABLED),
        ] {
            assert_eq!(boot_word(info), expected, "{info}");
        }
    }
}
