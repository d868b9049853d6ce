"""A section of the page for each step: what it asks, the pictures, what was read, what else was considered, what it cost."""

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from hpcheck.recommendation.cost import cost_words
from hpcheck.recommendation.metric import Metric
from hpcheck.report.advice import COMMAND, missing
from hpcheck.report.figure import ClueWords, Figure, clue_words, figures
from hpcheck.report.overview import NAMES, Table, sentence
from hpcheck.steps.reading import Evidence, Reading, as_measured
from hpcheck.text import bound, duration, number, trainings

# Step -> its title, what it asks and how, and the part of the paper that says so.
ABOUT = {
    "lr-range": (
        "Learning rate range test",
        "How large may the learning rate become? It rises along one run until the validation loss turns up or the metric turns down. "
        "Short 1cycles then show which maximum trains stably.",
        "section 4.1",
    ),
    "lr-in-full": (
        "Learning rate, trained in full",
        "Which learning rate trains best? A training is short here, or short runs could not be read: a few rates are trained in full.",
        "section 4.1; that they are full trainings is hpcheck's",
    ),
    "batch": (
        "Batch size",
        "Which batch size trains best in the same execution time? Each gets as many iterations as fit into it, judged by its metric.",
        "section 4.2, Remark 4",
    ),
    "momentum": (
        "Momentum",
        "Which momentum trains best at its own learning rate, and should it fall while the learning rate rises?",
        "section 4.3, Remark 5",
    ),
    "wd-grid": (
        "Weight decay",
        "How much weight decay balances the other regularization? A few values are tried, then some between or beyond the best, to one "
        "figure.",
        "section 4.4, Remark 6",
    ),
    "lr-reprobe": (
        "The learning rate again",
        "Batch size, momentum and weight decay move the best learning rate: is it still the same?",
        "section 4.1, Remark 3",
    ),
    "confirm": (
        "Full trainings",
        "Is it better than what you have? A few weight decays and learning rates are trained in full. The best and yours are then "
        "trained again with fresh seeds, which had no part in the choice.",
        "section 4.4, Remark 6; the rest is hpcheck's",
    ),
    "train": ("Training", "Do the settings hold over a full training, and has its validation loss become horizontal?", "section 5, A.1"),
}
MORE_NAMES = {**NAMES, "lr_limit": "Limit of the learning rate", "momentum_shape": "Shape of the momentum"}


@dataclass(frozen=True)
class Answer:
    """What was read of one setting, how surely and why. `identity` is its name on the page, where it has the last word."""

    name: str
    value: str
    status: str
    confidence: str
    reason: str
    source: str
    identity: str = ""
    superseded: str = ""
    interval: str = ""
    read_again: str = ""


@dataclass(frozen=True)
class Grounds:
    """The signs in the curves that no picture tells of, and the candidates."""

    name: str
    signs: Sequence[ClueWords]
    considered: Table | None


@dataclass(frozen=True)
class Section:
    """One step of the page; `command` runs it, where it was not run."""

    name: str
    title: str
    question: str
    source: str
    command: str = ""
    answers: Sequence[Answer] = ()
    figures: Sequence[Figure] = ()
    grounds: Sequence[Grounds] = ()
    remarks: Sequence[ClueWords] = ()
    cost: str = ""


def steps(content: Mapping[str, Any], readings: Sequence[Reading], costs: Mapping[str, Mapping[str, Any]], metric: Metric) -> list[Section]:
    """All steps in order, those that were not run as one line; the re-probe only where there was cause for it."""
    unrun = missing(content, readings)
    by_step = {reading.step: reading for reading in readings}
    last_word = {item.setting: reading.step for reading in readings for item in reading.evidence}
    parts = []
    for step in ABOUT:
        if step in by_step:
            parts.append(section(by_step[step], costs.get(step, {}), last_word, metric))
        elif step in unrun:
            parts.append(Section(step, *ABOUT[step], command=f"hpcheck {COMMAND[step]}"))
    return parts


def section(reading: Reading, cost: Mapping[str, Any], last_word: Mapping[str, str], metric: Metric) -> Section:
    """One step's reading: its answers, the pictures they were read from, what else was considered, what it cost."""
    said = {box.words for panel in reading.panels for box in panel.boxes}  # beside the pictures already
    items = sorted(reading.evidence, key=lambda item: item.setting not in NAMES)  # the settings, then what they were read from
    title, question, source = ABOUT.get(reading.step, (reading.step, "", ""))
    return Section(
        reading.step,
        title,
        question,
        source,
        answers=[answer(item, last_word.get(item.setting) == reading.step, _trained_well_to(item, items)) for item in items],
        figures=figures(reading.panels, reading.step),
        grounds=[one for one in (grounds(item, said, metric) for item in items) if one.signs or one.considered],
        remarks=[_remark(remark) for remark in reading.remarks if remark not in said],
        cost=cost_words(cost) if cost and cost["runs"] else "",
    )


