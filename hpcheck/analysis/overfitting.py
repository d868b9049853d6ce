"""Overfitting in the paper's forms: gradual rise, early temporary rise, bump at small lr, generalization gap (Smith 2018, 3.1 and 3.3)."""

import numpy as np

from hpcheck.analysis.clue import OVERFITTING, Clue, clue
from hpcheck.analysis.curve import FloatArray
from hpcheck.analysis.readable import Sound, apart
from hpcheck.analysis.smooth import smooth

RISES = 5.0  # ours: standard errors before the trend has risen (chosen in benchmarks/reading)
FEWEST_RISING = 4  # ours: evaluations in a rise that may be called gradual
SHARED, SHARED_ERRORS = 0.5, 2.0  # ours: training loss shares a rise that it makes half of, by these standard errors of its own
BUMP_BEFORE = 0.7  # ours: a temporary rise has its top before this share of the curve
SAME_LR = 1.25  # ours: lrs closer than this factor over a bump count as constant (Fig. 11a), else as rising (Fig. 1a)
NEARLY_TOP = 0.95  # ours: a bump that ends at this share of its largest lr was undone by a rising lr
SPIKED = 0.5  # ours: share of a temporary rise that a second value must make, or it is a spike
AT_ONCE = 0.8  # ours: a rise of which one evaluation makes this share is a jump: an instability, or other data (benchmarks/reading)
CLEARLY = 8.0  # ours: ... where it is this many noise levels: of a lower one, one value's noise is most
GAP_SHARE = 0.05  # ours: a gap must have opened by this share of the validation loss's descent ...
GAP_FALL = 0.25  # ours: ... while the validation loss falls by no more than this share of the opening


def overfitting_clues(sound: Sound) -> tuple[Clue, ...]:
    """Every form of overfitting in the part of the curve before any divergence."""
    if not sound.enough or not sound.moved:
        return ()
    found = [*_gradual_rises(sound), *_bumps(sound)]
    return tuple(found) if found else tuple(_gap(sound))


def _units(sound: Sound, rise: float, first: int, last: int) -> float:
    """A rise in units of the noise where it is: what a large lr makes of the values says nothing of those at a small one."""
    noise = float(np.median(sound.trend.local_noise[first : last + 1]))
    return rise / noise if noise > 0 else np.inf


def _gradual_rises(sound: Sound) -> list[Clue]:
    """Stretches over which the trend rises from its minimum to the end, or to the place at which the lr steps down, by more than its
    error: each part of the curve by itself, and the whole."""
    ends = (*sound.parts[1:], len(sound.x))
    found = [_gradual_rise(sound, first, until - 1) for first, until in zip(sound.parts, ends, strict=True)]
    if len(ends) > 1 and found[-1] is None:
        found.append(_gradual_rise(sound, 0, len(sound.x) - 1))
    return [one for one in found if one is not None]


def _gradual_rise(sound: Sound, first: int, last: int) -> Clue | None:
    low = first + int(np.argmin(sound.trend.fit[first : last + 1]))
    rise = float(sound.trend.fit[last] - sound.trend.fit[low])
    strength = _units(sound, rise, low, last)
    if last - low < FEWEST_RISING or apart(sound.trend, low, last) <= RISES:
        return None
    if _training_rises_too(sound, low, last, rise):
        return None
    return clue(sound.curve, OVERFITTING, "gradual-rise", int(sound.index[low]), int(sound.index[last]), strength)


def _training_rises_too(sound: Sound, low: int, last: int, rise: float) -> bool:
    """Whether training loss went up over the same stretch, clearly or by half of `rise`: then nothing is being overfitted, the lr is too
    large. A batch's loss is noisy, so that over few evaluations a rise as large as the validation loss's may stay within five errors."""
    train = sound.curve.train_loss
    if train is None:
        return False
    fit = smooth(sound.x[low : last + 1], train[sound.index[low : last + 1]])
    if not np.isfinite(fit.fit).all():
        return False
    errors, size = apart(fit, 0, last - low), float(fit.fit[-1] - fit.fit[0])
    return errors > RISES or (errors > SHARED_ERRORS and size >= SHARED * rise)


