//! `tempfile`: a new file or directory under a name that nobody else has.

use std::hash::{BuildHasher as _, Hasher as _};
use std::path::{Path, PathBuf};

use super::paths::expand;
use super::state::{FileState, Look, resource_id};
use crate::args;
use crate::change::Change;
use crate::claims::Claims;
use crate::command::Command;
use crate::host::{Attributes, FileWrite, Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

crate::choice! {
    /// What is made.
    pub enum Kind { File = "file", Directory = "directory" }
}

args! {
    /// Makes an empty file or directory of a random name, open to the acting user only. It is not
    /// removed by itself.
    pub struct Args {
        /// What is made.
        state: Kind = Kind::File,
        /// The directory in which it is made. Missing: what `TMPDIR` says, else `/tmp`.
        path: Option<PathBuf>,
        /// How the name begins.
        prefix: String = "ansible.".into(),
        /// How the name ends.
        suffix: String = String::new(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A place to build
  tempfile:
    state: directory
    suffix: .build
  register: build
";

/// The module.
pub struct TemporaryFile;

impl Command for TemporaryFile {
    type Args = Args;

    fn guard(_: &Args, _: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        Ok(None)
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        if args.prefix.contains('/') || args.suffix.contains('/') {
            return Err(Failure::new("prefix and suffix are parts of a name and cannot contain `/`"));
        }
        let directory = match &args.path {
            Some(path) => expand(path, host.inspect()),
            None => host.env("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
        };
        let path = free_name(args, &directory, host.inspect())?;
        match args.state {
            Kind::Directory => host.make_directory(&path, &Attributes { mode: Some(0o700), ..Attributes::default() })?,
            Kind::File => {
                let attributes = Attributes { mode: Some(0o600), ..Attributes::default() };
                host.write(&FileWrite { path: &path, content: b"", attributes, validate: None })?;
            }
        }
        let mut result = FileState::observe(&path, Look::Outside, host.inspect())?.result();
        result.insert("path".into(), path.display().to_string().into());
        let mut outcome = Outcome::new(Ending::Changed, result);
        outcome.changes.push(Change::run(resource_id(&path)));
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        format!("make a temporary {} `{}*{}`", args.state.word(), args.prefix, args.suffix)
    }

    fn claims(_: &Args) -> Claims {
        // Nobody else can mean a name that does not exist yet.
        Claims::default()
    }
}

fn free_name(args: &Args, directory: &Path, host: &dyn Inspect) -> Result<PathBuf, Failure> {
    for _ in 0..100 {
        let name = format!("{}{}{}", args.prefix, random_word(10), args.suffix);
        let path = directory.join(name);
        if host.stat(&path)?.is_none() {
            return Ok(path);
        }
    }
    Err(Failure::at("find a free name in", directory, "a hundred were taken"))
}

/// Letters and digits that nobody can guess.
pub(crate) fn random_word(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut word = String::with_capacity(length);
    while word.len() < length {
        // The standard library seeds its hash maps from the system's random numbers.
        let mut random = std::collections::hash_map::RandomState::new().build_hasher().finish();
        for _ in 0..10.min(length - word.len()) {
            word.push(char::from(LETTERS[(random % LETTERS.len() as u64) as usize]));
            random /= LETTERS.len() as u64;
        }
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::host::memory::MemoryHost;
    use crate::registry::find;
    use serde_json::{Map, Value};

    #[test]
    fn a_new_place_is_private() {
        let mut host = MemoryHost::default();
        host.add_directory("/tmp");
        let options = Map::from_iter([("state".to_owned(), Value::from("directory"))]);
        let outcome = (find("tempfile").unwrap().run)(&options, &mut host);
        assert_eq!((outcome.ending, outcome.result["mode"].as_str()), (Ending::Changed, Some("0700")));
        assert!(outcome.result["path"].as_str().unwrap().starts_with("/tmp/ansible."));
    }
}
