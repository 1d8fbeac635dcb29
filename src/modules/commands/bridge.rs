//! `bridge`: runs a module that was written for Ansible, as Ansible would run it. The controller
//! packs the module; this starts it and reads what it says.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::script::private_directory;
use crate::change::{Action, Change, Difference, ResourceId, text_diff};
use crate::command::Command;
use crate::host::{Attributes, CommandLine, FileWrite, Host, Inspect, Output};
use crate::outcome::{Ending, Failure, Outcome};
use crate::{args, choice};

args! {
    /// Runs a module in Python, or any other program that keeps to Ansible's conventions for modules.
    pub struct Args {
        /// The module's name.
        name: String,
        /// How it is run.
        style: Style,
        /// Dotted name of the module in its package (`package`), or the name of its file.
        entry: String,
        /// Digest and size of the package, or of the file.
        stead_source: Map<String, Value>,
        /// Its options, with those that Ansible adds.
        params: Map<String, Value>,
        /// The Python that runs it; without one it is looked for.
        interpreter: Option<String>,
    }
}

choice! {
    /// Conventions for modules.
    pub enum Style {
        /// Python: a zip file of the module and all that it imports.
        Package = "package",
        /// A program that gets a file of options as JSON.
        Json = "json",
        /// A program that gets a file of `key=value`.
        Text = "text",
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "";

/// The module.
pub struct Bridge;

/// Pythons that are looked for, the best first.
const PYTHONS: &[&str] = &[
    "/usr/bin/python3",
    "/usr/local/bin/python3",
    "/usr/bin/python3.13",
    "/usr/bin/python3.12",
    "/usr/bin/python3.11",
    "/usr/bin/python3.10",
    "/usr/bin/python3.9",
    "/usr/bin/python3.8",
    "/usr/libexec/platform-python",
    "/usr/bin/python",
];

/// Reads the package and the options from standard input and runs the module. The package stays in
/// memory where the system has files that live there, else in a directory that only this user may
/// enter. `/proc/PID` rather than `/proc/self`: a module may start another Python on itself.
const RUNNER: &str = r#"
import json, os, struct, sys
source = sys.stdin.buffer
def part():
    return source.read(struct.unpack(">I", source.read(4))[0])
head, package, params = json.loads(part().decode()), part(), part()
kept = None
if hasattr(os, "memfd_create"):
    kept = os.memfd_create("stead")
    path = "/proc/%d/fd/%d" % (os.getpid(), kept)
    with os.fdopen(os.dup(kept), "wb") as file:
        file.write(package)
else:
    import atexit, shutil, tempfile
    directory = tempfile.mkdtemp(prefix="stead-")
    atexit.register(shutil.rmtree, directory, True)
    path = os.path.join(directory, "package.zip")
    with open(path, "wb") as file:
        file.write(package)
null = os.open(os.devnull, os.O_RDONLY)
os.dup2(null, 0)
sys.path[:] = [path] + [place for place in sys.path if place]
sys.argv = [head["entry"].rsplit(".", 1)[-1]]
try:
    from ansible.module_utils import basic
    basic._ANSIBLE_ARGS = params
    basic._ANSIBLE_PROFILE = "legacy"
except ImportError:
    pass
import runpy
runpy.run_module(head["entry"], init_globals={"_module_fqn": head["entry"], "_modlib_path": path}, run_name="__main__", alter_sys=True)
"#;

impl Command for Bridge {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        if host.acts() {
            return Ok(None);
        }
        // A plan: the module itself says what it would do, if it can.
        if args.style != Style::Package {
            return Ok(Some(unknown(args, "it cannot tell what it would do")));
        }
        let output = host.query(&packaged(args, true, host)?)?;
        let outcome = finish(args, &output);
        Ok(Some(match outcome.ending {
            Ending::Skipped => unknown(args, "it cannot tell what it would do"),
            // What earlier tasks would have made is not there for it to see.
            Ending::Failed => {
                let said = outcome.result.get("msg").and_then(Value::as_str).unwrap_or("it gave no reason").to_owned();
                Outcome { changes: Vec::new(), ..unknown(args, &format!("its own dry run failed: {said}")) }
            }
            _ => outcome,
        }))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        if args.style == Style::Package {
            let line = packaged(args, false, host.inspect())?;
            let output = host.act(&line, &[])?;
            return Ok(finish(args, &output));
        }
        let content = host.blob(digest(args)?)?;
        let directory = private_directory(digest(args)?, host)?;
        let ran = as_file(args, &directory, &content, host);
        let removed = host.remove(&directory);
        let mut outcome = finish(args, &ran?);
        if let Err(failure) = removed {
            outcome.warnings.push(format!("the module's directory stays behind: {failure}"));
        }
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        args.name.clone()
    }
}

fn digest(args: &Args) -> Result<&str, Failure> {
    let sha256 = args.stead_source.get("sha256").and_then(Value::as_str);
    sha256.ok_or_else(|| Failure::new("the module's content was not sent"))
}

fn unknown(args: &Args, why: &str) -> Outcome {
    let mut outcome = Outcome::new(Ending::Unknown, Map::from_iter([("msg".to_owned(), Value::from(why))]));
    outcome.changes.push(Change::run(ResourceId::new("module", &args.name)));
    outcome
}

/// The Python that was named, or the first one that there is.
fn python(args: &Args, host: &dyn Inspect) -> Result<String, Failure> {
    let named = args.interpreter.as_deref().filter(|name| !name.is_empty() && !name.starts_with("auto"));
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let found = PYTHONS.iter().find(|path| host.stat(Path::new(path)).is_ok_and(|stat| stat.is_some()));
    found.map(|path| (*path).to_owned()).ok_or_else(|| {
        Failure::new(format!("`{}` is written in Python, and this host has none (Debian's package is `python3`)", args.name))
    })
}

/// The command that runs a package, with everything on its standard input.
fn packaged(args: &Args, check: bool, host: &dyn Inspect) -> Result<CommandLine, Failure> {
    let mut params = args.params.clone();
    if check {
        params.insert("_ansible_check_mode".into(), true.into());
        params.insert("_ansible_diff".into(), true.into());
    }
    let head = json!({"entry": args.entry}).to_string();
    let params = json!({"ANSIBLE_MODULE_ARGS": params}).to_string();
    let mut input = Vec::new();
    for part in [head.as_bytes(), &host.blob(digest(args)?)?, params.as_bytes()] {
        let length = u32::try_from(part.len()).map_err(|_| Failure::new("the module's package is too large"))?;
        input.extend_from_slice(&length.to_be_bytes());
        input.extend_from_slice(part);
    }
    Ok(CommandLine::new([python(args, host)?, "-c".into(), RUNNER.into()]).input(input))
}

/// A program with a file of options beside it, both for this user alone.
fn as_file(args: &Args, directory: &Path, content: &[u8], host: &mut dyn Host) -> Result<Output, Failure> {
    let name = args.entry.rsplit('/').next().filter(|name| !name.trim_matches('.').is_empty()).unwrap_or("module");
    let (program, options) = (directory.join(name), directory.join("options"));
    let text = match args.style {
        Style::Json => Value::Object(args.params.clone()).to_string(),
        _ => args.params.iter().map(|(name, value)| format!("{name}={} ", super::words::quote(&plain(value)))).collect(),
    };
    for (path, content, mode) in [(&program, content, 0o700), (&options, text.as_bytes(), 0o600)] {
        let attributes = Attributes { mode: Some(mode), ..Attributes::default() };
        host.write(&FileWrite { path, content, attributes, validate: None })?;
    }
    let mut argv = vec![program.display().to_string(), options.display().to_string()];
    // Modules name a Python that only Ansible knows how to find.
    let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.starts_with(b"#!") && first.windows(6).any(|word| word == b"python") {
        argv.insert(0, python(args, host.inspect())?);
    }
    host.act(&CommandLine::new(argv), &[])
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first JSON object at the beginning of a line, and whether other text stood around it.
fn answer(text: &str) -> Option<Map<String, Value>> {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    starts.filter(|at| text[*at..].trim_start().starts_with('{')).find_map(|at| {
        let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Object(map))) => Some(map),
            _ => None,
        }
    })
}

