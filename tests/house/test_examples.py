"""The examples, shortened: their data are made, their first step runs, and what it records is what their own code measures."""

import importlib.util
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hpcheck.__main__ import run
from hpcheck.drawing import png
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.recommendation import recommended
from hpcheck.runs import records
from hpcheck.tasks import description, resolved

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = ["budget.evals=10", "budget.eval_size=60", "budget.short_steps=30", "run.jobs=1", "run.threads=1", "lr_range.max_extensions=0"]
SMALLER = {
    "images": ["lr_range.max=0.5", "data.limit=200", "model.width=4"],
    "table": ["lr_range.max=0.5"],
    "text": ["lr_range.max=0.05", "data.characters=20000", "data.length=16", "model.width=16"],
    "task": ["lr_range.max=1", "task.width=4"],
    "lightning": ["lr_range.max=0.1", "task.width=8"],
}
NO_LIGHTNING = pytest.mark.skipif(importlib.util.find_spec("lightning") is None, reason="lightning is not installed")
LIGHTNING = pytest.param("lightning", marks=[NO_LIGHTNING, pytest.mark.filterwarnings("ignore")])
SCRIPTS = {"images": "make_images.py", "table": "make_table.py"}


@pytest.fixture
def example(request, tmp_path, monkeypatch):
    """A copy of an example with its data made, as the current folder."""
    name = request.param
    shutil.copytree(EXAMPLES / name, tmp_path / name)
    monkeypatch.chdir(tmp_path / name)
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / name))
    if name in SCRIPTS:
        runpy.run_path(SCRIPTS[name], run_name="__main__")
    return name


def overrides(name):
    return [word for key in (*SHORT, *SMALLER[name]) for word in ("-s", key)]


@pytest.fixture
def in_this_process(monkeypatch):
    """Runs are made here, one by one: a pool of workers would import torch again."""
    threads = torch.get_num_threads()

    def execute(self, jobs, directory, on_poll=None, asked_at_once=None, ahead=None):
        directory.mkdir(parents=True, exist_ok=True)
        for run_id, spec in jobs:
            worker.work(spec, run_id, directory, "cpu", 1)

    monkeypatch.setattr(Pool, "execute", execute)
    monkeypatch.setattr(description, "Executor", Here)
    monkeypatch.setattr(resolved, "_described", {})
    monkeypatch.setattr(png, "draw", lambda name, panels, folder: None)  # drawn and tested elsewhere
    yield
    torch.set_num_threads(threads)


class Here:
    """Stands for the worker that looks at a task."""

    def __init__(self, workers, start): ...

    def ask(self, work, *arguments):
        return work(*arguments)

    def end(self, seconds): ...


@pytest.mark.parametrize("example", ["images", "table", "text", "task", LIGHTNING], indirect=True)
def test_the_first_step_of_the_example_runs(example, tmp_path, in_this_process):
    assert run(["lr-range", "-q", *overrides(example)]) in (0, 6)  # so few iterations may well be unreadable, and then it abstains
    folder = tmp_path / example / "runs" / example
    read = [records.read(path) for path in (folder / "records").glob("*.jsonl")]
    losses = np.concatenate([record.column("val_loss") for record in read if record is not None])
    metrics = np.concatenate([record.column("metric") for record in read if record is not None])
    assert np.nanmin(losses) < losses[0]
    assert ((metrics >= 0) & (metrics <= 1)).all()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("example", ["images", "table", "text", "task", LIGHTNING], indirect=True)
def test_the_example_runs_whole(example, tmp_path):
    assert run(["run", "-q"]) in (0, 6)
    found = recommended.read(tmp_path / example / "runs" / example / "recommended.yaml", ("settings", "results"))
    assert found["results"]["train"]["recommended"]["diverged"] == 0
