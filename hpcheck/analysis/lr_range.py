"""Reading lr range tests: a logarithmic sweep that brackets divergence, and the linear ramp's extremum (Smith 2018, 4.1 and 5, item 1)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcheck.analysis.chance import above_chance
from hpcheck.analysis.choice import Choice, abstain
from hpcheck.analysis.clue import RAMP_TOO_FAST, Clue
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.curve import Curve, FloatArray, is_value
from hpcheck.analysis.divergence import level_for_good
from hpcheck.analysis.readable import FEWEST_TO_READ, LEARNT, Sound, apart, filled, sound
from hpcheck.analysis.smooth import Smoothed, smooth
from hpcheck.analysis.wandering import wandering

TURNED = 4.0  # ours: standard errors above its minimum at which the trend has left it (chosen in benchmarks/reading)
WITHIN = 2.0  # ours: ... and up to which it is still at it
NARROW = 2.0  # ours: an interval of at most this factor deserves high confidence; the extremum is within 2-3 of the best max
SPIKING = 3.0  # ours: local noise this many times the noise around the minimum is spiking
MIN_LR_DIVISORS = {"max/10": 10.0, "max/20": 20.0, "max/3": 3.0, "max/4": 4.0}  # Smith 2018, 4.1: 10 or 20 for one cycle, else 3 or 4
RECOVERED = 0.1  # ours: ... from which it has recovered once it is back within this share of it
COLLAPSED = 0.5  # ours: share of its descent that a sweep's loss has lost for good when training has collapsed
METRIC_MOVED = 2.5  # ours: noise levels that a metric must improve before it says that the network learnt; at chance it wanders by two
METRIC_SHARE = 0.5  # ours: ... and this share of where it started: a dead network's wanders from 0.10 to 0.125, with hardly any noise
LOSS_MOVED = 4.0  # ours: what values wander, by which a loss must descend to have learnt; below it a metric may say so (5.2, Fig. 13b)


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


@dataclass(frozen=True)
class Extremum:
    """Where a trend turns: the largest lr still at the minimum, the minimum's own lr, the first lr clearly beyond; or the range's end."""

    lr: float
    lowest: float
    upper: float
    turned: bool
    how: str


def read_sweep(curve: Curve) -> SweepReading:
    """Bracket divergence. NaN and inf at the end are divergence; an empty or all-NaN curve gives neither lr unless it diverged."""
    read = sound(curve)
    clues = clues_of(read)
    onsets = (None if read.divergence is None else read.divergence.onset, _collapse(read))
    onset = min((at for at in onsets if at is not None), default=None)
    diverges_at = float(filled(curve.lr)[min(onset, len(curve) - 1)]) if onset is not None and len(curve) else None
    learns_from = _learns_from(read)
    said = [f"diverges at {diverges_at:.2g}" if diverges_at is not None else "does not diverge in this range"]
    said.append(f"learns from {learns_from:.2g} on" if learns_from is not None else "never leaves its start")
    return SweepReading(diverges_at, learns_from, "; ".join(said), clues)


def _collapse(read: Sound) -> int | None:
    """The first evaluation at which the loss has gone back up half of its descent and never falls below that again; None where it does
    not, or where there was no descent to lose: the lowest of many values of noise lies as far below the first ones.

    A network whose units die returns to chance level and stays there, long before anything overflows.
    """
    if not read.learnt or not read.enough or read.descent <= LOSS_MOVED * wandering(read.x, read.raw):
        return None
    after = slice(read.lowest, None)  # noise may grow with the lr
    if len(read.x) - read.lowest >= FEWEST_TO_READ and read.descent <= LOSS_MOVED * wandering(read.x[after], read.raw[after]):
        return None
    finite = np.flatnonzero(is_value(read.curve.val_loss))
    raw, lowest = read.curve.val_loss[finite], float(read.trend.fit[read.lowest])
    back = np.flatnonzero(level_for_good(raw) > lowest + COLLAPSED * read.descent)
    back = back[finite[back] > read.index[read.lowest]]
    return int(finite[back[0]]) if len(back) else None


def _learns_from(read: Sound) -> float | None:
    if not read.learnt:
        return None
    error = np.hypot(read.trend.standard_error, read.trend.standard_error[0])
    left = np.flatnonzero(read.trend.fit < read.start - np.maximum(TURNED * error, 0.1 * read.descent))
    return float(read.lr[left[0]]) if len(left) else None


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
    loss, metric = _extremum(read, read.trend), _metric_extremum(read)
    limit = _limit(read, loss, metric, clues)
    turned = loss.turned or (metric is not None and metric.turned)
    return RangeReading(limit, _stable(read, limit, clues), turned, too_fast, clues)


def limit_by_divergence(curve: Curve) -> Choice | None:
    """Where a curve with too few evaluations to read diverges: it was stable up to the evaluation before. None where it did not diverge,
    or at once."""
    read = sound(curve)
    if read.divergence is None or read.enough or len(read.index) == 0:
        return None
    lr = filled(curve.lr)
    stable, beyond = float(lr[read.index[-1]]), float(lr[min(read.divergence.onset, len(curve) - 1)])
    reason = f"diverges at {beyond:.2g}; {len(read.index)} evaluations before it say no more"
    return Choice(stable, (stable, beyond), "low", "chosen", reason, clues=clues_of(read))


def _unreadable(read: Sound) -> str:
    """Why the curve cannot be read; empty where it can."""
    if len(read.index) == 0:
        return "there is no finite validation loss before divergence"
    if not read.enough:
        return f"only {len(read.index)} evaluations before divergence or the end; {FEWEST_TO_READ} are needed"
    if _loss_learnt(read) or _metric_learnt(read):
        return ""
    if not read.moved:
        flat = np.ptp(read.raw) == 0
        return "the validation loss is flat" if flat else "the validation loss does not leave its noise, so its minimum means nothing"
    return "the validation loss never fell below its start, so its minimum means nothing"


def _loss_learnt(read: Sound) -> bool:
    """Whether the loss fell below its start by more than its values wander."""
    return read.learnt and read.descent > LOSS_MOVED * wandering(read.x, read.raw)


def _metric_trend(read: Sound) -> Smoothed | None:
    """The metric's trend, lower being better; None without one, or where any of it is NaN."""
    cost = read.curve.metric_cost
    if cost is None or not np.isfinite(cost[read.index]).all():
        return None
    return smooth(read.x, cost[read.index])


