"""Every engine: the same runs give the same records, a killed worker costs a retry and nothing else, nothing is left running."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine import checkpoints
from hpcheck.engine.choose_engine import Engine, engine_of
from hpcheck.engine.distributed.ddp import Devices
from hpcheck.engine.distributed.ray import Tasks
from hpcheck.engine.pool.pool import Job, Pool
from hpcheck.errors import InputError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs import records
from hpcheck.runs.identity import identify
from hpcheck.runs.spec import PartSpec, RunSpec, TimingSpec, freeze
from tests.support.engine_runs import RUN, computed, curves, in_two, same, weights
from tests.support.processes import children, patiently, running

USERS = """
import os, signal
from pathlib import Path
from torch import nn
from hpcheck.engine import checkpoints

class Fails(nn.Linear):
    def forward(self, x):
        raise RuntimeError("boom at the first batch")

class IsKilledOnce(nn.Linear):
    def forward(self, x):
        if self.training:
            with Path("steps").open("a") as file:
                file.write("x")
            if Path("steps").stat().st_size > 60 and not Path("killed").exists():
                Path("killed").touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x.flatten(1))

def network(shape, outputs, *, kind):
    checkpoints.EVERY_SECONDS = 0.0
    return globals()[kind](64, outputs)
"""
PARTS = replace(RUN, bn_splits=2, keep="last", finally_on=("val",))  # the same sums in the same order on one device and on two
LONG = replace(PARTS, steps=1_000_000, evaluate_after=(0, 10, 1_000_000), keep="")
OPEN: dict[str, Callable[[], Engine]] = {
    "local": lambda: Pool("cpu", 2, 1),
    "ddp": lambda: Devices("cpu", 2, 1),
    "ray": lambda: Tasks("cpu", 2, 1, None),
}
NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install 'hpcheck[ray]'")
QUIET_RAY = pytest.mark.filterwarnings("ignore")  # what Ray's own code warns of is not ours
MARKS: dict[str, list[pytest.MarkDecorator]] = {"local": [], "ddp": [pytest.mark.slow], "ray": [pytest.mark.slow, NO_RAY, QUIET_RAY]}


@pytest.fixture(params=[pytest.param(name, marks=MARKS[name]) for name in OPEN])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    (tmp_path / "users_network.py").write_text(USERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", checkpoints.EVERY_SECONDS)  # the network sets it here too: put back afterwards
    torch.set_num_threads(1)
    opened = OPEN[request.param]()
    yield opened
    opened.close()


def users(kind: str) -> RunSpec:
    return replace(PARTS, model=PartSpec("users_network:network", freeze({"kind": kind})), label=kind)


def job(spec: RunSpec | TimingSpec) -> Job:
    return identify(spec), spec


def record_of(spec: RunSpec | TimingSpec, folder: Path) -> records.RunRecord:
    found = records.read(folder / f"{identify(spec)}.jsonl")
    assert found is not None
    return found


def test_the_same_runs_give_the_same_records_and_weights(engine: Engine, tmp_path: Path) -> None:
    folder, here = tmp_path / "records", tmp_path / "here"
    here.mkdir()
    whole = replace(PARTS, seed=3)
    first, rest = (record.run for record in in_two(whole, 32, here))
    timing = TimingSpec(RUN.data, RUN.model, RUN.optimizer, (8, 16), rounds=1)
    specs = [PARTS, replace(PARTS, seed=1), first]
    engine.execute([job(spec) for spec in (timing, *specs)], folder)
    engine.execute([job(rest)], folder)
    for spec in (*specs, rest):
        expected = computed(spec, here) if spec not in (first, rest) else record_of(spec, here)
        assert curves(record_of(spec, folder)) == curves(expected)
        assert record_of(spec, folder).result.get("val") == expected.result.get("val")
        assert same(weights(folder, expected), weights(here, expected))
    assert [entry["size"] for entry in record_of(timing, folder).result["sizes"]] == [8, 16]
    assert not [path.name for path in folder.iterdir() if path.suffix not in (".jsonl", ".pt")]


def test_a_failing_run_shows_the_users_traceback_and_the_engine_lives_on(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsersCodeError, match="boom at the first batch"):
        engine.execute([job(users("Fails"))], tmp_path / "records")
    assert records.read(tmp_path / "records" / f"{identify(users('Fails'))}.jsonl") is None
    engine.execute([job(RUN if isinstance(engine, Pool) else PARTS)], tmp_path / "records")


def test_a_killed_worker_costs_a_retry_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "killed").touch()
    once = users("IsKilledOnce")
    expected = computed(once, tmp_path)  # nobody kills this one
    for name in ("killed", "steps", f"{expected.run_id}.jsonl"):
        (tmp_path / name).unlink()
    engine.execute([job(once), job(PARTS)], tmp_path / "records")
    assert (tmp_path / "killed").exists()
    assert curves(record_of(once, tmp_path / "records")) == curves(expected)
    assert same(weights(tmp_path / "records", expected), weights(tmp_path, expected))
    record_of(PARTS, tmp_path / "records")
    parts = 2 * PARTS.steps
    assert parts < (tmp_path / "steps").stat().st_size < parts + 40  # it went on from a checkpoint, not from the beginning


def test_a_cancelled_run_leaves_nothing_running(engine: Engine, tmp_path: Path) -> None:
    engine.execute([job(PARTS)], tmp_path / "records")
    engine.close()
    before = set(children(os.getpid()))  # what the engine's start leaves on purpose: the server that workers are forked from
    polls: list[int] = []

    def cancel() -> None:
        polls.append(1)
        if len(polls) > 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.execute([job(LONG)], tmp_path / "records", cancel)
    patiently(lambda: not running([pid for pid in children(os.getpid()) if pid not in before]), 5)


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_device_that_is_not_there_is_refused(devices: int, tmp_path: Path) -> None:
    refusing = engine_of("local", "cuda", devices, None, None, None, "auto")
    with pytest.raises(InputError, match="this machine has no cuda"):
        refusing.execute([job(PARTS)], tmp_path)
    refusing.close()
