"""What to do next, in the order to do it, from what the report already says."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.config import Config
from hpcheck.recommendation.verdict import has_no_answer, is_beaten, is_the_starts, keeps_yours
from hpcheck.report.try_next import LONGER, MORE_TRAININGS, Find, longer
from hpcheck.script.call import Call
from hpcheck.steps import lr_in_full
from hpcheck.steps.confirm_plan import SURE_SEEDS
from hpcheck.steps.confirm_reading import PROBABLY
from hpcheck.steps.reading import Finding, Reading, left_open

STEPS = ("lr-range", "batch", "momentum", "wd-grid", "confirm", "train")
COMMAND = {step: step for step in STEPS}
Line = tuple[str, str]  # words, and the command that does it ("" where none does)
USE_IN_SCRIPT: Line = ("Use the settings, by a line in the script", "hpcheck show --snippet hpcheck")
USE: Line = ("Use the settings. To print them as code to paste", "hpcheck show --snippet pytorch")


def next_lines(content: Mapping[str, Any], readings: Sequence[Reading], config: Config, by_id: Find = lambda _: None) -> list[Line]:
    """What a person does next: mend what abstained, run what was not run, then train and keep the settings. Settings that did not beat the
    start's, or whose training overfits, are not to be committed. `by_id` finds the records of the runs."""
    kept = after_training(content)
    open_ = [] if has_no_answer(content) else _abstained(readings, by_id)  # what to do about that is said already
    lines = [*kept, *open_, *_not_run(content, readings), *_training(readings, config, by_id), *_further(content)]
    if config.data.validate_on == "test":
        words = "Every setting was chosen on the test split. For a figure that can be published, choose them on held-out training data"
        lines.append((words, "hpcheck run -s data.validate_on=held-out"))
    if not left_open(readings) and readings and not kept:
        lines += [_use(content)] * (not lines)
        lines.append(("Write recommended.yaml here, to be committed", "hpcheck check --update"))
        lines.append(("Train with it", "hpcheck train --from recommended.yaml"))
        lines.append(("Have it checked again when code, data or versions change", "hpcheck check"))
    call = Call(script=None if config.script is None else tuple(config.script))
    return [(words, call.named_in(command)) for words, command in lines]


def next_of(content: Mapping[str, Any], call: Call) -> list[Line]:
    """What a recommendation asks for by itself: more trainings, or to be used. Nothing where a reading abstained. The commands name what
    the `call` did."""
    lines = [*after_training(content), *_further(content)]
    abstained = any(item.get("status") == "abstained" for item in content["evidence"].values())
    if not lines and not abstained and content["evidence"]:
        lines = [_use(content)]
    return [(words, call.named_in(command)) for words, command in lines]


def _use(content: Mapping[str, Any]) -> Line:
    """How the settings get into the user's training: only a script knows its groups, clipping and loop."""
    return USE_IN_SCRIPT if "script" in content.get("provenance", {}) else USE


def after_training(content: Mapping[str, Any]) -> list[Line]:
    """What the final trainings ask for: the user's own settings, where the recommendation did not beat them; a shorter training or a
    larger weight decay, where it overfits."""
    if has_no_answer(content):
        return [
            (
                "Look at the labels and the model first: something may be wrong there. If they are right, train twice as long",
                _longer(content),
            )
        ]
    beaten = ("Keep your own settings. In full trainings these were not better", "")
    found = content.get("results", {}).get("train", {}).get("overfits")
    return [*([beaten] if is_beaten(content) else []), *(_overfits(found) if found else [])]


def _longer(content: Mapping[str, Any]) -> str:
    """The checklist again with longer trainings; without a number where no lr, and so no length, is known."""
    lr = content["settings"].get("learning_rate")
    return f"hpcheck run -s budget.epochs={LONGER * lr['epochs']:g}" if lr else ""


def _overfits(found: Mapping[str, Any]) -> list[Line]:
    tried = ", ".join(f"{value:g}" for value in (found["weight_decay"], *found["larger_weight_decays"]))
    return [
        (
            f"The training overfits: its validation loss is lowest after {found['lowest_after_epochs']:g} of {found['of_epochs']:g} "
            "epochs. To search anew for a training of that length",
            f"hpcheck run -s budget.epochs={found['budget_epochs']:g}",
        ),
        (
            "Or compare larger weight decays, in runs as long as the training (short runs may end before the loss rises)",
            f"hpcheck wd-grid --whole-runs -s wd_grid.steps={found['steps']} -s 'wd_grid.values=[{tried}]'",
        ),
    ]


def missing(content: Mapping[str, Any], readings: Sequence[Reading]) -> list[str]:
    """Steps of the checklist that have not been run. Full trainings take the place of short runs at other weight decays."""
    done = {reading.step for reading in readings}
    confirms = bool(content["provenance"].get("confirm_trainings", 0))
    left_out = {"wd-grid"} if confirms else {"confirm"}
    if lr_in_full.STEP in done:
        left_out.add("lr-range")  # full trainings have taken its place
    return [step for step in COMMAND if step not in done | left_out]


def _further(content: Mapping[str, Any]) -> list[Line]:
    """More full trainings, where those made found nothing better than the start, or did not prove it."""
    verdict = content.get("verdict", {})
    more = content["provenance"].get("confirm_trainings", 0) + MORE_TRAININGS
    if verdict.get("says") == PROBABLY:
        is_sure = verdict.get("fresh_seeds", 0) >= SURE_SEEDS  # `--sure` would train these no further
        command = f"hpcheck run -s confirm.trainings={more}" if is_sure else "hpcheck run --sure"
        return [("You can use the settings. To be surer first, train them and yours with more seeds", command)]
    if not keeps_yours(content):
        return []
    words = f"To look further, allow {more} full trainings"
    if not after_training(content):
        first = "Nothing to change" if is_the_starts(content) else "Set this learning rate. Nothing else changes"
        words = f"{first}. {words}"
    return [(words, f"hpcheck run -s confirm.trainings={more}")]


def _abstained(readings: Sequence[Reading], by_id: Find) -> list[Line]:
    return [
        (f"{item.setting.replace('_', ' ')} could not be read: {item.reason}. Make its runs longer", longer(reading, by_id))
        for reading in left_open(readings)
        for item in reading.evidence
        if item.status == "abstained"
    ]


def _not_run(content: Mapping[str, Any], readings: Sequence[Reading]) -> list[Line]:
    steps = missing(content, readings)
    if not readings:
        return [("Nothing has been read yet. Run the checklist", "hpcheck run")]
    return [(f"Not run yet: {step}", f"hpcheck {COMMAND[step]}") for step in steps]


def _training(readings: Sequence[Reading], config: Config, by_id: Find) -> list[Line]:
    findings = frozenset[Finding]().union(*(reading.findings for reading in readings))
    lines = []
    if "still falling" in findings:
        words = "The validation loss was still falling when training ended. Train longer (section 4.2, Remark 4)"
        lines.append((words, f"hpcheck train -s budget.epochs={LONGER * config.budget.epochs:g}"))
    if "too short to tell" in findings:
        commands = [longer(reading, by_id) for reading in readings if "too short to tell" in reading.findings]
        lines.append(("The weight decays had no time to act. Compare them in longer runs", commands[0]))
    return lines
