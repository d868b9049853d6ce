"""Candidates side by side: their scores by replicate, the leader, and how far each is behind it with what error."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from hpcheck.analysis.curve import FloatArray
from hpcheck.analysis.distributions import student_sf, studentized_range_sf
from hpcheck.analysis.scores import At, Candidate, Score, Track, score_tracks, track

SEPARATED = 0.05  # ours: one-sided probability under which a difference counts; a tenth of it for high confidence
PRIOR_SEED = (
    0.6  # ours: between-seed deviation supposed before replicates speak, in noise levels (measured: 0.3 to 1.3, median 0.6; docs) ...
)
PRIOR_DESCENT, PRIOR_SHARE = 0.005, 0.01  # ours: ... and at least this share of the descent; of the loss in forks of one run (see the docs)
NOISY = 2.0  # ours: times the usual noise, beyond which a candidate's lead must be more than its own error, and does not help it as a loser
PRIOR_WEIGHT = 4.0  # ours: degrees of freedom that the supposed spread counts for

Judge = Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Standing:
    """A candidate against the leader: `mean` with what its seeds share taken out, and `behind` the leader with its `error`. `chance` is the
    standard error that a share of so many validation examples has, whatever the seed. `among`: how many candidates finished, of which the
    leader is the best."""

    candidate: Candidate
    scores: tuple[Score, ...]  # by replicate
    mean: float
    behind: float = 0.0
    error: float = 0.0
    freedom: float = np.inf
    chance: float = 0.0
    among: int = 2

    @property
    def noise(self) -> float:
        return float(np.mean([score.noise for score in self.scores])) if self.scores else 0.0

    @property
    def within(self) -> float:
        """Within-curve standard error of the mean score, no less than the chance of the examples that it was measured on."""
        error = float(np.sqrt(np.sum([s.error**2 for s in self.scores])) / len(self.scores)) if self.scores else 0.0
        return max(error, self.chance)

    def changes_places(self, with_: "Standing") -> bool:
        """Whether one seed has this candidate ahead of the other, and another seed behind it."""
        signs = np.sign(differences(with_, self))
        return bool((signs > 0).any() and (signs < 0).any())

    def separated(self, level: float = SEPARATED) -> bool:
        """Whether it is behind by more than chance explains."""
        if self.behind <= 0:
            return False
        if not np.isfinite(self.behind) or self.error == 0:
            return True
        return chance_of(self.behind / self.error, self.among, self.freedom) < level


@lru_cache(maxsize=4096)
def chance_of(errors: float, among: int, freedom: float) -> float:
    """One-sided probability that the best of so many equal candidates is so many standard errors ahead of another: half that of Tukey's
    studentized range, which with two is Student's t. The best of many is ahead by chance of the worst of them.

    >>> round(chance_of(2.0, 2, 4.0), 3), round(chance_of(2.0, 8, 4.0), 3)
    (0.058, 0.282)
    """
    if among <= 2:
        return student_sf(errors, freedom)
    return studentized_range_sf(np.sqrt(2) * errors, among, freedom) / 2


def standings(candidates: Sequence[Candidate], by: Judge, at: At, x: Literal["step", "lr"], examples: int | None = None) -> list[Standing]:
    """Candidates from best to worst, each against the best. Diverged ones come last, with a mean of inf.

    A noisy leader would leave every comparison undecided, so it must lead by more than its own standard error. A noisy loser would never be
    beaten, so its noise counts for no more than twice the usual. `examples`: the metric is a share of so many validation examples.
    """
    scores = _by_replicate(candidates, by, at, x)
    means = _means(scores)
    counted = examples if by == "accuracy" else None
    rows = [
        Standing(one, tuple(row), mean, chance=_chance(mean, counted)) for one, row, mean in zip(candidates, scores, means, strict=True)
    ]
    finished = [row for row in rows if np.isfinite(row.mean)]
    usual = float(np.median([row.within for row in finished] or [0.0]))
    rows.sort(key=lambda row: (row.mean + (row.within if row.within > NOISY * usual else 0.0), row.candidate.value))
    variance, freedom = _paired_variance(rows)
    rows = [replace(row, among=len(finished)) for row in rows]
    return [_against(rows[0], _no_noisier(row, finished), row, by, variance, freedom) for row in rows]


def _chance(mean: float, examples: int | None) -> float:
    """Binomial standard error of a share of so many examples, of which one more was right and one more wrong (Laplace), so that a share of
    1 has an error too; 0 where it is no such share.

    >>> round(_chance(-0.95, 500), 4), round(_chance(-1.0, 500), 4), _chance(-0.95, None)
    (0.0099, 0.002, 0.0)
    """
    if examples is None or not np.isfinite(mean):
        return 0.0
    share = (min(abs(mean), 1.0) * examples + 1) / (examples + 2)
    return float(np.sqrt(share * (1 - share) / examples))


def _no_noisier(row: Standing, finished: Sequence[Standing]) -> Standing:
    """The candidate with the noise that counts where it loses: at most `NOISY` times the median of the others'."""
    others = [other for other in finished if other is not row]
    if not others:
        return row
    noise, error = (NOISY * float(np.median([one for other in others for one in of(other)])) for of in (_noises, _errors))
    return replace(row, scores=tuple(Score(s.value, min(s.error, error), min(s.noise, noise)) for s in row.scores))


