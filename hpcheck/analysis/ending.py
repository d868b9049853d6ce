"""How a curve ends: still falling (underfitting, Smith 2018, 3.2) or horizontal (plateau, 3.1, Remark 2).

Both are read from how much the loss falls over the ending beside how much it fell over the equal stretch of log iterations before it, so
that neither depends on the unit of the loss, on its zero, or on how far it fell at the very beginning.
"""

from dataclasses import dataclass

import numpy as np

from hpcheck.analysis.clue import PLATEAU, UNDERFITTING, Clue, clue
from hpcheck.analysis.curve import LARGEST
from hpcheck.analysis.readable import Sound

LAST = 0.3  # ours: the share of the curve that its ending is read from, six evaluations at least
FEWEST_LAST, FEWEST_SECOND = 6, 4  # ours: evaluations in the ending, and in its second half, at least
FALLING = 4.0  # ours: standard errors that an ending's fall must exceed (chosen in benchmarks/reading) ...
GOES_ON = 0.25  # ours: ... and this share of the fall over the equal stretch of log iterations before it
FLAT = 0.1  # the brief of issue 26: an ending that falls by less than this share of the fall before it is a plateau ...
WITHIN_ERROR = 2.0  # the brief of issue 26: ... or one whose fall is below these standard errors
LITTLE = 0.01  # ours: ... and a rise by less than this share of the descent is none, however little noise there is
TELLING = 0.25  # ours: two errors of an ending may be this share of the descent before nothing can be told
SLOW = (
    1.25  # ours: an lr that comes down by no more than this factor over the ending is as good as constant (ImageNet's 0.94 every 2 epochs)
)
STEADY = 1.02  # ours: ... else an ending is what has an lr within this factor; what falls with a falling lr is not underfitting (3.2)


@dataclass(frozen=True)
class Ending:
    """The last stretch: where it begins in the sound part, its fall with its standard error, the fall over the equal stretch of log
    iterations before it, and its noise."""

    first: int
    fall: float
    error: float
    before: float
    noise: float


def ending(sound: Sound, share: float = LAST, fewest: int = FEWEST_LAST, since: int = 0) -> Ending | None:
    """The fall over the last `share` of the sound part, from evaluation `since` on, by a robust line; None with fewer than eight."""
    if not sound.enough:
        return None
    first = int(np.searchsorted(sound.x, _begins(sound, share)))
    first = max(since, min(first, len(sound.x) - fewest))
    noise = float(np.median(sound.trend.local_noise[first:]))
    fall, error = _fall(sound, first)
    began = as_long_before(sound.x, first)
    before = float(sound.trend.fit[began] - sound.trend.fit[first])
    return Ending(first, fall, error, before, noise)


def as_long_before(x: np.ndarray, first: int) -> int:
    """The evaluation from which the stretch up to `first` is as long, in log iterations, as from `first` to the end; 0 at the least."""
    x = x - min(0.0, float(x[0]))
    return min(int(np.searchsorted(x, x[first] ** 2 / x[-1])), first) if x[-1] > 0 else 0


def _fall(sound: Sound, first: int) -> tuple[float, float]:
    """How far the loss falls from `first` to the end by a robust line, and the standard error of that."""
    x, raw = sound.x[first:], sound.raw[first:]
    noise = float(np.median(sound.trend.local_noise[first:]))
    slope, error = _robust_slope(x, raw, noise, raw - sound.trend.fit[first:])
    return -slope * float(x[-1] - x[0]), error * float(x[-1] - x[0])


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
    """The first evaluation from which on the lr is as good as constant; 0 where it is so over the whole ending, or is not known."""
    if len(sound.lr) == 0 or not (sound.lr / SLOW > sound.lr[-1])[int(np.searchsorted(sound.x, _begins(sound, LAST))) :].any():
        return 0
    return int(np.flatnonzero(sound.lr / STEADY > sound.lr[-1])[-1]) + 1


def _begins(sound: Sound, share: float) -> float:
    return float(sound.x[-1] - share * (sound.x[-1] - sound.x[0]))


def is_falling(sound: Sound, end: Ending) -> bool:
    """Whether the ending falls by more than its error and by a fair share of what the loss fell before it, and has not flattened: its
    second half does not fall clearly less than that share of its first."""
    if end.fall <= FALLING * end.error or end.fall <= GOES_ON * end.before:
        return False
    second = ending(sound, LAST / 2, FEWEST_SECOND)
    return second is None or second.first <= end.first or second.fall + second.error > GOES_ON * (end.fall - second.fall)


def is_flat(sound: Sound, end: Ending, long: bool = True) -> bool:
    """Whether the ending falls by next to nothing beside the fall before it, or by no more than its error, and this can be told: its error
    is small beside the descent, and it falls clearly less than before, or neither it nor both stretches together fall, nor rise by more
    than a little. The latter is for a `long` ending alone: over a short one, next to nothing stands out from its noise."""
    within = WITHIN_ERROR * end.error
    if within > TELLING * sound.descent:
        return False
    ends = float(sound.trend.fit[end.first] - sound.trend.fit[-1])  # a line through a fall that bends falls less than it does
    if -within <= end.fall and (end.fall <= within or max(end.fall, ends) <= FLAT * end.before) and end.fall + within < end.before:
        return True
    if not long:
        return False
    both, error = _fall(sound, as_long_before(sound.x, end.first))
    lowest = LITTLE * sound.descent
    return all(-max(FALLING * off, lowest) <= fall <= FALLING * off for fall, off in ((end.fall, end.error), (both, error)))


def _flat_ending(sound: Sound) -> Ending | None:
    """The ending that is flat: the last 30%, or its second half, or the last four evaluations of a short curve, after a fall that has
    flattened."""
    for share, fewest in ((LAST, FEWEST_LAST), (LAST / 2, FEWEST_LAST), (LAST / 2, FEWEST_SECOND)):
        found = ending(sound, share, fewest)
        if found is None or (share == LAST and is_falling(sound, found)):
            return None
        if is_flat(sound, found, long=share == LAST):
            return found
    return None


def ending_clues(sound: Sound) -> tuple[Clue, ...]:
    """Underfitting or plateau; neither where the curve has not begun to learn, turned up, or cannot tell.

    Underfitting is a loss that falls at a steady lr: it is read from the stretch over which the lr has not come down, four evaluations
    at the least. Where the lr was still coming down at the end, a fall says nothing (Smith 2018, 3.2 and 4.1).
    """
    whole = ending(sound)
    if whole is None or not sound.learnt or sound.divergence is not None:
        return ()
    last, noise = int(sound.index[-1]), max(whole.noise, 1 / LARGEST)
    since = steady_since(sound)
    end = ending(sound, since=since) if len(sound.x) - since >= FEWEST_SECOND else None
    if end is not None and is_falling(sound, end):
        return (clue(sound.curve, UNDERFITTING, "still-falling", int(sound.index[end.first]), last, end.fall / noise),)
    flat = _flat_ending(sound)
    return () if flat is None else (clue(sound.curve, PLATEAU, "flat", int(sound.index[flat.first]), last, sound.descent / noise),)


def falls_with_lr(sound: Sound) -> bool:
    """Whether the loss still falls at the end, but only as the lr comes down, so that nothing follows about underfitting."""
    whole = ending(sound)
    if whole is None or not sound.learnt or sound.divergence is not None or ending_clues(sound):
        return False
    return steady_since(sound) > whole.first and is_falling(sound, whole)
