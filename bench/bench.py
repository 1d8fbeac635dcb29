#!/usr/bin/env python3
"""Measures stead beside ansible-core, mitogen and pyinfra, on real hosts, all in one run.

Every sample starts from pristine hosts: a first run, a run that has nothing to do (`noop`) and, for
W1, a dry run of the converged host (`check`). Engines take turns in changing order. A sample has:

- wall clock seconds;
- processor seconds of the controller with everything that it started (its control group);
- processor seconds of the hosts together (their control groups);
- peak memory of the controller with everything that it started.

An engine that fails or needs more than --deadline is reported so. Needs root (see tests/fleet/fleet.sh) and, unless --venv
names one, network access to PyPI for bench/.venv.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLEET = HERE.parent / "tests/fleet/fleet.sh"
WORKLOADS = HERE / "workloads"
ENGINES = ["ansible", "mitogen", "pyinfra", "stead"]
FLOOR = "ssh true"
PHASES = {"W1": ["first", "noop", "check"], "W2": ["first", "noop"], "W3": ["run"], "W4": ["first", "noop"]}


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# --- the fleet -----------------------------------------------------------------------------------


class Fleet:
    """Pristine hosts, as many as asked for."""

    def __init__(self, pool, scratch):
        self.environment = {**os.environ, "FLEET_POOL": str(pool)}
        self.scratch = scratch
        self.count = 0

    def call(self, *arguments):
        done = subprocess.run([FLEET, *map(str, arguments)], env=self.environment, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(f"{FLEET} {' '.join(map(str, arguments))} failed")
        return done.stdout

    def reset(self, count):
        self.count = count
        self.call("reset", count)
        (self.scratch / "hosts.ini").write_text(self.call("inventory", count))

    def down(self):
        self.call("down")

    @property
    def inventory(self):
        return self.scratch / "hosts.ini"

    def addresses(self):
        return dict(re.findall(r"^(h\d+) ansible_host=(\S+)", self.inventory.read_text(), re.M))

    def key(self):
        return re.search(r"private_key_file=(\S+)", self.inventory.read_text())[1]

    def cpu(self):
        return sum(float(self.call("cpu", i)) for i in range(1, self.count + 1))


# --- running one command and measuring it --------------------------------------------------------


class ControlGroup:
    """What a command and everything that it starts use, also what detaches itself from it."""

    def __init__(self):
        unified = Path("/sys/fs/cgroup/cgroup.procs").exists()
        tree = Path("/sys/fs/cgroup") if unified else Path("/sys/fs/cgroup/cpuacct")
        self.path = tree / f"stead-bench-{os.getpid()}"
        self.unified = unified
        self.path.mkdir(exist_ok=True)

    def cpu(self):
        if self.unified:
            return int(re.search(r"usage_usec (\d+)", (self.path / "cpu.stat").read_text())[1]) / 1e6
        return int((self.path / "cpuacct.usage").read_text()) / 1e9

    def processes(self):
        return [int(pid) for pid in (self.path / "cgroup.procs").read_text().split()]

    def memory(self):
        """Proportional set size of all processes, in bytes."""
        total = 0
        for pid in self.processes():
            try:
                found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            except OSError:
                continue  # it has just ended
            total += int(found[1]) * 1024 if found else 0
        return total

    def clear(self):
        """Ends what was left behind, such as ssh's shared connections."""
        for _ in range(100):
            left = self.processes()
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def remove(self):
        self.clear()
        self.path.rmdir()


