//! The workloads of `bench/`: applied twice, and compared with what ansible-playbook makes of them.

use std::fs;
use std::process::Command;

use stead::run::event::TaskEnding;

use crate::fleet::Fleet;
use crate::project::Project;
use crate::support::succeed;

/// The workloads in a project, W2 and W4 at a tenth of their size.
pub(crate) fn project(fleet: &Fleet) -> Project {
    let project = Project::new(fleet.inventory());
    project.copy("bench/workloads", "work");
    succeed(Command::new("python3").arg(project.path("work/generate.py")).env("BENCH_SCALE", "0.1"));
    project
}

/// Everything that a workload is about, as text: files with modes, owners and content; accounts;
/// units.
fn state(fleet: &Fleet, host: usize, trees: &str) -> String {
    let script = format!(
        r"cd / && for tree in {trees}; do [ -e $tree ] && echo $tree; done >/run/trees
        xargs -a /run/trees -I% find % -printf '%p %y %m %u:%g %l\n' | sort
        xargs -a /run/trees -I% find % -type f -exec sha256sum {{}} + | sort -k2
        cut -d: -f1,3- /etc/passwd | sort; cut -d: -f1,3- /etc/group | sort; cut -d: -f1,2 /etc/shadow | sort
        systemctl list-unit-files --state=enabled --no-legend --plain | sort
        systemctl list-units --type=service,timer --state=active,failed --no-legend --plain | grep -v '^user' | awk '{{ print $1, $3 }}' | sort
        sysctl net.core.somaxconn net.ipv4.tcp_syncookies 2>/dev/null"
    );
    fleet.on(host, &script)
}

/// Applies `playbook` twice, then lets Ansible do the same to a pristine host, and compares.
pub(crate) fn twice_and_like_ansible(test: &str, fleet: &Fleet, project: &Project, playbook: &str, trees: &str) {
    project.run("apply", &[playbook]).exits(0);
    let ours = state(fleet, 1, trees);
    let again = project.run("apply", &[playbook]).exits(0);
    assert_eq!(again.ended(TaskEnding::Changed).keys().collect::<Vec<_>>(), Vec::<&(String, String, String)>::new());
    assert_eq!(ours, state(fleet, 1, trees), "the second run changed something and did not say so");

    fleet.reset();
    if project.ansible(test, playbook).is_some() {
        let theirs = state(fleet, 1, trees);
        let differing: Vec<&str> = theirs.lines().filter(|line| !ours.contains(line)).collect();
        let ours_only: Vec<&str> = ours.lines().filter(|line| !theirs.contains(line)).collect();
        assert!(ours == theirs, "ansible only:\n{}\nstead only:\n{}", differing.join("\n"), ours_only.join("\n"));
    }
}

fn workload(name: &str) {
    let Some(fleet) = Fleet::boot(name, 1) else { return };
    let project = project(&fleet);
    let trees = fs::read_to_string(project.path(&format!("work/{name}/state.txt"))).unwrap().replace('\n', " ");
    twice_and_like_ansible(name, &fleet, &project, &format!("work/{name}/site.yml"), &trees);
}

#[test]
fn w1_twice_changes_nothing_and_equals_ansible() {
    workload("W1");
}

#[test]
fn w2_twice_changes_nothing_and_equals_ansible() {
    workload("W2");
}

#[test]
fn w4_twice_changes_nothing_and_equals_ansible() {
    workload("W4");
}

#[test]
fn w3_reaches_every_host() {
    let Some(fleet) = Fleet::boot("W3", 4) else { return };
    let report = project(&fleet).run("apply", &["work/W3/site.yml"]).exits(0);
    assert_eq!(report.recap().keys().collect::<Vec<_>>(), ["h1", "h2", "h3", "h4"]);
    assert!(report.recap().values().all(|line| line.counts.ok == 1 && line.counts.changed == 0));
}

#[test]
fn a_service_is_restarted_by_its_handler_and_only_then() {
    let Some(fleet) = Fleet::boot("handler", 1) else { return };
    let project = project(&fleet);
    let pid = || fleet.on(1, "systemctl show -p MainPID --value bench-agent").trim().to_owned();
    project.run("apply", &["work/W1/site.yml"]).exits(0);
    let first = pid();
    assert_ne!(first, "0", "the service does not run");

    project.edit("work/W1/group_vars/fleet.yml", "port: 8004", "port: 9004");
    let changed = project.run("apply", &["work/W1/site.yml"]).exits(0);
    let second = pid();
    assert_ne!(first, second, "the service was not restarted");
    assert!(changed.ended(TaskEnding::Changed).keys().any(|(_, task, _)| task.starts_with("Restart agent")));

    project.run("apply", &["work/W1/site.yml"]).exits(0);
    assert_eq!(second, pid(), "the service was restarted without a reason");
}
