//! This program under the names of Ansible's programs, beside the real ones: the same lines on the
//! screen (without results, which are JSON and longer there) and the same exit codes.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::project::{Project, ansible_playbook};
use crate::support::{STEAD, skip};

const INVENTORY: &str = "[some]\none ansible_connection=local x=1\ntwo ansible_connection=local x=2\n";

const PLAYBOOK: &str = r#"
- name: First
  hosts: some
  gather_facts: false
  tags: [all_of_it]
  tasks:
    - name: Says
      ansible.builtin.debug:
        msg: "host {{ x }}"
    - name: Writes
      ansible.builtin.copy:
        content: "{{ x }}"
        dest: "{{ playbook_dir }}/out-{{ inventory_hostname }}"
        mode: "0644"
      notify: Told
      tags: [files]
    - name: Skips one
      ansible.builtin.debug:
        msg: only
      when: x == 1
    - name: Loops
      ansible.builtin.command: "test {{ item }} = b"
      loop: [a, b]
      changed_when: item == 'b'
      ignore_errors: true
    - name: Block
      block:
        - name: Fails
          ansible.builtin.command: "false"
      rescue:
        - name: Rescues
          ansible.builtin.debug:
            var: x
    - name: Ignored
      ansible.builtin.fail:
        msg: no matter
      ignore_errors: true
    - ansible.builtin.set_fact:
        y: 1
  handlers:
    - name: Told
      ansible.builtin.debug:
        msg: told
- hosts: two
  gather_facts: false
  tasks:
    - name: Ends
      ansible.builtin.fail:
        msg: the end
      when: fails | default(false)
"#;

struct Run {
    lines: Vec<String>,
    code: Option<i32>,
}

/// Runs a program by a link of that name (or the real one) in the project.
fn run(project: &Project, program: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(program)
        .args(["-i", "hosts.ini"])
        .args(arguments)
        .env("HOME", project.path("."))
        .envs([("ANSIBLE_NOCOLOR", "1"), ("ANSIBLE_LOCALHOST_WARNING", "0")])
        .env("ANSIBLE_PYTHON_INTERPRETER", ansible_playbook().expect("asked before").with_file_name("python"))
        .current_dir(project.path("."))
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines = Vec::new();
    let mut inside = false;
    let mut explains = false;
    for line in text.lines() {
        // Results are left out: from ` => {` to the end of the line, or to the closing brace.
        if inside {
            inside = line != "}";
            continue;
        }
        // What ansible-core 2.19 explains of an error before it says the same of each host.
        explains = (explains || line.starts_with("[ERROR]"))
            && !["fatal:", "failed:", "one | "].iter().any(|start| line.starts_with(start));
        if explains {
            continue;
        }
        let shown = match line.split_once(" => {") {
            Some((before, rest)) => {
                inside = rest.is_empty();
                format!("{before} => {{")
            }
            None => line.to_owned(),
        };
        lines.push(shown.trim_end().to_owned());
    }
    // Where a host's lines stand between those of others is not promised: hosts run side by side.
    lines.split_mut(String::is_empty).for_each(<[String]>::sort);
    Run { lines, code: output.status.code() }
}

fn link(project: &Project, name: &str) -> std::path::PathBuf {
    let path = project.path(&format!("bin/{name}"));
    std::fs::create_dir_all(project.path("bin")).unwrap();
    if !path.exists() {
        std::os::unix::fs::symlink(STEAD, &path).unwrap();
    }
    path
}

