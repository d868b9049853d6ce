"""Every clue in one curve: underfitting, overfitting, divergence, plateau, ramp too fast, disagreement, no signal (Smith 2018, 3)."""

import numpy as np

from hpcheck.analysis.clue import DIVERGENCE, KINDS, NO_SIGNAL, Clue, clue
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.disagreement import disagreement_clues
from hpcheck.analysis.ending import ending_clues
from hpcheck.analysis.overfitting import overfitting_clues
from hpcheck.analysis.ramp import ramp_clues
from hpcheck.analysis.readable import Sound, sound

__all__ = ["KINDS", "Clue", "find_clues"]


def find_clues(curve: Curve) -> tuple[Clue, ...]:
    """The clues in `curve`, in the order in which they begin; empty where nothing can be said against the noise.

    NaN and inf at the end are divergence; elsewhere they are passed over. Fewer than eight finite evaluations before any divergence give
    "no-signal".
    """
    return clues_of(sound(curve))


def clues_of(read: Sound) -> tuple[Clue, ...]:
    """The clues in a curve that is prepared already."""
    found = [*_divergence(read), *ramp_clues(read), *_no_signal(read)]
    found += [*ending_clues(read), *overfitting_clues(read), *disagreement_clues(read)]
    return tuple(sorted(found, key=lambda one: (one.from_step, one.kind, one.form)))


def _divergence(read: Sound) -> tuple[Clue, ...]:
    if read.divergence is None:
        return ()
    last = max(0, len(read.curve) - 1)
    first = min(read.divergence.onset, last)
    return (clue(read.curve, DIVERGENCE, read.divergence.form, first, last, read.divergence.strength),)


def _no_signal(read: Sound) -> tuple[Clue, ...]:
    last = max(0, len(read.index) - 1)
    if read.divergence is not None and read.divergence.form == "above-start":
        return ()  # to rise above the start is a signal
    if not read.enough:
        return (clue(read.curve, NO_SIGNAL, "too-few-points", 0, max(0, len(read.curve) - 1), 0.0),)
    if read.moved:
        return ()
    form = "flat" if np.ptp(read.raw) == 0 else "noise"
    return (clue(read.curve, NO_SIGNAL, form, int(read.index[0]), int(read.index[last]), 0.0),)
