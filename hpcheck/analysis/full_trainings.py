"""Full trainings side by side: how far one is ahead of another, with the chance of the validation examples and of the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hpcheck.analysis.curve import FloatArray
from hpcheck.analysis.distributions import student_quantile
from hpcheck.analysis.smooth import MAD_TO_SD

# Ours: what another seed is supposed to do to the figure of all examples before a search has pairs of seeds, as a share of the loss or of
# what the metric lacks, and as how many pairs of seeds this counts (docs/decisions/019-confirm-before-you-recommend.md). Settings that lie
# closer together than that show that seeds do less: their own spread is supposed then, where so many finished.
PRIOR_SHARE = 0.05
PRIOR_PAIRS = 4.0
FEWEST_SPREAD = 4
LEAST_OF_DEVIATION = 0.5  # ours: their spread is at least this share of their standard deviation: a few that are equal don't make it 0
# Ours: the deviation of one example's difference in loss, as a share of the mean loss, where no example's loss is known. Pairs of trainings
# on the quickstart's digits have 1.2 to 5.8, 3.8 in the middle.
LOSS_SPREAD = 4.0
LEVEL = 0.95  # of the intervals
PASSES = 1.3  # ours: standard errors by which settings must lead over both seeds to be recommended (1.0 and 1.6 gave the same answers)
BEHIND = 1.0  # ours: standard errors within which metrics say nothing, so that the loss decides
By = Literal["loss", "metric"]


@dataclass(frozen=True)
class Trained:
    """What a full training came to on the whole validation set, as costs: less is better, so a metric that is better when higher is
    negated. `losses` and `costs` are those of each example, (N,), where they are at hand. `share_of`: the metric is a share of so many
    examples, told as a part of `whole`: 1, or 100 for percent. `lacks` is what the metric falls short of the best there is, None where that
    is not known. `loss_of`: the loss is a mean over so many examples, of none of which it is known."""

    loss: float
    metric: float
    losses: FloatArray | None = field(default=None, compare=False)
    costs: FloatArray | None = field(default=None, compare=False)
    share_of: int | None = None
    lacks: float | None = None
    diverged: bool = False
    whole: float = 1.0
    loss_of: int | None = None

    def figure(self, by: By) -> float:
        return self.loss if by == "loss" else self.metric

    def each(self, by: By) -> FloatArray | None:
        return self.losses if by == "loss" else self.costs

    def size(self, by: By) -> float:
        """What a seed's deviation is supposed to be a share of."""
        return abs(self.loss) if by == "loss" else abs(self.metric) if self.lacks is None else self.lacks


@dataclass(frozen=True)
class Seeds:
    """The variance of a figure from seed to seed, beyond the chance of single examples where these are at hand, and the degrees of freedom
    it rests on."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class Ahead:
    """By how much one is ahead of another (positive: better), the standard error of that and its degrees of freedom."""

    value: float
    error: float
    freedom: float = np.inf

    @property
    def errors(self) -> float:
        """In standard errors; 0 where they are alike to the last digit."""
        if self.error > 0:
            return self.value / self.error
        return float(np.sign(self.value) * np.inf) if self.value else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Student's interval of `LEVEL`."""
        half = student_quantile((1 + LEVEL) / 2, self.freedom) * self.error if np.isfinite(self.error) else np.inf
        return self.value - half, self.value + half


def seeds_of(groups: Sequence[Sequence[Trained]], by: By) -> Seeds:
    """The variance between seeds, pooled over settings trained with several, and over what was supposed before.

    What single examples do at random from training to training is in the paired error of the examples already, and is taken out here.
    """
    finished = [[one for one in group if not one.diverged] for group in groups]
    total = freedom = 0.0
    for group in (group for group in finished if len(group) > 1):
        figures = np.array([one.figure(by) for one in group])
        total += float(((figures - figures.mean()) ** 2).sum()) - (len(group) - 1) * _flips(group, by)
        freedom += len(group) - 1
    known = [one for group in finished for one in group]
    widest = _spread([group[0].figure(by) for group in finished if group])
    prior = float(np.median([_supposed(one, by, widest) for one in known])) if known else 0.0
    pooled = (total + PRIOR_PAIRS * prior**2) / (freedom + PRIOR_PAIRS)
    return Seeds(max(pooled, 0.0), freedom + PRIOR_PAIRS)


def _flips(group: Sequence[Trained], by: By) -> float:
    """The variance that single examples, going one way or the other from seed to seed, give a training's figure; 0 where they are not at
    hand."""
    each = [one.each(by) for one in group]
    rows = [row for row in each if row is not None]
    if len(rows) < len(group) or len({len(row) for row in rows}) > 1:
        return 0.0
    return float(np.stack(rows).var(axis=0, ddof=1).mean()) / len(rows[0])


def _spread(figures: Sequence[float]) -> float:
    """The robust deviation of the settings' figures, which holds what their seeds do and what the settings do; inf where they are few."""
    if len(figures) < FEWEST_SPREAD:
        return np.inf
    values = np.asarray(figures)
    middle = MAD_TO_SD * float(np.median(np.abs(values - np.median(values))))
    return max(middle, LEAST_OF_DEVIATION * float(values.std(ddof=1)))


def _supposed(one: Trained, by: By, widest: float) -> float:
    """A seed's deviation before any pair has spoken, at most `widest`; of a share of examples that are not at hand, no less than their
    binomial error."""
    of_size = min(PRIOR_SHARE * one.size(by), widest)
    if by == "metric" and one.share_of and one.costs is None:
        return float(np.hypot(of_size, one.whole * binomial(one.metric / one.whole, one.share_of)))
    return of_size


