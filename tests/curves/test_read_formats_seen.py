"""Kinds of faults that logs from public repositories showed; the inputs here are our own."""

import json
from pathlib import Path

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all
from hpcheck.curves.load import Loaded
from tests.support.read_cases import falling

LOSSES = falling(12)


def load(path: Path, text: str) -> list[Loaded]:
    path.write_text(text)
    return load_all([path], {})


def refused(path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        load(path, text)
    (line,) = str(error.value).splitlines()
    return line


def test_losses_of_two_trainings_in_one_file_are_not_summed(tmp_path: Path) -> None:
    """Their names are those of parts, but they lie in other rows."""
    text = json.dumps({"reg_val_loss": LOSSES, "cls_val_loss": falling(7)})
    assert "several columns could be the validation loss" in refused(tmp_path / "a.json", text)


def test_a_table_of_runs_is_no_curve(tmp_path: Path) -> None:
    rows = [f"run {i},finished,2026-01-01,0.1,{loss}" for i, loss in enumerate(LOSSES)]
    assert "a table of runs" in refused(tmp_path / "a.csv", "\n".join(["Name,State,Created,lr,val/loss", *rows]))


def test_a_path_that_all_arrays_share_is_no_part_of_their_names(tmp_path: Path) -> None:
    (found,) = load(tmp_path / "a.json", json.dumps({"history": {"train_loss": LOSSES, "val_loss": LOSSES, "val_acc": LOSSES}}))
    assert found.columns == {"val_loss": "val_loss", "train_loss": "train_loss", "accuracy": "val_acc"}


def test_a_loss_beside_a_training_loss_is_not_called_absent(tmp_path: Path) -> None:
    (found,) = load(tmp_path / "a.csv", "\n".join(["epoch,loss,train_loss", *(f"{i},{loss},1" for i, loss in enumerate(LOSSES))]))
    assert (found.of, found.columns["train_loss"]) == ("training", "train_loss")
    assert "if 'loss' is of validation, --val-loss says so" in found.notes[0]


@pytest.mark.parametrize("name", ["x/lr2", "lr/pg1", "learning-rate"])
def test_the_learning_rate_of_yolo_is_found(tmp_path: Path, name: str) -> None:
    (found,) = load(tmp_path / "a.csv", "\n".join([f"epoch,{name},val_loss", *(f"{i},0.1,{loss}" for i, loss in enumerate(LOSSES))]))
    assert found.columns["lr"] == name


def test_of_two_mean_average_precisions_the_stricter_is_taken(tmp_path: Path) -> None:
    header = "epoch,metrics/mAP_0.5,metrics/mAP_0.5:0.95,val_loss"
    (found,) = load(tmp_path / "a.csv", "\n".join([header, *(f"{i},0.5,0.3,{loss}" for i, loss in enumerate(LOSSES))]))
    assert found.columns["accuracy"] == "metrics/mAP_0.5:0.95"


def test_a_line_that_says_evaluating_is_of_the_next_lines_values(tmp_path: Path) -> None:
    lines = [
        f"epoch: {i}, loss is: {loss - 0.1}, acc is: 0.5\nEvaluating ...\nepoch: {i}, loss is: {loss}" for i, loss in enumerate(LOSSES)
    ]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.of == "validation"
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES)


def test_a_line_that_says_training_changes_no_name(tmp_path: Path) -> None:
    lines = [f"[Epoch {i}] Training ====\nStep: 1 | Loss: {loss}\nStep: 41 | Loss: {loss - 0.01}" for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert (found.columns["train_loss"], found.evaluations) == ("Loss", 24)


def test_epochs_that_start_over_are_another_run_wherever_its_loss_begins(tmp_path: Path) -> None:
    """A network that was trained before begins where the one before it ended, or below."""
    lines = [
        f"[{name} | Epoch {i}/12] Val Loss: {factor * loss}"
        for name, factor in (("cnn", 1), ("tuned", 0.1))
        for i, loss in enumerate(LOSSES, 1)
    ]
    assert [one.evaluations for one in load(tmp_path / "a.log", "\n".join(lines))] == [12, 12]


def test_quantities_in_chinese_are_read(tmp_path: Path) -> None:
    lines = [f"Epoch {i} 完成 | 训练损失: {loss - 0.1} | 验证损失: {loss} | 时间: 385.8s" for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES)


@pytest.mark.parametrize("mark", ["# ", "> ", "#", "    "])
def test_a_log_that_was_pasted_as_a_comment_is_read(tmp_path: Path, mark: str) -> None:
    lines = [f"{mark}[{i}]\ttrain-rmse:{loss - 0.1}\teval-rmse:{loss}" for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.columns["step"] == "iteration"
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES)


def test_values_in_brackets_are_read_and_the_plain_loss_is_taken(tmp_path: Path) -> None:
    lines = [f"INFO : Epoch: [{i}][300/320]\t Loss [ {loss}] Avg Loss [ 9.0] Accuracy 0.587" for i, loss in enumerate(LOSSES)]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.columns["train_loss"] == "Loss"
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES)


