//! `stead inventory`.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map as JsonMap, Value as Json, json};
use stead::playbook::Play;
use stead::run::explain::{Candidate, Explanation, inventory_scope, plays_of};
use stead::source::suggest::did_you_mean;
use stead::source::{Node, NodeValue, SourceMap};
use stead::vars::{Definition, Layer, Origin, Precedence, Scope, Variable};

use super::prepare::{self, Prepared};
use super::run_args::HostArgs;
use super::{USAGE, complain};

/// Show hosts and groups, and where each variable of a host comes from.
#[derive(Debug, Args)]
pub(crate) struct Inventory {
    /// Which hosts.
    #[arg(default_value = "all", value_name = "PATTERN")]
    pattern: String,
    /// Everything as JSON: groups with their hosts, and `_meta` with all variables.
    #[arg(long, conflicts_with_all = ["host", "graph"])]
    list: bool,
    /// Groups as a tree.
    #[arg(long, conflicts_with = "host")]
    graph: bool,
    /// The variables of this host, and where each comes from.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// With `--host`: all definitions of this variable, which one wins and why the others lose.
    #[arg(long, value_name = "VAR", requires = "host")]
    explain: Option<String>,
    /// As JSON: the hosts with their groups, or what `--host` and `--explain` show.
    #[arg(long, conflicts_with = "graph")]
    json: bool,
    /// Also read the variables beside this playbook; with `--explain` those of its plays and roles too.
    #[arg(long, value_name = "FILE")]
    playbook: Vec<std::path::PathBuf>,
    #[command(flatten)]
    hosts: HostArgs,
}

impl Inventory {
    pub(crate) fn run(self) -> ExitCode {
        let prepared = match prepare::prepare(&prepare::Written::files(&self.playbook), &self.hosts, None) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        if let Some(host) = &self.host {
            return self.one_host(&prepared, host);
        }
        let selected = match prepared.inventory.select(&self.pattern, self.hosts.limit.as_deref()) {
            Ok(selection) => {
                prepare::show(&selection.warnings, &prepared.map);
                selection.hosts
            }
            Err(problems) => {
                prepare::show(&problems, &prepared.map);
                return ExitCode::from(USAGE);
            }
        };
        if self.list && prepare::show(&prepared.inventory.closed_files(&selected), &prepared.map) {
            return ExitCode::from(USAGE);
        }
        if self.list {
            return print_listing(&prepared.inventory.listing(&selected, |host| listed(&prepared, host)));
        }
        if self.graph {
            anstream::print!("{}", prepared.inventory.tree());
            return ExitCode::SUCCESS;
        }
        if self.json {
            let groups = |host: &Arc<str>| (host.to_string(), json!({"groups": prepared.inventory.groups_of(host)}));
            return print_json(&Json::Object(selected.iter().map(groups).collect()));
        }
        // Written at once: there may be very many.
        let mut text = String::new();
        for host in selected {
            let groups = prepared.inventory.groups_of(&host);
            text.push_str(&host);
            if !groups.is_empty() {
                let _ = write!(text, "  ({})", groups.join(", "));
            }
            text.push('\n');
        }
        anstream::print!("{text}");
        ExitCode::SUCCESS
    }

    fn one_host(&self, prepared: &Prepared, host: &str) -> ExitCode {
        if !prepared.inventory.knows(host) {
            let hint = did_you_mean(host, prepared.inventory.hosts().map(|name| &**name));
            return complain(&format!("no host named `{host}`"), hint.as_deref());
        }
        if prepare::show(&prepared.inventory.closed_files(&[host.into()]), &prepared.map) {
            return ExitCode::from(USAGE);
        }
        if let Some(name) = &self.explain {
            return self.explain(prepared, host, name);
        }
        let scope = scope(prepared, host);
        if self.json {
            let all = names(&scope).into_iter().filter_map(|name| {
                let (variable, precedence) = scope.lookup(&name)?;
                let entry = json!({
                    "value": value_or_text(prepared, &scope, &name, variable),
                    "place": place(&variable.origin, &prepared.map),
                    "level": precedence.number(),
                    "from": precedence.describe(),
                });
                Some((name.to_string(), entry))
            });
            return print_json(&Json::Object(all.collect()));
        }
        let names = names(&scope);
        let width = names.iter().map(|name| name.len()).max().unwrap_or(0);
        for name in names {
            let (variable, _) = scope.lookup(&name).expect("it is one of the names");
            let shown = match rendered(prepared, &scope, &name, variable) {
                Ok(value) => shown(&value),
                Err(message) => format!("(cannot be rendered without facts: {message})"),
            };
            let origin = format!("# {}", place(&variable.origin, &prepared.map));
            anstream::println!("{name:width$} = {shown}   {}", dim(&origin));
        }
        ExitCode::SUCCESS
    }

