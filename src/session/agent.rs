//! One agent, spoken to over a pair of byte streams: the controller's half of the wire protocol.
//!
//! A task of its own always drains what the agent says, another writes, so that neither side can
//! block the other. Whatever a hostile agent sends, only this session fails, in bounded memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stead_agent::wire::{self, BLOB_PART, Frame, Hello, LONGEST_NOISE, MAGIC, PROTOCOL, Reply, Request, Task};
use stead_modules::outcome::Outcome;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::contents::{ContentSource, Contents};
use super::error::SessionError;
use super::process::LastWords;

/// How long a busy agent may say nothing.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the agent is told that its controller is still there.
const ALIVE: Duration = Duration::from_secs(10);
/// Most values in one message; a frame within the length limit could unfold to a multiple of it.
const MOST_VALUES: usize = 1_000_000;
/// Most unanswered requests for content.
const MOST_NEEDS: usize = 64;
/// How long an agent may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// Why an agent did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StartError {
    /// The stream ended before the agent spoke; what came instead.
    Ended {
        /// Standard output so far.
        noise: Vec<u8>,
    },
    /// It did not speak in time; what came instead.
    Silent {
        /// Standard output so far.
        noise: Vec<u8>,
    },
    /// What spoke is not our agent.
    Stranger {
        /// In which way.
        why: String,
    },
}

/// One running agent.
#[derive(Debug)]
pub(super) struct AgentSession {
    #[cfg(test)]
    hello: Hello,
    shared: Arc<Shared>,
    out: mpsc::Sender<Vec<u8>>,
    words: LastWords,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next: u64,
    tasks: HashMap<u64, Waiting>,
    lock: Option<oneshot::Sender<Result<Option<String>, SessionError>>>,
    done: Option<oneshot::Sender<()>>,
    lost: Option<String>,
    heard: Instant,
}

#[derive(Debug)]
struct Waiting {
    module: String,
    answer: oneshot::Sender<Result<Outcome, SessionError>>,
}

impl Default for State {
    fn default() -> Self {
        Self { next: 1, tasks: HashMap::new(), lock: None, done: None, lost: None, heard: Instant::now() }
    }
}

impl AgentSession {
    /// Waits for the agent's greeting and takes over its streams.
    ///
    /// `keep` lives as long as the session reads (a child process, a connection).
    pub(super) async fn start<K: Send + 'static>(
        mut reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        keep: K,
        nonce: &str,
        contents: Contents,
        words: LastWords,
        deadline: Duration,
    ) -> Result<Self, StartError> {
        let mut noise = Vec::new();
        let hello = match tokio::time::timeout(deadline, greeting(&mut reader, &mut noise)).await {
            Ok(Ok(hello)) => hello,
            Ok(Err(Some(why))) => return Err(StartError::Stranger { why }),
            Ok(Err(None)) => return Err(StartError::Ended { noise }),
            Err(_) => return Err(StartError::Silent { noise }),
        };
        if hello.protocol != PROTOCOL {
            let why = format!("it speaks protocol {}, not {PROTOCOL}", hello.protocol);
            return Err(StartError::Stranger { why });
        }
        if hello.nonce != nonce {
            return Err(StartError::Stranger { why: "it does not know the secret of this session".into() });
        }
        let shared = Arc::<Shared>::default();
        let (out, outgoing) = mpsc::channel(16);
        let (need, needs) = mpsc::channel(MOST_NEEDS);
        let writing = tokio::spawn(write(writer, outgoing));
        let sending = tokio::spawn(send_contents(needs, out.clone(), contents));
        tokio::spawn({
            let (shared, out) = (Arc::clone(&shared), out.clone());
            let words = words.clone();
            async move {
                let why = tokio::select! {
                    why = read(reader, &shared, &need, &out) => why,
                    why = watch(&shared) => why,
                };
                writing.abort();
                sending.abort();
                drop(keep);
                shared.lose(&why, &words);
            }
        });
        Ok(Self {
            #[cfg(test)]
            hello,
            shared,
            out,
            words,
        })
    }

    /// What the agent said of itself.
    #[cfg(test)]
    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Runs a task; its number is given here.
    pub(super) async fn run(&self, mut task: Task) -> Result<Outcome, SessionError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.state();
            state.refuse_if_lost()?;
            task.id = state.next;
            state.next += 1;
            if state.tasks.is_empty() {
                state.heard = Instant::now();
            }
            state.tasks.insert(task.id, Waiting { module: task.module.clone(), answer });
        }
        let bytes = wire::encode(&Request::Task(task.clone()));
        if bytes.len() - 4 > wire::LONGEST_FRAME {
            self.shared.state().tasks.remove(&task.id);
            let why = format!("the options of `{}` are too long: {} bytes", task.module, bytes.len());
            return Ok(Outcome::failed(stead_modules::outcome::Failure::new(why)));
        }
        // If the writer is gone, the reader is or will be too, and it answers.
        let _ = self.out.send(bytes).await;
        answered.await.unwrap_or_else(|_| Err(lost(&task.module, "the session was closed", &self.words)))
    }

    /// Takes the host's lock; the holder's text if somebody else has it.
    pub(super) async fn lock(&self, owner: &str, wait: Duration) -> Result<Option<String>, SessionError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.state();
            state.refuse_if_lost()?;
            state.lock = Some(answer);
        }
        let request = Request::Lock { owner: owner.to_owned(), wait: wait.as_secs() };
        let _ = self.out.send(wire::encode(&request)).await;
        match tokio::time::timeout(wait + SILENCE, answered).await {
            Ok(Ok(answer)) => answer,
            _ => {
                Err(SessionError::Unreachable { message: "the host's lock was asked for, but no answer came".into(), hint: None })
            }
        }
    }

    /// Says goodbye and waits a moment for the answer.
    pub(super) async fn goodbye(&self) {
        let (done, is_done) = oneshot::channel();
        {
            let mut state = self.shared.state();
            if state.lost.is_some() {
                return;
            }
            state.done = Some(done);
        }
        let last = async {
            let _ = self.out.send(wire::encode(&Request::Goodbye)).await;
            let _ = is_done.await;
        };
        let _ = tokio::time::timeout(GOODBYE, last).await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers everybody who waits: the link is gone.
    fn lose(&self, why: &str, words: &LastWords) {
        let mut state = self.state();
        state.lost = Some(why.to_owned());
        for (_, waiting) in state.tasks.drain() {
            let _ = waiting.answer.send(Err(lost(&waiting.module, why, words)));
        }
        state.lock = None;
        state.done = None;
    }
}

