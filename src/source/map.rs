//! Files that were read, and places in them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::vault::Vault;

/// A file that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// A place in a file: byte offsets, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// The start of the character in which byte `at` lies; the end for what lies behind it.
pub(super) fn char_start(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One file: the path as a user wrote or would write it, and its text.
#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    text: Arc<str>,
    line_starts: Vec<u32>,
    secret: bool,
}

#[derive(Debug, Default)]
struct Files {
    list: Vec<Arc<SourceFile>>,
    /// The last one under each path; copies in which something is hidden are not found.
    by_path: HashMap<PathBuf, FileId>,
}

impl Files {
    fn push(&mut self, file: SourceFile) -> FileId {
        self.list.push(Arc::new(file));
        FileId(self.list.len() as u32 - 1)
    }
}

/// All files that were read in this run. Cheap to clone; only grows.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Arc<RwLock<Files>>,
    vault: Arc<Vault>,
}

impl SourceMap {
    /// No file yet; encrypted ones will be opened with these passwords.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { files: Arc::default(), vault }
    }

    /// What opens encrypted files and values.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// Adds a file's text (also text without a file: `path` is then a name like `<extra vars>`).
    pub fn add(&self, path: &Path, text: impl Into<Arc<str>>) -> FileId {
        self.add_file(path, text.into(), false)
    }

    /// Adds a file that is encrypted on disk: its text is never shown.
    pub fn add_secret(&self, path: &Path, text: impl Into<Arc<str>>) -> FileId {
        let text = text.into();
        self.vault.redactor().learn_lines(&text);
        self.add_file(path, text, true)
    }

    fn add_file(&self, path: &Path, text: Arc<str>, secret: bool) -> FileId {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at as u32 + 1));
        let mut files = self.files.write().expect("no thread panics while adding a file");
        let id = files.push(SourceFile { path: path.to_owned(), text, line_starts, secret });
        files.by_path.insert(path.to_owned(), id);
        id
    }

    /// The file that was added last under this path.
    pub fn find(&self, path: &Path) -> Option<FileId> {
        let files = self.files.read().expect("no thread panics while adding a file");
        files.by_path.get(path).copied()
    }

    /// A copy of a file with stars in these places, for messages about secrets in it.
    pub fn masked(&self, id: FileId, places: &[Span]) -> FileId {
        let file = self.file(id);
        let mut bytes = file.text.as_bytes().to_vec();
        for place in places {
            let range = (place.start as usize).min(bytes.len())..(place.end as usize).min(bytes.len());
            bytes[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b'*');
        }
        let text: Arc<str> = String::from_utf8_lossy(&bytes).into();
        let copy = SourceFile { path: file.path.clone(), text, line_starts: file.line_starts.clone(), secret: file.secret };
        self.files.write().expect("no thread panics while adding a file").push(copy)
    }

    fn file(&self, id: FileId) -> Arc<SourceFile> {
        Arc::clone(&self.files.read().expect("no thread panics while adding a file").list[id.0 as usize])
    }

    /// The path under which the file was added.
    pub fn path(&self, id: FileId) -> PathBuf {
        self.file(id).path.clone()
    }

    /// Whether it is encrypted on disk.
    pub fn is_secret(&self, id: FileId) -> bool {
        self.file(id).secret
    }

    /// The whole text.
    pub fn text(&self, id: FileId) -> Arc<str> {
        Arc::clone(&self.file(id).text)
    }

    /// Line and column (both from 1, columns in characters) of a span's start.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let file = self.file(span.file);
        let line = file.line_starts.partition_point(|start| *start <= span.start) - 1;
        let start = file.line_starts[line] as usize;
        let column = file.text.get(start..span.start as usize).map_or(0, |text| text.chars().count());
        (line + 1, column + 1)
    }

    /// The path under which people know a file: without `./` before it.
    pub fn shown(path: &Path) -> std::path::Display<'_> {
        path.strip_prefix("./").unwrap_or(path).display()
    }

    /// `path:line` of a span's start, as reports print it.
    pub fn place(&self, span: Span) -> String {
        format!("{}:{}", Self::shown(&self.path(span.file)), self.line_column(span).0)
    }
}