/// What a module said, as an outcome.
fn finish(args: &Args, output: &Output) -> Outcome {
    let text = output.text();
    let Some(mut result) = answer(&text) else {
        let said = output.error_text();
        let last = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
        let failure = Failure::new(format!("`{}` ended without a result: {last}", args.name))
            .with("rc", output.rc)
            .with("module_stdout", text)
            .with("module_stderr", said);
        return Outcome::failed(failure);
    };
    // What was asked stands in the playbook; here it might show a secret.
    result.remove("invocation");
    let flag = |result: &mut Map<String, Value>, name: &str| result.remove(name).is_some_and(|value| is_true(&value));
    let (changed, failed, skipped) = (flag(&mut result, "changed"), flag(&mut result, "failed"), flag(&mut result, "skipped"));
    let diff = result.get("diff").cloned();
    let warnings = match result.remove("warnings") {
        Some(Value::Array(texts)) => texts.iter().map(warning).collect(),
        _ => Vec::new(),
    };
    result.remove("deprecations");
    // Without `failed`, a return code tells.
    let failed = failed || (!result.contains_key("failed") && result.get("rc").and_then(Value::as_i64).is_some_and(|rc| rc != 0));
    let ending = match () {
        () if failed => Ending::Failed,
        () if skipped => Ending::Skipped,
        () if changed => Ending::Changed,
        () => Ending::Ok,
    };
    if failed && !result.get("msg").is_some_and(Value::is_string) {
        result.insert("msg".into(), "it failed and gave no reason".into());
    }
    let mut outcome = Outcome { warnings, ..Outcome::new(ending, result) };
    if changed {
        outcome.changes = changes(args, diff.as_ref());
    }
    outcome
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => matches!(text.to_lowercase().as_str(), "true" | "yes" | "1" | "on"),
        _ => false,
    }
}

