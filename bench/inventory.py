#!/usr/bin/env python3
"""How long large inventories take, and how much memory: `stead inventory` on files made for it.

    bench/inventory.py [--stead PROGRAM] [--ansible DIRECTORY-OF-PROGRAMS] [--runs N]

The goals: 10,000 hosts with 50 variables each are read and listed, with all variables, within 2 s
and 300 MB; 50,000 hosts in 100 groups are read and listed within a second. There is no cache.
"""

import argparse
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def values(host, count):
    """Variables as people have them: numbers, words, switches, a list, a template."""
    for index in range(count):
        kind = index % 5
        name = f"app_setting_{index:02}"
        if kind == 0:
            yield name, str(host * 100 + index)
        elif kind == 1:
            yield name, f"value-{host}-{index}.example.com"
        elif kind == 2:
            yield name, "true" if host % 2 else "false"
        elif kind == 3:
            yield name, f"/srv/app/{host}/data/{index}"
        else:
            yield name, f"'{{{{ app_setting_{index - 3:02} }}}}:{8000 + index}'"


def name(host):
    return f"node{host:05}.dc{host % 7}.example.com"


def write_yaml(directory, hosts, variables):
    with open(directory / "hosts.yml", "w") as out:
        out.write("all:\n  children:\n")
        for group in range(100):
            out.write(f"    group{group:02}:\n      hosts:\n")
            for host in range(group, hosts, 100):
                out.write(f"        {name(host)}:\n")
                for key, value in values(host, variables):
                    out.write(f"          {key}: {value}\n")
    return "hosts.yml"


def write_ini(directory, hosts, variables):
    with open(directory / "hosts", "w") as out:
        for group in range(100):
            out.write(f"[group{group:02}]\n")
            for host in range(group, hosts, 100):
                pairs = " ".join(f'{key}={value if " " not in value else chr(34) + value[1:-1] + chr(34)}' for key, value in values(host, variables))
                out.write(f"{name(host)} {pairs}\n")
    return "hosts"


def write_files(directory, hosts, variables):
    (directory / "host_vars").mkdir()
    with open(directory / "hosts", "w") as out:
        for group in range(100):
            out.write(f"[group{group:02}]\n")
            out.writelines(f"{name(host)}\n" for host in range(group, hosts, 100))
    for host in range(hosts):
        text = "".join(f"{key}: {value}\n" for key, value in values(host, variables))
        (directory / "host_vars" / f"{name(host)}.yml").write_text(text)
    return "hosts"


def measured(command, directory):
    """Seconds and peak memory in MB."""
    started = time.monotonic()
    with open(os.devnull, "wb") as nowhere:
        child = subprocess.Popen(command, cwd=directory, stdout=nowhere, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"{command} failed: {said.decode(errors='replace')[-2000:]}")
    return time.monotonic() - started, usage.ru_maxrss / 1024


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--stead", type=lambda path: pathlib.Path(path).absolute(), default=ROOT / "target/release/stead")
    options.add_argument("--ansible", help="where ansible-inventory is; without it stead alone is measured")
    options.add_argument("--runs", type=int, default=3)
    options = options.parse_args()
    cases = [
        ("10,000 hosts x 50, YAML, all variables", write_yaml, 10_000, 50, ["--list"]),
        ("10,000 hosts x 50, INI, all variables", write_ini, 10_000, 50, ["--list"]),
        ("10,000 hosts x 50, host_vars, all variables", write_files, 10_000, 50, ["--list"]),
        ("10,000 hosts x 50, YAML, names", write_yaml, 10_000, 50, []),
        ("50,000 hosts in 100 groups, INI, names", write_ini, 50_000, 0, []),
        ("50,000 hosts in 100 groups, YAML, names", write_yaml, 50_000, 0, []),
        ("50,000 hosts in 100 groups, INI, --list", write_ini, 50_000, 0, ["--list"]),
    ]
    print("| inventory | program | s | MB |\n|---|---|---|---|")
    for title, write, hosts, variables, arguments in cases:
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            source = write(directory, hosts, variables)
            programs = [("stead", [str(options.stead), "inventory", "-i", source, *arguments])]
            if options.ansible:
                programs.append(("ansible-inventory", [f"{options.ansible}/ansible-inventory", "-i", source, "--list"]))
            for program, command in programs:
                runs = [measured(command, directory) for _ in range(options.runs if program == "stead" else 1)]
                print(f"| {title} | {program} | {min(run[0] for run in runs):.2f} | {max(run[1] for run in runs):.0f} |", flush=True)


if __name__ == "__main__":
    main()
