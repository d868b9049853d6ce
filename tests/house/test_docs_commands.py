"""Every command line that the documentation's pages for a new user show is run here, in their order, on a config that takes seconds."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from hpcheck.__main__ import run
from hpcheck.drawing import png

ROOT = Path(__file__).parents[2]
# `init` has a test of its own (it would write over this config); the paper's experiments need their data (tests/test_reproduce*.py).
PAGES = ("getting-started/README.md", "how-to/resume.md", "how-to/ci.md")
TINY = """
data: {name: digits, val_fraction: 0.25, limit: 600}
model: {name: mlp, hidden: [16]}
budget: {epochs: 4, short_steps: 40, evals: 10, eval_size: 150}
start: {total_batch_size: 24}
lr_range: {max: 1.0, max_extensions: 0}
batch: {sizes: [24]}
momentum: {values: [0.9], cyclical: false}
wd_grid: {values: [1e-3, 1e-4], max_rounds: 0}
train: {repeats: 1}
run: {device: cpu, jobs: 1, threads: 1}
"""
FINE = (0, 6)  # so few iterations may well be unreadable, and then a step abstains


def shown(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line.removeprefix("hpcheck ") for block in blocks for line in block.splitlines() if line.startswith("hpcheck ")]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_of_the_first_pages_work_in_their_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(png, "draw", lambda *_: None)  # drawn in tests of their own
    opened: list[str] = []
    monkeypatch.setattr(typer, "launch", opened.append)
    (tmp_path / "hpcheck.yaml").write_text(TINY)
    lines = [line for page in PAGES for line in shown(page) if line != "init"]
    assert len(lines) == 10
    for line in lines:
        assert run(shlex.split(line)) in FINE, line
        told = capsys.readouterr()
        assert "error" not in told.err, line
    assert [Path(path).name for path in opened] == ["report.html"]
    assert (tmp_path / "recommended.yaml").is_file()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {tmp_path.name, "second"}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_shows_commands(page):
    assert shown(page)
