#!/usr/bin/env python3
"""Writes the parts of the workloads that are bulky and wholly determined.

BENCH_SCALE=0.1 makes W2 and W4 a tenth of their size, for trying things out.
"""

import os
import random
import shutil
from pathlib import Path

HERE = Path(__file__).parent
SCALE = float(os.environ.get("BENCH_SCALE") or 1)
MODES = "owner: root, group: root, mode"

W2_HEAD = """---
# W2: 200 trivial module calls: a loop of 100 items and 100 separate tasks. Written by generate.py.
- name: Many small tasks
  hosts: fleet
  gather_facts: false
  tasks:
    - name: Directories
      ansible.builtin.file: {{ path: "{{{{ item }}}}", state: directory, {modes}: "0755" }}
      loop: [/srv/many, /srv/many/loop, /srv/many/task]
    - name: Loop
      ansible.builtin.copy:
        content: "item {{{{ item }}}} of the loop\\n"
        dest: "/srv/many/loop/{{{{ '%03d' | format(item) }}}}.conf"
        owner: root
        group: root
        mode: "0644"
      loop: "{{{{ range({count}) | list }}}}"
"""


def w1_file(numbers):
    target = HERE / "W1/files"
    target.mkdir(exist_ok=True)
    (target / "blob.bin").write_bytes(numbers.randbytes(1 << 20))


def w2_playbook(count):
    tasks = [W2_HEAD.format(modes=MODES, count=count)]
    for i in range(count):
        dest = f"/srv/many/task/{i:03}"
        if i % 4 == 3:
            name, call = "Directory", f'file: {{ path: {dest}.d, state: directory, {MODES}: "0750" }}'
        elif i % 4 == 2:
            name, call = "Template", f'template: {{ src: small.j2, dest: {dest}.ini, {MODES}: "0640" }}'
        else:
            name, call = "Copy", f'copy: {{ content: "task {i}\\n", dest: {dest}.conf, {MODES}: "0644" }}'
        tasks.append(f"    - name: {name} {i}\n      ansible.builtin.{call}\n")
        if name == "Template":
            tasks.append(f"      vars: {{ number: {i} }}\n")
    (HERE / "W2/site.yml").write_text("".join(tasks))


def w4_tree(numbers, count):
    tree = HERE / "W4/files/tree"
    shutil.rmtree(tree, ignore_errors=True)
    for i in range(count):
        path = tree / f"d{i // 20:02}" / f"f{i:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{numbers.getrandbits(64):016x} {n}\n" for n in range(numbers.randrange(20, 180)))
        path.write_text("".join(lines))


numbers = random.Random(1)
w1_file(numbers)
w2_playbook(int(100 * SCALE))
w4_tree(numbers, int(500 * SCALE))
