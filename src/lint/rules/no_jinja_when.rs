//! Conditions in braces.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Severity, Style};
use crate::vars::Definition;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "no-jinja-when",
    doc: "Conditions in braces: they are expressions without them",
    severity: Severity::Warning,
    bad: r#"- hosts: all
  tasks:
    - name: Perhaps
      ansible.builtin.ping:
      when: "{{ ansible_facts.os_family == 'Debian' }}"
"#,
    good: r#"- hosts: all
  tasks:
    - name: Perhaps
      ansible.builtin.ping:
      when: "ansible_facts.os_family == 'Debian'"
"#,
    check: Check::Task(check),
};

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let own = [&task.until, &task.changed_when, &task.failed_when].into_iter().flatten();
    for condition in task.keywords.when.iter().chain(own) {
        for node in condition.as_list().unwrap_or(std::slice::from_ref(condition)) {
            let NodeValue::Str(text, style) = &node.value else { continue };
            if !text.contains("{{") {
                continue;
            }
            let problem = Diagnostic::warning("no-jinja-when", "a condition is an expression already")
                .at(node.span, "braces are not needed here")
                .hint("remove the braces");
            found.push(match remedy(node, text, *style, project) {
                Some(inside) => problem.replace(node.span, inside),
                None => problem,
            });
        }
    }
}

/// The node without its braces, if that is all of it and means the same.
fn remedy(node: &Node, text: &str, style: Style, project: &Project<'_>) -> Option<String> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    if inside.contains("{{") || inside.contains("}}") || inside.starts_with('-') || inside.ends_with('-') || style != Style::Quoted {
        return None;
    }
    // Text that a variable holds would be evaluated once more in braces.
    let name = inside.trim();
    let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_name && may_hold_text(name, project) {
        return None;
    }
    let source = project.loader.map().text(node.span.file);
    let written = source.get(node.span.start as usize..node.span.end as usize)?;
    let quote = written.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
    let inner = written.strip_prefix(quote)?.strip_suffix(quote)?.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    Some(format!("{quote}{inner}{quote}"))
}

fn may_hold_text(name: &str, project: &Project<'_>) -> bool {
    let layers = project.plays.iter().flat_map(|view| {
        let roles = view.roles.iter().flat_map(|role| role.defaults.iter().chain(&role.vars).chain([&role.params]));
        let tasks = view.all().flat_map(|task| task.keywords.vars.iter());
        roles.chain(tasks).chain([&view.play.vars])
    });
    let mut definitions = layers.filter_map(|layer| layer.get(name)).peekable();
    // What is defined elsewhere may be anything.
    definitions.peek().is_none()
        || definitions.any(|variable| match &variable.definition {
            Definition::Source(node) => !matches!(node.value, NodeValue::Bool(_)),
            Definition::Data(_) => true,
        })
}
