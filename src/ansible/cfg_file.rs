//! `ansible.cfg` as Python's `configparser` reads it: sections, keys in any case, `=` or `:`, values
//! that go on in indented lines, `#` and `;` at the start of a line, ` ;` behind a value.

use std::collections::HashMap;

use crate::source::{Diagnostic, Diagnostics, FileId, SourceMap, Span};

/// One setting as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its section.
    pub(super) section: String,
    /// Its key, in lower case.
    pub(super) key: String,
    /// Where the key stands.
    pub(super) span: Span,
    /// Its value; lines that follow are joined with line breaks.
    pub(super) value: String,
    /// Where the value begins.
    pub(super) value_span: Span,
}

/// Reads a file; what is wrong with it is an error, as it is for `configparser`.
pub(super) fn parse(map: &SourceMap, file: FileId) -> (Vec<Entry>, Diagnostics) {
    let text = map.text(file);
    let mut reader = Reader { file, entries: Vec::new(), seen: HashMap::new(), diagnostics: Diagnostics::default(), indent: 0 };
    let mut section: Option<String> = None;
    let mut continues = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let at = start;
        start += line.len();
        let line = without_comment(line.trim_end_matches(['\n', '\r']));
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        if content.is_empty() {
            continue;
        }
        let begin = at + indent;
        if continues && indent > reader.indent {
            let entry = reader.entries.last_mut().expect("only a value goes on");
            entry.value.push('\n');
            entry.value.push_str(content);
            continue;
        }
        continues = false;
        let span = reader.span(begin, begin + content.len());
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name) {
            section = Some(name.trim().to_owned());
            continue;
        }
        let Some(section) = &section else {
            reader.problem("this stands before the first section", span, "a file begins with a section: `[defaults]`");
            continue;
        };
        let Some(separator) = content.find(['=', ':']) else {
            reader.problem("this is neither a section nor a setting", span, "settings are written as `key = value`");
            continue;
        };
        reader.indent = indent;
        continues = reader.entry(section, content, separator, begin);
    }
    (reader.entries, reader.diagnostics)
}

/// A line without its comment.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let inline = line.match_indices(';').find(|(at, _)| line[..*at].ends_with(char::is_whitespace));
    inline.map_or(line, |(at, _)| &line[..at])
}

struct Reader {
    file: FileId,
    entries: Vec<Entry>,
    seen: HashMap<(String, String), Span>,
    diagnostics: Diagnostics,
    /// How far the last key is indented.
    indent: usize,
}

impl Reader {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    fn problem(&mut self, message: &str, span: Span, hint: &str) {
        self.diagnostics.push(Diagnostic::error("bad-settings-file", message).at(span, "here").hint(hint));
    }

    /// Adds a setting; whether it was added.
    fn entry(&mut self, section: &str, content: &str, separator: usize, begin: usize) -> bool {
        let written = content[..separator].trim_end();
        let rest = &content[separator + 1..];
        let value = rest.trim();
        let value_at = begin + separator + 1 + (rest.len() - rest.trim_start().len());
        let span = self.span(begin, begin + written.len());
        let key = written.to_lowercase();
        if let Some(first) = self.seen.get(&(section.to_owned(), key.clone())) {
            let problem = Diagnostic::error("bad-settings-file", format!("`{key}` is set twice in `[{section}]`"));
            self.diagnostics.push(problem.at(span, "set again here").related(*first, "set first here"));
            return false;
        }
        self.seen.insert((section.to_owned(), key.clone()), span);
        let value_span = self.span(value_at, value_at + value.len());
        self.entries.push(Entry { section: section.to_owned(), key, span, value: value.to_owned(), value_span });
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Vec<String> {
        let map = SourceMap::default();
        let file = map.add(Path::new("ansible.cfg"), text);
        let (entries, diagnostics) = parse(&map, file);
        let shown = entries.iter().map(|entry| format!("{}.{}={:?}", entry.section, entry.key, entry.value));
        let at = |problem: &Diagnostic| problem.span.as_ref().map_or(0, |(span, _)| map.line_column(*span).0);
        shown.chain(diagnostics.iter().map(|problem| format!("{}: {}", at(problem), problem.message))).collect()
    }

    /// What Python's `configparser` makes of the same text with Ansible's options.
    #[test]
    fn files_are_read_as_configparser_reads_them() {
        let cases: &[(&str, &[&str])] = &[
            ("[defaults]\nforks = 7 ; seven\n", &["defaults.forks=\"7\""]),
            ("[a]\nForks:7\n[b]\nx = a=b:c\n", &["a.forks=\"7\"", "b.x=\"a=b:c\""]),
            ("# c\n; c\n[a]\n x=1;2\n y = # no comment\n", &["a.x=\"1;2\"", "a.y=\"# no comment\""]),
            ("[a]\nx = one,\n    two,\n    # left out\n\n    three\ny=\n", &["a.x=\"one,\\ntwo,\\nthree\"", "a.y=\"\""]),
            ("x=1\n[a]\ny=2\n", &["a.y=\"2\"", "1: this stands before the first section"]),
            ("[a]\nx\n", &["2: this is neither a section nor a setting"]),
            ("[a]\nx=1\nX=2\n", &["a.x=\"1\"", "3: `x` is set twice in `[a]`"]),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), *expected, "{text}");
        }
    }
}
