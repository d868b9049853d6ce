"""How well each candidate did, as numbers that can be compared: at the end, over a common span, or at its own best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcheck.analysis.curve import Curve, FloatArray, is_value
from hpcheck.analysis.divergence import find_divergence
from hpcheck.analysis.memory import once
from hpcheck.analysis.readable import filled
from hpcheck.analysis.smooth import LEAST_LOCAL, noise_levels, smooth

GRID = 64  # points of the common span
ANNEALED = 0.5  # ours: a curve's tail begins where its lr has fallen for good below this share of its largest (reasoning; not scanned)
FEWEST_OF_TAIL = 5  # ours: ... and is these last values at the least: three second differences
LAST = 3  # ours: an annealed curve ends among so many of its last values
NEAR_BEST = 0.25  # ours: the span is where the best candidates have made all but this share of their descent (chosen in benchmarks/reading)
At = Literal["end", "span", "own-best"]


@dataclass(frozen=True)
class Candidate:
    """One value of a setting and its runs: replicates with the same settings and other seeds.

    Candidates are paired by replicate index: the same seed, data order and evaluation subset.
    """

    value: float
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Track:
    """One run as its judge sees it, lower being better: trend and error at x, (S,) each; `diverged` where it went bad for good. `end` is
    what it came to, with the noise of its tail where its lr was annealed; None for a run without values."""

    x: FloatArray
    fit: FloatArray
    error: FloatArray
    noise: float
    diverged: bool
    end: "Score | None" = None

    @property
    def empty(self) -> bool:
        return len(self.x) == 0


@dataclass(frozen=True)
class Score:
    """Lower is better; inf for a run that diverged or has no values. `error` is the within-curve standard error."""

    value: float
    error: float
    noise: float


def track(curve: Curve, judge: Literal["loss", "accuracy"], x: Literal["step", "lr"] = "step") -> Track:
    """The smoothed loss, or metric turned so that lower is better, up to any divergence; over steps where the lr does not vary."""
    return once(("track", curve.key, judge, x), lambda: _track(curve, judge, x))


def _track(curve: Curve, judge: Literal["loss", "accuracy"], x: Literal["step", "lr"]) -> Track:
    divergence = find_divergence(curve)
    until = len(curve) if divergence is None else divergence.onset
    lr = filled(curve.lr)
    at = lr if x == "lr" and len(lr) and np.ptp(lr) > 0 else curve.step
    cost = curve.val_loss if judge == "loss" else curve.metric_cost
    if cost is None:
        cost = np.full(len(curve), np.nan)
    kept = np.flatnonzero(is_value(cost[:until]) & is_value(curve.step[:until]) & np.isfinite(at[:until]))
    smoothed = smooth(curve.step[kept], cost[kept])
    error = np.nan_to_num(smoothed.standard_error, nan=0.0)
    noise = smoothed.noise if np.isfinite(smoothed.noise) else 0.0
    end = None
    if len(kept):
        end = _annealed(Score(float(smoothed.fit[-1]), float(error[-1]), noise), curve.step[kept], cost[kept], lr[kept])
    return Track(at[kept], smoothed.fit, error, noise, divergence is not None, end)


def _annealed(end: Score, x: FloatArray, cost: FloatArray, lr: FloatArray) -> Score:
    """The end of a curve, as its tail has it where the lr was annealed: with the noise of that tail, and among the tail's last values.

    What a large lr does in mid-cycle says nothing of the end, and would hide differences there; the trend may run past the last values.
    """
    begins = _tail(lr)
    if begins is None or end.noise == 0:
        return end
    tail = noise_levels(x[begins:], cost[begins:], local=False)[0]
    quiet = min(end.noise, max(tail, LEAST_LOCAL * end.noise))
    last = cost[-LAST:]
    return Score(float(np.clip(end.value, last.min(), last.max())), end.error * quiet / end.noise, quiet)


def _tail(lr: FloatArray) -> int | None:
    """Where the tail of an annealed curve begins, (S,) lrs given; None where the lr did not come down, or too late to tell."""
    if len(lr) <= FEWEST_OF_TAIL or not np.isfinite(lr).all():
        return None
    large = np.flatnonzero(lr > ANNEALED * lr.max())
    begins = min(int(large[-1]) + 1, len(lr) - FEWEST_OF_TAIL) if len(large) else len(lr)
    falls = int(large[-1]) < len(lr) - 1 and bool((np.diff(lr[begins:]) <= 0).all())
    return begins if falls and begins > int(np.argmax(lr)) else None


def score_tracks(tracks: Sequence[Track], at: At, x: Literal["step", "lr"] = "lr") -> list[Score]:
    """Scores of runs that are compared with each other.

    Over steps a run that diverged has lost to any that did not, however low it was before; over lr it shows how far it was stable.
    """
    if at == "span":
        survived = any(not one.diverged and not one.empty for one in tracks)
        scores = _over_span([one for one in tracks if not (survived and x == "step" and one.diverged)])
        left = iter(scores)
        return [Score(np.inf, 0.0, one.noise) if survived and x == "step" and one.diverged else next(left) for one in tracks]
    return [_at_end(one) if at == "end" else _own_best(one) for one in tracks]


def _at_end(one: Track) -> Score:
    if one.end is None or one.diverged:
        return Score(np.inf, 0.0, one.noise)
    return one.end


def _own_best(one: Track) -> Score:
    if one.empty:
        return Score(np.inf, 0.0, one.noise)
    best = int(np.argmin(one.fit))
    return Score(float(one.fit[best]), float(one.error[best]), one.noise)


def _over_span(tracks: Sequence[Track]) -> list[Score]:
    """Mean of the trend over the span in which the best candidates are near their best; bad stretches count as the start's level."""
    filled = [one for one in tracks if not one.empty]
    if not filled:
        return [Score(np.inf, 0.0, 0.0) for _ in tracks]
    low = max(float(one.x.min()) for one in filled)
    high = max(float(one.x.max()) for one in filled)
    if any(not one.diverged for one in filled):
        high = min(float(one.x.max()) for one in filled if not one.diverged)
    grid = np.linspace(low, max(high, low), GRID)
    start = float(np.median([one.fit[0] for one in filled]))
    rows = np.stack([_on_grid(one, grid, start) for one in filled])  # (K, GRID)
    weight = _near_best(rows, start)
    scores = iter([_weighted(one, row, weight, grid) for one, row in zip(filled, rows, strict=True)])
    return [Score(np.inf, 0.0, 0.0) if one.empty else next(scores) for one in tracks]


def _on_grid(one: Track, grid: FloatArray, start: float) -> FloatArray:
    order = np.argsort(one.x, kind="stable")
    row = np.interp(grid, one.x[order], one.fit[order], right=start if one.diverged else None)
    return np.minimum(row, start) if one.fit.min() < start else row


def _near_best(rows: FloatArray, start: float) -> FloatArray:
    best = rows.min(axis=0)
    near = best <= best.min() + NEAR_BEST * max(start - float(best.min()), 0.0)
    weight: FloatArray = near / near.sum()
    return weight


def _weighted(one: Track, row: FloatArray, weight: FloatArray, grid: FloatArray) -> Score:
    inside = grid[weight > 0]
    count = max(1, int(((one.x >= inside[0]) & (one.x <= inside[-1])).sum()))
    return Score(float(row @ weight), one.noise / np.sqrt(count), one.noise)
