//! `sudoers`: rules of sudo, each in a file of its own.

use std::path::PathBuf;

use super::text_file::TextFile;
use super::tool::{Tool, exists};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, FileWrite, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// Whether `visudo` must accept the rule.
    pub enum Validation {
        /// It is not asked.
        Absent = "absent",
        /// If it is there.
        Detect = "detect",
        /// It must be there, and accept the rule.
        Required = "required",
    }
}

args! {
    /// Manages a rule of sudo in a file of `/etc/sudoers.d`, readable by root alone.
    pub struct Args {
        /// Name of the rule: that of its file.
        name: String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Who may.
        user: Option<String>,
        /// Members of which group may.
        group: Option<String>,
        /// What they may run; `ALL` for everything.
        commands: Option<Vec<String>>,
        /// On which host.
        host: String = "ALL".into(),
        /// As whom.
        runas: Option<String>,
        /// Whether no password is asked for.
        nopassword: bool = true,
        /// Whether the environment may be kept.
        setenv: bool = false,
        /// Whether the command is kept from running others.
        noexec: bool = false,
        /// Where the files are.
        sudoers_path: PathBuf = "/etc/sudoers.d".into(),
        /// Whether `visudo` must accept the rule.
        validation: Validation = Validation::Detect,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: One command
  sudoers:
    name: allow-backup
    user: backup
    commands: /usr/local/bin/backup
- name: As somebody else, with a password
  sudoers:
    name: admin-as-www
    group: adm
    runas: www-data
    commands: [/bin/systemctl restart nginx, /bin/systemctl reload nginx]
    nopassword: false
- name: No rule
  sudoers:
    name: old-rule
    state: absent
";

const VISUDO: Tool = Tool::new("visudo", "sudo");

/// The module.
pub struct Sudoers;

/// The rule's file and its mode.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    mode: u32,
    visudo: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let state = self.file.resource();
        vec![if state.present { state.with("mode", format!("{:04o}", self.mode)) } else { state }]
    }
}

fn content(args: &Args) -> Result<String, Failure> {
    let who = match (&args.user, &args.group) {
        (Some(user), None) => user.clone(),
        (None, Some(group)) => format!("%{group}"),
        (Some(_), Some(_)) => return Err(Failure::new("parameters are mutually exclusive: user|group")),
        (None, None) => return Err(Failure::new("one of the following is required: user, group")),
    };
    let commands = args.commands.as_ref().filter(|commands| !commands.is_empty());
    let commands = commands.ok_or_else(|| Failure::new("state is present but all of the following are missing: commands"))?;
    let runas = args.runas.as_ref().map_or_else(String::new, |user| format!("({user})"));
    let tag = |is: bool, word: &'static str| if is { word } else { "" };
    let tags = [tag(args.noexec, "NOEXEC:"), tag(args.nopassword, "NOPASSWD:"), tag(args.setenv, "SETENV:")].concat();
    let line = format!("{who} {}={runas}{tags} {}", args.host, commands.join(", "));
    if line.contains('\n') {
        return Err(Failure::new("no part of a rule can hold a new line"));
    }
    Ok(line + "\n")
}

impl Resource for Sudoers {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let path = args.sudoers_path.join(&args.name);
        let mode = host.stat(&path)?.map_or(0o440, |stat| stat.mode);
        let visudo = ["/usr/sbin/visudo", "/sbin/visudo", "/usr/bin/visudo"].iter().any(|path| exists(path, host));
        Ok(State { file: TextFile::read(&path, host)?, mode, visudo })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.name.is_empty() || args.name.contains(['/', '\n']) || args.name == ".." {
            return Err(Failure::new(format!("`{}` cannot be the name of a file", args.name)));
        }
        if args.state == Presence::Absent {
            return Ok(State { file: now.file.gone(), ..now.clone() });
        }
        Ok(State { file: now.file.with(content(args)?), mode: 0o440, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let Some(text) = &step.want.file.text else {
            host.remove(&step.want.file.path)?;
            return Ok(Written::quiet());
        };
        let validate = match args.validation {
            Validation::Absent => false,
            Validation::Detect => step.now.visudo,
            Validation::Required => {
                VISUDO.ask(["-V"], host.inspect())?;
                true
            }
        };
        let attributes = Attributes { mode: Some(0o440), ..Attributes::default() };
        let validate = validate.then_some("visudo -c -f %s");
        host.write(&FileWrite { path: &step.want.file.path, content: text.as_bytes(), attributes, validate })?;
        let mut written = Written::quiet();
        if args.name.contains('.') || args.name.ends_with('~') {
            written.warnings.push(format!("sudo passes over files like `{}`, whose name has a dot or ends in `~`", args.name));
        }
        Ok(written)
    }

    fn claims(args: &Args) -> Claims {
        let file = ResourceId::new("file", args.sudoers_path.join(&args.name).display().to_string());
        let mut needs =
            vec![ResourceId::new("package", "sudo"), ResourceId::new("file", args.sudoers_path.display().to_string())];
        needs.extend(args.user.iter().map(|name| ResourceId::new("user", name)));
        needs.extend(args.group.iter().map(|name| ResourceId::new("group", name)));
        Claims::provides([file]).needing(needs)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn options_become_a_rule() {
        for (options, expected) in [
            (
                json!({"user": "backup", "commands": ["/bin/a", "/bin/b c"], "runas": "alice", "noexec": true, "setenv": true}),
                Some("backup ALL=(alice)NOEXEC:NOPASSWD:SETENV: /bin/a, /bin/b c\n"),
            ),
            (json!({"group": "g", "commands": "ALL", "nopassword": false, "host": "web"}), Some("%g web= ALL\n")),
            (json!({"group": "g", "user": "u", "commands": "ALL"}), None),
            (json!({"commands": "ALL"}), None),
            (json!({"user": "u"}), None),
            (json!({"user": "u\nroot ALL=(ALL) ALL", "commands": "x"}), None),
        ] {
            let mut options = options.as_object().unwrap().clone();
            options.insert("name".into(), "x".into());
            assert_eq!(content(&Args::parse(&options).unwrap()).ok().as_deref(), expected, "{options:?}");
        }
    }
}
