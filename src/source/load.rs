//! Reading a file from the controller's disk into the source map.

use std::io::Read;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::map::{FileId, SourceMap, Span};
use crate::vault::is_sealed;

/// The largest text file that is read: an inventory of 10,000 hosts with 50 variables has about 15 MB.
pub const MAX_BYTES: u64 = 64 << 20;

/// Like [`load`], but a file that is in the map already is not read again.
pub fn once(map: &SourceMap, path: &Path) -> Result<FileId, Box<Diagnostic>> {
    map.find(path).map_or_else(|| load(map, path), Ok)
}

/// Reads a UTF-8 file, an encrypted one too; its path in messages is the path as given.
pub fn load(map: &SourceMap, path: &Path) -> Result<FileId, Box<Diagnostic>> {
    let shown = path.display();
    let failed = |reason: &str| Box::new(Diagnostic::error("unreadable-file", format!("cannot read `{shown}`: {reason}")));
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => failed("there is no such file"),
        std::io::ErrorKind::PermissionDenied => failed("permission denied"),
        _ => failed(&error.to_string()),
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_dir() {
        return Err(failed("it is a directory"));
    }
    let mut bytes = Vec::with_capacity(meta.len().min(MAX_BYTES) as usize);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(&format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    // A byte order mark says nothing about UTF-8.
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if is_sealed(&bytes[start..]) {
        return match map.vault().open(&bytes[start..]) {
            Ok(opened) => match std::str::from_utf8(&opened) {
                Ok(text) => Ok(map.add_secret(path, text)),
                Err(_) => Err(failed("what is encrypted in it is not UTF-8 text")),
            },
            Err(error) => {
                let problem = Diagnostic::error("encrypted-file", format!("cannot read `{shown}`: {error}"));
                Err(Box::new(problem.hint(error.hint())))
            }
        };
    }
    match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => Ok(map.add(path, text)),
        Err(error) => {
            let at = error.valid_up_to() as u32;
            let file = map.add(path, String::from_utf8_lossy(&bytes[start..]));
            let replacement = char::REPLACEMENT_CHARACTER.len_utf8() as u32;
            Err(Box::new(
                Diagnostic::error("not-utf8", format!("`{shown}` is not UTF-8 text"))
                    .at(Span { file, start: at, end: at + replacement }, "this byte is not UTF-8")
                    .hint("save the file as UTF-8; binary files cannot be read here"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_in_and_everything_else_is_explained() {
        let directory = tempfile::tempdir().unwrap();
        let map = SourceMap::default();
        let at = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let file = load(&map, &at("bom.yml", b"\xef\xbb\xbfa: 1\n")).unwrap();
        assert_eq!(&*map.text(file), "a: 1\n");
        let problem = load(&map, &at("latin.yml", b"a: \xe9\n")).unwrap_err();
        assert_eq!(problem.code, "not-utf8");
        assert_eq!(map.line_column(problem.span.unwrap().0), (1, 4));
        assert!(load(&map, directory.path()).unwrap_err().message.ends_with("it is a directory"));
        assert!(load(&map, &directory.path().join("none")).unwrap_err().message.ends_with("there is no such file"));
    }
}
