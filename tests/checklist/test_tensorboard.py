"""`--tensorboard`: what TensorBoard reads back is what the records hold, and hpcheck reads its own event files."""

import math

import pytest

from hpcheck.checklist import tensorboard
from hpcheck.errors import InputError
from hpcheck.runs.directory import OutsideError, RunDirectory
from hpcheck.runs.records import RecordWriter
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, TimingSpec

DATA, MODEL, SGD = DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd")
RUN = RunSpec(DATA, MODEL, SGD, 32, 40, constant(0.1), constant(0.9), 0.0, (10, 20, 30, 40), label="1cycle to 0.1, seed 1")
LOSSES = {10: 2.0, 20: 1.0, 30: math.nan, 40: 0.5}
RUN_ID, TIMING_ID = "0123456789abcdef", "f" * 16


@pytest.fixture
def runs(tmp_path):
    """A run directory with one finished training, one measurement of time and one run that is not finished."""
    found = RunDirectory(tmp_path / "runs" / "here")
    found.records.mkdir(parents=True)
    record = RecordWriter(found.records / f"{RUN_ID}.jsonl", RUN_ID, RUN, {})
    for step, loss in LOSSES.items():
        record.row(step=step, lr=0.1, momentum=0.9, train_loss=loss / 2, val_loss=loss, metric=0.1, seconds=step / 10)
    record.finish("finished", {})
    timing = RecordWriter(found.records / f"{TIMING_ID}.jsonl", TIMING_ID, TimingSpec(DATA, MODEL, SGD, (32, 64)), {})
    timing.finish("finished", {"sizes": []})
    return found


def test_without_the_package_it_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"hpcheck\[tensorboard\]"):
        tensorboard.refuse_without_tensorboard()


def test_tensorboard_reads_back_what_the_records_hold(runs):
    pytest.importorskip("tensorboard", reason="not installed: pip install 'hpcheck[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    from hpcheck.curves.files import load_one

    (path,) = tensorboard.write(runs, "lr-range", (RUN_ID, TIMING_ID, "a" * 16))
    assert path.parent.name == "lr-range.1cycle_to_0.1_seed_1.012345"
    loaded = EventAccumulator(str(path.parent))
    loaded.Reload()
    assert set(loaded.Tags()["scalars"]) == {"val_loss", "val_metric", "train_loss", "lr", "momentum"}
    points = loaded.Scalars("val_loss")
    assert [point.step for point in points] == list(LOSSES)
    assert [point.value for point in points] == pytest.approx(list(LOSSES.values()), nan_ok=True)
    assert points[-1].wall_time - points[0].wall_time == pytest.approx(3.0, abs=1e-3)
    assert load_one(path.parent, {}).curve.step.tolist() == [10, 20, 30, 40]


def test_what_was_written_is_kept(runs):
    pytest.importorskip("tensorboard", reason="not installed: pip install 'hpcheck[tensorboard]'")
    (path,) = tensorboard.write(runs, "lr-range", [RUN_ID])
    before = path.stat().st_mtime_ns
    assert tensorboard.write(runs, "lr-range", [RUN_ID]) == []
    assert path.stat().st_mtime_ns == before


def test_a_link_out_of_the_run_directory_is_refused(runs, tmp_path):
    runs.events.mkdir()
    (runs.events / "lr-range.elsewhere").symlink_to(tmp_path)
    with pytest.raises(OutsideError):
        RunDirectory(runs.path)
