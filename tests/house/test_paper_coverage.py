"""docs/paper-coverage.md: whatever it names exists, and every section of the paper that gives advice is in it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "paper-coverage.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| section"))
]


def test_every_row_says_where_and_how_it_is_held() -> None:
    assert len(ROWS) > 60
    assert all(len(row) == 5 and all(row) for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:60])
def test_code_and_test_of_a_row_exist(row: list[str]) -> None:
    *_, code, test = row
    for path in re.findall(r"`([^`]+)`", code):
        assert (ROOT / "hpcheck" / path).is_file(), path
    for named in re.findall(r"`([^`]+)`", test):
        file, _, function = named.partition("::")
        source = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in source, named


def test_every_part_of_the_paper_that_gives_advice_is_there() -> None:
    told = " ".join(row[0] for row in ROWS)
    for part in (
        "3.2",
        "3.3",
        "4.1",
        "4.2",
        "4.3",
        "4.4",
        *(f"Remark {number}" for number in range(1, 7)),
        "item 2",
        "item 3",
        "item 4",
        "A.1",
    ):
        assert part in told, part
