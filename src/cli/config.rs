//! `stead config`.

use std::process::ExitCode;

use clap::Args;
use stead::ansible::config::Config as Settings;
use stead::ansible::settings::{Effect, Kind, SETTINGS};

use super::environment::Environment;

/// Show the settings of `ansible.cfg`, `stead.toml` and the environment: what each becomes, where it
/// was made, and which have no effect, and why.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// All settings that there are, as the manual has them.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

impl Config {
    /// As if these options had been given.
    pub(crate) fn of(all: bool, json: bool) -> Self {
        Self { all, json }
    }

    pub(crate) fn run(self) -> ExitCode {
        if self.all {
            return self.table();
        }
        let environment = match Environment::read() {
            Ok(environment) => environment,
            Err(code) => return code,
        };
        let config = &environment.config;
        if self.json {
            return json(config);
        }
        for path in config.files() {
            anstream::println!("# {}", path.display());
        }
        for made in config.made().filter(|made| !matches!(made.setting.effect, Effect::None(_))) {
            anstream::println!("{} = {}   # {}", made.setting.name, made.value, config.place(made.origin));
        }
        let idle = config.without_effect();
        if !idle.is_empty() {
            anstream::println!("\nwithout effect:");
        }
        for (name, why, place) in idle {
            anstream::println!("  {name}: {why}   # {place}");
        }
        ExitCode::SUCCESS
    }

    fn table(&self) -> ExitCode {
        let rows: Vec<serde_json::Value> = SETTINGS
            .iter()
            .map(|setting| {
                let (honoured, what) = match setting.effect {
                    Effect::As(what) => (true, what.to_owned()),
                    Effect::None(why) => (false, why.to_owned()),
                    Effect::Only(allowed, why) => (false, format!("only {}: {why}", allowed.join(", "))),
                };
                serde_json::json!({
                    "name": setting.name, "ansible_cfg": setting.ini, "environment": setting.environment,
                    "kind": kind(setting.kind), "stead_toml": setting.is_ours(), "honoured": honoured, "becomes": what,
                })
            })
            .collect();
        if self.json {
            return super::inventory::print_json(&rows.into());
        }
        for setting in SETTINGS {
            let effect = match setting.effect {
                Effect::As(what) => what.to_owned(),
                Effect::None(why) => format!("no effect: {why}"),
                Effect::Only(allowed, why) => format!("only {}: {why}", allowed.join(", ")),
            };
            anstream::println!("{} ({}): {effect}", setting.name, kind(setting.kind));
            let spellings: Vec<String> = setting
                .ini
                .iter()
                .filter_map(|key| key.split_once('.'))
                .map(|(section, key)| format!("[{section}] {key}"))
                .chain(setting.environment.iter().map(ToString::to_string))
                .collect();
            if !spellings.is_empty() {
                anstream::println!("    {}", spellings.join(", "));
            }
        }
        ExitCode::SUCCESS
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "true or false",
        Kind::Number => "whole number",
        Kind::Text => "text",
        Kind::List => "list",
        Kind::Path => "path",
        Kind::Directories | Kind::Sources => "list of paths",
    }
}

fn json(config: &Settings) -> ExitCode {
    let made = config.made().map(|made| {
        let value = serde_json::json!({
            "value": made.value.to_string(), "place": config.place(made.origin),
            "effect": !matches!(made.setting.effect, Effect::None(_)),
        });
        (made.setting.name.to_owned(), value)
    });
    super::inventory::print_json(&serde_json::Value::Object(made.collect()))
}