def binomial(share: float, examples: int) -> float:
    """Standard error of a share of so many examples, of which one more was right and one more wrong (Laplace).

    >>> round(binomial(-0.95, 500), 4)
    0.0099
    """
    kept = (min(abs(share), 1.0) * examples + 1) / (examples + 2)
    return float(np.sqrt(kept * (1 - kept) / examples))


def ahead(ours: Sequence[Trained], theirs: Sequence[Trained], by: By, seeds: Seeds) -> Ahead:
    """How far the mean of `ours` is ahead of that of `theirs`. A side of which any training diverged is behind by all.

    Variance: s^2/n of each side's seeds, and that of the examples' mean difference, var(d)/N, where d is an example's difference.
    """
    lost, theirs_lost = (any(one.diverged for one in side) for side in (ours, theirs))
    if lost or theirs_lost:
        return Ahead(0.0 if lost and theirs_lost else -np.inf if lost else np.inf, 0.0)
    value = float(np.mean([one.figure(by) for one in theirs]) - np.mean([one.figure(by) for one in ours]))
    between = seeds.variance * (1 / len(ours) + 1 / len(theirs))
    of_examples = _of_examples(ours, theirs, by, value)
    variance = between + of_examples
    freedom = seeds.freedom * (variance / between) ** 2 if between > 0 else np.inf  # Satterthwaite; the examples are many
    return Ahead(value, float(np.sqrt(variance)), float(freedom))


def _of_examples(ours: Sequence[Trained], theirs: Sequence[Trained], by: By, value: float) -> float:
    """The variance of the mean difference that other validation examples would give. Of a share it is at least that of one example gained
    and one lost, and without outcomes that of |difference| x N examples that all went one way. Of a loss it is then supposed."""
    sides = [[one.each(by) for one in side] for side in (ours, theirs)]
    rows = [row for side in sides for row in side if row is not None]
    share_of, whole = (ours[0].share_of, ours[0].whole) if by == "metric" else (None, 1.0)
    floor = 2 * whole**2 / share_of**2 if share_of else 0.0
    if len(rows) == len(ours) + len(theirs) and len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
        difference = np.mean(rows[len(ours) :], axis=0) - np.mean(rows[: len(ours)], axis=0)  # (N,)
        return max(float(difference.var(ddof=1)) / len(difference), floor)
    if by == "loss" and (examples := ours[0].loss_of):
        return float((LOSS_SPREAD * np.mean([abs(one.loss) for one in (*ours, *theirs)])) ** 2 / examples)
    return max(whole * abs(value) / share_of, floor) if share_of else 0.0


@dataclass(frozen=True)
class Judged:
    """Both quantities of one comparison."""

    metric: Ahead
    loss: Ahead

    @property
    def leads(self) -> bool:
        """Ahead by more than an error: by the metric, or where that says nothing by the loss."""
        return self.metric.errors > BEHIND or (abs(self.metric.errors) <= BEHIND and self.loss.errors > BEHIND)

    @property
    def is_ahead(self) -> bool:
        """Ahead at all, be it by chance: by the metric, or where metrics are within an error by the loss."""
        return (self.metric if abs(self.metric.errors) > BEHIND else self.loss).value > 0

    @property
    def passes(self) -> bool:
        """Whether the evidence is enough to recommend the first: its metric leads, or its loss does and its metric is not behind."""
        return self.metric.errors > PASSES or (self.loss.errors > PASSES and self.metric.errors >= -BEHIND)

    @property
    def decided_by(self) -> By | None:
        """What shows beyond chance that the first is better: the metric, else the loss where the metric says nothing; None for neither."""
        if self.metric.interval[0] > 0:
            return "metric"
        return "loss" if abs(self.metric.errors) <= BEHIND and self.loss.interval[0] > 0 else None


def judged(ours: Sequence[Trained], theirs: Sequence[Trained], groups: Sequence[Sequence[Trained]]) -> Judged:
    """`ours` against `theirs`, with the seeds' variance of all the settings trained, `groups`."""
    return Judged(*(ahead(ours, theirs, by, seeds_of(groups, by)) for by in ("metric", "loss")))


@dataclass(frozen=True)
class Leader:
    """The best of several by one training each, by number. `opposed`: the number of one whose loss is better beyond its error while its
    metric is behind."""

    number: int | None
    opposed: int | None = None


def leader(trained: Sequence[Trained]) -> Leader:
    """The best metric; among those whose metrics are within an error of it, the lowest loss. None where all diverged."""
    finished = [number for number, one in enumerate(trained) if not one.diverged]
    if not finished:
        return Leader(None)
    groups = [[one] for one in trained]
    metric, loss = seeds_of(groups, "metric"), seeds_of(groups, "loss")
    best = min(finished, key=lambda number: (trained[number].metric, trained[number].loss))
    near = [number for number in finished if ahead([trained[best]], [trained[number]], "metric", metric).errors <= BEHIND or number == best]
    number = min(near, key=lambda one: (trained[one].loss, trained[one].metric))
    lowest = min(finished, key=lambda one: trained[one].loss)
    against = ahead([trained[lowest]], [trained[number]], "loss", loss)
    return Leader(number, lowest if lowest not in near and against.errors > BEHIND else None)
