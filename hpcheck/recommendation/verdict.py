"""Whether the recommendation beats what the user had: one verdict, with whose sentence every output begins."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hpcheck.analysis.full_trainings import Ahead, Trained, ahead, seeds_of
from hpcheck.steps.build_runs import examples_of_share
from hpcheck.steps.confirm_plan import trainings_of
from hpcheck.steps.confirm_reading import BETTER, NOT_BETTER, PROBABLY
from hpcheck.steps.confirm_words import is_percent, measured, metric_name, seeds_words, spelled
from hpcheck.steps.nothing_learnt import NOT_TESTED
from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked
from hpcheck.steps.train import is_folded
from hpcheck.steps.trained_lines import line_of_start

Beside = Literal["better", "within chance", "worse"]
WITHIN: Beside = "within chance"  # of final trainings beside the start's, where nothing was confirmed
WORSE: Beside = "worse"
START, START_WITHOUT_LR = "start", "start at the learning rate found"  # what was compared with; the second where the config gives no lr
KEEP = "Keep yours: nothing better was found"


@dataclass(frozen=True)
class Verdict:
    """`says` of the recommendation against the start ("better", "probably better", "not better" or "not tested"), and `words`, the first
    line of every output.

    `ours` and `theirs` are mean figures of what decided, `metric`, in its `unit`. `difference` is positive where ours is better, of a loss
    too, and `interval` is where it lies by chance of seeds and examples. `beside_yours` is what final trainings beside the start's came
    to, where nothing was confirmed.
    """

    says: str
    words: str
    against: str = START
    metric: str = ""
    unit: str = ""
    ours: float | None = None
    theirs: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    fresh_seeds: int | None = None
    beside_yours: Beside | None = None

    def __str__(self) -> str:
        return self.words

    def block(self) -> dict[str, Any]:
        """What recommended.yaml has of it: no key that says nothing."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "")}


def first_line(content: Mapping[str, Any]) -> str:
    """The words of a recommendation's verdict; "" in a recommended.yaml of before."""
    verdict = content.get("verdict")
    return str(verdict.get("words", "")) if isinstance(verdict, Mapping) else ""


def parts(words: str) -> tuple[str, str]:
    """A verdict's answer, its first sentence, and what it rests on.

    >>> parts("Keep yours: nothing better was found. Nothing else was trained to the end.")
    ('Keep yours: nothing better was found.', 'Nothing else was trained to the end.')
    """
    head, dot, rest = words.partition(". ")
    return head + dot.strip(), rest


def is_beaten(content: Mapping[str, Any]) -> bool:
    """Whether settings that nothing confirmed were trained beside the start's and are not better. Confirmed ones are the start's then."""
    verdict = content.get("verdict")
    if not isinstance(verdict, Mapping):
        return False
    if "against" not in verdict:  # of before
        return verdict.get("says") == NOT_BETTER
    return verdict.get("beside_yours") in (WITHIN, WORSE)


def keeps_yours(content: Mapping[str, Any]) -> bool:
    """Whether full trainings found nothing better than the start, so that `settings` are the start's own."""
    verdict = content.get("verdict")
    return isinstance(verdict, Mapping) and verdict.get("says") == NOT_BETTER and "against" in verdict


def against_start(asked: Asked, readings: Sequence[Reading]) -> Verdict:
    """The verdict of `confirm`, by fresh seeds; without it that nothing is confirmed, and what final trainings beside the start's say."""
    confirmed = next((reading for reading in readings if "verdict" in reading.results), None)
    if confirmed is not None:
        return _confirmed(asked, confirmed.results["verdict"], confirmed.settings.max_lr, _lr_of_yours(confirmed))
    trained = next((reading.results for reading in readings if reading.step == "train" and reading.results), None)
    why = "confirm.trainings is 0" if not trainings_of(asked) else "hpcheck confirm does that"
    if trained is None:
        return Verdict(NOT_TESTED, f"Not confirmed: nothing was trained in full ({why}).")
    if "start" in trained:
        return _beside(asked, trained["recommended"], trained["start"])
    count = len(trained["recommended"]["runs"])
    times = "once" if count == 1 else f"{spelled(count)} times"
    return Verdict(NOT_TESTED, f"Not confirmed: trained in full {times}, but not beside yours ({why}).")


