"""A record that was edited and sealed anew, so that its checksums are right, does not count for a run that it is not of."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hpcheck.runs import records
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.identity import identify
from hpcheck.runs.records import seal
from tests.support.engine_runs import RUN, computed

QUICK = replace(RUN, steps=2, evaluate_after=(0, 2))
OTHER = replace(QUICK, weight_decay=0.25)


def put(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def edit(head: dict[str, Any]) -> None:
        head["spec"][key] = value

    return edit


def as_of_other(head: dict[str, Any]) -> None:
    head["run_id"] = identify(OTHER)


def other_data(head: dict[str, Any]) -> None:
    as_of_other(head)
    head["spec"]["weight_decay"] = OTHER.weight_decay
    head["environment"]["data"] = "0" * 16


@pytest.fixture
def runs(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.records.mkdir(parents=True)
    return made


def edited(runs: RunDirectory, edit: Callable[[dict[str, Any]], None], name: str) -> None:
    """The record of QUICK with another head, under `name`, every line sealed."""
    path = runs.records / f"{computed(QUICK, runs.records).run_id}.jsonl"
    head, *rest = records.lines(path)
    edit(head)
    path.unlink()
    (runs.records / f"{name}.jsonl").write_text("".join(map(seal, (head, *rest))))
    assert json.loads((runs.records / f"{name}.jsonl").read_text().partition("\t")[0])["record"] == 1


def test_a_record_counts_for_its_own_run(runs: RunDirectory) -> None:
    edited(runs, lambda _: None, identify(QUICK))
    assert runs.find(replace(QUICK, label="under another label")) is not None
    assert runs.by_id(identify(QUICK)) is not None


@pytest.mark.parametrize("edit", [as_of_other, other_data], ids=["the id alone", "the id and the spec"])
def test_another_run_s_record_under_its_name_does_not(runs: RunDirectory, edit: Callable[[dict[str, Any]], None]) -> None:
    edited(runs, edit, identify(OTHER))
    assert records.read(runs.records / f"{identify(OTHER)}.jsonl") is not None  # its lines are right, one by one
    assert runs.find(OTHER) is None


def test_a_record_under_another_name_than_its_id_is_none(runs: RunDirectory) -> None:
    edited(runs, lambda _: None, "0" * 16)
    assert runs.by_id("0" * 16) is None


@pytest.mark.parametrize("edit", [put("weight_decay", 0.5), put("total_batch_size", 4), put("lr", {"points": [[0, 1.0]], "log": False})])
def test_a_record_whose_spec_was_edited_does_not(runs: RunDirectory, edit: Callable[[dict[str, Any]], None]) -> None:
    edited(runs, edit, identify(QUICK))
    assert runs.find(QUICK) is None


def test_a_run_that_another_goes_on_from_is_made_again_where_its_weights_are_gone(runs: RunDirectory) -> None:
    parent = replace(QUICK, keep="last")
    made = computed(parent, runs.records)
    goes_on = replace(QUICK, parent=made.run_id, at_step=2, steps=4, evaluate_after=(4,))
    assert runs.find(parent) is not None
    assert runs.forget_without_weights([goes_on, QUICK]) == []
    runs.weights(made.run_id).unlink()
    assert runs.forget_without_weights([goes_on, QUICK]) == [parent.label]
    assert runs.find(parent) is None


@pytest.mark.parametrize("edit", [put("weight_decay", 0.5), put("total_batch_size", 4), put("seed", 7)])
def test_a_record_whose_content_does_not_give_its_id_is_none_whoever_asks(
    runs: RunDirectory, edit: Callable[[dict[str, Any]], None]
) -> None:
    """Also who knows nothing of data and code, as `show`."""
    edited(runs, edit, identify(QUICK))
    assert records.read(runs.records / f"{identify(QUICK)}.jsonl") is not None
    assert runs.by_id(identify(QUICK)) is None


@pytest.mark.parametrize("told", [None, {"data": "0", "code": "", "semantics": 0}])
def test_a_record_of_an_older_hpcheck_is_believed(runs: RunDirectory, told: dict[str, Any] | None) -> None:
    def edit(head: dict[str, Any]) -> None:
        head["environment"].pop("identity")
        head["environment"] |= {} if told is None else {"identity": told}

    edited(runs, edit, identify(QUICK))
    assert runs.by_id(identify(QUICK)) is not None


@pytest.mark.parametrize("told", ["x", [], {"data": 1, "semantics": 1}, {"semantics": 1}])
def test_what_it_says_its_id_rests_on_may_be_anything(runs: RunDirectory, told: Any) -> None:
    edited(runs, lambda head: head["environment"].update(identity=told), identify(QUICK))
    assert runs.by_id(identify(QUICK)) is None
