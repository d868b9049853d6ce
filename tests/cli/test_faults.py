"""When the n-th write, fsync or replace fails: exit 5, one line with the path, what was there before intact, and the command goes on."""

import errno
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hpcheck.__main__ import run
from hpcheck.checklist import run as pipeline
from hpcheck.config import yaml12
from hpcheck.drawing.panels import Panel
from hpcheck.engine import checkpoints
from hpcheck.engine.pool import worker
from hpcheck.runs import records
from hpcheck.runs.files import StorageError, write_whole
from hpcheck.runs.spec import PartSpec, freeze
from tests.support.engine_runs import RUN, computed, curves, same, weights
from tests.support.failing_storage import FailingOs, put

ERRORS = [pytest.param(errno.ENOSPC, id="ENOSPC"), pytest.param(errno.EIO, id="EIO")]
HOW = [pytest.param(False, id="once"), pytest.param(True, id="for-ever")]
SHORT = replace(
    RUN, model=PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5})), steps=6, evaluate_after=(0, 2, 4, 6), eval_size=50, keep="best"
)
CONFIG = """data: {name: digits, val_fraction: 0.25}
model: {name: mlp, hidden: [8]}
budget: {epochs: 0.2, evals: 7}
start: {max_lr: 0.1, total_batch_size: 32}
train: {repeats: 1}
"""


class InProcess:
    """Computes runs here instead of in worker processes, where a test can reach the writing."""

    def __init__(self, *_: Any) -> None:
        self.close: Callable[[], None] = lambda: None

    def execute(self, jobs: Sequence[tuple[str, Any]], directory: Path, *_: Any, **__: Any) -> None:
        for run_id, spec in jobs:
            worker.work(spec, run_id, directory, "cpu", 1)


def drawn(name: str, panels: Sequence[Panel], folder: Path) -> list[Path]:
    write_whole(folder / f"{name}.png", b"a picture")
    return [folder / f"{name}.png"]


@pytest.fixture(autouse=True)
def _in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(pipeline, "engine_of", InProcess)
    monkeypatch.setattr(pipeline.png, "draw", drawn)


def failing(at: int, number: int, for_ever: bool, patch: pytest.MonkeyPatch) -> FailingOs:
    fake = FailingOs(at, number, for_ever)
    put(fake, patch)
    return fake


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith((".tmp", ".checkpoint"))]


def each_failure_of_a_run(folder: Path, number: int, for_ever: bool, places: Iterator[int]) -> int:
    """Compute the short run with its n-th operation failing, then again without: the same run each time. Returns how many n there are."""
    reference = computed(SHORT, folder)
    expected, count = weights(folder, reference), 0
    for at in places:
        again = folder / str(at)
        again.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            fake = failing(at, number, for_ever, patch)
            try:
                computed(SHORT, again)
            except StorageError as error:
                assert str(again) in str(error)  # noqa: PT017  whether it fails is what is asked
            else:
                assert fake.count <= at
                return count
        count += 1
        resumed = computed(SHORT, again)
        assert curves(resumed) == curves(reference)
        assert same(weights(again, resumed), expected)
        assert leftovers(again) == []
        shutil.rmtree(again)
    return count


def test_some_failed_operations_of_a_run_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    assert each_failure_of_a_run(tmp_path, errno.ENOSPC, False, iter(range(0, 60, 7))) >= 5


@pytest.mark.fault
@pytest.mark.parametrize("for_ever", HOW)
@pytest.mark.parametrize("number", ERRORS)
def test_every_failed_operation_of_a_run_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, for_ever: bool
) -> None:
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    assert each_failure_of_a_run(tmp_path, number, for_ever, iter(range(1000))) >= 50


def judge_what_is_left(runs: Path) -> None:
    """Whatever failed: each file there is is whole, or a record with whole lines and at most a torn tail."""
    for path in runs.rglob("*.yaml"):
        assert isinstance(yaml12.read(path.read_text()).value, dict)
    for path in runs.rglob("*.png"):
        content = path.read_bytes()
        assert content == b"a picture" or content.endswith(b"IEND\xaeB`\x82")
    for path in runs.rglob("*.jsonl"):
        whole = list(records.lines(path))
        assert path.read_bytes().count(b"\n") == len(whole)


@pytest.mark.fault
@pytest.mark.parametrize("for_ever", HOW)
@pytest.mark.parametrize("number", ERRORS)
def test_every_failed_operation_of_a_command_exits_5_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, for_ever: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(CONFIG)
    assert run(["train", "c.yaml", "-q"]) == 0
    expected = settled(Path("runs/c/recommended.yaml"))
    for at in range(1000):
        shutil.rmtree("runs")
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            fake = failing(at, number, for_ever, patch)
            code = run(["train", "c.yaml", "-q"])
        if fake.count <= at:
            assert code == 0
            break
        (line,) = capsys.readouterr().err.splitlines()
        assert code == 5
        assert line.startswith("error: ")
        assert "runs/c" in line.partition(": cannot be")[0]  # whole where a worker tells it, which user's code may have moved
        assert line.isprintable()
        judge_what_is_left(Path("runs"))
        assert run(["train", "c.yaml", "-q"]) == 0
        assert settled(Path("runs/c/recommended.yaml")) == expected
        assert leftovers(Path("runs")) == []
    assert at >= 40  # operations of the command: fewer would mean that some writing no longer goes through storage


def settled(path: Path) -> str:
    """recommended.yaml without what wall time does to it, as text: a NaN in it equals itself."""
    content: dict[str, Any] = yaml12.read(path.read_text()).value
    for cost in content["provenance"]["cost"].values():
        del cost["device_seconds"]
    del content["cost"]["seconds"]
    return json.dumps(content)


@pytest.mark.fault
def test_a_disk_that_is_really_full_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", "runs"], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine lets nobody mount a tmpfs")
    try:
        Path("c.yaml").write_text(CONFIG.replace("[8]", "[400, 400]"))  # weights and velocity take 1.5 MB
        assert run(["train", "c.yaml", "-q"]) == 5
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert "/runs/c/records/" in line
        assert "No space left on device" in line
        judge_what_is_left(Path("runs"))
        assert leftovers(Path("runs")) == []
        subprocess.run(["mount", "-o", "remount,size=32m", "runs"], check=True)
        assert run(["train", "c.yaml", "-q"]) == 0
    finally:
        subprocess.run(["umount", "runs"], check=True)
