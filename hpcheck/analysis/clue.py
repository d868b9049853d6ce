"""Clue: a sign in a validation curve, the stretch it covers, and what the paper says to do about it."""

from dataclasses import dataclass, replace

import numpy as np

from hpcheck.analysis.curve import Curve

UNDERFITTING = "underfitting"
OVERFITTING = "overfitting"
DIVERGENCE = "divergence"
PLATEAU = "plateau"
RAMP_TOO_FAST = "ramp-too-fast"
DISAGREE = "loss-accuracy-disagree"
NO_SIGNAL = "no-signal"
KINDS = (UNDERFITTING, OVERFITTING, DIVERGENCE, PLATEAU, RAMP_TOO_FAST, DISAGREE, NO_SIGNAL)

# (kind, form): (section of Smith 2018, what it says to do)
ADVICE = {
    (UNDERFITTING, "still-falling"): (
        "section 3.2, Fig. 3",
        "the loss is still falling: a larger learning rate, a larger momentum or longer training",
    ),
    (OVERFITTING, "gradual-rise"): (
        "section 3.3, Fig. 4a and 9a",
        "the loss rises slowly after its minimum: more weight decay or another regularizer, or a larger learning rate",
    ),
    (OVERFITTING, "early-rise"): (
        "section 3.3, Fig. 11a, and 5.5",
        "a temporary early rise: a larger weight decay; a slight one marks the best value and does not disqualify it",
    ),
    (OVERFITTING, "small-lr-bump"): (
        "section 3.1, Fig. 1a",
        "overfitting at a small learning rate that a larger one removes: raise the smallest learning rate",
    ),
    (OVERFITTING, "generalization-gap"): (
        "section 3, Fig. 2",
        "training loss falls while validation loss does not: more regularization (weight decay, larger learning rate, smaller batch)",
    ),
    (DIVERGENCE, "not-finite"): ("section 3.3, Fig. 4a", "the loss became NaN or infinite: a smaller maximum learning rate or momentum"),
    (DIVERGENCE, "sharp-rise"): (
        "section 3.3, Fig. 4a",
        "a sharp rise is instability, not overfitting: a smaller maximum learning rate or momentum, or a slower rise to it",
    ),
    (DIVERGENCE, "above-start"): ("section 3.3, Fig. 4a", "the loss ended above where it began: a smaller maximum learning rate"),
    (PLATEAU, "flat"): ("section 3.1, Remark 2", "the loss has become horizontal, which is the goal; training on gains nothing more"),
    (RAMP_TOO_FAST, "stuck"): (
        "section 4.1 and 5, item 1",
        "the learning rate rose before the network had begun to learn: lengthen the ramp",
    ),
    (RAMP_TOO_FAST, "cut-short"): (
        "section 4.1 and 5, item 1",
        "the loss was still falling fast when it turned up: the ramp outran the training; lengthen it",
    ),
    (DISAGREE, "loss-rises-metric-improves"): (
        "section 4.2, Fig. 6, and 5.2, Fig. 13b",
        "the loss gets worse while the metric gets better: judge by the metric, and report both",
    ),
    (DISAGREE, "loss-falls-metric-worsens"): (
        "section 4.2, Fig. 6, and 5.2, Fig. 13b",
        "the loss gets better while the metric gets worse: report both before you trust either",
    ),
    (NO_SIGNAL, "flat"): ("section 4.1", "the loss never moved: the learning rate is too small or too large for training to begin"),
    (NO_SIGNAL, "noise"): ("section 4.1", "the loss does not leave its noise: use longer runs or more validation examples"),
    (NO_SIGNAL, "too-few-points"): ("section 3", "too few evaluations to read: evaluate more often or train longer"),
}


# what a clue means in a few words, for a picture
MEANING = {
    (UNDERFITTING, "still-falling"): "still falling",
    (OVERFITTING, "gradual-rise"): "rises again: overfitting",
    (OVERFITTING, "early-rise"): "early rise that passes",
    (OVERFITTING, "small-lr-bump"): "overfits at these small lrs",
    (OVERFITTING, "generalization-gap"): "only the training loss falls",
    (DIVERGENCE, "not-finite"): "diverges",
    (DIVERGENCE, "sharp-rise"): "unstable: the lr is too large",
    (DIVERGENCE, "above-start"): "ends above its start",
    (PLATEAU, "flat"): "flat: no more to gain",
    (RAMP_TOO_FAST, "stuck"): "the lr rose too fast to learn",
    (RAMP_TOO_FAST, "cut-short"): "the lr rose too fast to read",
    (DISAGREE, "loss-rises-metric-improves"): "loss rises, metric improves",
    (DISAGREE, "loss-falls-metric-worsens"): "loss falls, metric worsens",
    (NO_SIGNAL, "flat"): "never moves",
    (NO_SIGNAL, "noise"): "nothing but noise",
    (NO_SIGNAL, "too-few-points"): "too few evaluations",
}

# what is said instead where the curve's own limit of the lr is known: nothing advises a larger lr than that
ADVICE_BELOW_A_LIMIT = {
    (UNDERFITTING, "still-falling"): "the loss is still falling: a larger momentum or longer training (its lr is at the limit)",
    (OVERFITTING, "gradual-rise"): "the loss rises slowly after its minimum: more weight decay or another regularizer",
    (OVERFITTING, "generalization-gap"): (
        "training loss falls while validation loss does not: more regularization (weight decay, smaller batch)"
    ),
}


@dataclass(frozen=True)
class Clue:
    """One sign and the stretch it covers; `strength` is its size in units of the noise of one raw value. `lr_rises` says that the lr
    does, all along the curve, and so tells where the stretch is; a cycle passes each lr twice."""

    kind: str
    form: str
    from_step: float
    to_step: float
    from_lr: float
    to_lr: float
    strength: float
    section: str
    advice: str
    lr_rises: bool

    @property
    def meaning(self) -> str:
        return MEANING.get((self.kind, self.form), self.kind)


def below_a_limit(found: Clue) -> Clue:
    """The clue without the advice of a larger lr, for a curve whose lr reached its limit."""
    return replace(found, advice=ADVICE_BELOW_A_LIMIT.get((found.kind, found.form), found.advice))


def clue(curve: Curve, kind: str, form: str, first: int, last: int, strength: float) -> Clue:
    """A clue over evaluations `first` to `last`, with the lrs that it covers and the paper's advice; NaN where these are not known."""
    section, advice = ADVICE[kind, form]
    lr = curve.lr[first : last + 1]
    lr = lr[np.isfinite(lr)]
    lowest, highest = (float(lr.min()), float(lr.max())) if len(lr) else (np.nan, np.nan)
    from_step, to_step = (float(curve.step[first]), float(curve.step[last])) if len(curve) else (np.nan, np.nan)
    rises = len(curve) > 1 and bool((curve.lr[1:] > curve.lr[:-1]).all())
    return Clue(kind, form, from_step, to_step, lowest, highest, float(strength), section, advice, rises)
