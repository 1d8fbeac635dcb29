//! `stead lint`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use stead::lint::{self, Report, Request, Selection, fix, report};
use stead::playbook::TagSelection;
use stead::source::{Severity, SourceMap, render};

use super::environment::Environment;
use super::prepare;
use super::run_args::VaultArgs;
use super::{USAGE, complain};

/// Find mistakes in playbooks, roles and variables without contacting a host.
///
/// Errors are what would fail for sure: they are looked for before every run too. Warnings are
/// likely mistakes. `# noqa: RULE` on the line of a finding, or on the first line of its task,
/// silences it.
///
/// Exit codes: 0 nothing worse than a warning; 1 errors, or wrong usage; 2 warnings, with --strict.
#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Playbooks, directories or single files.
    #[arg(default_value = ".", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Inventory: with it, variables that nothing defines are errors instead of warnings.
    #[arg(short, long, value_name = "INVENTORY")]
    inventory: Vec<String>,
    /// Variables of the command line, as a run would get them.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    #[command(flatten)]
    vault: VaultArgs,
    /// Tags that a run would get: those that no task has are told.
    #[arg(short, long, value_delimiter = ',', value_name = "TAGS")]
    tags: Vec<String>,
    /// The same for tags to be skipped.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    skip_tags: Vec<String>,
    /// Only these rules, matters of style too.
    #[arg(long, value_delimiter = ',', value_name = "RULE")]
    rule: Vec<String>,
    /// None of these rules.
    #[arg(long, value_delimiter = ',', value_name = "RULE")]
    skip_rule: Vec<String>,
    /// Matters of style too.
    #[arg(long)]
    style: bool,
    /// Exit code 2 when there are warnings.
    #[arg(long)]
    strict: bool,
    /// One JSON document on standard output.
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// A SARIF 2.1.0 log on standard output.
    #[arg(long)]
    sarif: bool,
    /// Change files where that removes a finding and does not change what they mean; shows what it changed.
    #[arg(long, conflicts_with_all = ["json", "sarif"])]
    fix: bool,
    /// Only show what --fix would change.
    #[arg(long, conflicts_with_all = ["json", "sarif"])]
    diff: bool,
    /// Only list the tasks whose modules stead does not have and that would run on the hosts' Python.
    #[arg(long, conflicts_with_all = ["rule", "fix", "diff"])]
    bridge: bool,
    /// List the rules that there are.
    #[arg(long)]
    list_rules: bool,
}

impl Lint {
    pub(crate) fn run(self) -> ExitCode {
        if self.list_rules {
            list_rules();
            return ExitCode::SUCCESS;
        }
        let environment = match Environment::read() {
            Ok(environment) => environment,
            Err(code) => return code,
        };
        let config = &environment.config;
        let mut skip = self.skip_rule.clone();
        skip.extend(config.list("lint_skip_rules").iter().cloned());
        let style = self.style || config.flag("lint_style").unwrap_or(false);
        let strict = self.strict || config.flag("lint_strict").unwrap_or(false);
        let only = if self.bridge { vec!["bridged-module".to_owned()] } else { self.rule.clone() };
        let selection = Selection { only, skip, style };
        if let Some((name, hint)) = selection.unknown() {
            return complain(
                &format!("no rule is named `{name}`"),
                Some(hint.as_deref().unwrap_or("`stead lint --list-rules` lists the rules that there are")),
            );
        }
        if let Some(path) = self.paths.iter().find(|path| !path.exists()) {
            return complain(&format!("cannot read `{}`: there is no such file or directory", path.display()), None);
        }
        let mut looked = match self.look(&environment, selection.clone()) {
            Ok(looked) => looked,
            Err(code) => return code,
        };
        if self.fix || self.diff {
            // A remedy may uncover another one at the same place.
            for _ in 0..MOST_ROUNDS {
                let fixed = fix::fixed(&looked.0.findings, &looked.1);
                for file in &fixed {
                    anstream::print!("{}", super::ui::unified(&file.diff()));
                    if self.fix
                        && let Err(error) = file.write()
                    {
                        return complain(&format!("cannot write `{}`: {error}", file.path.display()), None);
                    }
                }
                if !self.fix || fixed.is_empty() {
                    break;
                }
                looked = match self.look(&environment, selection.clone()) {
                    Ok(looked) => looked,
                    Err(code) => return code,
                };
            }
        }
        let (found, map) = looked;
        if self.json {
            super::inventory::print_json(&hidden(report::json(&found, &map), &map));
        } else if self.sarif {
            super::inventory::print_json(&hidden(report::sarif(&found, &map, env!("CARGO_PKG_VERSION")), &map));
        } else {
            draw(&found, &map);
        }
        match (found.count(Severity::Error), found.count(Severity::Warning)) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(if strict { 2 } else { 0 }),
            _ => ExitCode::from(USAGE),
        }
    }

    fn look(&self, environment: &Environment, selection: Selection) -> Result<(Report, SourceMap), ExitCode> {
        let read = prepare::for_lint(environment.clone(), &self.paths, &self.inventory, &self.extra_vars, &self.vault)?;
        let tags = TagSelection { only: self.tags.clone(), skip: self.skip_tags.clone() };
        let request = Request {
            paths: self.paths.clone(),
            known: read.known,
            closed: read.closed,
            tags: (tags != TagSelection::default()).then_some(tags),
            selection,
        };
        Ok((lint::lint(&read.loader, &request), read.map))
    }
}

/// Remedies are looked for again so often.
const MOST_ROUNDS: usize = 10;

fn list_rules() {
    let width = lint::all().map(|rule| rule.name.len()).max().unwrap_or_default();
    for rule in lint::all() {
        anstream::println!("{:<width$}  {:<7}  {}", rule.name, rule.severity.word(), rule.doc);
    }
}

/// A report without what was decrypted for it.
fn hidden(mut report: serde_json::Value, map: &SourceMap) -> serde_json::Value {
    map.vault().redactor().json(&mut report);
    report
}

fn draw(found: &Report, map: &SourceMap) {
    for finding in &found.findings {
        anstream::println!("{}", map.vault().redactor().text(&render::render_one(finding, map, render::Colour::Ansi)));
    }
    let counted = |severity: Severity, word: &str| {
        let count = found.count(severity);
        (count > 0).then(|| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
    };
    let counts: Vec<String> = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "remark")]
        .into_iter()
        .filter_map(|(severity, word)| counted(severity, word))
        .collect();
    let said = if counts.is_empty() { "nothing found".to_owned() } else { counts.join(", ") };
    let tasks = if found.tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", found.tasks) };
    anstream::eprintln!("{said} in {tasks}");
}
