//! Encrypted files and values: the commands, both ways with `ansible-vault`, and runs that need them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::project::ansible_playbook;
use super::support::{STEAD, skip, text};

/// A directory with password files `one` (`letmein`) and `two` (`other`).
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (name, content) in [("one", "letmein\n"), ("two", "other\n")].iter().chain(files) {
            place.write(name, content);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.0.path());
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn stead(&self, arguments: &[&str]) -> Output {
        self.command(Path::new(STEAD)).args(arguments).output().unwrap()
    }

    /// Requires success; standard output.
    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.stead(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Requires exit code 1; standard error.
    #[track_caller]
    fn refuses(&self, arguments: &[&str]) -> String {
        let output = self.stead(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
        String::from_utf8(output.stderr).unwrap()
    }
}

const PLAIN: &str = "user: admin\npass: s3cret-word\n";

#[test]
fn files_are_encrypted_read_changed_and_decrypted() {
    let place = Place::new(&[("plain.yml", PLAIN)]);
    let one = ["--vault-id", "prod@one"];
    place.succeeds(&["vault", "encrypt", "plain.yml", "--output", "sealed.yml", one[0], one[1]]);
    let sealed = place.read("sealed.yml");
    assert!(sealed.starts_with("$ANSIBLE_VAULT;1.2;AES256;prod\n") && sealed.lines().all(|line| line.len() <= 80), "{sealed}");
    assert_eq!(place.path("sealed.yml").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(place.succeeds(&["vault", "view", "sealed.yml", one[0], one[1]]), PLAIN);
    assert!(place.refuses(&["vault", "encrypt", "sealed.yml", one[0], one[1]]).contains("is encrypted already"));
    assert!(place.refuses(&["vault", "view", "plain.yml", one[0], one[1]]).contains("is not encrypted"));

    let problem = place.refuses(&["vault", "view", "sealed.yml", "--vault-password-file", "two"]);
    assert!(problem.contains("cannot read `sealed.yml`: it is encrypted with the vault id `prod`"), "{problem}");
    assert!(problem.contains("the password of `default` does not fit"), "{problem}");

    place.succeeds(&["vault", "rekey", "sealed.yml", one[0], one[1], "--new-vault-password-file", "two"]);
    assert!(place.read("sealed.yml").starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    place.succeeds(&["vault", "decrypt", "sealed.yml", "--vault-password-file", "two"]);
    assert_eq!(place.read("sealed.yml"), PLAIN);

    let problem = place.refuses(&["vault", "encrypt", "plain.yml", "--vault-id", "a@one", "--vault-id", "b@two"]);
    assert!(problem.contains("several vault ids: a, b"), "{problem}");
    let chosen = [
        "vault",
        "encrypt",
        "plain.yml",
        "--output",
        "-",
        "--vault-id",
        "a@one",
        "--vault-id",
        "b@two",
        "--encrypt-vault-id",
        "b",
    ];
    assert!(place.succeeds(&chosen).starts_with("$ANSIBLE_VAULT;1.2;AES256;b\n"));
}

#[test]
fn an_editor_changes_a_private_copy() {
    let place = Place::new(&[("editor", "#!/bin/sh\nstat -c '%a %n' \"$2\" >> log\necho \"$1\" >> \"$2\"\n")]);
    std::fs::set_permissions(place.path("editor"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let edit = |what: &str, editor: &str| {
        let mut command = place.command(Path::new(STEAD));
        command.env("EDITOR", editor).args(["vault", what, "new.yml", "--vault-id", "dev@one"]);
        command.output().unwrap()
    };
    let created = edit("create", "./editor 'a: 1'");
    assert!(created.status.success(), "{}", text(&created));
    assert!(edit("edit", "./editor 'b: 2'").status.success());
    assert_eq!(place.succeeds(&["vault", "view", "new.yml", "--vault-id", "dev@one"]), "a: 1\nb: 2\n");
    assert!(place.read("new.yml").starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n"), "it keeps its vault id");
    let before = place.read("new.yml");
    assert!(edit("edit", "true").status.success());
    assert_eq!(place.read("new.yml"), before, "what was not changed is not encrypted anew");
    assert_eq!(edit("edit", "false").status.code(), Some(1));
    assert_eq!(edit("create", "true").status.code(), Some(1), "it exists");
    for line in place.read("log").lines() {
        let (mode, copy) = line.split_once(' ').unwrap();
        assert_eq!((mode, Path::new(copy).exists()), ("600", false), "{copy}");
        assert!(copy.ends_with("/new.yml") && !copy.starts_with(place.0.path().to_str().unwrap()), "{copy}");
    }
}

#[test]
fn values_are_encrypted_for_yaml() {
    let place = Place::new(&[]);
    let out = place.succeeds(&["vault", "encrypt-string", "--name", "key", "hunter22", "--vault-password-file", "one"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[..2], ["key: !vault |", "          $ANSIBLE_VAULT;1.1;AES256"]);
    place.write("vars.yml", &out);
    let shown = place.succeeds(&["inventory", "-i", "h,", "--host", "h", "-e", "@vars.yml", "--vault-password-file", "one"]);
    assert!(shown.starts_with("key = ********"), "{shown}");
}

/// The other program, if it is there.
fn ansible_vault(test: &str) -> Option<PathBuf> {
    let found = ansible_playbook().map(|path| path.with_file_name("ansible-vault")).filter(|path| path.exists());
    if found.is_none() {
        skip(test, "no ansible-vault: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
    }
    found
}

#[test]
fn ansible_vault_reads_what_is_written_here_and_the_other_way_round() {
    let Some(theirs) = ansible_vault("ansible_vault_reads_what_is_written_here_and_the_other_way_round") else { return };
    let place = Place::new(&[("client", "#!/bin/sh\nprintf letmein\n")]);
    std::fs::set_permissions(place.path("client"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let ways: &[&[&str]] = &[&["--vault-password-file", "one"], &["--vault-id", "prod@two"], &["--vault-id", "x@client"]];
    let contents = ["", PLAIN, "no line break", "16 bytes exactly", "Grüße\n世界 🔑\n"];
    for (way, content) in ways.iter().cycle().zip(contents) {
        place.write("ours", content);
        place.write("theirs", content);
        place.succeeds(&[&["vault", "encrypt", "ours"], *way].concat());
        let output = place.command(&theirs).arg("encrypt").args(*way).arg("theirs").output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(place.read("ours").lines().next(), place.read("theirs").lines().next());
        let output = place.command(&theirs).args(["decrypt", "--output", "-", "ours"]).args(*way).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), content, "{}", text(&output));
        assert_eq!(place.succeeds(&[&["vault", "view", "theirs"], *way].concat()), content);
    }
}

/// A project in which every place where a file is read is encrypted.
fn project() -> Place {
    let place = Place::new(&[
        ("hosts.ini", "[web]\nh ansible_connection=local\n"),
        ("group_vars/web/plain.yml", "from_group: \"{{ sealed_group }}\"\n"),
        ("group_vars/web/sealed.yml", "sealed_group: group-secret\n"),
        ("host_vars/h.yml", "sealed_host: host-secret\n"),
        ("vars.yml", "from_file: file-secret\n"),
        ("extra.yml", "from_extra: extra-secret\n"),
        ("more.yml", "from_include: include-secret\n"),
        ("roles/r/defaults/main.yml", "from_role: role-secret\n"),
        ("roles/r/tasks/main.yml", "- assert: { that: from_role == 'role-secret' }\n"),
        ("tasks.yml", "- assert: { that: from_include == 'include-secret' }\n"),
        ("files/note", "note-secret-content\n"),
        ("templates/t.j2", "x={{ sealed_host }}\n"),
        (
            "site.yml",
            "- hosts: web\n  gather_facts: false\n  vars_files: [vars.yml]\n  roles: [r]\n  tasks:\n    \
             - include_vars: more.yml\n    - include_tasks: tasks.yml\n    - name: All\n      assert:\n        that:\n          \
             - from_group == 'group-secret'\n          - sealed_host == 'host-secret'\n          - from_file == 'file-secret'\n          \
             - from_extra == 'extra-secret'\n          - lookup('file', 'note') == 'note-secret-content'\n          \
             - lookup('unvault', 'note') | length == 20\n          - lookup('template', 't.j2') | trim == 'x=host-secret'\n          \
             - \"'files/note' is vaulted_file\"\n    - debug:\n        msg: \"{{ from_group }} {{ from_file }} {{ from_extra }}\"\n",
        ),
    ]);
    for name in [
        "group_vars/web/sealed.yml",
        "host_vars/h.yml",
        "vars.yml",
        "extra.yml",
        "more.yml",
        "roles/r/defaults/main.yml",
        "roles/r/tasks/main.yml",
        "tasks.yml",
        "files/note",
        "templates/t.j2",
    ] {
        place.succeeds(&["vault", "encrypt", name, "--vault-id", "prod@one"]);
    }
    place
}

const RUN: [&str; 7] = ["plan", "--json", "-i", "hosts.ini", "site.yml", "-e", "@extra.yml"];

#[test]
fn every_file_may_be_encrypted_and_nothing_of_it_is_shown() {
    let place = project();
    let output = place.stead(&[&RUN[..], &["--vault-id", "prod@one", "-v"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let shown = text(&output);
    assert!(shown.contains("******** ******** ********"), "{shown}");
    for secret in ["group-secret", "host-secret", "file-secret", "extra-secret", "include-secret", "role-secret", "note-secret"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}

#[test]
fn without_the_password_nothing_is_begun() {
    let place = project();
    let problem = place.refuses(&RUN);
    for file in ["extra.yml", "roles/r/tasks/main.yml"] {
        let expected = format!("{file}`: it is encrypted with the vault id `prod`, and no password for it was given");
        assert!(problem.contains(&expected), "{expected}: {problem}");
    }
    let problem = place.refuses(&[&RUN[..], &["--vault-id", "prod@two"]].concat());
    assert!(problem.contains("it is encrypted with the vault id `prod`, and the password of `prod` does not fit"), "{problem}");
    let problem = place.refuses(&[&RUN[..], &["--vault-id", "prod@nowhere"]].concat());
    assert!(problem.contains("cannot read the vault password file `nowhere`: there is no such file"), "{problem}");
}

#[test]
fn settings_name_the_password_too() {
    let place = project();
    place.write("ansible.cfg", "[defaults]\nvault_identity_list = prod@one\ninventory = hosts.ini\n");
    let output = place.stead(&["plan", "site.yml", "-e", "@extra.yml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    std::fs::remove_file(place.path("ansible.cfg")).unwrap();
    place.write("stead.toml", "inventory = 'hosts.ini'\nvault_password_file = 'one'\n");
    let output = place.stead(&["plan", "site.yml", "-e", "@extra.yml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let shown = place.succeeds(&["config"]);
    assert!(shown.contains("stead.toml:2"), "{shown}");
}

#[test]
fn a_value_that_is_needed_and_cannot_be_opened_stops_the_run_before_it_begins() {
    let place = Place::new(&[
        ("hosts.ini", "[web]\nh ansible_connection=local\n[prod]\np ansible_connection=local\n"),
        ("site.yml", "- hosts: web\n  gather_facts: false\n  tasks:\n    - debug: { msg: \"{{ uses }}\" }\n"),
        ("idle.yml", "- hosts: web\n  gather_facts: false\n  tasks:\n    - debug: { msg: nothing }\n"),
        ("group_vars/all.yml", "uses: \"{{ sealed }}\"\n"),
    ]);
    let sealed = place.succeeds(&["vault", "encrypt-string", "--name", "sealed", "hunter22", "--vault-id", "x@one"]);
    place.write("group_vars/web.yml", &sealed);
    let problem = place.refuses(&["plan", "-i", "hosts.ini", "site.yml"]);
    assert!(problem.contains("it is encrypted with the vault id `x`, and no password for it was given"), "{problem}");
    assert!(problem.contains("group_vars/web.yml:1"), "{problem}");
    let idle = place.stead(&["plan", "-i", "hosts.ini", "idle.yml"]);
    assert_eq!(idle.status.code(), Some(0), "what nobody needs is not opened: {}", text(&idle));
    let fine = place.stead(&["plan", "-i", "hosts.ini", "site.yml", "--vault-id", "x@one", "-v"]);
    assert_eq!(fine.status.code(), Some(0), "{}", text(&fine));
    assert!(!text(&fine).contains("hunter22"), "{}", text(&fine));
}

#[test]
fn the_passwords_of_hosts_that_are_not_worked_on_are_not_needed() {
    let place = Place::new(&[
        ("hosts.ini", "[staging]\ns ansible_connection=local\n[prod]\np ansible_connection=local\n"),
        ("site.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: { msg: \"{{ key }}\" }\n"),
        ("group_vars/staging.yml", "key: staging-secret\n"),
        ("group_vars/prod.yml", "key: prod-secret\n"),
    ]);
    place.succeeds(&["vault", "encrypt", "group_vars/staging.yml", "--vault-id", "staging@one"]);
    place.succeeds(&["vault", "encrypt", "group_vars/prod.yml", "--vault-id", "prod@two"]);
    let run = ["plan", "-i", "hosts.ini", "site.yml", "--vault-id", "staging@one"];
    let staging = place.stead(&[&run[..], &["--limit", "staging"]].concat());
    assert_eq!(staging.status.code(), Some(0), "{}", text(&staging));
    let problem = place.refuses(&run);
    assert!(problem.contains("group_vars/prod.yml`: it is encrypted with the vault id `prod`"), "{problem}");
    assert!(!problem.contains("staging.yml"), "{problem}");
}
