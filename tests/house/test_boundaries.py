"""Data flows one way, and so do imports; torch is imported where something trains, and nowhere else."""

import subprocess
import sys

import pytest

from tests.support.imports import PACKAGE, circles, imported, modules

# The order of imports: each package imports only itself and what stands below it, lazily or for types too.
ORDER = (
    ("__main__",),
    ("cli", "api"),
    ("reproduce",),
    ("checklist",),
    ("report",),
    ("curves", "recommendation"),
    ("steps",),
    ("tasks",),
    ("script",),
    ("init", "drawing", "engine"),
    ("terminal",),
    ("runs",),
    ("config", "data"),
    ("models", "optimizers"),
    ("plugins",),
    ("analysis", "files", "text", "errors"),
)
FLOOR = {package: floor for floor, packages in enumerate(ORDER) for package in packages}
MAY_NOT_IMPORT = {  # although it stands above
    "report": {"analysis", "engine"},
    "steps": {"engine", "models", "optimizers", "script"},
    "engine": {"config", "analysis"},
    "models": {"plugins", "analysis"},
    "runs.spec": {"config", "data", "plugins"},
    "runs.schedules": {"config", "data", "plugins"},
    "runs.files": {"config", "data", "plugins"},
    "drawing": {"runs.spec", "runs.records", "config", "data", "analysis"},
}
NEED_TORCH = (
    "hpcheck.engine.",
    "hpcheck.models.",
    "hpcheck.optimizers.",
    "hpcheck.init.starters.",
    "hpcheck.script.inside.",
    "hpcheck.tasks.hf",
)
TORCH_FREE_ENGINE = {
    f"hpcheck.engine.{name}"
    for name in (
        "choose_engine",
        "pool.pool",
        "pool.slots",
        "pool.executor",
        "distributed.mailbox",
        "distributed.ddp",
        "distributed.ray",
        "distributed.ray_task",
    )
}
TOP = {"__init__.py", "__main__.py", "errors.py", "text.py"}


def package(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def within(name: str, places: set[str]) -> bool:
    return any(name == f"hpcheck.{place}" or name.startswith(f"hpcheck.{place}.") for place in places)


def test_at_most_four_files_lie_at_the_top():
    assert {path.name for path in PACKAGE.glob("*.py")} <= TOP


def test_every_package_has_its_floor():
    assert {package(name) for name in modules()} - {"__init__"} <= set(FLOOR)


@pytest.mark.parametrize("name", modules())
def test_a_module_imports_only_what_stands_below_its_package(name):
    here = package(name)
    if here == "__init__":
        return  # the Python API reaches for what it needs when it is asked
    above = {other for other in imported(name) if package(other) not in (here, "__init__") and FLOOR[package(other)] <= FLOOR[here]}
    assert above == set(), name


@pytest.mark.parametrize("place", MAY_NOT_IMPORT)
def test_a_package_does_not_import_what_it_must_not_know(place):
    inside = [name for name in modules() if within(name, {place})]
    assert inside
    for name in inside:
        assert {other for other in imported(name) if within(other, MAY_NOT_IMPORT[place])} == set(), name


def test_no_modules_import_each_other_in_a_circle():
    assert circles() == []


def test_torch_is_imported_only_where_something_trains():
    torch_free = [name for name in modules() if not name.startswith(NEED_TORCH) or name in TORCH_FREE_ENGINE]
    assert {"hpcheck.cli.app", "hpcheck.config", "hpcheck.checklist.run", "hpcheck.steps.train", "hpcheck.analysis.choose"} <= set(
        torch_free
    )
    script = f"import importlib, sys\nfor name in {torch_free}:\n    importlib.import_module(name)\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"


def test_importing_hpcheck_imports_nothing_heavy():
    script = "import sys, hpcheck; print(sorted({'torch', 'numpy', 'pydantic'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_command_line_imports_nothing_heavy_for_its_help():
    script = (
        "import sys, hpcheck.cli.app; print(sorted({'torch', 'numpy', 'scipy', 'pydantic', 'matplotlib', 'yaml'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"
