//! Drift: what was planted is found, on the host where it was planted, and nothing else.

use crate::fleet::Fleet;
use crate::support::text;
use crate::workloads::project;

#[test]
fn planted_changes_are_found_and_an_untouched_host_is_clean() {
    let Some(fleet) = Fleet::boot("drift", 2) else { return };
    let project = project(&fleet);
    let drift = |arguments: &[&str]| {
        let output = project.stead().args(["drift", "-i", "hosts.ini", "work/W1/site.yml"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), text(&output))
    };
    project.run("apply", &["work/W1/site.yml"]).exits(0);
    let (code, _, said) = drift(&[]);
    assert_eq!(code, Some(0), "drift right after an apply: {said}");

    fleet.on(
        1,
        "echo intruder >>/etc/motd; chmod 0666 /etc/default/bench-agent; rm /opt/bench/current; \
         chown admin /srv/bench; systemctl stop cron; sed -i s/8004/9004/ /etc/bench/conf.d/cache.conf; usermod -s /bin/sh bob",
    );
    let planted = [
        "/etc/motd",
        "/etc/default/bench-agent",
        "/opt/bench/current",
        "/srv/bench",
        "cron",
        "/etc/bench/conf.d/cache.conf",
        "bob",
    ];
    let (code, found, said) = drift(&[]);
    assert_eq!(code, Some(2), "{said}");
    for thing in planted {
        assert!(found.contains(thing), "{thing} was not found: {said}");
    }
    assert!(found.contains("out-of-band"), "{said}");
    assert!(!found.lines().any(|line| line.contains("h2") && planted.iter().any(|thing| line.contains(thing))), "{said}");
    let (again, ..) = drift(&[]);
    assert_eq!(again, Some(2), "looking changed something");

    project.run("apply", &["work/W1/site.yml"]).exits(0);
    let (code, _, said) = drift(&[]);
    assert_eq!(code, Some(0), "drift after the repair: {said}");
    project.edit("work/W1/group_vars/fleet.yml", "baseline_version: 1.4.2", "baseline_version: 1.4.3");
    project.edit("work/W1/group_vars/fleet.yml", "path: /opt/bench/releases/1.4.2", "path: /opt/bench/releases/1.4.3");
    let (code, found, said) = drift(&[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(found.contains("config-ahead") && !found.contains("out-of-band"), "{said}");
}
