"""docs/design.md is true: every path that it names exists, every package is in its map, and its order of imports is the tested one."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = runpy.run_path(str(Path(__file__).with_name("test_boundaries.py")))["ORDER"]
PAGE = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:hpcheck|tests|docs)/[\w./*-]*|README\.md|\.ci/run)`", PAGE)))
MAP = PAGE.split("## The map")[1].split("\n## ")[0]
TOUR = PAGE.split("## A tour in five files")[1].split("\n## ")[0]
CHANGES = PAGE.split("## To change X")[1].split("\n## ")[0]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_the_design_names_exists(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("package", sorted(path.parent.name for path in (ROOT / "hpcheck").glob("*/__init__.py")))
def test_the_map_has_a_line_for_each_package(package):
    assert f"\n| `hpcheck/{package}/` |" in MAP


def test_the_map_has_no_package_that_is_not_there():
    assert [path for path in re.findall(r"^\| `([^`]+)`", MAP, re.MULTILINE) if not (ROOT / path / "__init__.py").is_file()] == []


def test_the_tour_has_five_files():
    assert len(re.findall(r"^\d\. `hpcheck/[\w/]+\.py`", TOUR, re.MULTILINE)) == 5


def test_the_order_of_imports_is_the_one_that_is_tested():
    block = re.search(r"```text\n(cli, api\n.*?)```", PAGE, re.DOTALL)
    assert block is not None
    floors = [tuple(line.split(", ")) for line in block[1].splitlines()]
    there = {"text", "errors"} | {path.parent.name for path in (ROOT / "hpcheck").glob("*/__init__.py")}
    tested = [tuple(name for name in floor if name in there) for floor in ORDER]
    assert floors == [floor for floor in tested if floor]


def test_ten_changes_say_where_to_go():
    rows = [line for line in CHANGES.splitlines() if line.startswith("| ") and not line.startswith("| to change")]
    assert len(rows) == 10


@pytest.mark.parametrize(("name", "path"), re.findall(r"`(\w+)`(?: of| in|, and its line in|:) `((?:hpcheck|docs)/[\w/.]+\.py)`", PAGE))
def test_a_name_that_the_design_places_in_a_file_is_there(name, path):
    assert re.search(rf"^(?:def |class |)\b{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
