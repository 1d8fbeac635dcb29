//! The files of a project: YAML as nodes, templates, other text; and what is said in them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::text;
use crate::source::{FileId, Node, NodeValue};

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Playbook,
    Tasks,
    Handlers,
    Variables,
    Meta,
    Template,
    /// Text that may name variables: plugins, scripts.
    Other,
}

/// One file.
#[derive(Debug)]
pub(super) struct ProjectFile {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) content: Content,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Content {
    Yaml(Node),
    Text(FileId, Arc<str>),
}

impl ProjectFile {
    /// Its entry in the source map.
    pub(super) fn id(&self) -> FileId {
        match &self.content {
            Content::Yaml(node) => node.span.file,
            Content::Text(id, _) => *id,
        }
    }
}

/// The files of a project.
#[derive(Debug, Default)]
pub(super) struct Corpus {
    pub(super) files: Vec<ProjectFile>,
    /// Whether files of variables are encrypted as a whole.
    pub(super) encrypted: bool,
    words: OnceLock<HashSet<String>>,
}

/// Keys whose value makes a name instead of using it.
const NAMING: &[&str] = &["register", "loop_var", "index_var"];

impl Corpus {
    pub(super) fn new(files: Vec<ProjectFile>, encrypted: bool) -> Self {
        Self { files, encrypted, words: OnceLock::new() }
    }

    /// Files of a kind.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &ProjectFile> {
        self.files.iter().filter(move |file| file.kind == kind)
    }

    /// YAML files with their document.
    pub(super) fn yaml(&self) -> impl Iterator<Item = (&Path, Kind, &Node)> {
        self.files.iter().filter_map(|file| match &file.content {
            Content::Yaml(node) => Some((file.path.as_path(), file.kind, node)),
            Content::Text(..) => None,
        })
    }

    /// All words that may be uses of a variable: of every text, but not those that make a name.
    pub(super) fn words(&self) -> &HashSet<String> {
        self.words.get_or_init(|| {
            let mut words = HashSet::new();
            for file in &self.files {
                match &file.content {
                    Content::Yaml(node) => in_node(node, &mut words),
                    Content::Text(_, text) => in_text(text, &mut words),
                }
            }
            words
        })
    }

    /// Whether variables are also read by names that are put together while running.
    pub(super) fn reads_by_computed_name(&self) -> bool {
        let mut found = false;
        for file in &self.files {
            match &file.content {
                Content::Yaml(node) => text::walk(node, &mut |node| found |= node.as_str().is_some_and(computes_names)),
                Content::Text(_, text) => found |= file.kind == Kind::Template && computes_names(text),
            }
        }
        found
    }
}

fn in_node(node: &Node, words: &mut HashSet<String>) {
    match &node.value {
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => in_text(text, words),
        NodeValue::List(items) => items.iter().for_each(|item| in_node(item, words)),
        NodeValue::Map(map) => {
            for (key, value) in &map.entries {
                let name = key.as_str().unwrap_or_default();
                if text::has_template(name) {
                    in_text(name, words);
                }
                if !(NAMING.contains(&name) && value.as_str().is_some()) {
                    in_node(value, words);
                }
            }
        }
        _ => {}
    }
}

fn in_text(text: &str, words: &mut HashSet<String>) {
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    for word in parts.filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit())) {
        if !words.contains(word) {
            words.insert(word.to_owned());
        }
    }
}

/// `varnames`, `vars[x]`, `hostvars[h][x]`, `lookup('vars', x)` where `x` is not spelled out.
fn computes_names(text: &str) -> bool {
    if text.contains("varnames") {
        return true;
    }
    let unquoted = |rest: &str| !rest.trim_start().starts_with(['\'', '"']);
    let indexed = text.match_indices("vars[").any(|(at, found)| {
        let of_host = text[..at].ends_with("host");
        let rest = &text[at + found.len()..];
        if of_host { rest.split_once("][").is_some_and(|(_, rest)| unquoted(rest)) } else { unquoted(rest) }
    });
    let looked_up = ["'vars',", "\"vars\",", "builtin.vars',"].iter().any(|found| {
        text.match_indices(found).any(|(at, found)| {
            let rest = text[at + found.len()..].trim_start();
            let constant = rest.get(1..).and_then(|inner| inner.split_once(['\'', '"']));
            // A constant that goes on (`'a_' ~ b`) is computed too.
            unquoted(rest) || constant.is_none_or(|(_, after)| after.trim_start().starts_with(['~', '+', '%']))
        })
    });
    indexed || looked_up
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computed_names_are_recognised() {
        for (text, computed) in [
            ("{{ vars['a'] }}", false),
            ("{{ vars[a] }}", true),
            ("{{ hostvars[h]['a'] }}", false),
            ("{{ hostvars[h][a] }}", true),
            ("{{ lookup('vars', 'a') }}", false),
            ("{{ lookup('vars', 'a_' ~ b) }}", true),
            ("{{ lookup('ansible.builtin.vars', b) }}", true),
            ("{{ query('varnames', '^a') }}", true),
            ("{{ myvars['a'] }}", false),
        ] {
            assert_eq!(computes_names(text), computed, "{text}");
        }
    }
}
