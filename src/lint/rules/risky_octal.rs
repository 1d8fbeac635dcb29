//! Modes that are numbers.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, NodeValue, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "risky-octal",
    doc: "Modes that are written as decimal numbers; one with a leading zero is only a matter of style",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        dest: /etc/a
        mode: 644
",
    good: r#"- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        dest: /etc/a
        mode: "0644"
"#,
    check: Check::Task(check),
};

const OPTIONS: &[&str] = &["mode", "directory_mode", "dir_mode", "umask"];

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    for (name, node) in &seen.task.action.options {
        let NodeValue::Int(number) = node.value else { continue };
        if !OPTIONS.contains(&&**name) {
            continue;
        }
        let text = project.loader.map().text(node.span.file);
        let Some(written) = text.get(node.span.start as usize..node.span.end as usize) else { continue };
        let is_octal = written.len() > 1 && written.starts_with('0') && written.bytes().all(|byte| byte.is_ascii_digit());
        if is_octal {
            // YAML 1.1 reads it as octal, so the value is what was meant; other readers differ.
            found.push(
                Diagnostic::info("risky-octal", format!("`{name}: {written}` is a number to YAML"))
                    .at(node.span, "here")
                    .hint(format!("put it in quotes: `{name}: \"{written}\"`"))
                    .replace(node.span, format!("\"{written}\"")),
            );
        } else if written.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) && (3..=4).contains(&written.len()) {
            found.push(
                Diagnostic::warning("risky-octal", format!("`{name}: {written}` is a decimal number: the mode would be {number:04o}"))
                    .at(node.span, "here")
                    .hint(format!("write `{name}: \"{written:0>4}\"`")),
            );
        }
    }
}
