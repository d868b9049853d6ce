"""What a task raises, tells of itself or changes: exit 2 with the place, one line, or put back. So is what a run directory says of one."""

import io
import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hpcheck import config as configs
from hpcheck.__main__ import run
from hpcheck.engine import checkpoints, randomness
from hpcheck.engine.pool import worker
from hpcheck.engine.pool.pool import Pool
from hpcheck.plugins.undisturbed import undisturbed
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.records import read
from hpcheck.tasks import description, resolved
from tests.support.here import Here

SOURCE = """
import os, random, signal, sys, warnings
import numpy as np, torch, typer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

class Own(BaseException): pass

x = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
y = (x.sum(1) > 0).long()

class Task:
    metric = "accuracy"
    {attribute}
    def __init__(self):
        {init}
    def build(self):
        {build}
        return nn.Linear(4, 2)
    def loaders(self, batch_size, seed):
        {loaders}
        train, val = TensorDataset(x[:40], y[:40]), TensorDataset(x[40:], y[40:])
        return DataLoader(train, batch_size, shuffle=True), DataLoader(val, 20)
    def training_step(self, model, batch):
        {step}
        return nn.functional.cross_entropy(model(batch[0]), batch[1])
    def validation_step(self, model, batch):
        {val}
        outputs = model(batch[0])
        return {{"loss": nn.functional.cross_entropy(outputs, batch[1]), "metric": outputs.mean(), "count": len(batch[1])}}
"""
OPTIMIZER = """def optimizer(self, model):
        made = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        made.param_groups[0].update({{{}}})
        return made"""
PLACES = ("init", "build", "loaders", "step", "val")
CONFIG = "task: tasky:Task\nname: hp\nstart: {max_lr: 0.1, total_batch_size: 20}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resolved, "_described", {})
    monkeypatch.setattr(description, "Executor", Here)
    monkeypatch.setattr(randomness, "_told", set())
    monkeypatch.delitem(sys.modules, "tasky", raising=False)
    worker.of_this_process.cache_clear()
    worker.task_contents.cache_clear()


def write(attribute: str = "pass", config: str = CONFIG, top: str = "", **code: str) -> None:
    source = SOURCE.format(attribute=attribute, **{**dict.fromkeys(PLACES, "pass"), **code})
    Path("tasky.py").write_text(source.replace("class Task:", f"{top}\nclass Task:"), encoding="utf-8")
    Path("hpcheck.yaml").write_text(config, encoding="utf-8")


def look() -> description.Description:
    """As each command does before it plans anything."""
    return description.described(configs.load(Path("hpcheck.yaml")))[0]


