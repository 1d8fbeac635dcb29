//! Packing, with the host's own programs.

use std::cell::RefCell;
use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::Format;
use super::entries::{Entry, Selection};
use crate::change::Content;
use crate::host::{CommandLine, Digester, FileWrite, Host, Inspect, Source};
use crate::outcome::Failure;
use crate::system::tool::Tool;

const TAR: Tool = Tool::new("tar", "tar");
const BZIP2: Tool = Tool::new("bzip2", "bzip2");
const XZ: Tool = Tool::new("xz", "xz-utils");
const ZIP: Tool = Tool::new("zip", "zip");

/// Writes the archive; the old one is replaced only when the new one is complete.
pub(super) fn pack(
    selection: &Selection,
    entries: &[Entry],
    format: Format,
    file: &FileWrite<'_>,
    host: &mut dyn Host,
) -> Result<(), Failure> {
    let stream: Box<dyn Read> = match (selection.is_archive, entries) {
        (false, [entry]) => {
            let content = host.open(&entry.path)?;
            match format {
                Format::Bz2 => BZIP2.filter(["-c"], content, host.inspect())?,
                Format::Xz => XZ.filter(["-c"], content, host.inspect())?,
                _ => Box::new(flate2::read::GzEncoder::new(content, flate2::Compression::default())),
            }
        }
        _ if format == Format::Zip => zipped(selection, entries, host.inspect())?,
        _ => tarred(selection, entries, format, host.inspect())?,
    };
    host.write_from(&Source::Stream(&RefCell::new(stream)), file)
}

fn tarred(selection: &Selection, entries: &[Entry], format: Format, host: &dyn Inspect) -> Result<Box<dyn Read>, Failure> {
    let mut names = Vec::new();
    for entry in entries {
        names.extend_from_slice(entry.name.as_os_str().as_bytes());
        names.push(0);
    }
    let root = selection.root.display().to_string();
    let mut words = vec!["--create", "--format=gnu", "--no-recursion", "--hard-dereference", "--directory", &root];
    words.extend(match format {
        Format::Bz2 => Some("--bzip2"),
        Format::Xz => Some("--xz"),
        _ => None,
    });
    // A name that begins with a dash is a name.
    words.extend(["--null", "--verbatim-files-from", "--files-from=-", "--file=-"]);
    let stream = TAR.filter(words, Box::new(Cursor::new(names)), host)?;
    Ok(match format {
        Format::Gz => Box::new(flate2::read::GzEncoder::new(stream, flate2::Compression::default())),
        _ => stream,
    })
}

fn zipped(selection: &Selection, entries: &[Entry], host: &dyn Inspect) -> Result<Box<dyn Read>, Failure> {
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.name.as_os_str().as_bytes();
        if name.contains(&b'\n') {
            return Err(Failure::new(format!("`{}` has a line break in its name; zip cannot pack it", entry.path.display())));
        }
        names.extend_from_slice(name);
        names.push(b'\n');
    }
    let line = CommandLine { chdir: Some(selection.root.clone()), ..ZIP.line(["-q", "-X", "-", "-@"]) };
    ZIP.filter_by(&line, Box::new(Cursor::new(names)), host)
}

/// The content of a compressed file, as its digest; `None` where it cannot be read.
pub(super) fn unpacked_digest(path: &Path, format: Format, host: &dyn Inspect) -> Option<Content> {
    let stream = host.open(path).ok()?;
    let mut stream: Box<dyn Read> = match format {
        Format::Bz2 => BZIP2.filter(["-dc"], stream, host).ok()?,
        Format::Xz => XZ.filter(["-dc"], stream, host).ok()?,
        _ => Box::new(flate2::read::MultiGzDecoder::new(stream)),
    };
    let mut digester = Digester::new("sha256")?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match stream.read(&mut buffer).ok()? {
            0 => return Some(Content { sha256: digester.finish(), size: 0, bytes: None }),
            count => digester.update(&buffer[..count]),
        }
    }
}
