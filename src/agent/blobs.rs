//! Content that the controller offers by digest: asked for when a task needs it, with what the task
//! will probably need next, kept in memory for the next task, bounded.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use sha2::{Digest as _, Sha256};
use stead_modules::outcome::Failure;

use crate::wire::{self, Reply};

/// Most content (bytes) that is kept after it was used.
pub const KEPT: usize = 64 << 20;
/// Most pieces that are asked for at once.
pub const MOST_AHEAD: usize = 64;
/// Most content (bytes) that is asked for before a task needs it.
const AHEAD: u64 = 8 << 20;

/// A piece of content that a task may need: SHA-256 (lower-case hex) and size (bytes).
pub type Offered = (String, u64);

/// The writing half of the stream, shared by everything that talks to the controller.
pub type SharedWriter = Arc<Mutex<Box<dyn Write + Send>>>;

/// Fetches content from the controller. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<(Mutex<Store>, Condvar)>,
    writer: SharedWriter,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blobs").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Store {
    kept: BTreeMap<String, Arc<Vec<u8>>>,
    order: VecDeque<String>,
    kept_bytes: usize,
    asked: BTreeMap<String, Asked>,
    /// What the running task may need, in the order in which it will.
    offered: Vec<Offered>,
    /// How many pieces the next request names: doubles each time, so that a task which needs one
    /// piece gets one, and a task which needs hundreds does not wait hundreds of times.
    burst: usize,
    ended: bool,
}

/// A piece of content that was asked for.
#[derive(Default)]
struct Asked {
    bytes: Vec<u8>,
    hash: Sha256,
    answer: Option<Result<Arc<Vec<u8>>, String>>,
}

impl Blobs {
    /// Blobs that are asked for through `writer`.
    pub fn new(writer: SharedWriter) -> Self {
        Self { store: Arc::default(), writer }
    }

    /// A task begins that may need these, in this order.
    pub fn expect(&self, offered: Vec<Offered>) {
        let mut store = self.lock();
        store.asked.retain(|_, asked| asked.answer.is_none());
        store.offered = offered;
        store.burst = 1;
    }

