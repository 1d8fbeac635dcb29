//! Reading a file from the controller's disk into the source map.

use std::io::Read;
use std::path::Path;

use super::diagnostic::Diagnostic;
use super::map::{FileId, SourceMap, Span};

/// The largest text file that is read: an inventory of 10,000 hosts with 50 variables has about 15 MB.
pub const MAX_BYTES: u64 = 64 << 20;

/// Reads a UTF-8 file; its path in messages is the path as given.
pub fn load(map: &SourceMap, path: &Path) -> Result<FileId, Diagnostic> {
    let shown = path.display();
    let failed = |error: &std::io::Error| Diagnostic::error("unreadable-file", format!("cannot read `{shown}`: {}", reason(error)));
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let meta = file.metadata().map_err(|error| failed(&error))?;
    if meta.is_dir() {
        return Err(Diagnostic::error("unreadable-file", format!("cannot read `{shown}`: it is a directory")));
    }
    let mut bytes = Vec::with_capacity(meta.len().min(MAX_BYTES) as usize);
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Diagnostic::error("unreadable-file", format!("`{shown}` is larger than {} MiB", MAX_BYTES >> 20)));
    }
    // A byte order mark says nothing about UTF-8.
    let start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => Ok(map.add(path, text)),
        Err(error) => {
            let at = error.valid_up_to();
            let text = String::from_utf8_lossy(&bytes[start..]).into_owned();
            let file = map.add(path, text);
            let span = Span { file, start: at as u32, end: at as u32 + 3 };
            Err(Diagnostic::error("not-utf8", format!("`{shown}` is not UTF-8 text"))
                .at(span, "this byte is not UTF-8")
                .hint("save the file as UTF-8; encrypted or binary files cannot be read here"))
        }
    }
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
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