@pytest.mark.parametrize("place", [*PLACES, "top"])
@pytest.mark.parametrize("error", ["EOFError", "BrokenPipeError", "KeyboardInterrupt", "typer.Exit", "Own", "SystemExit", "GeneratorExit"])
def test_what_it_raises_is_exit_2_with_the_place(error: str, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(**{place: f"raise {error}(7)"})
    assert run(["plan"]) == 2
    out, err = capsys.readouterr()
    first, *_, last = err.splitlines()
    name = error.rpartition(".")[2]
    assert out == ""
    assert first.startswith("error: ")
    assert "tasky.py:" in first
    assert f" raised {name}" in first
    assert name in last
    assert not Path("runs").exists()


TOLD = {
    "batch_size = -1": "batch_size is -1; expected a whole number",
    "batch_size = 'x'": "batch_size is 'x'; expected a whole number",
    "batch_size = float('nan')": "batch_size is nan; expected a whole number",
    "train_examples = 10**30": "train_examples is 1000000000000000000000000000000; expected a whole number from 1 to 1,000,000,000",
    "train_examples = 10**5000": "train_examples is a number too large to show; expected a whole number",
    "train_examples = -5": "train_examples is -5; expected",
    "metric = 'x' * 5000": "expected a name of at most 200 characters",
    "metric = 'a\\x1b[31m'": "metric is 'a\\x1b[31m'; expected its name",
    OPTIMIZER.format("'lr': float('nan')"): "lr is nan; expected a number from 0 to 1e+09",
    OPTIMIZER.format("'lr': -1"): "lr is -1.0; expected",
    OPTIMIZER.format("'lr': 1e30"): "lr is 1e+30; expected",
    OPTIMIZER.format("'weight_decay': float('inf')"): "weight_decay is inf; expected",
    OPTIMIZER.format("'momentum': 2"): "momentum is 2.0; expected a number from 0 to below 1",
}


@pytest.mark.parametrize("attribute", TOLD)
def test_what_it_tells_of_itself_is_checked(attribute: str, capsys: pytest.CaptureFixture[str]) -> None:
    write(attribute, "task: tasky:Task\nname: hp\n" + ("start: {total_batch_size: 20}\n" if "batch_size" not in attribute else ""))
    assert run(["plan"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("error: task tasky:Task: ")
    assert TOLD[attribute] in err


CHANGES = {
    "os.chdir('/')": os.getcwd,
    "os.umask(0o777)": lambda: os.umask(0o022),
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)": lambda: signal.getsignal(signal.SIGTERM),
    "signal.signal(signal.SIGHUP, signal.SIG_IGN)": lambda: signal.getsignal(signal.SIGHUP),
    "torch.set_num_threads(torch.get_num_threads() + 1)": torch.get_num_threads,
    "np.seterr(over='raise')": np.geterr,
    "warnings.simplefilter('error', UnicodeWarning)": lambda: [one for one in warnings.filters if one[0] == "error"],
    "sys.stdout = None": lambda: sys.stdout,
    "torch.set_default_dtype(torch.float64)": torch.get_default_dtype,
    "torch.set_default_device('meta')": torch.get_default_device,
    "torch.set_grad_enabled(False)": torch.is_grad_enabled,
}


@pytest.mark.parametrize("place", [*PLACES, "top"])
@pytest.mark.parametrize("change", CHANGES)
def test_what_it_changes_for_the_whole_process_is_put_back(change: str, place: str) -> None:
    """Whether it can be trained so or not: a default dtype of the steps is the task's own matter."""
    write(**{place: change})
    os.umask(0o022)
    before = CHANGES[change]()
    with suppress(UsersCodeError):
        look()
    assert CHANGES[change]() == before


@pytest.mark.parametrize("change", ["os.chdir('/')", "torch.set_default_dtype(torch.float64)"])
def test_a_step_that_changes_them_does_not_move_the_records(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(self: Pool, jobs: Any, directory: Path, *_: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for run_id, spec in jobs:
            worker.work(spec, run_id, directory, "cpu", torch.get_num_threads())
            assert (Path.cwd(), torch.get_default_dtype()) == (tmp_path, torch.float32)

    monkeypatch.setattr(Pool, "execute", execute)
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)  # each step writes beside the records
    write(step=change, config=f"{CONFIG}budget: {{epochs: 4}}\ntrain: {{repeats: 1}}\nrun: {{jobs: 1, threads: 1}}\n")
    assert run(["train", "-q"]) == 0
    (path,) = Path("runs/hp/records").glob("*.jsonl")
    record = read(path)
    assert record is not None
    assert record.status == "finished"


def test_streams_that_it_closes_are_open_again_for_what_the_command_says() -> None:
    kept = sys.stderr
    try:
        sys.stderr = io.StringIO()
        with undisturbed():
            sys.stderr.close()
        assert not sys.stderr.closed
        sys.stderr.write("")
    finally:
        sys.stderr = kept


def test_a_model_that_seeds_torch_itself_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    write(build="torch.manual_seed(7); random.seed(0)")
    look()
    look()
    said = [line for line in capsys.readouterr().err.splitlines() if "seeds torch itself" in line]
    assert len(said) == 1
    assert said[0].startswith("warning: task tasky:Task seeds torch itself, so all runs begin with the same weights")
    random.seed()


def test_a_worker_that_is_killed_while_it_looks_costs_a_retry(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tries: list[int] = []

    class Killed(Here):
        def ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
            tries.append(1)
            if len(tries) <= kills:
                raise BrokenProcessPool
            return work(*arguments)

    monkeypatch.setattr(description, "Executor", Killed)
    write()
    kills = 3
    look()
    assert len(tries) == 4
    tries.clear()
    kills = 4
    assert run(["plan"]) == 3
    assert "the process that looked at the task was killed again and again" in capsys.readouterr().err


def kept_description() -> Path:
    """What a command of this project keeps in its run directory."""
    write()
    found, config = look(), configs.load(Path("hpcheck.yaml"))
    folder = Path("runs/hp")
    folder.mkdir(parents=True)
    found.save(folder)
    assert description.saved(folder, config) == found
    return folder / description.FILE


ODD = [None, "x" * 300, [1], {"a": 1}, -1, 10**400, float("nan"), float("inf"), 1e300]
MAY_BE_NONE = {"train_examples", "lr", "weight_decay", "momentum", "least_momentum", "batches"}


def test_what_a_run_directory_says_of_it_is_checked_before_it_is_believed() -> None:
    path = kept_description()
    config = configs.load(Path("hpcheck.yaml"))
    content = json.loads(path.read_text())
    for key in content["told"]:
        for value in ODD:
            if value is None and key in MAY_BE_NONE:
                continue
            path.write_text(json.dumps({**content, "told": {**content["told"], key: value}}))
            assert description.saved(path.parent, config) is None, (key, value)
        path.write_text(json.dumps({**content, "told": {one: content["told"][one] for one in content["told"] if one != key}}))
        assert description.saved(path.parent, config) is None, key


@pytest.mark.parametrize("text", ["[" * 100_000, '{"about":' * 300 + "1" + "}" * 300, "null", "[1]", '{"about": 1}', "\0"])
def test_a_file_that_is_none_of_ours_is_passed_over(text: str) -> None:
    path = kept_description()
    path.write_text(text)
    assert description.saved(path.parent, configs.load(Path("hpcheck.yaml"))) is None


def test_pipes_and_devices_in_its_place_are_not_read() -> None:
    path = kept_description()
    for put in (os.mkfifo, lambda at: at.symlink_to("/dev/zero")):
        path.unlink()
        put(path)
        assert description.saved(path.parent, configs.load(Path("hpcheck.yaml"))) is None