def _metric_learnt(read: Sound) -> bool:
    trend = _metric_trend(read)
    if trend is None:
        return False
    best = int(np.argmin(trend.fit))
    enough = max(METRIC_MOVED * trend.noise, METRIC_SHARE * abs(float(trend.fit[0])))
    learnt = apart(trend, best, 0) > LEARNT and float(trend.fit[0] - trend.fit[best]) > enough
    return learnt and above_chance(read.curve, -float(trend.fit[0]), -float(trend.fit[best]))


def _metric_extremum(read: Sound) -> Extremum | None:
    trend = _metric_trend(read)
    return None if trend is None or not _metric_learnt(read) else _extremum(read, trend)


def _extremum(read: Sound, trend: Smoothed) -> Extremum:
    """Where the trend leaves its minimum for good by more than the noise, or collapses, or meets divergence, or the end."""
    fallen = _falls_back(trend)
    last = (len(read.lr) if fallen is None else fallen) - 1
    low = int(np.argmin(trend.fit[: last + 1]))
    above = _standard_errors_above(trend, low)[: last + 1]
    at = int(np.flatnonzero(above <= WITHIN)[-1])
    gone = np.flatnonzero(above[at + 1 :] > TURNED)
    rises = bool(len(gone) and above[last] > TURNED)
    if not rises and fallen is None and read.divergence is None:
        return Extremum(float(read.lr[last]), float(read.lr[low]), float(read.lr[last]), False, "")
    if rises:
        upper, how = float(read.lr[at + 1 + gone[0]]), "gets worse and does not recover"
    elif fallen is not None:
        upper, how = float(read.lr[fallen]), "loses most of what was learnt"
    else:
        beyond = min(int(read.index[-1]) + 1, len(read.curve) - 1)
        upper, how = float(filled(read.curve.lr)[beyond]), "diverges"
    return Extremum(float(read.lr[at]), float(read.lr[low]), upper, True, how)


