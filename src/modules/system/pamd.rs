//! `pamd`: rules of PAM.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::pam_rule::{Rule, arguments};
use super::text_file::TextFile;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What a rule is for; with a dash it is passed over where its module is missing.
    pub enum Kind {
        /// Whether an account may be used.
        Account = "account",
        /// The same.
        MaybeAccount = "-account",
        /// Who somebody is.
        Auth = "auth",
        /// The same.
        MaybeAuth = "-auth",
        /// How passwords are changed.
        Password = "password",
        /// The same.
        MaybePassword = "-password",
        /// What is done around a session.
        Session = "session",
        /// The same.
        MaybeSession = "-session",
    }
}

choice! {
    /// What is done with the rules that match.
    pub enum Wish {
        /// They are removed.
        Absent = "absent",
        /// A new one stands before each.
        Before = "before",
        /// A new one stands after each.
        After = "after",
        /// Arguments are taken out.
        ArgsAbsent = "args_absent",
        /// Arguments are added.
        ArgsPresent = "args_present",
        /// They become the new one.
        Updated = "updated",
    }
}

args! {
    /// Edits the rules of one of PAM's services whose type, control and module match.
    pub struct Args {
        /// Name of the service's file.
        name: String,
        /// Type of the rules.
        r#type: Kind,
        /// Control of the rules; in brackets where it is more than a word.
        control: String,
        /// Module of the rules.
        module_path: String,
        /// The new type.
        new_type: Option<Kind>,
        /// The new control.
        new_control: Option<String>,
        /// The new module.
        new_module_path: Option<String>,
        /// Arguments: all of them, or those that are added or taken out.
        module_arguments: Option<Vec<String>>,
        /// What is done.
        state: Wish = Wish::Updated,
        /// The directory with the files.
        path: PathBuf = "/etc/pam.d".into(),
        /// Whether a copy of the old file is kept.
        backup: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Longer passwords
  pamd:
    name: app
    type: password
    control: required
    module_path: pam_pwquality.so
    module_arguments: minlen=12
    state: args_present
- name: Lock after failures
  pamd:
    name: app
    type: auth
    control: required
    module_path: pam_unix.so
    new_type: auth
    new_control: required
    new_module_path: pam_faillock.so
    module_arguments: [preauth, silent]
    state: before
";

/// The module.
pub struct Pamd;

/// The file.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    count: usize,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource()]
    }
}

/// The arguments as words; none for an empty one.
fn given(args: &Args) -> Option<Vec<String>> {
    // A list is split at commas, a line at blanks.
    args.module_arguments.as_ref().map(|list| list.iter().flat_map(|one| arguments(one)).collect())
}

/// The rule that is put before or after another.
fn new_rule(args: &Args) -> Result<Rule, Failure> {
    let (Some(kind), Some(control), Some(module)) = (args.new_type, &args.new_control, &args.new_module_path) else {
        return Err(Failure::new(format!(
            "state is {} but all of the following are missing: new_type, new_control, new_module_path",
            args.state.word()
        )));
    };
    Ok(Rule {
        kind: kind.word().into(),
        control: control.clone(),
        module: module.clone(),
        arguments: given(args).unwrap_or_default(),
    })
}

/// A rule as it should be.
fn updated(old: &Rule, args: &Args) -> Rule {
    let mut rule = old.clone();
    match args.state {
        Wish::ArgsPresent => drop(rule.with(&given(args).unwrap_or_default())),
        Wish::ArgsAbsent => drop(rule.without(&given(args).unwrap_or_default())),
        _ => {
            rule.kind = args.new_type.map_or(rule.kind, |kind| kind.word().into());
            rule.control = args.new_control.clone().unwrap_or(rule.control);
            rule.module = args.new_module_path.clone().unwrap_or(rule.module);
            rule.arguments = given(args).unwrap_or(rule.arguments);
        }
    }
    rule
}

/// Whether the first of these lines that is not blank and no comment is this rule.
fn is_next<'a>(lines: impl Iterator<Item = &'a (&'a str, Option<Rule>)>, new: &Rule) -> bool {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let mut lines = lines.skip_while(|(line, _)| blank(line));
    lines.next().and_then(|(_, rule)| rule.as_ref()).is_some_and(|rule| rule.is(&new.kind, &new.control, &new.module))
}

