"""What a run's identity takes from outside its spec: the contents of the data and the source of the user's own code."""

import ast
import hashlib
import importlib.util
import sys
from pathlib import Path

from hpcheck.data.cache import load_raw
from hpcheck.errors import InputError
from hpcheck.plugins import find
from hpcheck.runs.spec import DataSpec, Spec, run_id


class Fingerprints:
    """Of the data and of the user's code, as they were when they were first asked for: a command has one, so that all its runs are of the
    same data and code, and a user's loader runs once."""

    def __init__(self) -> None:
        self._data: dict[tuple[object, ...], str] = {}
        self._sources: dict[str, str] = {}
        self._files: dict[tuple[object, ...], str] = {}

    def data(self, data: DataSpec) -> str:
        """Hash of the contents of a data set as its loader returns it; the same data elsewhere has the same. The first question loads
        them."""
        if _place(data) not in self._data:
            if data.task:
                raise InputError(f"{data.name}: the task has not been looked at yet")
            self.remember(data, load_raw(data.name, Path(data.root), dict(data.options))[1])
        return self._data[_place(data)]

    def remember(self, data: DataSpec, fingerprint: str) -> None:
        """Have `data` say this of data that have just been loaded."""
        self._data[_place(data)] = fingerprint

    def users_source(self, spec: Spec) -> str:
        """Hashes of the user's modules that `spec` names, and of the files that its model reads; empty where it names none."""
        modules = users_modules(spec)
        for module in modules:
            if module not in self._sources:
                self._sources[module] = source_hash(module)
        return "".join([*(self._sources[module] for module in modules), *map(self._content, spec.reads)])

    def _content(self, path: str) -> str:
        """The hash of a file or a folder that the user's model reads, hashed again only where a file has another size or time."""
        key = (path, *_states(path))
        if key not in self._files:
            self._files[key] = _content_hash(path)
        return self._files[key]

    def identify(self, spec: Spec) -> str:
        """The run id of `spec`."""
        return run_id(spec, self.data(spec.data), self.users_source(spec))


def identify(spec: Spec) -> str:
    """The run id of `spec`, with its data and the user's code as they are now."""
    return Fingerprints().identify(spec)


def _place(data: DataSpec) -> tuple[object, ...]:
    return data.name, data.root, data.options, data.task


def _files(path: str) -> list[Path]:
    """The file itself, or all files of a folder. Raises `InputError` where there is none of that name."""
    top = Path(path)
    if top.is_dir():
        return sorted(file for file in top.rglob("*") if file.is_file())
    if not top.is_file():
        raise InputError(f"model.reads: {path} cannot be read (no such file or folder)")
    return [top]


def _states(path: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of each file."""
    found = ((file, file.stat()) for file in _files(path))
    return [(str(file), state.st_size, state.st_mtime_ns) for file, state in found]


def _content_hash(path: str) -> str:
    """Hash of a file, or of all files of a folder, that the user's model or task reads. Raises `InputError` where one cannot be read."""
    top = Path(path)
    try:
        if not top.is_dir():
            return hashlib.sha256(top.read_bytes()).hexdigest()
        digest = hashlib.sha256()
        for file in _files(path):
            digest.update(f"{file.relative_to(top)}".encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()
    except OSError as error:
        raise InputError(f"model.reads: {path} cannot be read ({error.strerror})") from error


def users_modules(spec: Spec) -> list[str]:
    """The user's modules that `spec` names, sorted."""
    return sorted({name.split(":")[0] for name in find.users_names(spec.data, spec.model, spec.optimizer)})


def source_hash(module: str) -> str:
    """Hash of a user's module and of the user's modules that it imports, directly or not; nothing is imported to find out."""
    sources = user_sources(module)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()


def user_sources(module: str) -> dict[str, bytes]:
    """Name -> source of `module`, the packages around it, and all that they import in turn and that belongs to the user."""
    sources: dict[str, bytes] = {}
    waiting = _with_packages(module)
    while waiting:
        name = waiting.pop()
        path = None if name in sources else _user_file(name)
        if path is not None:
            sources[name] = path.read_bytes()
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting += [inner for imported in _imports(sources[name], package) for inner in _with_packages(imported)]
    return sources


def declares_multipliers(model: str) -> bool:
    """Whether a model's source speaks of `hyper_multipliers`: multipliers of lr and weight decay for some of its parameters."""
    if find.is_users_own(model):
        return any(b"hyper_multipliers" in source for source in user_sources(model.split(":")[0]).values())
    return find.source_mentions("models", model, "hyper_multipliers")


def _with_packages(module: str) -> list[str]:
    """`a.b.c` runs `a` and `a.b` too."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _imports(source: bytes, package: str) -> list[str]:
    """Names that may be modules in the import statements of `source`, relative ones counted from `package`."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []  # importing it will say so, with the user's own traceback
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*around, *([node.module] if node.module else [])])
            names += [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    return [name for name in names if name]


def _user_file(module: str) -> Path | None:
    """The file of a module that belongs to the user: not the standard library's, not an installed package's, not hpcheck's own."""
    top, *inner = module.split(".")
    if not top or top in sys.stdlib_module_names or top == __name__.split(".")[0]:
        return None
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.util.find_spec(top)  # of a name without dots: that imports nothing
    except (ImportError, ValueError):
        return None
    if found is None:
        return None
    stems = [Path(folder, *inner) for folder in found.submodule_search_locations or ()]
    files = [file for stem in stems for file in (stem / "__init__.py", stem.with_suffix(".py"))] if inner else [Path(found.origin or "")]
    path = next((file for file in files if file.suffix == ".py" and file.is_file()), None)
    return None if path is None or {"site-packages", "dist-packages"} & set(path.parts) else path
