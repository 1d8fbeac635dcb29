//! A command on a terminal of its own, and somebody who talks with it.

#![expect(clippy::disallowed_methods, reason = "this is how the door to the machine runs commands")]

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, OptionalActions};

use super::process::{Kept, QUIET, end_group, look_up, rc};
use super::{CommandLine, Dialogue, Output};
use crate::outcome::Failure;

/// Most bytes of what was said that an answer can depend on.
const REMEMBERED: usize = 1 << 20;
/// How often it is looked whether the command has ended.
const LOOK: Duration = Duration::from_millis(100);

/// Runs a command on a new terminal until it ends, answering what `dialogue` has an answer to.
pub(super) fn converse(
    command: &CommandLine,
    environment: &[(&String, &String)],
    path: &str,
    deadline: Option<Instant>,
    dialogue: &mut Dialogue<'_>,
) -> Result<Output, Failure> {
    let program = command.argv.first().ok_or_else(|| Failure::new("cannot run an empty command"))?;
    let missing = |error: &dyn std::fmt::Display| Failure::new(format!("cannot run `{program}`: {error}")).with("rc", 2);
    let found = look_up(program, path).ok_or_else(|| missing(&"The command was not found or was not executable"))?;
    // Only a new session can get a terminal, and only a small program of the host makes one between fork and exec.
    let setsid = look_up("setsid", path).ok_or_else(|| missing(&"no `setsid` (package util-linux) to give it a terminal"))?;
    let no_terminal = |error: Errno| Failure::new(format!("cannot make a terminal for `{program}`: {error}"));
    let (master, slave) = open(dialogue.echo).map_err(no_terminal)?;
    let side = || slave.try_clone().map(Stdio::from).map_err(|error| missing(&error));
    let mut child = Command::new(setsid)
        .arg("-c")
        .arg(found)
        .args(&command.argv[1..])
        .envs(environment.iter().copied())
        .envs(&command.environment)
        .current_dir(command.chdir.as_deref().unwrap_or(Path::new(".")))
        .stdin(side()?)
        .stdout(side()?)
        .stderr(side()?)
        .spawn()
        .map_err(|error| missing(&error))?;
    drop(slave);
    let mut heard = Kept::default();
    let talked = talk(&mut child, std::fs::File::from(master), deadline, dialogue, &mut heard);
    if talked.is_err() {
        end_group(&mut child);
    }
    let status = child.wait().map_err(|error| missing(&error))?;
    let stdout = heard.finish();
    match talked {
        Ok(()) => Ok(Output { rc: rc(status), stdout, stderr: Vec::new() }),
        Err(failure) => Err(failure.with("stdout", String::from_utf8_lossy(&stdout).trim_end())),
    }
}

/// Both ends of a new terminal.
fn open(echo: bool) -> Result<(OwnedFd, OwnedFd), Errno> {
    let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&master)?;
    rustix::pty::unlockpt(&master)?;
    let name = rustix::pty::ptsname(&master, Vec::new())?;
    let slave = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    if !echo {
        let mut modes = rustix::termios::tcgetattr(&slave)?;
        modes.local_modes.remove(LocalModes::ECHO);
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &modes)?;
    }
    Ok((master, slave))
}

fn talk(
    child: &mut Child,
    mut master: std::fs::File,
    deadline: Option<Instant>,
    dialogue: &mut Dialogue<'_>,
    heard: &mut Kept,
) -> Result<(), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::new(format!("the terminal broke: {error}"));
    let mut pending: Vec<u8> = Vec::new();
    let mut last = Instant::now();
    let mut ended: Option<Instant> = None;
    let mut buffer = [0; 16 << 10];
    loop {
        let limit = Timespec::try_from(LOOK).map_err(|error| broken(&error))?;
        let ready = rustix::event::poll(&mut [PollFd::from_borrowed_fd(master.as_fd(), PollFlags::IN)], Some(&limit));
        if ready.is_ok_and(|count| count > 0) {
            match master.read(&mut buffer) {
                // Nobody holds the other end any more.
                Ok(0) => return Ok(()),
                Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
                Ok(length) => {
                    heard.take(&buffer[..length]);
                    pending.extend_from_slice(&buffer[..length]);
                    let over = pending.len().saturating_sub(REMEMBERED);
                    pending.drain(..over);
                }
            }
            while let Some((consumed, reply)) = (dialogue.answer)(&pending)? {
                pending.drain(..consumed.min(pending.len()));
                last = Instant::now();
                // A command that has just ended does not want an answer; that is for it to say.
                let _ = master.write_all(&reply);
            }
            ended = ended.map(|_| Instant::now());
        }
        let now = Instant::now();
        match ended {
            // A program that stays behind may hold the terminal.
            Some(since) if now.duration_since(since) >= QUIET => return Ok(()),
            None if child.try_wait().map_err(|error| broken(&error))?.is_some() => ended = Some(now),
            _ => {}
        }
        let silent = ended.is_none() && dialogue.silence.is_some_and(|silence| now.duration_since(last) >= silence);
        if silent || deadline.is_some_and(|deadline| now >= deadline) {
            return Err(Failure::new("command exceeded timeout"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, echo: bool, silence: Duration) -> Result<Output, Failure> {
        let mut left = vec!["second\n", "first\n"];
        let mut answer = |said: &[u8]| {
            let at = said.windows(2).position(|pair| pair == b"? ");
            Ok(at.and_then(|at| Some((at + 2, left.pop()?.as_bytes().to_vec()))))
        };
        let mut dialogue = Dialogue { echo, silence: Some(silence), answer: &mut answer };
        converse(&CommandLine::new(["sh", "-c", script]), &[], "", None, &mut dialogue)
    }

    #[test]
    fn a_command_is_answered_on_its_terminal() {
        let long = Duration::from_secs(60);
        let script = "printf 'a? '; read a </dev/tty; printf 'b? '; read b; echo \"$a-$b\"; test -t 1 && exit 3";
        let output = run(script, false, long).unwrap();
        assert_eq!((output.rc, output.text().as_str()), (3, "a? b? first-second\r\n"));
        let output = run(script, true, long).unwrap();
        assert_eq!(output.text(), "a? first\r\nb? second\r\nfirst-second\r\n");
    }

    #[test]
    fn a_question_without_an_answer_ends_it() {
        let failure = run("echo begun; printf 'name: '; read a", false, Duration::from_millis(300)).unwrap_err();
        assert_eq!((failure.message.as_str(), &failure.result["stdout"]), ("command exceeded timeout", &"begun\r\nname:".into()));
    }
}
