//! Zip archives: the directory at their end, and the files before it. Stored and deflated entries,
//! large archives, no encryption.

use std::io::{Read, SeekFrom};
use std::path::PathBuf;

use super::read::{Entry, Kind, Visit, broken, check_count};
use crate::host::Stream;
use crate::outcome::Failure;

/// Longest directory of an archive that is read.
const LONGEST_DIRECTORY: u64 = 256 << 20;
/// Longest target of a link.
const LONGEST_TARGET: u64 = 4096;

/// Where an entry's content lies.
struct Place {
    method: u16,
    offset: u64,
    compressed: u64,
    size: u64,
    crc: u32,
}

/// Goes through a zip archive once, in the order of its directory.
pub(super) fn walk(mut stream: Box<dyn Stream>, visit: Visit<'_>) -> Result<(), Failure> {
    let directory = directory(&mut *stream)?;
    let mut rest = directory.as_slice();
    let mut index = 0;
    while rest.starts_with(b"PK\x01\x02") {
        check_count(index)?;
        let (mut entry, place, length) = described(rest)?;
        rest = rest.get(length..).unwrap_or_default();
        let mut content = content(&place, &entry, &mut *stream)?;
        if let Kind::Link(_) = entry.kind {
            let mut target = Vec::new();
            (&mut content).take(LONGEST_TARGET).read_to_end(&mut target).map_err(broken)?;
            entry.kind = Kind::Link(PathBuf::from(String::from_utf8_lossy(&target).into_owned()));
        }
        visit(index, &entry, &mut content)?;
        index += 1;
    }
    Ok(())
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn longer(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn at(stream: &mut dyn Stream, offset: u64, length: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    stream.seek(SeekFrom::Start(offset)).map_err(broken)?;
    stream.take(length).read_to_end(&mut bytes).map_err(broken)?;
    if (bytes.len() as u64) < length { Err(broken("it ends too early")) } else { Ok(bytes) }
}

/// The directory of an archive.
fn directory(stream: &mut dyn Stream) -> Result<Vec<u8>, Failure> {
    let length = stream.seek(SeekFrom::End(0)).map_err(broken)?;
    let tail_length = length.min(22 + 65_535);
    let tail_at = length - tail_length;
    let tail = at(stream, tail_at, tail_length)?;
    let end = tail.windows(4).rposition(|bytes| bytes == b"PK\x05\x06").ok_or_else(|| broken("it has no directory"))?;
    let damaged = || broken("its directory is damaged");
    let fields = || Some((u64::from(long(&tail, end + 12)?), u64::from(long(&tail, end + 16)?)));
    let (mut size, mut offset) = fields().ok_or_else(damaged)?;
    // A large archive has its numbers in a record before this one.
    let locator = end.checked_sub(20).filter(|at| tail[*at..].starts_with(b"PK\x06\x07"));
    if let Some(locator) = locator {
        let record = at(stream, longer(&tail, locator + 8).ok_or_else(damaged)?, 56)?;
        if !record.starts_with(b"PK\x06\x06") {
            return Err(damaged());
        }
        (size, offset) = (longer(&record, 40).ok_or_else(damaged)?, longer(&record, 48).ok_or_else(damaged)?);
    }
    if size > LONGEST_DIRECTORY || offset > length {
        return Err(damaged());
    }
    // What may stand before an archive (a program that unpacks it) moves everything.
    at(stream, offset, size)
}

/// An entry of the directory, where its content is, and how long the entry is.
fn described(bytes: &[u8]) -> Result<(Entry, Place, usize), Failure> {
    let fields = || {
        let (name, extra, comment) = (short(bytes, 28)?, short(bytes, 30)?, short(bytes, 32)?);
        let (name, extra, comment) = (usize::from(name), usize::from(extra), usize::from(comment));
        let length = 46 + name + extra + comment;
        let name_bytes = bytes.get(46..46 + name)?;
        let extra = bytes.get(46 + name..46 + name + extra)?;
        let place = Place {
            method: short(bytes, 10)?,
            offset: u64::from(long(bytes, 42)?),
            compressed: u64::from(long(bytes, 20)?),
            size: u64::from(long(bytes, 24)?),
            crc: long(bytes, 16)?,
        };
        Some((name_bytes, extra, place, length, short(bytes, 8)?, short(bytes, 4)?, long(bytes, 38)?, long(bytes, 12)?))
    };
    let (name, extra, mut place, length, flags, made_by, attributes, moment) =
        fields().ok_or_else(|| broken("its directory is damaged"))?;
    let path = String::from_utf8_lossy(name).into_owned();
    if flags & 1 == 1 {
        return Err(broken(format_args!("`{path}` is encrypted")));
    }
    let mut modified = dos_time(moment);
    for (id, data) in extras(extra) {
        match id {
            // Numbers that do not fit, in this order, each only where the short one is full.
            1 => {
                let mut at = 0;
                for number in [&mut place.size, &mut place.compressed, &mut place.offset] {
                    if *number == u64::from(u32::MAX) {
                        *number = longer(data, at).ok_or_else(|| broken("its directory is damaged"))?;
                        at += 8;
                    }
                }
            }
            // Seconds since the epoch.
            0x5455 if data.first().is_some_and(|flags| flags & 1 == 1) => {
                modified = long(data, 1).map(u64::from).or(modified);
            }
            _ => {}
        }
    }
    let is_unix = made_by >> 8 == 3;
    let unix = attributes >> 16;
    let kind = match unix & 0o170_000 {
        _ if path.ends_with('/') => Kind::Directory,
        0o120_000 if is_unix => Kind::Link(PathBuf::new()),
        0o040_000 if is_unix => Kind::Directory,
        0 | 0o100_000 => Kind::File,
        _ if !is_unix => Kind::File,
        _ => Kind::Special("a device, a pipe or a socket"),
    };
    let mode = (is_unix && unix != 0).then_some(unix & 0o777);
    let size = if kind == Kind::File { place.size } else { 0 };
    Ok((Entry { path: PathBuf::from(path), kind, mode, owner: None, modified, size }, place, length))
}

fn extras(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while let (Some(id), Some(length)) = (short(bytes, 0), short(bytes, 2)) {
        let end = 4 + usize::from(length);
        let Some(data) = bytes.get(4..end) else { break };
        found.push((id, data));
        bytes = &bytes[end..];
    }
    found
}

/// A moment as MS-DOS keeps it, in local time.
fn dos_time(moment: u32) -> Option<u64> {
    let (time, date) = (moment & 0xffff, moment >> 16);
    let part = |value: u32| i8::try_from(value).ok();
    let civil = jiff::civil::DateTime::new(
        i16::try_from(1980 + (date >> 9)).ok()?,
        part(date >> 5 & 15)?,
        part(date & 31)?,
        part(time >> 11)?,
        part(time >> 5 & 63)?,
        part((time & 31) * 2)?,
        0,
    );
    let moment = civil.ok()?.to_zoned(jiff::tz::TimeZone::system()).ok()?;
    u64::try_from(moment.timestamp().as_second()).ok()
}

/// The content of an entry, checked when it was read to its end.
fn content<'a>(place: &Place, entry: &Entry, stream: &'a mut dyn Stream) -> Result<Checked<'a>, Failure> {
    let header = at(stream, place.offset, 30)?;
    if !header.starts_with(b"PK\x03\x04") {
        return Err(broken(format_args!("the place of `{}` is damaged", entry.path.display())));
    }
    let names = u64::from(short(&header, 26).unwrap_or(0)) + u64::from(short(&header, 28).unwrap_or(0));
    stream.seek(SeekFrom::Start(place.offset + 30 + names)).map_err(broken)?;
    let packed = stream.take(place.compressed);
    let inner: Box<dyn Read + 'a> = match place.method {
        0 => Box::new(packed),
        8 => Box::new(flate2::read::DeflateDecoder::new(packed)),
        other => {
            let name = entry.path.display();
            return Err(broken(format_args!(
                "`{name}` is compressed by method {other}; only stored and deflated ones are supported"
            )));
        }
    };
    // One byte more than promised is enough to see that a promise is broken.
    Ok(Checked { inner: inner.take(place.size + 1), crc: flate2::Crc::new(), expected: place.crc, size: place.size })
}

/// Content whose length and checksum must be as the directory has them.
struct Checked<'a> {
    inner: std::io::Take<Box<dyn Read + 'a>>,
    crc: flate2::Crc,
    expected: u32,
    size: u64,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.crc.update(&buffer[..count]);
        let length = u64::from(self.crc.amount());
        // The sum of a long entry wraps around with its own counter.
        let fits = length == self.size & u64::from(u32::MAX) && self.crc.sum() == self.expected;
        if count == 0 && !buffer.is_empty() && !fits {
            return Err(std::io::Error::other("length or checksum of an entry does not fit"));
        }
        Ok(count)
    }
}
