"""What people see of runs under way: amounts that add up, ended runs as ended, and nothing on stdout."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from hpcheck.runs.records import RecordWriter, standing
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, TimingSpec
from hpcheck.terminal import progress, watched
from hpcheck.terminal.progress import Progress
from hpcheck.terminal.watched import Watched, amount

RUN = RunSpec(
    DataSpec("digits"), PartSpec("mlp"), PartSpec("sgd"), 32, 100, constant(0.1), constant(0.9), 0.0, (50, 100), label="1cycle to 0.1"
)
CHILD = replace(RUN, parent="0" * 16, at_step=60)
TIMING = TimingSpec(RUN.data, RUN.model, RUN.optimizer, (32, 64), label="step time")


def writer(folder: Path, spec, *steps, name="a") -> RecordWriter:
    record = RecordWriter(folder / f"{name}.jsonl", name, spec, {})
    for step in steps:
        grow(record, step)
    return record


def grow(record: RecordWriter, step: int) -> None:
    record.row(step=step, lr=0.1, momentum=0.9, train_loss=math.nan, val_loss=0.25, metric=0.9, seconds=1.5)


def done(name: str, spec, folder: Path) -> float:
    return watched.done(spec, standing(folder / f"{name}.jsonl"))


def test_a_run_is_done_as_far_as_its_rows_go(tmp_path):
    assert done("a", RUN, tmp_path) == 0
    writer(tmp_path, RUN, 0, 50).close()
    assert (done("a", RUN, tmp_path), amount(RUN)) == (50 * 32, 100 * 32)


def test_a_continuation_counts_its_own_steps_alone(tmp_path):
    writer(tmp_path, CHILD).close()
    assert (done("a", CHILD, tmp_path), amount(CHILD)) == (0, 40 * 32)
    writer(tmp_path, CHILD, 80, name="b").close()
    assert done("b", CHILD, tmp_path) == 20 * 32


@pytest.mark.parametrize("spec", [RUN, CHILD, TIMING], ids=["run", "continuation", "timing"])
def test_a_run_that_has_ended_is_all_done_wherever_it_diverged(tmp_path, spec):
    record = writer(tmp_path, spec, *([] if spec is TIMING else [70]))
    assert done("a", spec, tmp_path) < amount(spec)
    record.finish("diverged", {})
    assert standing(tmp_path / "a.jsonl").status == "diverged"
    assert done("a", spec, tmp_path) == amount(spec)


def test_lines_without_a_terminal_say_what_runs_how_far_it_is_and_what_is_left(tmp_path, capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with Progress().watching("lr-range", [("a", RUN), ("b", TIMING)], tmp_path) as poll:
        poll()
        record = writer(tmp_path, RUN)
        clock[0] = 31.0
        poll()  # nothing done yet: no time left can be given
        grow(record, 50)
        clock[0] = 40.0
        poll()
        clock[0] = 62.0
        poll()  # 40 seconds made the first half, so 22 have made more than a quarter
        clock[0] = 93.0
        poll()  # the second evaluation is late, and nothing new is told of the run
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "lr-range: 1cycle to 0.1 (100 iterations), step time",
        "lr-range: 0% of these runs done",
        "lr-range 1/2: 1cycle to 0.1: iteration 50 of 100, loss 0.25, metric 0.9",
        "lr-range: 50% of these runs done, about 18 seconds left",
        "lr-range: 50% of these runs done",
    ]


def test_the_time_left_falls_while_no_evaluation_comes_and_rises_once_the_next_is_late(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(watched.time, "monotonic", lambda: clock[0])
    run = Watched("train", "", replace(RUN, evaluate_after=(20, 40, 60, 80, 100)), tmp_path / "a.jsonl")
    record = writer(tmp_path, run.spec)
    run.standing()
    assert run.left() is None
    clock[0] = 20.0
    grow(record, 20)
    run.standing()
    left = []
    for clock[0] in (20.0, 30.0, 40.0, 60.0):
        run.standing()
        left.append(run.left())
    assert left == pytest.approx([80, 70, 60, 90])  # at 60 seconds it has made at most 40 of 100 iterations


def test_a_run_that_goes_on_from_a_checkpoint_has_the_pace_of_this_command(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(watched.time, "monotonic", lambda: clock[0])
    record = writer(tmp_path, RUN, 50)
    run = Watched("train", "", replace(RUN, evaluate_after=(50, 75, 100)), tmp_path / "a.jsonl")
    assert (run.had, run.left()) == (50 * 32, None)
    clock[0] = 125.0
    grow(record, 75)
    run.standing()
    assert run.left() == pytest.approx(25)
    assert watched.amounts([run]) == watched.Amounts(75 * 32, 75 * 32, 100 * 32, 50 * 32)


def test_a_run_that_is_begun_anew_has_done_nothing(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(watched.time, "monotonic", lambda: clock[0])
    writer(tmp_path, RUN, 50).close()
    run = Watched("train", "", RUN, tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").unlink()
    record = writer(tmp_path, RUN)
    run.standing()
    assert (run.had, run.work) == (0, 0)
    clock[0] = 110.0
    grow(record, 50)
    run.standing()
    assert run.left() == pytest.approx(10)


def test_lines_tell_once_how_each_run_ended(tmp_path, capsys):
    with Progress().watching("batch", [("a", RUN), ("b", RUN), ("c", TIMING)], tmp_path) as poll:
        writer(tmp_path, RUN, 50, 100).finish("finished", {})
        poll()
        writer(tmp_path, RUN, 50, name="b").finish("diverged", {})
        writer(tmp_path, TIMING, name="c").finish("finished", {})
        poll()
    assert capsys.readouterr().err.splitlines()[1:] == [
        "batch 1/3: 1cycle to 0.1: loss 0.25, metric 0.9, 1.5 s of training",
        "batch 2/3: 1cycle to 0.1: diverged at iteration 50 (training loss nan, 1.5 s of training)",
        "batch 3/3: step time: measured",
    ]


def test_a_round_is_announced_with_its_iterations():
    assert progress.announced([RUN]) == "1cycle to 0.1 (100 iterations)"
    assert progress.announced([RUN, replace(RUN, label="other")]) == "1cycle to 0.1, other (100 iterations each)"
    assert progress.announced([RUN, CHILD]) == "1cycle to 0.1 (100 iterations), 1cycle to 0.1 (40 iterations)"
    assert progress.announced([TIMING]) == "step time"


def test_labels_with_commas_are_told_apart_by_semicolons():
    two = [replace(RUN, label=f"weight decay {value}, lr 0.1") for value in ("0.001", "0.01")]
    assert progress.announced(two) == "weight decay 0.001, lr 0.1; weight decay 0.01, lr 0.1 (100 iterations each)"


def test_the_metric_has_its_name(tmp_path):
    shown = Progress()
    shown.metric = "accuracy {:.1%}".format
    writer(tmp_path, RUN, 50).close()
    assert shown.now(standing(tmp_path / "a.jsonl")) == "loss 0.25, accuracy 90.0%"


def test_a_step_is_one_of_several_and_the_time_left_is_that_of_all(tmp_path, capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    shown, work = Progress(), amount(RUN)
    shown.plans(["lr-range", "batch"], {"lr-range": 4.0 * work, "batch": 3.0 * work}.__getitem__)
    with shown.watching("lr-range", [("a", RUN)], tmp_path) as poll:
        writer(tmp_path, RUN, 50).close()
        clock[0] = 31.0  # half of the first of four runs
        poll()
    with shown.watching("batch", [("b", RUN)], tmp_path) as poll:
        clock[0] = 62.0  # the first took 31 seconds, as it seems; three are left
        poll()
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "step 1 of 2, lr-range: 1cycle to 0.1 (100 iterations)"
    assert "step 1 of 2, lr-range: 50% of these runs done, about 4 minutes left of all" in said
    assert said[-1] == "step 2 of 2, batch: 0% of these runs done, about 3 minutes left of all"


def test_loading_data_is_said_at_a_terminal_before_they_are_loaded(capsys, monkeypatch):
    with Progress().loading("digits"):
        assert capsys.readouterr().err == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress().loading("digits"):
        pass
    assert "loading data: digits" in capsys.readouterr().err
    with Progress(quiet=True).loading("digits"):
        assert capsys.readouterr().err == ""


def test_quiet_says_nothing(tmp_path, capsys):
    with Progress(quiet=True).watching("lr-range", [("a", RUN)], tmp_path) as poll:
        poll()
    assert capsys.readouterr() == ("", "")


def test_bars_on_a_terminal_go_to_stderr_and_leave_nothing_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = Progress()
    assert shown.console.is_terminal
    with shown.watching("lr-range", [("a", RUN)], tmp_path) as poll:
        writer(tmp_path, RUN, 50).close()
        poll()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "lr-range" in captured.err
    assert "1cycle to 0.1" in captured.err
    assert "loss 0.25, metric 0.9" in captured.err


def test_a_run_that_was_begun_early_is_told_when_it_ends_or_in_the_round_that_waits_for_it(tmp_path, capsys):
    told = Progress()
    with told.watching("confirm", [("a", RUN)], tmp_path) as poll:
        told.early("confirm", [("b", CHILD), ("c", CHILD)], tmp_path)
        poll()
        writer(tmp_path, CHILD, 80, 100, name="b").finish("finished", {})
        poll()
        told.early("confirm", [("c", CHILD)], tmp_path)
        poll()
    with told.watching("confirm", [("c", CHILD)], tmp_path) as poll:
        writer(tmp_path, CHILD, 80, 100, name="c").finish("finished", {})
        poll()
    assert capsys.readouterr().err.splitlines() == [
        "confirm: 1cycle to 0.1 (100 iterations)",
        "confirm: 1cycle to 0.1, begun early since it is needed in any case: loss 0.25, metric 0.9, 1.5 s of training",
        "confirm: 1cycle to 0.1 (40 iterations)",
        "confirm: 1cycle to 0.1: loss 0.25, metric 0.9, 1.5 s of training",
    ]
    assert told.whole.worked == amount(RUN) + 2 * amount(CHILD)
