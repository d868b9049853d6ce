"""Whether training begins well at a constant lr: the short test by which a minimum lr is chosen (Smith 2018, 4.1 (3))."""

from hpcheck.analysis.clue import DIVERGENCE, OVERFITTING
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.readable import sound


def begins_well(curve: Curve) -> bool:
    """Whether convergence begins without signs of overfitting: the loss falls from its start by more than its noise, and neither diverges
    nor rises. False with fewer than eight finite evaluations."""
    read = sound(curve)
    return read.enough and read.learnt and not {one.kind for one in clues_of(read)} & {DIVERGENCE, OVERFITTING}
