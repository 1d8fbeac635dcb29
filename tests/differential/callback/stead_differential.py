"""Writes one JSON line for everything that ends on a host."""

from __future__ import annotations

DOCUMENTATION = """
    name: stead_differential
    type: stdout
    short_description: JSON lines for the differential suite
    description:
        - One line for everything that ends on a host.
"""

import json
import os

from ansible.plugins.callback import CallbackBase


def readable(value):
    """Numbers that have no place in 64 bits (those of RSA keys) as text."""
    if isinstance(value, dict):
        return {key: readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [readable(item) for item in value]
    return str(value) if type(value) is int and abs(value) >= 2**63 else value


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "stead_differential"

    def __init__(self):
        super().__init__()
        self._names = {}
        self._file = open(os.environ["STEAD_DIFFERENTIAL_EVENTS"], "a")

    def _write(self, **fields):
        self._file.write(json.dumps(readable(fields), default=str) + "\n")
        self._file.flush()

    def _ended(self, event, result, **more):
        task = result._task
        self._write(
            e=event,
            host=result._host.get_name(),
            task=self._names.get(task._uuid, task.get_name()),
            module=task.action.rsplit(".", 1)[-1],
            result={key: value for key, value in result._result.items() if not str(key).startswith("_ansible")},
            **more,
        )

    def _item(self, event, result):
        label = result._result.get("_ansible_item_label", result._result.get("item"))
        self._ended(event, result, item=str(label))

    def v2_playbook_on_play_start(self, play):
        self._write(e="play", name=play.get_name().strip())

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._names[task._uuid] = task.get_name().strip()

    v2_playbook_on_cleanup_task_start = v2_playbook_on_task_start

    def v2_playbook_on_handler_task_start(self, task):
        self._names[task._uuid] = task.get_name().strip()

    def v2_runner_on_ok(self, result):
        self._ended("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._ended("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_skipped(self, result):
        self._ended("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._ended("unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self._item("item_ok", result)

    def v2_runner_item_on_failed(self, result):
        self._item("item_failed", result)

    def v2_runner_item_on_skipped(self, result):
        self._item("item_skipped", result)

    def v2_playbook_on_stats(self, stats):
        self._write(e="stats", hosts={host: stats.summarize(host) for host in sorted(stats.processed)})
