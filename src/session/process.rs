//! A command that was started on a host: its streams and how it ends. [`Exec`] starts them, over
//! SSH or on this machine; everything above it (push, privilege, raw) is the same for both.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::error::SessionError;

/// Starts commands on one host.
#[async_trait]
pub(super) trait Exec: Send + Sync {
    /// Starts a command line through the login shell; its standard error goes to `words`.
    async fn exec(&self, command: &str, words: LastWords) -> Result<Process, SessionError>;

    /// Who is logged in.
    fn login_user(&self) -> &str;

    /// Fingerprint of the host key, if there is one.
    fn host_key(&self) -> Option<String> {
        None
    }

    /// Whether the host key was unknown before.
    fn accepted_new_key(&self) -> bool {
        false
    }

    /// Closes the connection.
    async fn close(&self) {}
}

/// A command that was started.
pub(super) struct Process {
    /// Its standard input; shutting it down is the end of the file.
    pub(super) stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output.
    pub(super) stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// What it wrote to standard error (read all the time).
    pub(super) words: LastWords,
    /// Its exit status, once its streams are at their end; none = killed or unknown.
    pub(super) status: oneshot::Receiver<Option<i32>>,
    /// Kept while it runs.
    pub(super) keep: Box<dyn Any + Send>,
    /// Ends it at once, as far as that can be done.
    pub(super) kill: Box<dyn FnOnce() + Send>,
}

impl Process {
    /// Ends its standard input. A pipe ends only when it is closed, so it is replaced as well.
    pub(super) async fn end_input(&mut self) {
        let _ = self.stdin.shutdown().await;
        self.stdin = Box::new(tokio::io::sink());
    }

    /// Ends it at once, as far as that can be done.
    pub(super) fn kill(self) {
        (self.kill)();
    }
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").finish_non_exhaustive()
    }
}

/// The last words of a standard error stream.
#[derive(Debug, Clone)]
pub(super) struct LastWords {
    kept: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

impl Default for LastWords {
    fn default() -> Self {
        Self::with_limit(4 << 10)
    }
}

impl LastWords {
    /// Keeps at most so many bytes.
    pub(super) fn with_limit(most: usize) -> Self {
        Self { kept: Arc::default(), most }
    }

    /// Adds what was read.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let surplus = kept.len().saturating_sub(self.most);
        kept.drain(..surplus);
    }

    /// As one line that can be shown.
    pub(super) fn text(&self) -> String {
        readable(&self.bytes())
    }

    /// As they came.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads a stream until it ends.
    pub(super) async fn drain(&self, mut from: impl AsyncRead + Unpin) {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.push(&buffer[..read]);
        }
    }
}

/// Text from a host as one line that can be shown.
pub(super) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>());
    lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// One word for any shell: sh, csh and fish read `'\''` alike.
pub(super) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Reads until the end of the stream or `most` bytes; what is beyond is dropped.
pub(super) async fn read_bounded(mut from: impl AsyncRead + Unpin, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = (&mut from).take(most as u64).read_to_end(&mut bytes).await;
    let mut rest = [0; 4096];
    while let Ok(1..) = from.read(&mut rest).await {}
    bytes
}

/// Waits a moment for the end of a command whose output has ended.
pub(super) async fn ended(status: &mut oneshot::Receiver<Option<i32>>) -> Option<i32> {
    tokio::time::timeout(Duration::from_secs(2), status).await.ok()?.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_the_last() {
        let words = LastWords::with_limit(8);
        words.push(b"first ");
        words.push(b"second\x1b[0m\n");
        assert_eq!(words.text(), "ond[0m");
    }

    #[test]
    fn quotes_are_read_alike_by_all_shells() {
        assert_eq!(quote("it's"), r"'it'\''s'");
    }
}
