//! `archive`: files of the host, packed into one.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::attributes::{Wanted, file_args};
use super::packed::read::Format as Packing;
use super::paths::{expand, is_directory};
use super::state::{self, FileState, Look, resource_id};
use crate::change::{Content, ResourceId, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::commands::glob::glob;
use crate::host::{CommandLine, Effect, FileKind, FileWrite, Host, Inspect, Source, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

mod entries;
mod pack;

use entries::{Entry, Selection};

choice! {
    /// How it is packed.
    pub enum Format {
        /// Compressed with bzip2.
        Bz2 = "bz2",
        /// Compressed with gzip.
        Gz = "gz",
        /// A tar archive, not compressed.
        Tar = "tar",
        /// Compressed with xz.
        Xz = "xz",
        /// A zip archive.
        Zip = "zip",
    }
}

file_args! {
    /// Packs files of the host into an archive on the host, with its own `tar` or `zip`; a single file is only
    /// compressed, unless it is to be an archive.
    ///
    /// The archive is compared with the files entry by entry (of tar: permissions, owner, time and content; of zip:
    /// content) and written anew where they differ. Devices, pipes and sockets are left out.
    pub struct Args {
        /// Files, directories (with what is in them) and patterns.
        path: Vec<PathBuf>,
        /// How it is packed.
        format: Format = Format::Gz,
        /// The archive. Missing: of a single file its name with the format's ending.
        dest: Option<PathBuf>,
        /// Paths and patterns that are taken out of `path`.
        exclude_path: Vec<PathBuf> = Vec::new(),
        /// Patterns for paths that are left out, in directories too.
        exclusion_patterns: Vec<String> = Vec::new(),
        /// Whether a single file becomes an archive too.
        force_archive: bool = false,
        /// Whether the files are removed when they have been packed.
        remove: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A directory
  archive:
    path: /srv/pages
    dest: /root/site.tar.gz
    mode: '0600'
- name: One file, compressed beside itself
  archive:
    path: /var/log/app.log
- name: Logs that are then removed
  archive:
    path: /var/log/*.log
    dest: /srv/logs.tar
    format: tar
    force_archive: true
    remove: true
";

/// The module.
pub struct Archive;

/// The archive and what should be in it.
#[derive(Debug, Clone)]
pub struct State {
    file: FileState,
    wanted: Wanted,
    selection: Selection,
    /// What is to be packed.
    sources: Vec<Entry>,
    /// What is packed; none where there is no archive that can be read.
    packed: Option<Content>,
    /// Files that are to be removed and are there.
    left: Vec<PathBuf>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let file = self.file.resource();
        let file = match &self.packed {
            Some(packed) if file.present => file.with_content(packed.clone()),
            _ => file,
        };
        let left = |path: &PathBuf| {
            let id = resource_id(path);
            if self.left.contains(path) { ResourceState::present(id) } else { ResourceState::absent(id) }
        };
        [file].into_iter().chain(self.selection.removed.iter().map(left)).collect()
    }
}

/// What a plan says of an archive.
fn id(path: &Path) -> ResourceId {
    ResourceId::new("archive", path.display().to_string())
}

impl Args {
    /// Where the archive is.
    fn place(&self, selection: &Selection, host: &dyn Inspect) -> Result<PathBuf, Failure> {
        let place = match &self.dest {
            Some(dest) => super::paths::plain(&expand(dest, host)),
            None if selection.is_many => {
                return Err(Failure::new("Error, must specify \"dest\" when archiving multiple files or trees"));
            }
            None => {
                let path = selection.expanded.first().map(|path| path.display().to_string()).unwrap_or_default();
                PathBuf::from(format!("{}.{}", path.trim_end_matches('/'), self.format.word()))
            }
        };
        if is_directory(&place, host)? {
            return Err(Failure::new(format!("`dest`: `{}` is a directory", place.display())));
        }
        if !place.parent().is_none_or(|parent| is_directory(parent, host).unwrap_or(false)) {
            return Err(Failure::new(format!("the directory of `{}` does not exist", place.display())));
        }
        Ok(place)
    }

    fn expand(&self, paths: &[PathBuf], host: &dyn Inspect) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for path in paths {
            let path = expand(path, host);
            if crate::commands::glob::is_pattern(&path.to_string_lossy()) {
                found.extend(glob(&path, host));
            } else {
                found.push(path);
            }
        }
        found
    }

    fn select(&self, host: &dyn Inspect) -> Result<Selection, Failure> {
        let expanded = self.expand(&self.path, host);
        let excluded = self.expand(&self.exclude_path, host);
        // Files that were to be removed are gone after the first time.
        if expanded.is_empty() && !(self.remove && self.dest.is_some()) {
            let list: Vec<String> = self.path.iter().map(|path| path.display().to_string()).collect();
            return Err(Failure::new(format!("{}: Error, no source paths were found", list.join(", "))));
        }
        let has_pattern = self.path.iter().any(|path| crate::commands::glob::is_pattern(&path.to_string_lossy()));
        let mut selection = Selection::new(expanded, excluded, host)?;
        selection.is_many |= has_pattern;
        let has_one_form = self.format == Format::Zip || self.format == Format::Tar;
        selection.is_archive = selection.is_many || self.force_archive || has_one_form;
        if self.remove {
            selection.removed.clone_from(&selection.paths);
        }
        Ok(selection)
    }
}

impl Resource for Archive {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let selection = args.select(host)?;
        let place = args.place(&selection, host)?;
        let file = FileState::observe(&place, Look::Outside, host)?;
        let mut sources = entries::of_files(&selection, &args.exclusion_patterns, &place, host)?;
        if args.format == Format::Zip {
            sources = entries::followed(sources, host)?;
        }
        let packed = match host.thing(&id(&place)) {
            Some(Thing::There(sha256)) => Some(Content { sha256, size: 0, bytes: None }),
            _ if file.kind != Some(FileKind::File) => None,
            _ if selection.is_archive => entries::of_archive(&place, args.format, host)?,
            _ => pack::unpacked_digest(&place, args.format, host),
        };
        let wanted = args.wanted_attributes().look_up(host)?;
        let left = selection.removed.clone();
        Ok(State { file, wanted, selection, sources, packed, left })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if now.selection.paths.is_empty() {
            // Nothing to be packed is left: an archive that is there keeps what it has.
            let kind = now.file.kind;
            let file = kind.map_or_else(|| now.file.clone(), |kind| now.file.wanted(kind, &now.wanted));
            return Ok(State { file, packed: None, ..now.clone() });
        }
        let file = now.file.wanted(FileKind::File, &now.wanted);
        let packed = if now.selection.is_archive {
            Content::of(entries::manifest(&now.sources, args.format).as_bytes())
        } else {
            now.sources
                .first()
                .and_then(|entry| entry.content.clone())
                .map_or_else(|| Content::of(b""), |sha256| Content { sha256, size: 0, bytes: None })
        };
        Ok(State { file, packed: Some(packed), left: Vec::new(), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (step.now, step.want);
        let path = &want.file.path;
        if let Some(packed) = want.packed.as_ref().filter(|packed| now.packed.as_ref() != Some(packed)) {
            let file = FileWrite { path, content: b"", attributes: want.file.attributes(), validate: None };
            if host.acts() {
                pack::pack(&now.selection, &now.sources, args.format, &file, host)?;
            } else {
                host.write_from(&Source::Unknown("an archive is made only when it is applied"), &file)?;
                let thing = Thing::There(packed.sha256.clone());
                host.act(&CommandLine::default(), &[Effect::Thing(id(path), thing)])?;
            }
        } else if now.file.differs_outside(&want.file) {
            host.set_attributes(path, &want.file.attributes())?;
        }
        for path in &now.selection.removed {
            host.remove(path)?;
        }
        Ok(Written::quiet())
    }

    fn result(_: &Args, before: &State, after: &State) -> Map<String, Value> {
        let show =
            |paths: &[PathBuf]| -> Value { paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().into() };
        let selection = &before.selection;
        let mut result = after.file.result();
        let state = match () {
            () if after.file.kind.is_none() => "absent",
            () if !selection.missing.is_empty() && !selection.paths.is_empty() => "incomplete",
            () if selection.is_archive => "archive",
            () => "compress",
        };
        let archived: Vec<PathBuf> = before.sources.iter().map(|entry| entry.path.clone()).collect();
        let more = json!({
            "dest": after.file.path.display().to_string(),
            "dest_state": state,
            "archived": show(&archived),
            "arcroot": format!("{}/", selection.root.display().to_string().trim_end_matches('/')),
            "expanded_paths": show(&selection.expanded),
            "expanded_exclude_paths": show(&selection.excluded),
            "missing": show(&selection.missing),
        });
        result.extend(more.as_object().cloned().unwrap_or_default());
        result
    }

    fn claims(args: &Args) -> Claims {
        let dest = args.dest.as_deref().unwrap_or(Path::new("/"));
        let mut claims = state::claims(dest, args.owner.as_deref(), args.group.as_deref());
        let sources = args.path.iter().map(|path| resource_id(path));
        if args.remove {
            claims.provides.extend(sources);
        } else {
            claims.needs.extend(sources);
        }
        claims
    }
}

/// How an archive of a format is read back.
fn packing(format: Format) -> Packing {
    match format {
        Format::Bz2 => Packing::Bzip2,
        Format::Gz => Packing::Gzip,
        Format::Tar => Packing::Tar,
        Format::Xz => Packing::Xz,
        Format::Zip => Packing::Zip,
    }
}

#[cfg(test)]
mod tests;
