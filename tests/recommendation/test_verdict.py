"""The verdict against the start: better beyond chance or not, and what terminal, report and recommended.yaml then begin and end with."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpcheck.cli import summary
from hpcheck.config import yaml12
from hpcheck.recommendation import verdict
from hpcheck.recommendation.recommended import content, write
from hpcheck.report import advice, page
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.identity import Fingerprints
from hpcheck.steps.reading import Reading, Settings
from tests.support import report_cases as cases
from tests.support.simulated import asked

KNOWN = Settings(100, 0.5, 0.05, 0.95, 0.85, 1e-4, 10.0)
OURS = (0.981, 0.983, 0.982, 0.982)
COMMIT = "hpcheck train --from recommended.yaml"


def arm(*metrics: float, examples: int = 10_000, split: str = "test", diverged: int = 0) -> dict[str, Any]:
    runs = [f"{number:016x}" for number in range(len(metrics) + diverged)]
    found = {split: {"metric": sum(metrics) / len(metrics), "each": list(metrics), "examples": examples}} if metrics else {}
    return {"runs": runs, "diverged": diverged, **found}


def trained(ours: dict[str, Any], theirs: dict[str, Any] | None, **more: Any) -> Reading:
    arms = {"recommended": ours} | ({} if theirs is None else {"start": theirs})
    return Reading("train", KNOWN, (), results=arms | more)


def judged(ours: dict[str, Any], theirs: dict[str, Any] | None, *overrides: str) -> verdict.Verdict:
    return verdict.against_start(asked("start.max_lr=0.1", *overrides), [trained(ours, theirs)])


def test_a_lead_beyond_the_chance_of_the_seeds_is_better() -> None:
    found = judged(arm(*OURS), arm(0.971, 0.972, 0.971, 0.972))
    assert found.says == "better"
    assert found.words == "Better than yours: metric 0.982 against 0.9715 on the test split (trainings: 4)."
    assert found.difference == pytest.approx(0.0105)


def test_a_lead_within_chance_is_not_better() -> None:
    found = judged(arm(*OURS), arm(0.978, 0.985, 0.981, 0.982))
    assert found.says == "not better"
    assert found.words.startswith("Not better than yours: ")
    assert found.words.endswith("within chance.")


def test_a_loss_beyond_chance_is_worse_and_so_not_better() -> None:
    found = judged(arm(0.967, 0.967), arm(0.975, 0.975))
    assert found.says == "not better"
    assert found.words == "Worse than yours: metric 0.967 against 0.975 on the test split (trainings: 2)."


def test_two_more_examples_of_360_are_within_chance_however_alike_the_seeds_are() -> None:
    ours, theirs = (right / 360 for right in (354, 352))
    assert judged(arm(ours, ours, examples=360), arm(theirs, theirs, examples=360)).says == "not better"
    much_less = 340 / 360
    assert judged(arm(ours, ours, examples=360), arm(much_less, much_less, examples=360)).says == "better"


def test_a_metric_that_counts_no_examples_has_the_error_of_its_seeds_alone() -> None:
    ours, theirs = (arm(*metrics, examples=360)["test"] for metrics in ((0.51237, 0.51437), (0.4, 0.4)))
    assert verdict.error_of(ours, theirs) == pytest.approx(0.001)


def test_one_training_a_side_shows_nothing() -> None:
    found = judged(arm(0.99), arm(0.9))
    assert (found.says, found.error) == ("not better", None)
    assert found.words.startswith("Not shown to be better than yours: ")
    assert "raise train.repeats" in found.words


def test_a_metric_of_which_less_is_better_is_judged_so() -> None:
    lower = ("data.metric=own:error", "data.metric_is=lower")
    assert judged(arm(0.1), arm(0.2), *lower).difference == pytest.approx(0.1)
    assert judged(arm(0.1, 0.1), arm(0.2, 0.2), *lower).says == "better"
    assert judged(arm(0.2, 0.2), arm(0.1, 0.1), *lower).says == "not better"


def test_trainings_that_diverge_more_often_than_the_starts_are_not_better() -> None:
    assert judged(arm(*OURS, diverged=1), arm(0.9, 0.9)).words == "Not better than yours: 1 of its 5 final trainings diverged."
    assert judged(arm(diverged=2), arm(diverged=2)).says == "not better"
    assert judged(arm(*OURS), arm(diverged=4)).says == "better"


def test_the_same_training_as_the_starts_is_not_better() -> None:
    assert judged(arm(*OURS), None).words == "Not better than yours: the recommended training is the one you have."


def test_without_both_trainings_nothing_is_said_of_better() -> None:
    untold = verdict.against_start(asked(), [trained(arm(*OURS), None)])
    assert (untold.says, "start.max_lr" in untold.words) == ("not tested", True)
    assert verdict.against_start(asked("start.max_lr=0.1"), []).says == "not tested"
    folded = judged(arm(*OURS, split="val"), arm(0.9, 0.9, split="val"), "train.fit=all")
    assert (folded.says, folded.split) == ("not tested", "")


def beaten() -> dict[str, Any]:
    said = judged(arm(0.967, 0.967), arm(0.975, 0.975))
    return {**cases.content(cases.everything()), "verdict": said.block()}


def lines_in_the_terminal(said: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    summary.show(said, Console(file=out, width=400), Path("runs"))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_terminal_begins_with_the_verdict_and_ends_with_what_it_asks_for() -> None:
    lines = lines_in_the_terminal(beaten())
    assert lines[0].startswith("Worse than yours: metric 0.967 against 0.975")
    assert lines[-1] == "next: Keep your own settings: in full trainings these were not better"
    better = {**beaten(), "verdict": judged(arm(*OURS), arm(0.9, 0.9)).block()}
    assert not any(line.startswith("next:") for line in lines_in_the_terminal(better))


def test_the_report_begins_with_the_verdict() -> None:
    readings = cases.everything()
    text = page.page(beaten(), readings, {}, cases.config())
    assert text.index("Worse than yours: metric 0.967 against 0.975") < text.index("Recommended settings")
    assert text.count("Worse than yours") == 1


def test_settings_that_did_not_beat_the_starts_are_not_to_be_committed() -> None:
    readings = cases.everything()
    better = {**beaten(), "verdict": judged(arm(*OURS), arm(0.9, 0.9)).block()}
    found = [[command for _, command in advice.next_lines(said, readings, cases.config())] for said in (better, beaten())]
    assert [COMMIT in commands for commands in found] == [True, False]


def test_recommended_yaml_begins_with_the_verdict(tmp_path: Path) -> None:
    runs, question = RunDirectory(tmp_path), asked("start.max_lr=0.1")
    write(runs, question, [trained(arm(0.967, 0.967), arm(0.975, 0.975))])
    text = runs.recommended.read_text()
    assert text.startswith("# Worse than yours: metric 0.967 against 0.975 on the test split")
    said = yaml12.read(text).value
    assert next(iter(said)) == "verdict"
    assert (said["verdict"]["says"], said["verdict"]["difference"]) == ("not better", -0.008)
    assert "Recommended by" not in text


def test_a_recommendation_of_before_the_verdict_is_shown_without_one() -> None:
    assert lines_in_the_terminal(cases.content(cases.everything()))[0] == "Recommended settings"


OVERFITS = {
    "lowest_after_epochs": 7.4,
    "of_epochs": 21.0,
    "budget_epochs": 3.5,
    "weight_decay": 1e-3,
    "larger_weight_decays": [0.0032, 0.01],
    "steps": 4000,
}


def test_a_training_that_overfits_ends_with_the_length_and_the_weight_decays_that_its_curve_asks_for() -> None:
    readings = [*cases.everything()[:-1], trained(arm(*OURS), arm(0.9, 0.9), overfits=OVERFITS)]
    said = {**cases.content(readings), "verdict": judged(arm(*OURS), arm(0.9, 0.9)).block()}
    commands = [command for _, command in advice.next_lines(said, readings, cases.config())]
    assert COMMIT not in commands
    assert "hpcheck run -s budget.epochs=3.5" in commands
    assert "hpcheck wd-grid --whole-runs -s wd_grid.steps=4000 -s 'wd_grid.values=[0.001, 0.0032, 0.01]'" in commands
    assert [line.endswith(command) for line, command in zip(lines_in_the_terminal(said)[-2:], commands, strict=False)] == [True, True]


def test_the_readings_of_a_run_carry_the_verdict_into_its_recommendation() -> None:
    class NoRuns:
        fingerprints = Fingerprints()

        def by_id(self, run: str) -> None:
            return None

    said = content(NoRuns(), asked("start.max_lr=0.1"), [trained(arm(*OURS), arm(0.9, 0.9))])  # type: ignore[arg-type]
    assert said["verdict"]["says"] == "better"
