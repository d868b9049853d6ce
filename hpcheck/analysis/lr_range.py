"""Reading lr range tests: a logarithmic sweep that brackets divergence, and the linear ramp's extremum (Smith 2018, 4.1 and 5, item 1)."""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.choice import Choice, abstain
from hpcheck.analysis.clue import RAMP_TOO_FAST, Clue
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.smooth import Smoothed, smooth
from hpcheck.analysis.sound import FEWEST_TO_READ, Sound, apart, sound

TURNED = 4.0  # ours: standard errors above its minimum at which the trend has left it (chosen in benchmarks/reading)
WITHIN = 2.0  # ours: ... and up to which it is still at it
SPIKING = 3.0  # ours: local noise this many times the noise around the minimum is spiking
MIN_LR_DIVISORS = {"max/10": 10.0, "max/20": 20.0, "max/3": 3.0, "max/4": 4.0}  # Smith 2018, 4.1: 10 or 20 for one cycle, else 3 or 4


@dataclass(frozen=True)
class SweepReading:
    """What a short logarithmic sweep says: it only brackets. Either lr is None where the sweep does not show it.

    `learns_from`: the smallest lr at which the loss has left its start; `diverges_at`: the smallest at which it diverges for good.
    """

    diverges_at: float | None
    learns_from: float | None
    reason: str
    clues: tuple[Clue, ...] = ()


@dataclass(frozen=True)
class RangeReading:
    """What a linear lr range test says.

    `lr_limit` is the extremum, `stable_lr` the largest lr at which the loss still is at its minimum and does not spike; `turned` says
    that the curve turned inside the range; `too_fast` that the ramp outran the training.
    """

    lr_limit: Choice
    stable_lr: Choice
    turned: bool
    too_fast: bool
    clues: tuple[Clue, ...] = ()


def read_sweep(curve: Curve) -> SweepReading:
    """Bracket divergence. NaN and inf at the end are divergence; an empty or all-NaN curve gives neither lr unless it diverged."""
    read = sound(curve)
    clues = clues_of(read)
    diverges_at = None
    if read.divergence is not None and len(curve):
        diverges_at = float(curve.lr[min(read.divergence.onset, len(curve) - 1)])
    learns_from = _learns_from(read)
    said = [f"diverges at {diverges_at:.2g}" if diverges_at is not None else "does not diverge in this range"]
    said.append(f"learns from {learns_from:.2g} on" if learns_from is not None else "never leaves its start")
    return SweepReading(diverges_at, learns_from, "; ".join(said), clues)


def _learns_from(read: Sound) -> float | None:
    if not read.learnt:
        return None
    error = np.hypot(read.trend.standard_error, read.trend.standard_error[0])
    left = np.flatnonzero(read.trend.fit < read.start - np.maximum(TURNED * error, 0.1 * read.descent))
    return float(read.curve.lr[read.index[left[0]]]) if len(left) else None


def read_range(curve: Curve) -> RangeReading:
    """The extremum of a linear range test, or "at least" its end where nothing turned, or an abstention with its reason.

    Abstains on fewer than eight finite evaluations, on a loss that is flat, nothing but noise, or never left its start; never gives a
    number then.
    """
    read = sound(curve)
    clues = clues_of(read)
    too_fast = any(found.kind == RAMP_TOO_FAST for found in clues)
    unreadable = _unreadable(read)
    if unreadable:
        refused = abstain(unreadable, clues)
        return RangeReading(refused, refused, read.divergence is not None, too_fast, clues)
    trend, judged_by = _judged(read)
    limit, turned = _limit(read, trend, judged_by, clues)
    return RangeReading(limit, _stable(read, trend, limit, clues), turned, too_fast, clues)


def _unreadable(read: Sound) -> str:
    """Why the curve cannot be read; empty where it can."""
    if len(read.index) == 0:
        return "there is no finite validation loss before divergence"
    if not read.enough:
        return f"only {len(read.index)} evaluations before divergence or the end; {FEWEST_TO_READ} are needed"
    if read.learnt or _metric_learnt(read):
        return ""
    if not read.moved:
        flat = np.ptp(read.raw) == 0
        return "the validation loss is flat" if flat else "the validation loss does not leave its noise, so its minimum means nothing"
    return "the validation loss never fell below its start, so its minimum means nothing"


