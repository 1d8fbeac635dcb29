//! Builds the agents that this machine can build and embeds them, compressed, into the tool.
//!
//! `STEAD_AGENT=none` leaves them out: quick checks while working on the tool. Such a build says
//! so when it would need one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

#[path = "agent/build_agent.rs"]
mod build_agent;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workspace = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    for watched in ["src/modules", "src/agent", "src/build.rs", "Cargo.lock", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={watched}");
    }
    println!("cargo::rerun-if-env-changed=STEAD_AGENT");
    // Unoptimised tools get agents that compile quickly.
    let profile = if variable("OPT_LEVEL")? == "0" { "agent-dev" } else { "agent" };
    let mut table = String::from("&[\n");
    if std::env::var_os("STEAD_AGENT").is_none_or(|value| value != "none") {
        let rustc = PathBuf::from(variable("RUSTC")?);
        for arch in build_agent::ARCHITECTURES {
            let Some(recipe) = build_agent::recipe(arch, &rustc) else { continue };
            let binary = build_agent::build(&recipe, &workspace, profile, &out.join("agent"))?;
            table.push_str(&embed(arch, &binary, &out)?);
        }
    }
    table.push_str("]\n");
    std::fs::write(out.join("agents.rs"), table)?;
    Ok(())
}

/// Compresses one agent and returns its line of the table.
fn embed(arch: &str, binary: &Path, out: &Path) -> Result<String, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(binary)?;
    let packed = out.join(format!("agent-{arch}.gz"));
    std::fs::write(&packed, build_agent::compress(&bytes)?)?;
    let sha256 = Sha256::digest(&bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    Ok(format!(
        "    EmbeddedAgent {{ arch: {arch:?}, sha256: {sha256:?}, size: {}, packed: include_bytes!({:?}) }},\n",
        bytes.len(),
        packed.display().to_string()
    ))
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("cargo did not set {name}"))
}
