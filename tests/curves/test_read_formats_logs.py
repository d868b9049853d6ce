"""Logs that are no tables: console logs of many programs, long format, one quantity a file, directories, and what is no file."""

import os
from pathlib import Path

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all, load_one
from tests.support.read_cases import csv, falling

LOSSES = falling(12)


def written(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def refused(*paths: Path) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_all(paths, {})
    return str(error.value).splitlines()


def lines_of(form: str) -> list[str]:
    """A line (or several) of each epoch, from 1: {e}, {n} batches done, {v} the validation loss, {t} the training loss, {a} a metric."""
    return [
        line
        for e, loss in enumerate(LOSSES, start=1)
        for line in form.format(e=e, z=e - 1, v=f"{loss:.4f}", t=f"{loss - 0.1:.4f}", a=f"{1 - loss / 3:.4f}").split("\n")
    ]


CONSOLES = {
    "keras": "Epoch {e}/12\n235/235 [====] - 3s 12ms/step - loss: {t} - accuracy: 0.5 - val_loss: {v} - val_accuracy: {a}",
    "keras with backspaces": "Epoch {e}/12\n  1/235 [.] - ETA: 0s - loss: 9.9\b\b\b\b235/235 [=] - 3s - loss: {t} - val_loss: {v}",
    "nanogpt": "step {e}: train loss {t}, val loss {v}\niter {e}: loss 9.0, time 300.00ms, mfu 40.00%",
    "llm.c": "step {e}/12 | train loss {t} | norm 1.2 | lr 1e-3 | 300.1 ms\nval loss {v}",
    "llm.c main.log": "s:{e} tel:{v}\ns:{e} trl:{t}",
    "xgboost": "[{e}]\ttrain-rmse:{t}\teval-rmse:{v}",
    "xgboost with time": "[12:30:01] [{e}]\ttrain-logloss:{t}\tvalidation_0-logloss:{v}",
    "lightgbm": "[{e}]\ttraining's l2: {t}\tvalid_1's l2: {v}",
    "catboost": "{e}:\tlearn: {t}\ttest: {v}\tbest: {v} ({e})\ttotal: 50ms\tremaining: 1s",
    "fairseq": "2020-05-04 10:00:00 | INFO | train | epoch {e:03d} | loss {t} | ppl 9 | lr 0.0005 | num_updates 100\n"
    "2020-05-04 10:00:00 | INFO | valid | epoch {e:03d} | valid on 'valid' subset | loss {v} | nll_loss 4.1 | ppl 17.5",
    "pytorch": "Train Epoch: {e} [640/60000 (1%)]\tLoss: {t}\n\nTest set: Average loss: {v}, Accuracy: 9830/10000 (98%)",
    "imagenet": "Epoch: [{z}][  10/5005]\tTime  0.5 ( 1.0)\tLoss {t} (9.0000)\tAcc@1   0.00 (  0.20)\n"
    "Test: [  0/391]\tTime 1.0 ( 1.0)\tLoss 9.0e+00 (8.0e+00)\tAcc@1 70 (70)\n"
    "Test: [390/391]\tTime 1.0 ( 1.0)\tLoss 9.0e+00 ({v})\tAcc@1 70 (71)",
    "timm": "Train: {z} [   0/1251 (  0%)]  Loss: {t} (9.0)  Time: 0.9s\nTest: [  10/10]  Loss:  9.0 ({v})  Acc@1: 70.0 (71.0)",
    "tutorial": "Epoch {z}/11\n----------\ntrain Loss: {t} Acc: 0.6885\nval Loss: {v} Acc: {a}\n",
    "prose": "Epoch {e}, Train Loss: {t}, Val Loss: {v}, Val Acc: {a}",
    "equals": "2024-01-02 10:00:00,123 INFO [Epoch {e}] train_loss={t} | val_loss={v} | lr=1.0e-03",
    "printed dicts": " 10%|# | 1/10 [00:01]\n{{'loss': {t}, 'learning_rate': 0.001, 'epoch': {e}.0}}\n{{'eval_loss': {v}, 'epoch': {e}.0}}",
    "no counter": "Training loss: {t}\nValidation loss: {v}",
    "mmengine": "2023/01/01 mmengine - INFO - Epoch(train)  [{e}][50/100]  lr: 2.0e-02  eta: 0:01:00  loss: {t}\n"
    "2023/01/01 mmengine - INFO - Epoch(val)  [{e}][20/20]    loss: {v}  acc: {a}",
}


@pytest.mark.parametrize("name", CONSOLES)
def test_a_console_logs_pairs_are_read(tmp_path: Path, name: str) -> None:
    found = load_one(written(tmp_path / "train.log", ["Loading data ... 60000 examples", *lines_of(CONSOLES[name])]), {})
    assert (found.format, found.of) == ("console", "validation")
    assert found.curve.val_loss.tolist() == pytest.approx([round(loss, 4) for loss in LOSSES])
    assert found.curve.train_loss is not None
    assert found.curve.train_loss.tolist() == pytest.approx([round(loss - 0.1, 4) for loss in LOSSES], abs=1e-4)


def test_darknets_lines_are_a_training_loss(tmp_path: Path) -> None:
    lines = [
        f" {i}: {loss:.6f}, {loss + 0.1:.6f} avg loss, 0.001000 rate, 3.2 seconds, {64 * i} images" for i, loss in enumerate(LOSSES, 1)
    ]
    found = load_one(written(tmp_path / "log", ["yolov4", *lines]), {})
    assert (found.of, found.unit) == ("training", "iteration")
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES, abs=1e-5)
    assert found.curve.lr.tolist() == [0.001] * 12


