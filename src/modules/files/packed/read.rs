//! What is in an archive, entry by entry: tar, plain or compressed, and zip. The only file that names
//! the library for tar.

use std::io::{Read, SeekFrom};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::zip;
use crate::host::{Inspect, Stream};
use crate::outcome::Failure;
use crate::system::tool::Tool;

/// Most entries of one archive.
const MOST_ENTRIES: usize = 1_000_000;

/// One entry, as the archive describes it. Nothing of it has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path as it stands there.
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    /// Permission bits; `None` where the archive does not say.
    pub(crate) mode: Option<u32>,
    /// Owner and group: numbers, and names where there are any.
    pub(crate) owner: Option<Owner>,
    /// Seconds since the epoch.
    pub(crate) modified: Option<u64>,
    /// Length of its content.
    pub(crate) size: u64,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// A symbolic link that points there.
    Link(PathBuf),
    /// Another name of this entry.
    Hard(PathBuf),
    /// A device, a pipe, or something that is not known.
    Special(&'static str),
}

/// To whom an entry belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) user: String,
    pub(crate) group: String,
}

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Tar,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zip,
}

impl Format {
    /// The format by what stands at the beginning, whatever the file is called.
    pub(crate) fn of(stream: &mut dyn Stream) -> Result<Self, Failure> {
        const STARTS: &[(&[u8], Format)] = &[
            (&[0x1f, 0x8b], Format::Gzip),
            (b"BZh", Format::Bzip2),
            (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Xz),
            (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
            (b"PK\x03\x04", Format::Zip),
            (b"PK\x05\x06", Format::Zip),
        ];
        let mut start = Vec::new();
        let read = stream.take(512).read_to_end(&mut start).and_then(|_| stream.seek(SeekFrom::Start(0)));
        read.map_err(broken)?;
        if let Some((_, format)) = STARTS.iter().find(|(bytes, _)| start.starts_with(bytes)) {
            return Ok(*format);
        }
        let is_empty = start.len() >= 512 && start.iter().all(|byte| *byte == 0);
        let is_tar = start.len() >= 512 && has_checksum(&start);
        if is_empty || is_tar {
            Ok(Self::Tar)
        } else {
            Err(Failure::new("it is neither a tar nor a zip archive of a kind that is known"))
        }
    }

    /// The name that results have for what unpacks it.
    pub(crate) fn handler(self) -> &'static str {
        match self {
            Self::Tar => "TarArchive",
            Self::Gzip => "TgzArchive",
            Self::Bzip2 => "TarBzipArchive",
            Self::Xz => "TarXzArchive",
            Self::Zstd => "TarZstdArchive",
            Self::Zip => "ZipArchive",
        }
    }
}

/// Whether the checksum of a tar header fits.
fn has_checksum(header: &[u8]) -> bool {
    let field = String::from_utf8_lossy(&header[148..156]);
    let Ok(stored) = u64::from_str_radix(field.trim_matches(|c: char| c == '\0' || c == ' '), 8) else { return false };
    let sum: u64 =
        header.iter().enumerate().map(|(at, byte)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte })).sum();
    sum == stored
}

pub(crate) fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the archive cannot be read: {error}"))
}

/// What is done with each entry and its content.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(usize, &Entry, &mut dyn Read) -> Result<(), Failure>;

/// An archive without what it is compressed with.
pub(crate) enum Unpacked {
    Tar(Box<dyn Read>),
    Zip(Box<dyn Stream>),
}

/// Takes the compression off.
pub(crate) fn unpacked(format: Format, stream: Box<dyn Stream>, host: &dyn Inspect) -> Result<Unpacked, Failure> {
    const BZIP2: Tool = Tool::new("bzip2", "bzip2");
    const XZ: Tool = Tool::new("xz", "xz-utils");
    const ZSTD: Tool = Tool::new("zstd", "zstd");
    Ok(Unpacked::Tar(match format {
        Format::Zip => return Ok(Unpacked::Zip(stream)),
        Format::Tar => Box::new(stream),
        Format::Gzip => Box::new(flate2::read::MultiGzDecoder::new(stream)),
        // These are rare enough for the host's own programs.
        Format::Bzip2 => BZIP2.filter(["-dc"], stream, host)?,
        Format::Xz => XZ.filter(["-dc"], stream, host)?,
        Format::Zstd => ZSTD.filter(["-dc"], stream, host)?,
    }))
}

impl Unpacked {
    /// Goes through it once, in its order.
    pub(crate) fn walk(self, visit: Visit<'_>) -> Result<(), Failure> {
        match self {
            Self::Tar(stream) => tar(stream, visit),
            Self::Zip(stream) => zip::walk(stream, visit),
        }
    }
}

fn tar(stream: Box<dyn Read + '_>, visit: Visit<'_>) -> Result<(), Failure> {
    let mut archive = tar::Archive::new(stream);
    for (index, found) in archive.entries().map_err(broken)?.enumerate() {
        let mut found = found.map_err(broken)?;
        check_count(index)?;
        // What `git archive` writes at the beginning, a comment, and the name of a volume.
        let kind = found.header().entry_type();
        if kind.is_pax_global_extensions() || kind.as_byte() == b'V' {
            continue;
        }
        let mut entry = tar_entry(&found)?;
        if has_hidden_holes(&mut found)? {
            entry.kind = Kind::Special("a sparse file as POSIX archives have it; pack it with `--format=gnu`");
        }
        visit(index, &entry, &mut found)?;
    }
    // What stands behind the last entry is read too, so that damage to it is seen.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(broken)?;
    Ok(())
}

/// Whether an entry is a sparse file in the notation of POSIX archives: what looks like its content is a map of
/// holes and what is between them.
fn has_hidden_holes(found: &mut tar::Entry<'_, impl Read>) -> Result<bool, Failure> {
    let Some(extensions) = found.pax_extensions().map_err(broken)? else { return Ok(false) };
    Ok(extensions.flatten().any(|extension| extension.key_bytes().starts_with(b"GNU.sparse.")))
}

/// An archive with more entries than anybody needs is refused.
pub(super) fn check_count(index: usize) -> Result<(), Failure> {
    if index < MOST_ENTRIES { Ok(()) } else { Err(Failure::new(format!("the archive has more than {MOST_ENTRIES} entries"))) }
}

fn tar_entry(found: &tar::Entry<'_, impl Read>) -> Result<Entry, Failure> {
    let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
    let link = || found.link_name_bytes().map(|bytes| path(&bytes)).unwrap_or_default();
    let header = found.header();
    let kind = match header.entry_type() {
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
            // Old archives mark a directory by its last letter only.
            if found.path_bytes().ends_with(b"/") { Kind::Directory } else { Kind::File }
        }
        tar::EntryType::Directory => Kind::Directory,
        tar::EntryType::Symlink => Kind::Link(link()),
        tar::EntryType::Link => Kind::Hard(link()),
        tar::EntryType::Char => Kind::Special("a character device"),
        tar::EntryType::Block => Kind::Special("a block device"),
        tar::EntryType::Fifo => Kind::Special("a pipe"),
        _ => Kind::Special("of a kind that is not known"),
    };
    let name = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    let number = |number: std::io::Result<u64>| number.ok().and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    Ok(Entry {
        path: path(&found.path_bytes()),
        mode: Some(header.mode().map_err(broken)? & 0o7777),
        owner: Some(Owner {
            uid: number(header.uid()),
            gid: number(header.gid()),
            user: name(header.username_bytes()),
            group: name(header.groupname_bytes()),
        }),
        modified: header.mtime().ok(),
        size: if kind == Kind::File { found.size() } else { 0 },
        kind,
    })
}
