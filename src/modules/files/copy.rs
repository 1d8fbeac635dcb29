//! `copy`: a file with this content. Also what `template` does on the host.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::attributes::{Wanted, file_args};
use super::mode::Mode;
use super::offer::{Offer, Text};
use super::paths::{self, ends_in_slash, expand, is_directory, missing_above, real_path, stat_followed};
use super::state::{self, Body, FileState, Look, Put, make_directories};
use super::tree;
use crate::change::{Content, ResourceState};
use crate::claims::Claims;
use crate::host::{FileKind, Host, Inspect, Source, digest_bytes};
use crate::outcome::Failure;
use crate::resource::{Resource, State, Step, Written};

file_args! {
    /// Copies a file or a directory to the host, or writes given text into a file there.
    ///
    /// Content travels by digest: what the host has already is not sent again. A file is replaced
    /// whole or not at all.
    pub struct Args {
        /// File or directory on the controller, relative to `files/` of the role or to the playbook;
        /// with `remote_src` a path on the host. A directory that ends in `/` gives its content,
        /// else itself.
        src: Option<String>,
        /// Text of the file, instead of `src`.
        content: Option<Text>,
        /// Where it goes on the host. If it is a directory or ends in `/`, the file keeps its name.
        dest: PathBuf,
        /// Whether `src` is on the host.
        remote_src: bool = false,
        /// Whether a file that differs is replaced; otherwise only a missing one is written.
        force: bool = true,
        /// Whether a file that is replaced is kept beside it with a time stamp.
        backup: bool = false,
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
        /// Permissions of directories that are made. Missing: by the host's umask.
        directory_mode: Option<Mode>,
        /// Whether a link at `dest` is followed instead of replaced.
        follow: bool = false,
        /// Whether links in `src` on the controller are followed; otherwise they are copied as links.
        local_follow: bool = true,
        /// SHA-1 that the content must have.
        checksum: Option<String>,
        /// Whether a vault-encrypted `src` is decrypted (by the controller).
        decrypt: bool = true,
        /// Set by the controller: SHA-256, size and mode of the content.
        stead_source: Option<Offer>,
        /// Set by the controller: the name that the source has without directories.
        stead_basename: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A file from the controller
  copy:
    src: sshd_config
    dest: /etc/ssh/sshd_config
    owner: root
    group: root
    mode: '0600'
    backup: true
- name: Given text
  copy:
    content: |
      Authorised users only.
    dest: /etc/motd
    mode: u=rw,go=r
- name: Into a directory, under its own name
  copy:
    src: files/app.conf
    dest: /etc/app/conf.d/
    mode: '0644'
    directory_mode: '0750'
- name: Only where there is none yet
  copy:
    content: initial
    dest: /etc/hostname
    force: false
- name: A copy on the host itself
  copy:
    src: /etc/hosts
    dest: /etc/hosts.copy
    remote_src: true
    mode: preserve
- name: A whole directory on the host itself
  copy:
    src: /etc/default/
    dest: /srv/default
    remote_src: true
    directory_mode: '0700'
";

/// What `copy` and `template` ask for, whatever their options are called.
#[derive(Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) dest: &'a Path,
    pub(crate) basename: Option<&'a str>,
    pub(crate) origin: Origin<'a>,
    pub(crate) written: super::attributes::Written<'a>,
    pub(crate) directory_mode: Option<&'a Mode>,
    pub(crate) force: bool,
    pub(crate) follow: bool,
    pub(crate) backup: bool,
    pub(crate) validate: Option<&'a str>,
    pub(crate) checksum: Option<&'a str>,
}

/// Where the content comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// It stands in the options.
    Text(&'a str),
    /// The controller has it.
    Offered(&'a Offer),
    /// A path on the host.
    Host(&'a str),
}

/// The file, and the directories above it that are missing.
#[derive(Debug, Clone)]
pub struct Placed {
    file: FileState,
    above: Vec<FileState>,
    wanted: Wanted,
    wanted_above: Wanted,
    content: Option<Content>,
    /// SHA-1 of a file too large to be held.
    large_sha1: Option<String>,
    source: Option<PathBuf>,
}

impl Placed {
    /// Digest of the file, if its content is held.
    pub(crate) fn digest(&self, algorithm: &str) -> Option<String> {
        let bytes = self.file.content.as_ref().and_then(|content| content.bytes.as_deref())?;
        digest_bytes(bytes, algorithm)
    }
}

impl Wish<'_> {
    /// Where the file really goes.
    fn place(&self, host: &dyn Inspect) -> Result<(PathBuf, bool), Failure> {
        let dest = expand(self.dest, host);
        let into = ends_in_slash(self.dest);
        let mut path = paths::plain(&dest);
        if into || is_directory(&path, host)? {
            let from_source = match self.origin {
                Origin::Host(source) => Path::new(source).file_name().and_then(|name| name.to_str()),
                Origin::Text(_) | Origin::Offered(_) => None,
            };
            let name = self.basename.or(from_source);
            let name = name
                .ok_or_else(|| Failure::new("can not use content with a dir as dest").with("dest", dest.display().to_string()))?;
            if name.contains('/') || matches!(name, "" | "." | "..") {
                return Err(Failure::new(format!("`{name}` is not a file name")));
            }
            path.push(name);
        }
        if self.follow && host.stat(&path)?.is_some_and(|stat| stat.kind == FileKind::Link) {
            path = real_path(&path, host)?;
        }
        Ok((path, into))
    }

    pub(crate) fn read(&self, host: &dyn Inspect) -> Result<Placed, Failure> {
        let (path, into) = self.place(host)?;
        let file = FileState::observe(&path, Look::Inside, host)?;
        if file.kind == Some(FileKind::Directory) {
            return Err(Failure::new(format!("`{}` is a directory; a file is wanted there", path.display())));
        }
        let mut above: Vec<FileState> = missing_above(&path, host)?.iter().map(|path| FileState::absent(path)).collect();
        if host.awaits_files() && !into {
            above.clear();
        }
        if !above.is_empty() && !into {
            let directory = path.parent().unwrap_or(&path).display();
            return Err(Failure::new(format!("Destination directory {directory} does not exist")));
        }
        let mut wanted = self.written.look_up(host)?;
        if !self.force && file.kind.is_some() {
            let wanted_above = Wanted::default();
            return Ok(Placed { file, above, wanted, wanted_above, content: None, large_sha1: None, source: None });
        }
        let (content, source, source_mode) = self.content(&file, host)?;
        if wanted.mode.as_ref().is_some_and(Mode::is_preserve) {
            wanted.mode = source_mode.map(Mode::of);
        }
        if let Some(expected) = self.checksum {
            Self::check(expected, &content, source.as_deref(), host)?;
        }
        let wanted_above = Wanted { mode: self.directory_mode.cloned(), ..wanted.clone() };
        let large = file.content.as_ref().is_some_and(|content| content.bytes.is_none()) && host.acts();
        let large_sha1 = large.then(|| host.digest(&path, "sha1")).transpose()?;
        Ok(Placed { file, above, wanted, wanted_above, content: Some(content), large_sha1, source })
    }

    /// The wanted content, its path if it is on the host, and the mode that it has there.
    fn content(&self, now: &FileState, host: &dyn Inspect) -> Result<(Content, Option<PathBuf>, Option<u32>), Failure> {
        match self.origin {
            Origin::Text(text) => Ok((Content::of(text.as_bytes()), None, None)),
            Origin::Offered(offer) => Ok((offer.content(now.content.as_ref(), host)?, None, offer.mode)),
            Origin::Host(source) => {
                let source = expand(Path::new(source), host);
                let missing = || Failure::new(format!("Source {} not found", source.display()));
                let stat = stat_followed(&source, host)?.ok_or_else(missing)?;
                if stat.kind != FileKind::File {
                    return Err(Failure::new(format!("`{}` is not a regular file", source.display())));
                }
                Ok((state::content_of(&source, stat.size, host)?, Some(source), Some(stat.mode)))
            }
        }
    }

    fn check(expected: &str, content: &Content, source: Option<&Path>, host: &dyn Inspect) -> Result<(), Failure> {
        let found = match (&content.bytes, source) {
            (Some(bytes), _) => digest_bytes(bytes, "sha1").expect("sha1 is known"),
            (None, Some(source)) => host.digest(source, "sha1")?,
            (None, None) => digest_bytes(&host.blob(&content.sha256)?, "sha1").expect("sha1 is known"),
        };
        if found == expected {
            return Ok(());
        }
        Err(Failure::new("Copied file does not match the expected checksum. Transfer failed.")
            .with("checksum", found)
            .with("expected_checksum", expected))
    }

    pub(crate) fn want(&self, now: &Placed) -> Placed {
        let mut want = now.clone();
        if !self.force && now.file.kind.is_some() {
            // What is there stays as it is, attributes included: nothing is managed but that it is there.
            want.file = FileState { kind: now.file.kind, ..FileState::absent(&now.file.path) };
            return want;
        }
        want.file = FileState { content: now.content.clone(), ..now.file.wanted(FileKind::File, &now.wanted) };
        want.above = now.above.iter().map(|directory| directory.wanted(FileKind::Directory, &now.wanted_above)).collect();
        want
    }

    pub(crate) fn write(&self, now: &Placed, want: &Placed, host: &mut dyn Host) -> Result<Written, Failure> {
        make_directories(&want.above, host)?;
        let content = want.content.as_ref().expect("what is wanted has content");
        let body = match (&content.bytes, &want.source) {
            (Some(bytes), _) => Body::Bytes(bytes),
            (None, Some(source)) => Body::From(Source::File(source)),
            (None, None) => Body::From(Source::Offered { sha256: &content.sha256, size: content.size }),
        };
        let how = Put { body, validate: self.validate, backup: self.backup, backup_field: "backup_file" };
        let written = state::put(&now.file, &want.file, &how, host)?;
        // Of a file too large to be held the digest must be read now.
        let is_large = content.bytes.is_none() && host.acts();
        Ok(if is_large { written.with("md5sum", host.digest(&want.file.path, "md5")?) } else { written })
    }

    pub(crate) fn result(&self, before: &Placed, after: &Placed) -> Map<String, Value> {
        let path = after.file.path.display().to_string();
        if !self.force && before.file.kind.is_some() {
            // It was there, and was not to be replaced.
            return Map::from_iter([("dest".to_owned(), Value::from(path))]);
        }
        let mut result = after.file.result();
        result.insert("dest".into(), path.clone().into());
        if let Origin::Host(source) = self.origin {
            result.insert("src".into(), source.into());
        }
        let checksum = after.digest("sha1").or_else(|| after.large_sha1.clone());
        result.insert("checksum".into(), checksum.into());
        let is_on_host = matches!(self.origin, Origin::Host(_));
        if !is_on_host && !before.file.differs_inside(&after.file) {
            result.insert("path".into(), path.into());
        } else if let Some(md5) = after.digest("md5") {
            result.insert("md5sum".into(), md5.into());
        }
        result
    }

    pub(crate) fn claims(&self) -> Claims {
        let mut path = self.dest.to_owned();
        if let Some(name) = self.basename.filter(|_| ends_in_slash(self.dest)) {
            path.push(name);
        }
        let claims = state::claims(&path, self.written.owner, self.written.group);
        match self.origin {
            Origin::Host(source) => claims.needing([state::resource_id(Path::new(source))]),
            Origin::Text(_) | Origin::Offered(_) => claims,
        }
    }
}

impl State for Placed {
    fn resources(&self) -> Vec<ResourceState> {
        self.above.iter().chain([&self.file]).map(FileState::resource).collect()
    }
}

/// The module.
pub struct Copy;

/// A file, or (with `remote_src`) a directory and everything in it.
#[derive(Debug, Clone)]
pub enum Copied {
    /// One file.
    File(Box<Placed>),
    /// A tree.
    Tree(Box<tree::Tree>),
}

impl State for Copied {
    fn resources(&self) -> Vec<ResourceState> {
        match self {
            Self::File(placed) => placed.resources(),
            Self::Tree(tree) => tree.resources(),
        }
    }
}

impl Args {
    fn wish(&self) -> Result<Wish<'_>, Failure> {
        let origin = match (&self.content, &self.stead_source, &self.src) {
            (Some(_), None, Some(_)) => return Err(Failure::new("src and content are mutually exclusive")),
            (_, Some(offer), _) => Origin::Offered(offer),
            (Some(text), _, _) => Origin::Text(&text.0),
            (None, None, Some(source)) if self.remote_src => Origin::Host(source),
            (None, None, Some(source)) => {
                return Err(Failure::new(format!("the content of `{source}` was not offered by the controller")));
            }
            (None, None, None) => return Err(Failure::new("src (or content) is required")),
        };
        Ok(Wish {
            dest: &self.dest,
            basename: self.stead_basename.as_deref(),
            origin,
            written: self.wanted_attributes(),
            directory_mode: self.directory_mode.as_ref(),
            force: self.force,
            follow: self.follow,
            backup: self.backup,
            validate: self.validate.as_deref(),
            checksum: self.checksum.as_deref(),
        })
    }

    /// The tree on the host that is to be copied, if the source is a directory there.
    fn host_tree(&self, host: &dyn Inspect) -> Result<Option<PathBuf>, Failure> {
        let Some(source) = self.src.as_ref().filter(|_| self.remote_src && self.content.is_none()) else { return Ok(None) };
        let source = expand(Path::new(source), host);
        Ok(is_directory(&source, host)?.then_some(source))
    }

    fn tree_options(&self) -> tree::Options<'_> {
        tree::Options {
            written: self.wanted_attributes(),
            directory_mode: self.directory_mode.as_ref(),
            force: self.force,
            backup: self.backup,
            validate: self.validate.as_deref(),
        }
    }
}

