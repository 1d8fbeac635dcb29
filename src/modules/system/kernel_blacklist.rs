//! `kernel_blacklist`: modules that the kernel does not load by itself.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::text_file::TextFile;
use super::tool::plain_word;
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Keeps the kernel from loading a module by itself, or lets it.
    pub struct Args {
        /// Name of the module.
        name: String,
        /// Whether the file says so.
        state: Presence = Presence::Present,
        /// The file.
        blacklist_file: PathBuf = "/etc/modprobe.d/blacklist-ansible.conf".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: No sound of the nineties
  kernel_blacklist:
    name: pcspkr
- name: Not any more
  kernel_blacklist:
    name: nouveau
    state: absent
    blacklist_file: /etc/modprobe.d/graphics.conf
";

/// The module.
pub struct KernelBlacklist;

/// The file.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource()]
    }
}

/// The file's text with the line, or without it.
fn edit(text: &str, name: &str, present: bool) -> String {
    let is = |line: &str| line.split_whitespace().eq(["blacklist", name]);
    let mut lines: Vec<String> = text.lines().filter(|line| present || !is(line)).map(str::to_owned).collect();
    if present && !lines.iter().any(|line| is(line)) {
        lines.push(format!("blacklist {name}"));
    }
    lines.iter().fold(String::new(), |text, line| text + line + "\n")
}

impl Resource for KernelBlacklist {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        Ok(State { file: TextFile::read(&args.blacklist_file, host)? })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        plain_word("name", &args.name)?;
        let present = args.state == Presence::Present;
        let text = now.file.text.as_deref().unwrap_or_default();
        let edited = edit(text, &args.name, present);
        // A file whose last line has no end is left where there is nothing to do.
        let same = edited.lines().eq(text.lines()) && (now.file.text.is_some() || !present);
        Ok(State { file: if same { now.file.clone() } else { now.file.with(edited) } })
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mode = step.now.file.text.is_none().then_some(0o644);
        step.want.file.write(Attributes { mode, ..Attributes::default() }, host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let fields = json!({"name": args.name, "state": args.state.word()});
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("file", args.blacklist_file.display().to_string())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_stands_once() {
        for (text, present, expected) in [
            ("", true, "blacklist nouveau\n"),
            ("# nouveau\nblacklist  nouveau\n", true, "# nouveau\nblacklist  nouveau\n"),
            ("blacklist nouveau_x\n", true, "blacklist nouveau_x\nblacklist nouveau\n"),
            ("blacklist nouveau\n# blacklist nouveau\nblacklist nouveau\n", false, "# blacklist nouveau\n"),
        ] {
            assert_eq!(edit(text, "nouveau", present), expected, "{text}");
        }
    }
}
