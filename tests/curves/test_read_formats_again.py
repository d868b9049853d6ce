"""Kinds of faults that a second look at logs from public repositories showed; the inputs here are our own."""

import json
from pathlib import Path

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.describe import conclusions
from hpcheck.curves.files import load_all
from hpcheck.curves.judge import read_all
from hpcheck.curves.load import Loaded
from tests.support.read_cases import falling

LOSSES = falling(12)


def load(path: Path, text: str) -> list[Loaded]:
    path.write_text(text)
    return load_all([path], {})


def table(header: str, *cells: str) -> str:
    """A row for each loss: its number, the loss, and these further cells."""
    return "\n".join([header, *(",".join([str(i), str(loss), *cells]) for i, loss in enumerate(LOSSES))])


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("test_error.csv", "validation"),  # as CatBoost names its files
        ("learn_error.csv", "training"),
        ("val.csv", "validation"),
        ("valid_log.csv", "validation"),
        ("test.csv", "training"),  # may be a try
        ("test_run_metrics.csv", "training"),
    ],
)
def test_the_files_name_tells_the_split_that_no_column_tells(tmp_path: Path, name: str, of: str) -> None:
    (found,) = load(tmp_path / name, table("iter,Logloss"))
    assert found.of == of
    assert any("the file's name says" in note for note in found.notes) == (of == "validation")


def test_a_split_in_a_column_goes_before_the_files_name(tmp_path: Path) -> None:
    (found,) = load(tmp_path / "val_log.csv", table("epoch,train_loss"))
    assert found.of == "training"


@pytest.mark.parametrize(
    ("loss", "other"),
    [
        ("val_loss", "tr_loss"),
        ("te_loss", "tr_loss"),
        ("loss_cv", "loss_tr"),
        ("vali_loss", "train_loss"),
        ("vld_loss", "trn_loss"),
        ("heldout_loss", "training_loss"),
        ("val_bce", "train_bce"),
        ("test_loss", "learn_loss"),
        ("val_MultiClass", "train_MultiClass"),
        ("val_tot_loss", "train_tot_loss"),
    ],
)
def test_splits_and_losses_in_further_spellings(tmp_path: Path, loss: str, other: str) -> None:
    (found,) = load(tmp_path / "a.csv", table(f"epoch,{loss},{other}", "1"))
    assert (found.columns["val_loss"], found.columns["train_loss"]) == (loss, other)


@pytest.mark.parametrize("counter", ["episode", "n_epoch", "generation", "ep"])
def test_further_counters(tmp_path: Path, counter: str) -> None:
    (found,) = load(tmp_path / "a.csv", table(f"{counter},val_loss"))
    assert found.columns["step"] == counter


