"""Files whose columns need more than a name: JSON by columns, losses in parts, a training loss alone, W&B's exports."""

import json
import math
from pathlib import Path

import pytest

from hpcheck.__main__ import run
from hpcheck.config.problems import ConfigError
from hpcheck.curves import judge
from hpcheck.curves.files import load_all, load_one
from tests.support.read_cases import csv, falling, noise, turning


def rising_again(count: int = 40) -> list[float]:
    """A loss that overfits: it turns at two fifths."""
    return [0.3 + 2.2 * math.exp(-6 * i / count) + 0.02 * max(0, i - 0.4 * count) + 0.003 * (-1) ** i for i in range(count)]


@pytest.mark.parametrize("indent", [None, 2])
def test_json_by_columns_is_read_pretty_or_on_one_line(tmp_path: Path, indent: int | None) -> None:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"loss": falling(40, end=0.2), "val_loss": rising_again(), "val_accuracy": [0.5] * 40}, indent=indent))
    found = load_one(path, {})
    assert (found.format, found.evaluations) == ("json", 40)
    assert found.columns == {"val_loss": "val_loss", "train_loss": "loss", "accuracy": "val_accuracy"}
    assert found.curve.val_loss.tolist() == pytest.approx(rising_again())


def test_an_lr_finders_json_is_a_training_loss_over_the_lr(tmp_path: Path) -> None:
    path = tmp_path / "lr_finder.json"
    path.write_text(json.dumps({"lrs": [1e-6 * 1.2**i for i in range(60)], "losses": [2.3] * 20 + falling(40)}, indent=4))
    found = load_one(path, {})
    assert (found.of, found.columns) == ("training", {"lr": "lrs", "train_loss": "losses"})


def test_arrays_inside_objects_have_both_names(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"config": {"layers": 3}, "train": {"loss": falling(12)}, "val": {"loss": falling(12, end=0.7)}}))
    found = load_one(path, {})
    assert (found.columns["val_loss"], found.columns["train_loss"]) == ("val/loss", "train/loss")


def test_objects_of_arrays_under_names_of_their_own_are_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        json.dumps({name: {"train_loss": falling(12), "val_loss": falling(12, end)} for name, end in (("adam", 0.5), ("sgd", 0.9))})
    )
    assert [one.curve.label for one in load_all([path], {})] == ["adam", "sgd"]


def test_an_array_that_was_logged_more_often_is_spread_over_the_run(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train_loss": [4.0, 2.0, 2.0, 1.0], "val_loss": [3.0, 1.5], "val_acc": [0.1, 0.2]}))
    found = load_one(path, {})
    assert found.curve.train_loss is not None
    assert found.curve.train_loss.tolist() == [3.0, 1.5]
    assert "arrays of 2, 4 values" in found.notes[0]


def test_a_dataframes_columns_in_json_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"val_loss": {str(i): loss for i, loss in enumerate(falling(12))}}))
    assert load_one(path, {}).curve.val_loss.tolist() == pytest.approx(falling(12))


@pytest.mark.parametrize("text", ['{\n  "a": [\n' + "    1,\n" * 50 + "}", '{\n"model": "x",\n"layers": 3,\n"name": "y"\n}', "[1,\n2,\n3]"])
def test_json_that_holds_no_curve_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_all([path], {})
    assert len(str(error.value).splitlines()) == 1


def yolo(path: Path) -> Path:
    """Box and class losses, equal learning rates of parameter groups, two detection metrics."""
    names = "epoch,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss,val/cls_loss,lr/pg0,lr/pg1"
    rows = [f"{i},{loss},{2 * loss},0.5,{1 - loss / 4},{loss},{3 * loss},0.01,0.01" for i, loss in enumerate(rising_again(), start=1)]
    path.write_text("\n".join([names, *rows]))
    return path