def test_a_console_log_that_names_no_loss_is_one_line(tmp_path: Path) -> None:
    (line,) = refused(written(tmp_path / "a.log", ["accuracy of nothing", "Accuracy: 0.5", "starting", "Accuracy: 0.6", "done"]))
    assert "no column is a loss by its name" in line


def test_rows_that_say_their_split_are_read(tmp_path: Path) -> None:
    rows = [f"{i},{split},{loss + shift},0.5" for i, loss in enumerate(LOSSES) for split, shift in (("train", 0), ("val", 0.25))]
    found = load_one(written(tmp_path / "a.csv", ["epoch,phase,loss,acc", *rows]), {})
    assert (found.columns["val_loss"], found.columns["train_loss"]) == ("val/loss", "train/loss")
    assert found.curve.val_loss.tolist() == pytest.approx([loss + 0.25 for loss in LOSSES])


def test_json_lines_that_say_their_mode_are_read_by_epoch(tmp_path: Path) -> None:
    lines = ['{"env_info": "Python 3", "seed": 0}']
    for e, loss in enumerate(LOSSES, start=1):
        lines += [f'{{"mode": "train", "epoch": {e}, "iter": {50 * i}, "lr": 0.02, "loss": {loss}}}' for i in (1, 2)]
        lines += [f'{{"mode": "val", "epoch": {e}, "iter": 62, "lr": 0.02, "loss": {loss + 0.25}}}']
    found = load_one(written(tmp_path / "a.log.json", lines), {})
    assert found.columns == {"step": "epoch", "lr": "lr", "val_loss": "val/loss", "train_loss": "train/loss"}
    assert found.curve.val_loss.tolist() == pytest.approx([loss + 0.25 for loss in LOSSES])


def test_lines_of_step_split_value_need_no_header(tmp_path: Path) -> None:
    lines = [f"{250 * i} {split} {loss + shift:.6f}" for i, loss in enumerate(LOSSES) for split, shift in (("val", 0.25), ("train", 0))]
    found = load_one(written(tmp_path / "log.txt", [*lines, "2750 hella 0.25"]), {})
    assert (found.format, found.columns["val_loss"]) == ("headerless", "val loss")
    assert found.curve.step.tolist() == [250 * i for i in range(12)]
    assert found.curve.val_loss.tolist() == pytest.approx([loss + 0.25 for loss in LOSSES], abs=1e-5)


