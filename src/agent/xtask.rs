//! Tasks of the project that cargo itself does not know: `cargo xtask agent`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod build_agent;

/// Largest agent (bytes): what lies in the cache of a host. All modules are in it, so that a host has
/// one; almost half of it is HTTP and TLS.
const LARGEST: usize = 6 << 20;
/// Largest agent when compressed: what is sent to a host for the first time.
const LARGEST_PACKED: usize = 3 << 20;

const HELP: &str = "usage: cargo xtask agent

  agent   build the agents of all architectures whose target is installed, with their sizes
          (rustup target add x86_64-unknown-linux-musl aarch64-unknown-linux-musl)
";

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command-line program")]
fn main() -> ExitCode {
    if std::env::args().skip(1).collect::<Vec<_>>() != ["agent"] {
        eprint!("{HELP}");
        return ExitCode::from(1);
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("src/agent is two levels down");
    let rustc = PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    for arch in build_agent::ARCHITECTURES {
        let Some(recipe) = build_agent::recipe(arch, &rustc) else {
            println!("{arch}: skipped, target {arch}-unknown-linux-musl is not installed");
            continue;
        };
        match one(&recipe, workspace) {
            Ok(line) => println!("{line}"),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::from(1);
            }
        }
    }
    ExitCode::SUCCESS
}

fn one(recipe: &build_agent::Recipe, workspace: &Path) -> Result<String, String> {
    let binary = build_agent::build(recipe, workspace, "agent", &workspace.join("target/agents"))?;
    let bytes = std::fs::read(&binary).map_err(|error| format!("cannot read `{}`: {error}", binary.display()))?;
    let packed = build_agent::compress(&bytes).map_err(|error| format!("cannot compress the agent: {error}"))?;
    if bytes.len() > LARGEST || packed.len() > LARGEST_PACKED {
        return Err(format!(
            "the agent for {} is too large: {} bytes (at most {LARGEST}), {} compressed (at most {LARGEST_PACKED})",
            recipe.arch,
            bytes.len(),
            packed.len()
        ));
    }
    Ok(format!("{}: {} ({}), {} bytes, {} compressed", recipe.arch, binary.display(), recipe.target, bytes.len(), packed.len()))
}
