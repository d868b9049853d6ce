"""The pages for a new user: each one's commands run, in their order, from an empty folder to a recommendation."""

import importlib.util
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "getting-started"
RUN_PAGE = runpy.run_path(str(ROOT / "docs" / "run_page.py"))
PAGES = ("images.md", "table.md", "script.md", "hugging-face.md")
NEEDS = {"hugging-face.md": "transformers"}
SAYS = {"better", "probably better", "not better", "not tested"}


def text(page: str) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_the_page_go_from_nothing_to_a_recommendation(page, tmp_path):
    needed = NEEDS.get(page)
    if needed is not None and importlib.util.find_spec(needed) is None:
        pytest.skip(f"NO {needed.upper()}: the commands of {page} are not run (pip install {needed})")
    folder = tmp_path / Path(page).stem
    folder.mkdir()
    printed = RUN_PAGE["run"](text(page), folder)
    assert len(printed) == len(RUN_PAGE["commands"](text(page)))
    verdicts = [path.read_text(encoding="utf-8") for path in folder.glob("runs/*/recommended.yaml")]
    assert len(verdicts) == 1
    assert any(f"says: {said}\n" in verdicts[0] for said in SAYS)
    assert len(list(folder.glob("runs/*/report.html"))) == 1


@pytest.mark.parametrize("page", ["images.md", "table.md", "script.md"])
def test_the_page_shows_what_its_commands_print(page):
    shown = [block["shown"] for block in RUN_PAGE["BLOCK"].finditer(text(page)) if block["shown"] is not None]
    assert len(shown) >= 2
    assert all(part.strip() for part in shown)
    assert any("etter than yours" in part or "Keep yours" in part or "Not confirmed" in part for part in shown)


def test_what_is_printed_replaces_the_text_that_follows_its_commands():
    page = "```sh\npip install .\necho new\n```\n\n```text\nold\n```\n\nwords\n\n```sh\ntrue\n```\n"
    assert RUN_PAGE["commands"](page) == ["echo new\n", "true\n"]
    assert RUN_PAGE["refreshed"](page, ["new  \n", ""]) == page.replace("old", "new")


def test_a_command_that_fails_stops_the_page(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    with pytest.raises(Exception, match="exit status 3"):
        RUN_PAGE["run"]("```sh\n(exit 3)\ntouch after\n```\n", folder)
    assert not (folder / "after").exists()