def _noises(row: Standing) -> list[float]:
    return [score.noise for score in row.scores]


def _errors(row: Standing) -> list[float]:
    return [score.error for score in row.scores]


def _by_replicate(candidates: Sequence[Candidate], by: Judge, at: At, x: Literal["step", "lr"]) -> list[list[Score]]:
    """Scores of every run; a replicate is scored beside the others of its seed, or the first runs of those that have none."""
    tracks = [[track(curve, by, x) for curve in one.curves] for one in candidates]
    found: list[list[Score]] = [[] for _ in candidates]
    for number in range(max((len(row) for row in tracks), default=0)):
        group: list[Track] = [row[number] if len(row) > number else row[0] for row in tracks if row]
        rows = [index for index, row in enumerate(tracks) if row]
        for index, score in zip(rows, score_tracks(group, at, x), strict=True):
            if len(tracks[index]) > number:
                found[index].append(score)
    return found


def without_seeds(ends: Sequence[Sequence[float]], least: int = 2) -> list[list[float]]:
    """What was measured of each candidate, by replicate, with what each seed does to all taken out, so that unequal numbers of replicates
    compare. Candidates that have all replicates, all of them finite, tell what a seed does, where they are at least so many: of one alone
    nobody knows whether the seed or the candidate did it.

    >>> without_seeds([[0.5, 0.75], [0.25, 0.5], [0.375]])
    [[0.5, 0.5], [0.25, 0.25], [0.375]]
    """
    most = max((len(row) for row in ends), default=0)
    full = [row for row in ends if len(row) == most and all(np.isfinite(row))]
    told = full if len(full) >= least else []
    shared = [0.0] + [_shared([row[number] - row[0] for row in told]) for number in range(1, most)]
    return [[value - shared[number] for number, value in enumerate(row)] for row in ends]


def _means(scores: Sequence[Sequence[Score]]) -> list[float]:
    rows = without_seeds([[score.value for score in row] for row in scores], least=1)
    return [float(np.mean(row)) if row else np.inf for row in rows]


def _shared(shifts: Sequence[float]) -> float:
    """What another seed does to all candidates: the median of what it does to each. Of two it is the smaller shift, and nothing where
    they go apart: a run that did not learn under that seed says nothing of the other's.

    >>> _shared([0.02, 0.03]), _shared([0.97, -0.009]), _shared([0.1, 0.2, 0.9]), _shared([])
    (0.02, 0.0, 0.2, 0.0)
    """
    if len(shifts) != 2:
        return float(np.median(shifts)) if shifts else 0.0
    first, second = sorted(shifts, key=abs)
    return float(first) if first * second > 0 else 0.0


def differences(leader: Standing, row: Standing) -> FloatArray:
    """Score minus the leader's, seed by seed; (common replicates,)."""
    pairs = zip(row.scores, leader.scores, strict=False)
    return np.array([one.value - best.value for one, best in pairs if np.isfinite(best.value)])


def _paired_variance(rows: Sequence[Standing]) -> tuple[float, float]:
    """Variance of one seed's difference from the leader, pooled over the candidates with replicates, and its degrees of freedom."""
    total = freedom = 0.0
    for row in rows[1:]:
        difference = differences(rows[0], row)
        if len(difference) > 1 and np.isfinite(difference).all():
            total += float(((difference - difference.mean()) ** 2).sum())
            freedom += len(difference) - 1
    return (total / freedom if freedom else 0.0), freedom


def _against(leader: Standing, counted: Standing, row: Standing, by: Judge, variance: float, freedom: float) -> Standing:
    """How far `row` is behind, with an error from the pooled between-seed variance and what was supposed before. `counted` is the row with
    the noise that counts. The error is at least the chance of the examples, which no further seed makes smaller."""
    if not np.isfinite(leader.mean) or row is leader:
        return row
    difference = differences(leader, row)
    if len(difference) == 0 or not np.isfinite(difference).all():
        return replace(row, behind=np.inf)
    between = (freedom * variance + PRIOR_WEIGHT * 2 * supposed(leader, counted, by) ** 2) / (freedom + PRIOR_WEIGHT)
    within = 0.0 if freedom else leader.within**2 + counted.within**2
    error = max(float(np.sqrt(between / len(difference) + within)), float(np.hypot(leader.chance, row.chance)))
    return replace(row, behind=row.mean - leader.mean, error=error, freedom=freedom + PRIOR_WEIGHT)


def supposed(leader: Standing, row: Standing, by: Judge) -> float:
    """Between-seed standard deviation of one score, before any replicate has spoken: a share of the noise, or of what the leader's runs
    came down by, so that it is in the unit of what is judged. Forks of one run came down before they began: a share of the loss."""
    if any(curve.continued for curve in leader.candidate.curves):
        least = PRIOR_SHARE * abs(leader.mean)
    else:
        least = PRIOR_DESCENT * max(0.0, _start(leader, by) - leader.mean)
    return max(PRIOR_SEED * max(leader.noise, row.noise), least)


def _start(row: Standing, by: Judge) -> float:
    """Where a candidate's runs begin; its own mean where that is not known."""
    starts = [one.fit[0] for one in (track(curve, by) for curve in row.candidate.curves) if not one.empty]
    return float(np.median(starts)) if starts else row.mean
