"""What trackers and trainers store and export: databases, journals, tables in long form. Every input is of our own making."""

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all
from hpcheck.curves.load import Loaded
from tests.support.read_cases import falling

VAL, TRAIN, ACC = falling(12), falling(12, seed=1), [1 - loss / 3 for loss in falling(12, seed=2)]


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def lines(entries: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def one(path: Path) -> Loaded:
    (found,) = load_all([path], {})
    return found


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as error:
        load_all([path], {})
    (line,) = str(error.value).splitlines()
    return line


def values(found: Loaded) -> list[float]:
    return [round(float(value), 9) for value in found.curve.val_loss]


def same(found: Loaded, losses: Sequence[float]) -> bool:
    return values(found) == [round(loss, 9) for loss in losses]


def database(path: Path, *statements: str, **rows: Sequence[Sequence[Any]]) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        for table, content in rows.items():
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(content[0]))})", content)
        connection.commit()
    return path


def trackio(path: Path) -> Path:
    rows = [
        (at + 12 * number, "2026-01-01", run, at, json.dumps({"train": {"loss": TRAIN[at]}, "val/loss": VAL[at] + shift, "lr": 0.1}))
        for number, (run, shift) in enumerate((("calm-river", 0.0), ("dry-lake", 0.1)))
        for at in range(12)
    ]
    return database(
        path,
        "CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)",
        "CREATE TABLE configs (id INTEGER PRIMARY KEY, run_name TEXT, config TEXT, created_at TEXT)",
        metrics=rows,
        configs=[(1, "calm-river", json.dumps({"weight_decay": 1e-4}), ""), (2, "dry-lake", json.dumps({"weight_decay": 1e-3}), "")],
    )


def test_a_database_of_trackio_is_a_curve_for_each_run(tmp_path: Path) -> None:
    calm, dry = load_all([trackio(tmp_path / "project.db")], {})
    assert (calm.curve.label, dry.curve.label) == ("calm-river", "dry-lake")
    assert same(calm, VAL)
    assert same(dry, [loss + 0.1 for loss in VAL])
    assert dict(calm.columns) == {"step": "step", "lr": "lr", "val_loss": "val/loss", "train_loss": "train/loss"}
    assert (calm.curve.weight_decay, dry.curve.weight_decay) == (1e-4, 1e-3)


