# Runs filters, tests and lookups that are written in Python, for one controller.
#
# Lines of JSON: requests on stdin, answers on stdout. While a call runs it may ask for variables.
# Whatever plugins print goes to stderr.
import base64
import datetime
import importlib
import importlib.util
import json
import math
import os
import sys
import traceback
from collections import abc

requests = os.fdopen(os.dup(0), "rb")
answers = os.fdopen(os.dup(1), "wb")
nothing = os.open(os.devnull, os.O_RDONLY)
os.dup2(nothing, 0)
os.dup2(2, 1)
sys.dont_write_bytecode = True

OMIT = object()


class Failure(Exception):
    """Something that a user must hear of."""

    def __init__(self, message, hint=None, file=None, kind="failed"):
        super().__init__(message)
        self.message, self.hint, self.file, self.kind = message, hint, file, kind


def send(message):
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def receive():
    line = requests.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


# Values. What JSON cannot say is an object with the key "$".


def encode(value, depth=0):
    if depth > 200:
        raise Failure("the result is nested too deeply")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise Failure("a whole number in the result does not fit in 64 bits")
        return number
    if isinstance(value, float):
        number = float(value)
        return number if math.isfinite(number) else {"$": "float", "value": repr(number)}
    if value is OMIT:
        return {"$": "omit"}
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return base64.b64encode(bytes(value)).decode()
    if isinstance(value, abc.Mapping):
        pairs = [(key, encode(item, depth + 1)) for key, item in value.items()]
        if all(isinstance(key, str) for key, _ in pairs) and "$" not in value:
            return {str.__str__(key): item for key, item in pairs}
        return {"$": "map", "items": [[encode(key, depth + 1), item] for key, item in pairs]}
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return str(value)
    name = type(value).__name__
    if "Undefined" in name or "Marker" in name:
        raise Failure(str(getattr(value, "_undefined_message", None) or "the result is undefined"), kind="undefined")
    if "Omit" in name:
        return {"$": "omit"}
    if isinstance(value, (list, tuple, set, frozenset, abc.Iterable)):
        return [encode(item, depth + 1) for item in value]
    raise Failure(f"a `{name}` is not a value of templates")


def decode(value):
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        kind = value.get("$")
        if kind == "omit":
            return OMIT
        if kind == "float":
            return float(value["value"])
        if kind == "map":
            return {decode(key): decode(item) for key, item in value["items"]}
        return {key: decode(item) for key, item in value.items()}
    return value


class Variables(dict):
    """The variables of the host in question, each fetched when it is looked at."""

    def __init__(self, known):
        super().__init__()
        self.known = known
        self.names = None

    def _fetch(self, name):
        if name not in self.known:
            send({"ask": "variable", "name": str(name)})
            answer = receive()
            if "problem" in answer:
                raise Failure(answer["problem"], kind="undefined")
            self.known[name] = (True, decode(answer["value"])) if "value" in answer else (False, None)
        return self.known[name]

    def _names(self):
        if self.names is None:
            send({"ask": "names"})
            self.names = list(dict.fromkeys(list(receive()["names"]) + [name for name, (there, _) in self.known.items() if there]))
        return self.names

    def __getitem__(self, name):
        there, value = self._fetch(name)
        if not there:
            raise KeyError(name)
        return value

    def get(self, name, default=None):
        there, value = self._fetch(name)
        return value if there else default

    def __contains__(self, name):
        return isinstance(name, str) and self._fetch(name)[0]

    def __setitem__(self, name, value):
        self.known[name] = (True, value)
        self.names = None

    def __iter__(self):
        return iter(self._names())

    def __len__(self):
        return len(self._names())

    def __bool__(self):
        return True

    def keys(self):
        return list(self._names())

    def values(self):
        return [self[name] for name in self._names()]

    def items(self):
        return [(name, self[name]) for name in self._names()]

    def copy(self):
        return Variables(dict(self.known))

    __copy__ = copy

    def __deepcopy__(self, memo):
        return self.copy()

    def update(self, *args, **kwargs):
        for name, value in dict(*args, **kwargs).items():
            self[name] = value


# Where plugins are.

directories = {"filter": [], "test": [], "lookup": []}
collections = []
modules = {}


def ansible_core():
    """ansible-core's plugin loader, where this Python has it."""
    if "ansible" not in modules:
        try:
            from ansible.plugins import loader

            try:
                loader.init_plugin_loader([os.path.dirname(path) if os.path.basename(path) == "ansible_collections" else path for path in collections])
            except AttributeError:
                pass  # Before 2.15 it was ready at import.
            modules["ansible"] = loader
        except ImportError as error:
            modules["ansible"] = None
            modules["why"] = str(error)
    return modules["ansible"]


