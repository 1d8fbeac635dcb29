//! The program that runs plugins: started once, asked by lines of JSON, given up when it is silent
//! for too long or says too much.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// The program's text.
const PROGRAM: &str = include_str!("helper.py");
/// The longest line that is read.
const LONGEST: u64 = 64 << 20;
/// How much of what plugins print is kept, for messages.
const KEPT: usize = 4 << 10;

/// Why the program gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HelperError {
    /// It could not be started.
    #[error("cannot start `{program}`: {error}")]
    Start {
        /// What was to be started.
        program: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// It ended.
    #[error("the Python program that runs plugins ended{said}")]
    Ended {
        /// What it said last.
        said: String,
    },
    /// It took too long.
    #[error("there was no answer in {} seconds", .0.as_secs())]
    Late(Duration),
    /// It said what it must not.
    #[error("the Python program that runs plugins gave an answer that is none, or one of more than 64 MiB")]
    Garbled,
}

/// The running program. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Helper {
    child: Child,
    stdin: ChildStdin,
    answers: Receiver<Option<Json>>,
    said: Arc<Mutex<Vec<u8>>>,
    limit: Duration,
    /// How many folders of plugins and of collections it knows.
    pub(super) known: (usize, usize),
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Helper {
    /// Starts it.
    pub(super) fn start(
        python: &Path,
        base: &Path,
        environment: &BTreeMap<String, String>,
        limit: Duration,
    ) -> Result<Self, HelperError> {
        let mut command = Command::new(python);
        command.arg("-c").arg(PROGRAM).env_clear().envs(environment).env("PYTHONIOENCODING", "utf-8");
        if base.is_dir() {
            command.current_dir(base);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| HelperError::Start { program: python.display().to_string(), error })?;
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        let (sender, answers) = sync_channel(1);
        thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            loop {
                let mut line = Vec::new();
                let answer = match lines.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => return,
                    Ok(_) if line.ends_with(b"\n") => serde_json::from_slice(&line).ok(),
                    Ok(_) => None,
                };
                let garbled = answer.is_none();
                if sender.send(answer).is_err() || garbled {
                    return;
                }
            }
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&said);
        thread::spawn(move || {
            let (mut stderr, mut chunk) = (stderr, [0; 4096]);
            while let Ok(length @ 1..) = stderr.read(&mut chunk) {
                let mut kept = kept.lock().expect("no thread panics while it holds this");
                kept.extend_from_slice(&chunk[..length]);
                let excess = kept.len().saturating_sub(KEPT);
                kept.drain(..excess);
            }
        });
        Ok(Self { child, stdin, answers, said, limit, known: (0, 0) })
    }

    /// Says something.
    pub(super) fn tell(&mut self, message: &Json) -> Result<(), HelperError> {
        let mut line = message.to_string();
        line.push('\n');
        self.stdin.write_all(line.as_bytes()).and_then(|()| self.stdin.flush()).map_err(|_| self.ended())
    }

    /// Waits for what it says, until the limit after `since`.
    pub(super) fn hear(&mut self, since: Instant) -> Result<Json, HelperError> {
        match self.answers.recv_timeout(self.limit.saturating_sub(since.elapsed())) {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(HelperError::Garbled),
            Err(RecvTimeoutError::Timeout) => Err(HelperError::Late(self.limit)),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    fn ended(&mut self) -> HelperError {
        // Its last words are in the pipe when it is gone.
        let _ = self.child.kill();
        let status = self.child.wait().map_or_else(|_| String::new(), |status| format!(" ({status})"));
        let said = self.said.lock().expect("no thread panics while it holds this").clone();
        let said = String::from_utf8_lossy(&said).trim().lines().last().map_or_else(String::new, |line| format!(": {line}"));
        HelperError::Ended { said: format!("{status}{said}") }
    }
}