#[test]
fn the_screen_and_the_exit_code_are_those_of_ansible_playbook() {
    let Some(theirs) = ansible_playbook() else {
        return skip("front door", "no ansible-playbook: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
    };
    let cases: &[&[&str]] = &[
        &["site.yml"],
        &["site.yml"],
        // Commands are not skipped by ours: it says that they would be run.
        &["site.yml", "--check", "--tags", "files"],
        &["site.yml", "-e", "fails=true"],
        &["site.yml", "--limit", "one", "--tags", "files"],
        &["site.yml", "--skip-tags", "files"],
        &["site.yml", "--start-at-task", "Ignored"],
        &["site.yml", "--list-tasks"],
        &["site.yml", "--list-tags"],
        &["site.yml", "--list-hosts"],
        &["site.yml", "--syntax-check"],
        &["missing.yml"],
        &["broken.yml"],
        &["unreachable.yml"],
    ];
    let projects = [Project::new(INVENTORY), Project::new(INVENTORY)];
    for project in &projects {
        project.write("site.yml", PLAYBOOK);
        project.write("broken.yml", "- hosts: all\n  tasks:\n    - debug:\n   msg: x\n");
        project.write("unreachable.yml", "- hosts: some\n  gather_facts: false\n  tasks: [{ping: }]\n");
        project.write("host_vars/none.yml", "");
    }
    let ours = link(&projects[1], "ansible-playbook");
    let mut different = Vec::new();
    for arguments in cases {
        let mut arguments = arguments.to_vec();
        if arguments[0] == "unreachable.yml" {
            arguments.extend(["-e", "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1"]);
        }
        let expected = run(&projects[0], &theirs, &arguments);
        let found = run(&projects[1], &ours, &arguments);
        if expected.lines != found.lines || expected.code != found.code {
            let diff =
                similar::TextDiff::from_lines(expected.lines.join("\n"), found.lines.join("\n")).unified_diff().to_string();
            different.push(format!("== {arguments:?}: exit {:?}, ours {:?}\n{diff}", expected.code, found.code));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_single_module_reads_as_under_ansible() {
    let Some(theirs) = ansible_playbook().map(|path| path.with_file_name("ansible")) else {
        return skip("front door", "no ansible: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
    };
    let project = Project::new(INVENTORY);
    let ours = link(&project, "ansible");
    let cases: &[&[&str]] = &[
        &["one", "-m", "ping"],
        &["one", "-a", "echo hello"],
        &["one", "-m", "shell", "-a", "echo a b >&2; exit 3"],
        &["one", "-m", "file", "-a", "path=made state=directory mode=0755"],
        &["one", "-m", "debug", "-a", "var=x"],
        &["some", "--list-hosts"],
        &["nowhere", "-m", "ping"],
        &["one", "-m", "command", "-a", "true", "--check"],
    ];
    let mut different = Vec::new();
    for arguments in cases {
        let _ = std::fs::remove_dir_all(project.path("made"));
        let expected = run(&project, &theirs, arguments);
        let _ = std::fs::remove_dir_all(project.path("made"));
        let found = run(&project, &ours, arguments);
        if expected.lines != found.lines || expected.code != found.code {
            let diff =
                similar::TextDiff::from_lines(expected.lines.join("\n"), found.lines.join("\n")).unified_diff().to_string();
            different.push(format!("== {arguments:?}: exit {:?}, ours {:?}\n{diff}", expected.code, found.code));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn vault_configuration_and_manual_answer_to_their_names_too() {
    let project = Project::new(INVENTORY);
    project.write("password", "sesame\n");
    project.write("secret.yml", "a: 1\n");
    project.write("ansible.cfg", "[defaults]\nforks = 7\nvault_password_file = password\n");
    let says = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(link(&project, name));
        let output =
            command.args(arguments).env("HOME", project.path(".")).current_dir(project.path(".")).output().expect("it starts");
        assert!(output.status.success(), "{name} {arguments:?}: {}", crate::support::text(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    says("ansible-vault", &["encrypt", "secret.yml"]);
    assert!(std::fs::read_to_string(project.path("secret.yml")).unwrap().starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
    if let Some(theirs) = ansible_playbook() {
        let theirs = theirs.with_file_name("ansible-vault");
        let output =
            Command::new(theirs).args(["view", "secret.yml"]).current_dir(project.path(".")).output().expect("it starts");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "a: 1", "{}", crate::support::text(&output));
    }
    assert_eq!(says("ansible-vault", &["view", "secret.yml"]).trim(), "a: 1");
    assert!(says("ansible-config", &["dump", "--only-changed"]).contains("FORKS("));
    assert!(says("ansible-config", &["view"]).contains("forks = 7"));
    assert!(says("ansible-doc", &["-l"]).contains("ansible.builtin.copy "));
    assert!(says("ansible-doc", &["copy"]).starts_with("> MODULE ansible.builtin.copy\n"));
}

#[test]
fn inventories_are_shown_as_by_ansible_inventory() {
    let Some(theirs) = ansible_playbook().map(|path| path.with_file_name("ansible-inventory")) else {
        return skip("front door", "no ansible-inventory: set STEAD_TEST_ANSIBLE, or run tests/run.sh, which installs it");
    };
    let project =
        Project::new("[web]\na x=1\nb y='{\"k\": [1, true]}'\n[db]\nc\n[prod:children]\nweb\ndb\n[prod:vars]\nz=text\n");
    project.write("group_vars/web.yml", "list: [1, {a: b}]\nnone: null\n");
    let ours = link(&project, "ansible-inventory");
    let cases: &[&[&str]] = &[
        &["--list"],
        // Of all hosts it would differ: equal lists are not written as references to the first.
        &["--list", "--yaml", "--limit", "a,c"],
        &["--list", "--limit", "web"],
        &["--host", "b"],
        &["--host", "nobody"],
        &["--graph"],
        &["--graph", "prod"],
        &["--graph", "nothing"],
        &[],
    ];
    let mut different = Vec::new();
    for arguments in cases {
        let says = |program: &Path| {
            let mut command = Command::new(program);
            command.args(["-i", "hosts.ini"]).args(*arguments).env("HOME", project.path(".")).current_dir(project.path("."));
            let output = command.output().expect("it starts");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            // A mark of ansible-core 2.19 that says how values are to be read.
            let text = text.replace(",\n        \"profile\": \"inventory_legacy\"", "");
            (output.status.code(), if output.status.success() { text } else { String::new() })
        };
        let (expected, found) = (says(&theirs), says(&ours));
        if expected != found {
            let diff = similar::TextDiff::from_lines(&expected.1, &found.1).unified_diff().to_string();
            different.push(format!("== {arguments:?}: exit {:?}, ours {:?}\n{diff}", expected.0, found.0));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

const STEPS: &str = r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: First
      copy: {content: "", dest: "{{ playbook_dir }}/first-{{ inventory_hostname }}"}
    - name: Second
      copy: {content: "", dest: "{{ playbook_dir }}/second-{{ inventory_hostname }}"}
    - include_tasks: more.yml
    - name: Fourth
      copy: {content: "", dest: "{{ playbook_dir }}/fourth-{{ inventory_hostname }}"}
"#;

#[test]
fn every_task_is_asked_about() {
    let cases: &[(&str, &[&str], &str)] = &[
        // Answers (first, second, the include, what it includes, fourth), files that are made, what is said.
        ("n\ny\ny\nn\nno\n", &["second"], "Perform task: TASK: Third (N)o/(y)es/(c)ontinue: "),
        ("\nc\n", &["second", "third", "fourth"], "Perform task: TASK: Second (N)o/(y)es/(c)ontinue: "),
        ("y\nn\nn\nYES\n", &["first", "fourth"], "Perform task: TASK: include_tasks (N)o/(y)es/(c)ontinue: "),
        ("y\n\u{4}", &["first"], "nobody answers: the run ends here"),
    ];
    for (answers, made, said) in cases {
        let project = Project::new(INVENTORY);
        project.write("site.yml", STEPS);
        project.write(
            "more.yml",
            "- name: Third\n  copy: {content: '', dest: '{{ playbook_dir }}/third-{{ inventory_hostname }}'}\n",
        );
        let command = format!("{} -i hosts.ini site.yml --step", link(&project, "ansible-playbook").display());
        let run = |mut command: Command| {
            let mut child = command
                .env("HOME", project.path("."))
                .current_dir(project.path("."))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("it starts");
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), answers.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        };
        // A terminal of its own.
        let mut with_terminal = Command::new("script");
        with_terminal.args(["-qec", &command, "/dev/null"]);
        let output = run(with_terminal);
        let text = crate::support::text(&output);
        assert!(text.contains(said), "{answers:?}: {text}");
        for host in ["one", "two"] {
            let found: Vec<&str> = ["first", "second", "third", "fourth"]
                .into_iter()
                .filter(|name| project.path(&format!("{name}-{host}")).exists())
                .collect();
            assert_eq!(&found, made, "{answers:?} on {host}: {text}");
        }
        let mut without = Command::new("sh");
        without.args(["-c", &command]);
        let output = run(without);
        assert!(!output.status.success() && crate::support::text(&output).contains("there is no terminal to ask at"));
    }
}

#[test]
fn modules_of_a_named_directory_are_found_and_kept_facts_are_forgotten() {
    let project = Project::new(INVENTORY);
    project.write("ansible.cfg", "[defaults]\nfact_caching = jsonfile\nfact_caching_connection = facts\n");
    project.write("facts/one", r#"{"kept": "yes"}"#);
    project.write("mine/hello", "#!/bin/sh\n# WANT_JSON\necho '{\"changed\": false, \"msg\": \"hello from mine\"}'\n");
    project.write(
        "site.yml",
        "- hosts: one\n  gather_facts: false\n  tasks:\n    - hello:\n      register: said\n    - debug:\n        msg: '{{ said.msg }}, {{ ansible_facts.kept | default(\"forgotten\") }}'\n",
    );
    let says = |arguments: &[&str]| {
        let mut command = Command::new(link(&project, "ansible-playbook"));
        command.args(["-i", "hosts.ini", "site.yml"]).args(arguments);
        crate::support::text(&command.env("HOME", project.path(".")).current_dir(project.path(".")).output().expect("it starts"))
    };
    assert!(says(&[]).contains("hello"), "a module that is nowhere is named");
    let text = says(&["-M", "nowhere:mine"]);
    assert!(text.contains("hello from mine, yes"), "{text}");
    let text = says(&["-M", "mine", "--flush-cache"]);
    assert!(text.contains("hello from mine, forgotten"), "{text}");
}