impl State {
    fn refuse_if_lost(&self) -> Result<(), SessionError> {
        match &self.lost {
            None => Ok(()),
            Some(why) => {
                let message = format!("the link was lost before: {why}");
                Err(SessionError::Unreachable { message, hint: None })
            }
        }
    }
}

fn lost(module: &str, why: &str, words: &LastWords) -> SessionError {
    let words = words.text();
    let said = if words.is_empty() { String::new() } else { format!("; the agent said: {words}") };
    SessionError::Lost { message: format!("the link was lost while `{module}` ran: {why}{said}") }
}

/// Skips noise up to the magic bytes, then reads the greeting. `Err(None)` = the stream ended.
async fn greeting(reader: &mut (impl AsyncRead + Unpin), noise: &mut Vec<u8>) -> Result<Hello, Option<String>> {
    // Byte by byte, so that nothing beyond the magic is taken; noise is short.
    let mut byte = [0];
    while !noise.ends_with(MAGIC) {
        if noise.len() >= LONGEST_NOISE {
            return Err(Some(format!("it printed more than {LONGEST_NOISE} bytes before the agent spoke")));
        }
        match reader.read(&mut byte).await {
            Ok(1) => noise.push(byte[0]),
            _ => return Err(None),
        }
    }
    match read_frame(reader).await {
        Ok(Some(Frame::Json(json))) => match wire::decode(&json) {
            Ok(Reply::Hello(hello)) => Ok(hello),
            Ok(_) => Err(Some("its first message is not a greeting".into())),
            Err(error) => Err(Some(error.to_string())),
        },
        Ok(Some(Frame::Blob { .. })) => Err(Some("its first message is not a greeting".into())),
        Ok(None) => Err(None),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(None),
        Err(error) => Err(Some(error.to_string())),
    }
}

