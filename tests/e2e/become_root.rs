//! Becoming root by sudo with a password: from the inventory, from the terminal, and wrong.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::project::Project;
use crate::support::{STEAD, lacking, skip, text};

const PASSWORD: &str = "correct horse";
const PLAYBOOK: &str = "- hosts: fleet
  gather_facts: false
  become: true
  tasks:
    - name: Who am I
      ansible.builtin.command: id -un
      register: who
      changed_when: false
    - ansible.builtin.assert: { that: who.stdout == 'root' }
    - ansible.builtin.copy: { content: root, dest: /etc/by-root, owner: root, mode: '0600' }
";

/// A host on which `admin` needs a password for sudo.
fn project(fleet: &Fleet, variables: &str) -> Project {
    fleet.on(1, &format!("echo 'admin:{PASSWORD}' | chpasswd && echo 'admin ALL=(ALL) ALL' >/etc/sudoers.d/admin"));
    let inventory = fleet.inventory().replace("ansible_user=root", &format!("ansible_user=admin\n{variables}"));
    let project = Project::new(&inventory);
    project.write("site.yml", PLAYBOOK);
    project
}

#[test]
fn password_from_the_inventory() {
    let Some(fleet) = Fleet::boot("sudo", 1) else { return };
    let project = project(&fleet, &format!("ansible_become_password='{PASSWORD}'"));
    let report = project.run("apply", &["site.yml"]).exits(0);
    assert!(!text(&report.output).contains(PASSWORD), "the password is shown");
    assert_eq!(fleet.on(1, "stat -c '%U %a' /etc/by-root").trim(), "root 600");
}

#[test]
fn wrong_password_is_tried_once_and_named() {
    let Some(fleet) = Fleet::boot("wrong sudo", 1) else { return };
    let project = project(&fleet, "ansible_become_password=nonsense");
    let start = Instant::now();
    let report = project.run("apply", &["site.yml"]).exits(4);
    assert!(start.elapsed() < Duration::from_secs(10), "it took {:?}", start.elapsed());
    let why = report.recap()["h1"].why.clone().unwrap_or_default();
    assert!(why.contains("sudo") && why.contains("password"), "`{why}` does not say what to do");
    assert!(!text(&report.output).contains("nonsense"), "the password is shown");
    let tries =
        fleet.on(1, "cat /var/log/auth.log 2>/dev/null; journalctl -q -t sudo").matches("incorrect password attempt").count();
    assert!(tries <= 1, "{tries} tries");
}

#[test]
fn missing_password_is_named() {
    let Some(fleet) = Fleet::boot("no sudo password", 1) else { return };
    let report = project(&fleet, "").run("apply", &["site.yml"]).exits(4);
    let said = text(&report.output);
    assert!(said.contains("--ask-become-pass") || said.contains("ansible_become_password"), "no remedy in: {said}");
}

#[test]
fn password_from_the_terminal() {
    if let Some(why) = lacking(&["script"]) {
        return skip("ask-become-pass", &why);
    }
    let Some(fleet) = Fleet::boot("ask-become-pass", 1) else { return };
    let project = project(&fleet, "");
    let mut terminal = Command::new("script")
        .args(["-qec", &format!("{STEAD} apply --ask-become-pass -i hosts.ini site.yml"), "/dev/null"])
        .env("HOME", project.path(""))
        .current_dir(project.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    terminal.stdin.as_mut().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    let output = terminal.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(fleet.on(1, "stat -c '%U %a' /etc/by-root").trim(), "root 600");
}