impl Resource for Copy {
    type Args = Args;
    type State = Copied;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Copied, Failure> {
        let Some(source) = args.host_tree(host)? else { return Ok(Copied::File(Box::new(args.wish()?.read(host)?))) };
        let mut dest = paths::plain(&expand(&args.dest, host));
        if !args.src.as_deref().is_some_and(|source| source.ends_with('/')) {
            dest.extend(source.file_name());
        }
        if paths::real_path(&dest, host)?.starts_with(paths::real_path(&source, host)?) {
            return Err(Failure::new(format!("cannot copy `{}` into itself, `{}`", source.display(), dest.display())));
        }
        let items = tree::on_host(&source, host)?;
        Ok(Copied::Tree(Box::new(tree::read(&dest, items, &args.tree_options(), host)?)))
    }

    fn want(args: &Args, now: &Copied) -> Result<Copied, Failure> {
        Ok(match now {
            Copied::File(placed) => Copied::File(Box::new(args.wish()?.want(placed))),
            Copied::Tree(tree) => Copied::Tree(Box::new(tree::want(tree, &args.tree_options()))),
        })
    }

    fn write(args: &Args, step: &Step<'_, Copied>, host: &mut dyn Host) -> Result<Written, Failure> {
        match (step.now, step.want) {
            (Copied::File(now), Copied::File(want)) => args.wish()?.write(now, want, host),
            (Copied::Tree(now), Copied::Tree(want)) => tree::write(now, want, &args.tree_options(), host),
            _ => Err(Failure::new("the source changed while it was being copied")),
        }
    }

    fn result(args: &Args, before: &Copied, after: &Copied) -> Map<String, Value> {
        let mut result = match (before, after) {
            (Copied::File(before), Copied::File(after)) => args.wish().map(|wish| wish.result(before, after)).unwrap_or_default(),
            (_, Copied::Tree(after)) => {
                let mut result = after.result();
                result.insert("dest".into(), args.dest.display().to_string().into());
                result.insert("checksum".into(), Value::Null);
                result.insert("md5sum".into(), Value::Null);
                result
            }
            _ => Map::new(),
        };
        if let Some(source) = &args.src {
            result.insert("src".into(), source.as_str().into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        if let Ok(wish) = args.wish() {
            return wish.claims();
        }
        let mut path = args.dest.clone();
        if ends_in_slash(&path) {
            path.extend(args.src.as_deref().and_then(|source| Path::new(source).file_name()));
        }
        state::claims(&path, args.owner.as_deref(), args.group.as_deref())
    }
}
