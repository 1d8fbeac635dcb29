//! The examples that the repository ships, on throw-away hosts and on Debian hosts.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fleet::Fleet;
use crate::project::{Project, Report};
use crate::support::{lacking, skip, text};
use crate::workloads::twice_and_like_ansible;

const TREES: &str = "etc/cron.d etc/logrotate.d etc/sysctl.d etc/sudoers.d etc/hosts etc/login.defs etc/motd etc/site \
    etc/systemd/system usr/local/bin srv/www home opt";

fn examples(inventory: &str) -> Project {
    let project = Project::new(inventory);
    project.copy("playbooks", "playbooks");
    project.copy("templates", "templates");
    project
}

/// Keys of labs that are still there.
fn labs_left() -> usize {
    let entries = fs::read_dir("/run").unwrap().flatten();
    entries
        .filter(|entry| {
            entry.file_name().to_string_lossy().starts_with("stead-lab-") && entry.path().join("known_hosts").exists()
        })
        .count()
}

#[test]
fn both_examples_on_throw_away_hosts() {
    if let Some(why) = lacking(&[]) {
        return skip("examples in a lab", &why);
    }
    let project = examples("");
    for playbook in ["playbooks/first.yml", "playbooks/site.yml"] {
        let output = project.stead().args(["apply", "--json", "--lab", "3", playbook]).output().unwrap();
        let report = Report::of(output).exits(0);
        assert_eq!(report.recap().keys().collect::<Vec<_>>(), ["lab1", "lab2", "lab3"]);
        assert!(report.recap().values().all(|line| line.counts.changed > 0 && line.counts.failed == 0));
        let output = project.stead().args(["plan", "--json", "--lab", "1", playbook]).output().unwrap();
        Report::of(output).exits(2);
    }
    let output = project.stead().args(["apply", "--lab", "2", "playbooks/first.yml"]).output().unwrap();
    assert!(output.status.success() && text(&output).contains("lab2"), "{}", text(&output));
}

#[test]
fn a_lab_is_gone_after_an_interrupt() {
    if let Some(why) = lacking(&[]) {
        return skip("interrupted lab", &why);
    }
    let project = examples("");
    project.write("wait.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: sleep 5\n    - ansible.builtin.command: sleep 500\n");
    let before = labs_left();
    let run =
        project.stead().args(["apply", "--lab", "2", "wait.yml"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while labs_left() == before {
        assert!(Instant::now() < until, "the lab did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(1)); // into the first command
    kill_process(Pid::from_raw(i32::try_from(run.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output));
    assert_eq!(labs_left(), before, "the lab's keys are still there");
}

#[test]
fn the_web_server_baseline_on_debian_equals_ansible() {
    let Some(fleet) = Fleet::boot("baseline", 1) else { return };
    let project = examples(&fleet.inventory().replace("[fleet", "[web"));
    twice_and_like_ansible("baseline", &fleet, &project, "playbooks/site.yml", TREES);
}

#[test]
fn the_first_playbook_on_debian_equals_ansible() {
    let Some(fleet) = Fleet::boot("first playbook", 1) else { return };
    let project = examples(fleet.inventory());
    twice_and_like_ansible("first playbook", &fleet, &project, "playbooks/first.yml", TREES);
}
