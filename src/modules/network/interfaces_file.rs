//! `interfaces_file`: one option of an interface in `/etc/network/interfaces`.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::interfaces::{Wish, edit, interfaces};
use crate::accounts::group::Presence;
use crate::claims::Claims;
use crate::files::attributes::file_args;
use crate::files::edit::{self as edited, Edited, Missing};
use crate::files::state;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

file_args! {
    /// Manages one option of an interface in a file of `ifupdown`, and tells what is in the file. The
    /// interface must be in it.
    pub struct Args {
        /// The file.
        dest: PathBuf = "/etc/network/interfaces".into(),
        /// The interface. Missing: the file is only read.
        iface: Option<String>,
        /// Of several with this name the one of this family (`inet`, `inet6`).
        address_family: Option<String>,
        /// The option; `method` is the last word of the interface's first line.
        option: Option<String>,
        /// Its value. `up`, `pre-up`, `post-up` and `down` may have several; to be absent, only this one is removed.
        value: Option<String>,
        /// Whether the old file is kept beside it with a time stamp.
        backup: bool = false,
        /// Whether the option is there.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Larger packets
  interfaces_file:
    iface: eth0
    option: mtu
    value: '9000'
- name: No such command
  interfaces_file:
    iface: eth0
    option: up
    value: route add a
    state: absent
";

/// The module.
pub struct InterfacesFile;

fn text(edited: &Edited) -> Result<&str, Failure> {
    std::str::from_utf8(&edited.text).map_err(|_| Failure::at("manage lines of", &edited.file.path, "it is not UTF-8 text"))
}

impl Resource for InterfacesFile {
    type Args = Args;
    type State = Edited;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Edited, Failure> {
        let read = edited::read(&args.dest, args.wanted_attributes(), Missing::Leave, host)?;
        if read.file.kind.is_none() {
            return Err(Failure::new(format!("cannot read `{}`: there is no such file", read.shown)));
        }
        Ok(read)
    }

    fn want(args: &Args, now: &Edited) -> Result<Edited, Failure> {
        let old = text(now)?;
        let Some(option) = args.option.as_deref() else { return Ok(edited::want(now, now.text.clone(), "")) };
        let Some(iface) = args.iface.as_deref() else {
            return Err(Failure::new("Error: iface is required if option is defined"));
        };
        let present = args.state == Presence::Present;
        if present && args.value.is_none() {
            return Err(Failure::new("Value must be set if option is defined and state is 'present'"));
        }
        let words = [Some(option), args.value.as_deref()];
        if option.is_empty() || option.contains(char::is_whitespace) || words.iter().flatten().any(|word| word.contains('\n')) {
            return Err(Failure::new("option must be one word, and the value one line"));
        }
        let wish = Wish { iface, family: args.address_family.as_deref(), option, value: args.value.as_deref(), present };
        let new = edit(old, &wish).map_err(Failure::new)?;
        Ok(edited::want(now, new.into_bytes(), "option changed"))
    }

    fn write(args: &Args, step: &Step<'_, Edited>, host: &mut dyn Host) -> Result<Written, Failure> {
        edited::write(step.now, step.want, None, args.backup, "backup_file", host)
    }

    fn result(_: &Args, _: &Edited, after: &Edited) -> Map<String, Value> {
        let mut result = after.file.result();
        result.insert("dest".into(), after.shown.as_str().into());
        result.insert("ifaces".into(), text(after).map(interfaces).unwrap_or_default().into());
        result
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.dest, args.owner.as_deref(), args.group.as_deref())
    }
}
