"""The gallery of clues: each picture's curve has the clue that the picture is named after, and every clue has a picture."""

import re
import runpy
from pathlib import Path

import pytest

from hpcheck.analysis.clue import ADVICE

ROOT = Path(__file__).parents[2]
DRAW = runpy.run_path(str(ROOT / "docs" / "draw_clues.py"))
PAGE = (ROOT / "docs" / "clues.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("kind", "form"), ADVICE)
def test_the_curve_has_its_clue_and_none_of_the_same_kind_in_another_form(kind, form, tmp_path):
    (curve,) = DRAW["read"](kind, form, tmp_path).evidence["curves"]
    assert [clue["form"] for clue in curve["clues"] if clue["kind"] == kind] == [form]


@pytest.mark.parametrize(("kind", "form"), ADVICE)
def test_the_clue_has_a_picture_and_says_the_papers_section(kind, form):
    name = DRAW["file_name"](kind, form)
    (section,) = [words for _, words in SECTIONS if f"(images/clues/{name})" in words]
    assert f"`{kind}`, `{form}`" in section
    assert ADVICE[kind, form][0] in section
    assert (ROOT / "docs" / "images" / "clues" / name).is_file()


def test_no_picture_is_left_over():
    drawn = {path.name for path in (ROOT / "docs" / "images" / "clues").iterdir()}
    assert drawn == {DRAW["file_name"](*clue) for clue in ADVICE}
    assert len(SECTIONS) == len(ADVICE)