def test_a_loss_in_parts_is_their_sum_and_equal_learning_rates_are_one(tmp_path: Path) -> None:
    found = load_one(yolo(tmp_path / "results.csv"), {})
    assert found.columns["val_loss"] == "val/box_loss + val/cls_loss"
    assert found.curve.val_loss.tolist() == pytest.approx([4 * loss for loss in rising_again()])
    assert (found.columns["accuracy"], found.columns["lr"]) == ("metrics/mAP50-95(B)", "lr/pg1")
    assert any("their sum is read: val/box_loss + val/cls_loss" in note for note in found.notes)


def test_val_loss_given_twice_is_the_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = yolo(tmp_path / "results.csv")
    assert run(["read", "--json", "--val-loss", "val/cls_loss", "--val-loss", "val/box_loss", str(path)]) == 0
    (one,) = json.loads(capsys.readouterr().out)["curves"]
    assert one["columns"]["val_loss"] == "val/cls_loss + val/box_loss"
    assert run(["read", "--val-loss", "val/cls_loss", "--val-loss", "nothing", str(path)]) == 2
    assert "--val-loss: no column 'nothing'" in capsys.readouterr().err


def finder(path: Path) -> Path:
    """What an lr finder writes: a rising lr and a training loss that turns up slowly in the end."""
    losses = turning()
    path.write_text("\n".join(["lr,loss", *(f"{0.01 + 0.01 * i},{loss}" for i, loss in enumerate(losses))]))
    return path


@pytest.mark.parametrize("options", [[], ["--train-loss", "loss"], ["--val-loss", "loss"]])
def test_a_training_loss_alone_is_read_as_such_and_shows_no_overfitting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(["read", "--json", *options, str(finder(tmp_path / "a.csv"))]) == 0
    out, err = capsys.readouterr()
    (one,) = json.loads(out)["curves"]
    assert (one["loss_of"], one["columns"]) == ("training", {"lr": "lr", "train_loss": "loss"})
    assert "overfitting" not in [clue["kind"] for clue in one["clues"]]
    assert "only a training loss ('loss'): read as such" in err
    assert run(["read", *options, str(tmp_path / "a.csv")]) == 0
    said = capsys.readouterr().out
    assert "loss as the training loss" in said
    assert "validation" not in said


def test_a_column_that_says_training_is_no_validation_loss(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["epoch,train_loss", *(f"{i},{loss}" for i, loss in enumerate(rising_again()))]))
    found = load_one(path, {"val_loss": "train_loss"})
    assert found.of == "training"
    assert all(one.kind != "overfitting" for one in judge.read_all([found]).readings[0].clues)


def test_a_training_loss_is_not_compared_with_validation_losses(tmp_path: Path) -> None:
    files = [csv(tmp_path / "a.csv", falling(end=0.9)), csv(tmp_path / "b.csv", falling()), tmp_path / "c.csv"]
    files[2].write_text("\n".join(["iteration,loss", *(f"{10 * i},{loss}" for i, loss in enumerate(falling(end=0.1), start=1))]))
    compared = judge.read_all(load_all(files, {})).comparison
    assert compared is not None
    assert sorted(label for labels in compared.members.values() for label in labels) == ["a", "b"]


def test_wandbs_export_is_a_curve_for_each_run(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    runs = {"lucid-fox-3": falling(12), "brisk - lake-4": falling(12, end=0.9)}
    header = ['"Step"', *(f'"{run} - val/loss{end}"' for run in runs for end in ("", "__MIN", "__MAX"))]
    rows = [[f'"{i}"', *(f'"{losses[i]}"' for losses in runs.values() for _ in range(3))] for i in range(12)]
    path.write_text("\n".join(",".join(row) for row in [header, *rows]))
    found = load_all([path], {})
    assert [one.curve.label for one in found] == list(runs)
    assert [one.columns for one in found] == [{"step": "Step", "val_loss": "val/loss"}] * 2
    assert found[1].curve.val_loss.tolist() == pytest.approx(runs["brisk - lake-4"])


def test_a_column_that_names_the_run_parts_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{run},{i},{loss}" for run in ("a", "b") for i, loss in enumerate(falling(10))]
    path.write_text("\n".join(["run_id,epoch,val_loss", *rows]))
    assert [(one.curve.label, one.evaluations) for one in load_all([path], {})] == [("a", 10), ("b", 10)]


def test_runs_appended_to_one_file_are_a_curve_each(tmp_path: Path) -> None:
    rows = [f"{i},{loss}" for seed in (0, 1) for i, loss in enumerate(falling(20, seed=seed), start=1)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["epoch,val_loss", *rows]))
    found = load_all([path], {})
    assert [(one.curve.label, one.evaluations) for one in found] == [("run 1", 20), ("run 2", 20)]
    assert "holds 2 runs one after another" in " ".join(found[0].notes)