fn warning(value: &Value) -> String {
    match value {
        Value::Object(map) => map.get("msg").map_or_else(|| value.to_string(), plain),
        other => plain(other),
    }
}

/// The differences that a module tells, one change for each; without any, that it ran.
fn changes(args: &Args, diff: Option<&Value>) -> Vec<Change> {
    let told = match diff {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let changes: Vec<Change> = told.into_iter().filter_map(Value::as_object).filter_map(|one| change(args, one)).collect();
    if changes.is_empty() { vec![Change::run(ResourceId::new("module", &args.name))] } else { changes }
}

fn change(args: &Args, diff: &Map<String, Value>) -> Option<Change> {
    let header = ["after_header", "before_header"].iter().find_map(|name| diff.get(*name)?.as_str());
    let resource =
        ResourceId::new("module", header.map_or_else(|| args.name.clone(), |header| format!("{} {header}", args.name)));
    let difference =
        |before: Value, after: Value, diff: Option<String>| Difference { property: "state".into(), before, after, diff };
    if let Some(Value::String(text)) = diff.get("prepared") {
        let difference = difference(Value::Null, Value::Null, Some(text.clone()));
        return (!text.trim().is_empty()).then_some(Change { resource, action: Action::Update, differences: vec![difference] });
    }
    let (before, after) = (diff.get("before").cloned().unwrap_or_default(), diff.get("after").cloned().unwrap_or_default());
    if before == after {
        return None;
    }
    let difference = match (&before, &after) {
        (Value::String(old), Value::String(new)) => {
            let text = text_diff(Some(old.as_bytes()), Some(new.as_bytes()));
            difference(Value::Null, Value::Null, text)
        }
        _ => difference(before, after, None),
    };
    Some(Change { resource, action: Action::Update, differences: vec![difference] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    fn said(text: &str, rc: i32) -> Outcome {
        let options = json!({
            "name": "acme.net.thing", "style": "package", "entry": "x.thing",
            "stead_source": {"sha256": "00", "size": 1}, "params": {},
        });
        let args = <Args as crate::args::Arguments>::parse(options.as_object().unwrap()).unwrap();
        finish(&args, &Output { rc, stdout: text.into(), stderr: b"Traceback\nKeyError: 'x'\n".to_vec() })
    }

    #[test]
    fn what_modules_say_is_understood() {
        let cases = [
            (r#"{"changed": true, "x": 1}"#, 0, Ending::Changed),
            (r#"{"changed": false}"#, 0, Ending::Ok),
            ("a banner\n{\"changed\": \"yes\"}\ntrailing", 0, Ending::Changed),
            ("{not json}\n{\"failed\": true, \"msg\": \"no\"}", 1, Ending::Failed),
            (r#"{"rc": 2}"#, 0, Ending::Failed),
            (r#"{"skipped": true, "msg": "no check mode"}"#, 0, Ending::Skipped),
            ("nothing", 1, Ending::Failed),
        ];
        for (text, rc, expected) in cases {
            assert_eq!(said(text, rc).ending, expected, "{text}");
        }
        let lost = said("nothing", 1);
        assert_eq!(lost.result["msg"], json!("`acme.net.thing` ended without a result: KeyError: 'x'"));
        let told = said(r#"{"changed": true, "invocation": {"module_args": {"password": "x"}}}"#, 0);
        assert!(!told.result.contains_key("invocation"));
        assert_eq!(told.changes.len(), 1);
    }

    #[test]
    fn differences_are_shown() {
        let text = said(r#"{"changed": true, "diff": {"before": "a\n", "after": "b\n", "after_header": "/etc/x"}}"#, 0);
        assert_eq!(text.changes[0].resource.name, "acme.net.thing /etc/x");
        assert_eq!(text.changes[0].differences[0].diff.as_deref(), Some("@@ -1 +1 @@\n-a\n+b\n"));
        let values = said(r#"{"changed": true, "diff": [{"before": {"size": 1}, "after": {"size": 2}}]}"#, 0);
        assert_eq!(values.changes[0].differences[0].after, json!({"size": 2}));
        let same = said(r#"{"changed": true, "diff": {"before": "", "after": ""}}"#, 0);
        assert_eq!(same.changes[0].action, Action::Run);
    }

    #[test]
    fn a_module_of_another_language_gets_a_file_that_only_it_may_read() {
        let mut host = MemoryHost::default();
        host.add_directory("/tmp");
        let sha256 = host.offer("#!/bin/sh\n");
        let options = json!({
            "name": "old", "style": "text", "entry": "old.sh", "stead_source": {"sha256": sha256, "size": 10},
            "params": {"path": "/a b", "n": 5},
        });
        let module = crate::registry::find("bridge").unwrap();
        (module.run)(options.as_object().unwrap(), &mut host);
        let argv = &host.ran[0].argv;
        assert!(argv[0].ends_with("/old.sh") && argv[1].ends_with("/options"), "{argv:?}");
        assert!(host.list(Path::new("/tmp")).unwrap().is_empty());
    }
}
