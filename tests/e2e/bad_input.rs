//! Ten mistakes that people make: each is named with its place and what to do, and no host is
//! contacted where that can be known without it.

use std::net::TcpListener;
use std::path::PathBuf;

use stead::lab::{Lab, LabSettings};

use crate::project::Project;
use crate::support::{STEAD, lacking, skip, text};

struct Mistake {
    name: &'static str,
    playbook: &'static str,
    /// Other files of the project: name and content.
    files: &'static [(&'static str, &'static str)],
    /// What must be said: the place, what is wrong, what to do.
    said: &'static [&'static str],
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        name: "tab in YAML",
        playbook: "- hosts: web\n  tasks:\n\t- ansible.builtin.ping:\n",
        files: &[],
        said: &["site.yml:3", "tab"],
    },
    Mistake {
        name: "unknown module",
        playbook: "- hosts: web\n  tasks:\n    - name: Typo\n      coppy: { content: a, dest: /tmp/a }\n",
        files: &[],
        said: &["site.yml:4", "coppy", "did you mean `copy`"],
    },
    Mistake {
        name: "misspelled option",
        playbook: "- hosts: web\n  tasks:\n    - ansible.builtin.copy: { content: a, dset: /tmp/a }\n",
        files: &[],
        said: &["site.yml:3", "dset", "did you mean `dest`"],
    },
    Mistake {
        name: "undefined variable",
        playbook: "- hosts: web\n  gather_facts: false\n  vars:\n    package_name: nginx\n  tasks:\n    - ansible.builtin.debug: { msg: \"{{ pakage_name }}\" }\n",
        files: &[],
        said: &["site.yml:6", "pakage_name", "did you mean `package_name`"],
    },
    Mistake {
        name: "missing template",
        playbook: "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.template: { src: mtod.j2, dest: /etc/motd }\n",
        files: &[("templates/motd.j2", "hello\n")],
        said: &["site.yml:4", "mtod.j2"],
    },
    Mistake {
        name: "template syntax error",
        playbook: "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.template: { src: motd.j2, dest: /etc/motd }\n",
        files: &[("templates/motd.j2", "hello\n{% for name in names %}\n{{ name }\n{% endfor %}\n")],
        said: &["motd.j2:3"],
    },
    Mistake {
        name: "include cycle",
        playbook: "- hosts: web\n  tasks:\n    - ansible.builtin.import_tasks: a.yml\n",
        files: &[("a.yml", "- ansible.builtin.import_tasks: b.yml\n"), ("b.yml", "- ansible.builtin.import_tasks: a.yml\n")],
        said: &["a.yml", "b.yml:1", "itself"],
    },
    Mistake {
        name: "unknown host pattern",
        playbook: "- hosts: wbe\n  tasks:\n    - ansible.builtin.ping:\n",
        files: &[],
        said: &["site.yml:1", "wbe", "did you mean `web`"],
    },
];

#[test]
fn mistakes_are_explained_before_a_host_is_contacted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut wrong = Vec::new();
    for mistake in MISTAKES {
        let project = Project::new(&format!("[web]\nh1 ansible_host=127.0.0.1 ansible_port={port}\n"));
        project.write("site.yml", mistake.playbook);
        for (name, content) in mistake.files {
            project.write(name, content);
        }
        for command in ["apply", "plan"] {
            let output = project.stead().args([command, "-i", "hosts.ini", "site.yml"]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            let missing: Vec<_> = mistake.said.iter().filter(|said| !stderr.contains(**said)).collect();
            let contacted = listener.accept().is_ok();
            if output.status.code() != Some(1) || !missing.is_empty() || contacted {
                wrong.push(format!(
                    "{} ({command}): missing {missing:?}, contacted: {contacted}: {}",
                    mistake.name,
                    text(&output)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn several_mistakes_are_reported_at_once() {
    let project = Project::new("[web]\nh1 ansible_host=127.0.0.1 ansible_port=1\n");
    project.write("site.yml", "- hosts: web\n  tasks:\n    - coppy: { content: a, dest: /tmp/a }\n    - ansible.builtin.file: { pth: /a, state: directory }\n");
    let output = project.stead().args(["plan", "-i", "hosts.ini", "site.yml"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("site.yml:3") && stderr.contains("site.yml:4"), "{stderr}");
}

#[test]
fn wrong_keys_are_explained() {
    if let Some(why) = lacking(&["ssh-keygen"]) {
        return skip("wrong keys", &why);
    }
    let lab = Lab::start_and_wait(1, &LabSettings::new(PathBuf::from(STEAD))).unwrap();
    let host = &lab.hosts()[0];
    let inventory = |key: &str, known_hosts: &str| {
        format!(
            "[web]\nh1 ansible_host=127.0.0.1 ansible_port={} ansible_user=root ansible_ssh_private_key_file={key} \
             ansible_ssh_common_args='-o UserKnownHostsFile={known_hosts} -o IdentitiesOnly=yes'\n",
            host.port
        )
    };
    let (good_key, good_hosts) = (host.private_key.display().to_string(), host.known_hosts.display().to_string());
    let project = Project::new(&inventory(&good_key, &good_hosts));
    project.write("site.yml", "- hosts: web\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n");
    project.run("apply", &["site.yml"]).exits(0);

    let other = project.path("other");
    let other_key = other.display().to_string();
    crate::support::succeed(std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &other_key]));
    project.write("hosts.ini", &inventory(&other_key, &good_hosts));
    let report = project.run("apply", &["site.yml"]).exits(5);
    let why = report.recap()["h1"].why.clone().unwrap_or_default();
    assert!(why.contains("root") && why.contains("other"), "`{why}` does not say which key was refused for whom");

    let nothing_known = project.path("known_hosts").display().to_string();
    project.write("hosts.ini", &inventory(&good_key, &nothing_known));
    let report = project.run("apply", &["site.yml"]).exits(5);
    let said = text(&report.output);
    assert!(said.contains("SHA256:") && said.contains("--accept-new-host-keys"), "no fingerprint or no remedy: {said}");
    project.run("apply", &["--accept-new-host-keys", "site.yml"]).exits(0);
    project.run("apply", &["site.yml"]).exits(0);
}
