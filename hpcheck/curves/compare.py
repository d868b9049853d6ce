"""Several curves against each other: what varies between them, over which span they are compared, and which is best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hpcheck.analysis.choice import Choice, abstain
from hpcheck.analysis.choose import Candidate, Rule, choose, too_short_to_tell
from hpcheck.analysis.clue import OVERFITTING
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.divergence import find_divergence
from hpcheck.analysis.optimum import next_weight_decays, two_significant_figures
from hpcheck.analysis.overfitting import FEWEST_RISING
from hpcheck.analysis.ramp import is_ramp
from hpcheck.analysis.readable import FEWEST_TO_READ, apart, sound
from hpcheck.analysis.smooth import smooth
from hpcheck.curves.load import Loaded

PERCENT = 10.0  # ours: a metric that exceeds this beside another that stays within 1 is in percent
ANNEALED = 0.5  # ours: a run whose lr ends below this share of its largest is a finished training, judged at its end
STOPPED_EARLY = 0.8  # ours: a run whose last step is below this share of another's, and whose lr has not come down, was stopped early
AGREED = 2.5  # ours: standard errors that the mean of repeats must rise by; that each of them rises too makes up for the other errors
SETTINGS = ("lr", "momentum", "weight_decay")
SCALES: Mapping[str, Literal["log", "log1m", "linear"]] = {"lr": "log", "momentum": "log1m", "weight_decay": "log"}

Extremes = tuple[float, float]  # the smallest and the largest that a setting was along a run


@dataclass(frozen=True)
class Varied:
    """What varies: a setting, or "curve" where none or more than one does. `value[i]` stands for curve i; `settings` are all that vary."""

    name: str
    value: tuple[float, ...]
    settings: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """The best of several curves. `members[value]` are the labels behind each candidate's value; `left_out` had too little to read.

    `choice` is by what the paper judges such curves by; `other` by the other of loss and metric, where there is one. `span` is what all
    have in common of `x`.
    """

    varied: Varied
    members: Mapping[float, tuple[str, ...]]
    choice: Choice
    other: Choice | None
    at: Literal["end", "span"]
    x: Literal["step", "lr"]
    span: Extremes | None
    higher_is_better: bool = True
    left_out: tuple[str, ...] = ()
    try_next: tuple[float, ...] = ()
    too_short: bool = False  # the weight decays have had no time to act differently
    finished: bool = False  # the lr of each that did not diverge has come down
    unit: str = "step"  # what the steps count, where x is "step"
    scales_differ: bool = False  # metrics in percent beside metrics in shares of 1, so that they are not compared
    unlearnt: tuple[str, ...] = ()  # labels of the best one's curves whose loss never leaves its noise
    stopped: tuple[str, ...] = ()  # labels of runs that were stopped early and are left out, so that the others are compared further
    unfinished: bool = False  # the lr has not come down in all of them: their order may change when it does
    overfits: tuple[tuple[str, ...], ...] = ()  # labels of repeats whose mean overfits, though none of them does by itself

    @property
    def disagree(self) -> bool:
        """Whether loss and metric each have a best, and not the same (Smith 2018, 4.2, Fig. 6)."""
        one, other = self.choice, self.other
        return other is not None and one.status == other.status == "chosen" and one.value != other.value


def compare(loaded: Sequence[Loaded]) -> Comparison:
    """Compare the curves that have enough evaluations, by the one decision rule (`analysis.choose`).

    Range tests are compared over their common lr. Other runs are compared at their ends where the lr of all has come down, or where one
    diverged, which cannot then win by how it began; else over their common steps. Finished trainings are judged by the metric where all
    have one (Smith 2018, Remark 1), others by the loss unless it cannot be read.
    """
    readable = [one.curve for one in loaded if can_be_compared(one.curve)]
    left_out = tuple(one.curve.label for one in loaded if not can_be_compared(one.curve))
    stopped = stopped_early(readable)
    kept = [curve for curve in readable if not any(curve is one for one in stopped)]
    varied = what_varies(kept)
    members: dict[float, tuple[Curve, ...]] = {}
    for curve, value in zip(kept, varied.value, strict=True):
        members[value] = (*members.get(value, ()), curve)
    candidates = [Candidate(value, group) for value, group in members.items()]
    labels = {value: tuple(curve.label for curve in group) for value, group in members.items()}
    finished = bool(kept) and all(is_annealed(curve) for curve in lasting(kept))
    overfits = tuple(tuple(curve.label for curve in group) for group in repeats(kept) if only_their_mean_overfits(group))
    x, span = common(kept, by_steps=any(one.over == "step" for one in loaded))
    at: Literal["end", "span"] = "end" if finished or (x == "step" and lasting(kept) != kept) else "span"
    other = None
    if len(candidates) < 2:
        choice = abstain("fewer than two curves can be compared")
    elif span is None and at == "span":
        choice = abstain("the curves have no stretch in common")
    elif at == "span" and x == "step" and len({counts_epochs(one) for one in loaded}) > 1:
        choice = abstain("some files count epochs and others iterations: name columns that count alike (--step)")
    else:
        scale = SCALES.get(varied.name, "linear")
        metric = all(curve.metric_cost is not None for curve in kept) and len({curve.higher_is_better for curve in kept}) == 1
        metric = metric and not percent_beside_shares(kept)
        rule = Rule(judge="accuracy" if metric and finished else "auto", at=at, x=x, scale=scale)
        choice = choose(candidates, rule)
        if x == "step" and not finished and choice.status != "abstained":
            choice = replace(choice, confidence="low")
        if metric:
            other = choose(candidates, replace(rule, judge="loss" if choice.judged_by == "accuracy" else "accuracy"))
    decays = varied.value if varied.name == "weight_decay" else ()
    short = bool(decays) and all(too_short(one, decays) for one in loaded)
    further = next_weight_decays(choice, decays) if decays and not short else ()
    better = kept[0].higher_is_better if kept else True
    unit = loaded[0].unit if len({one.unit for one in loaded}) == 1 else "step"
    unlearnt = tuple(curve.label for curve in members.get(choice.value, ()) if not sound(curve).learnt) if choice.value is not None else ()
    return Comparison(
        varied,
        labels,
        choice,
        other,
        at,
        x,
        span,
        better,
        left_out,
        further,
        short,
        finished,
        unit,
        percent_beside_shares(kept),
        unlearnt,
        tuple(curve.label for curve in stopped),
        x == "step" and not finished,
        overfits,
    )


def stopped_early(curves: Sequence[Curve]) -> tuple[Curve, ...]:
    """Runs that ended long before the others while their lr was still up: over so short a stretch nothing fair can be said of the rest.

    None where fewer than two would be left, where all diverged alike, or where the lr rises, as in range tests.
    """
    going = [curve for curve in curves if find_divergence(curve) is None and not is_ramp(curve)]
    if len(going) < 2:
        return ()
    longest = max(float(curve.step[-1]) for curve in going)
    short = tuple(curve for curve in going if curve.step[-1] < STOPPED_EARLY * longest and not is_annealed(curve))
    return short if len(going) - len(short) >= 2 else ()


def repeats(curves: Sequence[Curve]) -> list[tuple[Curve, ...]]:
    """Curves of the same settings at the same steps: the same training with other seeds. Only groups of two or more."""
    groups: dict[bytes, list[Curve]] = {}
    for curve in curves:
        momentum = b"" if curve.momentum is None else curve.momentum.tobytes()
        key = b"|".join((curve.step.tobytes(), curve.lr.tobytes(), momentum, repr(curve.weight_decay).encode()))
        groups.setdefault(key, []).append(curve)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def only_their_mean_overfits(group: Sequence[Curve]) -> bool:
    """Whether the mean of repeats ends above its minimum, each of them rises there, and none shows it by itself."""
    if any(any(clue.kind == OVERFITTING for clue in find_clues(curve)) for curve in group):
        return False
    mean = replace(group[0], val_loss=np.mean([curve.val_loss for curve in group], axis=0), accuracy=None, train_loss=None)
    read = sound(mean)
    low, last = read.lowest, len(read.x) - 1
    if not read.learnt or read.divergence is not None or last - low < FEWEST_RISING or apart(read.trend, low, last) <= AGREED:
        return False
    return all(np.diff(smooth(curve.step, curve.val_loss).fit[read.index[[low, last]]])[0] > 0 for curve in group)


def counts_epochs(loaded: Loaded) -> bool:
    """Whether the steps of a file are epochs, going by their name."""
    return "epoch" in loaded.unit.lower()


def can_be_compared(curve: Curve) -> bool:
    """Whether there are enough evaluations, or the curve diverged, which is an answer."""
    return int(np.isfinite(curve.val_loss).sum()) >= FEWEST_TO_READ or find_divergence(curve) is not None


def percent_beside_shares(curves: Sequence[Curve]) -> bool:
    """Whether the metric of one curve is in percent and that of another in shares of 1."""
    largest = [
        float(np.nanmax(c.accuracy)) for c in curves if c.accuracy is not None and c.higher_is_better and np.isfinite(c.accuracy).any()
    ]
    return bool(largest) and min(largest) <= 1 and max(largest) > PERCENT


def what_varies(curves: Sequence[Curve]) -> Varied:
    """The one setting that is known of every curve and is not the same in all; else the curves themselves, in their order."""
    along = {name: [extremes(curve, name) for curve in curves] for name in SETTINGS}
    varying = tuple(name for name, found in along.items() if None not in found and len(set(found)) > 1)
    if len(varying) == 1:
        found = [one for one in along[varying[0]] if one is not None]
        for end in (1, 0):
            if len({one[end] for one in found}) == len(set(found)):
                return Varied(varying[0], tuple(one[end] for one in found), varying)
    return Varied("curve", tuple(float(position) for position in range(1, len(curves) + 1)), varying)


def too_short(loaded: Loaded, decays: Sequence[float]) -> bool:
    """Whether even the outermost weight decays had no time to act differently in this run; False where that cannot be known."""
    curve = loaded.curve
    if counts_epochs(loaded) or curve.momentum is None or not np.isfinite(curve.lr).all() or len(curve) < 2:
        return False
    steps = np.arange(curve.step[0], curve.step[-1])  # (T,)
    lr, momentum = np.interp(steps, curve.step, curve.lr), np.interp(steps, curve.step, curve.momentum)
    return bool((momentum < 1).all()) and too_short_to_tell(lr, momentum, min(decays), max(decays))


def extremes(curve: Curve, setting: str) -> Extremes | None:
    """The smallest and largest value of a setting along a run, to two significant figures; None where it is not known."""
    if setting == "weight_decay":
        return None if curve.weight_decay is None else (curve.weight_decay, curve.weight_decay)
    values = curve.lr if setting == "lr" else curve.momentum
    if values is None or not np.isfinite(values).any():
        return None
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return two_significant_figures(low), two_significant_figures(high)


def is_annealed(curve: Curve) -> bool:
    """Whether the run's lr has come down at its end, as a finished training's has."""
    return len(curve) > 0 and bool(curve.lr[-1] < ANNEALED * curve.lr.max())


def common(curves: Sequence[Curve], by_steps: bool) -> tuple[Literal["step", "lr"], Extremes | None]:
    """What to compare over, and the stretch of it that every curve covers or diverges in: lr where it rises in all, else steps."""
    if not curves:
        return "step", None
    ramps = not by_steps and all(is_ramp(curve) for curve in curves)
    by_lr = overlap([c.lr for c in curves], [c.lr for c in lasting(curves)]) if ramps else None
    return ("lr", by_lr) if by_lr else ("step", overlap([c.step for c in curves], [c.step for c in lasting(curves)]))


def lasting(curves: Sequence[Curve]) -> Sequence[Curve]:
    """Those that did not diverge; all of them where none did not."""
    return [curve for curve in curves if find_divergence(curve) is None] or curves


def overlap(values: Sequence[FloatArray], ending: Sequence[FloatArray]) -> Extremes | None:
    """From the largest beginning to the smallest end of those that did not diverge; None where they do not meet."""
    low, high = max(float(one.min()) for one in values), min(float(one.max()) for one in ending)
    return (low, high) if low < high else None
