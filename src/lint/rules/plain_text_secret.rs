//! Passwords and keys that everybody can read.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::corpus::Content;
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, FileId, Node, NodeValue, Severity, Span};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "plain-text-secret",
    doc: "Passwords, tokens and private keys that stand in a file as plain text",
    severity: Severity::Warning,
    bad: r#"- hosts: all
  vars:
    db_password: hunter2hunter2
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "{{ db_password }}"
"#,
    good: r#"- hosts: all
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "{{ vault_db_password }}"
      vars:
        vault_db_password: "{{ lookup('env', 'DB_PASSWORD') }}"
"#,
    check: Check::Project(check),
};

static SECRET_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(^|_)(password|passwd|passphrase|secret|secret_key|api_?key|auth_token|access_token|api_token|private_key)$")
        .expect("the pattern is written here")
});
/// Keys of options that are no secrets, although they end like one.
static NO_SECRET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)^(update|generate|no|use|has|is|enable|require|ask|prompt|expire|unsafe|show)_").expect("the pattern is written here"));
static SECRET_VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"-----BEGIN ([A-Z]+ )*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[baprs]-[A-Za-z0-9-]{10,}|\bglpat-[A-Za-z0-9_-]{20}\b")
        .expect("the pattern is written here")
});

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    let map = project.loader.map();
    let mut secrets: BTreeMap<FileId, Vec<(Span, String)>> = BTreeMap::new();
    for file in &project.corpus.files {
        match &file.content {
            Content::Yaml(node) => walk(node, None, &mut |span, what| secrets.entry(span.file).or_default().push((span, what))),
            Content::Text(id, text) => {
                for place in SECRET_VALUE.find_iter(text) {
                    let span = Span { file: *id, start: place.start() as u32, end: place.end() as u32 };
                    secrets.entry(*id).or_default().push((span, "this looks like a private key or a token".to_owned()));
                }
            }
        }
    }
    for (file, places) in secrets.into_iter().filter(|(file, _)| !map.is_secret(*file)) {
        // What is shown of the file has stars in place of its secrets.
        let masked = map.masked(file, &places.iter().map(|(span, _)| *span).collect::<Vec<_>>());
        for (span, what) in places {
            found.push(
                Diagnostic::warning("plain-text-secret", what)
                    .at(Span { file: masked, ..span }, "everybody who has this file has it too")
                    .hint("encrypt it with `ansible-vault encrypt_string`, or read it from elsewhere (`lookup('env', ...)`)"),
            );
        }
    }
}

fn walk(node: &Node, key: Option<&str>, see: &mut impl FnMut(Span, String)) {
    match &node.value {
        NodeValue::Str(value, _) | NodeValue::Unsafe(value) => {
            if SECRET_VALUE.is_match(value) {
                see(node.span, "this looks like a private key or a token".to_owned());
            } else if let Some(key) = key.filter(|key| SECRET_KEY.is_match(key) && !NO_SECRET.is_match(key))
                && is_secret(value)
            {
                see(node.span, format!("`{key}` is written in plain text"));
            }
        }
        NodeValue::List(items) => items.iter().for_each(|item| walk(item, None, see)),
        NodeValue::Map(map) => map.entries.iter().for_each(|(key, value)| walk(value, key.as_str(), see)),
        _ => {}
    }
}

/// Whether text may be a secret: no template, no path, no name of a variable's place, no hash of a password, no
/// word that switches something.
fn is_secret(value: &str) -> bool {
    let word = value.trim();
    let switches = ["", "yes", "no", "true", "false", "none", "null", "omit", "always", "on_create", "present", "absent", "!", "*", "x"];
    !text::has_template(word)
        && !switches.contains(&word.to_lowercase().as_str())
        && !word.starts_with(['/', '~', '$', '<', '*', '!'])
        && !word.contains(char::is_whitespace)
        && word.len() >= 4
}
