//! `assemble`: a file put together from the files of a directory on the host.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::copy::{Origin, Placed, Wish};
use super::paths::{expand, stat_followed};
use super::pattern::{self, Lines};
use super::state::{self, resource_id};
use crate::claims::Claims;
use crate::host::{FileKind, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

/// Largest result (bytes).
const LARGEST: u64 = 64 << 20;

file_args! {
    /// Joins the files of a directory, in the order of their names, into one file.
    pub struct Args {
        /// The directory of the parts, on the host.
        src: PathBuf,
        /// The file that they become.
        dest: PathBuf,
        /// Text between two parts; `\\n` is a line feed.
        delimiter: Option<String>,
        /// Only parts whose name matches this regular expression.
        regexp: Option<String>,
        /// Whether parts whose name begins with a dot are left out.
        ignore_hidden: bool = false,
        /// Whether the parts are on the host; otherwise they are on the controller, in `files/` of the role or
        /// beside the playbook.
        remote_src: bool = true,
        /// Whether parts on the controller that are vault-encrypted are decrypted (by the controller).
        decrypt: bool = true,
        /// Whether a file that is replaced is kept beside it with a time stamp.
        backup: bool = false,
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = r"
- name: One file from many
  assemble:
    src: /etc/default
    dest: /etc/app.conf
    delimiter: '# ----'
    regexp: '^[a-z]+$'
    owner: root
    mode: '0644'
";

/// The module.
pub struct Assemble;

/// Which parts are meant.
#[derive(Debug)]
pub struct Choice {
    regexp: Option<regex::bytes::Regex>,
    ignore_hidden: bool,
}

impl Choice {
    /// Parts whose name matches a regular expression, perhaps without hidden ones.
    pub fn new(regexp: Option<&str>, ignore_hidden: bool) -> Result<Self, Failure> {
        let regexp = regexp.map(|regexp| pattern::compile(regexp, Lines::One)).transpose()?;
        Ok(Self { regexp, ignore_hidden })
    }

    /// Whether a part of this name is meant.
    pub fn has(&self, name: &str) -> bool {
        self.regexp.as_ref().is_none_or(|regexp| regexp.is_match(name.as_bytes()))
            && !(self.ignore_hidden && name.starts_with('.'))
    }
}

/// Parts, joined.
#[derive(Debug, Default)]
pub struct Joined {
    /// What they are together.
    pub text: Vec<u8>,
    delimiter: Option<String>,
    has_parts: bool,
    needs_newline: bool,
}

impl Joined {
    /// Nothing yet; between parts stands this text, in which `\\n` is a line feed.
    pub fn new(delimiter: Option<&str>) -> Self {
        Self { delimiter: delimiter.map(|text| text.replace("\\n", "\n")), ..Self::default() }
    }

    /// Adds a part.
    pub fn add(&mut self, part: &[u8]) {
        if self.has_parts {
            if self.needs_newline {
                self.text.push(b'\n');
            }
            if let Some(delimiter) = &self.delimiter {
                self.text.extend_from_slice(delimiter.as_bytes());
                if !delimiter.ends_with('\n') {
                    self.text.push(b'\n');
                }
            }
        }
        self.has_parts = true;
        // A part without content counts as one without an end.
        self.needs_newline = !part.ends_with(b"\n");
        self.text.extend_from_slice(part);
    }
}

impl Args {
    fn text(&self, host: &dyn Inspect) -> Result<String, Failure> {
        if !self.remote_src {
            return Err(Failure::new("the parts are on the controller, and were not sent by it"));
        }
        let directory = expand(&self.src, host);
        match stat_followed(&directory, host)? {
            None => return Err(Failure::new(format!("Source ({}) does not exist", directory.display()))),
            Some(stat) if stat.kind != FileKind::Directory => {
                return Err(Failure::new(format!("Source ({}) is not a directory", directory.display())));
            }
            Some(_) => {}
        }
        let choice = Choice::new(self.regexp.as_deref(), self.ignore_hidden)?;
        let mut joined = Joined::new(self.delimiter.as_deref());
        for name in host.list(&directory)? {
            let path = directory.join(&name);
            if choice.has(&name) && stat_followed(&path, host)?.is_some_and(|stat| stat.kind == FileKind::File) {
                joined.add(&host.read(&path, LARGEST - (joined.text.len() as u64).min(LARGEST))?);
            }
        }
        String::from_utf8(joined.text)
            .map_err(|_| Failure::new(format!("the files of `{}` are not all text", directory.display())))
    }

    fn wish<'a>(&'a self, text: &'a str) -> Wish<'a> {
        Wish {
            dest: &self.dest,
            basename: None,
            origin: Origin::Text(text),
            written: self.wanted_attributes(),
            directory_mode: None,
            force: true,
            follow: false,
            backup: self.backup,
            validate: self.validate.as_deref(),
            checksum: None,
        }
    }
}

impl Resource for Assemble {
    type Args = Args;
    type State = Placed;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Placed, Failure> {
        args.wish(&args.text(host)?).read(host)
    }

    fn want(args: &Args, now: &Placed) -> Result<Placed, Failure> {
        Ok(args.wish("").want(now))
    }

    fn write(args: &Args, step: &Step<'_, Placed>, host: &mut dyn Host) -> Result<Written, Failure> {
        let text = args.text(host.inspect())?;
        args.wish(&text).write(step.now, step.want, host)
    }

    fn result(args: &Args, before: &Placed, after: &Placed) -> Map<String, Value> {
        let mut result = args.wish("").result(before, after);
        result.remove("path");
        result.insert("md5sum".into(), after.digest("md5").into());
        result.insert("src".into(), args.src.display().to_string().into());
        result.insert("msg".into(), "OK".into());
        result
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.dest, args.owner.as_deref(), args.group.as_deref()).needing([resource_id(&args.src)])
    }
}
