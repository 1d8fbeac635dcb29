//! `script`: runs a script of the controller on the host.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::{process, words};
use crate::args;
use crate::change::sha256;
use crate::command::Command;
use crate::host::{Attributes, CommandLine, FileWrite, Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

args! {
    /// Runs a script that lies on the controller, with arguments. It is sent by digest, kept in a
    /// private directory while it runs, and removed afterwards.
    pub struct Args {
        /// Path of the script on the controller, and its arguments. (The host sees only the arguments.)
        free_form ("_raw_params"): Option<String>,
        /// The same, where free form is not convenient.
        cmd: Option<String>,
        /// Directory in which it runs.
        chdir: Option<PathBuf>,
        /// Path or pattern; if it exists, the script is not run.
        creates: Option<PathBuf>,
        /// Path or pattern; if it does not exist, the script is not run.
        removes: Option<PathBuf>,
        /// Program that runs it, e.g. `/usr/bin/python3`; otherwise its first line decides.
        executable: Option<String>,
        /// Whether a script that is encrypted with Ansible Vault is decrypted (by the controller).
        decrypt: bool = true,
        /// Set by the controller: digest and size of the script.
        stead_source: Option<Map<String, Value>>,
        /// Set by the controller: name of the script without directory.
        stead_basename: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Once
  script:
    cmd: scripts/setup.sh --fast
    creates: /etc/passwd
";

/// The module.
pub struct Script;

impl Command for Script {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let guarded = process::guard(args.creates.as_deref(), args.removes.as_deref(), args.chdir.as_deref(), host);
        Ok(guarded.map(|guarded| {
            let mut result = Map::new();
            result.insert("msg".into(), guarded.skipped().into());
            Outcome::new(Ending::Skipped, result)
        }))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let digest = args.stead_source.as_ref().and_then(|source| source.get("sha256")).and_then(Value::as_str);
        let digest = digest.ok_or_else(|| Failure::new("the script's content was not sent"))?;
        let content = host.blob(digest)?;
        let chdir = process::directory(args.chdir.as_deref(), host)?;
        let directory = private_directory(digest, host)?;
        let path = directory.join(file_name(args));
        let ran = write_and_run(args, &path, &content, chdir, host);
        let removed = host.remove(&directory);
        let mut outcome = ran?;
        if let Err(failure) = removed {
            outcome.warnings.push(format!("the script's directory stays behind: {failure}"));
        }
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        let rest = args.free_form.as_deref().or(args.cmd.as_deref()).unwrap_or_default();
        format!("{} {rest}", args.stead_basename.as_deref().unwrap_or("script")).trim().to_owned()
    }
}

fn write_and_run(
    args: &Args,
    path: &Path,
    content: &[u8],
    chdir: Option<PathBuf>,
    host: &mut dyn Host,
) -> Result<Outcome, Failure> {
    let attributes = Attributes { mode: Some(0o700), ..Attributes::default() };
    host.write(&FileWrite { path, content, attributes, validate: None })?;
    let mut text = words::quote(&path.display().to_string());
    if let Some(program) = &args.executable {
        text = format!("{program} {text}");
    }
    if let Some(rest) = args.free_form.as_deref().or(args.cmd.as_deref()) {
        text = format!("{text} {rest}");
    }
    let line = CommandLine { argv: vec!["/bin/sh".into(), "-c".into(), text], chdir, ..CommandLine::default() };
    let output = host.act(&line, &[])?;
    Ok(process::finish(&output, Script::describe(args), false, Map::new()))
}

/// The script's own name, so that `$0` and error messages read well.
fn file_name(args: &Args) -> String {
    let name = args.stead_basename.as_deref().unwrap_or("script");
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    if plain.trim_matches('.').is_empty() { "script".into() } else { plain }
}

/// A new directory that only this user may enter.
pub(super) fn private_directory(digest: &str, host: &mut dyn Host) -> Result<PathBuf, Failure> {
    let parent = PathBuf::from(host.env("TMPDIR").filter(|path| path.starts_with('/')).unwrap_or_else(|| "/tmp".into()));
    let attributes = Attributes { mode: Some(0o700), ..Attributes::default() };
    let mut last = None;
    for attempt in 0..8 {
        let (uid, now) = (host.whoami().0, host.now());
        let name = sha256(format!("{digest} {uid} {now} {attempt} {}", std::process::id()).as_bytes());
        let path = parent.join(format!("stead-{}", &name[..16]));
        // A directory that is already there is somebody else's: making it fails, and the next name is tried.
        match host.make_directory(&path, &attributes) {
            Ok(()) => return Ok(path),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.expect("at least one attempt was made"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use crate::host::Inspect as _;
    use crate::host::memory::MemoryHost;
    use crate::outcome::Ending;

    #[test]
    fn the_script_runs_under_its_own_name_and_leaves_nothing_behind() {
        let mut host = MemoryHost::default();
        host.add_directory("/tmp");
        let sha256 = host.offer("#!/bin/sh\n");
        let options =
            json!({"_raw_params": "a 'b c'", "stead_source": {"sha256": sha256, "size": 10}, "stead_basename": "set up.sh"});
        let module = crate::registry::find("script").unwrap();
        let outcome = (module.run)(options.as_object().unwrap(), &mut host);
        assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
        let text = &host.ran[0].argv[2];
        assert!(text.starts_with("/tmp/stead-") && text.ends_with("/set_up.sh a 'b c'"), "{text}");
        assert!(host.list(Path::new("/tmp")).unwrap().is_empty());
    }
}