def _bumps(sound: Sound) -> list[Clue]:
    """Temporary rises: down, up little by little, and then further down than before; the training loss does not rise with them."""
    found = [_bump(sound, *hill) for hill in _hills(sound.trend.fit)]
    return [one for one in found if one is not None]


def _bump(sound: Sound, low: int, top: int, after: int) -> Clue | None:
    fit = sound.trend.fit
    rise = float(fit[top] - fit[low])
    early = sound.x[top] <= sound.x[0] + BUMP_BEFORE * (sound.x[-1] - sound.x[0])
    rises = min(apart(sound.trend, low, top), apart(sound.trend, after, top)) > RISES
    end = low + 1 + int(np.flatnonzero(fit[low + 1 :] <= fit[low])[0])
    strength = _units(sound, rise, low, end)
    if not (early and rises and after - low >= FEWEST_RISING):
        return None
    if _is_one_value(sound, low, end) or (strength > CLEARLY and _jumps(sound, low, top)) or _training_rises_too(sound, low, top, rise):
        return None
    form = _bump_form(sound.lr[low : end + 1])
    return None if form is None else clue(sound.curve, OVERFITTING, form, int(sound.index[low]), int(sound.index[end]), strength)


def _is_one_value(sound: Sound, low: int, end: int) -> bool:
    """Whether a short rise is one raw value alone: no other lies above those at both ends by half of what the highest does."""
    above = sound.raw[low : end + 1] - max(sound.raw[low], sound.raw[end])
    return bool(end - low < FEWEST_RISING and np.count_nonzero(above > SPIKED * above.max()) == 1)


def _jumps(sound: Sound, low: int, top: int) -> bool:
    """Whether the raw values between the two places of the trend make the most of their rise in one step."""
    raw = sound.raw[max(0, low - 1) : top + 2]
    return bool(np.diff(raw).max() >= AT_ONCE * np.ptp(raw))


def _bump_form(lr: FloatArray) -> str | None:
    """Early rise at a constant lr, bump at a small one that larger ones remove; None where a falling lr undid it."""
    if not np.isfinite(lr).all() or lr.max() <= SAME_LR * lr.min():
        return "early-rise"
    rising = bool(lr[-1] >= NEARLY_TOP * lr.max())
    return "small-lr-bump" if rising else None


def _hills(fit: FloatArray) -> list[tuple[int, int, int]]:
    """(low, top, after) of every stretch above a running minimum that is undone later, in their order."""
    running = np.minimum.accumulate(fit)
    undone = np.minimum.accumulate(fit[::-1])[::-1] < running
    above = np.concatenate([[False], (fit > running) & undone, [False]])
    begins, ends = np.flatnonzero(~above[:-1] & above[1:]), np.flatnonzero(above[:-1] & ~above[1:])
    tops = [int(first + np.argmax(fit[first:until])) for first, until in zip(begins, ends, strict=True)]
    return [(int(first) - 1, top, top + int(np.argmin(fit[top:]))) for first, top in zip(begins, tops, strict=True)]


def _gap(sound: Sound) -> list[Clue]:
    """Validation loss no longer falls while training loss does, so that the gap between them opens."""
    train = sound.curve.train_loss
    if train is None:
        return []
    fit = smooth(sound.x, train[sound.index])
    if not np.isfinite(fit.standard_error).all():
        return []
    half, last = len(sound.x) // 2, len(sound.x) - 1
    opened = float((sound.trend.fit[last] - fit.fit[last]) - (sound.trend.fit[half] - fit.fit[half]))
    error = float(np.sqrt(sum(s.standard_error[i] ** 2 for s in (sound.trend, fit) for i in (half, last))))
    fall = float(sound.trend.fit[half] - sound.trend.fit[last])
    if fall > GAP_FALL * opened or opened <= RISES * error or opened <= GAP_SHARE * sound.descent:
        return []
    return [
        clue(
            sound.curve,
            OVERFITTING,
            "generalization-gap",
            int(sound.index[half]),
            int(sound.index[last]),
            _units(sound, opened, half, last),
        )
    ]
