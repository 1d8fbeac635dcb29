//! Settings from files and the environment, and the table itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::*;

struct Place {
    directory: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Place {
    fn new(files: &[(&str, &str)], environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("work/deep")).unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { directory, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// From `work/deep`, with the directory above both as home.
    fn read(&self) -> (Config, Vec<String>) {
        let home = self.directory.path();
        let around = Around { environment: &self.environment, directory: &self.path("work/deep"), home: Some(home) };
        let (config, diagnostics) = Config::read(&around);
        let shown = |problem: &Diagnostic| {
            let at = problem.span.as_ref().map_or(0, |(span, _)| config.map().line_column(*span).0);
            let hint = problem.hint.as_deref().map(|hint| format!(" | {hint}")).unwrap_or_default();
            format!("{at} {}{hint}", problem.message)
        };
        let problems = diagnostics.iter().map(shown).collect();
        (config, problems)
    }
}

#[test]
fn the_environment_wins_over_the_project_and_that_over_ansible_cfg() {
    let place = Place::new(
        &[
            ("work/deep/ansible.cfg", "[defaults]\nforks = 1\ntimeout = 1\nremote_user = \"one\"\n"),
            ("work/stead.toml", "forks = 2\ntimeout = 2\n"),
            (".ansible.cfg", "[defaults]\nforks = 9\nprivate_key_file = x\n"),
        ],
        &[("ANSIBLE_FORKS", "3")],
    );
    let (config, problems) = place.read();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!((config.number("forks"), config.number("timeout"), config.text("remote_user")), (Some(3), Some(2), Some("one")));
    assert_eq!(config.path("private_key_file"), None, "only one ansible.cfg is read");
    let places: Vec<String> = config.made().map(|made| format!("{}={}", made.setting.name, config.place(made.origin))).collect();
    let project = place.path("work/stead.toml");
    assert_eq!(
        places,
        [
            "forks=ANSIBLE_FORKS in the environment".to_owned(),
            "remote_user=ansible.cfg:4".to_owned(),
            format!("timeout={}:2", project.display()),
        ]
    );
}

#[test]
fn ansible_cfg_is_found_where_ansible_finds_it() {
    let at_home = (".ansible.cfg", "[defaults]\nforks=1\n");
    let here = ("work/deep/ansible.cfg", "[defaults]\nforks=2\n");
    let named = ("work/ansible.cfg", "[defaults]\nforks=3\n");
    let forks = |place: &Place| place.read().0.number("forks");
    assert_eq!(forks(&Place::new(&[at_home], &[])), Some(1));
    assert_eq!(forks(&Place::new(&[at_home, here], &[])), Some(2));
    let place = Place::new(&[at_home, here, named], &[]);
    let with = |value: &Path| Place {
        directory: tempfile::tempdir().unwrap(),
        environment: [("ANSIBLE_CONFIG".to_owned(), value.display().to_string())].into(),
    };
    for path in ["work/ansible.cfg", "work"] {
        let other = with(&place.path(path));
        std::fs::create_dir_all(other.path("work/deep")).unwrap();
        assert_eq!(forks(&other), Some(3), "{path}");
    }
    let missing = Place::new(&[here], &[("ANSIBLE_CONFIG", "/nonexistent.cfg")]);
    assert_eq!(forks(&missing), Some(2), "the next place is looked at");
    let open = Place::new(&[at_home, here], &[]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(open.path("work/deep"), mode).unwrap();
    assert_eq!(forks(&open), Some(1));
    assert!(open.read().1[0].contains("everybody may write to its directory"));
}

#[test]
fn values_are_read_by_their_kind() {
    let text = "[defaults]\nroles_path = a:~/b:{{CWD}}/c:$HERE/d\ninventory = h.ini, more\nvault_identity_list = a@x, b@prompt\n\
                host_key_checking = no\nprivate_key_file: k\n[ssh_connection]\nssh_args = -C -o \"A=b c\"\n[tags]\nrun = x,y\n";
    let place = Place::new(&[("work/deep/ansible.cfg", text)], &[("HERE", "/here"), ("ANSIBLE_LIBRARY", "m:n")]);
    let (config, problems) = place.read();
    assert!(problems.is_empty(), "{problems:?}");
    let home = place.directory.path();
    let here = place.path("work/deep/c");
    let paths = |names: &[&Path]| names.iter().map(|name| name.to_path_buf()).collect::<Vec<_>>();
    assert_eq!(config.paths("roles_path").unwrap(), paths(&["a".as_ref(), &home.join("b"), &here, "/here/d".as_ref()]));
    assert_eq!(config.paths("inventory").unwrap(), paths(&["h.ini".as_ref(), "more".as_ref()]));
    assert_eq!(config.paths("library").unwrap(), paths(&["m".as_ref(), "n".as_ref()]));
    assert_eq!(config.list("vault_identity_list"), ["a@x", "b@prompt"]);
    assert_eq!(config.list("tags"), ["x", "y"]);
    assert_eq!(config.flag("host_key_checking"), Some(false));
    assert_eq!(config.path("private_key_file"), Some(Path::new("k")));
    assert_eq!(config.text("ssh_args"), Some("-C -o \"A=b c\""));
}

#[test]
fn paths_start_at_the_file_that_names_them() {
    let place = Place::new(&[("work/stead.toml", "inventory = ['hosts.ini']\nvault_password_file = '~/pw'\n")], &[]);
    let (config, problems) = place.read();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config.paths("inventory").unwrap(), [place.path("work/hosts.ini")]);
    assert_eq!(config.path("vault_password_file"), Some(&*place.path("pw")));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("ansible.cfg", "[defaults]\nforkz = 3\n", &["2 there is no setting `forkz` in `[defaults]` | did you mean `forks`?"]),
        ("ansible.cfg", "[default]\nforks = 3\n", &["2 there is no section `[default]` of settings | did you mean `defaults`?"]),
        (
            "ansible.cfg",
            "[defaults]\nbecome_user = a\n",
            &["2 there is no setting `become_user` in `[defaults]` | it belongs to `[privilege_escalation]`"],
        ),
        ("ansible.cfg", "[defaults]\nforks = many\n", &["2 the setting `forks` is a whole number, not `many`"]),
        (
            "ansible.cfg",
            "[defaults]\ngathering = lazy\n",
            &["2 the setting `gathering` is `implicit`, `explicit` or `smart`, not `lazy`"],
        ),
        (
            "ansible.cfg",
            "[defaults]\nhash_behaviour = merge\n",
            &[
                "2 the setting `hash_behaviour` cannot be `merge` | the later definition of a variable replaces the earlier one; merge with the filter `combine(recursive=True)`",
            ],
        ),
        ("ansible.cfg", "[defaults]\nhash_behaviour = replace\njinja2_extensions = jinja2.ext.do\n", &[]),
        ("ansible.cfg", "[callback_profile_tasks]\ntask_output_limit = 3\n[colors]\nok = red\n", &[]),
        ("stead.toml", "forkz = 3\n", &["1 there is no setting `forkz` | did you mean `forks`?"]),
        ("stead.toml", "transport = 'ssh'\n", &["1 there is no setting `transport` | it is called `connection` here"]),
        ("stead.toml", "\nforks = '3'\n", &["2 the setting `forks` is a whole number, not string"]),
        (
            "stead.toml",
            "pipelining = true\n",
            &["1 the setting `pipelining` has no effect | there is one session per host, kept open for the whole run"],
        ),
        ("stead.toml", "forks = \n", &["1 this is not TOML: string values must be quoted, expected literal string"]),
    ];
    for (name, text, expected) in cases {
        let place = Place::new(&[(&format!("work/deep/{name}"), text)], &[]);
        assert_eq!(place.read().1, *expected, "{text}");
    }
}

#[test]
fn what_has_no_effect_is_listed_with_the_reason() {
    let text = "[defaults]\nnocows = 1\n[ssh_connection]\npipelining = True\n[callback_timer]\nx = 1\n";
    let (config, _) = Place::new(&[("work/deep/ansible.cfg", text)], &[("ANSIBLE_DEBUG", "1")]).read();
    let names: Vec<String> = config.without_effect().into_iter().map(|(name, _, place)| format!("{name} {place}")).collect();
    assert_eq!(
        names,
        [
            "pipelining ansible.cfg:4",
            "nocows ansible.cfg:2",
            "debug ANSIBLE_DEBUG in the environment",
            "callback_timer.x ansible.cfg:6"
        ]
    );
}

#[test]
fn plays_get_keywords_from_settings() {
    let text = "[defaults]\ngathering = explicit\nany_errors_fatal = yes\nremote_port = 2222\nstrategy = free\n";
    let (config, _) = Place::new(&[("work/deep/ansible.cfg", text)], &[("ANSIBLE_FORCE_HANDLERS", "true")]).read();
    let map = SourceMap::default();
    let defaults = config.play_defaults(&map);
    let shown: Vec<String> = defaults
        .entries
        .iter()
        .map(|(key, value)| format!("{} {:?} {}", key.as_str().unwrap(), value.value, map.place(value.span)))
        .collect();
    assert_eq!(
        shown,
        [
            "strategy Str(\"free\", Quoted) ansible.cfg:5",
            "any_errors_fatal Bool(true) ansible.cfg:3",
            "force_handlers Bool(true) <environment>:1",
            "port Int(2222) ansible.cfg:4",
            "gather_facts Bool(false) ansible.cfg:2",
        ]
    );
}

#[test]
fn the_table_names_everything_once() {
    let mut seen = BTreeSet::new();
    for setting in SETTINGS {
        for word in std::iter::once(&setting.name).chain(setting.ini).chain(setting.environment) {
            let own = format!("{word} {}", if word.contains('.') { "key" } else { "" });
            assert!(seen.insert(own), "`{word}` is in the table twice");
        }
    }
    // Everything that ansible-core 2.19 lists for `ansible.cfg`, but for sections of plugins.
    let known: BTreeSet<&str> = SETTINGS.iter().flat_map(|setting| setting.ini.iter().copied()).collect();
    let listed = include_str!("../../tests/vault/ansible_cfg_keys.txt").lines().filter(|line| !line.starts_with('#'));
    let missing: Vec<&str> =
        listed.filter(|key| !known.contains(key) && plugin_section(key.split_once('.').unwrap().0).is_none()).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}
