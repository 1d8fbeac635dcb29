//! What an archive would put where: every entry checked, before anything is written.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::choose::{Extra, is_excluded, is_named};
use super::place::{Places, beneath, refused, stays_beneath};
use super::read::{Entry, Format, Kind, broken, unpacked};
use super::source::Shared;
use crate::change::Content;
use crate::host::{Digester, FileKind, Inspect};
use crate::outcome::Failure;

/// Most bytes of content that are held at once for diffs.
const HELD: u64 = 16 << 20;

/// Which entries are wanted, and how they are called.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    pub(crate) include: &'a [String],
    pub(crate) exclude: &'a [String],
    pub(crate) extra: &'a Extra,
}

/// An entry that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Its number in the archive.
    pub(crate) index: usize,
    pub(crate) entry: Entry,
    /// Content of a file; with its bytes where a diff can be shown.
    pub(crate) content: Option<Content>,
}

/// What is wanted of an archive.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Names as they stand in the archive.
    pub(crate) names: Vec<String>,
    /// By place beneath the top; of two entries for one place the later one.
    pub(crate) entries: BTreeMap<PathBuf, Listed>,
}

/// Where an entry goes, if it is wanted; of a second name also which it is of.
fn placed(entry: &Entry, selection: &Selection<'_>) -> Result<Option<(PathBuf, Kind)>, Failure> {
    let plain = beneath(&entry.path)?;
    let left_out = !selection.include.is_empty() && !is_named(selection.include, &plain)
        || is_excluded(selection.exclude, &plain)
        || is_excluded(&selection.extra.exclude, &plain)
        || selection.extra.junk && entry.kind == Kind::Directory;
    let Some(place) = selection.extra.rename(&plain).filter(|_| !left_out) else { return Ok(None) };
    let kind = match &entry.kind {
        Kind::Hard(target) => {
            let target = beneath(target)?;
            let renamed = selection.extra.rename(&target);
            Kind::Hard(renamed.ok_or_else(|| refused(&entry.path, "it is a second name of what is left out"))?)
        }
        other => other.clone(),
    };
    Ok(Some((place, kind)))
}

/// Reads an archive to its end.
pub(crate) fn list(
    format: Format,
    archive: &Shared,
    selection: &Selection<'_>,
    top: &Path,
    host: &dyn Inspect,
) -> Result<Listing, Failure> {
    let mut listing = Listing { names: Vec::new(), entries: BTreeMap::new() };
    let mut places = Places::default();
    let mut room = HELD;
    unpacked(format, archive.rewound()?, host)?.walk(&mut |index, entry, content| {
        let Some((place, kind)) = placed(entry, selection)? else { return Ok(()) };
        places.check(&place, &kind)?;
        let path = top.join(&place);
        stays_beneath(top, &path, host)?;
        let content = (kind == Kind::File).then(|| take_in(&path, entry.size, content, &mut room, host)).transpose()?;
        listing.names.push(name(entry, &place, selection.extra));
        listing.entries.insert(place, Listed { index, entry: Entry { kind, ..entry.clone() }, content });
        Ok(())
    })?;
    check_tree(&listing.entries)?;
    check_second_names(&listing.entries, top, host)?;
    let missing = selection.include.iter().find(|pattern| {
        let pattern = std::slice::from_ref(*pattern);
        !listing.names.iter().any(|name| beneath(Path::new(name)).is_ok_and(|plain| is_named(pattern, &plain)))
    });
    match missing.filter(|_| selection.extra.strip == 0 && !selection.extra.junk) {
        Some(missing) => Err(Failure::new(format!("`include`: `{missing}` is not in the archive"))),
        None => Ok(listing),
    }
}

/// The name of an entry in results.
fn name(entry: &Entry, place: &Path, extra: &Extra) -> String {
    let text = entry.path.to_string_lossy().into_owned();
    if extra.strip == 0 && !extra.junk {
        return text;
    }
    format!("{}{}", place.display(), if entry.kind == Kind::Directory { "/" } else { "" })
}

/// The content of a file: its digest, and its bytes where it differs from a file that is there.
fn take_in(path: &Path, size: u64, content: &mut dyn Read, room: &mut u64, host: &dyn Inspect) -> Result<Content, Failure> {
    let shown = Content::SHOWN as u64;
    let there = host.stat(path)?.filter(|stat| stat.kind == FileKind::File && stat.size <= shown);
    let held = there.filter(|stat| size <= shown && size + stat.size <= *room);
    let mut digester = Digester::new("sha256").expect("it is a known algorithm");
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut length = 0;
    loop {
        let count = content.read(&mut buffer).map_err(broken)?;
        if count == 0 {
            break;
        }
        digester.update(&buffer[..count]);
        length += count as u64;
        if held.is_some() {
            bytes.extend_from_slice(&buffer[..count]);
        }
    }
    let sha256 = digester.finish();
    let differs = match &held {
        Some(_) => host.digest(path, "sha256")? != sha256,
        None => false,
    };
    if differs {
        *room -= length + held.map_or(0, |stat| stat.size);
    }
    Ok(Content { sha256, size: length, bytes: differs.then_some(bytes) })
}

/// A second name must be one of a file of the archive, or of one that is beneath the top already.
fn check_second_names(entries: &BTreeMap<PathBuf, Listed>, top: &Path, host: &dyn Inspect) -> Result<(), Failure> {
    for (place, listed) in entries {
        let Kind::Hard(target) = &listed.entry.kind else { continue };
        if entries.get(target).is_some_and(|first| matches!(first.entry.kind, Kind::File | Kind::Hard(_))) {
            continue;
        }
        let path = top.join(target);
        stays_beneath(top, &path, host)?;
        if host.stat(&path)?.is_none_or(|stat| stat.kind != FileKind::File) {
            return Err(refused(place, &format!("it is a second name of `{}`, which is no file", target.display())));
        }
    }
    Ok(())
}

/// Nothing may be beneath what is no directory.
fn check_tree(entries: &BTreeMap<PathBuf, Listed>) -> Result<(), Failure> {
    for ((above, listed), (next, _)) in entries.iter().zip(entries.iter().skip(1)) {
        if listed.entry.kind != Kind::Directory && next.starts_with(above) {
            return Err(refused(next, &format!("`{}`, above it, is no directory", above.display())));
        }
    }
    Ok(())
}
