"""The verdict against the start: better beyond chance or not, and what terminal, report and recommended.yaml then begin and end with."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpcheck.cli import summary
from hpcheck.config import yaml12
from hpcheck.recommendation import recommended, verdict, wording
from hpcheck.recommendation.recommended import content, write
from hpcheck.report import advice, page
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.identity import Fingerprints
from hpcheck.script.call import Call
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.step import Asked
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


def classes(*overrides: str) -> Asked:
    question = asked("confirm.trainings=8", *overrides)
    return replace(question, facts=replace(question.facts, classes=True, task="classes"))


def figures(ours: float, theirs: float, low: float, high: float) -> dict[str, Any]:
    return {"ours": ours, "theirs": theirs, "difference": abs(ours - theirs), "error": (high - low) / 4, "interval": [low, high]}


def confirmed(says: str, metric: dict[str, Any], loss: dict[str, Any], by: str = "metric", fresh: tuple[int, int] = (1, 1)) -> Reading:
    both = {"metric": metric, "loss": loss}
    told = {
        "says": says,
        "by": by,
        "name": "accuracy",
        "ours_are": "weight decay 0.001",
        "fresh_seeds": list(fresh),
        "diverged": [0, 0],
        **both,
        "together": both,
    }
    return Reading("confirm", KNOWN, (), results={"verdict": told})


AT_LR = " Your config gives no learning rate, so yours has the one that the search found."
LOSS = figures(0.105, 0.121, 0.01, 0.022)


def test_better_is_said_with_both_figures_and_how_much_more_it_may_be() -> None:
    found = verdict.against_start(classes(), [confirmed("better", figures(0.979, 0.971, 0.002, 0.014), LOSS)])
    assert found.words == (
        "Better than yours. With one fresh seed each, validation accuracy is higher: 97.9%, yours 97.1%. The gain is 0.2 to 1.4 points "
        "(95% interval: chance in the validation examples and between seeds)." + AT_LR
    )
    assert (found.says, found.unit, found.fresh_seeds) == ("better", "percent", 1)
    assert found.block() | {"words": ""} == {
        "says": "better",
        "words": "",
        "against": "start at the learning rate found",
        "metric": "accuracy",
        "unit": "percent",
        "ours": pytest.approx(97.9),
        "theirs": pytest.approx(97.1),
        "difference": pytest.approx(0.8),
        "interval": pytest.approx((0.2, 1.4)),
        "fresh_seeds": 1,
    }


def test_where_the_loss_decides_it_is_said() -> None:
    found = verdict.against_start(classes(), [confirmed("better", figures(0.96, 0.959, -0.004, 0.006), LOSS, by="loss", fresh=(2, 2))])
    gain = "The gain is 0.01 to 0.022 (95% interval: chance in the validation examples and between seeds)."
    words = f"Better than yours. With two fresh seeds each, validation loss is lower: 0.105, yours 0.121. {gain}"
    assert found.words == f"{words} Validation accuracy shows no clear difference: 96.0%, yours 95.9%.{AT_LR}"
    assert found.metric == "validation loss"


def test_probably_better_says_what_led_and_what_is_within_chance() -> None:
    found = verdict.against_start(classes(), [confirmed("probably better", figures(0.96, 0.958, -0.004, 0.008), LOSS)])
    alone = "The fresh seeds alone (one each) do not prove it"
    begun = "Probably better than yours, but not certain."
    by_loss = "Over all seeds together, validation loss is lower: 0.105, yours 0.121."
    assert found.words == f"{begun} {by_loss} {alone}. Validation accuracy shows no clear difference: 96.0%, yours 95.8%.{AT_LR}"
    led = verdict.against_start(classes(), [confirmed("probably better", figures(0.97, 0.958, 0.002, 0.016), LOSS)])
    assert (
        led.words
        == f"{begun} Over all seeds together, validation accuracy is higher: 97.0%, yours 95.8%. {alone}: 97.0%, yours 95.8%.{AT_LR}"
    )


def test_not_better_says_that_yours_is_kept_and_how_to_look_further() -> None:
    found = verdict.against_start(classes(), [confirmed("not better", figures(0.967, 0.975, -0.02, 0.004), LOSS)])
    best = "With one fresh seed each, the best of the others (weight decay 0.001) reached validation accuracy 96.7%, yours 97.5%."
    why = f"{best} So small a difference may be chance."
    assert found.words == f"Keep yours, with learning rate 0.5: nothing better was found. {why}{AT_LR}"
    own = verdict.against_start(classes("start.max_lr=0.1"), [confirmed("not better", figures(0.967, 0.975, -0.02, 0.004), LOSS)])
    assert own.words == f"Keep yours: nothing better was found. {why}"
    worse = verdict.against_start(classes(), [confirmed("not better", figures(0.9, 0.975, -0.1, -0.05), LOSS)])
    assert worse.words.endswith(f"That is worse by more than chance.{AT_LR}")


def test_the_learning_rate_that_yours_was_trained_at_is_told_beside_a_recommendation_at_another() -> None:
    reading = confirmed("probably better", figures(0.97, 0.958, 0.002, 0.016), LOSS)
    trained_ones = [{"start": False, "max_lr": 0.19}, {"start": True, "max_lr": 0.095}]
    reading = replace(reading, results={**reading.results, "considered": trained_ones})
    assert verdict.against_start(classes(), [reading]).words.endswith("so yours has the one that the search found: 0.095.")
    assert "learning rate" not in verdict.against_start(classes("start.max_lr=0.1"), [reading]).words


def test_where_yours_stays_the_learning_rate_is_yours_only_if_the_config_gives_one() -> None:
    for override, rows in ((), "chosen"), (("start.max_lr=0.1",), "yours stays"):
        said = verdict.against_start(classes(*override), [confirmed("not better", figures(0.967, 0.975, -0.02, 0.004), LOSS)])
        content = {**cases.content(cases.everything()), "verdict": said.block()}
        content["evidence"]["learning_rate"]["status"] = "chosen"
        assert wording.status_of("learning_rate", content) == rows


def test_trainings_that_learnt_nothing_are_no_answer_and_ask_for_a_look_at_the_data_and_then_longer_ones() -> None:
    reading = Reading(
        "confirm",
        KNOWN,
        (),
        results={"trainings": 7, "considered": [{}] * 7, "verdict": {"says": "not tested", "why": "no full training learnt a thing"}},
    )
    said = verdict.against_start(classes("start.max_lr=0.1"), [reading])
    assert said.words == "No answer: yours stays. No full training learnt a thing."
    content = {**cases.content(cases.everything()), "verdict": said.block(), "results": {"confirm": reading.results}}
    assert wording.to_set_line(content) == "nothing: keep what you have"
    assert {wording.status_of(name, content) for name in content["evidence"]} == {"yours stays"}
    assert "since no training learnt enough" in recommended.text(content)
    assert wording.belief_line(content) == "there is nothing to be sure of. 7 full trainings of 7 settings learnt nothing"
    [(words, command), *_] = advice.next_of(content, Call())
    assert words.startswith("Look at the labels and the model first")
    assert command == "hpcheck run -s budget.epochs=200"


def test_a_metric_that_is_no_share_is_told_as_it_is() -> None:
    question = asked("confirm.trainings=8", "data.metric=own:error", "data.metric_is=lower")
    found = verdict.against_start(question, [confirmed("better", figures(0.56, 0.6, 0.01, 0.07), LOSS)])
    assert found.words == (
        "Better than yours. With one fresh seed each, validation accuracy is lower: 0.56, yours 0.6. The gain is 0.01 to 0.07 (95% "
        "interval: chance in the validation examples and between seeds)." + AT_LR
    )
    assert found.unit == ""


def test_without_full_trainings_nothing_is_confirmed() -> None:
    assert verdict.against_start(asked(), []).words == "Not confirmed: nothing was trained in full (confirm.trainings is 0)."
    assert verdict.against_start(classes(), []).words == "Not confirmed: nothing was trained in full (hpcheck confirm does that)."
    alone = verdict.against_start(asked(), [trained(arm(*OURS), None)])
    assert alone.words == "Not confirmed: trained in full four times, but not beside yours (confirm.trainings is 0)."
    assert {one.says for one in (alone, judged(arm(*OURS), arm(0.9, 0.9)))} == {"not tested"}


def test_final_trainings_beside_the_starts_are_told_where_nothing_was_confirmed() -> None:
    found = judged(arm(*OURS), arm(0.971, 0.972, 0.971, 0.972))
    begun = "Not confirmed: these settings come from short runs. In full"
    figures_told = "metric 0.982, yours 0.9715, on the test split (four trainings each)"
    assert found.words == f"{begun} they reach {figures_told}. That is better beyond chance."
    assert (found.beside_yours, found.difference) == ("better", pytest.approx(0.0105))
    assert judged(arm(0.9, 0.9), arm(0.975, 0.975)).beside_yours == "worse"
    assert judged(arm(*OURS), arm(0.98, 0.985, 0.981, 0.982)).beside_yours == "within chance"
    assert judged(arm(*OURS, diverged=1), arm(0.9, 0.9)).words == f"{begun}, 1 of 5 trainings diverged."
    assert judged(arm(*OURS), arm(diverged=4)).beside_yours == "better"
    folded = judged(arm(*OURS, split="val"), arm(0.9, 0.9, split="val"), "train.fit=all")
    assert folded.beside_yours is None


def test_a_metric_of_which_less_is_better_is_judged_so() -> None:
    lower = ("data.metric=own:error", "data.metric_is=lower")
    assert judged(arm(0.1), arm(0.2), *lower).difference == pytest.approx(0.1)
    assert judged(arm(0.2, 0.2), arm(0.1, 0.1), *lower).beside_yours == "worse"


BEATEN = (
    "Not confirmed: these settings come from short runs. In full they reach metric 0.9, yours 0.975, on the test split "
    "(two trainings each). That is worse beyond chance."
)


def beaten() -> dict[str, Any]:
    said = judged(arm(0.9, 0.9), arm(0.975, 0.975))
    return {**cases.content(cases.everything()), "verdict": said.block()}


def lines_in_the_terminal(said: dict[str, Any]) -> list[str]:
    out = io.StringIO()
    summary.show(said, Console(file=out, width=400), Path("runs"))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_the_terminal_begins_with_the_verdict_and_ends_with_what_it_asks_for() -> None:
    lines = lines_in_the_terminal(beaten())
    assert lines[:2] == [BEATEN.partition(" In")[0], BEATEN.partition(". ")[2]]
    assert lines[-1] == "next: keep your own settings. In full trainings these were not better"
    better = {**beaten(), "verdict": judged(arm(*OURS), arm(0.9, 0.9)).block()}
    assert lines_in_the_terminal(better)[-1] == "next: use the settings. To print them as code to paste: hpcheck show --snippet pytorch"
    scripts = {**better, "provenance": {**better["provenance"], "script": {"train_examples": 900}}}
    assert lines_in_the_terminal(scripts)[-1] == "next: use the settings, by a line in the script: hpcheck show --snippet hpcheck"


def test_the_report_begins_with_the_verdict() -> None:
    readings = cases.everything()
    text = page.page(beaten(), readings, {}, cases.config(), cases.METRIC)
    assert text.index("In full they reach metric 0.9, yours 0.975, on the test split") < text.index("Recommended settings")
    assert text.count("Not confirmed") == 1


def test_settings_that_did_not_beat_the_starts_are_not_to_be_committed() -> None:
    readings = cases.everything()
    better = {**beaten(), "verdict": judged(arm(*OURS), arm(0.9, 0.9)).block()}
    found = [[command for _, command in advice.next_lines(said, readings, cases.config())] for said in (better, beaten())]
    assert [COMMIT in commands for commands in found] == [True, False]


def test_recommended_yaml_begins_with_the_verdict(tmp_path: Path) -> None:
    runs, question = RunDirectory(tmp_path), asked("start.max_lr=0.1")
    write(runs, question, [trained(arm(0.9, 0.9), arm(0.975, 0.975))])
    text = runs.recommended.read_text()
    assert text.startswith(f"# {BEATEN.partition(' In ')[0]}\n")
    said = yaml12.read(text).value
    assert list(said)[:3] == ["format", "verdict", "cost"]
    assert (said["verdict"]["says"], said["verdict"]["difference"]) == ("not tested", -0.075)
    assert "Recommended by" not in text


def test_a_recommendation_of_before_the_verdict_is_shown_without_one() -> None:
    assert lines_in_the_terminal(cases.content(cases.everything()))[0].startswith("setting  ")


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
    assert said["verdict"]["beside_yours"] == "better"


def test_a_value_that_was_read_and_is_the_users_stays_as_they_have_it() -> None:
    found = cases.content(cases.everything())
    found["verdict"] = {"says": "better", "against": "start"}
    found["settings"]["momentum"] = {"max": 0.95, "min": 0.85}
    yours = {"start": True, "momentum": [0.95, 0.85], "weight_decay": 0.5, "max_lr": 0.001, "total_batch_size": 1}
    found["results"] = {"confirm": {"considered": [yours]}}
    to_set, _, stay = wording.to_set_line(found).partition("Leave ")
    assert "momentum" not in to_set
    assert "momentum 0.95 to 0.85" in stay
    assert "(yours: 0.5)" in to_set
