"""The scripts of examples/script: each says what it is when it is looked at, and alone it does without hpcheck's lines."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hpcheck.script.description import described
from hpcheck.script.launch import Launcher

SCRIPTS = sorted((Path(__file__).parents[2] / "examples" / "script").glob("*.py"))
MOST_LINES = 8  # of hpcheck's, in a script
EXPECTED = {
    "train": {"optimizer": "SGD", "groups": [[0.1, 1.0], [1.0, 0.0]], "loops": {"epochs": 20}, "total_batch_size": 64, "lr": 0.2},
    "gpt": {"optimizer": "AdamW", "groups": [[1.0, 1.0], [1.0, 0.0]], "loops": {"steps": 400}, "metric_is": "lower", "lr": 3e-3},
    "ranks": {"optimizer": "SGD", "processes": 2, "train_examples": 800, "metric": "R2", "lr": 0.03},
    "with_accelerate": {"optimizer": "AdamW", "total_batch_size": 64, "train_examples": 1200, "lr": 1e-3},
    "stream": {"optimizer": "SGD", "train_examples": None, "loops": {"steps": 500}, "lr": 0.1},
    "head": {"optimizer": "SGD", "groups": [[0.1, 1.0], [1.0, 1.0]], "lr": 0.1},
    "scaler": {"optimizer": "SGD", "train_examples": 500, "lr": 0.05},
}


def test_there_is_an_example_of_each_kind():
    assert [path.stem for path in SCRIPTS] == sorted(EXPECTED)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_few_lines_are_hpchecks_and_they_are_marked(path):
    text = path.read_text(encoding="utf-8")
    marked = re.findall(r"^.*#\s(\d)$", text, re.MULTILINE)
    assert marked == [str(number) for number in range(1, len(marked) + 1)]
    assert len(marked) <= MOST_LINES
    body = text.partition('"""\n')[2]
    others = [line for line in body.splitlines() if re.search(r"\bhpcheck\b|\bhp\.", line) and not re.search(r"# \d$", line)]
    assert [line for line in others if not line.rstrip().endswith("# used alone; hpcheck's schedule replaces it")] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_it_is_looked_at_and_runs_alone(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(path, path.name)
    if path.stem == "with_accelerate":
        pytest.importorskip("accelerate")
    launcher = [sys.executable]
    if path.stem == "ranks":
        launcher = [str(Path(sys.executable).with_name("torchrun")), "--nproc_per_node=2", "--master_port=29519"]
    command = [*launcher, path.name]
    ours = Launcher(command)
    try:
        found = described(command, 0, None, [], "", 120.0, ours)
    finally:
        ours.close()
    told = {key: found.told[key] for key in EXPECTED[path.stem]}
    assert told == {key: pytest.approx(value) if isinstance(value, float) else value for key, value in EXPECTED[path.stem].items()}
    assert found.told["snapshots"]
    short = ["--steps", "12"] if "steps" in found.told["loops"] else ["--epochs", "1"]
    said = subprocess.run([sys.executable, path.name, *short], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^validation loss \d+\.\d+, \w+ -?\d+\.\d+$", said, re.MULTILINE)
