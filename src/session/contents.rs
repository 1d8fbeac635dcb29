//! Content that hosts may ask for, by digest: it travels only to hosts that lack it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Content by digest, for files that are copied: asked for only when a host lacks it.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    by_digest: Arc<RwLock<BTreeMap<String, ContentSource>>>,
}

/// Where content comes from.
#[derive(Debug, Clone)]
pub enum ContentSource {
    /// In memory (rendered templates).
    Bytes(Arc<[u8]>),
    /// A file of the project.
    File(PathBuf),
}

impl Contents {
    /// Offers content; returns its SHA-256.
    pub fn offer_bytes(&self, bytes: impl Into<Arc<[u8]>>) -> String {
        let bytes = bytes.into();
        let sha256 = stead_modules::change::sha256(&bytes);
        self.offer(&sha256, ContentSource::Bytes(bytes));
        sha256
    }

    /// Offers content whose SHA-256 is known.
    pub fn offer(&self, sha256: &str, source: ContentSource) {
        self.by_digest.write().unwrap_or_else(PoisonError::into_inner).insert(sha256.to_owned(), source);
    }

    /// Where content comes from, if it was offered.
    pub fn get(&self, sha256: &str) -> Option<ContentSource> {
        self.by_digest.read().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned()
    }
}
