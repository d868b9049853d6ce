"""Find a model, data set or optimizer by name: the file system is the registry, or the user's own `pkg.module:name`."""

import ast
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

from hpcheck.errors import InputError
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.plugins.user_errors import UsersCodeError

PACKAGE = Path(__file__).parent.parent
SCRIPT = "script"  # what data and model are called where the user's own script is both
ENTRY_POINT = {"models": "build", "data": "load", "optimizers": "build"}  # the function that each kind's file defines
FOLDER = {"models": "models", "data": "data/sets", "optimizers": "optimizers"}


def file_name(name: str) -> str:
    """`fashion-mnist` is kept in `fashion_mnist.py`."""
    return name.replace("-", "_")


def known(kind: str) -> list[str]:
    """Names shipped for `kind` ("models", "data" or "optimizers"), sorted. Reads file names and imports nothing."""
    return [stem.replace("_", "-") if kind == "data" else stem for stem in _stems(PACKAGE / FOLDER[kind], ENTRY_POINT[kind])]


@cache
def _stems(folder: Path, function: str) -> tuple[str, ...]:
    """Files in `folder` that define `function`: the others are helpers."""
    defines = re.compile(rf"^def {function}\(", re.MULTILINE)
    return tuple(sorted(path.stem for path in folder.glob("*.py") if defines.search(path.read_text(encoding="utf-8"))))


def is_hpchecks_network(name: str) -> bool:
    """Whether `name` is a network of hpcheck's own, of which it is known what it does; not the user's, torchvision's or timm's."""
    return name in known("models") and name not in ("torchvision", "timm")


def is_users_own(name: str) -> bool:
    """Whether `name` points at the user's code: `pkg.module:function`."""
    return ":" in name


class Named(Protocol):
    """A model or an optimizer, of a config or of a spec."""

    @property
    def name(self) -> str: ...


class NamedData(Named, Protocol):
    """Data, of a config or of a spec."""

    @property
    def loss(self) -> str: ...
    @property
    def metric(self) -> str: ...


def users_names(data: NamedData, model: Named, optimizer: Named) -> list[str]:
    """All of the user's code that a config or a spec names."""
    return list(filter(is_users_own, (data.name, data.loss, data.metric, model.name, optimizer.name)))


@cache
def torchvision_models() -> frozenset[str]:
    """Names of torchvision's classification networks, read from its sources: importing it would take seconds."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return frozenset()
    sources = Path(found.origin).parent.joinpath("models").glob("*.py")
    registered = re.compile(r"^@register_model\(\)\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
    return frozenset(name for path in sources for name in registered.findall(path.read_text(encoding="utf-8")))


def is_torchvision(kind: str, name: str) -> bool:
    """Whether `name` is a network of torchvision's: `model: resnet18` is short for `{name: torchvision, arch: resnet18}`."""
    return kind == "models" and name not in known(kind) and name in torchvision_models()


@cache
def options(kind: str, name: str) -> dict[str, Any]:
    """Keyword-only parameters of a shipped entry, with their defaults, read from its source without importing it.

    A default that is not a literal is given as `...`. Raises `KeyError` for a name that is not shipped.
    """
    if is_torchvision(kind, name) or name == SCRIPT:
        return {}
    if name not in known(kind):
        raise KeyError(name)
    return dict(_keywords(PACKAGE / FOLDER[kind] / f"{file_name(name)}.py", ENTRY_POINT[kind]))


@cache
def _keywords(source: Path, function: str) -> dict[str, Any]:
    tree = ast.parse(source.read_text(encoding="utf-8"))
    entry = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return {
        argument.arg: ast.literal_eval(default) if isinstance(default, ast.Constant | ast.Tuple) else ...
        for argument, default in zip(entry.args.kwonlyargs, entry.args.kw_defaults, strict=True)
    }


@cache
def literal(kind: str, name: str, constant: str) -> Any:
    """What a shipped entry's file sets `constant` to, read from its source without importing it; None where it does not, and for what
    is not hpcheck's own."""
    if name not in known(kind):
        return None
    tree = ast.parse((PACKAGE / FOLDER[kind] / f"{file_name(name)}.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [constant]:
            return ast.literal_eval(node.value)
    return None


def source_mentions(kind: str, name: str, word: str) -> bool:
    """Whether the file of a shipped entry has this word in it; False for what is not hpcheck's own."""
    if name not in known(kind):
        return False
    return word in (PACKAGE / FOLDER[kind] / f"{file_name(name)}.py").read_text(encoding="utf-8")


def call(name: str, function: Callable[..., Any], *given: Any, **options: Any) -> Any:
    """What `function`, the entry behind `name`, makes of the arguments. Raises `UsersCodeError` where the user's own does not take them,
    `InputError` where a shipped one, or the library it calls, refuses the value of an option."""
    if is_users_own(name):
        try:
            inspect.signature(function).bind(*given, **options)
        except TypeError as error:
            taken = f"{len(given)} argument{'s' if len(given) != 1 else ''}" if given else "no arguments"
            told = f"{taken}{' and' if given else ', but'} the options {', '.join(options)}" if options else taken
            raise UsersCodeError(f"{name} is called with {told}, which it does not take: {error}") from None
        except ValueError:  # no signature to be had: it is found out by calling
            pass
        return function(*given, **options)
    try:
        return function(*given, **options)
    except ValueError as error:
        if isinstance(error, InputError) or not options:
            raise
        raise InputError(f"{name} with the options {', '.join(options)}: {error}") from error


def module_of(kind: str, name: str) -> str:
    """The module of a shipped entry: `hpcheck.data.sets.fashion_mnist`."""
    return f"hpcheck.{FOLDER[kind].replace('/', '.')}.{file_name(name)}"


def load(kind: str, name: str) -> Callable[..., Any]:
    """The builder behind `name`. The working directory is importable, as it is for `python script.py`.

    Raises `UsersCodeError` where the user's module or its function is missing, `KeyError` for an unknown name.
    """
    if is_users_own(name):
        return _users_own(name)
    if is_torchvision(kind, name):
        return partial(load(kind, "torchvision"), arch=name)
    if name not in known(kind):
        raise KeyError(name)
    module = importlib.import_module(module_of(kind, name))
    entry: Callable[..., Any] = getattr(module, ENTRY_POINT[kind])
    return entry


def _users_own(name: str) -> Callable[..., Any]:
    module_name, function = name.split(":", 1)
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        with undisturbed():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # something that their module imports
        raise UsersCodeError(f"{name}: there is no module {error.name}, neither here nor installed") from None
    found = getattr(module, function, None)
    if not callable(found):
        raise UsersCodeError(f"{name}: {module.__file__ or module_name} has no function {function}")
    builder: Callable[..., Any] = found
    return builder
