//! Serves requests from one controller until it says goodbye or the link ends.
//!
//! Three threads share one stream: the reader sorts what arrives (requests into a queue, content
//! to whoever waits for it), the worker does one request after the other, and a watch says every
//! few seconds that work goes on and notices a controller that fell silent. When the stream ends,
//! the operation in progress is finished and no other is started.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stead_modules::outcome::{Failure, Outcome};

use crate::blobs::{Blobs, SharedWriter};
use crate::lock::{self, HostLock, Locking};
use crate::wire::{self, Frame, Hello, MAGIC, PROTOCOL, Reply, Request, Task};

/// How often a running task is reported.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long a controller may be silent before nothing more is started for it.
pub const SILENCE: Duration = Duration::from_secs(30);

/// Does tasks, one at a time.
pub trait Worker {
    /// Does one.
    fn run(&mut self, task: &Task) -> Outcome;
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The controller said goodbye.
    Goodbye,
    /// The stream ended or the controller fell silent.
    Lost,
}

/// Serves one controller. `worker` gets the way to fetch content.
///
/// # Errors
///
/// The stream could not be written.
pub fn serve<W: Worker>(
    reader: impl Read + Send + 'static,
    writer: impl Write + Send + 'static,
    nonce: &str,
    worker: impl FnOnce(Blobs) -> W,
) -> io::Result<End> {
    let writer: SharedWriter = Arc::new(Mutex::new(Box::new(writer)));
    let session = Arc::new(Session {
        queue: Mutex::default(),
        arrived: Condvar::new(),
        running: AtomicU64::new(0),
        blobs: Blobs::new(Arc::clone(&writer)),
        writer,
    });
    greet(&session, nonce)?;
    std::thread::Builder::new().name("reader".into()).spawn({
        let session = Arc::clone(&session);
        move || session.read(reader)
    })?;
    std::thread::Builder::new().name("watch".into()).spawn({
        let session = Arc::clone(&session);
        move || session.watch()
    })?;
    let end = work(&session, worker(session.blobs.clone()));
    session.end();
    end
}

fn greet(session: &Session, nonce: &str) -> io::Result<()> {
    let hello = Reply::Hello(Hello {
        protocol: PROTOCOL,
        nonce: nonce.to_owned(),
        uid: rustix::process::geteuid().as_raw(),
        arch: std::env::consts::ARCH.to_owned(),
        pid: std::process::id(),
    });
    let mut first = MAGIC.to_vec();
    first.extend_from_slice(&wire::encode(&hello));
    let mut writer = session.writer();
    writer.write_all(&first)?;
    writer.flush()
}

/// What the threads share.
struct Session {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Number of the running request plus one; 0 while idle.
    running: AtomicU64,
    blobs: Blobs,
    writer: SharedWriter,
}

struct Queue {
    requests: VecDeque<Request>,
    ended: bool,
    heard: Instant,
}

impl Default for Queue {
    fn default() -> Self {
        Self { requests: VecDeque::new(), ended: false, heard: Instant::now() }
    }
}

impl Session {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Box<dyn Write + Send>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, reply: &Reply) -> io::Result<()> {
        wire::send(&mut *self.writer(), reply)
    }

    /// Nothing more will be started.
    fn end(&self) {
        self.queue().ended = true;
        self.blobs.end();
        self.arrived.notify_all();
    }

    fn read(&self, mut reader: impl Read) {
        while let Ok(Some(frame)) = wire::read_frame(&mut reader) {
            self.queue().heard = Instant::now();
            match frame {
                Frame::Blob { sha256, last, bytes } => self.blobs.part(&sha256, last, &bytes),
                Frame::Json(json) => match wire::decode::<Request>(&json) {
                    Ok(Request::NoBlob { sha256, why }) => self.blobs.refused(&sha256, &why),
                    Ok(Request::Alive) => {}
                    Ok(request) => {
                        self.queue().requests.push_back(request);
                        self.arrived.notify_all();
                    }
                    // A controller that does not speak our language: as good as gone.
                    Err(_) => break,
                },
            }
        }
        self.end();
    }

    fn watch(&self) {
        let mut queue = self.queue();
        let mut beat = Instant::now();
        while !queue.ended {
            let (next, _) = self.arrived.wait_timeout(queue, HEARTBEAT).unwrap_or_else(PoisonError::into_inner);
            queue = next;
            if queue.ended || beat.elapsed() < HEARTBEAT {
                continue;
            }
            beat = Instant::now();
            if queue.heard.elapsed() >= SILENCE {
                drop(queue);
                return self.end();
            }
            drop(queue);
            let running = self.running.load(Ordering::Relaxed);
            if running > 0 && self.send(&Reply::Working { id: running - 1 }).is_err() {
                return self.end();
            }
            queue = self.queue();
        }
    }

    /// The next request; `None` when the stream ended, even if requests are left.
    fn next(&self) -> Option<Request> {
        let mut queue = self.queue();
        loop {
            // A goodbye that arrived before the end of the stream is still answered.
            if queue.ended && !matches!(queue.requests.front(), Some(Request::Goodbye)) {
                return None;
            }
            if let Some(request) = queue.requests.pop_front() {
                return Some(request);
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(session: &Session, mut worker: impl Worker) -> io::Result<End> {
    let mut tasks = 0;
    let mut held: Option<HostLock> = None;
    while let Some(request) = session.next() {
        match request {
            Request::Task(task) => {
                session.running.store(task.id + 1, Ordering::Relaxed);
                let outcome = run(&mut worker, &task);
                session.running.store(0, Ordering::Relaxed);
                tasks += 1;
                session.send(&done(task.id, outcome))?;
            }
            Request::Lock { owner, wait } => {
                if held.is_none() {
                    match take_lock(&owner, Duration::from_secs(wait)) {
                        Ok(Locking::Taken(lock)) => held = Some(lock),
                        Ok(Locking::Held(holder)) => {
                            session.send(&Reply::Locked { holder: Some(holder) })?;
                            continue;
                        }
                        Err(error) => {
                            session.send(&Reply::NoLock { why: error.to_string() })?;
                            continue;
                        }
                    }
                }
                session.send(&Reply::Locked { holder: None })?;
            }
            Request::Goodbye => {
                session.send(&Reply::Final { tasks })?;
                return Ok(End::Goodbye);
            }
            Request::NoBlob { .. } | Request::Alive => {}
        }
    }
    Ok(End::Lost)
}

fn run(worker: &mut impl Worker, task: &Task) -> Outcome {
    // Where panics abort (the shipped agent), the controller sees the end of the stream and the
    // panic's text on standard error instead.
    catch_unwind(AssertUnwindSafe(|| worker.run(task))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Outcome::failed(Failure::new(format!("module `{}` has a bug: {text}", task.module)))
    })
}

/// The reply to a task. A result that is too long for a frame becomes a failure that says so.
fn done(id: u64, outcome: Outcome) -> Reply {
    let reply = Reply::Done { id, outcome: Box::new(outcome) };
    let length = wire::encode(&reply).len() - 4;
    if length <= wire::LONGEST_FRAME {
        return reply;
    }
    let why = format!("the result is too long: {length} bytes, at most {} can be sent", wire::LONGEST_FRAME);
    Reply::Done { id, outcome: Box::new(Outcome::failed(Failure::new(why))) }
}

fn take_lock(owner: &str, wait: Duration) -> io::Result<Locking> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(std::path::PathBuf::from);
    let runtime = runtime.filter(|directory| directory.is_dir());
    let path = lock::path(rustix::process::geteuid().as_raw(), runtime.as_deref());
    HostLock::take(&path, owner, wait)
}
