"""Two training and two validation examples: the whole checklist runs, says how little that is, and claims nothing."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpcheck.__main__ import run
from hpcheck.config import yaml12
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.runs.spec import Spec

LOADER = """import numpy as np

def load():
    x = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.9, 0.2]])
    return (x[:2], np.array([0, 1])), (x[2:], np.array([0, 1]))
"""
CONFIG = """data: two_examples:load
model: {name: mlp, hidden: [4]}
name: c
start: {total_batch_size: 2}
budget: {epochs: 12, evals: 7, short_steps: 20}
confirm: {trainings: 4}
run: {jobs: 1, threads: 1}
"""


def test_it_abstains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def execute(self: Pool, jobs: Sequence[tuple[str, Spec]], directory: Path, on_poll: Callable[[], None] | None = None, *_: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for run_id, spec in jobs:
            worker.work(spec, run_id, directory, "cpu", 1)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Pool, "execute", execute)
    monkeypatch.setattr("hpcheck.drawing.png.draw", lambda *_: None)
    monkeypatch.delitem(sys.modules, "two_examples", raising=False)
    Path("two_examples.py").write_text(LOADER, encoding="utf-8")
    Path("hpcheck.yaml").write_text(CONFIG, encoding="utf-8")
    assert run(["run"]) == 6
    said = capsys.readouterr().err
    assert "only 2 validation examples: nothing can be told from them" in said
    content = yaml12.read(Path("runs/c/recommended.yaml").read_text(encoding="utf-8")).value
    assert {found["status"] for found in content["evidence"].values()} == {"abstained"}
    assert {found["confidence"] for found in content["evidence"].values()} == {"none"}
    assert content["verdict"]["says"] != "better"
