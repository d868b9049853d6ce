"""What a run's identity takes from outside its spec: the contents of the data and the source of the user's own code."""

import ast
import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

from hpcheck import plugins
from hpcheck.data._cache import load_raw
from hpcheck.spec import Spec, run_id


@cache
def data_fingerprint(name: str, root: str, options: tuple[tuple[str, object], ...]) -> str:
    """Hash of the contents of a data set as its loader returns it; the same data elsewhere has the same."""
    return load_raw(name, Path(root), dict(options))[1]


def identify(spec: Spec) -> str:
    """The run id of `spec`, with its data and the user's code as they are now."""
    data = spec.data
    named = [data.name, data.loss, data.metric, spec.model.name, spec.optimizer.name]
    own = sorted({name.split(":")[0] for name in named if plugins.is_users_own(name)})
    return run_id(spec, data_fingerprint(data.name, data.root, data.options), "".join(map(source_hash, own)))


@cache
def source_hash(module: str) -> str:
    """Hash of a user's module and of the modules beside it that it imports, directly or not; nothing is imported to find out."""
    sources: dict[str, bytes] = {}
    _collect(module, sources)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()


def _collect(module: str, sources: dict[str, bytes]) -> None:
    if module in sources:
        return
    path = _local_source(module)
    if path is None:
        return
    sources[module] = path.read_bytes()
    try:
        tree = ast.parse(sources[module])
    except SyntaxError:
        return  # importing it will say so, with the user's own traceback
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _collect(alias.name, sources)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            _collect(node.module, sources)


def _local_source(module: str) -> Path | None:
    """The file of a module that belongs to the user: not the standard library's, not an installed package's."""
    if module.split(".")[0] in sys.stdlib_module_names:
        return None
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if found is None or found.origin is None or not found.origin.endswith(".py"):
        return None
    installed = any(part in ("site-packages", "dist-packages") for part in Path(found.origin).parts)
    return None if installed else Path(found.origin)
