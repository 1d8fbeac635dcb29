//! Running a command: bounded output, no shell, no terminal, and an end to everything it started.

#![expect(clippy::disallowed_methods, reason = "this is how the door to the machine runs commands")]

use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::{CommandLine, Output};
use crate::outcome::Failure;

/// Bytes kept of the beginning and of the end of each stream.
const KEPT: usize = 1 << 20;
/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(3);
/// Quiet time after which output of a background process is no longer waited for.
pub(super) const QUIET: Duration = Duration::from_millis(250);
/// Where system programs are also looked for.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Starts a program. One that was written a moment ago may still be open for writing in a child that
/// another thread is about to start: that passes.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let mut attempts = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy && attempts < 20 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Runs a command; `environment` is added to this process's own.
pub(super) fn run(
    command: &CommandLine,
    environment: &[(&String, &String)],
    path: &str,
    deadline: Option<Instant>,
) -> Result<Output, Failure> {
    let program = command.argv.first().ok_or_else(|| Failure::new("cannot run an empty command"))?;
    if let Some(directory) = command.chdir.as_deref().filter(|directory| !directory.is_dir()) {
        return Err(Failure::at("change to directory", directory, "No such file or directory").with("rc", 257));
    }
    let missing = |error: &dyn std::fmt::Display| Failure::new(format!("cannot run `{program}`: {error}")).with("rc", 2);
    let found = look_up(program, path).ok_or_else(|| missing(&"No such file or directory"))?;
    let mut prepared = Command::new(found);
    prepared
        .arg0(program)
        .args(&command.argv[1..])
        .envs(environment.iter().copied())
        .envs(&command.environment)
        .current_dir(command.chdir.as_deref().unwrap_or(Path::new(".")))
        .stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = spawn(&mut prepared).map_err(|error| missing(&error))?;
    let started = Instant::now();
    let watched = watch(&mut child, command.stdin.as_deref().unwrap_or_default(), deadline);
    if watched.is_err() {
        end_group(&mut child);
    }
    let status = child.wait().map_err(|error| missing(&error))?;
    let (stdout, stderr) = match watched {
        Ok(Some(streams)) => streams,
        Ok(None) => {
            let seconds = started.elapsed().as_secs();
            return Err(
                Failure::new(format!("`{program}` was still running after {seconds} s and was ended")).with("rc", rc(status))
            );
        }
        Err(error) => return Err(missing(&error)),
    };
    Ok(Output { rc: rc(status), stdout: stdout.finish(), stderr: stderr.finish() })
}

/// Starts a command that turns an input into an output, and gives the output as it comes.
pub(super) fn filter(
    command: &CommandLine,
    environment: &std::collections::BTreeMap<String, String>,
    path: &str,
    mut input: Box<dyn super::Stream>,
) -> Result<Filter, Failure> {
    let program = command.argv.first().ok_or_else(|| Failure::new("cannot run an empty command"))?;
    let missing = |error: &dyn std::fmt::Display| Failure::new(format!("cannot run `{program}`: {error}")).with("rc", 2);
    let found = look_up(program, path).ok_or_else(|| missing(&"No such file or directory"))?;
    if let Some(directory) = command.chdir.as_deref().filter(|directory| !directory.is_dir()) {
        return Err(Failure::at("change to directory", directory, "No such file or directory").with("rc", 257));
    }
    let mut child = Command::new(found)
        .args(&command.argv[1..])
        .envs(environment)
        .envs(&command.environment)
        .current_dir(command.chdir.as_deref().unwrap_or(Path::new(".")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| missing(&error))?;
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    // A command that has enough closes the pipe; that is no failure of ours.
    std::thread::spawn(move || {
        let _ = io::copy(&mut input, &mut stdin);
    });
    Ok(Filter { program: program.clone(), child })
}

/// The output of a command that runs beside.
pub(super) struct Filter {
    program: String,
    child: Child,
}

impl Read for Filter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stdout = self.child.stdout.as_mut().expect("its output is a pipe");
        let count = stdout.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("`{}` failed with {}", self.program, rc(status))));
            }
        }
        Ok(count)
    }
}

impl Drop for Filter {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Exit status as Ansible has it: a signal is its negative number.
pub(super) fn rc(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| status.signal().map_or(-1, |signal| -signal))
}

/// The program's path: as it is if it has a slash, else from `path`, else from where systems keep
/// their own programs (a login without privileges often lacks those).
pub(super) fn look_up(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program));
    }
    let is_program = |path: &PathBuf| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    path.split(':')
        .chain(SYSTEM_PATH.split(':'))
        .filter(|directory| !directory.is_empty())
        .map(|directory| Path::new(directory).join(program))
        .find(is_program)
}

