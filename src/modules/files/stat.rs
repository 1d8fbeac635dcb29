//! `stat`: what is known of a path.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::paths::{expand, real_path, stat_followed};
use crate::args;
use crate::host::{CommandLine, FileKind, FileStat, Inspect};
use crate::outcome::Failure;
use crate::query::Query;

crate::choice! {
    /// A checksum algorithm.
    pub enum Algorithm { Md5 = "md5", Sha1 = "sha1", Sha224 = "sha224", Sha256 = "sha256", Sha384 = "sha384", Sha512 = "sha512" }
}

args! {
    /// Looks at a path: what it is, whose, and (for a file) the checksum of its content. A path at
    /// which nothing is has `stat.exists: false`.
    pub struct Args {
        /// The path.
        path ("dest", "name"): PathBuf,
        /// Whether a link is followed.
        follow: bool = false,
        /// Whether the content of a file is read for a checksum.
        get_checksum: bool = true,
        /// How the checksum is made.
        checksum_algorithm ("checksum", "checksum_algo"): Algorithm = Algorithm::Sha1,
        /// Whether the type of the content is guessed, with the host's `file` command.
        get_mime ("mime", "mime_type", "mime-type"): bool = true,
        /// Whether flags are read, with the host's `lsattr` command.
        get_attributes ("attr", "attributes"): bool = true,
        /// Whether SELinux's label is read.
        get_selinux_context: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Is it there, and since when
  stat:
    path: /etc/hosts
  register: hosts
- name: Nothing is there
  stat:
    path: /no/such/file
- name: A better checksum, nothing else
  stat:
    path: /etc/hosts
    checksum_algorithm: sha256
    get_mime: false
    get_attributes: false
";

/// The module.
pub struct Stat;

impl Query for Stat {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let path = expand(&args.path, host);
        let found = if args.follow { stat_followed(&path, host)? } else { host.stat(&path)? };
        let Some(found) = found else { return Ok(wrap(Map::from_iter([("exists".to_owned(), Value::Bool(false))]))) };
        let mut stat = fields(&path, &found, host)?;
        stat.insert("exists".into(), true.into());
        // What a plan would write takes whole pages, as on most file systems.
        let (blocks, block_size) = found.storage.unwrap_or((found.size.div_ceil(4096) * 8, 4096));
        stat.insert("blocks".into(), blocks.into());
        stat.insert("block_size".into(), block_size.into());
        stat.insert("device_type".into(), found.device.into());
        let [readable, writeable, executable] = host.access(&path);
        stat.insert("readable".into(), readable.into());
        stat.insert("writeable".into(), writeable.into());
        stat.insert("executable".into(), executable.into());
        if let Some(target) = &found.target {
            stat.insert("lnk_source".into(), real_path(&path, host)?.display().to_string().into());
            stat.insert("lnk_target".into(), target.display().to_string().into());
        }
        if args.get_checksum && found.kind == FileKind::File && readable {
            stat.insert("checksum".into(), host.digest(&path, args.checksum_algorithm.word())?.into());
        }
        if args.get_mime {
            let (mimetype, charset) = mime(&path, args.follow, host);
            stat.insert("mimetype".into(), mimetype.into());
            stat.insert("charset".into(), charset.into());
        }
        if args.get_attributes {
            add_flags(&mut stat, &path, host);
        }
        if args.get_selinux_context {
            let label = host.xattrs(&path).remove("security.selinux").unwrap_or_default();
            let label = String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned();
            let parts: Vec<Value> =
                if label.is_empty() { vec![Value::Null; 4] } else { label.splitn(4, ':').map(Value::from).collect() };
            stat.insert("selinux_context".into(), parts.into());
        }
        Ok(wrap(stat))
    }
}

fn wrap(stat: Map<String, Value>) -> Map<String, Value> {
    Map::from_iter([("stat".to_owned(), Value::Object(stat))])
}

/// The fields that `stat` and `find` have in common.
pub(crate) fn fields(path: &Path, found: &FileStat, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
    let is = |kind: FileKind| found.kind == kind;
    let bit = |bit: u32| found.mode & bit != 0;
    let fields = json!({
        "path": path.display().to_string(),
        "mode": format!("{:04o}", found.mode),
        "isdir": is(FileKind::Directory),
        "ischr": is(FileKind::Character),
        "isblk": is(FileKind::Block),
        "isreg": is(FileKind::File),
        "isfifo": is(FileKind::Fifo),
        "islnk": is(FileKind::Link),
        "issock": is(FileKind::Socket),
        "uid": found.uid,
        "gid": found.gid,
        "size": found.size,
        "inode": found.ino,
        "dev": found.dev,
        "nlink": found.nlink,
        "atime": found.atime,
        "mtime": found.mtime,
        "ctime": found.ctime,
        "wusr": bit(0o200),
        "rusr": bit(0o400),
        "xusr": bit(0o100),
        "wgrp": bit(0o020),
        "rgrp": bit(0o040),
        "xgrp": bit(0o010),
        "woth": bit(0o002),
        "roth": bit(0o004),
        "xoth": bit(0o001),
        "isuid": bit(0o4000),
        "isgid": bit(0o2000),
    });
    let Value::Object(mut fields) = fields else { unreachable!("it was written as an object") };
    if let Some(user) = host.user_by_id(found.uid)? {
        fields.insert("pw_name".into(), user.name.into());
    }
    if let Some(group) = host.group_by_id(found.gid)? {
        fields.insert("gr_name".into(), group.name.into());
    }
    Ok(fields)
}

/// MIME type and character set, as far as the host's `file` command can tell.
fn mime(path: &Path, follow: bool, host: &dyn Inspect) -> (String, String) {
    let unknown = || ("unknown".to_owned(), "unknown".to_owned());
    let mut argv = vec!["file", "--brief", "--mime-type", "--mime-encoding"];
    argv.extend(follow.then_some("--dereference"));
    let path = path.to_string_lossy();
    argv.extend(["--", &path]);
    let Ok(output) = host.query(&CommandLine::new(argv).env("LC_ALL", "C")) else { return unknown() };
    let text = output.text();
    match text.trim().split_once("; charset=") {
        Some((mimetype, charset)) if output.rc == 0 => (mimetype.to_owned(), charset.to_owned()),
        _ => unknown(),
    }
}

/// The words for the letters of `lsattr`.
const FLAGS: &[(char, &str)] = &[
    ('A', "noatime"),
    ('a', "append"),
    ('c', "compressed"),
    ('C', "nocow"),
    ('d', "nodump"),
    ('D', "dirsync"),
    ('e', "extents"),
    ('E', "encrypted"),
    ('h', "blocksize"),
    ('i', "immutable"),
    ('I', "indexed"),
    ('j', "journalled"),
    ('N', "inline"),
    ('s', "zero"),
    ('S', "synchronous"),
    ('t', "notail"),
    ('T', "blockroot"),
    ('u', "undelete"),
    ('X', "compressedraw"),
    ('Z', "compresseddirty"),
];

fn add_flags(stat: &mut Map<String, Value>, path: &Path, host: &dyn Inspect) {
    let path = path.to_string_lossy();
    let output = host.query(&CommandLine::new(["lsattr", "-vd", "--", &path]));
    let text = output.ok().filter(|output| output.rc == 0).map(|output| output.text()).unwrap_or_default();
    let mut words = text.split_whitespace();
    let (version, flags) = (words.next(), words.next().unwrap_or_default().replace('-', ""));
    let names: Vec<&str> =
        flags.chars().filter_map(|flag| FLAGS.iter().find(|(letter, _)| *letter == flag)).map(|(_, name)| *name).collect();
    stat.insert("version".into(), version.into());
    stat.insert("attributes".into(), names.into());
    stat.insert("attr_flags".into(), flags.into());
}