def missing(error, file):
    """What an import that failed asks the user to do."""
    name = (error.name or "").split(".")[0] if isinstance(error, ImportError) else ""
    if name in ("ansible", "ansible_collections"):
        what = "ansible-core" if name == "ansible" else f"the collection of `{error.name}`"
        hint = f"install it for that Python, e.g. `{sys.executable} -m pip install ansible-core`, or name another Python in STEAD_PYTHON"
        if name == "ansible_collections":
            hint = "install the collection: `stead deps install`"
        return Failure(f"it needs {what}, which {sys.executable} does not have", hint, file)
    hint = f"install it: `{sys.executable} -m pip install {name}`" if isinstance(error, ModuleNotFoundError) and name else None
    return Failure(f"it cannot be imported: {type(error).__name__}: {error}", hint, file)


def loaded(path):
    """The module of a file, imported once."""
    if path not in modules:
        parts = path.split(os.sep)
        try:
            if "ansible_collections" in parts:
                at = parts.index("ansible_collections")
                root = os.sep.join(parts[:at])
                ansible_core()
                if root not in sys.path:
                    sys.path.append(root)
                modules[path] = importlib.import_module(".".join(parts[at:])[: -len(".py")])
            else:
                name = "stead_plugin_%d_%s" % (len(modules), os.path.basename(path)[: -len(".py")])
                spec = importlib.util.spec_from_file_location(name, path)
                module = importlib.util.module_from_spec(spec)
                sys.modules[name] = module
                spec.loader.exec_module(module)
                modules[path] = module
        except Exception as error:
            raise missing(error, path) from error
    return modules[path]


def files(folder):
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(".py") and not name.startswith((".", "__init__"))]


def functions(kind, path):
    """Names and functions that a file of filters or tests defines."""
    key = (kind, path)
    if key not in modules:
        module = loaded(path)
        cls = getattr(module, "FilterModule" if kind == "filter" else "TestModule", None)
        if cls is None:
            modules[key] = {}
        else:
            instance = cls()
            modules[key] = dict(getattr(instance, "filters" if kind == "filter" else "tests")())
    return modules[key]


def find(kind, name):
    """The function of a filter or test, and its file."""
    problem = None
    parts = name.split(".")
    if len(parts) > 2 and parts[0] != "ansible":
        namespace, collection, short = parts[0], parts[1], ".".join(parts[2:])
        for root in collections:
            folder = os.path.join(root, namespace, collection, "plugins", kind, *parts[2:-1])
            for path in files(folder):
                own = os.path.basename(path)[: -len(".py")] == parts[-1]
                try:
                    found = functions(kind, path)
                except Failure as error:
                    # Another file than that of the name may well be broken.
                    problem = error if own or problem is None else problem
                    continue
                for known in (short, parts[-1]):
                    if known in found:
                        return found[known], path
    else:
        for folder in directories[kind]:
            for path in files(folder):
                try:
                    found = functions(kind, path)
                except Failure as error:
                    problem = problem or error
                    continue
                if parts[-1] in found:
                    return found[parts[-1]], path
    if problem is not None:
        raise problem
    raise Failure(f"no file defines the {kind} `{name}`", kind="name")


def called(function, args, kwargs, variables):
    """Calls a function as Jinja2 does: some want to see where they are called from."""
    wanted = getattr(function, "jinja_pass_arg", None)
    if wanted is not None:
        import jinja2

        environment = jinja2.Environment()
        kind = getattr(wanted, "name", str(wanted))
        if kind == "context":
            first = jinja2.runtime.Context(environment, variables, None, {})
        elif kind == "eval_context":
            first = jinja2.nodes.EvalContext(environment)
        else:
            first = environment
        args = [first, *args]
    return function(*args, **kwargs)


def lookup(name, terms, kwargs, variables, base):
    loader = ansible_core()
    if loader is None:
        hint = f"install it for that Python, e.g. `{sys.executable} -m pip install ansible-core`, or name another Python in STEAD_PYTHON"
        raise Failure(f"lookups in Python need ansible-core, which {sys.executable} does not have ({modules['why']})", hint)
    for folder in directories["lookup"]:
        if ("lookups", folder) not in modules:
            modules["lookups", folder] = True
            loader.lookup_loader.add_directory(folder)
    from ansible.parsing.dataloader import DataLoader
    from ansible.template import Templar

    reader = DataLoader()
    reader.set_basedir(base)
    plugin = loader.lookup_loader.get(name, loader=reader, templar=Templar(loader=reader, variables=variables))
    if plugin is None:
        raise Failure(f"ansible-core's loader does not find the lookup `{name}`", kind="name")
    try:
        return plugin.run(terms, variables=variables, **kwargs), getattr(plugin, "_original_path", None)
    except Failure:
        raise
    except Exception as error:
        raise told(error, getattr(plugin, "_original_path", None)) from error


def told(error, path):
    """An exception of a plugin in words, with the line of its file where it was raised."""
    kind = "undefined" if "Undefined" in type(error).__name__ else "failed"
    place = path
    for frame in traceback.extract_tb(error.__traceback__):
        if path is not None and frame.filename == path:
            place = f"{path}:{frame.lineno}"
    if isinstance(error, ImportError):
        failure = missing(error, place)
        return failure
    text = str(error)
    name = type(error).__name__
    return Failure(text if name.startswith("Ansible") and text else f"{name}: {text}", None, place, kind)


