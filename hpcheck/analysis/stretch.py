"""The stretch of maximum lrs that lose little against the best, from short 1cycles at several of them (Smith 2018, 4.1)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.curve import BoolArray, FloatArray
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.analysis.ranking import Judge, without_seeds
from hpcheck.analysis.scores import Candidate, Track, track

GIVEN_AWAY = 0.1  # ours: share of the best run's descent that a maximum inside the stretch may lose (chosen in benchmarks/reading)
# Ours: ... and of the best loss itself: where almost all is learnt, a tenth of the descent would be many times that loss
MORE_OF_LOSS = 1.5
LEAST_LOSS = 0.01  # ours: ... and what a run loses at least when losses are interpolated, so that seeds' noise about the best is not
BEYOND = 2.0  # ours: where nothing beyond an end of the stretch was tried, that end may lie this factor further
UPWARD = 0.6  # ours: how far up the stretch its middle is, on a log scale (chosen against full trainings in benchmarks/reading)
HIDDEN = 2.0  # ours: standard errors of their difference within which two ends are alike where the noise leaves no finer reading


@dataclass(frozen=True)
class Bounds:
    """What a reading of maxima keeps to: `highest` is the largest to recommend, `constant_loss` what an answer that looks at no input would
    lose. `coarse` takes for alike what the noise hides, where no longer runs are left to tell it apart. `known` is a maximum that was read
    before, and is kept where it is inside the stretch and not above its middle: two readings agree on it."""

    highest: float = math.inf
    constant_loss: float = math.inf
    coarse: bool = False
    known: float | None = None


FREE = Bounds()


@dataclass(frozen=True)
class Stretch:
    """Maxima between which little is lost: the last tried inside, the first tried beyond (None: not tried), the crossing between."""

    low: float
    high: float
    inside: tuple[float, float]
    beyond: tuple[float | None, float | None]

    @property
    def middle(self) -> float:
        """Three fifths of the way up on a log scale, to two figures."""
        return two_significant_figures(_between(self.low, self.high))

    @property
    def interval(self) -> tuple[float, float]:
        """Where the middle may lie, the ends being anywhere between the last maximum inside and the first beyond."""
        (first, last), (below, above) = self.inside, self.beyond
        below, above = below or first / BEYOND, above or last * BEYOND
        return _between(below, last), _between(first, above)


def _between(low: float, high: float) -> float:
    return float(low ** (1 - UPWARD) * high**UPWARD)


def stretch(candidates: Sequence[Candidate], by: Judge, bounds: Bounds = FREE) -> Stretch | None:
    """The stretch of maxima around the best run that lose at most a tenth of its descent, and little beside its loss; None where every run
    diverged, none descends below the constant answer, or the best one's descent is so little that its end's error hides a tenth of it.

    What a run loses is interpolated between maxima, log against log. A run that diverged has lost everything.
    """
    rows = sorted(candidates, key=lambda one: one.value)
    at = np.array([one.value for one in rows])  # (C,)
    ended = _ends([[track(curve, by) for curve in one.curves] for one in rows], bounds.constant_loss if by == "loss" else math.inf)
    if ended is None or not ended.can_be_told(bounds.coarse):
        return None
    lost = ended.lost(by, bounds.coarse)
    best = int(np.argmin(lost))
    first, last = best, best
    while first > 0 and lost[first - 1] <= GIVEN_AWAY:
        first -= 1
    while last < len(at) - 1 and lost[last + 1] <= GIVEN_AWAY:
        last += 1
    below, above = first - 1 if first > 0 else None, last + 1 if last < len(at) - 1 else None
    return Stretch(
        low=float(at[first]) if below is None else _crossing(at, lost, first, below),
        high=float(at[last]) if above is None else _crossing(at, lost, last, above),
        inside=(float(at[first]), float(at[last])),
        beyond=(None if below is None else float(at[below]), None if above is None else float(at[above])),
    )


@dataclass(frozen=True)
class _Ends:
    """Where the runs began, and by candidate where they ended (mean over its replicates, without what a seed does to all), with its
    standard error, and whether one of them diverged; (C,) each."""

    start: float
    means: FloatArray
    errors: FloatArray
    diverged: BoolArray

    @property
    def descent(self) -> float:
        return self.start - float(self.means.min())

    def can_be_told(self, coarse: bool) -> bool:
        """Whether the best one descends, and by so much that the share which a maximum may lose is more than the error of that end."""
        error = float(self.errors[int(np.argmin(self.means))])
        return self.descent > HIDDEN * error if coarse else GIVEN_AWAY * self.descent > error

    def lost(self, by: Judge, coarse: bool) -> FloatArray:
        """The share of the best descent that each candidate loses against it, (C,). A loss of `MORE_OF_LOSS` times the best loss counts as
        `GIVEN_AWAY` at least; not so a metric, not even one whose cost is above 0. `coarse`: what the noise hides is not lost."""
        at, best = int(np.argmin(self.means)), float(self.means.min())
        lost = (self.means - best) / self.descent
        if by == "loss" and best > 0:
            lost = np.maximum(lost, GIVEN_AWAY * (self.means - best) / (MORE_OF_LOSS * best))
        hidden = (self.means - best <= HIDDEN * np.hypot(self.errors, self.errors[at])) & ~self.diverged
        return np.where(hidden, np.minimum(lost, GIVEN_AWAY), lost) if coarse else lost


def _ends(tracks: Sequence[Sequence[Track]], constant_loss: float) -> _Ends | None:
    """The ends of all runs; None where there is none. They begin at `constant_loss` where that is lower: what a network loses on its way
    there, it would without looking at an input."""
    started = [one.fit[0] for row in tracks for one in row if not one.empty]
    if not started:
        return None
    start = min(float(np.median(started)), constant_loss)
    ends = [[min(start, end) for end in row] for row in without_seeds([[last(one) for one in row] for row in tracks])]
    errors = [[0.0 if one.empty or one.diverged else float(one.error[-1]) for one in row] for row in tracks]
    return _Ends(
        start,
        np.array([np.mean(row) if row else start for row in ends]),
        np.array([np.sqrt(np.sum(np.square(row))) / len(row) if row else 0.0 for row in errors]),
        np.array([any(one.diverged for one in row) for row in tracks]),
    )


def last(one: Track) -> float:
    """Where a run ends; inf for one that diverged or has no finite value."""
    return math.inf if one.empty or one.diverged else float(one.fit[-1])


def _crossing(at: FloatArray, lost: FloatArray, inside: int, beyond: int) -> float:
    """Where the loss passes `GIVEN_AWAY` between two neighbours, straight in log lr and log loss."""
    near, far = np.log(max(float(lost[inside]), LEAST_LOSS)), np.log(float(lost[beyond]))
    share = (np.log(GIVEN_AWAY) - near) / (far - near)
    return float(np.exp(np.log(at[inside]) + share * (np.log(at[beyond]) - np.log(at[inside]))))