def test_rows_that_say_their_metric_are_read(tmp_path: Path) -> None:
    rows = [f"{i},{name},{loss}" for i, loss in enumerate(LOSSES) for name in ("val_loss", "train_loss")]
    assert load_one(written(tmp_path / "a.csv", ["step,metric,value", *rows]), {}).columns["val_loss"] == "val_loss"


@pytest.mark.parametrize(
    ("name", "column", "of"),
    [
        ("run-val-tag-epoch_loss.csv", "val/epoch_loss", "validation"),
        ("run-.-tag-Loss_train.csv", "Loss_train", "training"),
        ("val_loss.csv", "val_loss", "validation"),
    ],
)
def test_tensorboards_download_is_what_its_name_says(tmp_path: Path, name: str, column: str, of: str) -> None:
    rows = [f"{1654943296.21 + 19 * i},{i},{loss}" for i, loss in enumerate(LOSSES)]
    found = load_one(written(tmp_path / name, ["Wall time,Step,Value", *rows]), {})
    assert column in found.columns.values()
    assert found.of == of
    assert f"the file's name says that 'Value' is {column!r}" in found.notes[-2 if of == "validation" else 1]


def mlflow_run(folder: Path, name: str, end: float) -> None:
    for metric, shift in (("val/loss", 0.0), ("train_loss", -0.1)):
        lines = [f"{1702000000000 + 1000 * i} {loss + shift} {i}" for i, loss in enumerate(falling(12, end))]
        written(folder / "metrics" / metric, lines)
    written(folder / "params" / "weight_decay", ["0.001"])
    written(folder / "tags" / "mlflow.runName", [name])


def test_mlflows_metric_file_is_what_its_name_says(tmp_path: Path) -> None:
    found = load_one(written(tmp_path / "val_loss", [f"{1702000000000 + i} {loss} {i}" for i, loss in enumerate(LOSSES)]), {})
    assert (found.format, found.columns) == ("mlflow", {"step": "step", "val_loss": "val_loss"})
    assert found.curve.val_loss.tolist() == pytest.approx(LOSSES)


def test_mlflows_runs_are_compared(tmp_path: Path) -> None:
    mlflow_run(tmp_path / "mlruns" / "0" / "a1", "wide", 0.5)
    mlflow_run(tmp_path / "mlruns" / "0" / "b2", "narrow", 0.9)
    found = load_all([tmp_path / "mlruns"], {})
    assert [one.curve.label for one in found] == ["wide", "narrow"]
    assert [one.curve.weight_decay for one in found] == [0.001, 0.001]
    assert load_one(tmp_path / "mlruns" / "0" / "b2", {}).columns["val_loss"] == "val/loss"


def test_a_directory_of_logs_is_all_of_its_curves(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv", LOSSES)
    written(tmp_path / "sub" / "train.log", lines_of(CONSOLES["prose"]))
    written(tmp_path / "notes.txt", ["nothing to see here"])
    written(tmp_path / "model.py", ["loss: 1"])
    (tmp_path / "loop").symlink_to(tmp_path)
    found = load_all([tmp_path], {})
    assert [one.curve.label for one in found] == ["a", "train"]
    assert "notes.txt is passed over" in found[0].notes[0]


def test_an_empty_directory_is_one_line(tmp_path: Path) -> None:
    (line,) = refused(tmp_path)
    assert "a directory without a training log" in line


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    for path in (tmp_path / "pipe", Path("/dev/zero"), link):
        (line,) = refused(path)
        assert "not a regular file" in line


def test_a_file_beyond_the_limit_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"step,val_loss\n")
        file.truncate(1 << 31)
    (line,) = refused(path)
    assert "larger than 512 MiB" in line


@pytest.mark.parametrize(("content", "what"), [(b"PK\x03\x04rest", "Excel"), (b"\x1f\x8b\x08", "gzip"), (b"\x80\x04\x95", "pickle")])
def test_a_binary_file_is_called_what_it_is(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    (line,) = refused(path)
    assert what in line
