//! `timezone`: the host's time zone.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::text_file::TextFile;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Sets the host's time zone.
    pub struct Args {
        /// Name of the zone, e.g. `Europe/Berlin`.
        name: String,
        /// Whether the hardware clock keeps UTC or local time; not supported.
        hwclock ("rtc"): Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Universal time
  timezone:
    name: Etc/UTC
";

const LINK: &str = "/etc/localtime";
const FILE: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";

/// The module.
pub struct Timezone;

/// The zone that the link names, and the one in Debian's file if there is one.
#[derive(Debug, Clone)]
pub struct State {
    zone: String,
    file: Option<String>,
    known: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let file = self.file.clone();
        vec![ResourceState::present(ResourceId::new("timezone", "timezone")).with("zone", self.zone.clone()).with("file", file)]
    }
}

impl Resource for Timezone {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let target = host.stat(Path::new(LINK))?.and_then(|stat| stat.target);
        let zone = target.and_then(|target| target.to_str()?.split("zoneinfo/").nth(1).map(str::to_owned)).unwrap_or_default();
        let file = TextFile::read(Path::new(FILE), host)?.text.map(|text| text.trim().to_owned());
        // A host without any zones gets them with a package that may be only planned.
        let zones = PathBuf::from(ZONES);
        let known = host.stat(&zones)?.is_none() || host.stat(&zones.join(&args.name))?.is_some();
        Ok(State { zone, file, known })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.hwclock.is_some() {
            return Err(Failure::new("`hwclock` is not supported; use `command: timedatectl set-local-rtc`"));
        }
        if !now.known || args.name.starts_with('/') || args.name.contains("..") {
            return Err(Failure::new(format!("the host knows no time zone `{}` (see {ZONES})", args.name)));
        }
        Ok(State { zone: args.name.clone(), file: now.file.as_ref().map(|_| args.name.clone()), known: true })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if step.differs("zone") {
            host.symlink(&Path::new(ZONES).join(&args.name), Path::new(LINK))?;
        }
        if step.differs("file") {
            let file = TextFile { path: FILE.into(), text: Some(format!("{}\n", args.name)) };
            file.write(Attributes::default(), host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        Map::from_iter([("name".to_owned(), args.name.clone().into())])
    }

    fn claims(_: &Args) -> Claims {
        Claims::provides([ResourceId::new("timezone", "timezone"), ResourceId::new("file", LINK), ResourceId::new("file", FILE)])
    }
}