    /// The content with this SHA-256 (lower-case hex); waits until the controller sent it.
    pub fn get(&self, sha256: &str) -> Result<Vec<u8>, Failure> {
        let mut store = self.lock();
        if let Some(bytes) = store.kept.get(sha256).cloned() {
            store.asked.remove(sha256);
            return Ok(bytes.as_ref().clone());
        }
        if !store.asked.contains_key(sha256) && !store.ended {
            let need = Reply::Need { sha256: store.ask(sha256) };
            drop(store);
            let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            wire::send(&mut *writer, &need).map_err(|_| lost(sha256))?;
            drop(writer);
            store = self.lock();
        }
        loop {
            if let Some(answer) = store.asked.get_mut(sha256).and_then(|asked| asked.answer.take()) {
                store.asked.remove(sha256);
                return answer.map(Arc::unwrap_or_clone).map_err(Failure::new);
            }
            if store.ended {
                return Err(lost(sha256));
            }
            store = self.store.1.wait(store).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Takes a part that arrived. Parts that nobody asked for are dropped.
    pub fn part(&self, sha256: &[u8; 32], last: bool, bytes: &[u8]) {
        let mut store = self.lock();
        let hex = stead_modules::change::hex(sha256);
        let Some(asked) = store.asked.get_mut(&hex).filter(|asked| asked.answer.is_none()) else {
            return;
        };
        asked.hash.update(bytes);
        asked.bytes.extend_from_slice(bytes);
        if !last {
            return;
        }
        if asked.hash.clone().finalize().as_slice() == sha256 {
            let bytes = Arc::new(std::mem::take(&mut asked.bytes));
            asked.answer = Some(Ok(Arc::clone(&bytes)));
            store.keep(hex, bytes);
        } else {
            asked.answer = Some(Err(format!("content with SHA-256 {hex} arrived damaged")));
        }
        self.store.1.notify_all();
    }

    /// The controller does not have this content.
    pub fn refused(&self, sha256: &str, why: &str) {
        let mut store = self.lock();
        if let Some(asked) = store.asked.get_mut(sha256) {
            asked.answer = Some(Err(format!("content is not available: {why}")));
            self.store.1.notify_all();
        }
    }

    /// Nothing more will arrive: whoever waits gets a failure.
    pub fn end(&self) {
        self.lock().ended = true;
        self.store.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Store {
    /// Notes what is asked for now: this piece, and some of those that the task will need after it.
    fn ask(&mut self, sha256: &str) -> Vec<String> {
        let after = self.offered.iter().skip_while(|(offered, _)| offered != sha256).skip(1);
        let mut wanted = vec![sha256.to_owned()];
        let mut bytes = 0;
        for (offered, size) in after {
            bytes += size;
            if wanted.len() >= self.burst || bytes > AHEAD {
                break;
            }
            if !self.kept.contains_key(offered) && !self.asked.contains_key(offered) && !wanted.contains(offered) {
                wanted.push(offered.clone());
            }
        }
        self.burst = (self.burst * 2).clamp(1, MOST_AHEAD);
        self.asked.extend(wanted.iter().map(|sha256| (sha256.clone(), Asked::default())));
        wanted
    }

    fn keep(&mut self, sha256: String, bytes: Arc<Vec<u8>>) {
        if bytes.len() > KEPT {
            return;
        }
        while self.kept_bytes + bytes.len() > KEPT {
            let Some(oldest) = self.order.pop_front() else { break };
            self.kept_bytes -= self.kept.remove(&oldest).map_or(0, |bytes| bytes.len());
        }
        self.kept_bytes += bytes.len();
        if self.kept.insert(sha256.clone(), bytes).is_none() {
            self.order.push_back(sha256);
        }
    }
}

fn lost(sha256: &str) -> Failure {
    Failure::new(format!("the link was lost before content with SHA-256 {sha256} had arrived"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_content_makes_room_for_new() {
        let mut store = Store::default();
        let big = Arc::new(vec![0; KEPT / 2]);
        for name in ["a", "b", "c"] {
            store.keep(name.into(), Arc::clone(&big));
        }
        assert_eq!(store.kept.keys().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(store.kept_bytes, KEPT / 2 * 2);
        store.keep("huge".into(), Arc::new(vec![0; KEPT + 1]));
        assert!(!store.kept.contains_key("huge"));
    }

    #[test]
    fn damaged_content_is_refused() {
        let blobs = Blobs::new(Arc::new(Mutex::new(Box::new(std::io::sink()))));
        let right: [u8; 32] = Sha256::digest(b"right").into();
        let hex = stead_modules::change::hex(&right);
        let asking = std::thread::spawn({
            let (blobs, hex) = (blobs.clone(), hex.clone());
            move || blobs.get(&hex)
        });
        while blobs.lock().asked.is_empty() {
            std::thread::yield_now();
        }
        blobs.part(&right, true, b"wrong");
        assert!(asking.join().unwrap().unwrap_err().message.contains("damaged"));
    }

    #[test]
    fn a_task_that_needs_much_asks_for_more_at_a_time() {
        let contents: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number; 10]).collect();
        let digests: Vec<[u8; 32]> = contents.iter().map(|bytes| Sha256::digest(bytes).into()).collect();
        let hex: Vec<String> = digests.iter().map(|digest| stead_modules::change::hex(digest)).collect();
        let blobs = Blobs::new(Arc::new(Mutex::new(Box::new(std::io::sink()))));
        blobs.expect(hex.iter().map(|sha256| (sha256.clone(), 10)).collect());
        let mut requests = Vec::new();
        for (at, sha256) in hex.iter().enumerate() {
            if !blobs.lock().kept.contains_key(sha256) {
                let wanted = blobs.lock().ask(sha256);
                requests.push(wanted.len());
                for number in at..at + wanted.len() {
                    blobs.part(&digests[number], true, &contents[number]);
                }
            }
            assert_eq!(blobs.get(sha256).unwrap(), contents[at]);
        }
        assert_eq!(requests, [1, 2, 4, 8, 16, 32, 37]);
        assert!(blobs.lock().asked.is_empty() || blobs.lock().asked.values().all(|asked| asked.answer.is_some()));
    }

    #[test]
    fn little_is_asked_for_ahead_of_large_content() {
        let mut store =
            Store { offered: vec![("a".into(), 1), ("b".into(), AHEAD + 1), ("c".into(), 1)], burst: 64, ..Store::default() };
        assert_eq!(store.ask("a"), ["a"]);
        assert_eq!(store.ask("b"), ["b", "c"]);
    }
}
