"""When a run counts as diverged: levels over enough examples, however small the batch, the same in pieces and in a group as in one go."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine import checkpoints, divergence
from hpcheck.engine.divergence import Levels
from hpcheck.engine.graphs.grouping import BRANCHES
from hpcheck.engine.snapshots import read_sealed, sealed
from hpcheck.runs.schedules import constant, ramp
from hpcheck.runs.spec import DataSpec, RunSpec, evenly, freeze
from tests.support.engine_runs import RUN, computed, curves, in_two
from tests.support.grouped_runs import together
from tests.support.stopped_runs import gone_on, stop_after

TABLE = """
import numpy as np
def load(*, draw):
    random = np.random.default_rng(draw)
    x = random.normal(size=(400, 8)).astype("float32")
    y = x @ random.normal(size=8) + random.normal(size=400)
    y = ((y - y.mean()) / y.std()).astype("float32")
    return (x[:320], y[:320]), (x[320:], y[320:])
"""
# batches of 4: 16 make a level; looked at every third step, so that a level reaches back over six rows
DIVERGING = replace(
    RUN,
    total_batch_size=4,
    steps=90,
    lr=ramp(0.01, 16.0, 90),
    momentum=constant(0.875),
    evaluate_after=tuple(range(0, 91, 3)),
    eval_size=20,
    seed=1,
)


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_stop", [])
    monkeypatch.chdir(tmp_path)


def losses(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value) for value in values]


def seen(batch_size: int, values: Sequence[float], first: float | None = None) -> Levels:
    found = Levels(batch_size)
    if first is not None:
        found.begin(first)
    for loss in losses(*values):
        found.add(loss)
    return found


def test_batches_of_64_are_judged_by_one_and_smaller_ones_by_as_many_as_hold_64_examples() -> None:
    assert [Levels(size).batches for size in (1, 2, 7, 8, 63, 64, 65, 1024)] == [64, 32, 10, 8, 2, 1, 1, 1]


def test_at_64_the_first_batchs_loss_is_the_first_level_and_the_last_ten_since_the_row_are_the_latest() -> None:
    found = seen(64, [1.0, 100.0, *[4.0] * 10])
    assert found.first == 1.0
    assert not found.diverged(losses(100.0, *[4.0] * 10))
    assert found.diverged(losses(*[4.0] * 9, 4.1))
    assert found.diverged(losses(4.1))  # the first after a row


def test_one_small_batch_is_no_divergence_and_as_many_as_hold_64_examples_are() -> None:
    assert not seen(32, [1.0, 7.0], first=1.0).diverged(losses(7.0))
    assert seen(32, [7.0, 1.2], first=1.0).diverged(losses(1.2))  # the 7 stands before the row


def test_batches_that_are_yet_to_be_seen_count_as_being_at_the_first_level() -> None:
    assert not seen(4, [6.9] * 8, first=1.0).diverged(losses(*[6.9] * 8))
    assert seen(4, [7.1] * 8, first=1.0).diverged(losses(*[7.1] * 8))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_divergence_from_the_first_update_on(bad: float) -> None:
    assert seen(2, [bad], first=1.0).diverged(losses(bad))
    assert seen(64, [bad]).diverged(losses(bad))


@pytest.mark.parametrize("batch_size", [2, 4, 8])
def test_a_run_that_does_not_move_has_not_diverged(tmp_path: Path, batch_size: int) -> None:
    """At lr 1e-9, of twelve such runs by one batch against two 7 were called diverged at batch size 2 and 5 at 4."""
    (tmp_path / "still_table.py").write_text(TABLE)
    for draw in range(4):
        data = DataSpec("still_table:load", options=freeze({"draw": draw}))
        still = replace(RUN, data=data, seed=draw, total_batch_size=batch_size, steps=200, lr=constant(1e-9), eval_size=None)
        assert not computed(replace(still, evaluate_after=(0, *evenly(200, 25))), tmp_path).diverged


def test_a_large_lr_that_diverges_within_the_first_level_is_seen_to(tmp_path: Path) -> None:
    """The level of 16 batches of 4 would hold what has already diverged: it is taken before the first update."""
    record = computed(replace(DIVERGING, lr=constant(4.0), evaluate_after=(8, 16, 90)), tmp_path)
    assert (record.diverged, record.rows[-1]["step"]) == (True, 8)
    assert record.result["first_loss"] == pytest.approx(math.log(10), rel=0.1)


def test_a_run_of_small_batches_stopped_anywhere_diverges_where_it_would_have(tmp_path: Path) -> None:
    whole = computed(DIVERGING, tmp_path)
    last = int(whole.rows[-1]["step"])
    assert whole.diverged
    assert 20 < last < 90
    for step in (1, 2, *range(last - 17, last)):
        pieces = tmp_path / f"stopped{step}"
        pieces.mkdir()
        stop_after(step, DIVERGING, pieces)
        resumed, _ = gone_on(DIVERGING, pieces)
        assert (resumed.status, curves(resumed)) == (whole.status, curves(whole))
        assert resumed.result["first_loss"] == whole.result["first_loss"]


@pytest.mark.parametrize("before", [2, 9, 16])  # steps of the continuation until it diverges
def test_a_continuation_of_small_batches_diverges_where_the_whole_run_would_have(tmp_path: Path, before: int) -> None:
    whole = computed(DIVERGING, tmp_path)
    at_step = int(whole.rows[-1]["step"]) - before
    _, ended = in_two(DIVERGING, at_step, tmp_path)
    assert (ended.status, ended.rows[-1]["step"]) == ("diverged", whole.rows[-1]["step"])
    assert ended.result["first_loss"] == whole.result["first_loss"]


@pytest.mark.parametrize("mode", [BRANCHES])
def test_a_member_of_a_group_diverges_where_it_would_alone(tmp_path: Path, mode: str) -> None:
    calm = replace(DIVERGING, lr=constant(1e-9))
    alone = computed(DIVERGING, tmp_path)
    (tmp_path / mode).mkdir()
    found = together([DIVERGING, calm], tmp_path / mode, mode)
    assert [record.status for record in found] == ["diverged", "finished"]
    assert found[0].rows[-1]["step"] == alone.rows[-1]["step"]
    assert found[0].result["first_loss"] == pytest.approx(alone.result["first_loss"], rel=1e-5)


def test_a_checkpoint_of_an_older_hpcheck_is_passed_over_with_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = computed(DIVERGING, tmp_path)
    pieces = tmp_path / "pieces"
    pieces.mkdir()
    stop_after(10, DIVERGING, pieces)
    (path,) = pieces.glob("*.checkpoint")
    path.write_bytes(sealed({**{key: value for key, value in read_sealed(path).items() if key != "latest"}, "checkpoint": 1}))
    capsys.readouterr()
    resumed, updates = gone_on(DIVERGING, pieces)
    assert (curves(resumed), updates) == (curves(whole), whole.rows[-1]["step"])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("cannot be used (it is of another run, or of another version); the run goes on from step 0")


def test_a_snapshot_of_an_older_hpcheck_is_continued_by_the_first_loss_that_it_has(tmp_path: Path) -> None:
    def rest(lr: float) -> RunSpec:
        return replace(DIVERGING, parent=first.run_id, at_step=20, lr=constant(lr), evaluate_after=(60, 90))

    first = computed(replace(DIVERGING, steps=20, lr=constant(0.01), evaluate_after=(20,), keep="last"), tmp_path)
    path = tmp_path / f"{first.run_id}.pt"
    path.write_bytes(sealed({key: value for key, value in read_sealed(path).items() if key != "latest"} | {"first_loss": 2.5}))
    assert [computed(rest(lr), tmp_path).status for lr in (1e-9, 16.0)] == ["finished", "diverged"]
    assert computed(rest(1e-9), tmp_path).result["first_loss"] == 2.5


def test_nothing_but_the_levels_hangs_on_how_many_examples_they_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm = replace(DIVERGING, lr=constant(0.01))
    found = []
    for examples in (1, 64):
        monkeypatch.setattr(divergence, "STEADY_EXAMPLES", examples)
        (tmp_path / str(examples)).mkdir()
        found.append(computed(calm, tmp_path / str(examples)))
    assert curves(found[0]) == curves(found[1])
    assert found[0].result["first_loss"] != found[1].result["first_loss"]
