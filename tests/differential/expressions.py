"""What ansible-core makes of templates and conditions: one JSON request on stdin, a list of answers on stdout.

Request: {"directory": where files are looked for, "vars": [YAML texts], "cases": [[kind, text]]} with the
kinds `value` (text of a playbook), `file` (text of a template file) and `condition`.
Answer: {"value": ...} with types kept, or {"error": class, "message": ...}.
"""

import copy
import datetime
import json
import math
import os
import signal
import sys
from collections.abc import Mapping

from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import filter_loader, init_plugin_loader, lookup_loader, test_loader
from ansible.template import Templar, trust_as_template


def encoded(value):
    """JSON that keeps what JSON cannot say: keys that are not text, large and odd numbers."""
    if value is None or isinstance(value, bool):
        return None if value is None else bool(value)
    if isinstance(value, int):
        return int(value) if -(2**63) <= value < 2**63 else f"<int {int(value)}>"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else f"<{float(value)!r}>"
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return "<text that is not UTF-8>"
        return str(value)
    if isinstance(value, Mapping):
        return {str(k) if isinstance(k, str) else f"<{k!r}>": encoded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encoded(item) for item in value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return f"<{type(value).__name__} {value}>"
    return f"<{type(value).__name__}>"


def error_class(error):
    chain, at = [], error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    names = [type(one).__name__ for one in chain]
    texts = " ".join(str(one) for one in chain)
    lacks_lookup = "The lookup plugin" in texts and "was not found." in texts
    if "AnsibleTemplatePluginNotFoundError" in names or lacks_lookup or any(
        what in texts for what in ("No filter named", "No test named", "Could not load")
    ):
        return "name"
    if "AnsibleTemplateSyntaxError" in names:
        return "syntax"
    if "Recursive loop" in texts or "RecursionError" in names:
        return "cycle"
    told = ("ansible.builtin.mandatory' failed", "inline if-expression", "Type 'Undefined' is unsupported")
    if "AnsibleUndefinedVariable" in names or "UndefinedError" in names or any(what in texts for what in told):
        return "undefined"
    return "failed"


class TooLong(Exception):
    pass


def alarm(_number, _frame):
    raise TooLong("no answer in 20 seconds")


def main():
    request = json.load(sys.stdin)
    answers_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Warnings of Ansible are not answers.
    init_plugin_loader([os.path.join(request["directory"], "collections")])
    for kind, known in (("filter", filter_loader), ("test", test_loader), ("lookup", lookup_loader)):
        folder = os.path.join(request["directory"], f"{kind}_plugins")
        if os.path.isdir(folder):
            known.add_directory(folder)
    loader = DataLoader()
    loader.set_basedir(request["directory"])
    variables = {}
    for number, text in enumerate(request["vars"]):
        path = os.path.join(request["directory"], f".vars{number}.yml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        variables.update(loader.load_from_file(path, trusted_as_template=True) or {})
        os.unlink(path)
    variables["ansible_search_path"] = [request["directory"]]
    signal.signal(signal.SIGALRM, alarm)
    answers = []
    for kind, text in request["cases"]:
        templar = Templar(loader=loader, variables=copy.deepcopy(variables))
        signal.alarm(20)
        try:
            if kind == "condition":
                value = templar.evaluate_conditional(trust_as_template(text))
            elif kind == "file":
                search = [os.path.join(request["directory"], "templates"), request["directory"]]
                templar = templar.copy_with_new_env(searchpath=search, available_variables=copy.deepcopy(variables))
                overrides = {"trim_blocks": True, "lstrip_blocks": False, "newline_sequence": "\n"}
                value = templar.template(trust_as_template(text), escape_backslashes=False, overrides=overrides)
                # What the module writes.
                value = "" if value is None else str(value)
            else:
                value = templar.template(trust_as_template(text))
            answers.append({"value": encoded(value)})
        except BaseException as error:
            if type(error).__name__ == "AnsibleValueOmittedError" and kind != "condition":
                answers.append({"value": "<omit>"})
            else:
                answers.append({"error": error_class(error), "message": str(error).replace("\n", " ")})
        finally:
            signal.alarm(0)
    json.dump(answers, answers_to)
    answers_to.flush()


if __name__ == "__main__":
    main()