def test_a_database_is_only_read(tmp_path: Path) -> None:
    path = trackio(tmp_path / "project.db")
    before = path.read_bytes()
    load_all([path], {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["project.db"]


def test_news_that_stand_beside_a_database_are_read(tmp_path: Path) -> None:
    path = trackio(tmp_path / "project.db")
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO metrics VALUES (99, '', 'calm-river', 12, ?)", (json.dumps({"val/loss": 0.25}),))
        writer.commit()
        calm = load_all([path], {})[0]
    assert values(calm)[-1] == 0.25


def test_a_database_of_mlflow_is_a_curve_for_each_run(tmp_path: Path) -> None:
    metrics = [
        (name, 0.0 if lost else value, 1_700_000_000_000 + at, run, at, lost)
        for run in ("a" * 32, "b" * 32)
        for name, column in (("train_loss", TRAIN), ("val_loss", VAL))
        for at, value in enumerate(column)
        for lost in (int(run[0] == "b" and at == 11 and name == "val_loss"),)
    ]
    path = database(
        tmp_path / "mlflow.db",
        "CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN)",
        "CREATE TABLE runs (run_uuid TEXT, name TEXT)",
        "CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT)",
        metrics=metrics,
        runs=[("a" * 32, "wide"), ("b" * 32, "deep")],
        params=[("weight_decay", "0.0005", "a" * 32), ("optimizer", "sgd", "a" * 32)],
    )
    wide, deep = load_all([path], {})
    assert (wide.curve.label, deep.curve.label) == ("wide", "deep")
    assert same(wide, VAL)
    assert wide.curve.weight_decay == 0.0005
    assert math.isnan(deep.curve.val_loss[-1])


def test_metrics_that_were_logged_without_steps_are_counted(tmp_path: Path) -> None:
    found = one(written(tmp_path / "val_loss", "".join(f"17000000000{at:02d} {loss} 0\n" for at, loss in enumerate(VAL))))
    assert same(found, VAL)
    assert list(found.curve.step) == list(range(12))


def journal(direction: int, reported: bool = True) -> Iterator[dict[str, Any]]:
    yield {"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [direction]}
    for trial in range(3):
        yield {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00"}
        log = json.dumps({"name": "FloatDistribution", "attributes": {"low": 1e-4, "high": 1.0, "log": True, "step": None}})
        choice = json.dumps({"name": "CategoricalDistribution", "attributes": {"choices": [0.0, 1e-4, 1e-3]}})
        yield {"op_code": 5, "trial_id": trial, "param_name": "lr", "param_value_internal": 10.0**-trial, "distribution": log}
        yield {"op_code": 5, "trial_id": trial, "param_name": "weight_decay", "param_value_internal": trial, "distribution": choice}
    for at, loss in enumerate(VAL):
        for trial in range(3):
            if reported and (trial < 2 or at < 2):
                yield {"op_code": 7, "worker_id": "w", "trial_id": trial, "step": at, "intermediate_value": loss + 0.1 * trial}
    yield {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [VAL[-1]]}


def test_a_journal_of_optuna_is_a_curve_for_each_trial_that_reported(tmp_path: Path) -> None:
    first, second = load_all([written(tmp_path / "journal.log", lines(list(journal(1))))], {})
    assert (first.curve.label, second.curve.label) == ("trial 0", "trial 1")
    assert same(first, VAL)
    assert same(second, [loss + 0.1 for loss in VAL])
    assert (first.curve.lr[0], second.curve.lr[0]) == (1.0, 0.1)
    assert (first.curve.weight_decay, second.curve.weight_decay) == (0.0, 1e-4)
    assert any("1 of 3 trials reported too little" in note for note in first.notes)


def test_a_study_without_reported_values_is_said_to_be_one(tmp_path: Path) -> None:
    assert "3 trials that report no values" in refused(written(tmp_path / "journal.log", lines(list(journal(1, reported=False)))))


def test_a_study_that_maximizes_holds_no_loss(tmp_path: Path) -> None:
    assert "maximizes" in refused(written(tmp_path / "journal.log", lines(list(journal(2)))))


def test_a_journal_that_is_being_written_is_read_up_to_its_last_line(tmp_path: Path) -> None:
    text = lines(list(journal(1))) + '{"op_code": 7, "worker'
    assert len(load_all([written(tmp_path / "journal.log", text)], {})) == 2


def test_a_database_of_optuna_is_a_curve_for_each_trial(tmp_path: Path) -> None:
    reported = [(24 * trial + at, trial, at, None if at == 11 and trial == 2 else loss, "NAN" if at == 11 and trial == 2 else "FINITE")
                for trial in (1, 2) for at, loss in enumerate(VAL)]  # fmt: skip
    path = database(
        tmp_path / "study.db",
        "CREATE TABLE trials (trial_id INTEGER, number INTEGER, study_id INTEGER, state TEXT)",
        "CREATE TABLE trial_intermediate_values (id INTEGER, trial_id INTEGER, step INTEGER, intermediate_value FLOAT, "
        "intermediate_value_type TEXT)",
        "CREATE TABLE study_directions (id INTEGER, direction TEXT, study_id INTEGER, objective INTEGER)",
        "CREATE TABLE trial_params (param_id INTEGER, trial_id INTEGER, param_name TEXT, param_value FLOAT, distribution_json TEXT)",
        trials=[(1, 0, 1, "COMPLETE"), (2, 1, 1, "COMPLETE")],
        trial_intermediate_values=reported,
        study_directions=[(1, "MINIMIZE", 1, 0)],
        trial_params=[(1, 1, "learning_rate", 0.03, "{}")],
    )
    first, second = load_all([path], {})
    assert same(first, VAL)
    assert first.curve.lr[0] == 0.03
    assert math.isnan(second.curve.val_loss[-1])


def test_another_database_is_refused_with_its_tables(tmp_path: Path) -> None:
    assert "none of trackio, MLflow and Optuna (got the tables photos" in refused(database(tmp_path / "a.db", "CREATE TABLE photos (x)"))


def test_a_damaged_database_is_refused_in_a_line(tmp_path: Path) -> None:
    path = trackio(tmp_path / "a.db")
    path.write_bytes(path.read_bytes()[:5000])
    assert "an SQLite database" in refused(path)


def aim() -> str:
    rows = [",idx,step,value,epoch,time,run,run.hparams.lr,metric,context.subset"]
    for run in ("a1b2", "c3d4"):
        for metric, subset, column in (("loss", "train", TRAIN), ("loss", "val", VAL), ("accuracy", "val", ACC)):
            rows += [f"{i},{i},{10 * i},{v},{i},2026-01-01 10:00:00,{run},0.1,{metric},{subset}" for i, v in enumerate(column)]
    return "\n".join(rows) + "\n"


def test_a_data_frame_of_aim_is_a_curve_for_each_run(tmp_path: Path) -> None:
    first, second = load_all([written(tmp_path / "aim.csv", aim())], {})
    assert (first.curve.label, second.curve.label) == ("a1b2", "c3d4")
    assert same(first, VAL)
    taken = {"step": "step", "lr": "run.hparams.lr", "val_loss": "val/loss", "train_loss": "train/loss", "accuracy": "val/accuracy"}
    assert dict(first.columns) == taken


def test_an_aim_repository_is_called_one(tmp_path: Path) -> None:
    written(tmp_path / "project" / ".aim" / "run_metadata.sqlite", "x")
    assert "an Aim repository" in refused(tmp_path / "project")


@pytest.mark.parametrize("header", ["Run,Experiment,hparams.lr,loss context.subset=val", "model,accuracy,val_loss,time"])
def test_a_row_for_each_run_is_no_curve(tmp_path: Path, header: str) -> None:
    rows = [f"run-{at}x,e,0.1,{loss}" for at, loss in enumerate(VAL)]
    assert "a table of runs" in refused(written(tmp_path / "runs.csv", "\n".join([header, *rows]) + "\n"))


TRACKIO_CLI = {"project": "p", "run": "r", "metric": "val_loss", "values": [{"step": i, "value": v} for i, v in enumerate(VAL)]}
MMENGINE = [
    entry
    for e, (v, t, a) in enumerate(zip(VAL, TRAIN, ACC, strict=True), start=1)
    for entry in (
        {"base_lr": 0.1, "lr": 0.1, "data_time": 0.1, "loss": t, "time": 0.3, "epoch": e, "iter": 50 * e, "memory": 9, "step": 50 * e},
        {"accuracy/top1": 100 * a, "loss": v, "data_time": 0.1, "time": 0.2, "step": e},
    )
]
EXPORTS = {
    "trackio cli": json.dumps(TRACKIO_CLI, indent=2),
    "trackio table": "id,run_name,step,metrics\n"
    + "".join(f'{i},r,{i},"{{""train_loss"": {t}, ""val_loss"": {v}}}"\n' for i, (v, t) in enumerate(zip(VAL, TRAIN, strict=True))),
    "comet": json.dumps([{"metricName": "val_loss", "metricValue": str(v), "step": i, "runContext": None} for i, v in enumerate(VAL)]),
    "sacred": json.dumps({"validation.loss": {"steps": list(range(12)), "timestamps": ["2026"] * 12, "values": VAL}}),
    "clearml": json.dumps({"loss": {"val": {"name": "val", "x": list(range(12)), "y": VAL}}}),
    "pairs": json.dumps({"val_loss": list(enumerate(VAL)), "train_loss": list(enumerate(TRAIN))}),
    "a matrix beside arrays": json.dumps({"val_loss": VAL, "confusion": [[5, 1], [2, 7]]}),
    "rows": json.dumps([["epoch", "val_loss"], *enumerate(VAL)]),
    "mmengine": lines(MMENGINE),
    "detectron2": lines([{"iteration": 20 * i, "total_loss": 1.0, "validation_loss": v, "bbox/AP": 40.0} for i, v in enumerate(VAL)]),
    "wandb history": lines([{"_step": i, "_runtime": 1.5, "_timestamp": 1.7e9, "val/loss": v} for i, v in enumerate(VAL)]),
    "xgboost": json.dumps({"train": {"rmse": TRAIN}, "eval": {"rmse": VAL}}),
    "mlflow long": "run_id,key,value,step,timestamp\n" + "".join(f"abc,val_loss,{v},{i},1700000000000\n" for i, v in enumerate(VAL)),
}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_without_help(tmp_path: Path, name: str) -> None:
    found = one(written(tmp_path / "export.json", EXPORTS[name]))
    assert same(found, VAL)
    assert found.of == "validation"


def test_evaluations_of_mmengine_are_counted_by_iterations(tmp_path: Path) -> None:
    found = one(written(tmp_path / "scalars.json", EXPORTS["mmengine"]))
    assert list(found.curve.step) == [50 * e for e in range(1, 13)]
    assert found.columns["accuracy"] == "val/accuracy/top1"
    assert found.curve.train_loss is not None


@pytest.mark.parametrize("suffix", [".json", ".txt"])
def test_numbers_alone_are_what_the_file_is_named_after(tmp_path: Path, suffix: str) -> None:
    text = json.dumps(VAL) if suffix == ".json" else "".join(f"{loss!r}\n" for loss in VAL)
    assert same(one(written(tmp_path / f"val_loss{suffix}", text)), VAL)
    assert "named after what it holds" in refused(written(tmp_path / f"numbers{suffix}", text))


def test_a_list_of_tensorboards_page_is_told_by_its_name(tmp_path: Path) -> None:
    text = json.dumps([[1.7e9 + at, 10 * at, loss] for at, loss in enumerate(VAL)])
    found = one(written(tmp_path / "run-val-tag-epoch_loss.json", text))
    assert same(found, VAL)
    assert list(found.curve.step) == [10 * at for at in range(12)]


def test_a_notebook_is_called_one(tmp_path: Path) -> None:
    text = json.dumps({"cells": [{"cell_type": "code", "source": ["x"]}], "metadata": {}, "nbformat": 4}, indent=1)
    assert "a notebook" in refused(written(tmp_path / "a.ipynb", text))
