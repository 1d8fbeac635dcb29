//! Where facts are put, and the small looks that all groups share.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::host::Inspect;

/// Facts in the making.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Names with their prefix.
    pub map: Map<String, Value>,
    /// Things worth saying.
    pub warnings: Vec<String>,
    /// How long one slow look may take.
    pub patience: Duration,
}

impl Facts {
    /// Adds a fact; the prefix `ansible_` comes by itself.
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.map.insert(format!("ansible_{}", name.replace('-', "_")), value.into());
    }
}

/// A small file as text; empty where it cannot be read.
pub(super) fn text(host: &dyn Inspect, path: impl AsRef<Path>) -> String {
    host.read(path.as_ref(), 4 << 20).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The first line of a small file, without blanks around it.
pub(super) fn line(host: &dyn Inspect, path: impl AsRef<Path>) -> Option<String> {
    host.read(path.as_ref(), 1 << 20)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned())
}

/// Whether something is there.
pub(super) fn exists(host: &dyn Inspect, path: impl AsRef<Path>) -> bool {
    host.stat(path.as_ref()).is_ok_and(|stat| stat.is_some())
}

/// Last part of a symbolic link's target.
pub(super) fn link_name(host: &dyn Inspect, path: impl AsRef<Path>) -> Option<String> {
    let target = host.stat(path.as_ref()).ok()??.target?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}
