//! `assemble`: a file put together from the files of a directory on the host.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::copy::{Origin, Placed, Wish};
use super::paths::{expand, is_directory, stat_followed};
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
        /// `false` (parts on the controller) is refused; use a template.
        remote_src: bool = true,
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

impl Args {
    fn text(&self, host: &dyn Inspect) -> Result<String, Failure> {
        if !self.remote_src {
            return Err(Failure::new("remote_src: false is not supported here; make the file with `template`"));
        }
        let directory = expand(&self.src, host);
        if !is_directory(&directory, host)? {
            return Err(Failure::new(format!("Source ({}) is not a directory", directory.display())));
        }
        let regexp = self.regexp.as_deref().map(|regexp| pattern::compile(regexp, Lines::One)).transpose()?;
        let delimiter = self.delimiter.as_ref().map(|text| text.replace("\\n", "\n"));
        let mut text = Vec::new();
        let mut needs_delimiter = false;
        let mut needs_newline = false;
        for name in host.list(&directory)? {
            let path = directory.join(&name);
            let is_part = regexp.as_ref().is_none_or(|regexp| regexp.is_match(name.as_bytes()))
                && !(self.ignore_hidden && name.starts_with('.'))
                && stat_followed(&path, host)?.is_some_and(|stat| stat.kind == FileKind::File);
            if !is_part {
                continue;
            }
            let part = host.read(&path, LARGEST - (text.len() as u64).min(LARGEST))?;
            if needs_newline {
                text.push(b'\n');
            }
            if let Some(delimiter) = delimiter.as_ref().filter(|_| needs_delimiter) {
                text.extend_from_slice(delimiter.as_bytes());
                if !delimiter.ends_with('\n') {
                    text.push(b'\n');
                }
            }
            needs_newline = !part.ends_with(b"\n");
            needs_delimiter = true;
            text.extend(part);
        }
        String::from_utf8(text).map_err(|_| Failure::new(format!("the files of `{}` are not all text", directory.display())))
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
