//! `modprobe`: modules of the kernel, now and at boot.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::text_file::TextFile;
use super::tool::{Tool, plain_word};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// Whether a module is loaded at boot.
    pub enum Persistent {
        /// Left alone.
        Disabled = "disabled",
        /// Its lines are commented out.
        Absent = "absent",
        /// It is, with its parameters.
        Present = "present",
    }
}

args! {
    /// Loads and unloads modules of the kernel, and lets them be loaded at boot.
    pub struct Args {
        /// Name of the module.
        name: String,
        /// Whether it is loaded.
        state: Presence = Presence::Present,
        /// Parameters, separated by blanks.
        params: String = String::new(),
        /// Whether `/etc/modules-load.d` and `/etc/modprobe.d` name it.
        persistent: Persistent = Persistent::Disabled,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Loaded
  modprobe:
    name: 8021q
- name: Loaded, with a parameter, now and at every boot
  modprobe:
    name: dummy
    params: numdummies=2
    persistent: present
- name: Not loaded
  modprobe:
    name: pcspkr
    state: absent
    persistent: absent
";

const MODPROBE: Tool = Tool::new("modprobe", "kmod");
const LOADED_AT_BOOT: &str = "/etc/modules-load.d";
const PARAMETERS: &str = "/etc/modprobe.d";

/// The module.
pub struct Modprobe;

/// Whether it is loaded, and the files that name it.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    loaded: bool,
    files: Vec<TextFile>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = ResourceId::new("kernel module", &self.name);
        let module = if self.loaded { ResourceState::present(id) } else { ResourceState::absent(id) };
        std::iter::once(module).chain(self.files.iter().map(TextFile::resource)).collect()
    }
}

/// Hyphens and underscores are the same to the kernel.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn is_loaded(name: &str, host: &dyn Inspect) -> Result<bool, Failure> {
    match host.thing(&ResourceId::new("kernel module", name)) {
        Some(Thing::Gone) => return Ok(false),
        Some(Thing::There(_)) => return Ok(true),
        None => {}
    }
    let text = |path: &Path| host.read(path, 16 << 20).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let list = text(Path::new("/proc/modules")).unwrap_or_default();
    if list.lines().any(|line| line.split(' ').next() == Some(&plain(name))) {
        return Ok(true);
    }
    // What is built in cannot be loaded, and does not have to be.
    let release = text(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default();
    let builtin = Path::new("/lib/modules").join(release.trim()).join("modules.builtin");
    let file = format!("{}.ko", plain(name));
    Ok(text(&builtin).unwrap_or_default().lines().any(|line| line.rsplit('/').next().is_some_and(|last| plain(last) == file)))
}

/// Whether a line of `/etc/modules-load.d` names the module.
fn loads(line: &str, name: &str) -> bool {
    line.split(['#', ';']).next().is_some_and(|word| plain(word.trim()) == plain(name))
}

/// The parameters that a line of `/etc/modprobe.d` gives to the module.
fn parameters<'a>(line: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let mut words = line.split('#').next()?.split_whitespace();
    (words.next()? == "options" && plain(words.next()?) == plain(name)).then(|| words.collect())
}

/// The file's lines, those that are meant commented out.
fn commented(file: &TextFile, meant: impl Fn(&str) -> bool) -> TextFile {
    let text = file.lines().fold(String::new(), |all, line| all + if meant(line) { "#" } else { "" } + line + "\n");
    if file.lines().any(meant) { file.with(text) } else { file.clone() }
}

/// The files of both directories, and the ones of this module where they would be.
fn files(args: &Args, host: &dyn Inspect) -> Result<Vec<TextFile>, Failure> {
    let mut files = Vec::new();
    for directory in [LOADED_AT_BOOT, PARAMETERS] {
        let mut names = host.list(Path::new(directory)).unwrap_or_default();
        names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "conf"));
        let own = format!("{}.conf", args.name);
        if !names.contains(&own) {
            names.push(own);
        }
        for name in names {
            files.push(TextFile::read(&PathBuf::from(directory).join(name), host)?);
        }
    }
    Ok(files)
}

