//! Options that a module needs and does not get.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::options;
use crate::playbook::outline::literal_options;
use crate::source::{Diagnostic, Diagnostics, Severity, suggest};
use stead_modules::args::Presence;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "missing-option",
    doc: "Options that the module needs and does not get",
    severity: Severity::Error,
    bad: r#"- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        mode: "0644"
"#,
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

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some(entry) = options::checkable(task, project.loader) else { return };
    if task.action.template.is_some() || !task.keywords.module_defaults.is_empty() {
        return;
    }
    let literals: serde_json::Map<_, _> =
        literal_options(task).into_iter().filter(|(name, _)| options::is_known(entry, name)).collect();
    for error in (entry.check)(&literals) {
        let passed_on = task.action.options.iter().any(|(name, _)| options::is_passed_on(entry, name));
        let required =
            entry.fields.iter().any(|field| field.name == error.option && field.presence == Presence::Required);
        // Who misspelled it is told so, once.
        let misspelled = || {
            let unknown = task.action.options.iter().filter(|(name, _)| !options::is_known(entry, name));
            unknown.filter_map(|(name, _)| suggest::nearest(name, options::names(entry))).any(|near| {
                options::is_same(entry, near, &error.option)
            })
        };
        if required && options::given(task, entry, &error.option).is_none() && !misspelled() && !passed_on {
            found.push(
                Diagnostic::error("missing-option", format!("`{}` needs option `{}`", task.action.written, error.option))
                    .at(task.action.span, "here")
                    .hint(format!("`stead docs {}` describes it", entry.name)),
            );
        }
    }
}