def _remark(remark: str) -> ClueWords:
    return clue_words(remark) if remark.endswith("]") else ClueWords(sentence(remark))


def _trained_well_to(item: Evidence, items: Sequence[Evidence]) -> float | None:
    """The largest lr that short trainings took well, where it lies above a limit that the range test read; else None."""
    if item.setting != "lr_limit" or not isinstance(item.value, int | float):
        return None
    lrs = [value for other in items if other.setting == "learning_rate" for value in (*other.good, *other.tied)]
    largest = max((value for value in lrs if not isinstance(value, str)), default=0.0)
    return largest if largest > item.value and bound(largest) != bound(item.value) else None


def answer(item: Evidence, is_last_word: bool, superseded_by: float | None = None) -> Answer:
    """What was read of a setting; where a later step reads it again, a link to that."""
    place = f"setting-{item.setting}" if item.setting in NAMES else ""
    interval = "Interval of the middle of such maxima" if item.good else "Interval"
    superseded = "Superseded: short trainings went well up to {}, and the learning rate was chosen from them."
    return Answer(
        MORE_NAMES.get(item.setting, item.setting),
        _plain(item.value),
        item.status,
        item.confidence,
        sentence(item.reason),
        item.source,
        identity=place if is_last_word else "",
        superseded=superseded.format(bound(superseded_by)) if superseded_by is not None else "",
        interval=f"{interval}: {' to '.join(map(bound, item.interval))}." if item.interval else "",
        read_again="" if is_last_word else place,
    )


def grounds(item: Evidence, said: Set[str], metric: Metric) -> Grounds:
    """The signs in the curves that no picture tells of, and the candidates."""
    signs = [clue_words(clue) for clue in item.clues if clue not in said]
    name = MORE_NAMES.get(item.setting, item.setting).lower()
    return Grounds(name, signs, considered(item, metric) if item.considered else None)


def _plain(value: Any) -> str:
    if value is None:
        return "none known"
    if isinstance(value, Mapping):
        return " to ".join(dict.fromkeys(number(end) for end in value.values()))
    return bound(value) if isinstance(value, int | float) else str(value)


def considered(item: Evidence, metric: Metric) -> Table:
    """What else was tried, with its score; the candidates that cannot be told from the best say so."""
    judged = metric.label if item.judged_by == "accuracy" else "validation loss"
    columns = (MORE_NAMES.get(item.setting, "Value"), judged[:1].upper() + judged[1:], "Standard error", "Verdict")
    return Table(columns, [_candidate(item, metric, *line) for line in item.considered], f"What was considered, judged by {judged}")


def _candidate(item: Evidence, metric: Metric, value: float | str, score: float, error: float) -> tuple[str, ...]:
    taken = item.value == value or (isinstance(item.value, Mapping) and item.value.get("max") == value)
    name = value if isinstance(value, str) else number(value)
    if taken and item.status != "abstained":
        verdict = "taken"
    elif value in item.tied:
        verdict = "as good"
    elif value in item.good:
        verdict = "loses little"
    else:
        verdict = "diverged" if math.isinf(score) else "worse"
    if item.status == "abstained" and math.isfinite(score):
        verdict = "cannot be told"
    scale = 100.0 if item.judged_by == "accuracy" and metric.percent else 1.0
    figure, error = scale * as_measured(score, item.judged_by, item.higher_is_better), scale * error
    return name, f"{figure:.4g}" if math.isfinite(score) else "\u2013", f"{error:.2g}" if math.isfinite(score) else "\u2013", verdict


COUNTED = (
    "One of your trainings is a full one at the batch size and the epochs of your config, counted in training examples. "
    "A run that two steps share is counted in both, and once in the sum."
)


def costs_table(
    readings: Sequence[Reading], costs: Mapping[str, Mapping[str, Any]], totals: Mapping[str, Mapping[str, Any]]
) -> Table | None:
    """What each step cost, evaluations and diverged runs included, and what all of it did; None before anything ran."""
    known = [(ABOUT[reading.step][0], costs[reading.step]) for reading in readings if reading.step in ABOUT and reading.step in costs]
    lines = [(name, cost) for name, cost in known if cost["runs"]]
    lines += [(f"All of the {part}", cost) for part, cost in totals.items() if cost["runs"]]
    rows = [
        (name, trainings(cost["trainings"]), cost["runs"], f"{cost['iterations']:,}", duration(cost["device_seconds"]))
        for name, cost in lines
    ]
    return Table(("Step", "Of your trainings", "Runs", "Iterations", "Time of computing"), rows) if rows else None
