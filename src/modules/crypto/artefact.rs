//! A file with a key, a request or a certificate in it: as it is or as it should be.

use std::path::Path;

use serde_json::{Map, Value};

use super::openssl::stand_in;
use crate::change::{ResourceId, ResourceState, compare};
use crate::files::attributes::{Wanted, Written as Attributes};
use crate::files::paths;
use crate::files::state::{self, Body, FileState, Look, Put};
use crate::host::{Effect, FileKind, FileWrite, Host, Inspect, Source, Thing};
use crate::object::Object;
use crate::outcome::Failure;
use crate::resource::{State, Written};

/// Largest file (bytes) that is read.
const LARGEST: u64 = 1 << 20;
/// Why a plan has no content.
const LATER: &str = "it is made when this is applied";

/// Such a file.
#[derive(Debug, Clone)]
pub(super) struct Artefact {
    pub(super) file: FileState,
    wanted: Wanted,
    /// What is in it.
    pub(super) object: Object,
    /// The properties that are compared.
    names: &'static [&'static str],
    /// Its bytes, where it is there.
    pub(super) bytes: Option<Vec<u8>>,
}

impl State for Artefact {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource(), self.object.resource(self.names)]
    }
}

/// The content of a file; in a plan also of one that is yet to be made. `None` where there is none.
pub(super) fn content_at(path: &Path, kind: &str, host: &dyn Inspect) -> Result<Option<Vec<u8>>, Failure> {
    match paths::stat_followed(path, host)? {
        None => return Ok(None),
        Some(stat) if stat.kind == FileKind::Directory => {
            return Err(Failure::new(format!("`{}` is a directory", path.display())));
        }
        Some(_) => {}
    }
    match host.read(path, LARGEST) {
        Err(failure) if failure.unknown => match host.thing(&ResourceId::new(kind, path.display().to_string())) {
            Some(Thing::There(text)) => Ok(Some(text.into_bytes())),
            _ => Err(failure),
        },
        other => other.map(Some),
    }
}

impl Artefact {
    /// What is at this path; what is in it is for the caller to tell.
    pub(super) fn look(
        path: &Path,
        kind: &str,
        names: &'static [&'static str],
        attributes: Attributes<'_>,
        host: &dyn Inspect,
    ) -> Result<Self, Failure> {
        let path = paths::plain(&paths::expand(path, host));
        let bytes = content_at(&path, kind, host)?;
        let path = if bytes.is_some() { paths::real_path(&path, host)? } else { path };
        let parent = path.parent().unwrap_or(Path::new("/"));
        if !paths::is_directory(parent, host)? {
            let shown = parent.display();
            return Err(Failure::new(format!("The directory '{shown}' does not exist or the file is not a directory")));
        }
        let object = Object::absent(ResourceId::new(kind, path.display().to_string()));
        let file = FileState::observe(&path, Look::Outside, host)?;
        Ok(Self { file, wanted: attributes.look_up(host)?, object, names, bytes })
    }

    /// The path as text.
    pub(super) fn shown(&self) -> String {
        self.file.path.display().to_string()
    }

    /// The same file with this in it.
    pub(super) fn with(mut self, properties: Map<String, Value>) -> Self {
        self.object = Object::present(self.object.id, properties);
        self
    }

    /// The wanted one: this is in it.
    pub(super) fn wanted(&self, properties: Map<String, Value>) -> Self {
        let file = self.file.wanted(FileKind::File, &self.wanted);
        Self { file, object: Object::present(self.object.id.clone(), properties), bytes: None, ..self.clone() }
    }

    /// Like `wanted`; a file that is written anew without a wish for its mode gets this one.
    pub(super) fn private(&self, properties: Map<String, Value>) -> Self {
        let mut want = self.wanted(properties);
        if want.file.mode.is_none() && (self.bytes.is_none() || self.differs(&want)) {
            want.file.mode = Some(0o600);
        }
        want
    }

    /// The wanted one: it is not there.
    pub(super) fn gone(&self) -> Self {
        Self {
            file: FileState::absent(&self.file.path),
            object: Object::absent(self.object.id.clone()),
            bytes: None,
            ..self.clone()
        }
    }

    /// Whether what is in it differs from what is wanted.
    pub(super) fn differs(&self, want: &Self) -> bool {
        !compare(&[self.object.resource(self.names)], &[want.object.resource(self.names)]).is_empty()
    }
}

/// Closes the difference. `make` gives the content, and for a plan what stands for it.
pub(super) fn put(
    now: &Artefact,
    want: &Artefact,
    backup: bool,
    make: impl FnOnce(&mut dyn Host) -> Result<Vec<u8>, Failure>,
    host: &mut dyn Host,
) -> Result<Written, Failure> {
    let mut written = Written::quiet();
    let save = |host: &mut dyn Host| -> Result<Option<String>, Failure> {
        if !backup || now.bytes.is_none() {
            return Ok(None);
        }
        let copy = state::backup_name(&now.file.path, host.inspect());
        host.copy(&now.file.path, &copy)?;
        Ok(Some(copy.display().to_string()))
    };
    if !want.object.exists() {
        if let Some(copy) = save(host)? {
            written = written.with("backup_file", copy);
        }
        host.remove(&now.file.path)?;
        return Ok(written);
    }
    if now.bytes.is_some() && !now.differs(want) {
        let how = Put { body: Body::Bytes(b""), validate: None, backup: false, backup_field: "backup_file" };
        return state::put(&now.file, &want.file, &how, host);
    }
    let content = make(host)?;
    if let Some(copy) = save(host)? {
        written = written.with("backup_file", copy);
    }
    let file = FileWrite { path: &want.file.path, content: &content, attributes: want.file.attributes(), validate: None };
    if host.acts() {
        host.write(&file)?;
    } else {
        let text = String::from_utf8_lossy(&content).into_owned();
        stand_in(Effect::Thing(want.object.id.clone(), Thing::There(text)), host)?;
        host.write_from(&Source::Unknown(LATER), &file)?;
    }
    Ok(written)
}