def test_a_counter_that_never_moves_counts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["step,epoch,val_loss", *(f"0,{i},{loss}" for i, loss in enumerate(falling(10)))]))
    found = load_one(path, {})
    assert found.columns["step"] == "epoch"
    assert "'step' never moves" in " ".join(found.notes)


def test_iterations_that_start_over_in_every_epoch_count_with_the_epochs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    losses = falling(40)
    path.write_text("\n".join(["epoch,iter,loss", *(f"{i // 4},{10 * (i % 4)},{loss}" for i, loss in enumerate(losses))]))
    found = load_one(path, {})
    assert found.columns["step"] == "epoch and iter"
    assert found.curve.val_loss.tolist() == pytest.approx(losses)


@pytest.mark.parametrize(
    "name", ["val_losses", "vloss", "valid/nll", "val_mse", "Validation Loss (MSE)", "eval_wiki_loss", "val_cross_entropy", "valid_0's l2"]
)
def test_a_validation_loss_is_found_by_its_usual_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join([f"epoch,{name},train_loss", *(f"{i},{loss},1" for i, loss in enumerate(falling(9)))]))
    assert load_one(path, {}).columns["val_loss"] == name


def test_of_several_validation_sets_only_those_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,lr,train_loss,eval_wiki_loss,eval_code_loss\n1,0.1,3,2,1\n2,0.1,3,2,1\n")
    with pytest.raises(ConfigError) as error:
        load_all([path], {})
    (line,) = str(error.value).splitlines()
    assert "(got 'eval_wiki_loss', 'eval_code_loss'; expected one of them with --val-loss" in line


def test_an_optional_column_that_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["epoch,lr,val_loss,val_acc", *(f"{i},[0.1; 0.2],{loss},good" for i, loss in enumerate(falling(9)))]))
    found = load_one(path, {})
    assert "lr" not in found.columns
    assert "accuracy" not in found.columns
    assert "'lr' is left out: 9 of its cells are no numbers, such as '[0.1; 0.2]'" in found.notes
    assert found.evaluations == 9


def test_the_usual_spellings_of_numbers_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('step\tval_loss\tval_acc\n1k\ttensor(2.5)\t94.2%\n"1,500"\t1.5e0 nats\t95%\n2k\tinf\t96 %\n')
    found = load_one(path, {})
    assert found.curve.step.tolist() == [1000, 1500, 2000]
    assert found.curve.val_loss.tolist() == [2.5, 1.5, math.inf]
    assert found.curve.accuracy is not None
    assert found.curve.accuracy.tolist() == [94.2, 95, 96]


def test_a_file_of_many_faults_is_three_lines_at_most(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("step,val_loss\n" + "".join(f"{i},x{i}\n{i}\n" for i in range(50)) + "y,1\n")
    with pytest.raises(ConfigError) as error:
        load_all([path], {})
    assert len(str(error.value).splitlines()) <= 3


def test_what_was_taken_is_always_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "-q", str(csv(tmp_path / "a.csv", noise()))]) == 6
    assert "read: iteration as the step, val_loss as the validation loss" in capsys.readouterr().out
