"""What ansible-core makes of inventories: requests on stdin, answers on stdout, JSON both.

A request: {"directory": ..., "sources": [...], "extra": {...}, "patterns": [[pattern or list, limit or null]]}.
An answer: {"failed": a source could not be read, "groups", "variables", "from", "patterns": hosts or null for an error}.
"""

import json
import os
import sys

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.utils.display import Display
from ansible.vars.manager import VariableManager

# Set by ansible-core itself for every host.
OWN = {
    "ansible_check_mode", "ansible_config_file", "ansible_diff_mode", "ansible_facts", "ansible_forks",
    "ansible_inventory_sources", "ansible_limit", "ansible_playbook_python", "ansible_run_tags",
    "ansible_skip_tags", "ansible_verbosity", "ansible_version", "group_names", "groups", "inventory_dir",
    "inventory_file", "inventory_hostname", "inventory_hostname_short", "omit", "playbook_dir",
}

warnings, notes = [], []
Display.warning = lambda self, *rest, **more: warnings.append(" ".join(map(str, [*rest, *more.values()])))
Display.error_as_warning = lambda self, *rest, **more: notes.append(" ".join(map(str, [*rest, *more.values()])))
Display.deprecated = lambda self, *rest, **more: None
Display.error = lambda self, *rest, **more: None


def plain(value):
    """Values as JSON, keys as text."""
    if value is None or isinstance(value, bool):
        return None if value is None else bool(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        return {json.loads(json.dumps(str(key))): plain(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item) for item in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return f"<{type(value).__name__}>"


def members(group, unordered):
    """In groups of groups of groups their order is chance."""
    names = [str(host.name) for host in group.get_hosts()]
    return sorted(names) if unordered else names


def answer(request):
    del warnings[:], notes[:]
    os.chdir(request["directory"])
    context.CLIARGS = ImmutableDict(extra_vars=[f"{name}={value}" for name, value in request["extra"].items()])
    from ansible.utils import vars as extra

    if hasattr(extra.load_extra_vars, "extra_vars"):
        del extra.load_extra_vars.extra_vars
    loader = DataLoader()
    loader.set_basedir(os.path.join(request["directory"], "play"))
    inventory = InventoryManager(loader=loader, sources=request["sources"])
    if any("Unable to parse" in warning for warning in warnings):
        return {"failed": True, "why": " / ".join(notes)}
    manager = VariableManager(loader=loader, inventory=inventory)
    groups, variables, origins = {}, {}, {}
    for name, group in inventory.groups.items():
        groups[str(name)] = {
            "hosts": [str(host.name) for host in group.hosts],
            "children": [str(child.name) for child in group.child_groups],
            "members": members(group, request["unordered"]),
        }
    for name, host in inventory.hosts.items():
        seen = manager.get_vars(host=host, include_hostvars=False, stage="all")
        variables[str(name)] = {str(key): plain(value) for key, value in seen.items() if key not in OWN}
        # Without a directory it is the text of None.
        origins[str(name)] = [plain(seen.get(own)) for own in ("inventory_file", "inventory_dir")]
        origins[str(name)] = [None if own == "None" else own for own in origins[str(name)]]
    patterns = []
    for pattern, limit in request["patterns"]:
        try:
            inventory._subset = None
            if limit is not None:
                inventory.subset(limit)
            patterns.append([str(host) for host in inventory.list_hosts(pattern)])
        except Exception as error:
            patterns.append(None)
        inventory.clear_caches() if hasattr(inventory, "clear_caches") else None
        inventory._hosts_patterns_cache = {}
    return {"failed": False, "groups": groups, "variables": variables, "from": origins, "patterns": patterns}


init_plugin_loader()
requests = json.load(sys.stdin)
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
answers = []
for request in requests:
    try:
        answers.append(answer(request))
    except Exception as error:
        answers.append({"failed": True, "why": f"{type(error).__name__}: {error}"})
json.dump(answers, out)
