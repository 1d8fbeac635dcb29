//! A plan says what an apply then does, and touches nothing.

use stead::run::event::TaskEnding;

use crate::fleet::Fleet;
use crate::workloads::project;

/// Every file of the host with all that a write would alter. Left out is what the host itself writes
/// while it runs.
const DIGEST: &str = r"find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp \
    -o -path /var/log -o -path /var/lib/systemd \) -prune -o -printf '%p %y %m %U %G %s %T@ %C@ %l\n' | sort";

#[test]
fn plan_of_a_pristine_host_equals_apply_and_touches_nothing() {
    let Some(fleet) = Fleet::boot("plan", 1) else { return };
    let project = project(&fleet);
    project.run("apply", &["work/W3/site.yml"]).exits(0); // the agent is in its cache from here on
    let before = fleet.on(1, DIGEST);
    let plan = project.run("plan", &["work/W1/site.yml"]).exits(2);
    let after = fleet.on(1, DIGEST);
    let touched: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert!(before == after, "plan touched:\n{}", touched.join("\n"));

    let apply = project.run("apply", &["work/W1/site.yml"]).exits(0);
    let (planned, unknown) = (plan.ended(TaskEnding::Changed), plan.ended(TaskEnding::Unknown));
    let applied = apply.ended(TaskEnding::Changed);
    let missed: Vec<_> = applied.keys().filter(|key| !planned.contains_key(*key) && !unknown.contains_key(*key)).collect();
    assert!(missed.is_empty(), "applied, but not planned: {missed:#?}");
    let invented: Vec<_> = planned.keys().filter(|key| !applied.contains_key(*key)).collect();
    assert!(invented.is_empty(), "planned, but not applied: {invented:#?}");
    for (key, changes) in &applied {
        if let Some(foreseen) = planned.get(key) {
            assert_eq!(foreseen, changes, "{key:?} was planned differently");
        }
    }
    assert!(planned.len() > 40, "only {} changes were planned", planned.len());
    assert!(unknown.len() <= 2, "more than commands is unknown: {:#?}", unknown.keys());

    project.run("plan", &["work/W1/site.yml"]).exits(0);
}

#[test]
fn plan_shows_differences_and_hides_secrets() {
    let Some(fleet) = Fleet::boot("plan text", 1) else { return };
    let project = project(&fleet);
    project.write(
        "secret.yml",
        "- hosts: fleet
  gather_facts: false
  tasks:
    - name: Motd
      ansible.builtin.copy: { content: \"hello\\n\", dest: /etc/motd }
    - name: Token
      ansible.builtin.copy: { content: \"hunter2-token\\n\", dest: /etc/token, mode: '0600' }
      no_log: true
",
    );
    fleet.on(1, "echo bye >/etc/motd");
    let output = project.stead().args(["plan", "-i", "hosts.ini", "secret.yml"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{}", crate::support::text(&output));
    assert!(shown.contains("-bye") && shown.contains("+hello"), "no diff:\n{shown}");
    assert!(!shown.contains("\u{1b}["), "colours in a pipe");
    assert!(
        !shown.contains("hunter2") && !String::from_utf8_lossy(&output.stderr).contains("hunter2"),
        "a secret is shown:\n{shown}"
    );
}
