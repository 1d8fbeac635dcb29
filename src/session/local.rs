//! This machine, through its shell: `connection: local`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::sync::oneshot;

use super::error::SessionError;
use super::process::{Exec, LastWords, Process};

/// Starts commands on this machine.
#[derive(Debug)]
pub(super) struct Local {
    user: String,
    directory: PathBuf,
}

impl Local {
    /// This machine, worked on by `user` from a directory on.
    pub(super) fn new(user: &str, directory: &Path) -> Self {
        Self { user: user.to_owned(), directory: directory.to_owned() }
    }
}

#[async_trait]
impl Exec for Local {
    async fn exec(&self, command: &str, words: LastWords) -> Result<Process, SessionError> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own group, so that a keyboard interrupt reaches stead alone, which then
            // lets the operation in progress end.
            .process_group(0)
            .spawn()
            .map_err(|error| SessionError::unreachable(format!("cannot run `/bin/sh` on this machine: {error}")))?;
        let stdin = child.stdin.take().expect("it was asked for");
        let stdout = child.stdout.take().expect("it was asked for");
        let stderr = child.stderr.take().expect("it was asked for");
        let group = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32));
        let (tell, status) = oneshot::channel();
        let kill = move || {
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
        };
        tokio::spawn({
            let words = words.clone();
            async move {
                words.drain(stderr).await;
                let status = child.wait().await.ok().and_then(|status| status.code());
                let _ = tell.send(status);
            }
        });
        Ok(Process { stdin: Box::new(stdin), stdout: Box::new(stdout), words, status, keep: Box::new(()), kill: Box::new(kill) })
    }

    fn login_user(&self) -> &str {
        &self.user
    }
}
