"""Records that were edited and sealed anew, their checksums right: `report` tells of them with exit 5 and what mends them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcheck.__main__ import run
from hpcheck.recommendation import recommended
from hpcheck.runs import records
from hpcheck.runs.records import seal
from tests.support.simulated_engine import simulate

CONFIG = "name: hpcheck\ndata: digits\nmodel: mlp\nconfirm: {trainings: 0}\nstart: {max_lr: 0.1}\n"
PLACE = Path("runs/hpcheck")
MENDS = "hpcheck run runs/hpcheck/config.yaml"
Edit = Callable[[list[dict[str, Any]]], None]


@pytest.fixture(autouse=True)
def _searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run directory in which the step lr-range has been made."""
    monkeypatch.chdir(tmp_path)
    Path("hpcheck.yaml").write_text(CONFIG)
    simulate(monkeypatch)
    assert run(["lr-range", "-q"]) == 0


def forge(edit: Edit, paths: list[Path]) -> None:
    for path in paths:
        lines = list(records.lines(path))
        edit(lines)
        path.write_text("".join(map(seal, lines)))


def all_records() -> list[Path]:
    return sorted((PLACE / "records").glob("*.jsonl"))


def of_another_spec(lines: list[dict[str, Any]]) -> None:
    lines[0]["spec"]["weight_decay"] = 0.5


def of_other_data(lines: list[dict[str, Any]]) -> None:
    lines[0]["environment"]["data"] = "0" * 16


def of_another_name(lines: list[dict[str, Any]]) -> None:
    lines[0]["run_id"] = "0" * 16


def with_smaller_losses(lines: list[dict[str, Any]]) -> None:
    """As if the largest learning rates had trained best."""
    rows = [line["row"] for line in lines if "row" in line]
    for at, row in enumerate(rows):
        row["val_loss"] = 2.0 - 1.9 * at / len(rows)


TOLD = {
    of_another_spec: "is not of the run that it is named after: it was altered",
    of_other_data: "is not of the run that it is named after: it was altered",
    of_another_name: "is damaged",
}


@pytest.mark.parametrize("edit", TOLD)
@pytest.mark.parametrize("command", [["report"], ["report", "runs/hpcheck"]], ids=["config", "directory"])
def test_a_forged_record_is_exit_5_with_what_mends_it(command: list[str], edit: Edit, capsys: pytest.CaptureFixture[str]) -> None:
    before = (PLACE / "report.html").read_bytes()
    whole = all_records()[0].read_bytes()
    forge(edit, all_records()[:1])
    assert run(command) == 5
    told = capsys.readouterr().err
    assert f"error: {all_records()[0]} {TOLD[edit]}" in told
    assert MENDS in told
    assert told.count("\n") == 1
    assert (PLACE / "report.html").read_bytes() == before
    assert run(["lr-range", "-q"]) == 0  # makes it again, as `run` does
    assert all_records()[0].read_bytes() == whole
    assert run(command) == 0


def test_it_is_told_too_where_no_recommendation_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    (PLACE / "recommended.yaml").unlink()
    forge(of_another_spec, all_records())
    assert run(["report"]) == 5
    assert MENDS in capsys.readouterr().err


def test_rows_that_no_longer_say_what_the_recommendation_has_from_them(capsys: pytest.CaptureFixture[str]) -> None:
    before = (PLACE / "report.html").read_bytes()
    forge(with_smaller_losses, all_records())
    assert run(["report"]) == 5
    said = capsys.readouterr().err
    assert "error: runs/hpcheck/recommended.yaml: what it says of " in said
    assert "its records do not: it or they were altered" in said
    assert f"{MENDS} reads them anew" in said
    assert (PLACE / "report.html").read_bytes() == before
    assert run(["lr-range", "-q"]) == 0
    assert run(["report"]) == 0


@pytest.mark.parametrize("key", ["hpcheck", "config", "data"])
def test_an_answer_of_another_version_config_or_data_set_may_be_another(key: str) -> None:
    path = PLACE / "recommended.yaml"
    content = recommended.read(path)
    content["provenance"][key] = "0" * 8
    path.write_text(recommended.text(content))
    forge(with_smaller_losses, all_records())
    assert run(["report"]) == 0


def test_a_command_that_was_killed_before_it_wrote_leaves_no_forgery(tmp_path: Path) -> None:
    """The records are more than recommended.yaml speaks of."""
    old = (PLACE / "recommended.yaml").read_bytes()
    assert run(["run", "-q"]) == 0
    (PLACE / "recommended.yaml").write_bytes(old)
    assert run(["report"]) == 0
    assert run(["show"]) == 0


def test_a_recommendation_that_was_edited_by_hand_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    path = PLACE / "recommended.yaml"
    content = recommended.read(path)
    content["evidence"]["learning_rate"]["value"] *= 3
    path.write_text(recommended.text(content))
    assert run(["report"]) == 5
    told = capsys.readouterr().err
    assert "what it says of learning_rate" in told
    assert "its records say otherwise (any maximum from " in told
