"""Columns are found by the names that people use; what could be two things is an error that lists them."""

from pathlib import Path

import pytest

from hpcheck.curves.columns import assign
from hpcheck.curves.files import load_one
from hpcheck.curves.names import is_worse_when_higher
from hpcheck.curves.table import Row, Table
from tests.support.read_cases import falling


def table(*names: str, rows: int = 3) -> Table:
    return Table(tuple(Row(line, dict.fromkeys(names, 1.0)) for line in range(2, 2 + rows)))


@pytest.mark.parametrize(
    ("quantity", "name"),
    [
        *[("step", name) for name in ("iteration", "Iter", "#Iters", "step", "global_step", "NumIters", "trainer/global_step", "epoch")],
        *[
            ("lr", name)
            for name in ("lr", "learning_rate", "LearningRate", "lr-SGD", "train/learning_rate", "lr-Adam/pg1", "lr-AdamW", "base_lr")
        ],
        *[("val_loss", name) for name in ("val_loss", "test_loss", "Validation Loss", "eval/loss", "valid loss", "valLoss", "Loss/test")],
        *[("val_loss", name) for name in ("validation/epoch_loss", "val_loss_epoch", "test loss", "val_loss/dataloader_idx_0")],
        *[("train_loss", name) for name in ("train_loss", "loss", "Training loss", "train/loss_step", "Loss/train")],
        *[
            ("accuracy", name)
            for name in ("val_acc", "test_accuracy", "accuracy", "eval_acc", "val_top1", "metric", "test Accuracy", "test_error")
        ],
        *[("accuracy", name) for name in ("val_sparse_categorical_accuracy", "validation/epoch_accuracy", "accuracy_val")],
        *[("momentum", name) for name in ("momentum", "Momentum", "mom", "lr-SGD-momentum")],
        *[("weight_decay", name) for name in ("weight_decay", "wd", "weight decay", "WeightDecay")],
    ],
)
def test_a_name_that_people_use_is_found(quantity: str, name: str) -> None:
    names = (name,) if quantity == "val_loss" else (name, "val_loss")
    found, wrong = assign(table(*names), {})
    assert found[quantity] == name
    assert not wrong


@pytest.mark.parametrize(
    "name", ["train_accuracy", "eval_runtime", "eval_steps_per_second", "val_top5", "loss_scale", "lr_scale", "grad_norm"]
)
def test_a_name_that_means_something_else_is_not_taken(name: str) -> None:
    found, wrong = assign(table("step", "val_loss", name), {})
    assert found == {"step": "step", "val_loss": "val_loss"}
    assert not wrong


def test_of_a_steps_training_loss_and_an_epochs_the_epochs_is_taken() -> None:
    found, wrong = assign(table("step", "train_loss_step", "val_loss", "train_loss_epoch", "lr-AdamW", "lr-AdamW-momentum"), {})
    assert (found["train_loss"], found["lr"], found["momentum"], wrong) == ("train_loss_epoch", "lr-AdamW", "lr-AdamW-momentum", [])


def test_two_validation_losses_are_an_error_that_lists_them() -> None:
    _, wrong = assign(table("step", "val_loss", "valid_loss", "lr"), {})
    (one,) = wrong
    assert one.problem == "several columns could be the validation loss"
    assert one.got == "'val_loss', 'valid_loss'"
    assert "--val-loss" in one.expected


def test_a_validation_loss_goes_before_a_test_loss() -> None:
    found, wrong = assign(table("step", "test_loss", "val_loss"), {})
    assert (found["val_loss"], wrong) == ("val_loss", [])


def test_no_loss_at_all_is_an_error_that_lists_every_column() -> None:
    _, (one,) = assign(table("step", "reward", "lr"), {})
    assert one.got == "the columns 'step', 'reward', 'lr'"


def test_a_training_loss_is_taken_where_there_is_no_other() -> None:
    found, wrong = assign(table("step", "loss", "lr"), {})
    assert (found, wrong) == ({"step": "step", "lr": "lr", "train_loss": "loss"}, [])


def test_the_columns_that_the_user_names_are_taken() -> None:
    found, wrong = assign(table("t", "eta", "holdout nll", "loss"), {"step": "t", "lr": "eta", "val_loss": "Holdout NLL"})
    assert found == {"step": "t", "lr": "eta", "val_loss": "holdout nll", "train_loss": "loss"}
    assert not wrong


def test_a_column_that_is_taken_is_nothing_else_too() -> None:
    found, _ = assign(table("step", "loss"), {"val_loss": "loss"})
    assert found == {"step": "step", "val_loss": "loss"}


def test_a_column_that_is_not_there_is_an_error_with_a_suggestion() -> None:
    _, (one,) = assign(table("step", "val_loss"), {"val_loss": "vall_loss"})
    assert one.problem == "--val-loss: no column 'vall_loss'; did you mean 'val_loss'?"


def test_the_metric_is_of_the_same_split_as_the_loss() -> None:
    found, wrong = assign(table("step", "val_loss", "test_loss", "val_acc", "test_acc"), {"val_loss": "test_loss"})
    assert found["accuracy"] == "test_acc"
    assert not wrong


def test_iterations_come_before_epochs_and_training_loss_before_loss() -> None:
    found, wrong = assign(table("epoch", "iter", "loss", "train_loss", "val_loss"), {})
    assert (found["step"], found["train_loss"]) == ("iter", "train_loss")
    assert not wrong


def test_a_summary_of_one_value_is_no_curve_beside_one_of_many() -> None:
    rows = [Row(1, {"step": 1, "loss": 2.0, "val_loss": 1.0}), Row(2, {"step": 2, "loss": 1.0}), Row(3, {"train_loss": 1.5})]
    assert assign(Table(tuple(rows)), {})[0]["train_loss"] == "loss"


@pytest.mark.parametrize(("name", "worse"), [("val_acc", False), ("test_error", True), ("val perplexity", True), ("metric", False)])
def test_the_direction_of_a_metric_is_in_its_name(name: str, worse: bool) -> None:
    assert is_worse_when_higher(name) is worse


@pytest.mark.parametrize("name", ["optim/lr", "lr_backbone", "learning_rate/all", "opt.lr"])
def test_a_learning_rate_of_any_other_name_is_found(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{i},0.1,{loss}\n" for i, loss in enumerate(falling(12)))
    (tmp_path / "a.csv").write_text(f"epoch,{name},val_loss\n{rows}")
    assert load_one(tmp_path / "a.csv", {}).columns["lr"] == name


@pytest.mark.parametrize("name", ["lr_decay", "max_lr", "lr_scale"])
def test_a_setting_of_the_schedule_is_no_learning_rate(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{i},0.1,{loss}\n" for i, loss in enumerate(falling(12)))
    (tmp_path / "a.csv").write_text(f"epoch,{name},val_loss\n{rows}")
    assert "lr" not in load_one(tmp_path / "a.csv", {}).columns


@pytest.mark.parametrize("name", ["tokens_seen", "consumed samples", "total_timesteps"])
def test_what_was_seen_counts_where_nothing_else_does(tmp_path: Path, name: str) -> None:
    rows = "".join(f"{100 * i},{loss}\n" for i, loss in enumerate(falling(12)))
    (tmp_path / "a.csv").write_text(f"{name},val_loss\n{rows}")
    assert load_one(tmp_path / "a.csv", {}).columns["step"] == name