/// Reads and writes the child's streams until it ends; `None` if it was ended at its deadline.
fn watch(child: &mut Child, input: &[u8], deadline: Option<Instant>) -> io::Result<Option<(Kept, Kept)>> {
    let pid = Pid::from_child(child);
    // Kernels before 5.3 have no descriptors for processes: look every so often then.
    let pidfd: Option<OwnedFd> = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok();
    let (mut stdout, mut stderr, mut stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
    let streams = [stdout.as_ref().map(|s| s.as_fd()), stderr.as_ref().map(|s| s.as_fd()), stdin.as_ref().map(|s| s.as_fd())];
    for fd in streams.into_iter().flatten() {
        let flags = rustix::fs::fcntl_getfl(fd)?;
        rustix::fs::fcntl_setfl(fd, flags | rustix::fs::OFlags::NONBLOCK)?;
    }
    let (mut out, mut err) = (Kept::default(), Kept::default());
    let mut input = input;
    let mut exited = false;
    loop {
        if input.is_empty() {
            stdin = None;
        }
        if exited && stdout.is_none() && stderr.is_none() {
            return Ok(Some((out, err)));
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) && !exited {
            end_group(child);
            return Ok(None);
        }
        let limit = match () {
            () if exited => Some(QUIET),
            () if pidfd.is_none() => Some(left.unwrap_or(Duration::MAX).min(Duration::from_millis(20))),
            () => left,
        };
        let happened = wait_for(
            [stdout.as_ref().map(|s| s.as_fd()), stderr.as_ref().map(|s| s.as_fd())],
            stdin.as_ref().filter(|_| !exited).map(|s| s.as_fd()),
            pidfd.as_ref().filter(|_| !exited).map(|fd| fd.as_fd()),
            limit,
        )?;
        if exited && !happened {
            return Ok(Some((out, err)));
        }
        if !exited {
            exited = child.try_wait()?.is_some();
        }
        drain(&mut stdout, &mut out)?;
        drain(&mut stderr, &mut err)?;
        if let Some(pipe) = &mut stdin {
            match pipe.write(input) {
                Ok(written) => input = &input[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.kind() == io::ErrorKind::Interrupted => {}
                // The command does not want its input; that is for it to say.
                Err(_) => input = &[],
            }
        }
    }
}

/// Waits until one of the descriptors is ready; false when the time is over.
fn wait_for(
    readers: [Option<BorrowedFd<'_>>; 2],
    writer: Option<BorrowedFd<'_>>,
    process: Option<BorrowedFd<'_>>,
    limit: Option<Duration>,
) -> io::Result<bool> {
    let mut fds: Vec<PollFd<'_>> =
        readers.into_iter().flatten().chain(process).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    fds.extend(writer.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
    let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
    match rustix::event::poll(&mut fds, limit.as_ref()) {
        Err(rustix::io::Errno::INTR) => Ok(true),
        other => Ok(other? > 0),
    }
}

/// Takes what can be read without waiting; the stream becomes `None` at its end.
fn drain<R: Read>(stream: &mut Option<R>, kept: &mut Kept) -> io::Result<()> {
    let Some(reader) = stream else { return Ok(()) };
    let mut buffer = [0; 16 << 10];
    // Bounded, so that a flood on one stream does not hide a deadline.
    for _ in 0..64 {
        match reader.read(&mut buffer) {
            Ok(0) => {
                *stream = None;
                return Ok(());
            }
            Ok(length) => kept.take(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends a command and everything in its process group: first politely, then for good.
pub(super) fn end_group(child: &mut Child) {
    let pid = Pid::from_child(child);
    let _ = rustix::process::kill_process_group(pid, Signal::TERM);
    let until = Instant::now() + GRACE;
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = rustix::process::kill_process_group(pid, Signal::KILL);
}

/// The beginning and the end of a stream of any length.
#[derive(Debug, Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: std::collections::VecDeque<u8>,
    dropped: u64,
}

impl Kept {
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(KEPT - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let over = self.tail.len().saturating_sub(KEPT);
        self.tail.drain(..over);
        self.dropped += over as u64;
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.dropped > 0 {
            self.head.extend_from_slice(format!("\n[... {} bytes left out ...]\n", self.dropped).as_bytes());
        }
        self.head.extend(self.tail);
        self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> CommandLine {
        CommandLine::new(["sh", "-c", script])
    }

    fn run_now(command: &CommandLine) -> Result<Output, Failure> {
        run(command, &[], "", None)
    }

    #[test]
    fn output_status_and_input_go_their_ways() {
        let output = run_now(&sh("cat; echo no >&2; exit 3").input("yes\0\u{e9}")).unwrap();
        assert_eq!((output.rc, output.stdout.as_slice(), output.error_text().as_str()), (3, "yes\0\u{e9}".as_bytes(), "no\n"));
        assert_eq!(run_now(&sh("kill -9 $$")).unwrap().rc, -9);
        assert_eq!(run_now(&sh("cat")).unwrap().stdout, b"");
        let large = vec![b'x'; 300_000];
        assert_eq!(run_now(&sh("exec wc -c").input(large)).unwrap().text().trim(), "300000");
    }

    #[test]
    fn enormous_output_keeps_head_and_tail() {
        let output = run_now(&sh("echo first; head -c 5000000 /dev/zero; echo; echo last")).unwrap();
        assert!(output.stdout.starts_with(b"first\n") && output.stdout.ends_with(b"\nlast\n"));
        assert!(output.stdout.len() < 2 * KEPT + 100 && output.text().contains("bytes left out"));
    }

    #[test]
    fn a_deadline_ends_the_whole_group() {
        let started = Instant::now();
        let failure = run(&sh("sleep 60 & sleep 60"), &[], "", Some(started + Duration::from_millis(100))).unwrap_err();
        assert!(failure.message.contains("was ended"), "{failure}");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_background_process_does_not_hold_the_command() {
        let started = Instant::now();
        assert_eq!(run_now(&sh("sleep 10 & echo done")).unwrap().stdout, b"done\n");
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn missing_programs_and_directories_are_named() {
        let failure = run_now(&CommandLine::new(["no-such-program"])).unwrap_err();
        assert_eq!(failure.message, "cannot run `no-such-program`: No such file or directory");
        let elsewhere = CommandLine { chdir: Some("/no/such/place".into()), ..sh("true") };
        assert!(run_now(&elsewhere).unwrap_err().message.contains("/no/such/place"));
    }
}
