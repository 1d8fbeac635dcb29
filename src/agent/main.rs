//! The agent's program: takes its place as a quiet background process and serves its standard
//! input and output.

use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use stead_agent::job;
use stead_agent::machine::Machine;
use stead_agent::serve::{End, serve};

/// Directories that a minimal `PATH` lacks and modules need.
const SYSTEM_DIRECTORIES: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

#[expect(clippy::print_stderr, reason = "this is a program; the controller shows what it says here")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role] = arguments.as_slice() {
        let done = match role.as_str() {
            job::KEEPER => job::keep(),
            job::WORKER => job::do_work(stead_agent::machine::work),
            _ => return usage(),
        };
        return done.map_or(ExitCode::from(1), |()| ExitCode::SUCCESS);
    }
    let [flag, nonce] = arguments.as_slice() else { return usage() };
    if flag != "--nonce" {
        return usage();
    }
    if let Some(path) = completed_path(std::env::var("PATH").ok().as_deref()) {
        // A process cannot change its own environment safely; starting over costs a millisecond.
        let error = std::process::Command::new("/proc/self/exe").args(&arguments).env("PATH", path).exec();
        eprintln!("stead-agent: cannot start again with a complete PATH: {error}");
        return ExitCode::from(1);
    }
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // Out of the terminal's reach, if there is one. It fails where this is done already.
    let _ = rustix::process::setsid();
    leave_unreadable_directory();
    match serve(std::io::stdin(), std::io::stdout(), nonce, Machine::new) {
        Ok(End::Goodbye) => ExitCode::SUCCESS,
        Ok(End::Lost) | Err(_) => ExitCode::from(3),
    }
}

#[expect(clippy::print_stderr, reason = "this is a program")]
fn usage() -> ExitCode {
    eprintln!("usage: stead-agent --nonce TEXT\nstead starts this program on the hosts that it manages.");
    ExitCode::from(2)
}

/// Goes where this user may be: `su` and `sudo` start programs in the login user's home, which
/// may be private.
fn leave_unreadable_directory() {
    use rustix::fs::{Access, access};
    if access(".", Access::READ_OK | Access::EXEC_OK).is_ok() {
        return;
    }
    let home = std::env::var_os("HOME").map(std::path::PathBuf::from);
    if home.is_none_or(|home| std::env::set_current_dir(home).is_err()) {
        let _ = std::env::set_current_dir("/");
    }
}

/// `PATH` with the system's directories appended; `None` where it has them all.
fn completed_path(path: Option<&str>) -> Option<String> {
    let path = path.unwrap_or_default();
    let have: Vec<&str> = path.split(':').collect();
    let missing: Vec<&str> = SYSTEM_DIRECTORIES.into_iter().filter(|directory| !have.contains(directory)).collect();
    if missing.is_empty() {
        return None;
    }
    let all = have.into_iter().filter(|directory| !directory.is_empty()).chain(missing);
    Some(all.collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minimal_path_is_completed_once() {
        let path = completed_path(Some("/opt/bin:/usr/bin:/bin")).unwrap();
        assert_eq!(path, "/opt/bin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin");
        assert_eq!(completed_path(Some(&path)), None);
        assert!(completed_path(None).is_some_and(|path| path.starts_with("/usr/local/sbin:")));
    }
}
