//! `slurp`: the content of a file as a result. Also how `fetch` gets it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::paths::{expand, stat_followed};
use crate::args;
use crate::host::{FileKind, Inspect, digest_bytes};
use crate::outcome::Failure;
use crate::query::Query;

/// Largest file (bytes) whose content fits into a result.
pub const LARGEST: u64 = 24 << 20;

args! {
    /// Reads a file of the host: `content` is its content in base64. For files of at most 24 MiB.
    pub struct Args {
        /// The file.
        src ("path"): PathBuf,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: What does it say
  slurp:
    src: /etc/hostname
  register: hostname
";

/// The module.
pub struct Slurp;

impl Query for Slurp {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let path = expand(&args.src, host);
        match stat_followed(&path, host)? {
            None => Err(Failure::new(format!("File not found: {}", path.display()))),
            Some(stat) if stat.kind == FileKind::Directory => {
                Err(Failure::new(format!("Source is a directory and must be a file: {}", path.display())))
            }
            Some(_) => Ok(content(&path, &host.read(&path, LARGEST)?)),
        }
    }
}

/// The content of a file as result fields.
pub(crate) fn content(path: &Path, bytes: &[u8]) -> Map<String, Value> {
    Map::from_iter([
        ("content".to_owned(), Value::from(STANDARD.encode(bytes))),
        ("encoding".to_owned(), Value::from("base64")),
        ("source".to_owned(), Value::from(path.display().to_string())),
    ])
}

/// SHA-1 and MD5 of a content, as results have them.
pub(crate) fn digests(bytes: &[u8]) -> [(String, Value); 2] {
    let digest = |algorithm: &str| Value::from(digest_bytes(bytes, algorithm).expect("both algorithms are known"));
    [("checksum".to_owned(), digest("sha1")), ("md5sum".to_owned(), digest("md5"))]
}
