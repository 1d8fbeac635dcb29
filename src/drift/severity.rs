//! How bad a finding is, by a short list of named rules.

use serde::Serialize;
use serde_json::Value;
use stead_modules::change::ResourceId;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For interest.
    Low,
    /// To be looked at.
    Medium,
    /// To be looked at now: who may log in, who may become whom, what runs.
    High,
}

/// A severity and the rule that set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    /// How bad.
    pub severity: Severity,
    /// The rule's name.
    pub rule: &'static str,
}

/// A rule: its name, and what it matches.
type Rule = (&'static str, fn(&ResourceId, &str, &[&Value]) -> bool);

/// Findings that one of these matches are high; the first match names the rule.
const HIGH: &[Rule] = &[
    ("ssh-server", |id, _, _| is_file_below(id, "/etc/ssh") || is_unit(id, &["ssh", "sshd"])),
    ("sudo", |id, _, _| is_file(id, "/etc/sudoers") || is_file_below(id, "/etc/sudoers.d")),
    ("pam", |id, _, _| is_file(id, "/etc/pam.conf") || is_file_below(id, "/etc/pam.d") || is_file_below(id, "/etc/security")),
    ("authorized-keys", |id, _, _| {
        id.kind == "authorized_key" || (id.kind == "file" && file_name(id).starts_with("authorized_keys"))
    }),
    ("accounts", |id, property, _| {
        let databases = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"];
        databases.iter().any(|path| is_file(id, path))
            || (matches!(&*id.kind, "user" | "group")
                && matches!(property, "present" | "password" | "uid" | "gid" | "shell" | "groups"))
    }),
    ("setuid", |id, property, values| id.kind == "file" && property == "mode" && values.iter().any(|mode| is_setuid(mode))),
    ("unit", |id, _, _| {
        let folders = ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system", "/etc/init.d"];
        matches!(&*id.kind, "service" | "unit") || folders.iter().any(|folder| is_file_below(id, folder))
    }),
];

/// How bad a difference is.
pub(super) fn rate(resource: &ResourceId, property: &str, values: &[&Value]) -> Rated {
    let rule = HIGH.iter().find(|(_, matches)| matches(resource, property, values));
    match rule {
        Some((rule, _)) => Rated { severity: Severity::High, rule },
        None => Rated { severity: Severity::Medium, rule: "default" },
    }
}

fn is_file(id: &ResourceId, path: &str) -> bool {
    id.kind == "file" && id.name == path
}

fn is_file_below(id: &ResourceId, folder: &str) -> bool {
    id.kind == "file" && (id.name == folder || id.name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
}

fn file_name(id: &ResourceId) -> &str {
    id.name.rsplit('/').next().unwrap_or(&id.name)
}

fn is_unit(id: &ResourceId, names: &[&str]) -> bool {
    matches!(&*id.kind, "service" | "unit") && names.contains(&id.name.trim_end_matches(".service"))
}

/// A mode with the set-user-id or set-group-id bit.
fn is_setuid(mode: &Value) -> bool {
    mode.as_str().and_then(|mode| u32::from_str_radix(mode, 8).ok()).is_some_and(|mode| mode & 0o6000 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_decides_who_gets_in_is_high() {
        for (kind, name, property, rule) in [
            ("file", "/etc/ssh/sshd_config", "content", "ssh-server"),
            ("service", "sshd.service", "state", "ssh-server"),
            ("file", "/etc/sudoers.d/ops", "mode", "sudo"),
            ("file", "/etc/pam.d/login", "content", "pam"),
            ("file", "/home/a/.ssh/authorized_keys", "content", "authorized-keys"),
            ("file", "/etc/shadow", "mode", "accounts"),
            ("user", "deploy", "groups", "accounts"),
            ("user", "deploy", "comment", "default"),
            ("service", "nginx", "state", "unit"),
            ("file", "/etc/systemd/system/x.service", "content", "unit"),
            ("file", "/etc/sshd", "content", "default"),
            ("file", "/etc/motd", "content", "default"),
        ] {
            assert_eq!(rate(&ResourceId::new(kind, name), property, &[]).rule, rule, "{kind} {name} {property}");
        }
    }

    #[test]
    fn a_setuid_bit_on_either_side_is_high() {
        let file = ResourceId::new("file", "/usr/local/bin/x");
        let rule = |was, is| rate(&file, "mode", &[&json!(was), &json!(is)]).rule;
        assert_eq!(rule("0755", "4755"), "setuid");
        assert_eq!(rule("2755", "0755"), "setuid");
        assert_eq!(rule("1777", "0755"), "default");
    }
}