fn persist(args: &Args, files: &[TextFile]) -> Vec<TextFile> {
    let name = &args.name;
    let of = |directory: &'static str| files.iter().filter(move |file| file.path.starts_with(directory));
    let named = of(LOADED_AT_BOOT).any(|file| file.lines().any(|line| loads(line, name)));
    let given: Vec<&str> = of(PARAMETERS).flat_map(TextFile::lines).filter_map(|line| parameters(line, name)).flatten().collect();
    let wanted: Vec<&str> = args.params.split_whitespace().collect();
    let same = given.len() == wanted.len() && wanted.iter().all(|word| given.contains(word));
    let own = format!("{name}.conf");
    files
        .iter()
        .map(|file| {
            let is_own = file.path.file_name().is_some_and(|name| *name == *own);
            let loading = file.path.starts_with(LOADED_AT_BOOT);
            match args.persistent {
                Persistent::Disabled => file.clone(),
                Persistent::Absent if loading => commented(file, |line| loads(line, name)),
                Persistent::Absent => commented(file, |line| parameters(line, name).is_some()),
                Persistent::Present if loading && is_own && !named => file.with(format!("{name}\n")),
                Persistent::Present if !loading && is_own && !same && !wanted.is_empty() => {
                    file.with(format!("options {name} {}\n", wanted.join(" ")))
                }
                Persistent::Present if !loading && !same => commented(file, |line| parameters(line, name).is_some()),
                Persistent::Present => file.clone(),
            }
        })
        .collect()
}

impl Resource for Modprobe {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("name", &args.name)?;
        if args.name.contains(['/', ' ']) {
            return Err(Failure::new(format!("`{}` cannot be the name of a kernel module", args.name)));
        }
        let files = if args.persistent == Persistent::Disabled { Vec::new() } else { files(args, host)? };
        Ok(State { name: args.name.clone(), loaded: is_loaded(&args.name, host)?, files })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { loaded: args.state == Presence::Present, files: persist(args, &now.files), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if step.now.loaded != step.want.loaded {
            let id = ResourceId::new("kernel module", &args.name);
            if step.want.loaded {
                let words = std::iter::once(args.name.as_str()).chain(args.params.split_whitespace());
                MODPROBE.act(words, &[Effect::Thing(id, Thing::There(String::new()))], host)?;
            } else {
                MODPROBE.act(["-r", &args.name], &[Effect::Thing(id, Thing::Gone)], host)?;
            }
        }
        for (now, want) in step.now.files.iter().zip(&step.want.files).filter(|(now, want)| now != want) {
            let new = now.text.is_none();
            want.write(Attributes { mode: new.then_some(0o644), ..Attributes::default() }, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let fields = [("name", args.name.as_str()), ("params", &args.params), ("state", args.state.word())];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
    }

    fn claims(args: &Args) -> Claims {
        let mut provides = vec![ResourceId::new("kernel module", &args.name)];
        if args.persistent != Persistent::Disabled {
            let files = [LOADED_AT_BOOT, PARAMETERS].map(|place| ResourceId::new("file", format!("{place}/{}.conf", args.name)));
            provides.extend(files);
        }
        let needs = [LOADED_AT_BOOT, PARAMETERS].map(|place| ResourceId::new("file", place));
        Claims::provides(provides).needing(needs).needing([ResourceId::new("package", "kmod")])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut dyn Host) -> Outcome {
        let module = crate::registry::find("modprobe").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn what_other_files_say_is_respected_and_taken_back() {
        let mut host = MemoryHost::default();
        host.add_file("/proc/modules", "br_netfilter 1 0 - Live 0x0\n");
        host.add_file("/etc/modules-load.d/k8s.conf", "overlay\nbr_netfilter # bridges\n");
        host.add_file("/etc/modprobe.d/local.conf", "options br_netfilter a=1 b=2\nblacklist pcspkr\n");
        let present = json!({"name": "br-netfilter", "params": "b=2 a=1", "persistent": "present"});
        assert_eq!(run(present, &mut host).ending, Ending::Ok);
        let other = json!({"name": "br_netfilter", "params": "a=3", "persistent": "present"});
        assert_eq!(run(other, &mut host).ending, Ending::Changed);
        assert_eq!(host.text("/etc/modprobe.d/local.conf").unwrap(), "#options br_netfilter a=1 b=2\nblacklist pcspkr\n");
        assert_eq!(host.text("/etc/modprobe.d/br_netfilter.conf").unwrap(), "options br_netfilter a=3\n");
        let absent = json!({"name": "br_netfilter", "state": "absent", "persistent": "absent"});
        assert_eq!(run(absent, &mut host).ending, Ending::Changed);
        assert_eq!(host.text("/etc/modules-load.d/k8s.conf").unwrap(), "overlay\n#br_netfilter # bridges\n");
        assert_eq!(host.ran.len(), 1);
    }

    #[test]
    fn a_builtin_module_is_loaded() {
        let mut host = MemoryHost::default();
        host.add_file("/proc/sys/kernel/osrelease", "6.1.0\n");
        host.add_file("/lib/modules/6.1.0/modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/net/8021q/foo-bar.ko\n");
        assert_eq!(run(json!({"name": "foo_bar"}), &mut host).ending, Ending::Ok);
        assert_eq!(run(json!({"name": "-r"}), &mut host).ending, Ending::Failed);
    }
}
