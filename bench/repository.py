#!/usr/bin/env python3
"""Makes a repository of many tasks to measure `stead lint` on: playbooks, roles, templates, variables.

    bench/repository.py /tmp/repository            # 5,000 tasks
    time target/release/stead lint /tmp/repository
"""

import argparse
import pathlib

TASKS_PER_ROLE = 50

MAIN = """\
- name: Packages of {role}
  ansible.builtin.apt:
    name: "{{{{ {role}_packages }}}}"
    state: present
  when: {role}_packages | length > 0
  tags: [packages, {role}]

"""

KINDS = [
    """\
- name: Configuration {n} of {role}
  ansible.builtin.template:
    src: config{t}.j2
    dest: "{{{{ {role}_directory }}}}/config{n}"
    owner: root
    group: root
    mode: "0644"
  notify: Restart {role}
  tags: [config, {role}]
""",
    """\
- name: Directory {n} of {role}
  ansible.builtin.file:
    path: "{{{{ {role}_directory }}}}/{{{{ item.name }}}}"
    state: directory
    owner: "{{{{ item.owner | default('root') }}}}"
    mode: "0755"
  loop:
    - {{ name: a{n} }}
    - {{ name: b{n}, owner: www-data }}
  loop_control:
    label: "{{{{ item.name }}}}"
  tags: {role}
""",
    """\
- name: Look at {n} of {role}
  ansible.builtin.command: /usr/bin/{role} status --number {n}
  register: {role}_status_{n}
  changed_when: false
  failed_when: {role}_status_{n}.rc not in [0, 3]

- name: Say how {n} of {role} is
  ansible.builtin.debug:
    msg: "{{{{ inventory_hostname }}}}: {{{{ {role}_status_{n}.stdout | default('', true) | trim }}}}"
  when: {role}_status_{n} is succeeded and ansible_facts['os_family'] == 'Debian'
""",
    """\
- name: Line {n} of {role}
  ansible.builtin.lineinfile:
    path: "{{{{ {role}_directory }}}}/settings"
    regexp: '^option{n}\\s*='
    line: "option{n} = {{{{ {role}_options['option{n}'] | default({role}_port + {n}) }}}}"
    create: true
    mode: "0640"
  notify: Restart {role}
""",
    """\
- name: Both or neither of {n} of {role}
  when: {role}_enabled | bool
  block:
    - name: Unit {n} of {role}
      ansible.builtin.copy:
        content: "[Unit]\\nDescription={role} {n}\\n"
        dest: /etc/systemd/system/{role}{n}.service
        mode: "0644"
    - name: Service {n} of {role}
      ansible.builtin.systemd_service:
        name: {role}{n}.service
        state: started
        enabled: true
        daemon_reload: true
  rescue:
    - name: Say that {n} of {role} failed
      ansible.builtin.debug:
        msg: "{{{{ ansible_failed_task.name }}}}"
""",
]

TEMPLATE = """\
# {{{{ ansible_managed }}}}
[{role}]
port = {{{{ {role}_port }}}}
directory = {{{{ {role}_directory }}}}
{{% for name, value in {role}_options.items() %}}
{{{{ name }}}} = {{{{ value | string | upper }}}}
{{% endfor %}}
{{% if {role}_enabled | bool %}}
enabled = yes
{{% endif %}}
"""


def write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def role(root: pathlib.Path, name: str) -> int:
    """One role; says how many tasks it has."""
    parts, count, n = [MAIN.format(role=name)], 1, 0
    while count < TASKS_PER_ROLE:
        kind = KINDS[n % len(KINDS)]
        parts.append(kind.format(role=name, n=n, t=n % 4))
        count += kind.count("ansible.builtin.")
        n += 1
    half = len(parts) // 2
    directory = root / "roles" / name
    write(directory / "tasks/main.yml", "---\n" + "\n".join(parts[:half]) + "\n- name: More\n  ansible.builtin.import_tasks: more.yml\n")
    write(directory / "tasks/more.yml", "---\n" + "\n".join(parts[half:]))
    write(
        directory / "handlers/main.yml",
        f"---\n- name: Restart {name}\n  ansible.builtin.service:\n    name: {name}\n    state: restarted\n",
    )
    write(
        directory / "defaults/main.yml",
        f"---\n{name}_packages: []\n{name}_directory: /etc/{name}\n{name}_port: 8000\n{name}_enabled: true\n{name}_options: {{}}\n",
    )
    for t in range(4):
        write(directory / f"templates/config{t}.j2", TEMPLATE.format(role=name))
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("--tasks", type=int, default=5000)
    args = parser.parse_args()
    names, tasks = [], 0
    while tasks < args.tasks:
        name = f"service{len(names)}"
        tasks += role(args.directory, name)
        names.append(name)
    write(args.directory / "inventory/hosts.ini", "[web]\nweb[1:20].example.com\n[db]\ndb[1:5].example.com\n")
    write(args.directory / "group_vars/all.yml", "---\n" + "".join(f"{name}_port: 80\n" for name in names))
    for start in range(0, len(names), 5):
        roles = "".join(f"    - role: {name}\n      tags: {name}\n" for name in names[start : start + 5])
        write(args.directory / f"play{start // 5}.yml", f"---\n- name: Group {start // 5}\n  hosts: web\n  roles:\n{roles}")
    imports = "".join(f"- name: Part {n}\n  ansible.builtin.import_playbook: play{n}.yml\n" for n in range((len(names) + 4) // 5))
    write(args.directory / "site.yml", "---\n" + imports)
    print(f"{tasks} tasks in {len(names)} roles")


if __name__ == "__main__":
    main()
