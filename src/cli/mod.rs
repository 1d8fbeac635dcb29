//! The command line: one file per command, which holds its arguments (their doc comments are the
//! help) and what it does.

mod apply;
mod completions;
mod config;
mod deps;
mod docs;
mod drift;
mod environment;
mod facts;
mod front;
mod graph;
mod inventory;
mod lab;
mod lint;
mod plan;
mod prepare;
mod run_args;
mod ui;
mod vault;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Usage errors, bad input, and what went wrong in stead itself: nothing was contacted or changed.
pub(crate) const USAGE: u8 = 1;

/// Applies playbooks to many hosts over SSH, shows what it would do first, and tells what drifted.
#[derive(Debug, Parser)]
#[command(name = "stead", version, propagate_version = true, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring hosts to the state that playbooks describe.
    Apply(apply::Apply),
    /// Show what an apply would change; touches nothing. Exit code 2 when changes are pending.
    Plan(plan::Plan),
    /// Compare hosts with the playbooks and with the last apply: what moved, and on which side. Exit code 2 when something did.
    Drift(drift::Drift),
    /// Show hosts and groups, and where each variable of a host comes from.
    Inventory(inventory::Inventory),
    /// Show what hosts say of themselves.
    Facts(facts::Facts),
    /// Find mistakes in playbooks, roles and variables without contacting a host.
    Lint(lint::Lint),
    /// Show the graph of a playbook, with the reason of every edge.
    Graph(graph::Graph),
    /// Describe modules: options, results, examples, what a plan can predict.
    Docs(docs::Docs),
    /// Install roles and collections from elsewhere, locked by content.
    Deps(deps::Deps),
    /// Start throw-away hosts on this machine to try things on.
    Lab(lab::Lab),
    /// Create, edit and read files that are encrypted with Ansible Vault.
    Vault(vault::Vault),
    /// Show settings: what each becomes, where it was made, which have no effect.
    Config(config::Config),
    /// Print the completion script of a shell.
    Completions(completions::Completions),
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // A lab's host is this program again: its own small command line, hidden from people.
    if arguments.get(1).is_some_and(|first| first == stead::lab::child::COMMAND) {
        return stead::lab::child::main(&arguments[2..]);
    }
    let words: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if let Some(program) = words.first().and_then(front::Program::of) {
        return program.run(&words);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Apply(command) => command.run(),
        Command::Plan(command) => command.run(),
        Command::Drift(command) => command.run(),
        Command::Docs(command) => command.run(),
        Command::Inventory(command) => command.run(),
        Command::Facts(command) => command.run(),
        Command::Lint(command) => command.run(),
        Command::Graph(command) => command.run(),
        Command::Deps(command) => command.run(),
        Command::Lab(command) => command.run(),
        Command::Vault(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Completions(command) => command.run(),
    }
}

/// Prints an error of ours, with its hint on a line of its own.
pub(crate) fn complain(message: &str, hint: Option<&str>) -> ExitCode {
    anstream::eprintln!("{}error{}: {message}", anstyle::AnsiColor::Red.on_default().bold(), anstyle::Reset);
    if let Some(hint) = hint {
        anstream::eprintln!("hint: {hint}");
    }
    ExitCode::from(USAGE)
}
