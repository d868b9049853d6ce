"""Overfitting in the paper's forms: gradual rise, early temporary rise, bump at small lr, generalization gap (Smith 2018, 3.1 and 3.3)."""

import numpy as np

from hpcheck.analysis.clue import OVERFITTING, Clue, clue
from hpcheck.analysis.curve import FloatArray
from hpcheck.analysis.readable import Sound, apart
from hpcheck.analysis.smooth import smooth

RISES = 5.0  # ours: standard errors before the trend has risen (chosen in benchmarks/reading)
RISE_NOISE = 1.0  # ours: ... and noise levels of one raw value
FEWEST_RISING = 4  # ours: evaluations in a rise that may be called gradual
SHARED, SHARED_ERRORS = 0.5, 2.0  # ours: training loss shares a rise that it makes half of, by these standard errors of its own
BUMP_BEFORE = 0.7  # ours: a temporary rise has its top before this share of the curve
SAME_LR = 1.25  # ours: lrs closer than this factor over a bump count as constant (Fig. 11a), else as rising (Fig. 1a)
NEARLY_TOP = 0.95  # ours: a bump that ends at this share of its largest lr was undone by a rising lr
AT_ONCE = 0.8  # ours: a rise of which one evaluation makes this share is a jump: an instability, or other data (benchmarks/reading)
SMALL_LR = 0.7  # ours: an lr is small up to this share of the run's largest
GAP_SHARE = 0.1  # ours: a gap must have opened by this share of the validation loss ...
GAP_FALL = 0.25  # ours: ... while the validation loss falls by no more than this share of the opening


def overfitting_clues(sound: Sound) -> tuple[Clue, ...]:
    """Every form of overfitting in the part of the curve before any divergence."""
    if not sound.enough or not sound.moved:
        return ()
    found = [*_gradual_rise(sound), *_bump(sound)]
    return tuple(found) if found else tuple(_gap(sound))


def _units(sound: Sound, rise: float) -> float:
    return rise / sound.noise if sound.noise > 0 else np.inf


def _gradual_rise(sound: Sound) -> list[Clue]:
    """The trend ends, or meets divergence, above its minimum by more than its error."""
    low, last = sound.lowest, len(sound.x) - 1
    rise = float(sound.trend.fit[last] - sound.trend.fit[low])
    if last - low < FEWEST_RISING or apart(sound.trend, low, last) <= RISES or _units(sound, rise) <= RISE_NOISE:
        return []
    if _training_rises_too(sound, low, last, rise):
        return []
    return [clue(sound.curve, OVERFITTING, "gradual-rise", int(sound.index[low]), int(sound.index[last]), _units(sound, rise))]


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


def _bump(sound: Sound) -> list[Clue]:
    """A temporary rise: down, up little by little, and then further down than before; the training loss does not rise with it."""
    found = _highest_bump(sound.trend.fit)
    if found is None:
        return []
    low, top, after = found
    fit = sound.trend.fit
    rise = float(fit[top] - fit[low])
    early = sound.x[top] <= sound.x[0] + BUMP_BEFORE * (sound.x[-1] - sound.x[0])
    rises = min(apart(sound.trend, low, top), apart(sound.trend, after, top)) > RISES
    if not (early and rises and _units(sound, rise) > RISE_NOISE and after - low >= FEWEST_RISING):
        return []
    if _jumps(sound, low, top) or _training_rises_too(sound, low, top, rise):
        return []
    end = low + 1 + int(np.flatnonzero(fit[low + 1 :] <= fit[low])[0])
    form = _bump_form(sound.lr[low : end + 1], float(sound.lr[top]), float(sound.lr.max()))
    if form is None:
        return []
    return [clue(sound.curve, OVERFITTING, form, int(sound.index[low]), int(sound.index[end]), _units(sound, rise))]


def _jumps(sound: Sound, low: int, top: int) -> bool:
    """Whether the raw values between the two places of the trend make the most of their rise in one step."""
    raw = sound.raw[max(0, low - 1) : top + 2]
    return bool(np.diff(raw).max() >= AT_ONCE * np.ptp(raw))


def _bump_form(lr: FloatArray, at_top: float, largest: float) -> str | None:
    """Early rise at a constant lr, bump at a small one that larger ones remove; None where a falling lr undid it, or lr was large."""
    if not np.isfinite(lr).all() or lr.max() <= SAME_LR * lr.min():
        return "early-rise"
    rising = bool(lr[-1] >= NEARLY_TOP * lr.max())
    return "small-lr-bump" if rising and at_top <= SMALL_LR * largest else None


def _highest_bump(fit: FloatArray) -> tuple[int, int, int] | None:
    """(low, top, after) of the largest rise above a running minimum that is undone later; None where there is none."""
    running = np.minimum.accumulate(fit)
    undone = np.minimum.accumulate(fit[::-1])[::-1] < running
    height = np.where(undone, fit - running, 0.0)
    top = int(np.argmax(height))
    if height[top] <= 0:
        return None
    low = int(np.argmin(fit[: top + 1]))
    return low, top, top + int(np.argmin(fit[top:]))


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
    if fall > GAP_FALL * opened or opened <= RISES * error or opened <= GAP_SHARE * abs(float(sound.trend.fit[last])):
        return []
    return [clue(sound.curve, OVERFITTING, "generalization-gap", int(sound.index[half]), int(sound.index[last]), _units(sound, opened))]
