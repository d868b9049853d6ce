"""What a run directory says of a script is believed where it is such as a launch tells, and no file but a regular one is read for it."""

import os
from pathlib import Path
from typing import Any

import pytest

from hpcheck.script.description import FILE, Description, hash_of, saved

COMMAND = ("python", "train.py")
TOLD: dict[str, Any] = {
    "train_examples": 512,
    "validation": 100,
    "loops": {"epochs": 3},
    "total_batch_size": 32,
    "metric": "metric",
    "metric_is": "higher",
    "processes": 1,
    "optimizer": "SGD",
    "kind": "sgd",
    "lr": 0.1,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "groups": [[1.0, 1.0]],
    "snapshots": True,
    "device": "cpu",
}
ODD = [None, "x", [1], {"a": 1}, -1, 10**400, float("nan"), float("inf"), 1e300]


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    Description(COMMAND, TOLD, {}).save(tmp_path)
    found = saved(tmp_path, COMMAND, "", ())
    assert found is not None
    assert found.told == TOLD


@pytest.mark.parametrize("key", sorted(set(TOLD) - {"groups"}))
def test_odd_values_are_looked_at_anew(tmp_path: Path, key: str) -> None:
    for value in ODD:
        if value == TOLD[key] or (value is None and key in ("train_examples", "lr", "weight_decay", "momentum")):
            continue
        if isinstance(value, str) and key in ("metric", "optimizer", "device"):
            continue
        Description(COMMAND, {**TOLD, key: value}, {}).save(tmp_path)
        kept = saved(tmp_path, COMMAND, "", ())
        assert kept is None or (key == "loops" and kept.told[key] == {"a": 1}), value
    del (without := dict(TOLD))[key]
    Description(COMMAND, without, {}).save(tmp_path)
    assert saved(tmp_path, COMMAND, "", ()) is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"command":' * 300 + "1" + "}" * 300, "null", "[1]", '{"command": 1}'])
def test_a_file_that_is_none_of_ours_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert saved(tmp_path, COMMAND, "", ()) is None


def test_devices_and_pipes_that_it_names_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert hash_of(Path("/dev/zero")) == hash_of(tmp_path / "pipe") == hash_of(Path("a\0b")) == ""
    Description(COMMAND, TOLD, {"/dev/zero": "0" * 64}).save(tmp_path)
    assert saved(tmp_path, COMMAND, "", ()) is None
    (tmp_path / FILE).unlink()
    os.mkfifo(tmp_path / FILE)
    assert saved(tmp_path, COMMAND, "", ()) is None
