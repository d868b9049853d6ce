"""The page on Python: its code is run from the first line to the last, with simulated trainings always, with real ones on demand."""

import re
from pathlib import Path

import pytest

from tests.support.simulated_engine import simulate

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "python.md"
CONFIG = "data: digits\nmodel: {name: mlp, hidden: [16]}\nbudget: {epochs: 4}\nconfirm: {trainings: 4}\n"


@pytest.mark.parametrize("trainings", ["simulated", pytest.param("real", marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_the_pages_code_runs_in_its_order(tmp_path, monkeypatch, capsys, trainings):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hpcheck.yaml").write_text(CONFIG)
    if trainings == "simulated":
        simulate(monkeypatch)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} == {"hpcheck.yaml", "runs", "weight-decay.png", "range-test.png"}
    told = capsys.readouterr().out
    assert "weight decay: " in told
    assert "{'max_lr': " in told
