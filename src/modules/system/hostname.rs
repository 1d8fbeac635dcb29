//! `hostname`: the host's own name.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::text_file::TextFile;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{Attributes, CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Sets the host's name, now and for the next boot.
    pub struct Args {
        /// The name.
        name: String,
        /// How it is set; every Linux is handled the same way, so this has no effect.
        r#use: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A name
  hostname:
    name: web01
";

const FILE: &str = "/etc/hostname";
const KERNEL: &str = "/proc/sys/kernel/hostname";

/// The module.
pub struct Hostname;

/// The name in the file and the one that the kernel has.
#[derive(Debug, Clone)]
pub struct State {
    file: String,
    running: String,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![
            ResourceState::present(ResourceId::new("hostname", "hostname"))
                .with("file", self.file.clone())
                .with("running", self.running.clone()),
        ]
    }
}

impl Resource for Hostname {
    type Args = Args;
    type State = State;

    fn read(_: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let name = |path: &str| {
            let text = TextFile::read(Path::new(path), host)?.text.unwrap_or_default();
            Ok::<_, Failure>(
                text.lines()
                    .map(str::trim)
                    .find(|line| !line.is_empty() && !line.starts_with('#'))
                    .unwrap_or_default()
                    .to_owned(),
            )
        };
        Ok(State { file: name(FILE)?, running: name(KERNEL)? })
    }

    fn want(args: &Args, _: &State) -> Result<State, Failure> {
        let name = &args.name;
        if name.is_empty() || name.len() > 64 || !name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c)) {
            return Err(Failure::new(format!(
                "`{name}` cannot be the name of a host (letters, digits, dots, hyphens; at most 64)"
            )));
        }
        Ok(State { file: name.clone(), running: name.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if step.differs("file") {
            let file = TextFile { path: FILE.into(), text: Some(format!("{}\n", args.name)) };
            file.write(Attributes { mode: Some(0o644), ..Attributes::default() }, host)?;
        }
        if step.differs("running") {
            let effect = Effect::File(KERNEL.into(), format!("{}\n", args.name).into_bytes(), 0o644);
            succeed(host, &CommandLine::new(["hostname", &args.name]), &[effect])?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let (short, domain) = args.name.split_once('.').unwrap_or((&args.name, ""));
        let facts = json!({
            "ansible_hostname": short, "ansible_nodename": args.name, "ansible_fqdn": args.name, "ansible_domain": domain,
        });
        Map::from_iter([("name".to_owned(), json!(args.name)), ("ansible_facts".to_owned(), facts)])
    }

    fn claims(_: &Args) -> Claims {
        Claims::provides([ResourceId::new("hostname", "hostname"), ResourceId::new("file", FILE)])
    }
}
