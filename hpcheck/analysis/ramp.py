"""A ramp that was too fast: the lr outran the training (Smith 2018, 4.1; docs/design.md, "Short ramps lie")."""

import numpy as np

from hpcheck.analysis.clue import RAMP_TOO_FAST, Clue, clue
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.readable import Sound, filled

RAMP = 3.0  # ours: lr must rise by this factor, almost all the way, for the run to be a ramp
RISING = 0.9  # ours: share of the lr's increments that must not be negative
AT_TOP, NEAR_TOP = 0.25, 0.99  # ours: share of a ramp's evaluations that may be at its largest lr, or this near: a warm-up stays there
STAIR = 2.0  # ours: ... and times as long as at any lr on the way: a ramp that stays at its top, or comes down from it, was a warm-up
BEFORE_TURN = 0.2  # ours: the share of the curve before its minimum over which the descent's last speed is taken
STILL_FAST = 0.6  # ours: cut short when that speed is this share of the mean speed of the descent (chosen in benchmarks/reading)


def is_ramp(curve: Curve) -> bool:
    """Whether lr rises over the run, by at least a factor of three and up to its end: a warm-up before a constant or a falling lr is no
    range test, even where the log ends soon after it. False with fewer than two evaluations."""
    if len(curve) < 2:
        return False
    lr = filled(curve.lr)
    rises = lr[-1] >= RAMP * max(float(lr[0]), 1e-300) and np.mean(np.diff(lr) >= 0) >= RISING
    if not rises or np.mean(lr >= NEAR_TOP * lr[-1]) > max(AT_TOP, 1 / len(lr)):
        return False
    return bool(lr[-1] >= lr.max()) and not _stays_at_top(lr)


def _stays_at_top(lr: FloatArray) -> bool:
    """Whether the last lr holds for longer than any before it, as one that has warmed up does."""
    changes = np.flatnonzero(np.diff(lr) != 0) + 1
    stays = np.diff(np.concatenate([[0], changes, [len(lr)]]))
    return bool(stays[-1] > STAIR * stays[:-1].max(initial=1))


def ramp_clues(sound: Sound) -> tuple[Clue, ...]:
    """Stuck at the start until divergence, or turned up while the descent was still at full speed."""
    if not is_ramp(sound.curve) or sound.divergence is None or not sound.enough:
        return ()
    last = int(sound.index[-1])
    if not sound.learnt:
        return (clue(sound.curve, RAMP_TOO_FAST, "stuck", int(sound.index[0]), last, 0.0),)
    if not cut_short(sound):
        return ()
    strength = sound.descent / sound.noise if sound.noise > 0 else np.inf
    return (clue(sound.curve, RAMP_TOO_FAST, "cut-short", int(sound.index[0]), last, strength),)


def cut_short(sound: Sound) -> bool:
    """Whether the trend fell, just before its minimum, almost as fast as on the average of its descent."""
    fit, x, low = sound.trend.fit, sound.x, sound.lowest
    top = int(np.argmax(fit[: low + 1]))
    if low - top < 3:
        return True
    before = int(np.searchsorted(x, x[low] - BEFORE_TURN * (x[low] - x[top])))
    before = min(before, low - 1)
    mean_speed = (fit[top] - fit[low]) / (x[low] - x[top])
    last_speed = (fit[before] - fit[low]) / (x[low] - x[before])
    return bool(last_speed > STILL_FAST * mean_speed)
