"""Data flows one way, and so do imports; torch is imported where something trains, and nowhere else."""

import subprocess
import sys

import pytest

from tests.support.imports import imported, modules

NEED_TORCH = ("hpcheck.engine.", "hpcheck.models.", "hpcheck.optimizers.", "hpcheck.init.starters.")
TORCH_FREE_ENGINE = {f"hpcheck.engine.{name}" for name in ("processes", "mailbox", "ddp", "engines", "ray", "ray_task", "slots")}
# package: what it may import of hpcheck, beside itself
MAY_IMPORT = {
    "hpcheck.runs.schedules": set(),
    "hpcheck.runs.files": set(),
    "hpcheck.drawing.panels": set(),
    "hpcheck.settings": {"hpcheck.drawing.panels"},
    "hpcheck.analysis": set(),
    "hpcheck.runs.spec": {"hpcheck.runs.schedules"},
    "hpcheck.errors": set(),
    "hpcheck.records": {"hpcheck.errors", "hpcheck.runs.schedules", "hpcheck.runs.spec", "hpcheck.runs.files"},
    "hpcheck.drawing.png": {
        "hpcheck.drawing.panels",
        "hpcheck.settings",
        "hpcheck.runs.files",
        "hpcheck.drawing.scale",
        "hpcheck.drawing.marks",
    },
}
MAY_NOT_IMPORT = {
    "hpcheck.engine": {"hpcheck.steps", "hpcheck.checklist.run", "hpcheck.config", "hpcheck.cli", "hpcheck.analysis"},
    "hpcheck.steps": {
        "hpcheck.engine",
        "hpcheck.checklist.run",
        "hpcheck.models",
        "hpcheck.optimizers",
        "hpcheck.drawing.png",
        "hpcheck.report",
    },
    "hpcheck.report": {"hpcheck.analysis", "hpcheck.engine"},
    "hpcheck.data": {"hpcheck.engine", "hpcheck.steps", "hpcheck.config"},
    "hpcheck.models": {"hpcheck.engine", "hpcheck.steps", "hpcheck.config"},
    "hpcheck.optimizers": {"hpcheck.engine", "hpcheck.steps", "hpcheck.config"},
    "hpcheck.config": {"hpcheck.engine", "hpcheck.steps", "hpcheck.records"},
    "hpcheck.records": {"hpcheck.steps", "hpcheck.engine"},
}


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_torch_is_imported_only_where_something_trains():
    torch_free = [name for name in modules() if not name.startswith(NEED_TORCH) or name in TORCH_FREE_ENGINE]
    assert {"hpcheck.cli", "hpcheck.config", "hpcheck.checklist.run", "hpcheck.steps.train", "hpcheck.analysis.choose"} <= set(torch_free)
    script = f"import importlib, sys\nfor name in {torch_free}:\n    importlib.import_module(name)\nprint('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_command_line_imports_nothing_heavy_for_its_help():
    script = "import sys, hpcheck.cli; print(sorted({'torch', 'numpy', 'scipy', 'pydantic', 'matplotlib', 'yaml'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package):
    inside = [name for name in modules() if within(name, {package})]
    assert inside
    for name in inside:
        assert {other for other in imported(name) if not within(other, MAY_IMPORT[package] | {package})} == set(), name


@pytest.mark.parametrize("package", MAY_NOT_IMPORT)
def test_a_package_does_not_import_what_comes_after_it(package):
    inside = [name for name in modules() if within(name, {package})]
    assert inside
    for name in inside:
        assert {other for other in imported(name) if within(other, MAY_NOT_IMPORT[package])} == set(), name
