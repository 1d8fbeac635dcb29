//! `stead graph`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use stead::graph;
use stead::playbook::{TagSelection, as_written, outline};
use stead::source::Diagnostics;

use super::prepare;
use super::run_args::HostArgs;
use super::{USAGE, complain};

/// How the graph is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// For people: every task and why it waits.
    Text,
    /// Graphviz.
    Dot,
    /// Mermaid.
    Mermaid,
    /// JSON.
    Json,
}

/// Show the graph of a playbook's plays, with the reason of every edge.
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Playbooks.
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    /// How it is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only tasks with one of these tags.
    #[arg(short, long, value_delimiter = ',', value_name = "TAGS")]
    tags: Vec<String>,
    /// No tasks with one of these tags.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    skip_tags: Vec<String>,
    #[command(flatten)]
    hosts: HostArgs,
}

impl Graph {
    pub(crate) fn run(self) -> ExitCode {
        let prepared = match prepare::prepare(&prepare::Written::files(&self.playbooks), &self.hosts, None) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        let tags = TagSelection { only: self.tags, skip: self.skip_tags };
        let mut problems = Diagnostics::default();
        let mut all = Vec::new();
        for play in prepared.playbooks.iter().flat_map(|playbook| &playbook.plays) {
            let (_, outline) =
                outline::outline(&tags.apply(&play.items, &as_written), play.strategy, false, prepared.loader.catalog(), &|_| {
                    None
                });
            let (graph, found) = graph::build(&outline);
            problems.extend(found);
            all.push((play.title(), graph));
        }
        if prepare::show(&problems, &prepared.map) {
            return ExitCode::from(USAGE);
        }
        if all.is_empty() {
            return complain("there is no play", None);
        }
        let mut values = Vec::new();
        for (title, graph) in &all {
            match self.format {
                Format::Text => anstream::println!("play {title}\n{}", graph::text(graph, &prepared.map)),
                Format::Dot => anstream::println!("// play {title}\n{}", graph::dot(graph, &prepared.map)),
                Format::Mermaid => anstream::println!("%% play {title}\n{}", graph::mermaid(graph, &prepared.map)),
                Format::Json => values.push(serde_json::json!({"play": title, "graph": graph::json(graph, &prepared.map)})),
            }
        }
        if matches!(self.format, Format::Json) {
            return super::inventory::print_json(&values.into());
        }
        ExitCode::SUCCESS
    }
}
