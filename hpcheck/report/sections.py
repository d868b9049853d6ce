"""A section for each step: what it asks, the pictures, what was read, what else was considered, what it cost; and the ledger."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

from hpcheck.config import Config
from hpcheck.drawing.markup import Markup, table, tag
from hpcheck.recommendation.cost import cost_words
from hpcheck.recommendation.metric import Metric
from hpcheck.report.advice import COMMAND, missing
from hpcheck.report.figure import clue_words, figure
from hpcheck.report.ledger import ledger
from hpcheck.report.overview import NAMES, badge, sentence
from hpcheck.steps.reading import Evidence, Reading, as_measured
from hpcheck.text import bound, duration, number, trainings

# Step -> its title, what it asks and how, and the part of the paper that says so.
ABOUT = {
    "lr-range": (
        "Learning rate range test",
        "How large may the learning rate become? It rises along one run until the validation loss turns up or the metric down; short "
        "1cycles then show which maximum trains stably.",
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
        "How much weight decay balances the other regularization? A few values, then between or beyond the best, to one figure.",
        "section 4.4, Remark 6",
    ),
    "lr-reprobe": (
        "The learning rate again",
        "Batch size, momentum and weight decay move the best learning rate: is it still the same?",
        "section 4.1, Remark 3",
    ),
    "confirm": (
        "Full trainings",
        "Is it better than what you have? A few weight decays and their neighbours are trained in full, then the best and yours again with "
        "fresh seeds, which have chosen nothing.",
        "section 4.4, Remark 6; the rest is hpcheck's",
    ),
    "train": ("Training", "Do the settings hold over a full training, and has its validation loss become horizontal?", "section 5, A.1"),
}
MORE_NAMES = {**NAMES, "lr_limit": "Limit of the learning rate", "momentum_shape": "Shape of the momentum"}


def steps(content: Mapping[str, Any], readings: Sequence[Reading], costs: Mapping[str, Mapping[str, Any]], metric: Metric) -> list[Markup]:
    """All steps in order, those that were not run as one line; the re-probe only where there was cause for it."""
    unrun = missing(content, readings)
    by_step = {reading.step: reading for reading in readings}
    last_word = {item.setting: reading.step for reading in readings for item in reading.evidence}
    parts = []
    for step in ABOUT:
        if step in by_step:
            parts.append(section(by_step[step], costs.get(step, {}), last_word, metric))
        elif step in unrun:
            parts.append(not_run(step))
    return parts


def _head(step: str) -> list[Markup]:
    title, question, source = ABOUT.get(step, (step, "", ""))
    asked = tag("p", question, tag("span", f" Smith 2018, {source}", class_="source"), class_="question") if question else Markup("")
    return [tag("h2", title), asked]


def not_run(step: str) -> Markup:
    """A step without a reading: how to get one."""
    words = tag("p", "Not run yet. ", tag("code", f"hpcheck {COMMAND[step]}"), class_="empty")
    return tag("section", _head(step), words, id=f"step-{step}")


def section(reading: Reading, cost: Mapping[str, Any], last_word: Mapping[str, str], metric: Metric) -> Markup:
    """One step's reading: its answers, the pictures they were read from, what else was considered, what it cost."""
    pictures = [figure(panel, f"{reading.step}-{index}") for index, panel in enumerate(reading.panels)]
    said = {box.words for panel in reading.panels for box in panel.boxes}  # beside the pictures already
    items = _foremost(reading)
    answers = [answer(item, last_word.get(item.setting) == reading.step, _trained_well_to(item, items)) for item in items]
    parts = [*_head(reading.step), *answers, pictures, *[grounds(item, said, metric) for item in items]]
    remarks = [tag("li", _remark(remark)) for remark in reading.remarks if remark not in said]
    if remarks:
        parts += [tag("h3", "Remarks"), tag("ul", remarks, class_="remarks")]
    if cost:
        parts.append(tag("p", f"Cost: {cost_words(cost)}.", class_="fine"))
    return tag("section", parts, id=f"step-{reading.step}")


def _foremost(reading: Reading) -> list[Evidence]:
    """The settings first, then what they were read from."""
    return sorted(reading.evidence, key=lambda item: item.setting not in NAMES)


def _remark(remark: str) -> object:
    return clue_words(remark) if remark.endswith("]") else sentence(remark)


def _trained_well_to(item: Evidence, items: Sequence[Evidence]) -> float | None:
    """The largest lr that short trainings took well, where it lies above a limit that the range test read; else None."""
    if item.setting != "lr_limit" or not isinstance(item.value, int | float):
        return None
    lrs = [value for other in items if other.setting == "learning_rate" for value in (*other.good, *other.tied)]
    largest = max((value for value in lrs if not isinstance(value, str)), default=0.0)
    return largest if largest > item.value else None