# Modules: packed with everything that they import, to run on hosts.


def package_roots(request):
    """Where the packages `ansible` and `ansible_collections` are."""
    spec = importlib.util.find_spec("ansible")
    core = list(spec.submodule_search_locations or []) if spec else []
    return core


def source_of(name, core, utilities):
    """The file of a module or package, and whether it is a package; none if it is not to be packed."""
    parts = name.split(".")
    candidates = []
    if parts[:2] == ["ansible", "module_utils"] and len(parts) > 2:
        # Those of the project go before those of ansible-core.
        candidates += [os.path.join(folder, *parts[2:]) for folder in utilities]
    if parts[0] == "ansible":
        candidates += [os.path.join(root, *parts[1:]) for root in core]
    elif parts[0] == "ansible_collections":
        candidates += [os.path.join(root, *parts[1:]) for root in collections]
    for path in candidates:
        if os.path.isfile(path + ".py"):
            return path + ".py", False
        if os.path.isdir(path):
            return os.path.join(path, "__init__.py"), True
    return None


def imports_of(text, name, is_package):
    """Full names of what a file may import."""
    import ast

    package = name if is_package else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")
                up = up[: len(up) - node.level + 1]
                base = ".".join(up + ([base] if base else []))
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return {one for one in found if one.startswith(("ansible.module_utils", "ansible_collections."))}


def pack(request):
    """A zip file of a module and what it imports. The same files give the same bytes."""
    import io
    import zipfile

    path, entry = request["pack"], request["entry"]
    core, utilities = package_roots(request), request["utilities"]
    with open(path, "rb") as file:
        text = file.read()
    if b"ansible.module_utils" in text and not core:
        raise Failure(
            f"it uses ansible-core's module_utils, which {sys.executable} does not have",
            f"install it for that Python, e.g. `{sys.executable} -m pip install ansible-core`, or name another Python in STEAD_PYTHON",
            path,
        )
    files = {entry: (text, False)}
    try:
        waiting = imports_of(text, entry, False)
    except SyntaxError as error:
        raise Failure(f"it is not Python: {error.msg} (line {error.lineno})", None, path) from error
    if any(name.startswith("ansible.module_utils") for name in waiting):
        # These are imported by names that are put together while running.
        inner = os.path.join(core[0], "module_utils", "_internal") if core else ""
        for folder, _, names in os.walk(inner):
            below = os.path.relpath(folder, os.path.dirname(core[0])).replace(os.sep, ".")
            waiting.update(below if one == "__init__.py" else f"{below}.{one[:-3]}" for one in names if one.endswith(".py"))
        waiting.add("ansible.module_utils.basic")
    while waiting:
        name = waiting.pop()
        # A package is there with all packages around it.
        around = name.rpartition(".")[0]
        if around and around not in files and around not in ("ansible", "ansible_collections"):
            waiting.add(around)
        if name in files:
            continue
        found = source_of(name, core, utilities)
        if found is None:
            continue
        file_path, is_package = found
        content = b""
        if os.path.isfile(file_path):
            with open(file_path, "rb") as file:
                content = file.read()
        files[name] = (content, is_package)
        try:
            waiting.update(one for one in imports_of(content, name, is_package) if one not in files)
        except SyntaxError:
            pass  # For another version of Python; whoever imports it there will hear of it.
    packages = {"ansible", "ansible_collections"}
    for name in list(files):
        parts = name.split(".")[:-1]
        packages.update(".".join(parts[: count + 1]) for count in range(len(parts)))
    for name in packages:
        files.setdefault(name, (b"", True))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            content, is_package = files[name]
            inner = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
            info = zipfile.ZipInfo(inner, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return base64.b64encode(out.getvalue()).decode()


def call(request):
    if "pack" in request:
        return pack(request)
    if "core" in request:
        return package_roots(request)
    kind, name = request["kind"], request["name"]
    args = [decode(value) for value in request["args"]]
    kwargs = {key: decode(value) for key, value in request["named"].items()}
    variables = Variables({"ansible_search_path": (True, list(request["search"]))})
    if kind == "lookup":
        result, _ = lookup(name, args, kwargs, variables, request["base"])
        return encode(result)
    function, path = find(kind, name)
    try:
        return encode(called(function, args, kwargs, variables))
    except Failure as error:
        error.file = error.file or path
        raise
    except Exception as error:
        raise told(error, path) from error


def main():
    while True:
        request = receive()
        if "add" in request:
            if request["add"] == "collection":
                collections.append(request["directory"])
            else:
                directories[request["add"]].append(request["directory"])
            continue
        try:
            answer = {"value": call(request)}
        except Failure as error:
            answer = {"problem": error.message, "hint": error.hint, "file": error.file, "kind": error.kind}
        except RecursionError:
            answer = {"problem": "it calls itself too deeply", "hint": None, "file": None, "kind": "failed"}
        except SystemExit:
            raise
        except BaseException as error:
            answer = {"problem": f"{type(error).__name__}: {error}", "hint": None, "file": None, "kind": "failed"}
        send(answer)


if __name__ == "__main__":
    main()
