//! What controller and agent say to each other.
//!
//! A stream begins (agent to controller) with [`MAGIC`], so that a noisy login profile before it
//! can be skipped; then come frames: a little-endian `u32` length, one tag byte ([`JSON`] or
//! [`BLOB`]) and that many bytes less one. The length is checked against [`LONGEST_FRAME`] before
//! memory is taken. Success is an explicit final frame, never an end of stream.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stead_modules::outcome::Outcome;

/// The first bytes of an agent's output. Not text, so that no login profile prints them.
pub const MAGIC: &[u8; 8] = b"\x00STEAD1\x00";
/// Raised with every change of meaning; both sides must agree.
pub const PROTOCOL: u32 = 1;
/// Longest frame (bytes) that either side accepts.
pub const LONGEST_FRAME: usize = 32 << 20;
/// Longest noise (bytes) skipped while looking for [`MAGIC`].
pub const LONGEST_NOISE: usize = 64 << 10;
/// Tag of a frame that holds JSON.
pub const JSON: u8 = b'J';
/// Tag of a frame that holds file content: 32 bytes SHA-256, one byte "last", then the bytes.
pub const BLOB: u8 = b'B';
/// Most content bytes in one [`BLOB`] frame.
pub const BLOB_PART: usize = 256 << 10;

/// The agent's first frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the agent.
    pub protocol: u32,
    /// The nonce that the controller passed on the command line; proves that this stream is ours
    /// (and, under sudo, that privileges were granted).
    pub nonce: String,
    /// Effective user number.
    pub uid: u32,
    /// Machine architecture (`x86_64`, `aarch64`).
    pub arch: String,
    /// Process id, for `status` displays and clean-up.
    pub pid: u32,
}

/// Whether a task is applied or planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Change the host.
    Apply,
    /// Change the overlay; look at the host.
    Plan,
}

/// One task for one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Number of the request, unique in its session.
    pub id: u64,
    /// Plain module name.
    pub module: String,
    /// Its options, rendered.
    pub options: Map<String, Value>,
    /// Apply or plan.
    pub mode: Mode,
    /// In a plan: what an earlier task of this host does is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_doubt: bool,
    /// Variables added to the environment of everything that the task runs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub environment: Map<String, Value>,
    /// Seconds after which commands of this task are ended; none = no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// It is started as a job that outlives the session; the outcome only says that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
}

/// A task that nobody waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The first part of its name: `j` and digits. The process number follows.
    pub name: String,
    /// Seconds after which it is ended.
    pub seconds: u64,
}

/// Controller to agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Run a task; answered by [`Reply::Done`].
    Task(Task),
    /// Content asked for by [`Reply::Need`] cannot be had.
    NoBlob {
        /// Its SHA-256.
        sha256: String,
        /// Why.
        why: String,
    },
    /// Take the host's lock for this run; answered by [`Reply::Locked`].
    Lock {
        /// Who holds it, as others will read it.
        owner: String,
        /// Seconds to wait for another holder.
        wait: u64,
    },
    /// The controller is still there: sent every few seconds, not answered.
    Alive,
    /// Nothing more will come; answered by [`Reply::Final`].
    Goodbye,
}

/// Agent to controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// First frame.
    Hello(Hello),
    /// The running task needs this content: answered by BLOB frames or [`Request::NoBlob`].
    Need {
        /// SHA-256 of each, lower-case hex.
        sha256: Vec<String>,
    },
    /// The agent is alive and at work (every few seconds during a long operation).
    Working {
        /// Number of the request.
        id: u64,
    },
    /// A task ended.
    Done {
        /// Number of the request.
        id: u64,
        /// How.
        outcome: Box<Outcome>,
    },
    /// The lock was taken (`holder: None`) or is held by somebody else.
    Locked {
        /// The other holder, as it wrote itself down.
        holder: Option<String>,
    },
    /// The lock could not be asked for.
    NoLock {
        /// Why.
        why: String,
    },
    /// Last frame.
    Final {
        /// Tasks that were done.
        tasks: u64,
    },
}

/// One frame as read from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// JSON text.
    Json(Vec<u8>),
    /// A part of some content.
    Blob {
        /// SHA-256 of the whole content.
        sha256: [u8; 32],
        /// No further part follows.
        last: bool,
        /// The part.
        bytes: Vec<u8>,
    },
}

/// Checks a frame header: the length of the body that follows it (bytes, tag excluded) and the tag.
pub fn header(head: [u8; 5]) -> io::Result<(usize, u8)> {
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if length == 0 || length > LONGEST_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is not allowed")));
    }
    if head[4] != JSON && head[4] != BLOB {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("unknown frame tag {}", head[4])));
    }
    Ok((length - 1, head[4]))
}

/// Makes a frame of a checked header's tag and body.
pub fn frame(tag: u8, mut body: Vec<u8>) -> io::Result<Frame> {
    if tag == JSON {
        return Ok(Frame::Json(body));
    }
    if body.len() < 33 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a blob frame is too short"));
    }
    let bytes = body.split_off(33);
    let sha256 = body[..32].try_into().expect("the length was checked");
    Ok(Frame::Blob { sha256, last: body[32] != 0, bytes })
}

/// The bytes of a JSON frame.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, JSON];
    serde_json::to_writer(&mut bytes, message).expect("messages are plain data");
    let length = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

/// The bytes of a BLOB frame.
pub fn encode_blob(sha256: &[u8; 32], last: bool, part: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(5 + 33 + part.len());
    bytes.extend_from_slice(&((part.len() + 34) as u32).to_le_bytes());
    bytes.push(BLOB);
    bytes.extend_from_slice(sha256);
    bytes.push(u8::from(last));
    bytes.extend_from_slice(part);
    bytes
}

/// Reads a message out of a JSON frame.
pub fn decode<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    serde_json::from_slice(json)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("malformed message: {error}")))
}

/// Reads one frame; `None` at a clean end of the stream.
pub fn read_frame(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 5];
    let mut filled = 0;
    while filled < head.len() {
        match from.read(&mut head[filled..])? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => filled += n,
        }
    }
    let (length, tag) = header(head)?;
    let mut body = Vec::new();
    from.take(length as u64).read_to_end(&mut body)?;
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    frame(tag, body).map(Some)
}

/// Writes one message and flushes.
pub fn send<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    to.write_all(&encode(message))?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_way() {
        let request = Request::Goodbye;
        let bytes = encode(&request);
        let Some(Frame::Json(json)) = read_frame(&mut bytes.as_slice()).unwrap() else { panic!("a JSON frame") };
        assert_eq!(decode::<Request>(&json).unwrap(), request);
        let bytes = encode_blob(&[7; 32], true, b"content");
        let frame = read_frame(&mut bytes.as_slice()).unwrap().unwrap();
        assert_eq!(frame, Frame::Blob { sha256: [7; 32], last: true, bytes: b"content".to_vec() });
    }

    #[test]
    fn a_forged_length_takes_no_memory() {
        let bytes = [0xff, 0xff, 0xff, 0xff, JSON];
        assert_eq!(read_frame(&mut bytes.as_slice()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_cut_frame_is_an_error() {
        let bytes = encode(&Request::Goodbye);
        assert_eq!(read_frame(&mut &bytes[..bytes.len() - 1]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
