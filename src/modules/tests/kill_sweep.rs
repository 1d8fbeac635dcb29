//! A file is old or new, never in between: a write is killed, or fails, at every system call.
//!
//! Needs `strace`; where there is none, or where tracing is not allowed, the tests say so and pass.

#![expect(clippy::disallowed_methods, reason = "the test looks at the machine from outside")]
#![expect(clippy::print_stdout, reason = "a test that cannot run here says so")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::json;

const OLD: &str = "old content\n";
/// Calls that touch files; `write` is also how the outcome is printed.
const FILE_CALLS: &[&str] = &[
    "openat",
    "write",
    "fsync",
    "fchown",
    "fchmod",
    "renameat",
    "renameat2",
    "statx",
    "fstat",
    "newfstatat",
    "flock",
    "listxattr",
    "getxattr",
    "fsetxattr",
    "getdents64",
    "unlinkat",
    "read",
    "close",
    "lseek",
];

fn new_content() -> String {
    "new content\n".repeat(5_000)
}

/// The program under test, built beside this one. `cargo test --test` alone does not build it.
fn apply() -> &'static Path {
    static APPLY: OnceLock<PathBuf> = OnceLock::new();
    APPLY.get_or_init(|| {
        let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
        let build = ["build", "--quiet", "--package", "stead-modules", "--example", "apply"];
        let built = Command::new(env!("CARGO")).args(build).args(profile).status().unwrap();
        assert!(built.success(), "the program under test does not build");
        let tests = std::env::current_exe().expect("a test has a path");
        tests.ancestors().nth(2).expect("tests are built two levels deep").join("examples/apply")
    })
}

/// A directory with one old file in it.
struct Place {
    directory: tempfile::TempDir,
    has_xattrs: bool,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("target");
        fs::write(&file, OLD).unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(1), Some(2)).unwrap();
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o2640)).unwrap();
        let has_xattrs = rustix::fs::setxattr(&file, "user.kept", b"yes", rustix::fs::XattrFlags::empty()).is_ok();
        Self { directory, has_xattrs }
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    fn options(&self) -> String {
        json!({"dest": self.target(), "content": new_content()}).to_string()
    }

    /// Applies while `strace` tampers with one system call.
    fn traced(&self, call: &str, tampering: &str) -> Output {
        Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:{tampering}")])
            .arg(apply())
            .args(["copy", &self.options()])
            .output()
            .unwrap()
    }

    /// Checks that the file is whole and has its attributes; true if it is the new one.
    fn is_new(&self, what: &str) -> bool {
        let found = fs::read_to_string(self.target()).unwrap_or_else(|error| panic!("{what}: no file is left: {error}"));
        let is_new = found == new_content();
        assert!(is_new || found == OLD, "{what}: the file is neither old nor new but {} bytes", found.len());
        let stat = fs::metadata(self.target()).unwrap();
        assert_eq!(stat.mode() & 0o7777, 0o2640, "{what}: the mode was lost");
        if rustix::process::geteuid().is_root() {
            assert_eq!((stat.uid(), stat.gid()), (1, 2), "{what}: the owner was lost");
        }
        if self.has_xattrs {
            let mut value = [0; 8];
            let length = rustix::fs::getxattr(self.target(), "user.kept", &mut value[..]);
            assert_eq!(length, Ok(3), "{what}: an extended attribute was lost");
        }
        is_new
    }

    fn names(&self) -> Vec<String> {
        fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A further run brings the new file and leaves nothing else behind.
    fn converges(&self, what: &str) {
        let output = Command::new(apply()).args(["copy", &self.options()]).output().unwrap();
        assert!(output.status.success(), "{what}: the next run fails: {}", String::from_utf8_lossy(&output.stdout));
        assert!(self.is_new(what), "{what}: the next run does not converge");
        // A directory is cleaned by the first write into it; where nothing had to be written, by the next.
        if self.names().len() > 1 {
            fs::write(self.target(), OLD).unwrap();
            assert!(Command::new(apply()).args(["copy", &self.options()]).output().unwrap().status.success(), "{what}");
        }
        assert_eq!(self.names(), ["target"], "{what}: something is left behind");
    }
}

/// How often each system call is made by one undisturbed write; `None` where it cannot be told.
fn calls() -> Option<BTreeMap<String, usize>> {
    let place = Place::new();
    let log = place.directory.path().join("log");
    let traced =
        Command::new("strace").args(["-f", "-qq", "-o"]).arg(&log).arg(apply()).args(["copy", &place.options()]).output();
    match traced {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            println!("SKIPPED: strace cannot trace here: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
            println!("SKIPPED: there is no strace");
            return None;
        }
    }
    assert!(place.is_new("undisturbed"));
    let mut calls = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let Some((name, _)) = line.split_whitespace().nth(1).and_then(|call| call.split_once('(')) else { continue };
        *calls.entry(name.to_owned()).or_default() += 1;
    }
    Some(calls)
}

/// Runs `check` for every element on a few threads.
fn in_parallel<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    check(one);
                }
            });
        }
    });
}

#[test]
fn killed_at_any_system_call_the_file_is_old_or_new() {
    let Some(calls) = calls() else { return };
    assert!(calls.contains_key("fsync"), "a write must reach the disk: {calls:?}");
    let points: Vec<(String, usize)> = calls
        .into_iter()
        // The kernel does not come back from these to be interrupted.
        .filter(|(name, _)| !matches!(name.as_str(), "execve" | "exit_group" | "exit"))
        .flat_map(|(name, count)| (1..=count).map(move |nth| (name.clone(), nth)))
        .collect();
    let killed = std::sync::atomic::AtomicUsize::new(0);
    in_parallel(&points, |(name, nth)| {
        let what = format!("killed at {name} number {nth}");
        let place = Place::new();
        let output = place.traced(name, &format!("signal=KILL:when={nth}"));
        if !output.status.success() {
            killed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        place.is_new(&what);
        place.converges(&what);
    });
    let killed = killed.into_inner();
    assert!(killed * 10 > points.len() * 8, "only {killed} of {} runs were killed", points.len());
    println!("{killed} of {} runs were killed", points.len());
}

#[test]
fn failing_at_any_file_call_the_file_is_old_or_new_and_nothing_panics() {
    let Some(calls) = calls() else { return };
    let points: Vec<(&str, usize, &str)> = FILE_CALLS
        .iter()
        .flat_map(|name| (1..=calls.get(*name).copied().unwrap_or(0)).map(move |nth| (*name, nth)))
        .zip(["ENOSPC", "EIO", "EROFS"].into_iter().cycle())
        .map(|((name, nth), error)| (name, nth, error))
        .collect();
    let failed = std::sync::atomic::AtomicUsize::new(0);
    in_parallel(&points, |(name, nth, error)| {
        let what = format!("{name} number {nth} fails with {error}");
        let place = Place::new();
        let output = place.traced(name, &format!("error={error}:when={nth}"));
        if !output.status.success() {
            failed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{what}: {said}");
        let is_new = place.is_new(&what);
        assert!(is_new || !output.status.success(), "{what}: success was reported, but the file is the old one");
        // Whoever cannot remove cannot clean up either.
        if *name != "unlinkat" {
            assert_eq!(place.names(), ["target"], "{what}: the staged file is left behind");
        }
        place.converges(&what);
    });
    let failed = failed.into_inner();
    println!("{} failures were injected, {failed} were failures of the run", points.len());
    assert!(failed > 20, "injected failures are not noticed");
}
