//! `copy_tree`: a directory of the controller on the host, in one request.
//!
//! What the controller makes of `copy` with a directory as its source.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::mode::Mode;
use super::paths::{self, expand};
use super::state;
use super::tree::{self, Item, Options, Tree};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

file_args! {
    /// Makes a directory on the host like a manifest of files by digest. Used by the controller for
    /// `copy` of a directory; other files in the directory are left alone.
    pub struct Args {
        /// The directory on the host; made if it is missing.
        dest: PathBuf,
        /// The manifest: a list of `path` (relative), and of a file `sha256`, `size` and `mode`, of a
        /// link `link`; anything else is a directory.
        files: Vec<Item>,
        /// What was copied, for the result.
        src: Option<String>,
        /// Whether files that differ are replaced.
        force: bool = true,
        /// Whether a file that is replaced is kept beside it with a time stamp.
        backup: bool = false,
        /// Command that must accept each new file; `%s` stands for its path.
        validate: Option<String>,
        /// Permissions of directories.
        directory_mode: Option<Mode>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A directory with a file, a link and a directory
  copy_tree:
    dest: /srv/www
    mode: '0644'
    directory_mode: '0755'
    files:
      - path: html/index.html
        sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
        size: 5
      - path: current
        link: html
      - path: empty
";

/// The module.
pub struct CopyTree;

impl Args {
    fn options(&self) -> Options<'_> {
        Options {
            written: self.wanted_attributes(),
            directory_mode: self.directory_mode.as_ref(),
            force: self.force,
            backup: self.backup,
            validate: self.validate.as_deref(),
        }
    }
}

impl Resource for CopyTree {
    type Args = Args;
    type State = Tree;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Tree, Failure> {
        let dest = paths::plain(&expand(&args.dest, host));
        tree::read(&dest, args.files.clone(), &args.options(), host)
    }

    fn want(args: &Args, now: &Tree) -> Result<Tree, Failure> {
        Ok(tree::want(now, &args.options()))
    }

    fn write(args: &Args, step: &Step<'_, Tree>, host: &mut dyn Host) -> Result<Written, Failure> {
        tree::write(step.now, step.want, &args.options(), host)
    }

    fn result(args: &Args, _: &Tree, after: &Tree) -> Map<String, Value> {
        let mut result = after.result();
        if let Some(source) = &args.src {
            result.insert("src".into(), source.as_str().into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let mut claims = state::claims(&args.dest, args.owner.as_deref(), args.group.as_deref());
        claims.provides.extend(args.files.iter().map(|item| state::resource_id(&args.dest.join(&item.path))));
        claims
    }
}
