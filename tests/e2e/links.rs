//! Links that fail: lost in the middle of a task, or never there. The other hosts go on.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use stead::run::event::{Event, HostEnding};

use crate::fleet::Fleet;
use crate::project::Project;
use crate::workloads::project;

#[test]
fn a_lost_link_is_unknown_and_others_go_on() {
    let Some(fleet) = Fleet::boot("lost link", 2) else { return };
    let project = Project::new(&fleet.inventory().replacen("ansible_host", "seconds=120 ansible_host", 1));
    project.write(
        "site.yml",
        "- hosts: fleet
  gather_facts: false
  strategy: free
  tasks:
    - name: Long
      ansible.builtin.command: sleep {{ seconds | default(1) }}
    - name: After
      ansible.builtin.copy: { content: after, dest: /srv/after }
",
    );
    let mut run =
        project.stead().args(["apply", "--json", "-i", "hosts.ini", "site.yml"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut events = Vec::new();
    let mut cut_at = None;
    let mut after_on_h2 = false;
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let event: Event = serde_json::from_str(&line.unwrap()).unwrap();
        match &event {
            Event::TaskEnded { task, host, .. } if task.name == "After" && &**host == "h2" => {
                after_on_h2 = true;
                fleet.cut(1);
                cut_at = Some(Instant::now());
            }
            _ => {}
        }
        events.push(event);
    }
    let status = run.wait().unwrap();
    let took = cut_at.expect("h2 came to its last task").elapsed();
    fleet.heal(1);
    assert!(after_on_h2);
    assert!(took < Duration::from_secs(45), "the lost link was noticed after {took:?}");
    assert_eq!(status.code(), Some(5), "{events:#?}");
    let Some(Event::RunEnded { recap, .. }) = events.last() else { panic!("{events:#?}") };
    let endings: Vec<_> = recap.iter().map(|line| (&*line.host, line.ending)).collect();
    assert_eq!(endings, [("h1", HostEnding::Unknown), ("h2", HostEnding::Changed)]);
    assert!(!fleet.ssh(1, "test -e /srv/after").status.success(), "h1 went on without a link");
}

#[test]
fn an_unreachable_host_among_good_ones() {
    let Some(fleet) = Fleet::boot("unreachable", 2) else { return };
    let project = project(&fleet);
    let nobody = fleet.address(200);
    project.write("hosts.ini", &fleet.inventory().replacen("[fleet]", &format!("[fleet]\nh9 ansible_host={nobody}"), 1));
    let report = project.run("apply", &["-T", "5", "work/W2/site.yml"]).exits(5);
    let expected = [("h1", HostEnding::Changed), ("h2", HostEnding::Changed), ("h9", HostEnding::Unreachable)];
    assert_eq!(report.endings(), expected.map(|(host, ending)| (host.to_owned(), ending)).into());
    let why = report.recap()["h9"].why.clone().unwrap_or_default();
    assert!(why.contains(&nobody) && why.contains("22"), "`{why}` does not say where");

    let human = project.stead().args(["apply", "-T", "5", "-i", "hosts.ini", "work/W2/site.yml"]).output().unwrap();
    let shown = String::from_utf8_lossy(&human.stdout).into_owned() + &String::from_utf8_lossy(&human.stderr);
    assert!(shown.contains("h9") && shown.contains("unreachable"), "{shown}");
    assert_eq!(project.run("plan", &["-T", "5", "work/W2/site.yml"]).output.status.code(), Some(3));
}
