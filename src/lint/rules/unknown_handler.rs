//! Names in `notify` that no handler answers to.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::playbook::Task;
use crate::source::{Diagnostic, Diagnostics, Severity, suggest};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unknown-handler",
    doc: "Names in `notify` that no handler has and none listens to",
    severity: Severity::Error,
    bad: r#"- hosts: all
  tasks:
    - name: Configuration
      ansible.builtin.copy:
        content: a
        dest: /etc/a
        mode: "0644"
      notify: Restrat
  handlers:
    - name: Restart
      ansible.builtin.debug:
        msg: restarted
"#,
    good: r#"- hosts: all
  tasks:
    - name: Configuration
      ansible.builtin.copy:
        content: a
        dest: /etc/a
        mode: "0644"
      notify: Restart
  handlers:
    - name: Restart
      ansible.builtin.debug:
        msg: restarted
"#,
    check: Check::Play(check),
};

fn check(view: &PlayView, _: &Project<'_>, found: &mut Diagnostics) {
    // Handlers of what is only known while running may have any name.
    if view.open || view.handlers.iter().any(|handler| handler.title().contains("{{")) {
        return;
    }
    for task in view.all() {
        for name in task.notified() {
            if view.handlers.iter().any(|handler| answers(handler, &name)) {
                continue;
            }
            let known = view
                .handlers
                .iter()
                .flat_map(|handler| std::iter::once(handler.title()).chain(handler.listen.iter().map(|topic| &**topic)));
            let node = task.notify.as_ref();
            let own = node.and_then(|node| node.as_list()?.iter().find(|item| item.as_str() == Some(&name)).or(Some(node)));
            let span = own.or(node).map_or(task.span, |node| node.span);
            let mut problem = Diagnostic::error("unknown-handler", format!("no handler is named or listens to `{name}`"))
                .at(span, "notified here");
            if let Some(hint) = suggest::did_you_mean(&name, known) {
                problem = problem.hint(hint);
            }
            found.push(problem);
        }
    }
}

/// Whether a handler runs when this name is notified.
pub(super) fn answers(handler: &Task, name: &str) -> bool {
    handler.title() == name
        || handler.listen.iter().any(|topic| **topic == *name)
        || handler.role.as_ref().is_some_and(|role| format!("{} : {}", role.name, handler.title()) == name)
}