/// Reads one frame; memory grows only as bytes arrive.
async fn read_frame(reader: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Option<Frame>> {
    let mut head = [0; 5];
    let mut filled = 0;
    while filled < head.len() {
        match reader.read(&mut head[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    let (length, tag) = wire::header(head)?;
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    wire::frame(tag, body).map(Some)
}

/// Reads until the stream ends or says something that it may not; returns why.
async fn read(
    mut reader: impl AsyncRead + Unpin,
    shared: &Shared,
    need: &mpsc::Sender<Vec<String>>,
    out: &mpsc::Sender<Vec<u8>>,
) -> String {
    loop {
        let json = match read_frame(&mut reader).await {
            Ok(Some(Frame::Json(json))) => json,
            Ok(Some(Frame::Blob { .. })) => return "the agent sent content that nobody asked for".into(),
            Ok(None) => return "the connection was closed".into(),
            Err(error) => return error.to_string(),
        };
        let values = json.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).take(MOST_VALUES).count();
        if values >= MOST_VALUES {
            return format!("the agent sent a message with more than {MOST_VALUES} values");
        }
        let reply = match wire::decode(&json) {
            Ok(reply) => reply,
            Err(error) => return error.to_string(),
        };
        let mut state = shared.state();
        state.heard = Instant::now();
        match reply {
            Reply::Done { id, outcome } => match state.tasks.remove(&id) {
                Some(waiting) => drop(waiting.answer.send(Ok(*outcome))),
                None => return format!("the agent answered request {id}, which does not exist"),
            },
            Reply::Need { sha256 } => {
                if state.tasks.is_empty() || need.try_send(sha256).is_err() {
                    return "the agent asked for too much content".into();
                }
            }
            Reply::Working { .. } => {}
            Reply::Locked { holder } => {
                if let Some(answer) = state.lock.take() {
                    let _ = answer.send(Ok(holder));
                }
            }
            Reply::NoLock { why } => {
                if let Some(answer) = state.lock.take() {
                    let message = format!("the host's lock cannot be taken: {why}");
                    let _ = answer.send(Err(SessionError::Refused { message, hint: None }));
                }
            }
            Reply::Final { .. } => {
                if let Some(done) = state.done.take() {
                    let _ = done.send(());
                }
                return "the agent has ended".into();
            }
            Reply::Hello(_) => return "the agent greeted twice".into(),
        }
        drop(state);
        if out.is_closed() {
            return "the connection cannot be written any more".into();
        }
    }
}

/// Ends when a busy agent has said nothing for too long.
async fn watch(shared: &Shared) -> String {
    loop {
        let next = {
            let state = shared.state();
            let silent_since = if state.tasks.is_empty() { Instant::now() } else { state.heard };
            silent_since + SILENCE
        };
        if next <= Instant::now() {
            return format!("nothing was heard from the agent for {} s", SILENCE.as_secs());
        }
        tokio::time::sleep_until(next).await;
    }
}

/// Writes what is sent; tells the agent now and then that somebody is there.
async fn write(mut writer: impl AsyncWrite + Unpin, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    loop {
        let bytes = match tokio::time::timeout(ALIVE, outgoing.recv()).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(_) => wire::encode(&Request::Alive),
        };
        if writer.write_all(&bytes).await.is_err() || writer.flush().await.is_err() {
            break;
        }
    }
    let _ = writer.shutdown().await;
}

/// Answers requests for content, one after the other.
async fn send_contents(mut needs: mpsc::Receiver<Vec<String>>, out: mpsc::Sender<Vec<u8>>, contents: Contents) {
    while let Some(digests) = needs.recv().await {
        for sha256 in digests.into_iter().take(MOST_NEEDS) {
            if let Err(why) = send_content(&sha256, &out, &contents).await {
                let _ = out.send(wire::encode(&Request::NoBlob { sha256, why })).await;
            }
        }
    }
}

/// Sends one piece of content. The last part leaves only after the whole was found to be right.
async fn send_content(sha256: &str, out: &mpsc::Sender<Vec<u8>>, contents: &Contents) -> Result<(), String> {
    use sha2::{Digest as _, Sha256};
    let digest = unhex(sha256).ok_or("that is not a SHA-256")?;
    let mut reader: Box<dyn AsyncRead + Send + Unpin> = match contents.get(sha256) {
        None => return Err("it was not offered".into()),
        Some(ContentSource::Bytes(bytes)) => Box::new(std::io::Cursor::new(bytes)),
        Some(ContentSource::File(path)) => {
            let file = tokio::fs::File::open(&path).await;
            Box::new(file.map_err(|error| format!("cannot open `{}`: {error}", path.display()))?)
        }
    };
    let mut hash = Sha256::new();
    let mut held: Option<Vec<u8>> = None;
    loop {
        let mut part = Vec::with_capacity(BLOB_PART);
        let read = (&mut reader).take(BLOB_PART as u64).read_to_end(&mut part).await;
        read.map_err(|error| format!("cannot be read: {error}"))?;
        if part.is_empty() {
            break;
        }
        hash.update(&part);
        if let Some(before) = held.replace(part) {
            let _ = out.send(wire::encode_blob(&digest, false, &before)).await;
        }
    }
    if hash.finalize().as_slice() != digest {
        return Err("it was changed while stead ran".into());
    }
    let _ = out.send(wire::encode_blob(&digest, true, &held.unwrap_or_default())).await;
    Ok(())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[path = "agent_tests.rs"]
mod tests;