    /// The fate of every definition: in the inventory, or in every play of the host.
    fn explain(&self, prepared: &Prepared, host: &str, name: &str) -> ExitCode {
        let plays: Vec<Option<&Play>> = if self.playbook.is_empty() {
            vec![None]
        } else {
            let plays = plays_of(&prepared.inventory, &prepared.renderer, &prepared.extra_vars, &prepared.playbooks, host);
            plays.into_iter().map(Some).collect()
        };
        if plays.is_empty() {
            let names: Vec<String> = self.playbook.iter().map(|path| format!("`{}`", path.display())).collect();
            return complain(
                &format!("no play of {} runs on `{host}`", names.join(", ")),
                Some("without `--playbook` the inventory alone is explained"),
            );
        }
        let explained: Vec<(Option<&Play>, Explanation)> = plays
            .into_iter()
            .map(|play| {
                let with = play.map(|play| (play, &*prepared.loader));
                (play, Explanation::new(&prepared.inventory, &prepared.extra_vars, with, host, name))
            })
            .collect();
        if explained.iter().all(|(_, explanation)| explanation.candidates.is_empty() && explanation.later.is_empty()) {
            let names: Vec<Arc<str>> = explained.iter().flat_map(|(_, explanation)| explanation.scope.names()).collect();
            let hint = did_you_mean(name, names.iter().map(|name| &**name));
            return complain(&format!("`{name}` is not defined for `{host}`"), hint.as_deref());
        }
        if self.json {
            let list: Vec<Json> =
                explained.iter().map(|(play, explanation)| as_json(prepared, host, name, *play, explanation)).collect();
            return print_json(&Json::Array(list));
        }
        let mut text = String::new();
        for (index, (play, explanation)) in explained.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            as_text(prepared, host, name, *play, explanation, &mut text).expect("text can be written to");
        }
        anstream::print!("{text}");
        ExitCode::SUCCESS
    }
}

fn as_text(
    prepared: &Prepared,
    host: &str,
    name: &str,
    play: Option<&Play>,
    explanation: &Explanation,
    out: &mut String,
) -> std::fmt::Result {
    let map = &prepared.map;
    if let Some(play) = play {
        writeln!(out, "play `{}` ({})", play.title(), map.place(play.span))?;
    }
    match explanation.candidates.first() {
        Some(winner) => match rendered(prepared, &explanation.scope, name, &winner.variable) {
            Ok(value) => writeln!(out, "{name} = {}   on {host}", shown(&value))?,
            Err(message) => writeln!(out, "{name}   on {host}: cannot be rendered before the run: {message}")?,
        },
        None => writeln!(out, "{name} is defined by tasks only   on {host}")?,
    }
    for candidate in &explanation.candidates {
        let value = written(name, &candidate.variable, map);
        writeln!(out, "\n  {}: {value}", place(&candidate.variable.origin, map))?;
        writeln!(out, "      {}", level(candidate))?;
        match &candidate.loses {
            None if explanation.candidates.len() == 1 => writeln!(out, "      wins: there is no other definition")?,
            None => writeln!(out, "      wins")?,
            Some(reason) => writeln!(out, "      loses: {reason}")?,
        }
    }
    if !explanation.later.is_empty() {
        writeln!(out, "\n  for some tasks, or while running, these define it too:")?;
        for (span, what) in &explanation.later {
            writeln!(out, "      {}: {what}", map.place(*span))?;
        }
    }
    for span in &explanation.unknown {
        writeln!(out, "\n  not looked at: the name of this file is a template ({})", map.place(*span))?;
    }
    Ok(())
}

fn as_json(prepared: &Prepared, host: &str, name: &str, play: Option<&Play>, explanation: &Explanation) -> Json {
    let map = &prepared.map;
    let candidates: Vec<Json> = explanation
        .candidates
        .iter()
        .map(|candidate| {
            json!({
                "place": place(&candidate.variable.origin, map),
                "written": written(name, &candidate.variable, map),
                "level": candidate.precedence.number(),
                "from": candidate.precedence.describe(),
                "owner": candidate.owner,
                "wins": candidate.loses.is_none(),
                "loses": candidate.loses,
            })
        })
        .collect();
    let later: Vec<Json> = explanation.later.iter().map(|(span, what)| json!({"place": map.place(*span), "by": what})).collect();
    json!({
        "host": host,
        "variable": name,
        "play": play.map(|play| json!({"name": play.title(), "place": map.place(play.span)})),
        "value": explanation.candidates.first().map(|winner| value_or_text(prepared, &explanation.scope, name, &winner.variable)),
        "candidates": candidates,
        "later": later,
        "not_looked_at": explanation.unknown.iter().map(|span| map.place(*span)).collect::<Vec<_>>(),
    })
}

/// `group_vars beside the inventory (level 6 of 22), group web`.
fn level(candidate: &Candidate) -> String {
    let mut text = candidate.precedence.describe().to_owned();
    if let Some(number) = candidate.precedence.number() {
        let _ = write!(text, " (level {number} of 22)");
    }
    if let Some(owner) = &candidate.owner {
        let _ = write!(text, ", {owner}");
    }
    text
}

