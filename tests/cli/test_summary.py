"""The table at the end, in terminals of any width: nothing is cut, an lr that was carried over says so, files are named."""

import io
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console

from hpcheck.cli import summary
from hpcheck.config.sections import LrRange, Policy
from hpcheck.recommendation import recommended, wording
from hpcheck.report import overview
from hpcheck.steps.reading import Reading, Settings
from tests.support.simulated import asked

SETTINGS = {
    "total_batch_size": 128,
    "learning_rate": {"policy": "1cycle", "max": 0.38, "min": 0.038, "final": 3.8e-5, "cycle_epochs": 98.8, "epochs": 110.0},
    "momentum": {"max": 0.95, "min": 0.85},
    "weight_decay": 0.0001,
}
LR = {"value": 0.093, "interval": [0.047, 0.19], "status": "tied", "confidence": "medium", "reason": "0.047, 0.093, 0.19 are tied"}
COST = {"search": {"trainings": 1.35, "runs": 9, "iterations": 1364, "device_seconds": 15.6}, "training": {"runs": 0}}
ARM = {"test": {"metric": 0.9833, "std": 0.0023, "each": [0.98, 0.99]}}


VERDICT = "Probably better than yours: validation loss 0.0912 against 0.122 over both seeds together, but the fresh seed is within chance."


def content(**evidence: object) -> dict[str, object]:
    return {
        "verdict": {"words": VERDICT},
        "settings": SETTINGS,
        "evidence": evidence,
        "results": {"train": {"recommended": ARM}},
        "provenance": {"metric": "accuracy", "metric_unit": "percent", "cost": COST},
    }


def shown(folder: Path, width: int | None = 100, **evidence: object) -> str:
    return "\n".join(line for line, _ in summary.lines(content(**evidence), folder, width))


def test_a_row_a_setting_and_a_line_a_reason(tmp_path: Path) -> None:
    lines = [line.rstrip() for line in shown(tmp_path, learning_rate=LR).splitlines()]
    assert max(map(len, lines)) <= 100
    assert " ".join(lines[:2]).replace("   ", " ") == VERDICT
    rows = [line.split("  ")[0].strip() for line in lines[4:8]]
    assert rows == ["batch size", "learning rate", "momentum", "weight decay"]
    assert "0.038 to 0.38 " in lines[5]
    assert "schedule: 1cycle, up and back within 99 of 110 epochs, then down to 3.8e-5" in lines
    assert lines[5].endswith("tied, medium confidence")
    assert lines[4].endswith("not tested: yours stays")
    assert "recommended: accuracy 98.3% ± 0.2 on the test split, 2 trainings" in lines


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_it_fits_any_terminal_and_breaks_no_word(tmp_path: Path, width: int) -> None:
    text = shown(tmp_path, width, learning_rate=LR)
    assert max(map(len, text.splitlines())) <= width
    assert set(text.replace(":", "").split()) >= set(shown(tmp_path, None, learning_rate=LR).replace(":", "").split()) - {"setting"}


def test_without_a_terminal_a_line_is_as_long_as_it_is(tmp_path: Path) -> None:
    out = io.StringIO()
    summary.show(content(learning_rate=LR), Console(file=out, width=60), tmp_path)
    assert VERDICT in out.getvalue().splitlines()


def test_a_path_stays_whole_in_a_narrow_terminal(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    (folder / "report.html").write_text("")
    out = io.StringIO()
    summary.show(content(), Console(file=out, width=50, force_terminal=True, color_system=None), folder)
    assert f"report: {folder / 'report.html'}" in out.getvalue()


def test_the_cost_is_told_in_the_users_trainings(tmp_path: Path) -> None:
    assert "cost: the work of 1.4 of your trainings, 16 seconds of computing" in shown(tmp_path)


def test_an_lr_that_the_batch_size_has_moved_says_from_where(tmp_path: Path) -> None:
    assert "0.093 was carried over to 0.38" in " ".join(shown(tmp_path, learning_rate=LR).split())
    assert "carried over" not in shown(tmp_path, learning_rate={**LR, "value": 0.38})


CYCLES = {
    "1cycle": ("0.05 to 0.5", "1cycle, up and back within 9 of 10 epochs, then down to 5e-5"),
    **{policy: ("0.05 to 0.5", f"{policy}, 2.5 epochs a cycle, 10 epochs") for policy in ("triangular", "triangular2", "exp_range")},
}
COURSES = {f"lr_range.policy={policy}": words for policy, words in CYCLES.items()} | {
    f"train.policy={policy}": ("0.5", f"{policy} over 10 epochs") for policy in ("constant", "step", "inv", "exp")
}


def test_the_lr_of_every_policy_is_put_into_words_below() -> None:
    policies = {f"train.policy={one}" for one in get_args(Policy) if one != "1cycle"}
    cycles = {f"lr_range.policy={one}" for one in get_args(LrRange.model_fields["policy"].annotation)}
    assert COURSES.keys() == policies | cycles


@pytest.mark.parametrize("override", COURSES)
def test_an_lr_of_any_policy_is_told_in_terminal_and_report(override: str) -> None:
    reading = Reading("train", Settings(100, 0.5, 0.05, 0.95, 0.85, 1e-4, 10.0), ())
    settings = recommended.settings_block(asked(override), [reading])
    values, course = COURSES[override]
    assert wording.reason_lines({"settings": settings, "evidence": {}}) == [f"schedule: {course}"]
    assert wording.short("learning_rate", settings["learning_rate"]) == values
    assert overview.value_of("learning_rate", settings["learning_rate"]) == (values, course)


def test_the_files_that_are_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("")
    text = shown(tmp_path)
    assert f"report: {tmp_path / 'report.html'}" in text
    assert "settings:" not in text


CONFIRMED = {
    "trainings": 8,
    "considered": [
        {"total_batch_size": 32, "max_lr": 0.1, "momentum": [0.95, 0.85], "weight_decay": 1e-4},
        {"total_batch_size": 32, "max_lr": 0.1, "momentum": [0.95, 0.85], "weight_decay": 1e-3},
    ],
}


def test_what_was_not_tested_is_said_beside_what_it_rests_on() -> None:
    content = {
        "verdict": {"says": "probably better", "fresh_seeds": 2},
        "evidence": {"learning_rate": {"considered": [[0.1, 0.2, 0.0]]}, "weight_decay": {"considered": [[1e-3, 0.2, 0.0]]}},
        "results": {"confirm": CONFIRMED},
    }
    assert (
        wording.belief_line(content) == "not certain, since the lead may be chance. 8 full trainings of 2 settings were made. "
        "The best and yours were trained again with fresh seeds"
    )
    words = "batch size and momentum (yours stay). Learning rate was compared in short runs only"
    assert wording.untested_line(content) == words


def test_short_runs_alone_are_called_that(tmp_path: Path) -> None:
    text = shown(tmp_path, learning_rate=LR)
    assert (
        text.index("weight decay")
        < text.index("how sure: not very")
        < text.index("cost:")
        < text.index("not tested: ", text.index("cost:"))
    )
