//! `stead lab`.

use std::process::ExitCode;

use clap::Args;
use stead::lab::{Lab as Hosts, LabSettings};

use super::{complain, prepare};

/// Start throw-away hosts on this machine and keep them until Ctrl-C; prints an inventory for them.
#[derive(Debug, Args)]
pub(crate) struct Lab {
    /// How many.
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    hosts: u16,
}

impl Lab {
    pub(crate) fn run(self) -> ExitCode {
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => return complain(&format!("cannot find this program: {error}"), None),
        };
        let runtime = match prepare::runtime() {
            Ok(runtime) => runtime,
            Err(code) => return code,
        };
        runtime.block_on(async {
            let lab = match Hosts::start(usize::from(self.hosts), LabSettings::new(program)).await {
                Ok(lab) => lab,
                Err(error) => {
                    let text = error.to_string();
                    let (message, hint) =
                        text.split_once("\nhint: ").map_or((text.as_str(), None), |(message, hint)| (message, Some(hint)));
                    return complain(message, hint);
                }
            };
            anstream::println!("[lab]");
            for host in lab.hosts() {
                let variables: Vec<String> =
                    host.variables().iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
                anstream::println!("{} {}", host.name, variables.join(" "));
            }
            anstream::eprintln!("{} hosts are up until Ctrl-C; save the lines above as an inventory to use them", self.hosts);
            use tokio::signal::unix::{SignalKind, signal};
            if let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
            }
            lab.stop().await;
            ExitCode::SUCCESS
        })
    }
}

fn quoted(value: &str) -> String {
    if value.contains([' ', '\'']) { format!("\"{value}\"") } else { value.to_owned() }
}
