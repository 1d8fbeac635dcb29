//! `fetch`, on the side of the host: the content of one file. Where it goes is for the controller.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::paths::{expand, stat_followed};
use super::slurp::{LARGEST, content, digests};
use crate::args;
use crate::host::{FileKind, Inspect};
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Brings a file of the host to the controller, below a directory named after the host (or, with
    /// `flat`, to exactly `dest`). For files of at most 24 MiB.
    pub struct Args {
        /// The file on the host.
        src: PathBuf,
        /// Where it goes on the controller.
        dest: Option<String>,
        /// Whether `dest` is the file itself and not the top of a tree by host.
        flat: bool = false,
        /// Whether a missing file is a failure.
        fail_on_missing: bool = true,
        /// Whether the content that arrived is compared with that on the host (it always is).
        validate_checksum: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Keep a copy here
  fetch:
    src: /etc/hostname
    dest: collected
- name: If there is one
  fetch:
    src: /no/such/file
    dest: collected/
    fail_on_missing: false
    flat: true
";

/// The module.
pub struct Fetch;

impl Query for Fetch {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let path = expand(&args.src, host);
        let shown = Value::from(path.display().to_string());
        let problem = match stat_followed(&path, host)? {
            None => "the remote file does not exist",
            Some(stat) if stat.kind == FileKind::Directory => "remote file is a directory, fetch cannot work on directories",
            Some(stat) if stat.size > LARGEST => {
                return Err(Failure::new(format!(
                    "cannot fetch `{}`: it has {} bytes, more than the limit of {LARGEST}",
                    path.display(),
                    stat.size
                )));
            }
            Some(stat) => {
                let bytes = host.read(&path, LARGEST)?;
                let mut result = content(&path, &bytes);
                result.extend(digests(&bytes));
                result.insert("size".into(), stat.size.into());
                return Ok(result);
            }
        };
        if args.fail_on_missing {
            return Err(Failure::new(format!("{problem}, not transferring")).with("file", shown));
        }
        Ok(Map::from_iter([
            ("msg".to_owned(), Value::from(format!("{problem}, not transferring, ignored"))),
            ("file".to_owned(), shown),
            ("missing".to_owned(), Value::Bool(true)),
        ]))
    }
}