def has_no_answer(content: Mapping[str, Any]) -> bool:
    """Whether full trainings were made, of which none learnt anything that could be compared."""
    confirmed = content.get("results", {}).get("confirm", {})
    return "considered" in confirmed and content.get("verdict", {}).get("says") == NOT_TESTED


def is_the_starts(content: Mapping[str, Any]) -> bool:
    """Whether the start that full trainings kept has a learning rate of its own."""
    return keeps_yours(content) and content["verdict"]["against"] == START


def _lr_of_yours(confirmed: Reading) -> float | None:
    """The learning rate that the user's settings were trained at."""
    return line_of_start(confirmed.results.get("considered", ())).get("max_lr")


def _confirmed(asked: Asked, found: Mapping[str, Any], lr: float | None, of_yours: float | None) -> Verdict:
    """The verdict in words, from the figures that `confirm` left. `lr` is the one that it chose, `of_yours` that of the user's settings."""
    against = START if asked.config.start.max_lr is not None else START_WITHOUT_LR
    if "why" in found:
        return Verdict(NOT_TESTED, f"No answer: yours stays. {_capital(found['why'])}.", against)
    says, diverged = found["says"], found["diverged"]
    if "metric" not in found:
        return Verdict(says, _of_diverged(says, diverged, found.get("trained", diverged), any(found.get("without_number", ()))), against)
    by = found["by"]
    figures, fresh = found[by], min(found["fresh_seeds"])
    percent = by == "metric" and is_percent(asked)
    scale = 100.0 if percent else 1.0
    name = found["name"] if by == "metric" else "validation loss"
    return Verdict(
        says,
        _words(asked, found, lr, of_yours),
        against,
        metric=name,
        unit="percent" if percent else "",
        ours=scale * figures["ours"],
        theirs=scale * figures["theirs"],
        difference=scale * figures["difference"],
        interval=(scale * figures["interval"][0], scale * figures["interval"][1]),
        fresh_seeds=fresh,
    )


def _of_diverged(says: str, diverged: Sequence[int], trained: Sequence[int], odd: bool) -> str:
    """`diverged`: how many trainings of each side did, of so many `trained`. `odd`: some did not, and came to NaN all the same."""
    ours, theirs = diverged
    if says != NOT_BETTER:
        return f"Better than yours. With your settings the training diverged ({spelled(theirs)} of {spelled(trained[1])})."
    if odd:
        return f"{KEEP}. A full training came to figures that cannot be compared."
    if ours and theirs:
        return "Nothing better was found, and yours diverges. recommended.yaml keeps yours all the same."
    return f"{KEEP}. " + ("The full training of the others diverged." if ours else "Nothing else was trained to the end.")


def _words(asked: Asked, found: Mapping[str, Any], lr: float | None, of_yours: float | None) -> str:
    """What outputs begin with: the answer as a first sentence, then what it rests on."""
    metric, name = found["metric"], _of_validation(found["name"])
    pair = f"{measured(asked, metric['ours'])}, yours {measured(asked, metric['theirs'])}"
    again, sure = f"With {seeds_words(found['fresh_seeds'])},", "(95% interval: chance in the validation examples and between seeds)"
    unclear = f"{_capital(name)} shows no clear difference: {pair}."
    at_lr = "" if asked.config.start.max_lr is not None else f" {_found_for_yours(of_yours)}"
    if found["says"] == BETTER and found["by"] == "metric":
        low, high = (measured(asked, end, unit=False) if is_percent(asked) else f"{end:.2g}" for end in metric["interval"])
        gain = f"The gain is {low} to {high}{' points' * is_percent(asked)} {sure}."
        return f"Better than yours. {again} {name} is {_more(asked)}: {pair}. {gain}{at_lr}"
    if found["says"] == BETTER:
        low, high = (f"{end:.3g}" for end in found["loss"]["interval"])
        lower = f"{again} validation loss is lower: {_losses(found['loss'])}. The gain is {low} to {high} {sure}."
        return f"Better than yours. {lower} {unclear}{at_lr}"
    if found["says"] == PROBABLY:
        return f"Probably better than yours, but not certain. {_probably(asked, found, pair, unclear)}{at_lr}"
    at = (
        KEEP
        if lr is None or asked.config.start.max_lr is not None
        else f"Keep yours, with learning rate {lr:.2g}: nothing better was found"
    )
    chance = "That is worse by more than chance" if metric["interval"][1] < 0 else "So small a difference may be chance"
    return f"{at}. {again} the best of the others ({found['ours_are']}) reached {name} {pair}. {chance}.{at_lr}"


