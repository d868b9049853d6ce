"""What is read in curves: the clues of each, the range test where lr rises, and why a curve cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcheck.analysis.clue import DIVERGENCE, NO_SIGNAL, Clue, below_a_limit
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.lr_range import RangeReading, SweepReading, limit_by_divergence, read_range, read_sweep
from hpcheck.analysis.ramp import is_ramp
from hpcheck.analysis.readable import FEWEST_TO_READ
from hpcheck.curves.compare import Comparison, compare
from hpcheck.curves.load import Loaded
from hpcheck.curves.training_only import can_show, comparable

LOG_RANGE = 30.0  # ours: a rise of lr by less than this factor is read as a linear ramp, however it is spaced

NOTHING = {
    "flat": "the validation loss is flat",
    "noise": "the validation loss does not leave its noise",
    "too-few-points": f"fewer than {FEWEST_TO_READ} evaluations can be read",
}


@dataclass(frozen=True)
class CurveReading:
    """One curve read. `range` where lr rises linearly, `sweep` where logarithmically; `abstained` is why nothing is said, or ""."""

    loaded: Loaded
    clues: tuple[Clue, ...]
    range: RangeReading | None = None
    sweep: SweepReading | None = None
    abstained: str = ""

    @property
    def curve(self) -> Curve:
        return self.loaded.curve


@dataclass(frozen=True)
class Found:
    """Everything that was read. `comparison` where there is more than one curve."""

    readings: tuple[CurveReading, ...]
    comparison: Comparison | None = None

    @property
    def abstained(self) -> bool:
        """Whether there is no answer: of a single curve that it cannot be read, of several that they cannot be compared."""
        if self.comparison is not None:
            return self.comparison.choice.status == "abstained"
        return any(one.abstained for one in self.readings)


def read_all(loaded: Sequence[Loaded]) -> Found:
    """Each curve by itself, and several against each other."""
    readings = tuple(replace(one, clues=can_show(one.loaded, one.clues)) for one in map(read_one, loaded))
    return Found(readings, compare(comparable(loaded)) if len(readings) > 1 else None)


def read_one(loaded: Loaded) -> CurveReading:
    curve = loaded.curve
    if is_ramp(curve) and is_logarithmic(curve.lr):
        sweep = read_sweep(curve)
        silent = sweep.learns_from is None and sweep.diverges_at is None
        clues = within_limits(sweep.clues, sweep.diverges_at is not None)
        return CurveReading(loaded, clues, sweep=sweep, abstained=unreadable(curve, sweep.clues) or sweep.reason * silent)
    if is_ramp(curve):
        found = as_read(curve, read_range(curve))
        reason = found.lr_limit.reason if found.lr_limit.status == "abstained" else ""
        return CurveReading(loaded, within_limits(found.clues, found.turned), range=found, abstained=reason)
    clues = find_clues(curve)
    return CurveReading(loaded, within_limits(clues, any(one.kind == DIVERGENCE for one in clues)), abstained=unreadable(curve, clues))


def within_limits(clues: Sequence[Clue], reached: bool) -> tuple[Clue, ...]:
    """The clues, without advice of a larger lr where the curve's own lr has `reached` its limit: it turned, collapsed or diverged there."""
    return tuple(map(below_a_limit, clues)) if reached else tuple(clues)


def as_read(curve: Curve, found: RangeReading) -> RangeReading:
    """A range test as it is told to someone who has nothing else: where it diverges after too few evaluations, that is its limit; and never
    with high confidence, since no 1cycle up to the limit was seen to survive."""
    few = limit_by_divergence(curve) if found.lr_limit.status == "abstained" else None
    limit = few or found.lr_limit
    stable = few or found.stable_lr
    limit, stable = (replace(one, confidence="medium") if one.confidence == "high" else one for one in (limit, stable))
    return replace(found, lr_limit=limit, stable_lr=stable)


def unreadable(curve: Curve, clues: Sequence[Clue]) -> str:
    """Why nothing can be read in the curve; "" where something can."""
    if not np.isfinite(curve.val_loss).any():
        return "there is no finite validation loss"
    return next((NOTHING[clue.form] for clue in clues if clue.kind == NO_SIGNAL), "")


def is_logarithmic(lr: FloatArray) -> bool:
    """Whether a rising lr rises evenly in its exponent rather than in itself."""
    used = lr[np.isfinite(lr) & (lr > 0)]
    if len(used) < 3 or used[-1] < LOG_RANGE * used[0]:
        return False
    return _unevenness(np.log(used)) < _unevenness(used)


def _unevenness(values: FloatArray) -> float:
    """How far the increments of rising values lie from their mean, on the average, in units of that mean."""
    increments = np.diff(values)
    return float(np.abs(increments / increments.mean() - 1).mean())
