//! What the rules about commands share: the command line of a task.

use crate::playbook::Task;
use crate::source::Node;

/// The command line as written, and its place.
pub(super) fn line(task: &Task) -> Option<(&str, &Node)> {
    if !matches!(&*task.action.module, "command" | "shell") {
        return None;
    }
    let node = task.action.option("_raw_params").or_else(|| task.action.option("cmd"))?;
    Some((node.as_str()?.trim(), node))
}

/// Whether a text has something in it that only a shell understands.
pub(super) fn needs_shell(text: &str) -> bool {
    const SIGNS: &[char] =
        &['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '[', ']', '{', '}', '~', '#', '!', '\n', '\\'];
    const BUILT_IN: &[&str] = &[
        "alias", "cd", "command", "declare", "eval", "exec", "exit", "export", "hash", "if", "for", "while", "case", "read",
        "set", "source", ".", "test", "trap", "type", "ulimit", "umask", "unset", "until", "wait", "local", "let", "shopt",
        "pushd", "popd",
    ];
    let first = text.split_whitespace().next().unwrap_or_default();
    // `A=1 program` sets a variable for the program.
    text.contains(SIGNS) || BUILT_IN.contains(&first) || first.contains('=')
}
