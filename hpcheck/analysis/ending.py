"""How a curve ends: still falling (underfitting, Smith 2018, 3.2) or horizontal (plateau, 3.1, Remark 2)."""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.clue import PLATEAU, UNDERFITTING, Clue, clue
from hpcheck.analysis.readable import Sound

LAST = 0.3  # ours: the share of the curve that its ending is read from, six evaluations at least
FEWEST_LAST, FEWEST_SECOND = 6, 4  # ours: evaluations in the ending, and in its second half, at least
FALLING = 4.0  # ours: standard errors that an ending's fall must exceed (chosen in benchmarks/reading)
FLATTENED = 0.25  # ours: a fall whose second half is less than this share of it, error included, has flattened (a 1cycle's tail)
STILL = 2.5  # ours: standard errors up to which an ending may be flat
TELLING = 0.2  # ours: two errors of an ending may be this share of the descent before nothing can be told ...
TELLING_KNEE = 0.35  # ours: ... or this share where the curve is seen to bend from a fall to the flat
CLOSE = 0.08  # ours: ... or, whatever the error, where the few values of a short curve's ending lie within this share of it
MATERIAL = 0.03  # ours: share of the whole descent that an ending must fall by to count as falling ...
MATERIAL_LEVEL = 0.02  # ours: ... or, since a descent is mostly its first moments, this share of the loss itself ...
LEAST_MATERIAL = 0.01  # ours: ... though at least this share of the descent
STEADY = 2.0  # ours: an lr that comes down by no more than this factor is steady; what falls with a falling lr is not underfitting (3.2)


@dataclass(frozen=True)
class Ending:
    """The last stretch: where it begins in the sound part, how much it falls over its length, the standard error of that, its noise."""

    first: int
    fall: float
    error: float
    noise: float


def ending(sound: Sound, share: float = LAST, fewest: int = FEWEST_LAST, since: int = 0) -> Ending | None:
    """The fall over the last `share` of the sound part, from evaluation `since` on, by a robust line; None with fewer than eight."""
    if not sound.enough:
        return None
    first = int(np.searchsorted(sound.x, sound.x[-1] - share * (sound.x[-1] - sound.x[0])))
    first = max(since, min(first, len(sound.x) - fewest))
    x, raw = sound.x[first:], sound.raw[first:]
    noise = float(np.median(sound.trend.local_noise[first:]))
    slope, error = _robust_slope(x, raw, noise, raw - sound.trend.fit[first:])
    length = float(x[-1] - x[0])
    return Ending(first, -slope * length, error * length, noise)


def _robust_slope(x: np.ndarray, y: np.ndarray, noise: float, off_trend: np.ndarray) -> tuple[float, float]:
    """Slope and its standard error by least squares, with values further than six noise levels from the curve left out; `off_trend`, what
    lies between the values and their trend, says which to begin without.

    The error is that about a parabola, so that a bend in the fall does not count as noise.
    """
    kept = np.where(np.abs(off_trend) > 6 * noise, 1e-6, 1.0) if noise > 0 else np.ones(len(x))
    slope = error = 0.0
    for _ in range(4):
        centre = (kept * x).sum() / kept.sum()
        spread = (kept * (x - centre) ** 2).sum()
        if spread <= 0:
            return 0.0, 0.0
        level = (kept * y).sum() / kept.sum()
        slope = float((kept * (x - centre) * (y - level)).sum() / spread)
        residual = _unbent(x - centre, y - level - slope * (x - centre), kept)
        scale = max(noise, 1.4826 * float(np.median(np.abs(residual))))
        error = scale / float(np.sqrt(spread))
        if scale == 0:
            break
        kept = np.maximum((1 - np.minimum(np.abs(residual) / (6 * scale), 1.0) ** 2) ** 2, 1e-6)
    return slope, error