def _metric_learnt(read: Sound) -> bool:
    cost = read.curve.metric_cost
    if cost is None or not np.isfinite(cost[read.index]).all():
        return False
    trend = smooth(read.x, cost[read.index])
    return apart(trend, int(np.argmin(trend.fit)), 0) > TURNED


def _judged(read: Sound) -> tuple[Smoothed, str]:
    """The trend to read: the loss, or the metric where the loss cannot be read (Smith 2018, 5.2, Fig. 13b)."""
    cost = read.curve.metric_cost
    if read.learnt or cost is None:
        return read.trend, "loss"
    return smooth(read.x, cost[read.index]), "accuracy"


def _limit(read: Sound, trend: Smoothed, judged_by: str, clues: tuple[Clue, ...]) -> tuple[Choice, bool]:
    lr = read.curve.lr[read.index]
    low, last = int(np.argmin(trend.fit)), len(lr) - 1
    above = _standard_errors_above(trend, low)
    left = np.flatnonzero(above[low:] > TURNED)
    at_minimum = np.flatnonzero(above <= WITHIN)
    at = int(at_minimum[-1])
    word = "validation loss" if judged_by == "loss" else "metric"
    turned = bool(above[last] > TURNED or read.divergence is not None)
    if not turned:
        reason = f"at least {lr[last]:.2g}: the {word} has not turned within the range"
        choice = Choice(float(lr[last]), (float(lr[low]), float(lr[last])), "low", "chosen", reason, edge="high", clues=clues)
        return choice, False
    beyond = at + 1 + int(np.flatnonzero(above[at + 1 :] > TURNED)[0]) if (above[at + 1 :] > TURNED).any() else last
    upper = float(lr[beyond]) if beyond > at else float(read.curve.lr[min(int(read.index[-1]) + 1, len(read.curve) - 1)])
    confidence = "high" if len(left) and trend.noise < 0.1 * np.ptp(trend.fit) else "medium"
    what = "diverges" if not len(left) else "turns for the worse for good"
    reason = f"the {word} {what} above {lr[at]:.2g}"
    interval = (min(float(lr[low]), float(lr[at])), max(upper, float(lr[at])))
    judge = "loss" if judged_by == "loss" else "accuracy"
    return Choice(float(lr[at]), interval, confidence, "chosen", reason, clues=clues, judged_by=judge), True  # type: ignore[arg-type]


def _standard_errors_above(trend: Smoothed, low: int) -> FloatArray:
    error = np.hypot(trend.standard_error, trend.standard_error[low])
    above = trend.fit - trend.fit[low]
    ratio: FloatArray = np.divide(above, error, out=np.where(above > 0, np.inf, 0.0), where=error > 0)
    return ratio


def _stable(read: Sound, trend: Smoothed, limit: Choice, clues: tuple[Clue, ...]) -> Choice:
    """The largest lr up to the limit before which no spiking begins."""
    lr = read.curve.lr[read.index]
    low = int(np.argmin(trend.fit))
    quiet = float(np.median(trend.local_noise[: low + 1]))
    spiking = np.flatnonzero(trend.local_noise > SPIKING * max(quiet, trend.noise)) if trend.noise > 0 else np.array([], dtype=int)
    spiking = spiking[spiking >= low]
    top = float(lr[max(low, spiking[0] - 1)]) if len(spiking) else np.inf
    if limit.value is None or limit.value <= top:
        return limit
    reason = f"the loss begins to spike above {top:.2g}, below the limit of {limit.value:.2g}"
    return Choice(top, (float(lr[low]), limit.value), limit.confidence, "chosen", reason, clues=clues, judged_by=limit.judged_by)


def min_lr(max_lr: float, rule: str) -> float:
    """The smallest lr of a cycle up to `max_lr`: "max/10" or "max/20" for 1cycle, "max/3" or "max/4" for CLR (Smith 2018, 4.1 and 5).

    >>> min_lr(0.5, "max/10")
    0.05
    """
    if rule not in MIN_LR_DIVISORS:
        raise ValueError(f"no rule {rule!r} for the minimum lr; known: {', '.join(MIN_LR_DIVISORS)}")
    return max_lr / MIN_LR_DIVISORS[rule]
