//! `stead lint` itself: exit codes, formats, remedies.

use std::path::Path;
use std::process::{Command, Output};

fn lint(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stead"))
        .arg("lint")
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .output()
        .unwrap()
}

fn project(playbook: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("site.yml"), playbook).unwrap();
    directory
}

const WARNING: &str = "- hosts: all\n  tasks:\n    - name: A file\n      ansible.builtin.copy: { content: a, dest: /etc/a }\n";
const ERROR: &str = "- hosts: all\n  tasks:\n    - name: A file\n      ansible.builtin.coppy: { content: a, dest: /etc/a }\n";
const STYLE: &str = "- hosts: all\n  tasks:\n    - ansible.builtin.ping:\n";

#[test]
fn exit_codes_tell_errors_from_warnings() {
    for (playbook, arguments, code) in [
        (STYLE, &[][..], 0),
        (STYLE, &["--style", "--strict"], 0),
        (WARNING, &[], 0),
        (WARNING, &["--strict"], 2),
        (WARNING, &["--strict", "--skip-rule", "risky-file-permissions"], 0),
        (ERROR, &[], 1),
        (ERROR, &["--strict"], 1),
        (ERROR, &["--rule", "risky-octal"], 0),
        (WARNING, &["--rule", "risky-octl"], 1),
        (WARNING, &["nowhere.yml"], 1),
    ] {
        let directory = project(playbook);
        let output = lint(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_project_has_settings_of_its_own() {
    for (settings, code) in
        [("lint_strict = true\n", 2), ("lint_strict = true\nlint_skip_rules = ['risky-file-permissions']\n", 0)]
    {
        let directory = project(WARNING);
        std::fs::write(directory.path().join("stead.toml"), settings).unwrap();
        let output = lint(directory.path(), &["site.yml"]);
        assert_eq!(output.status.code(), Some(code), "{settings}: {output:?}");
    }
}

#[test]
fn a_run_tells_tags_that_no_task_has() {
    let directory = project(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: A\n      ansible.builtin.debug: { msg: a }\n      tags: config\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_stead"))
        .args(["plan", "-i", "localhost,", "-c", "local", "--tags", "cofnig", "site.yml"])
        .current_dir(directory.path())
        .env("HOME", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning[unknown-tag]") && said.contains("did you mean `config`?"), "{said}");
}

#[test]
fn findings_are_shown_with_their_place() {
    let directory = project(ERROR);
    let output = lint(directory.path(), &["site.yml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("error[unknown-module]") && text.contains("site.yml:4:7") && text.contains("did you mean `copy`?"),
        "{text}"
    );
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 error in "));
}

#[test]
fn machines_get_json_and_sarif() {
    let directory = project(ERROR);
    let json: serde_json::Value = serde_json::from_slice(&lint(directory.path(), &["--json"]).stdout).unwrap();
    assert_eq!(json["errors"], 1);
    assert_eq!(json["findings"][0]["rule"], "unknown-module");
    assert_eq!(
        (json["findings"][0]["place"]["path"].as_str(), json["findings"][0]["place"]["line"].as_u64()),
        (Some("site.yml"), Some(4))
    );
    let sarif: serde_json::Value = serde_json::from_slice(&lint(directory.path(), &["--sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "unknown-module");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
}

#[test]
fn remedies_change_only_what_they_must_and_only_once() {
    let before = "- hosts: all\n  vars:\n    wanted: true # yes\n  tasks:\n    - name: A file\n      ansible.builtin.copy: { content: a, dest: /etc/a, mode: 0644 }   # as is\n      when: '{{ wanted }}'\n";
    let after = "- hosts: all\n  vars:\n    wanted: true # yes\n  tasks:\n    - name: A file\n      ansible.builtin.copy: { content: a, dest: /etc/a, mode: \"0644\" }   # as is\n      when: 'wanted'\n";
    let directory = project(before);
    let path = directory.path().join("site.yml");
    let shown = lint(directory.path(), &["--style", "--diff"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before, "--diff only shows");
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("-      when: '{{ wanted }}'") && shown.contains("+      when: 'wanted'"), "{shown}");
    assert!(lint(directory.path(), &["--style", "--fix"]).status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
    let again = lint(directory.path(), &["--style", "--fix"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "a second time changes nothing");
    assert!(!String::from_utf8(again.stdout).unwrap().contains("+++"));
}

#[test]
fn secrets_are_found_and_not_shown() {
    let directory = project(
        "- hosts: all\n  vars:\n    db_password: hunter2hunter2\n  tasks:\n    - name: Show\n      ansible.builtin.debug: { msg: \"{{ db_password }}\" }\n",
    );
    for arguments in [&[][..], &["--json"], &["--sarif"]] {
        let output = lint(directory.path(), arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("plain-text-secret") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn every_rule_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let text = String::from_utf8(lint(directory.path(), &["--list-rules"]).stdout).unwrap();
    assert_eq!(text.lines().count(), stead::lint::all().count());
    assert!(text.lines().any(|line| line.starts_with("undefined-variable ")), "{text}");
}
