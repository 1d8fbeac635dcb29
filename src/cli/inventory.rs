//! `stead inventory`.

use std::process::ExitCode;

use clap::Args;
use stead::source::SourceMap;
use stead::vars::{Origin, Precedence, Scope};

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
    /// With `--host`: all definitions of this variable, the winner first.
    #[arg(long, value_name = "VAR", requires = "host")]
    explain: Option<String>,
    /// With `--host`: as JSON.
    #[arg(long)]
    json: bool,
    /// Also read `group_vars` and `host_vars` beside this playbook.
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
        if self.list {
            return print_json(&prepared.inventory.to_json(|host| variables(&prepared, host)));
        }
        if self.graph {
            anstream::print!("{}", prepared.inventory.tree());
            return ExitCode::SUCCESS;
        }
        for host in selected {
            let groups: Vec<_> = prepared.inventory.groups_of(&host).iter().map(ToString::to_string).collect();
            anstream::println!("{host}{}", if groups.is_empty() { String::new() } else { format!("  ({})", groups.join(", ")) });
        }
        ExitCode::SUCCESS
    }

    fn one_host(&self, prepared: &Prepared, host: &str) -> ExitCode {
        if !prepared.inventory.knows(host) {
            let hint = stead::source::suggest::did_you_mean(host, prepared.inventory.hosts().map(|name| &**name));
            return complain(&format!("no host named `{host}`"), hint.as_deref());
        }
        let scope = scope(prepared, host);
        if let Some(name) = &self.explain {
            return explain(&scope, name, prepared, host);
        }
        let all = variables(prepared, host);
        let table: Vec<(String, String, String)> = all
            .iter()
            .filter_map(|(name, value)| {
                let (variable, _) = scope.lookup(name)?;
                Some((name.clone(), shown(value), place(&variable.origin, &prepared.map)))
            })
            .collect();
        if self.json {
            return print_json(&serde_json::Value::Object(all));
        }
        let width = table.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
        for (name, value, origin) in table {
            anstream::println!("{name:width$} = {value}   {}", dim(&format!("# {origin}")));
        }
        ExitCode::SUCCESS
    }
}

/// What the inventory and the command line say about a host.
fn scope(prepared: &Prepared, host: &str) -> Scope {
    let mut scope = Scope::default();
    for layer in prepared.inventory.host_layers(host) {
        scope.push(layer);
    }
    scope.push(stead::vars::Layer { precedence: Precedence::ExtraVars, variables: prepared.extra_vars.clone() });
    scope
}

/// All variables of a host, rendered; secrets are not shown.
fn variables(prepared: &Prepared, host: &str) -> serde_json::Map<String, serde_json::Value> {
    let scope = scope(prepared, host);
    let mut all = serde_json::Map::new();
    for name in scope.names() {
        let value = match prepared.renderer.variable(&name, &scope) {
            _ if is_secret(&name) => serde_json::Value::String("(hidden)".into()),
            Ok(value) => value.and_then(|value| value.to_json().ok()).unwrap_or_default(),
            Err(error) => serde_json::Value::String(format!("(cannot be rendered without facts: {})", error.message)),
        };
        all.insert(name.to_string(), value);
    }
    // What was decrypted on the way is known by now.
    let redactor = prepared.map.vault().redactor();
    all.values_mut().for_each(|value| redactor.json(value));
    all
}

/// Names whose values are not shown.
fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "passwd", "_pass", "secret", "token", "private_key_passphrase"].iter().any(|part| name.contains(part))
}

fn explain(scope: &Scope, name: &str, prepared: &Prepared, host: &str) -> ExitCode {
    let candidates: Vec<_> = scope.candidates(name).collect();
    let Some(((_, winner), rest)) = candidates.split_first().map(|(first, rest)| ((first.0, first.1), rest)) else {
        let names = scope.names();
        let hint = stead::source::suggest::did_you_mean(name, names.iter().map(|name| &**name));
        return complain(&format!("`{name}` is not defined for `{host}`"), hint.as_deref());
    };
    for (index, (variable, precedence)) in candidates.iter().enumerate() {
        let value = match &variable.definition {
            _ if is_secret(name) => "(hidden)".to_owned(),
            stead::vars::Definition::Source(node) => source_line(node, &prepared.map),
            stead::vars::Definition::Data(value) => value.to_string(),
        };
        let verdict = if index == 0 {
            "wins".to_owned()
        } else if *precedence == winner {
            "loses: defined earlier on the same level".to_owned()
        } else {
            format!("loses: {} is below {}", precedence.describe(), winner.describe())
        };
        let value = prepared.map.vault().redactor().text(&value);
        anstream::println!("{} {value}", place(&variable.origin, &prepared.map));
        anstream::println!("    {}: {verdict}", precedence.describe());
    }
    if rest.is_empty() {
        anstream::println!("    there is no other definition");
    }
    ExitCode::SUCCESS
}

fn source_line(node: &stead::source::Node, map: &SourceMap) -> String {
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

fn shown(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if !text.contains('\n') => text.clone(),
        other => other.to_string(),
    }
}

fn dim(text: &str) -> String {
    let style = anstyle::Style::new().dimmed();
    format!("{style}{text}{style:#}")
}

/// Prints JSON for people and machines.
pub(crate) fn print_json(value: &serde_json::Value) -> ExitCode {
    anstream::println!("{}", serde_json::to_string_pretty(value).expect("JSON can be written"));
    ExitCode::SUCCESS
}