/// The file's text, and how many rules are changed.
fn edit(text: &str, args: &Args) -> Result<(String, usize), Failure> {
    let lines: Vec<(&str, Option<Rule>)> = text.lines().map(|line| (line, Rule::parse(line))).collect();
    let mut new_lines: Vec<String> = Vec::new();
    let mut count = 0;
    for (at, (line, rule)) in lines.iter().enumerate() {
        let Some(rule) = rule.as_ref().filter(|rule| rule.is(args.r#type.word(), &args.control, &args.module_path)) else {
            new_lines.push((*line).to_owned());
            continue;
        };
        match args.state {
            Wish::Absent => count += 1,
            Wish::Before => {
                let new = new_rule(args)?;
                if !is_next(lines[..at].iter().rev(), &new) {
                    new_lines.push(new.line());
                    count += 1;
                }
                new_lines.push((*line).to_owned());
            }
            Wish::After => {
                let new = new_rule(args)?;
                new_lines.push((*line).to_owned());
                if !is_next(lines[at + 1..].iter(), &new) {
                    new_lines.push(new.line());
                    count += 1;
                }
            }
            Wish::ArgsAbsent | Wish::ArgsPresent | Wish::Updated => {
                let new = updated(rule, args);
                let same = new == *rule;
                new_lines.push(if same { (*line).to_owned() } else { new.line() });
                count += usize::from(!same);
            }
        }
    }
    if count == 0 {
        return Ok((text.to_owned(), 0));
    }
    Ok((new_lines.iter().fold(String::new(), |text, line| text + line + "\n"), count))
}

fn check(args: &Args) -> Result<(), Failure> {
    if args.name.is_empty() || args.name.contains('/') || args.name.starts_with('.') {
        return Err(Failure::new(format!("`{}` cannot be the name of a service of PAM", args.name)));
    }
    if matches!(args.state, Wish::Before | Wish::After) {
        new_rule(args)?;
    }
    if matches!(args.state, Wish::ArgsAbsent | Wish::ArgsPresent) && args.module_arguments.is_none() {
        return Err(Failure::new(format!(
            "state is {} but all of the following are missing: module_arguments",
            args.state.word()
        )));
    }
    // What is written must be read as the same rule.
    let (control, module) = (args.new_control.as_ref(), args.new_module_path.as_ref());
    let line = format!(
        "auth {} {} {}",
        control.unwrap_or(&args.control),
        module.unwrap_or(&args.module_path),
        given(args).unwrap_or_default().join(" ")
    );
    if line.contains('\n') || Rule::parse(&line).is_none_or(|rule| rule.line().split_whitespace().ne(line.split_whitespace())) {
        return Err(Failure::new("control, module and arguments do not make a rule"));
    }
    Ok(())
}

impl Resource for Pamd {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        check(args)?;
        let file = TextFile::read(&args.path.join(&args.name), host)?;
        if file.text.is_none() {
            return Err(Failure::new(format!("Unable to open/read PAM module file {}", file.path.display())));
        }
        Ok(State { file, count: 0 })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let (text, count) = edit(now.file.text.as_deref().unwrap_or_default(), args)?;
        Ok(State { file: now.file.with(text), count })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = Written::quiet().with("change_count", step.want.count);
        if args.backup {
            written = written.with("backupdest", step.now.file.backup(host)?.display().to_string());
        }
        step.want.file.write(Attributes::default(), host)?;
        Ok(written)
    }

    fn result(_: &Args, _: &State, _: &State) -> Map<String, Value> {
        Map::from_iter([("change_count".to_owned(), 0.into()), ("backupdest".to_owned(), "".into())])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("file", args.path.join(&args.name).display().to_string())])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn rules_are_edited() {
        let text =
            "# top\nauth\trequired\tpam_env.so\nauth required pam_unix.so nullok try=1\n\nsession required pam_limits.so\n";
        let new = json!({"new_type": "auth", "new_control": "[success=1 default=ignore]", "new_module_path": "pam_x.so"});
        for (state, more, from, to, count) in [
            ("absent", json!({}), "auth required pam_unix.so nullok try=1\n", "", 1),
            (
                "updated",
                json!({"new_control": "sufficient"}),
                "auth required pam_unix.so",
                "auth        sufficient pam_unix.so",
                1,
            ),
            ("updated", json!({"module_arguments": "nullok try=1"}), "", "", 0),
            (
                "updated",
                json!({"module_arguments": ""}),
                "auth required pam_unix.so nullok try=1",
                "auth        required pam_unix.so",
                1,
            ),
            ("args_present", json!({"module_arguments": ["nullok", "try=1"]}), "", "", 0),
            (
                "args_present",
                json!({"module_arguments": ["try=2"]}),
                "auth required pam_unix.so nullok try=1",
                "auth        required pam_unix.so nullok try=2",
                1,
            ),
            (
                "args_absent",
                json!({"module_arguments": ["try=1"]}),
                "auth required pam_unix.so nullok try=1",
                "auth        required pam_unix.so nullok",
                1,
            ),
            (
                "before",
                new.clone(),
                "auth required pam_unix.so",
                "auth        [success=1 default=ignore] pam_x.so\nauth required pam_unix.so",
                1,
            ),
            ("after", new, "try=1\n", "try=1\nauth        [success=1 default=ignore] pam_x.so\n", 1),
        ] {
            let mut options = json!({
                "name": "x", "type": "auth", "control": "required", "module_path": "pam_unix.so", "state": state,
            });
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            assert_eq!(check(&args), Ok(()), "{options}");
            let (edited, found) = edit(text, &args).unwrap();
            assert_eq!((edited.as_str(), found), (text.replacen(from, to, 1).as_str(), count), "{options}");
            if ["before", "after", "args_present"].contains(&state) {
                assert_eq!(edit(&edited, &args).unwrap().1, 0, "again: {options}");
            }
        }
    }
}
