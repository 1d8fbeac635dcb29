//! `template`: a file whose content the controller has rendered.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::copy::{Origin, Placed, Wish};
use super::offer::Offer;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

crate::choice! {
    /// How lines of a rendered template end.
    pub enum Newline { Unix = "\n" | "\\n", Carriage = "\r" | "\\r", Windows = "\r\n" | "\\r\\n" }
}

file_args! {
    /// Renders a Jinja template on the controller and puts the result on the host. The host is sent
    /// the digest first, and the content only if it differs.
    pub struct Args {
        /// Template on the controller, relative to `templates/` of the role or to the playbook.
        src: String,
        /// Where it goes on the host. If it is a directory or ends in `/`, the file keeps its name.
        dest: PathBuf,
        /// Whether a file that is replaced is kept beside it with a time stamp.
        backup: bool = false,
        /// Whether a file that differs is replaced; otherwise only a missing one is written.
        force: bool = true,
        /// Whether a link at `dest` is followed instead of replaced.
        follow: bool = false,
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
        /// What ends a line of the result.
        newline_sequence: Newline = Newline::Unix,
        /// What begins a statement.
        block_start_string: String = "{%".into(),
        /// What ends a statement.
        block_end_string: String = "%}".into(),
        /// What begins an expression.
        variable_start_string: String = "{{".into(),
        /// What ends an expression.
        variable_end_string: String = "}}".into(),
        /// What begins a comment.
        comment_start_string: Option<String>,
        /// What ends a comment.
        comment_end_string: Option<String>,
        /// Whether the newline after a statement is dropped.
        trim_blocks: bool = true,
        /// Whether blanks before a statement are dropped.
        lstrip_blocks: bool = false,
        /// Encoding of the result; only `utf-8`.
        output_encoding: String = "utf-8".into(),
        /// Set by the controller: SHA-256 and size of the rendered text.
        stead_source: Option<Offer>,
        /// Set by the controller: the rendered text itself, where it is short.
        stead_content: Option<String>,
        /// Set by the controller: the name that the template has without directories.
        stead_basename: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Configuration from a template, checked before it is used
  template:
    src: sshd_config.j2
    dest: /etc/ssh/sshd_config
    owner: root
    group: root
    mode: '0600'
- name: Into a directory
  template:
    src: app.conf.j2
    dest: /etc/default/
    backup: true
";

/// The module.
pub struct Template;

impl Args {
    fn wish(&self) -> Result<Wish<'_>, Failure> {
        let origin = match (&self.stead_source, &self.stead_content) {
            (Some(offer), _) => Origin::Offered(offer),
            (None, Some(text)) => Origin::Text(text),
            (None, None) => return Err(Failure::new(format!("the result of `{}` was not offered by the controller", self.src))),
        };
        let basename = self.stead_basename.as_deref().or_else(|| self.src.rsplit('/').next());
        Ok(Wish {
            dest: &self.dest,
            basename,
            origin,
            written: self.wanted_attributes(),
            directory_mode: None,
            force: self.force,
            follow: self.follow,
            backup: self.backup,
            validate: self.validate.as_deref(),
            checksum: None,
        })
    }
}

impl Resource for Template {
    type Args = Args;
    type State = Placed;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Placed, Failure> {
        args.wish()?.read(host)
    }

    fn want(args: &Args, now: &Placed) -> Result<Placed, Failure> {
        Ok(args.wish()?.want(now))
    }

    fn write(args: &Args, step: &Step<'_, Placed>, host: &mut dyn Host) -> Result<Written, Failure> {
        args.wish()?.write(step.now, step.want, host)
    }

    fn result(args: &Args, before: &Placed, after: &Placed) -> Map<String, Value> {
        let mut result = args.wish().map(|wish| wish.result(before, after)).unwrap_or_default();
        result.insert("src".into(), args.src.as_str().into());
        result
    }

    fn claims(args: &Args) -> Claims {
        args.wish()
            .map_or_else(|_| super::state::claims(&args.dest, args.owner.as_deref(), args.group.as_deref()), |wish| wish.claims())
    }
}
