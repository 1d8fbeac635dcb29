//! Module names: collections and old names to our plain ones.

/// Collections whose modules are known here by their plain name.
const COLLECTIONS: &[&str] = &[
    "ansible.builtin",
    "ansible.legacy",
    "ansible.posix",
    "community.crypto",
    "community.docker",
    "community.general",
    "community.mysql",
    "community.postgresql",
    "community.rabbitmq",
    "containers.podman",
];

/// Names that mean another module.
const OTHER_NAMES: &[(&str, &str)] =
    &[("systemd_service", "systemd"), ("include", "include_tasks"), ("gather_facts", "setup"), ("yum", "dnf"), ("dnf5", "dnf")];

/// The plain name under which a module is known here, whether or not it exists.
///
/// `ansible.builtin.copy` is `copy`; a name from a collection that is not known stays as it is.
pub fn plain(written: &str) -> &str {
    let short =
        written.rsplit_once('.').filter(|(collection, _)| COLLECTIONS.contains(collection)).map_or(written, |(_, name)| name);
    OTHER_NAMES.iter().find(|(other, _)| *other == short).map_or(short, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn collections_and_old_names_are_understood() {
        let cases = [
            ("copy", "copy"),
            ("ansible.builtin.copy", "copy"),
            ("ansible.builtin.systemd_service", "systemd"),
            ("ansible.builtin.yum", "dnf"),
            ("community.postgresql.postgresql_db", "postgresql_db"),
            ("community.zabbix.zabbix_agent", "community.zabbix.zabbix_agent"),
        ];
        for (written, expected) in cases {
            assert_eq!(plain(written), expected, "{written}");
        }
    }
}
