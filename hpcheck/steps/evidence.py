"""A choice as evidence for `recommended.yaml`, and curves as pictures: plain values for what comes after the steps."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.clues import Clue
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.divergence import find_divergence
from hpcheck.analysis.readable import filled, steps_down
from hpcheck.analysis.smooth import smooth_parts
from hpcheck.drawing.panels import Box, Series
from hpcheck.runs.records import RunRecord
from hpcheck.steps.build_runs import curve
from hpcheck.steps.compare import Compared
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.reading import Evidence
from hpcheck.steps.step import Asked

FEW_TO_DRAW = 25  # ours: evaluations of a curve that is drawn from one to the next; the shipped range tests have 20 to 26
ONE_SIDE = 4  # ours: so many dots in a row on one side of a line are not its noise, which would do so once in eight times


def evidence(
    asked: Asked,
    setting: str,
    choice: Choice,
    source: str,
    runs: Sequence[str],
    value: Any = None,
    clues: Sequence[Clue] = (),
    kept: str = "start",
) -> Evidence:
    """`choice` as the evidence for `setting`; `value` is what the setting becomes, where that is not the choice's own value, and `kept`
    says whose it is where the choice abstains."""
    return Evidence(
        setting=setting,
        value=choice.value if value is None else value,
        status=choice.status,
        confidence=choice.confidence,
        reason=re.sub(r"\bmetric\b", metric_name(asked), choice.reason),
        source=source,
        interval=choice.interval,
        tied=choice.tied,
        good=choice.good,
        runs=tuple(runs),
        clues=tuple(dict.fromkeys(describe(clue) for clue in (*choice.clues, *clues))),
        considered=choice.scores,
        judged_by=choice.judged_by,
        kept=kept,
        higher_is_better=asked.config.data.metric_is == "higher",
    )


def describe(clue: Clue) -> str:
    """A clue in a line: what, where, and what the paper says to do."""
    form = f" ({clue.form})" if clue.form else ""
    lrs, steps = f"lr {clue.from_lr:.2g} to {clue.to_lr:.2g}", f"iteration {clue.from_step:g} to {clue.to_step:g}"
    return f"{clue.kind}{form}, {lrs if clue.lr_rises else steps}: {clue.advice} [{clue.section}]"


def series(curve: Curve, x: str = "step", quantity: str = "val_loss", label: str = "") -> Series:
    """One line of a picture: raw dots and the smoothed curve of `quantity` against "step" or "lr", up to where it diverged."""
    y = np.asarray(getattr(curve, quantity), dtype=np.float64)  # (E,)
    divergence = find_divergence(curve)
    until = len(y) if divergence is None else divergence.onset
    trend = np.full(len(y), np.nan)
    trend[:until] = drawn_trend(curve.step[:until], y[:until], filled(curve.lr)[:until])
    known = np.flatnonzero(np.isfinite(y))
    end = len(y) if divergence is not None or len(known) == 0 else int(known[-1]) + 1  # a last value that was not logged is no divergence
    return Series(label or curve.label, tuple(getattr(curve, x)[:end].tolist()), tuple(y[:end].tolist()), tuple(trend[:end].tolist()))


def drawn_trend(x: FloatArray, y: FloatArray, lr: FloatArray) -> FloatArray:
    """The trend as a picture shows it. Through few evaluations it is the line from one to the next: whatever is smoother lies far off some
    of them, and a person would take it for what was measured. A long one begins anew where the lr steps down. Where it stays on one side of
    `ONE_SIDE` dots or more, it is their running mean instead."""
    if len(y) <= FEW_TO_DRAW:
        return y.copy()
    trend = smooth_parts(x, y, steps_down(lr)).fit.copy()
    padded = np.pad(y, 1, mode="edge")
    mean = (padded[:-2] + 2 * y + padded[2:]) / 4  # (E,)
    sides = np.where(np.isfinite(y - trend), np.sign(y - trend), 0)
    for run in np.split(np.arange(len(y)), np.flatnonzero(np.diff(sides)) + 1):
        if len(run) >= ONE_SIDE and sides[run[0]] != 0:
            trend[run] = np.where(np.isfinite(mean[run]), mean[run], trend[run])
    return trend


def repeated(records: Sequence[RunRecord], quantity: str = "val_loss", label: str = "") -> Series:
    """Repeats of one run as one line, their mean, with a band from the lowest to the highest; the first one's where another diverged."""
    first = curve(records[0], label)
    finished = [curve(record, label) for record in records if not record.diverged]
    if len(finished) < 2 or first.diverged:
        return series(first, quantity=quantity)
    share = first.step / first.step[-1]  # (E,) runs of neighbouring batch sizes (A.1) differ by a few steps
    all_ = np.stack([np.interp(share, one.step / one.step[-1], getattr(one, quantity)) for one in finished])  # (R, E)
    line = series(replace(first, **{quantity: all_.mean(axis=0)}), quantity=quantity)
    low, high = (tuple(end.tolist()) for end in (all_.min(axis=0), all_.max(axis=0)))
    return replace(line, low=low, high=high, note=f"mean of {len(finished)} runs")


def candidate_lines(
    compared: Compared, name: Callable[[float], str], quantity: str = "val_loss", step_is: Mapping[float, float] | None = None
) -> tuple[Series, ...]:
    """The first run of every candidate, the chosen one marked, with how many seeds it was run with. `step_is` says what an iteration of
    each counts for, such as its seconds."""
    lines = []
    for value, records in compared.records.items():
        line = series(curve(records[0]), quantity=quantity, label=name(value))
        line = line if step_is is None else replace(line, x=tuple(step_is[value] * step for step in line.x))
        lines.append(replace(line, chosen=value == compared.choice.value, note=note_of(records)))
    return tuple(lines)


def note_of(records: Sequence[RunRecord]) -> str:
    """How many seeds a candidate was run with, and whether the first of its runs diverged."""
    return ", ".join([f"{len(records)} seeds"] * (len(records) > 1) + ["diverged"] * records[0].diverged)


def boxes(clues: Sequence[Clue], x: str = "step") -> tuple[Box, ...]:
    """Clues as boxes over "step" or "lr" (Smith 2018, Fig. 1a)."""
    if x == "lr":
        return tuple(Box(clue.from_lr, clue.to_lr, clue.meaning, describe(clue)) for clue in clues)
    return tuple(Box(clue.from_step, clue.to_step, clue.meaning, describe(clue)) for clue in clues)