def _falls_back(trend: Smoothed) -> int | None:
    """The first place at which the trend has lost half of its descent so far, by more than its error, and never comes back to within a
    tenth of it: a weak recovery after a collapse is no minimum. None where there is no such place."""
    fit = trend.fit
    lowest = np.minimum.accumulate(fit)
    descent = np.maximum.accumulate(np.where(np.arange(len(fit)) == 0, fit[0], -np.inf)) - lowest
    coming = np.minimum.accumulate(fit[::-1])[::-1]  # the lowest from here on
    error = np.hypot(trend.standard_error, trend.standard_error[np.maximum.accumulate(np.where(fit == lowest, np.arange(len(fit)), 0))])
    lost = (fit - lowest > np.maximum(COLLAPSED * descent, TURNED * error)) & (coming > lowest + RECOVERED * descent) & (descent > 0)
    return int(np.flatnonzero(lost)[0]) if lost.any() else None


def _standard_errors_above(trend: Smoothed, low: int) -> FloatArray:
    error = np.hypot(trend.standard_error, trend.standard_error[low])
    above = trend.fit - trend.fit[low]
    return np.asarray(np.divide(above, error, out=np.where(above > 0, np.inf, 0.0), where=error > 0))


def _limit(read: Sound, loss: Extremum, metric: Extremum | None, clues: tuple[Clue, ...]) -> Choice:
    """The loss's extremum; the metric's where the loss cannot be read, or only the metric turns (Smith 2018, 4.1 and Fig. 13b)."""
    loss_says = _loss_learnt(read)
    by_metric = metric is not None and (not loss_says or (metric.turned and not loss.turned))
    found = metric if by_metric and metric is not None else loss
    judged_by: Literal["loss", "accuracy"] = "accuracy" if by_metric else "loss"
    word = "metric" if by_metric else "validation loss"
    interval = (min(found.lowest, found.lr), max(found.upper, found.lr))
    if not found.turned:
        reason = f"at least {found.lr:.2g}: the {word} has not turned within the range"
        return Choice(found.lr, interval, "low", "chosen", reason, edge="high", clues=clues, judged_by=judged_by)
    reason = f"the {word} {found.how} above {found.lr:.2g}"
    if not by_metric and metric is not None and not metric.turned and found.how != "diverges":
        reason += f", though the metric does not up to {metric.lr:.2g}"
        return Choice(found.lr, interval, "low", "chosen", reason, clues=clues, judged_by=judged_by)
    sure = interval[0] < found.lr < interval[1] <= NARROW * interval[0]
    return Choice(found.lr, interval, "high" if sure else "medium", "chosen", reason, clues=clues, judged_by=judged_by)


def _stable(read: Sound, limit: Choice, clues: tuple[Clue, ...]) -> Choice:
    """The largest lr, up to the limit, before the loss begins to spike."""
    trend, low = read.trend, int(np.argmin(read.trend.fit))
    quiet = max(float(np.median(trend.local_noise[: low + 1])), trend.noise)
    spiking = low + np.flatnonzero(trend.local_noise[low:] > SPIKING * quiet) if quiet > 0 else np.array([], dtype=int)
    top = float(read.lr[max(low, spiking[0] - 1)]) if len(spiking) else np.inf
    if limit.value is None or limit.value <= top:
        return limit
    reason = f"the loss begins to spike above {top:.2g}, below the limit of {limit.value:.2g}"
    interval = (min(float(read.lr[low]), top), limit.value)
    sure = limit.confidence if limit.confidence != "high" or interval[0] < top else "medium"  # at the edge of its interval
    return Choice(top, interval, sure, "chosen", reason, clues=clues, judged_by=limit.judged_by)


def min_lr(max_lr: float, rule: str) -> float:
    """The smallest lr of a cycle up to `max_lr`: "max/10" or "max/20" for 1cycle, "max/3" or "max/4" for CLR (Smith 2018, 4.1 and 5).

    >>> min_lr(0.5, "max/10")
    0.05
    """
    if rule not in MIN_LR_DIVISORS:
        raise ValueError(f"no rule {rule!r} for the minimum lr; known: {', '.join(MIN_LR_DIVISORS)}")
    return max_lr / MIN_LR_DIVISORS[rule]