def test_a_first_value_before_any_counter_is_passed_over_and_said(tmp_path: Path) -> None:
    lines = [
        "235/235 - loss: 3.0 - val_loss: 3.0",
        *(f"Epoch {i}/20\n235/235 - val_loss: {loss}" for i, loss in enumerate(LOSSES, start=2)),
    ]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.evaluations == 12
    assert "1 losses without a step are passed over, the first in line 1" in found.notes


def test_yolos_printed_table_is_a_training_loss_in_parts(tmp_path: Path) -> None:
    lines = ["engine\\trainer: task=detect, lr0=0.01, momentum=0.937, box=7.5, cls=0.5", "Starting training for 12 epochs..."]
    for i, loss in enumerate(LOSSES, start=1):
        lines += ["      Epoch    GPU_mem   box_loss   cls_loss  Instances       Size"]
        lines += [f"      {i}/12      1.76G      {loss:.4f}      {2 * loss:.4f}          5        512: 100%|####| 265/265 [02:07<00:00]"]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert (found.of, found.columns) == ("training", {"step": "epoch", "train_loss": "box_loss + cls_loss"})
    assert found.curve.val_loss.tolist() == pytest.approx([3 * loss for loss in LOSSES], abs=1e-3)


def test_several_runs_of_several_files_have_labels_of_their_own(tmp_path: Path) -> None:
    rows = [f"{i},{loss}" for seed in (0, 1) for i, loss in enumerate(falling(12, seed=seed))]
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("\n".join(["epoch,val_loss", *rows]))
    labels = [one.curve.label for one in load_all([tmp_path / "a.csv", tmp_path / "b.csv"], {})]
    assert labels == ["a run 1", "a run 2", "b run 1", "b run 2"]


def test_long_stretches_of_spaces_and_words_are_read_in_no_time(tmp_path: Path) -> None:
    lines = ["loss" + " " * 9000 + "x", "val " * 2400, *(f"epoch {i} val_loss: {loss}" for i, loss in enumerate(LOSSES))]
    (found,) = load(tmp_path / "a.log", "\n".join(lines))
    assert found.evaluations == 12


def test_more_than_a_million_rows_are_refused(tmp_path: Path) -> None:
    assert "more than 1,000,000 rows" in refused(tmp_path / "a.jsonl", "{}\n" * 1_000_001)


def test_runs_of_other_lengths_are_apart_though_their_iterations_start_over(tmp_path: Path) -> None:
    """Detectron2 appends; the epochs of one run would all be of one length."""
    parts = [falling(9), [9 * loss for loss in falling(12)], falling(10)]
    text = "".join(json.dumps({"iteration": 20 * i, "lr": 0.1, "total_loss": v}) + "\n" for part in parts for i, v in enumerate(part))
    assert [len(one.curve) for one in load(tmp_path / "metrics.json", text)] == [9, 12, 10]


def test_a_total_of_epochs_is_no_epoch(tmp_path: Path) -> None:
    lines = "".join(f"[train] epoch:{i} iter:0/18 0.00% lr:0.001 loss:{loss:.4f}\n" for i, loss in enumerate(LOSSES))
    (found,) = load(tmp_path / "a.log", f"Total Epoch:300 Training num:288\n{lines}")
    assert list(found.curve.step) == list(range(12))
    assert not any("starts over" in note for note in found.notes)


@pytest.mark.parametrize("names", [("train_disc_loss", "train_gen_loss"), ("d_X_loss", "g_loss")])
def test_of_losses_that_none_is_the_whole_it_is_asked_which(tmp_path: Path, names: tuple[str, str]) -> None:
    rows = "".join(f"{i},{loss},{loss}\n" for i, loss in enumerate(LOSSES))
    line = refused(tmp_path / "a.csv", f"iteration,{','.join(names)}\n{rows}")
    assert f"several columns could be the training loss (got {', '.join(map(repr, names))}" in line


def test_a_progress_bars_batches_are_counted(tmp_path: Path) -> None:
    lines = "".join(f"INFO - {i}%|#   | {i}.00/171 [00:00<02:39, 1.07batch/s, loss={loss:.4f}]\n" for i, loss in enumerate(LOSSES))
    (found,) = load(tmp_path / "a.log", f"INFO - 0epoch [00:00, ?epoch/s]\n{lines}")
    assert len(found.curve) == 12


def test_an_accuracy_of_any_other_name_is_the_metric(tmp_path: Path) -> None:
    rows = "".join(f"{i},{loss},{1 - loss / 3}\n" for i, loss in enumerate(LOSSES))
    (found,) = load(tmp_path / "a.csv", f"epoch,val_loss,val_out_caps_acc\n{rows}")
    assert found.columns["accuracy"] == "val_out_caps_acc"
