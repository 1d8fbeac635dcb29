//! Builds agents with a nested cargo: used by the tool's build script and by `cargo xtask agent`.
//!
//! An agent is a static binary: musl where that target is installed, otherwise (own architecture
//! only) glibc linked statically; it never calls getpwnam or getaddrinfo, which would load modules
//! of the host's own glibc.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Architectures that hosts may have.
pub(crate) const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// How an agent is compiled for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// `x86_64` or `aarch64`, as `uname -m` says it.
    pub(crate) arch: &'static str,
    /// The compiler's name of the target.
    pub(crate) target: String,
    /// Flags for the compiler.
    rustflags: &'static [&'static str],
}

/// What can be built here: `None` where neither musl nor the machine itself serves.
pub(crate) fn recipe(arch: &'static str, rustc: &Path) -> Option<Recipe> {
    let own = std::env::consts::ARCH == arch;
    let musl = format!("{arch}-unknown-linux-musl");
    if installed(rustc, &musl) {
        // rust-lld links for another architecture without a C toolchain.
        let rustflags: &[&str] = if own { &[] } else { &["-Clinker=rust-lld"] };
        return Some(Recipe { arch, target: musl, rustflags });
    }
    let gnu = format!("{arch}-unknown-linux-gnu");
    let rustflags = &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
    (own && installed(rustc, &gnu)).then_some(Recipe { arch, target: gnu, rustflags })
}

/// Builds one agent; returns the path of the binary.
pub(crate) fn build(recipe: &Recipe, workspace: &Path, profile: &str, target_dir: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(belongs_to_the_outer_build) {
            command.env_remove(name);
        }
    }
    command
        .current_dir(workspace)
        .env("CARGO_ENCODED_RUSTFLAGS", recipe.rustflags.join("\u{1f}"))
        .args(["build", "--quiet", "--package", "stead-agent", "--bin", "stead-agent"])
        .args(["--profile", profile, "--target", &recipe.target])
        .arg("--target-dir")
        .arg(target_dir);
    let output = command.output().map_err(|error| format!("cannot run cargo for the agent: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the agent for {} could not be built ({})\n{}",
            recipe.target,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(target_dir.join(&recipe.target).join(profile).join("stead-agent"))
}

/// Variables by which an outer cargo would confuse the nested one: what it tells build scripts,
/// its job server, and compiler wrappers for the workspace (clippy).
fn belongs_to_the_outer_build(name: &str) -> bool {
    const EXACT: [&str; 14] = [
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_MAKEFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
        "MAKEFLAGS",
        "MFLAGS",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
        "TARGET",
        "OUT_DIR",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
    ];
    const FAMILIES: [&str; 6] = ["CARGO_CFG_", "CARGO_PKG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PROFILE_", "CARGO_BIN_"];
    EXACT.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

fn installed(rustc: &Path, target: &str) -> bool {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout);
        Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib").is_dir()
    })
}

/// Gzip at its best.
pub(crate) fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
