"""Runs ansible-playbook on many small projects, fast: the program is loaded once and forked for each.

Arguments: a file with a JSON list of jobs ({"dir", "args", "env", "events", "output"}) and how many
may run at once. The callback plugin beside this file writes what happened to each job's `events`.
"""

import json
import os
import sys
import traceback


def child(job):
    os.chdir(job["dir"])
    os.environ.update(job["env"])
    os.environ["STEAD_DIFFERENTIAL_EVENTS"] = job["events"]
    out = os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = ["ansible-playbook", *job["args"]]
    code = 250
    try:
        from ansible.cli.playbook import main

        code = main(sys.argv) or 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    with open(job["events"], "a") as events:
        events.write(json.dumps({"e": "exit", "code": code}) + "\n")
    os._exit(0)


def main():
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    most = int(sys.argv[2])
    # Jobs with an environment or configuration of their own load the program themselves.
    own = [job for job in jobs if job["env"] or os.path.exists(os.path.join(job["dir"], "ansible.cfg"))]
    shared = [job for job in jobs if job not in own]
    running = set()

    def start(job):
        while len(running) >= most:
            running.discard(os.wait()[0])
        pid = os.fork()
        if pid == 0:
            child(job)
        running.add(pid)

    for job in own:
        start(job)
    import ansible.cli.playbook  # noqa: F401
    import ansible.executor.task_executor  # noqa: F401
    import ansible.plugins.strategy.linear  # noqa: F401

    for job in shared:
        start(job)
    while running:
        running.discard(os.wait()[0])


main()
