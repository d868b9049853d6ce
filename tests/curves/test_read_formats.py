"""Curves come out of every format as they went in, and what cannot be read is said with its file and line."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all, load_one
from hpcheck.curves.load import Loaded
from hpcheck.curves.numbers import number
from hpcheck.terminal.stdout import printable
from tests.support.read_cases import caffe_log, csv, falling, record, trainer_log


def load(path: Path, **wanted: str) -> Loaded:
    return load_one(path, wanted)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def refused(*paths: Path, **wanted: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_all(paths, wanted)
    return str(error.value).splitlines()


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "+NAN", "-nan(ind)", "nan(snan)", "1.#QNAN", "-1.#IND"])
def test_nan_in_any_spelling_is_a_value(text: str) -> None:
    found = number(text)
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize(
    ("text", "value"), [("inf", math.inf), ("-Infinity", -math.inf), ("1.#INF", math.inf), ("1e999", math.inf), (" 2 ", 2)]
)
def test_infinities_in_any_spelling_are_values(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "-", "None", "null", "N/A", None])
def test_what_was_not_measured_is_not_nan(text: str | None) -> None:
    assert number(text) is None


@pytest.mark.parametrize("cell", ["1_000", "abc", "1,5", True, [1]])
def test_what_is_no_number_is_refused(cell: object) -> None:
    with pytest.raises(ValueError, match=r"not a number|could not convert"):
        number(cell)


@pytest.mark.parametrize(
    "text",
    [
        "step,lr,val_loss\n10,0.5,2\n20,0.6,1\n",
        "step;lr;val_loss\n10;0,5;2\n20;0,6;1\n",
        "step\tlr\tval_loss\r\n10\t0.5\t2\r\n20\t0.6\t1\r\n",
        "step | lr | val_loss\n10 | 0.5 | 2\n20 | 0.6 | 1",
        "# step  lr val_loss\n10  0.5   2\n20  0.6   1\n",
        '\ufeff"step","lr","val_loss"\n"10","0.5","2"\n\n# a comment\n"20","0.6","1"\n',
    ],
)
def test_any_delimiter_is_found(tmp_path: Path, text: str) -> None:
    found = load(written(tmp_path / "a.csv", text))
    assert found.format == "csv"
    assert found.curve.step.tolist() == [10, 20]
    assert found.curve.lr.tolist() == [0.5, 0.6]
    assert found.curve.val_loss.tolist() == [2, 1]


def test_a_csv_in_utf_16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("step,val_loss\n1,2\n2,1\n".encode("utf-16"))
    assert load(path).curve.val_loss.tolist() == [2, 1]


def test_training_rows_between_evaluations_are_merged_by_step(tmp_path: Path) -> None:
    text = "step,lr,train_loss,val_loss\n5,0.1,3,\n10,0.2,1,\n10,,,2.5\n15,0.3,4,\n20,,,1.5\n30,,,1.0\n"
    curve = load(written(tmp_path / "a.csv", text)).curve
    assert curve.step.tolist() == [10, 20, 30]
    assert curve.lr.tolist() == pytest.approx([0.2, 0.3, 0.3])
    assert curve.train_loss is not None
    np.testing.assert_allclose(curve.train_loss, [2, 4, np.nan])


def test_lr_that_was_logged_between_evaluations_lies_on_the_line_between_its_neighbours(tmp_path: Path) -> None:
    curve = load(written(tmp_path / "a.csv", "step,lr,val_loss\n0,0,\n5,,2\n10,1,\n")).curve
    assert curve.lr.tolist() == [0.5]


def test_a_row_that_is_cut_short_at_the_end_is_passed_over(tmp_path: Path) -> None:
    found = load(written(tmp_path / "a.csv", "step,val_loss\n1,2\n2,1\n3"))
    assert len(found.curve) == 2
    assert found.notes[0] == "line 4, the last, is cut short and is passed over"


def test_a_resumed_run_replaces_what_it_repeats(tmp_path: Path) -> None:
    rows = [f"{step},{1 / step}" for step in (10, 20, 30, 40, 30, 40, 50)]
    found = load(written(tmp_path / "a.csv", "\n".join(["step,val_loss", *rows])))
    assert found.curve.step.tolist() == [10, 20, 30, 40, 50]
    assert "line 6: back to step 30" in found.notes[0]


def test_steps_that_start_over_in_every_epoch_are_refused(tmp_path: Path) -> None:
    rows = [f"{i % 10},{1 / (1 + i)}" for i in range(100)]
    (line,) = refused(written(tmp_path / "a.csv", "\n".join(["iter,val_loss", *rows])))
    assert "iter: the steps go back or stand still 9 times" in line
    assert "--step" in line


def test_rows_are_counted_where_no_column_counts_steps(tmp_path: Path) -> None:
    found = load(written(tmp_path / "a.csv", "lr,val_loss\n0.1,3\n0.2,2\n"))
    assert found.curve.step.tolist() == [1, 2]
    assert "no column counts the steps" in found.notes[0]


def test_what_is_wrong_with_every_file_is_said_at_once_in_a_line_for_each_cause(tmp_path: Path) -> None:
    one = written(tmp_path / "one.csv", "step,val_loss\n1,2\n2,abc\n3\n4,xx\n")
    two = written(tmp_path / "two.jsonl", '{"step": 1, "val_loss": 1}\nnonsense\n')
    lines = refused(one, tmp_path / "none.csv", two)
    assert lines == [
        f"error: {one}:3: val_loss: not a number, as in 1 more lines (got 'abc'; expected a number, or nothing)",
        f"error: {one}:4: a row of another length (got 1 cells; expected 2, as the header has)",
        f"error: {tmp_path / 'none.csv'}: no such file or directory",
        f"error: {two}:2: not a JSON object (got 'nonsense'; expected one object a line, such as {{...}})",
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty file"),
        (b"1,2\n3,4\n", "no header"),
        (b"step,loss,loss\n1,2,3\n", "a column twice"),
        (b"step,val_loss\n1,\n2,\n", "no loss in any row"),
        (b"step,val_loss\nnan,1\n", "a validation loss without a step"),
        (b"\x89PNG\r\n\x1a\n\xff\xd8", "not text"),
        (b"step,val_loss\n1,\x00\n", "not text"),
    ],
)
def test_a_file_that_holds_no_curve_is_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (line,) = refused(path)
    assert line.startswith(f"error: {path}")
    assert problem in line


def test_a_directory_without_event_files_is_refused(tmp_path: Path) -> None:
    assert "a directory" in refused(tmp_path)[0]


def test_what_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    (line,) = refused(written(tmp_path / "a.csv", "step,val_loss\n1,\x1b[2J\n"))
    assert "\x1b" not in line
    assert printable("a\x1b]0;b\x07\u202e") == "a\\x1b]0;b\\x07\\u202e"


def test_hpchecks_own_record_is_read(tmp_path: Path) -> None:
    found = load(record(tmp_path / "a.jsonl", falling(10), "diverged"))
    assert (found.format, found.unit) == ("jsonl", "step")
    assert found.curve.step.tolist() == [10 * i for i in range(1, 11)]
    assert found.curve.weight_decay == 1e-3
    assert found.curve.momentum is not None
    assert found.curve.accuracy is not None
    assert found.curve.diverged


def test_an_altered_record_is_read_up_to_there(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", falling(10))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:5], lines[5].replace("1", "2", 1), *lines[6:]]))
    found = load(path)
    assert len(found.curve) == 4
    assert found.notes == ("line 6 is torn or altered: read up to there",)


def test_a_record_that_goes_on_is_read_and_said_to(tmp_path: Path) -> None:
    assert load(record(tmp_path / "a.jsonl", falling(10), None)).notes == ("the run is not finished",)


def test_a_trainers_log_with_missing_keys_is_read(tmp_path: Path) -> None:
    found = load(trainer_log(tmp_path / "a.jsonl", [3.0, 2.0, 1.0]))
    assert found.columns == {
        "step": "step",
        "lr": "learning_rate",
        "val_loss": "eval_loss",
        "train_loss": "loss",
        "accuracy": "eval_accuracy",
    }
    assert found.curve.step.tolist() == [10, 20, 30]
    assert found.curve.train_loss is not None
    np.testing.assert_allclose(found.curve.train_loss, [2.925, 1.925, 0.925])


def test_a_trainer_state_is_the_same_curve_as_its_lines(tmp_path: Path) -> None:
    lines = trainer_log(tmp_path / "a.jsonl", falling(12))
    history = [json.loads(line) for line in lines.read_text().splitlines()]
    state = written(tmp_path / "trainer_state.json", json.dumps({"best_metric": None, "log_history": history}, indent=2))
    assert load(state).curve.val_loss.tolist() == load(lines).curve.val_loss.tolist()


def test_lines_that_python_printed_are_read(tmp_path: Path) -> None:
    lines = "{'epoch': 1, 'val_loss': 2.0, 'ok': True}\n{'epoch': 2, 'val_loss': nan}\n{\"epoch\": 3, \"val_loss\": Infinity}\n"
    found = load(written(tmp_path / "a.log", lines))
    np.testing.assert_equal(found.curve.val_loss, [2.0, np.nan, np.inf])


def test_objects_inside_objects_have_both_names(tmp_path: Path) -> None:
    found = load(written(tmp_path / "a.jsonl", '{"step": 1, "eval": {"loss": 2.0}}\n{"step": 2, "eval": {"loss": 1.0}}\n'))
    assert found.columns["val_loss"] == "eval/loss"


def test_caffes_log_is_read(tmp_path: Path) -> None:
    found = load(caffe_log(tmp_path / "log", [2.0, 1.5, 1.0], [0.1, 0.2, 0.3]))
    curve = found.curve
    assert (found.format, found.unit) == ("caffe", "iteration")
    assert curve.step.tolist() == [100, 200, 300]
    assert curve.lr.tolist() == [0.1, 0.2, 0.3]
    assert curve.val_loss.tolist() == [2.0, 1.5, 1.0]
    assert curve.train_loss is not None
    assert curve.accuracy is not None
    assert curve.momentum is not None
    np.testing.assert_allclose(curve.train_loss, [1.9, 1.4, 0.9])
    np.testing.assert_allclose(curve.accuracy, [1 / 3, 0.5, 2 / 3], rtol=1e-5)
    assert curve.momentum.tolist() == [0.9] * 3
    assert curve.weight_decay == 0.0005


def test_the_papers_own_caffe_states_momentum_and_weight_decay_beside_lr(tmp_path: Path) -> None:
    curve = load(caffe_log(tmp_path / "log", [2.0, 1.0], [0.1, 0.2], ", momentum = 0.86, weight decay = 0.0001")).curve
    assert curve.momentum is not None
    assert curve.momentum.tolist() == [0.86, 0.86]
    assert curve.weight_decay == 0.0001


def test_caffes_nan_and_its_torn_last_line(tmp_path: Path) -> None:
    path = caffe_log(tmp_path / "log", [2.0, math.nan], [0.1, 0.2])
    path.write_text(
        path.read_text() + "I0321 1 solver.cpp:330] Iteration 300, Testing net (#0)\nI0321 1 x]     Test net output #1: loss = 0.3"
    )
    np.testing.assert_equal(load(path).curve.val_loss, [2.0, np.nan])


def test_a_format_that_is_named_is_not_guessed(tmp_path: Path) -> None:
    path = caffe_log(tmp_path / "log", [2.0, 1.0], [0.1, 0.2])
    assert load_one(path, {}, "caffe").format == "caffe"
    with pytest.raises(ConfigError):
        load_one(path, {}, "csv")


def test_long_curves_are_averaged_down_and_said_to_be(tmp_path: Path) -> None:
    losses = [*falling(999), math.nan]
    found = load(csv(tmp_path / "a.csv", losses))
    assert len(found.curve) == 400
    assert found.evaluations == 1000
    assert math.isnan(found.curve.val_loss[-1])
    assert found.curve.val_loss[0] == pytest.approx(np.mean(losses[:3]))
    assert "averaged down to 400" in found.notes[-1]


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        csv(tmp_path / folder / "log.csv", falling(10))
    found = load_all([tmp_path / "a" / "log.csv", tmp_path / "b" / "log.csv"], {})
    assert [one.curve.label for one in found] == ["a/log", "b/log"]


def test_event_files_without_tensorboard_say_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    (line,) = refused(written(tmp_path / "events.out.tfevents.1", ""))
    assert "needs the package tensorboard" in line
    assert "pip install 'hpcheck[tensorboard]'" in line
