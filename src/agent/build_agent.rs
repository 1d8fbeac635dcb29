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
    /// Link with the compiler's own rust-lld: no C toolchain, and identical functions are folded.
    lld: bool,
}

/// Agents never unwind (a panic aborts), so they need no tables for it: a tenth of the binary. The
/// C start-up code names its own part.
const WITHOUT_UNWINDING: &str = "SECTIONS { /DISCARD/ : {
    *(EXCLUDE_FILE(*crtbegin*.o *crtend*.o) .eh_frame) *(.gcc_except_table .gcc_except_table.*)
} } INSERT AFTER .comment;
";

/// What can be built here: `None` where neither musl nor the machine itself serves.
pub(crate) fn recipe(arch: &'static str, rustc: &Path) -> Option<Recipe> {
    let own = std::env::consts::ARCH == arch;
    let rustlib = rustlib(rustc)?;
    let installed = |target: &str| rustlib.join(target).join("lib").is_dir();
    let musl = format!("{arch}-unknown-linux-musl");
    if installed(&musl) {
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let lld = rustlib.join(host).join("bin/rust-lld").is_file();
        return (own || lld).then_some(Recipe { arch, target: musl, lld });
    }
    let gnu = format!("{arch}-unknown-linux-gnu");
    (own && installed(&gnu)).then_some(Recipe { arch, target: gnu, lld: false })
}

/// Where the compiler keeps its targets.
fn rustlib(rustc: &Path) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    Some(Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("lib/rustlib"))
}

/// Flags for the compiler.
fn rustflags(recipe: &Recipe, target_dir: &Path) -> Result<String, String> {
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned(), "-Crelocation-model=static".to_owned()];
    if recipe.lld {
        let script = target_dir.join("without-unwinding.ld");
        let written = std::fs::create_dir_all(target_dir).and_then(|()| std::fs::write(&script, WITHOUT_UNWINDING));
        written.map_err(|error| format!("cannot write `{}`: {error}", script.display()))?;
        flags.push("-Clinker=rust-lld".to_owned());
        flags.push("-Clink-arg=--icf=all".to_owned());
        flags.push("-Clink-arg=--no-eh-frame-hdr".to_owned());
        flags.push(format!("-Clink-arg=-T{}", script.display()));
    }
    Ok(flags.join("\u{1f}"))
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
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(recipe, target_dir)?)
        .args(["build", "--quiet", "--package", "stead-agent", "--bin", "stead-agent"])
        .args(["--profile", profile, "--target", &recipe.target])
        .arg("--target-dir")
        .arg(target_dir);
    // HTTP brings a little C for TLS, which the machine's own compiler makes; for another
    // architecture there may be none.
    if recipe.arch == std::env::consts::ARCH {
        command.args(["--features", "web"]);
        let compiler = format!("CC_{}", recipe.target.replace('-', "_"));
        if recipe.target.ends_with("-musl") && std::env::var_os(&compiler).is_none() {
            command.env(compiler, "cc");
        }
    }
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

/// Gzip at its best.
pub(crate) fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