def test_of_a_current_and_a_total_loss_the_total_is_read(tmp_path: Path) -> None:
    rows = [f"{tag},{i},{loss}" for tag in ("train/current_loss", "train/tot_loss") for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.csv", "\n".join(["tag,step,value", *rows]))
    assert found.columns["train_loss"] == "train/tot_loss"


def test_rows_that_are_logged_twice_are_read_once(tmp_path: Path) -> None:
    rows = [f"{i},{loss}" for i, loss in enumerate(LOSSES) for _ in range(2)]
    (found,) = load(tmp_path / "a.csv", "\n".join(["step,val_loss", *rows]))
    assert found.evaluations == len(LOSSES)
    assert f"{len(LOSSES)} evaluations are in the file twice" in found.notes


@pytest.mark.parametrize("said", ["Early stopping, best iteration is:", "Stopping. Best iteration:"])
def test_the_best_iteration_that_boosting_repeats_is_no_step_back(tmp_path: Path, said: str) -> None:
    lines = [f"[{10 * i}]\tvalid_0's binary_logloss: {loss}" for i, loss in enumerate(LOSSES, start=1)]
    (found,) = load(tmp_path / "a.log", "\n".join([*lines, said, lines[5], ""]))
    assert found.evaluations == len(LOSSES)
    assert not any("resume" in note for note in found.notes)


def test_the_runs_of_a_cross_validation_are_read_one_by_one(tmp_path: Path) -> None:
    folds = []
    for count in (12, 9, 10):
        lines = [f"[{10 * i}]\tvalid_0's rmse: {loss}" for i, loss in enumerate(falling(count), start=1)]
        folds += ["Training until validation scores don't improve", *lines, "Early stopping, best iteration is:", lines[3]]
    assert [one.evaluations for one in load(tmp_path / "a.log", "\n".join(folds))] == [12, 9, 10]


def test_a_count_in_brackets_at_the_beginning_of_a_line_is_the_epoch(tmp_path: Path) -> None:
    lines = [f"[{i}/100] Train Loss: {loss}, Valid Loss: {loss}" for i, loss in enumerate(LOSSES, start=1)]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert (found.columns["step"], found.curve.step[0], found.curve.step[-1]) == ("epoch", 1.0, 12.0)


@pytest.mark.parametrize(("metric", "told"), [("mAP50", False), ("val_acc", True)])
def test_an_average_precision_that_stays_at_its_best_is_no_constant_answer(tmp_path: Path, metric: str, told: bool) -> None:
    """An accuracy that keeps returning to one value may be the largest class's share; no constant answer has an average precision."""
    rows = [f"{i},{loss},{min(0.2 + 0.2 * i, 0.995)}" for i, loss in enumerate(LOSSES)]
    found = read_all(load(tmp_path / "a.csv", "\n".join([f"epoch,val_loss,{metric}", *rows])))
    assert any("again and again" in line for line in conclusions(found.readings[0])) == told


def test_options_that_speak_of_epochs_count_nothing(tmp_path: Path) -> None:
    rows = [f"[ ({i} ) Loss: {loss}, valid_Loss: {loss}]" for i, loss in enumerate(LOSSES)]
    lines = ["Namespace(max_epoch=200, resume_epoch=100, save_epoch=10)", *rows]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert (found.evaluations, found.unit) == (len(LOSSES), "row")


def test_options_in_json_may_stand_above_a_console_log(tmp_path: Path) -> None:
    options = '{\n    "data_size": {\n        "train": 97976\n    }\n}\n'
    lines = [f"Epoch {i} train loss: {loss} val loss: {loss}" for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.log", options + "\n".join(lines))
    assert (found.format, found.evaluations) == ("console", len(LOSSES))


def test_a_last_evaluation_that_is_logged_again_is_no_new_epoch(tmp_path: Path) -> None:
    rows = [{"eval_loss": loss, "epoch": 1.0 + i, "step": 100 * (i + 1)} for i, loss in enumerate(LOSSES[:3])]
    text = "\n".join(json.dumps(row) for row in [*rows, rows[-1], rows[-1]])
    (found,) = load(tmp_path / "log_history.jsonl", text)
    assert (found.columns["step"], found.evaluations) == ("step", 3)


def test_columns_of_a_file_of_losses_are_runs(tmp_path: Path) -> None:
    rows = [f"{i},{loss},{loss + 0.1}" for i, loss in enumerate(LOSSES)]
    text = "\n".join(["Epoch,Independent,Sigmoid0.5", *rows])
    assert [one.curve.label for one in load(tmp_path / "losses.csv", text)] == ["Independent", "Sigmoid0.5"]
    assert [one.of for one in load(tmp_path / "val_losses.csv", text)] == ["validation", "validation"]
    with pytest.raises(ConfigError, match="no column is a loss by its name"):
        load(tmp_path / "rates.csv", text)


def test_the_one_test_loss_after_a_training_is_no_curve(tmp_path: Path) -> None:
    lines = [*(f"Epoch [{100 * i}/1200], Loss: {loss}" for i, loss in enumerate(LOSSES, start=1)), "Test Loss (Normalized): 0.0117"]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert (found.of, found.evaluations) == ("training", len(LOSSES))
