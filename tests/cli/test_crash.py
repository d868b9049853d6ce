"""SIGKILL at random moments: no evaluation is lost, and what goes on afterwards is the same to the bit."""

import contextlib
import os
import random
import shutil
import signal
import time
import traceback
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine import checkpoints
from hpcheck.engine.pool import worker
from hpcheck.runs import records
from hpcheck.runs.files import remove_leftovers
from hpcheck.runs.identity import identify
from hpcheck.runs.spec import PartSpec, freeze
from tests.support.engine_runs import DIGITS, RUN, computed, curves, same, weights
from tests.support.failing_storage import ShortWrites, put

SPEC = replace(
    RUN,
    model=PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5})),
    data=replace(DIGITS, augment="mirror-crop"),
    steps=60,
    evaluate_after=tuple(range(0, 61, 2)),
    eval_size=50,
    keep="last",
)


@dataclass
class Seen:
    """What the kills hit."""

    kills: int = 0
    torn_tails: int = 0
    leftovers: int = 0
    finished: int = 0
    rows: dict[str, str] = field(default_factory=dict)  # step -> row, of the run under way


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has taken; a loaded machine does not change where in its work a kill falls."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)  # Linux: CPUCLOCK_SCHED of the process
    return float("inf")


def child(folder: Path, seed: int) -> None:
    """In a forked process: the run, with short writes and a checkpoint after each step. Never returns."""
    code = 1
    try:
        with pytest.MonkeyPatch.context() as patch:
            put(ShortWrites(seed), patch)
            patch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
            remove_leftovers(folder)
            worker.work(SPEC, identify(SPEC), folder, "cpu", 1)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def killed_after(seconds: float, folder: Path, seed: int) -> bool:
    """Fork a child and SIGKILL it once it has computed for so long; False where it was finished before."""
    pid = os.fork()
    if pid == 0:
        child(folder, seed)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return False
        if cpu_seconds(pid) >= seconds:
            os.kill(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert code in (0, -signal.SIGKILL)
            return code != 0
        time.sleep(0.0002)


def look(folder: Path, seen: Seen) -> None:
    """Count what the kill left, and see that every evaluation seen before is there as it was, or will be made again from a checkpoint."""
    path = folder / f"{identify(SPEC)}.jsonl"
    content = path.read_bytes() if path.exists() else b""
    seen.torn_tails += bool(content) and not content.endswith(b"\n")
    seen.leftovers += any(folder.glob(".*.tmp"))
    for line in records.lines(path) if path.exists() else ():
        if "row" in line:
            row = {key: value for key, value in line["row"].items() if key != "seconds"}
            assert seen.rows.setdefault(str(row["step"]), str(row)) == str(row)


def crash(kills: int, folder: Path, seed: int) -> Seen:
    """Kill so many times, going on in between; each run that gets to its end is compared with the one that nobody killed."""
    torch.set_num_threads(1)
    reference_folder, work = folder / "reference", folder / "work"
    reference_folder.mkdir()
    reference = computed(SPEC, reference_folder)
    expected, draw, seen = weights(reference_folder, reference), random.Random(seed), Seen()
    work.mkdir()
    started = time.process_time()
    computed(SPEC, work)
    once = max(time.process_time() - started, 0.05)
    shutil.rmtree(work)
    while seen.kills < kills:
        work.mkdir(exist_ok=True)
        if killed_after(draw.uniform(0, 2 * once), work, draw.getrandbits(32)):
            seen.kills += 1
            look(work, seen)
            continue
        record = records.read(work / f"{identify(SPEC)}.jsonl")
        assert record is not None
        assert curves(record) == curves(reference)
        assert set(seen.rows) <= {str(row["step"]) for row in record.rows}
        assert same(weights(work, record), expected)
        assert not list(work.glob("*.checkpoint"))
        seen.finished, seen.rows = seen.finished + 1, {}
        shutil.rmtree(work)
    return seen


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_few_kills_lose_no_evaluation(tmp_path: Path) -> None:
    assert crash(6, tmp_path, seed=1).kills == 6


@pytest.mark.crash
@pytest.mark.timeout(3600)
def test_200_kills_lose_no_evaluation_and_the_rest_is_the_same_to_the_bit(tmp_path: Path) -> None:
    seen = crash(200, tmp_path, seed=0)
    print(seen.kills, "kills,", seen.torn_tails, "torn tails,", seen.leftovers, "leftover temporaries,", seen.finished, "runs finished")
    assert seen.torn_tails >= 5  # else nothing was tested
    assert seen.leftovers >= 20
    assert seen.finished >= 10
