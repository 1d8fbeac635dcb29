//! Remedies that do not change what a file means, as edits of its bytes.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::source::{Diagnostic, Replacement, SourceMap};

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The file.
    pub path: PathBuf,
    /// Its text as it is.
    pub before: String,
    /// Its text without the findings.
    pub after: String,
    /// How many findings go.
    pub findings: usize,
}

/// What the files would be after all remedies. Where two remedies touch the same bytes the first
/// one counts; the other is found again.
pub fn fixed(findings: &[Diagnostic], map: &SourceMap) -> Vec<Fixed> {
    let mut by_file: BTreeMap<PathBuf, (String, Vec<&[Replacement]>)> = BTreeMap::new();
    for finding in findings {
        // What is encrypted on disk is not written in plain text.
        let Some(file) = finding.fix.first().map(|edit| edit.span.file).filter(|file| !map.is_secret(*file)) else { continue };
        // Its text in the map is the decrypted one, which must not be written.
        if map.is_secret(file) {
            continue;
        }
        let entry = by_file.entry(map.path(file)).or_insert_with(|| (map.text(file).to_string(), Vec::new()));
        entry.1.push(&finding.fix);
    }
    by_file
        .into_iter()
        .map(|(path, (before, fixes))| {
            let mut edits: Vec<&Replacement> = Vec::new();
            let mut findings = 0;
            for fix in fixes {
                let free = fix.iter().all(|edit| edits.iter().all(|other| apart(edit, other)));
                if free {
                    edits.extend(fix);
                    findings += 1;
                }
            }
            edits.sort_by_key(|edit| edit.span.start);
            let mut after = String::with_capacity(before.len() + 16);
            let mut read = 0;
            for edit in edits {
                after.push_str(&before[read..edit.span.start as usize]);
                after.push_str(&edit.text);
                read = edit.span.end as usize;
            }
            after.push_str(&before[read..]);
            Fixed { path, before, after, findings }
        })
        .collect()
}

fn apart(one: &Replacement, other: &Replacement) -> bool {
    one.span.end <= other.span.start || other.span.end <= one.span.start
}

impl Fixed {
    /// The difference as a unified diff.
    pub fn diff(&self) -> String {
        let name = self.path.display().to_string();
        similar::TextDiff::from_lines(&self.before, &self.after).unified_diff().context_radius(3).header(&name, &name).to_string()
    }

    /// Replaces the file, which is the old one or the new one at any moment. Fails if it is no
    /// longer what was read.
    pub fn write(&self) -> std::io::Result<()> {
        let target = std::fs::canonicalize(&self.path)?;
        let bytes = std::fs::read(&target)?;
        let bom: &[u8] = if bytes.starts_with(b"\xef\xbb\xbf") { b"\xef\xbb\xbf" } else { b"" };
        if &bytes[bom.len()..] != self.before.as_bytes() {
            return Err(std::io::Error::other("it was changed in the meantime"));
        }
        let directory = target.parent().unwrap_or_else(|| Path::new("."));
        let mut staged = tempfile::Builder::new().prefix(".stead-").tempfile_in(directory)?;
        staged.write_all(bom)?;
        staged.write_all(self.after.as_bytes())?;
        staged.as_file().set_permissions(std::fs::metadata(&target)?.permissions())?;
        staged.as_file().sync_all()?;
        staged.persist(&target).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn edits_are_made_by_bytes_and_never_overlap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yml");
        std::fs::write(&path, "\u{feff}mode: 0644 # é\r\nb: 1\n").unwrap();
        let map = SourceMap::default();
        let file = crate::source::load(&map, &path).unwrap();
        let span = |start, end| Span { file, start, end };
        let finding = |start, end, text: &str| Diagnostic::info("x", "x").replace(span(start, end), text);
        let findings = [finding(6, 10, "\"0644\""), finding(8, 12, "!"), finding(20, 21, "2")];
        let fixed = fixed(&findings, &map);
        assert_eq!(fixed.len(), 1);
        assert_eq!(fixed[0].findings, 2);
        assert!(fixed[0].diff().contains("+mode: \"0644\" # é"));
        fixed[0].write().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\u{feff}mode: \"0644\" # é\r\nb: 2\n");
        assert!(fixed[0].write().unwrap_err().to_string().contains("in the meantime"));
    }
}
