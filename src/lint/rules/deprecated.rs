//! Names that go away.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "deprecated",
    doc: "Modules and keywords that Ansible has removed or is about to remove",
    severity: Severity::Warning,
    bad: "### site.yml
- hosts: all
  tasks:
    - name: More
      include: a.yml
### a.yml
- name: Answer
  ansible.builtin.ping:
",
    good: "### site.yml
- hosts: all
  tasks:
    - name: More
      ansible.builtin.include_tasks: a.yml
### a.yml
- name: Answer
  ansible.builtin.ping:
",
    check: Check::Task(check),
};

/// Name without its collection, what became of it, what to write.
const MODULES: &[(&str, &str, &str)] = &[
    ("include", "was removed in ansible-core 2.16", "`include_tasks` or `import_tasks`"),
    ("apt_key", "writes to a keyring that apt is about to give up", "`deb822_repository` with `signed_by`"),
    ("ec2_facts", "was removed in Ansible 2.9", "`amazon.aws.ec2_metadata_facts`"),
    ("docker", "was removed in Ansible 2.4", "`community.docker.docker_container`"),
    ("letsencrypt", "was renamed", "`community.crypto.acme_certificate`"),
    ("stat_facts", "was removed", "`stat`"),
];

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let written = task.action.written.as_str();
    let short = written.strip_prefix("ansible.builtin.").or_else(|| written.strip_prefix("ansible.legacy.")).unwrap_or(written);
    if let Some((name, why, instead)) = MODULES.iter().find(|(name, ..)| *name == short) {
        found.push(
            Diagnostic::warning("deprecated", format!("`{name}` {why}")).at(task.action.span, "here").hint(format!("use {instead}")),
        );
    }
}
