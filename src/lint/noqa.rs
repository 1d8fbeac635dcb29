//! Exceptions that a user writes beside a finding: `# noqa` or `# noqa: rule, rule`, on its line or
//! on the first line of its task.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::rules;
use crate::source::{Diagnostic, FileId, SourceMap, Span, suggest};

/// What a comment silences.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Silenced {
    Everything,
    /// These rules, each with its first and last byte in the file.
    Rules(Vec<(String, u32, u32)>),
}

/// The exceptions of files, read when they are needed.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    /// Line, counted from 1, to what is silenced there.
    files: HashMap<FileId, HashMap<usize, Silenced>>,
    /// Tasks of each file: first and last byte.
    tasks: HashMap<FileId, BTreeMap<u32, u32>>,
}

impl Exceptions {
    /// For these tasks.
    pub(super) fn new(tasks: impl Iterator<Item = Span>) -> Self {
        let mut exceptions = Self::default();
        for span in tasks {
            exceptions.tasks.entry(span.file).or_default().insert(span.start, span.end);
        }
        exceptions
    }

    /// Whether a finding is silenced.
    pub(super) fn cover(&mut self, finding: &Diagnostic, map: &SourceMap) -> bool {
        let Some((span, _)) = &finding.span else { return false };
        let lines = self.files.entry(span.file).or_insert_with(|| read(&map.text(span.file)));
        if lines.is_empty() {
            return false;
        }
        // The innermost task around it begins last.
        let task = self.tasks.get(&span.file).and_then(|tasks| {
            tasks.range(..=span.start).rev().take(8).find(|(_, end)| **end >= span.start).map(|(start, _)| *start)
        });
        let task = task.map(|start| map.line_column(Span { start, end: start, ..*span }).0);
        let own = map.line_column(*span).0;
        [Some(own), task].into_iter().flatten().any(|line| match lines.get(&line) {
            Some(Silenced::Everything) => true,
            Some(Silenced::Rules(names)) => names.iter().any(|(name, ..)| name == finding.code),
            None => false,
        })
    }

    /// Comments that name rules which there are not.
    pub(super) fn unknown(&mut self, files: impl Iterator<Item = FileId>, map: &SourceMap) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for file in files.collect::<HashSet<_>>() {
            let lines = self.files.entry(file).or_insert_with(|| read(&map.text(file)));
            for (name, start, end) in lines.values().flat_map(|silenced| match silenced {
                Silenced::Rules(names) => names.as_slice(),
                Silenced::Everything => &[],
            }) {
                if rules::find(name).is_some() || is_foreign(name) {
                    continue;
                }
                let span = Span { file, start: *start, end: *end };
                let hint = suggest::did_you_mean(name, rules::all().map(|rule| rule.name));
                let hint = hint.unwrap_or_else(|| "`stead lint --list-rules` lists the rules that there are".to_owned());
                found.push(
                    Diagnostic::warning("unknown-noqa", format!("no rule is named `{name}`"))
                        .at(span, "silences nothing")
                        .hint(hint),
                );
            }
        }
        found
    }
}

const MARK: &str = "# noqa";

/// The exceptions of a text by line.
fn read(text: &str) -> HashMap<usize, Silenced> {
    let mut found = HashMap::new();
    if !text.contains(MARK) {
        return found;
    }
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(at) = line.find(MARK) {
            let rest = &line[at + MARK.len()..];
            if let Some(silenced) = silenced(rest, (offset + at + MARK.len()) as u32) {
                found.insert(number + 1, silenced);
            }
        }
        offset += line.len();
    }
    found
}

/// What stands behind `# noqa`; `at` is its first byte in the file.
fn silenced(rest: &str, at: u32) -> Option<Silenced> {
    if rest.starts_with(|c: char| c.is_alphanumeric()) {
        return None;
    }
    let mut names = Vec::new();
    let mut word_start = None;
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '[' | ']');
    for (offset, character) in rest.char_indices().chain([(rest.len(), ' ')]) {
        if character == '#' || rest[offset..].starts_with("#}") {
            break;
        }
        match (word_start, is_part(character)) {
            (None, true) => word_start = Some(offset),
            (Some(start), false) => {
                let word: &str = &rest[start..offset];
                // Other linters write `name[detail]`.
                let name = word.split('[').next().unwrap_or(word);
                if !name.is_empty() {
                    names.push((name.to_owned(), at + start as u32, at + start as u32 + name.len() as u32));
                }
                word_start = None;
            }
            _ => {}
        }
    }
    Some(if names.is_empty() { Silenced::Everything } else { Silenced::Rules(names) })
}

/// Names of rules of other linters that read the same comments.
fn is_foreign(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "args",
        "avoid-implicit",
        "complexity",
        "deprecated-bare-vars",
        "deprecated-local-action",
        "deprecated-module",
        "empty-string-compare",
        "fqcn",
        "galaxy",
        "inline-env-var",
        "internal-error",
        "jinja",
        "key-order",
        "latest",
        "line-length",
        "load-failure",
        "loop-var-prefix",
        "meta-incorrect",
        "meta-no-tags",
        "meta-runtime",
        "meta-unsupported-ansible",
        "meta-video-links",
        "name",
        "no-free-form",
        "no-handler",
        "no-log-password",
        "no-prompting",
        "no-relative-paths",
        "no-same-owner",
        "no-tabs",
        "only-builtins",
        "parser-error",
        "playbook-extension",
        "role-name",
        "sanity",
        "schema",
        "syntax-check",
        "var-naming",
        "var-spacing",
        "warning",
        "yaml",
    ];
    // Numbers and `E501` are other tools' too.
    NAMES.contains(&name) || name.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_read_in_all_their_shapes() {
        let rules = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        for (line, expected) in [
            ("a: 1", None),
            ("a: 1 # noqa", Some(Vec::new())),
            ("a: 1 # noqa: risky-octal", rules(&["risky-octal"])),
            ("a: 1 # noqa risky-octal no-changed-when", rules(&["risky-octal", "no-changed-when"])),
            ("a: 1 # noqa: risky-octal, yaml[line-length] # because", rules(&["risky-octal", "yaml"])),
            ("{{ a }} {# noqa: template-syntax #}", rules(&["template-syntax"])),
            ("a: 1 # noqas", None),
        ] {
            let found = read(line).remove(&1).map(|silenced| match silenced {
                Silenced::Everything => Vec::new(),
                Silenced::Rules(names) => names.into_iter().map(|(name, ..)| name).collect(),
            });
            assert_eq!(found, expected, "{line}");
        }
    }
}
