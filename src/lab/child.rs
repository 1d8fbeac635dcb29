//! The three processes of a lab host. Each is this binary again, started with the name of a stage.
//!
//! Standard input is the listening socket, standard output the control socket to the parent.

use std::fs;
use std::io::{self, BufReader, Read};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use rustix::process::{Signal, WaitOptions, set_parent_process_death_signal, setsid, umask, wait};
use rustix::thread::UnshareFlags;

use super::protocol::{Assignment, Report, Step, Trouble, receive, send};
use super::{loopback, privileges, root, server};

/// The hidden command by which the binary hands over to [`main`].
pub const COMMAND: &str = "lab-host";
/// How directories with a lab's keys are named; nothing else is ever removed by name.
pub(super) const SCRATCH_PREFIX: &str = "stead-lab-";

/// Runs the stage that `arguments` (what follows [`COMMAND`]) name. Call it before any thread is
/// started: namespaces belong to threads.
pub fn main(arguments: &[String]) -> ExitCode {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        ["enter", scratch] => enter(Path::new(scratch)),
        ["init"] => init(),
        ["serve"] => serve(),
        _ => Err(Trouble::new("run a lab host", "this command is for the tool's own use")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            // Nobody may be left to hear it: then the exit status has to do.
            let _ = control().and_then(|control| send(control, &Report::Failed(trouble)));
            ExitCode::FAILURE
        }
    }
}

/// First stage, still on the machine itself: makes the namespaces, starts PID 1 in them, waits for
/// its end, and clears away the keys if the controller could not.
fn enter(scratch: &Path) -> Result<(), Trouble> {
    let namespaces =
        UnshareFlags::NEWPID | UnshareFlags::NEWUTS | UnshareFlags::NEWIPC | UnshareFlags::NEWNET | UnshareFlags::NEWCGROUP;
    unshare(namespaces).step("make new namespaces")?;
    let mut init = again("init", Stdio::inherit()).step("start the host's first process")?;
    let ended = init.wait().step("wait for the host's end")?;
    if controller_is_gone() && scratch.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SCRATCH_PREFIX)) {
        // The other hosts of the lab try the same; whoever comes second finds nothing.
        let _ = fs::remove_dir_all(scratch);
    }
    if ended.success() { Ok(()) } else { Err(Trouble::new("run the host", format!("its first process ended: {ended}"))) }
}

/// Second stage, PID 1 of the host: builds its root, starts the server, reaps what is orphaned.
fn init() -> Result<(), Trouble> {
    set_parent_process_death_signal(Some(Signal::KILL)).step("tie itself to its parent")?;
    setsid().step("start a session")?; // Ctrl-C at the terminal is for the controller to handle
    let control = control().step("open the control socket")?;
    let mut lease = BufReader::new(control);
    let assignment: Assignment = receive(&mut lease).step("read its assignment")?.ok_or_else(controller_closed)?;

    unshare(UnshareFlags::NEWNS).step("make a new mount namespace")?;
    umask(rustix::fs::Mode::from_raw_mode(0o022));
    rustix::system::sethostname(assignment.name.as_bytes()).step("set its host name")?;
    root::enter(&assignment)?;
    loopback::bring_up().step("bring up lo")?;
    privileges::give_up()?;
    thread::spawn(move || exit_with_controller(lease));

    let (ours, theirs) = UnixStream::pair().step("make a socket pair")?;
    let server = again("serve", Stdio::from(std::os::fd::OwnedFd::from(theirs))).step("start its server")?;
    send(&ours, &assignment).step("hand on its assignment")?;
    let report: Report = receive(&mut BufReader::new(&ours)).step("hear from its server")?.ok_or_else(controller_closed)?;
    send(self::control().step("open the control socket")?, &report).step("report")?;
    reap_until(server.id())
}

/// Third stage: the SSH server.
fn serve() -> Result<(), Trouble> {
    let control = control().step("open the control socket")?;
    let mut lease = BufReader::new(control);
    let assignment: Assignment = receive(&mut lease).step("read its assignment")?.ok_or_else(controller_closed)?;
    let listener = io::stdin().as_fd().try_clone_to_owned().map(TcpListener::from).step("take over the listening socket")?;
    server::run(listener, &assignment, || {
        // If PID 1 does not hear it, it is gone, and this process with it.
        let _ = send(lease.get_mut(), &Report::Ready);
    })
}

/// This binary once more. `/proc/self/exe` works also where its path is not visible any more.
fn again(stage: &str, control: Stdio) -> io::Result<Child> {
    Command::new("/proc/self/exe").arg0("stead").args([COMMAND, stage]).stdin(Stdio::inherit()).stdout(control).spawn()
}

/// The control socket, which is standard output.
fn control() -> io::Result<UnixStream> {
    io::stdout().as_fd().try_clone_to_owned().map(UnixStream::from)
}

fn controller_closed() -> Trouble {
    Trouble::new("start", "the controller went away")
}

/// Blocks until the controller closes its end, then ends the host: the kernel kills every process
/// of a namespace whose PID 1 exits, and frees its mounts.
fn exit_with_controller(mut lease: BufReader<UnixStream>) {
    let mut ignored = [0_u8; 64];
    while !matches!(lease.read(&mut ignored), Ok(0) | Err(_)) {}
    std::process::exit(0)
}

/// Whether the other end of the control socket is closed.
fn controller_is_gone() -> bool {
    let Ok(mut control) = control() else { return true };
    if control.set_nonblocking(true).is_err() {
        return false;
    }
    let mut ignored = [0_u8; 64];
    loop {
        match control.read(&mut ignored) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

/// Collects the ends of all processes; returns when that of `server` came.
fn reap_until(server: u32) -> Result<(), Trouble> {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid.as_raw_nonzero().get().cast_unsigned() == server => {
                let how = status.exit_status().map_or_else(|| "by a signal".to_owned(), |code| format!("with {code}"));
                return Err(Trouble::new("go on", format!("the host's server ended {how}")));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Trouble::new("wait for processes", error)),
        }
    }
}

/// Leaves the namespaces of the parent.
#[expect(deprecated, reason = "its successor is unsafe because of FILES alone, which is never asked for here")]
fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(namespaces)
}