def answer(item: Evidence, is_last_word: bool, superseded_by: float | None = None) -> Markup:
    """What was read, how surely and why; where a later step reads the setting again, a link to that."""
    title = tag(
        "h3",
        f"{MORE_NAMES.get(item.setting, item.setting)}: ",
        tag("span", _plain(item.value), class_="value"),
        badge(item.status, item.confidence),
    )
    parts: list[object] = [title, tag("p", sentence(item.reason), tag("span", f" Smith 2018, {item.source}", class_="source"))]
    if superseded_by is not None:
        words = f"Superseded: short trainings went well up to {bound(superseded_by)}, and the learning rate was chosen from them."
        parts.append(tag("p", tag("strong", words)))
    if item.interval:
        name = "Where the middle of such maxima may lie" if item.good else "Interval"
        parts.append(tag("p", f"{name}: {' to '.join(map(bound, item.interval))}.", class_="fine"))
    if item.setting in NAMES and not is_last_word:
        parts.append(tag("p", tag("a", "Read again once the other settings were known.", href=f"#setting-{item.setting}"), class_="fine"))
    return tag("div", parts, class_="evidence", id=f"setting-{item.setting}" if item.setting in NAMES and is_last_word else None)


def grounds(item: Evidence, said: Set[str], metric: Metric) -> list[Markup]:
    """The signs in the curves that no picture tells of, and the candidates."""
    parts = []
    signs = [tag("li", clue_words(clue)) for clue in item.clues if clue not in said]
    if signs:
        name = MORE_NAMES.get(item.setting, item.setting).lower()
        parts += [tag("p", f"Signs in the curves for the {name}:", class_="fine"), tag("ul", signs, class_="signs")]
    return [*parts, considered(item, metric)] if item.considered else parts


def _plain(value: Any) -> str:
    if value is None:
        return "none known"
    if isinstance(value, Mapping):
        return " to ".join(dict.fromkeys(number(end) for end in value.values()))
    return bound(value) if isinstance(value, int | float) else str(value)


def considered(item: Evidence, metric: Metric) -> Markup:
    """What else was tried, with its score; the candidates that cannot be told from the best say so."""
    judged = metric.label if item.judged_by == "accuracy" else "validation loss"
    body = [_candidate(item, metric, *line) for line in item.considered]
    head = (MORE_NAMES.get(item.setting, "Value"), judged[:1].upper() + judged[1:], "Standard error", "Verdict")
    return table(head, body, "considered", f"What was considered, judged by {judged}")


def _candidate(item: Evidence, metric: Metric, value: float | str, score: float, error: float) -> tuple[object, ...]:
    taken = item.value == value or (isinstance(item.value, Mapping) and item.value.get("max") == value)
    name = value if isinstance(value, str) else number(value)
    if taken and item.status != "abstained":
        verdict: object = tag("strong", "taken")
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


def costs_table(readings: Sequence[Reading], costs: Mapping[str, Mapping[str, Any]], totals: Mapping[str, Mapping[str, Any]]) -> Markup:
    """What each step cost, evaluations and diverged runs included, and what all of it did."""
    known = [(ABOUT[reading.step][0], costs[reading.step]) for reading in readings if reading.step in ABOUT and reading.step in costs]
    lines: list[tuple[object, Mapping[str, Any]]] = [(name, cost) for name, cost in known if cost["runs"]]
    lines += [(tag("strong", f"All of the {part}"), cost) for part, cost in totals.items() if cost["runs"]]
    body = [
        (name, trainings(cost["trainings"]), cost["runs"], f"{cost['iterations']:,}", duration(cost["device_seconds"]))
        for name, cost in lines
    ]
    counted = (
        "One of your trainings is a full one at the batch size and the epochs of your config, counted in training examples. "
        "A run that two steps share is counted in both, and once in the sum."
    )
    head = ("Step", "Of your trainings", "Runs", "Iterations", "Time of computing")
    shown = table(head, body, "costs") if body else tag("p", "Nothing has run yet.", class_="empty")
    return tag("section", tag("h2", "What it cost"), shown, tag("p", counted, class_="fine") if body else None, id="cost")


def balance(settings: Mapping[str, Any], config: Config) -> Markup:
    """The regularization ledger."""
    signs = {"adds": "+ adds", "takes away": "\u2212 takes away", "neither": "neither", "none": "none"}
    body: list[tuple[object, ...]] = [
        (
            entry.name,
            entry.value,
            entry.before,
            signs[entry.effect],
            (entry.words, tag("span", f" Smith 2018, {entry.source}", class_="source")),
        )
        for entry in ledger(settings, config)
    ]
    words = "The amount of regularization must be balanced for each data set and network. What regularizes here, and which way it works:"
    header = ("Regularizer", "Now", "Start", "Regularization", "What the paper says")
    source = tag("span", " Smith 2018, Remark 3", class_="source")
    return tag("section", tag("h2", "Regularization ledger"), tag("p", words, source), table(header, body, "ledger"), id="ledger")
