//! `ansible-config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stead::ansible::settings::SETTINGS;

use super::super::complain;
use super::super::config::Config;
use super::super::environment::Environment;
use super::exit;

/// Shows settings.
#[derive(Debug, Parser)]
#[command(name = "ansible-config", version)]
pub(crate) struct ConfigCli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All settings that there are.
    List {
        /// How.
        #[arg(short, long, value_parser = ["text", "json"], default_value = "text")]
        format: String,
    },
    /// The settings that are made, and where.
    Dump {
        /// How.
        #[arg(short, long, value_parser = ["text", "json"], default_value = "text")]
        format: String,
        /// Without the names of settings that nobody made.
        #[arg(long, alias = "changed-only")]
        only_changed: bool,
    },
    /// The file that is read.
    View {
        /// The file, if it is not the one that is found.
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

impl ConfigCli {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::List { format } => Config::of(true, format == "json").run(),
            Command::Dump { format, .. } if format == "json" => Config::of(false, true).run(),
            Command::Dump { only_changed, .. } => dump(only_changed),
            Command::View { config } => view(config),
        }
    }
}

fn dump(only_changed: bool) -> ExitCode {
    let environment = match Environment::read() {
        Ok(environment) => environment,
        Err(code) => return code,
    };
    let config = &environment.config;
    for made in config.made() {
        anstream::println!("{}({}) = {}", made.setting.name.to_uppercase(), config.place(made.origin), made.value);
    }
    if !only_changed {
        for setting in SETTINGS.iter().filter(|setting| config.made().all(|made| made.setting.name != setting.name)) {
            anstream::println!("{}(default)", setting.name.to_uppercase());
        }
    }
    ExitCode::SUCCESS
}

fn view(file: Option<PathBuf>) -> ExitCode {
    let file = match file {
        Some(file) => file,
        None => match Environment::read() {
            Ok(environment) => match environment.config.files().first() {
                Some(file) => file.clone(),
                None => {
                    complain("there is no `ansible.cfg` and no `stead.toml`", None);
                    return ExitCode::from(exit::ERROR);
                }
            },
            Err(code) => return code,
        },
    };
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            anstream::print!("{}", stead::run::escape::escape_text(&text));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("`{}` cannot be read: {error}", file.display()), None);
            ExitCode::from(exit::ERROR)
        }
    }
}