def measure(command, environment, fleet, group, log, deadline):
    """Runs `command`; returns its sample. Its output goes to `log`."""
    group.clear()
    host_before, group_before = fleet.cpu(), group.cpu()
    peak, ended = [0], threading.Event()

    def watch():
        while not ended.wait(0.1):
            peak[0] = max(peak[0], group.memory())

    join = ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(group.path / "cgroup.procs")]
    with open(log, "wb") as output:
        start = time.monotonic()
        process = subprocess.Popen([*join, *map(str, command)], env=environment, cwd=fleet.scratch,
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        watcher = threading.Thread(target=watch)
        watcher.start()
        late = threading.Event()
        timer = threading.Timer(deadline, lambda: (late.set(), process.kill()))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    ended.set()
    watcher.join()
    return {
        "exit": process.returncode,
        "deadline": deadline if late.is_set() else None,
        "wall": round(wall, 3),
        "controller_cpu": round(group.cpu() - group_before, 3),
        "host_cpu": round(fleet.cpu() - host_before, 3),
        "peak_memory": max(peak[0], usage.ru_maxrss * 1024),
    }


# --- the engines ---------------------------------------------------------------------------------


class Engine:
    """How an engine is started for a workload and a phase."""

    def __init__(self, name, fleet, bin_dir, stead):
        self.name, self.fleet, self.bin, self.stead = name, fleet, bin_dir, stead

    def environment(self, out):
        base = {"PATH": f"{self.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(self.fleet.scratch), "LANG": "C.UTF-8", "BENCH_OUT": str(out)}
        if os.environ.get("BENCH_SCALE"):
            base["BENCH_SCALE"] = os.environ["BENCH_SCALE"]
        if self.name in ("ansible", "mitogen"):
            base |= {"ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_NOCOLOR": "1",
                     "ANSIBLE_RETRY_FILES_ENABLED": "0", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.fleet.scratch / "cp")}
        if self.name == "mitogen":
            found = sorted(self.bin.parent.glob("lib/python*/site-packages/ansible_mitogen/plugins/strategy"))
            base |= {"ANSIBLE_STRATEGY_PLUGINS": str(found[0]) if found else "", "ANSIBLE_STRATEGY": "mitogen_linear"}
        return base

    def command(self, workload, phase):
        site, inventory, forks = WORKLOADS / workload / "site.yml", self.fleet.inventory, str(self.fleet.count)
        if self.name in ("ansible", "mitogen"):
            check = ["--check"] if phase == "check" else []
            return [self.bin / "ansible-playbook", "-i", inventory, "--forks", forks, *check, site]
        if self.name == "pyinfra":
            dry = ["--dry"] if phase == "check" else ["-y"]
            return [self.bin / "pyinfra", self.pyinfra_inventory(), WORKLOADS / workload / "deploy.py", "--parallel", forks, *dry]
        if self.name == "stead":
            return [self.stead, "plan" if phase == "check" else "apply", "-i", inventory, site]
        each = [f"ssh -F none -i {self.fleet.key()} -o BatchMode=yes -o StrictHostKeyChecking=no "
                f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@{address} true & pids=\"$pids $!\""
                for address in self.fleet.addresses().values()]
        return ["bash", "-c", "\n".join([*each, "for p in $pids; do wait $p || exit 1; done"])]

    def pyinfra_inventory(self):
        data = {"ssh_user": "root", "ssh_key": self.fleet.key(), "ssh_strict_host_key_checking": "off"}
        hosts = [(name, {**data, "ssh_hostname": address}) for name, address in self.fleet.addresses().items()]
        path = self.fleet.scratch / "fleet.py"
        path.write_text(f"fleet = {hosts!r}\n")
        return path

    def version(self):
        command = {"ansible": [self.bin / "ansible", "--version"], "pyinfra": [self.bin / "pyinfra", "--version"],
                   "stead": [self.stead, "--version"], FLOOR: ["ssh", "-V"],
                   "mitogen": [self.bin / "python", "-c", "import mitogen; print('mitogen', '.'.join(map(str, mitogen.__version__)))"]}
        try:
            done = subprocess.run(command[self.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        except OSError as error:
            return f"does not start: {error}"
        lines = done.stdout.strip().splitlines()
        return lines[0] if lines else f"exit {done.returncode}"


def engines_directory(given):
    """The bin directory of a virtual environment that has the other engines."""
    if given:
        return Path(given).resolve() / "bin"
    target = HERE / ".venv"
    if not (target / "bin/pyinfra").exists():
        say("installing the other engines into bench/.venv")
        venv.create(target, with_pip=True, clear=True)
        subprocess.run([target / "bin/pip", "install", "-q", "-r", HERE / "requirements.txt"], check=True)
    return target / "bin"


# --- the whole run -------------------------------------------------------------------------------


def run_all(options, fleet, group, bin_dir):
    samples, spent = list(options.earlier), {}
    engines = [Engine(name, fleet, bin_dir, options.stead) for name in options.engines]
    floor = Engine(FLOOR, fleet, bin_dir, options.stead)
    for hosts in options.hosts:
        for workload in options.workloads:
            for number in range(options.runs):
                turns = engines + [floor] if workload == "W3" else list(engines)
                turns = turns[number % len(turns):] + turns[:number % len(turns)]
                for engine in turns:
                    cell = (engine.name, workload, hosts)
                    if spent.get(cell, 0) > options.budget:
                        say(f"{cell}: over the budget of {options.budget} s, no run {number + 1}")
                        continue
                    start = time.monotonic()
                    samples += run_engine(engine, workload, hosts, number, options, group)
                    spent[cell] = spent.get(cell, 0) + time.monotonic() - start
            write(options, samples, engines + [floor])
    return samples, engines + [floor]


def run_engine(engine, workload, hosts, number, options, group):
    fleet = engine.fleet
    fleet.reset(hosts)
    samples = []
    for phase in PHASES[workload]:
        log = options.logs / f"{engine.name.replace(' ', '-')}-{workload}-{hosts}-{phase}-{number}.log"
        out = fleet.scratch / "out" / engine.name.replace(" ", "-")
        sample = measure(engine.command(workload, phase), engine.environment(out), fleet, group, log, options.deadline)
        sample |= {"engine": engine.name, "workload": workload, "hosts": hosts, "phase": phase, "run": number,
                   "ok": sample["exit"] == 0}
        samples.append(sample)
        why = f"over {sample['deadline']:.0f} s" if sample["deadline"] else f"exit {sample['exit']}"
        verdict = "" if sample["ok"] else f"  FAILED ({why}, see {log})"
        say(f"{hosts:3} x {workload} {phase:6} {engine.name:9} {sample['wall']:8.2f} s{verdict}")
        if not sample["ok"]:
            break  # what comes next would measure something else
    return samples


# --- the tables ----------------------------------------------------------------------------------


def median(samples, field):
    return statistics.median(sample[field] for sample in samples)


def amount(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def cell(samples, against):
    """Median, number of runs, and how many times faster or cheaper than `against` this is."""
    good = [sample for sample in samples if sample["ok"]]
    if not samples:
        return ["-"] * 4
    if not good:
        late = samples[0]["deadline"]
        return [f"over {late:.0f}" if late else f"failed ({samples[0]['exit']})"] + ["-"] * 3
    wall = median(good, "wall")
    ratio = f" ({amount(against / wall)}x)" if against else ""
    return [f"{amount(wall)}{ratio}", amount(median(good, "controller_cpu")), amount(median(good, "host_cpu")),
            f"{median(good, 'peak_memory') / 1e6:.0f}"]


def tables(samples, names):
    lines = []
    for workload in PHASES:
        rows = [sample for sample in samples if sample["workload"] == workload]
        if not rows:
            continue
        lines += ["", f"## {workload}", "", "| hosts | phase | engine | wall s (faster than ansible) | controller CPU s | hosts' CPU s | peak MB | runs |",
                  "|---:|---|---|---:|---:|---:|---:|---:|"]
        for hosts in sorted({sample["hosts"] for sample in rows}):
            for phase in PHASES[workload]:
                of_cell = {name: [s for s in rows if (s["hosts"], s["phase"], s["engine"]) == (hosts, phase, name)] for name in names}
                reference = [sample for sample in of_cell.get("ansible", []) if sample["ok"]]
                against = median(reference, "wall") if reference else None
                for name, found in of_cell.items():
                    if found:
                        columns = cell(found, against if name != "ansible" else None)
                        lines.append(f"| {hosts} | {phase} | {name} | {' | '.join(columns)} | {sum(s['ok'] for s in found)}/{len(found)} |")
    return lines


def write(options, samples, engines):
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "load_before": options.load,
               "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)}
    versions = options.earlier_versions | {engine.name: engine.version() for engine in engines}
    names = [name for name in [*ENGINES, FLOOR] if any(sample["engine"] == name for sample in samples)]
    options.out.with_suffix(".json").write_text(json.dumps({"machine": machine, "versions": versions, "samples": samples}, indent=1) + "\n")
    head = ["# Measurements", "", "Written by `bench/bench.py`; the samples are in the JSON file beside it. Medians; hosts and controller",
            "share one machine, so with many hosts the processor is what everybody waits for.", "",
            f"Machine: {machine['cpus']} CPUs, {machine['memory_gb']} GB, Linux {machine['kernel']}, load {machine['load_before']:.1f} before the run.", ""]
    head += [f"- {name}: {version}" for name, version in versions.items()]
    head += ["", "ansible runs with pipelining and as many forks as hosts; mitogen is ansible with `strategy: mitogen_linear`."]
    options.out.with_suffix(".md").write_text("\n".join(head + tables(samples, names)) + "\n")


def arguments():
    numbers = lambda text: [int(part) for part in text.split(",")]
    names = lambda text: text.split(",")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=numbers, default=[1, 4, 16], help="host counts (1,4,16)")
    parser.add_argument("--runs", type=int, default=3, help="samples per cell (3)")
    parser.add_argument("--engines", type=names, default=ENGINES, help=",".join(ENGINES))
    parser.add_argument("--workloads", type=names, default=list(PHASES), help=",".join(PHASES))
    parser.add_argument("--stead", type=Path, default=HERE.parent / "target/release/stead", help="the binary (target/release/stead)")
    parser.add_argument("--venv", help="virtual environment that has the other engines (bench/.venv)")
    parser.add_argument("--pool", type=int, default=12, help="FLEET_POOL (12)")
    parser.add_argument("--budget", type=float, default=1800, help="seconds after which an engine gets no further sample of a cell (1800)")
    parser.add_argument("--deadline", type=float, default=1200, help="seconds that one run may take (1200)")
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS", help="results, without extension (bench/RESULTS)")
    parser.add_argument("--add", action="store_true", help="add to the samples that the results hold already, of the same binary on the same machine")
    options = parser.parse_args()
    results = options.out.with_suffix(".json")
    earlier = json.loads(results.read_text()) if options.add and results.exists() else {"samples": [], "versions": {}}
    options.earlier, options.earlier_versions = earlier["samples"], earlier["versions"]
    for given, known in [(options.engines, ENGINES), (options.workloads, list(PHASES))]:
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    if "stead" in options.engines and not options.stead.exists():
        parser.error(f"{options.stead} is missing: cargo build --release")
    options.stead = options.stead.resolve()
    options.load = os.getloadavg()[0]
    return options


def main():
    options = arguments()
    bin_dir = engines_directory(options.venv)
    subprocess.run([sys.executable, WORKLOADS / "generate.py"], check=True)
    scratch = Path(tempfile.mkdtemp(prefix="stead-bench-"))
    options.logs = scratch / "logs"
    options.logs.mkdir()
    fleet, group = Fleet(options.pool, scratch), ControlGroup()
    failed = True
    try:
        samples, engines = run_all(options, fleet, group, bin_dir)
        write(options, samples, engines)
        failed = not all(sample["ok"] for sample in samples)
    finally:
        group.remove()
        fleet.down()
        if failed:
            say(f"logs are kept in {options.logs}")
        else:
            shutil.rmtree(scratch)
    say(f"written: {options.out.with_suffix('.md')}")


if __name__ == "__main__":
    main()
