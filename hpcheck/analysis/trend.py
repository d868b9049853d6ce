"""How a curve ends: still falling (underfitting, Smith 2018, 3.2) or horizontal (plateau, 3.1, Remark 2)."""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.clue import PLATEAU, UNDERFITTING, Clue, clue
from hpcheck.analysis.sound import Sound

LAST = 0.3  # ours: the share of the curve that its ending is read from, six evaluations at least
FEWEST_LAST, FEWEST_SECOND = 6, 4  # ours: evaluations in the ending, and in its second half, at least
FALLING = 4.0  # ours: standard errors that an ending's fall must exceed (chosen in benchmarks/reading)
FLATTENED = 0.25  # ours: a fall whose second half is less than this share of it, error included, has flattened (a 1cycle's tail)
STILL = 2.5  # ours: standard errors up to which an ending may be flat
TELLING = 0.35  # ours: two errors of an ending may be this share of the descent before nothing can be told
MATERIAL = 0.03  # ours: share of the whole descent that an ending must fall by to count as falling


@dataclass(frozen=True)
class Ending:
    """The last stretch: where it begins in the sound part, how much it falls over its length, the standard error of that, its noise."""

    first: int
    fall: float
    error: float
    noise: float


def ending(sound: Sound, share: float = LAST, fewest: int = FEWEST_LAST) -> Ending | None:
    """The fall over the last `share` of the sound part, by a robust line; None with fewer than eight evaluations."""
    if not sound.enough:
        return None
    first = int(np.searchsorted(sound.x, sound.x[-1] - share * (sound.x[-1] - sound.x[0])))
    first = max(0, min(first, len(sound.x) - fewest))
    x, raw = sound.x[first:], sound.raw[first:]
    noise = float(np.median(sound.trend.local_noise[first:]))
    slope, error = _robust_slope(x, raw, noise)
    length = float(x[-1] - x[0])
    return Ending(first, -slope * length, error * length, noise)


def _robust_slope(x: np.ndarray, y: np.ndarray, noise: float) -> tuple[float, float]:
    """Slope and its standard error by least squares, with values further than six noise levels from the line left out."""
    kept = np.ones(len(x))
    slope = error = 0.0
    for _ in range(4):
        centre = (kept * x).sum() / kept.sum()
        spread = (kept * (x - centre) ** 2).sum()
        if spread <= 0:
            return 0.0, 0.0
        level = (kept * y).sum() / kept.sum()
        slope = float((kept * (x - centre) * (y - level)).sum() / spread)
        residual = y - level - slope * (x - centre)
        scale = max(noise, 1.4826 * float(np.median(np.abs(residual))))
        error = scale / float(np.sqrt(spread))
        if scale == 0:
            break
        kept = np.maximum((1 - np.minimum(np.abs(residual) / (6 * scale), 1.0) ** 2) ** 2, 1e-6)
    return slope, error


def is_falling(sound: Sound, end: Ending) -> bool:
    """Whether the ending falls materially, by more than its error, and has not flattened in its second half."""
    if end.fall <= FALLING * end.error or end.fall <= MATERIAL * sound.descent:
        return False
    second = ending(sound, LAST / 2, FEWEST_SECOND)
    return second is None or second.first <= end.first or second.fall + second.error > FLATTENED * end.fall


def is_flat(sound: Sound, end: Ending) -> bool:
    """Whether the ending moves by no material amount, and its error is small enough to tell."""
    small = max(MATERIAL * sound.descent, STILL * end.error)
    return bool(abs(end.fall) <= small and 2 * end.error <= TELLING * sound.descent)


def ending_clues(sound: Sound) -> tuple[Clue, ...]:
    """Underfitting or plateau; neither where the curve has not begun to learn, turned up, or cannot tell."""
    end = ending(sound)
    if end is None or not sound.learnt or sound.divergence is not None:
        return ()
    first, last = int(sound.index[end.first]), int(sound.index[-1])
    noise = end.noise or np.finfo(float).tiny
    if is_falling(sound, end):
        return (clue(sound.curve, UNDERFITTING, "still-falling", first, last, end.fall / noise),)
    for share in (LAST, LAST / 2) if end.fall > 0 else (LAST,):
        flat = ending(sound, share)
        if flat is not None and is_flat(sound, flat):
            return (clue(sound.curve, PLATEAU, "flat", _flat_from(sound, flat), last, sound.descent / noise),)
    return ()


def _flat_from(sound: Sound, end: Ending) -> int:
    """The first evaluation from which on the trend stays within the ending's own level."""
    level = float(np.median(sound.trend.fit[end.first :]))
    outside = np.abs(sound.trend.fit - level) > max(2 * MATERIAL * sound.descent, end.noise)
    last_outside = np.flatnonzero(outside[: end.first])
    return int(sound.index[last_outside[-1] + 1 if len(last_outside) else 0])
