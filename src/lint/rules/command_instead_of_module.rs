//! Commands for which there is a module.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::commands;
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "command-instead-of-module",
    doc: "Commands for which there is a module that knows what is there already",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: A directory
      ansible.builtin.command: mkdir -p /opt/a
      changed_when: false
",
    good: r#"- hosts: all
  tasks:
    - name: A directory
      ansible.builtin.file:
        path: /opt/a
        state: directory
        mode: "0755"
"#,
    check: Check::Task(check),
};

/// Program, arguments of which one must be there (none: any), module.
const PROGRAMS: &[(&str, &[&str], &str)] = &[
    ("apt-get", &["install", "remove", "purge", "update", "upgrade", "dist-upgrade"], "apt"),
    ("apt", &["install", "remove", "purge", "update", "upgrade", "full-upgrade"], "apt"),
    ("aptitude", &["install", "remove", "purge", "update"], "apt"),
    ("add-apt-repository", &[], "apt_repository"),
    ("yum", &["install", "remove", "update"], "yum"),
    ("dnf", &["install", "remove", "update", "upgrade"], "dnf"),
    ("pip", &["install", "uninstall"], "pip"),
    ("pip3", &["install", "uninstall"], "pip"),
    ("systemctl", &["start", "stop", "restart", "reload", "enable", "disable", "mask", "unmask", "daemon-reload"], "systemd"),
    ("service", &["start", "stop", "restart", "reload"], "service"),
    ("chkconfig", &[], "service"),
    ("curl", &["-o", "-O", "--output", "--remote-name"], "get_url"),
    ("wget", &[], "get_url"),
    ("git", &["clone", "pull", "checkout"], "git"),
    ("rsync", &[], "synchronize"),
    ("tar", &["-x", "x", "xf", "-xf", "xzf", "-xzf", "xvf", "-xvf", "xvzf", "-xvzf", "zxvf", "-zxvf", "zxf", "-zxf", "xjf", "-xjf"], "unarchive"),
    ("unzip", &[], "unarchive"),
    ("mount", &[], "mount"),
    ("umount", &[], "mount"),
    ("mkdir", &[], "file"),
    ("touch", &[], "file"),
    ("ln", &[], "file"),
    ("chmod", &[], "file"),
    ("chown", &[], "file"),
    ("chgrp", &[], "file"),
    ("rm", &[], "file"),
    ("rmdir", &[], "file"),
    ("cp", &[], "copy"),
    ("sed", &["-i"], "lineinfile"),
    ("useradd", &[], "user"),
    ("adduser", &[], "user"),
    ("usermod", &[], "user"),
    ("userdel", &[], "user"),
    ("groupadd", &[], "group"),
    ("groupmod", &[], "group"),
    ("groupdel", &[], "group"),
    ("crontab", &[], "cron"),
    ("hostnamectl", &["set-hostname"], "hostname"),
    ("timedatectl", &["set-timezone"], "timezone"),
    ("sysctl", &["-w"], "sysctl"),
    ("getent", &[], "getent"),
];

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some((line, node)) = commands::line(task) else { return };
    // A pipe or a list of commands is more than the module does.
    if &*task.action.module == "shell" && commands::needs_shell(&line.replace("{{", "").replace("}}", "")) {
        return;
    }
    let mut words = line.split_whitespace();
    let program = words.next().map(|word| word.rsplit('/').next().unwrap_or(word)).unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let fits = |(name, arguments, _): &&(&str, &[&str], &str)| {
        *name == program && (arguments.is_empty() || words.iter().any(|word| arguments.contains(word)))
    };
    // What stead does not have it does not recommend.
    let Some((_, _, module)) =
        PROGRAMS.iter().find(fits).filter(|(_, _, module)| project.loader.catalog().find(module).is_some())
    else {
        return;
    };
    found.push(
        Diagnostic::warning("command-instead-of-module", format!("`{program}` changes the host although `{module}` could see what is there already"))
            .at(node.span, "this command")
            .hint(format!("use the module `{module}`: a plan can tell what it would do (`stead docs {module}`)")),
    );
}