def _unbent(x: np.ndarray, residual: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """What is left of the residuals from a line without their parabola; as they are with fewer than six values."""
    if len(x) < FEWEST_LAST:
        return residual
    bend = x**2
    for against in (np.ones(len(x)), x):
        bend = bend - against * ((kept * bend * against).sum() / max((kept * against**2).sum(), 1e-300))
    size = (kept * bend**2).sum()
    return residual - bend * ((kept * residual * bend).sum() / size) if size > 0 else residual


def steady_since(sound: Sound) -> int:
    """The first evaluation from which on the lr has not come down by more than a factor of 2; 0 where the lr is not known."""
    above = np.flatnonzero(sound.lr > STEADY * sound.lr[-1]) if len(sound.lr) else np.array([], dtype=int)
    return int(above[-1]) + 1 if len(above) else 0


def material(sound: Sound) -> float:
    """The least fall of an ending that matters."""
    level = abs(float(sound.trend.fit[-1]))
    return max(LEAST_MATERIAL * sound.descent, min(MATERIAL * sound.descent, MATERIAL_LEVEL * level))


def is_falling(sound: Sound, end: Ending) -> bool:
    """Whether the ending falls materially, by more than its error, and has not flattened in its second half."""
    if end.fall <= FALLING * end.error or end.fall <= material(sound):
        return False
    second = ending(sound, LAST / 2, FEWEST_SECOND)
    return second is None or second.first <= end.first or second.fall + second.error > FLATTENED * end.fall


def is_flat(sound: Sound, end: Ending, telling: float = TELLING) -> bool:
    """Whether the ending moves by no material amount, and its error is small enough to tell."""
    small = max(material(sound), STILL * end.error)
    return bool(abs(end.fall) <= small and (2 * end.error <= telling * sound.descent or _close(sound, end)))


def _close(sound: Sound, end: Ending) -> bool:
    """Whether the ending's few values all lie close together, whatever noise the bend before them feigns."""
    values = sound.raw[end.first :]
    return len(values) <= FEWEST_LAST and float(np.ptp(values)) <= CLOSE * sound.descent


def _flat_ending(sound: Sound, whole: Ending) -> Ending | None:
    """The ending, or its second half after a fall, that is flat. In a curve so short that six evaluations reach back into the descent, the
    last four count where they keep next to nothing of that fall."""
    for share in (LAST, LAST / 2) if whole.fall > 0 else (LAST,):
        flat = ending(sound, share)
        if flat is not None and is_flat(sound, flat):
            return flat
    last = ending(sound, LAST, FEWEST_SECOND)
    if last is None or last.first <= whole.first or not is_flat(sound, last, TELLING_KNEE):
        return None
    bent = last.fall + last.error <= FLATTENED * whole.fall or (whole.fall > 0 and _close(sound, last))
    return last if bent else None


def ending_clues(sound: Sound) -> tuple[Clue, ...]:
    """Underfitting or plateau; neither where the curve has not begun to learn, turned up, or cannot tell.

    Underfitting is a loss that falls at a steady lr: it is read from the stretch over which the lr has not come down, four evaluations
    at the least. Where the lr was still coming down at the end, a fall says nothing (Smith 2018, 3.2 and 4.1).
    """
    whole = ending(sound)
    if whole is None or not sound.learnt or sound.divergence is not None:
        return ()
    since, last = steady_since(sound), int(sound.index[-1])
    noise = whole.noise or np.finfo(float).tiny
    if len(sound.x) - since >= FEWEST_SECOND:
        end = ending(sound, since=since)
        if end is not None and is_falling(sound, end):
            return (clue(sound.curve, UNDERFITTING, "still-falling", int(sound.index[end.first]), last, end.fall / noise),)
    flat = _flat_ending(sound, whole)
    return () if flat is None else (clue(sound.curve, PLATEAU, "flat", _flat_from(sound, flat), last, sound.descent / noise),)


def falls_with_lr(sound: Sound) -> bool:
    """Whether the loss still falls at the end, but only as the lr comes down, so that nothing follows about underfitting."""
    whole = ending(sound)
    if whole is None or not sound.learnt or sound.divergence is not None or ending_clues(sound):
        return False
    return steady_since(sound) > whole.first and is_falling(sound, whole)


def _flat_from(sound: Sound, end: Ending) -> int:
    """The first evaluation from which on the trend stays within the ending's own level."""
    level = float(np.median(sound.trend.fit[end.first :]))
    outside = np.abs(sound.trend.fit - level) > max(2 * material(sound), end.noise)
    last_outside = np.flatnonzero(outside[: end.first])
    return int(sound.index[last_outside[-1] + 1 if len(last_outside) else 0])
