"""The page about reading one's own curves names every clue, option and format that there is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hpcheck.analysis.clue import ADVICE
from hpcheck.cli.app import app
from hpcheck.curves.files import READERS

PAGE = (Path(__file__).parents[2] / "docs" / "reading-clues.md").read_text()


@pytest.mark.parametrize(("kind", "form"), ADVICE)
def test_every_clue_is_explained_with_its_section(kind: str, form: str) -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith(f"| {kind} | {form} |")]
    assert len(rows) == 1
    assert rows[0].endswith(f"| {ADVICE[kind, form][0]} |")


def test_every_option_and_format_is_named() -> None:
    shown = CliRunner().invoke(app, ["read", "--help"]).output
    options = {word for word in shown.replace("/", " ").split() if word.startswith("--")} - {"--help", "--debug", "--quiet"}
    assert options
    assert {option for option in options if option.rstrip(",") not in PAGE} == set()
    assert all(f"`{name}`" in PAGE for name in READERS)