def _found_for_yours(lr: float | None) -> str:
    """Where the user's settings have their learning rate from, if not from the user. The recommended ones may have another."""
    return "Your config gives no learning rate, so yours has the one that the search found" + ("." if lr is None else f": {lr:.2g}.")


def _probably(asked: Asked, found: Mapping[str, Any], pair: str, unclear: str) -> str:
    """What led over all seeds, and that the fresh ones alone do not prove it."""
    metric, loss = found["together"]["metric"], found["together"]["loss"]
    one, other = (spelled(count) for count in found["fresh_seeds"])
    alone = f"The fresh seeds alone ({f'{one} each' if one == other else f'{one} against {other}'}) do not prove it"
    if metric["difference"] <= metric["error"] and loss["difference"] > loss["error"]:
        return f"Over all seeds together, validation loss is lower: {_losses(loss)}. {alone}. {unclear}"
    over_all = f"{measured(asked, metric['ours'])}, yours {measured(asked, metric['theirs'])}"
    return f"Over all seeds together, {_of_validation(found['name'])} is {_more(asked)}: {over_all}. {alone}: {pair}."


def _of_validation(name: str) -> str:
    """A metric's name with the set that it is of, so that nobody takes it for that of the test split."""
    return name if name.startswith("minus") else f"validation {name}"


def _more(asked: Asked) -> str:
    """What a better metric is."""
    return "higher" if asked.config.data.metric_is == "higher" else "lower"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _losses(loss: Mapping[str, float]) -> str:
    return f"{loss['ours']:.3g}, yours {loss['theirs']:.3g}"


def _beside(asked: Asked, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Verdict:
    """Final trainings beside the start's, where nothing was confirmed: of the test split where both have one, else of the held-out one."""
    begun = "Not confirmed: these settings come from short runs."
    lost, theirs_lost = ours["diverged"] / len(ours["runs"]), theirs["diverged"] / len(theirs["runs"])
    if lost == 1 or lost > theirs_lost:
        counts = f"{ours['diverged']} of {len(ours['runs'])} trainings diverged"
        return Verdict(NOT_TESTED, f"{begun} In full, {counts}.", beside_yours=WORSE)
    if theirs_lost == 1:
        return Verdict(NOT_TESTED, f"{begun} In full, all trainings of yours diverged.", beside_yours="better")
    splits = ("test",) if is_folded(asked) else ("test", "val")
    split = next((one for one in splits if one in ours and one in theirs), None)
    if split is None:
        return Verdict(NOT_TESTED, f"{begun} What was held out was trained on, and there is no test split.")
    found = error_of(asked, ours[split], theirs[split])
    beside: Beside = "better" if found.interval[0] > 0 else WORSE if found.interval[1] < 0 else WITHIN
    named = {"test": "the test split", "val": "the validation split"}[split]
    scale = 100.0 if is_percent(asked) else 1.0
    result = {"better": "better beyond chance", WORSE: "worse beyond chance", WITHIN: "within chance"}[beside]
    counts = " and ".join(dict.fromkeys(spelled(len(one["each"])) for one in (ours[split], theirs[split])))
    pair = f"{measured(asked, ours[split]['metric'])}, yours {measured(asked, theirs[split]['metric'])}, on {named}"
    return Verdict(
        NOT_TESTED,
        f"{begun} In full they reach {metric_name(asked)} {pair} ({counts} trainings each). That is {result}.",
        metric=metric_name(asked),
        unit="percent" if is_percent(asked) else "",
        ours=scale * ours[split]["metric"],
        theirs=scale * theirs[split]["metric"],
        difference=scale * found.value,
        interval=(scale * found.interval[0], scale * found.interval[1]),
        beside_yours=beside,
    )


def error_of(asked: Asked, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Ahead:
    """How far the mean metric of `ours` is ahead, by the judge of the full trainings, from seeds alone."""
    sign = -1.0 if asked.config.data.metric_is == "higher" else 1.0
    share = ours.get("examples") if examples_of_share(asked) is not None else None
    known_best = asked.config.data.metric in ("auto", "accuracy", "r2")

    def trained(metric: float) -> Trained:
        return Trained(math.nan, sign * metric, share_of=share, lacks=1 - metric if known_best else None)

    sides = [[trained(value) for value in one["each"]] for one in (ours, theirs)]
    return ahead(sides[0], sides[1], "metric", seeds_of(sides, "metric"))