/// Names that inventory and command line define; what every host has is not among them.
fn names(scope: &Scope) -> Vec<Arc<str>> {
    let mut names = scope.names();
    names.retain(|name| scope.lookup(name).is_some_and(|(_, precedence)| precedence != Precedence::Magic));
    names
}

/// What the inventory and the command line say about a host.
fn scope(prepared: &Prepared, host: &str) -> Scope {
    let mut scope = inventory_scope(&prepared.inventory, host);
    scope.push(Layer { precedence: Precedence::ExtraVars, variables: prepared.extra_vars.clone() });
    scope
}

/// All variables of a host; secrets are not shown.
pub(crate) fn listed(prepared: &Prepared, host: &str) -> JsonMap<String, Json> {
    let scope = scope(prepared, host);
    let value = |name: Arc<str>| {
        let (variable, _) = scope.lookup(&name)?;
        Some((name.to_string(), value_or_text(prepared, &scope, &name, variable)))
    };
    names(&scope).into_iter().filter_map(value).collect()
}

/// A variable's value, or why it has none before the run.
fn rendered(prepared: &Prepared, scope: &Scope, name: &str, variable: &Variable) -> Result<Json, String> {
    if is_secret(name) {
        return Ok(Json::String("(hidden)".into()));
    }
    let value = match &variable.definition {
        Definition::Data(value) => value.clone(),
        Definition::Source(node) => prepared.renderer.value(node, scope).map_err(|error| error.message)?,
    };
    let mut value = value.to_json().map_err(|reason| reason.to_string())?;
    // What was decrypted on the way is known by now.
    prepared.map.vault().redactor().json(&mut value);
    Ok(value)
}

/// The same for programs: what cannot be rendered is given as it was written.
fn value_or_text(prepared: &Prepared, scope: &Scope, name: &str, variable: &Variable) -> Json {
    rendered(prepared, scope, name, variable).unwrap_or_else(|_| match &variable.definition {
        Definition::Source(node) => match node.as_str() {
            Some(text) => Json::String(prepared.map.vault().redactor().text(text)),
            None => Json::String(written(name, variable, &prepared.map)),
        },
        Definition::Data(_) => Json::Null,
    })
}

/// Names whose values are not shown.
fn is_secret(name: &str) -> bool {
    // Asked for every variable of every host: most places are told by one letter.
    let begins = |rest: &[u8]| {
        let has = |part: &str| rest.get(..part.len()).is_some_and(|word| word.eq_ignore_ascii_case(part.as_bytes()));
        match rest[0].to_ascii_lowercase() {
            b'p' => has("password") || has("passwd") || has("private_key_passphrase"),
            b's' => has("secret"),
            b't' => has("token"),
            b'_' => has("_pass"),
            _ => false,
        }
    };
    (0..name.len()).any(|at| begins(&name.as_bytes()[at..]))
}

/// A definition as it was written.
fn written(name: &str, variable: &Variable, map: &SourceMap) -> String {
    let text = match &variable.definition {
        _ if is_secret(name) => "(hidden)".to_owned(),
        Definition::Source(node) if matches!(node.value, NodeValue::Vault(_)) => "(encrypted)".to_owned(),
        Definition::Source(node) => source_line(node, map),
        Definition::Data(value) => value.to_string(),
    };
    map.vault().redactor().text(&text)
}

fn source_line(node: &Node, map: &SourceMap) -> String {
    let text = map.text(node.span.file);
    let written = text.get(node.span.start as usize..node.span.end as usize).unwrap_or_default();
    let first = written.lines().next().unwrap_or_default();
    if written.lines().count() > 1 { format!("{first} …") } else { first.to_owned() }
}

fn place(origin: &Origin, map: &SourceMap) -> String {
    match origin {
        Origin::File(span) | Origin::Task(span) => map.place(*span),
        Origin::CommandLine => "-e on the command line".to_owned(),
        Origin::Builtin => "stead".to_owned(),
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) if !text.contains('\n') => text.clone(),
        other => other.to_string(),
    }
}

fn dim(text: &str) -> String {
    let style = anstyle::Style::new().dimmed();
    format!("{style}{text}{style:#}")
}

/// Prints JSON for people and machines.
pub(crate) fn print_json(value: &Json) -> ExitCode {
    print_listing(value)
}

/// The same for what is written as it is made.
fn print_listing(value: &impl serde::Serialize) -> ExitCode {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
    // A reader that has seen enough is no problem.
    match written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            complain(&format!("cannot write to standard output: {error}"), None)
        }
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn names_tell_which_values_are_not_shown() {
        for name in ["db_password", "PASSWD", "smtp_pass", "api_Token", "my_secrets", "ssh_private_key_passphrase", "token"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["", "pass", "bypass", "tokn", "passwor", "private_key", "sec"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
