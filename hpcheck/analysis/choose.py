"""The one decision rule: which candidate is best, which are tied with it, or why nothing can be said (docs/decision-rule.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import kendalltau
from scipy.stats import t as student

from hpcheck.analysis.choice import Choice, Confidence, abstain
from hpcheck.analysis.clue import Clue
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.scores import At, Candidate, Score, Track, score_tracks, track
from hpcheck.analysis.sound import sound
from hpcheck.analysis.trend import ending, is_falling

__all__ = ["Candidate", "choose", "needs_replicates", "plateaued", "rank_agreement", "too_short_to_tell"]

SEPARATED = 0.05  # ours: one-sided probability under which a difference counts; a tenth of it for high confidence
PRIOR_SEED = 0.5  # ours: between-seed spread supposed before replicates speak, in noise levels of one raw value
PRIOR_LOSS = 0.01  # ours: ... and at least this share of the score itself
PRIOR_WEIGHT = 4.0  # ours: degrees of freedom that the supposed spread counts for
PLAUSIBLE = 8.0  # ours: supposed spreads beyond which no between-seed spread could close a difference
HOPELESS = 0.5  # ours: standard errors within a curve below which a replicate would not separate anything
READABLE = 5.0  # ours: noise levels of descent below which a curve cannot be judged by
TOO_SHORT = 0.1  # DESIGN 3: sum of lr/(1-momentum) times the difference in weight decay below which it has had no time to act

Judge = Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Standing:
    """A candidate against the leader: its mean score, and how far behind with what error and degrees of freedom."""

    candidate: Candidate
    scores: tuple[Score, ...]
    behind: float = 0.0
    error: float = 0.0
    freedom: float = np.inf

    @property
    def mean(self) -> float:
        return float(np.mean([score.value for score in self.scores])) if self.scores else np.inf

    @property
    def noise(self) -> float:
        return float(np.mean([score.noise for score in self.scores])) if self.scores else 0.0

    @property
    def within(self) -> float:
        """Within-curve standard error of the mean score."""
        return float(np.sqrt(np.sum([s.error**2 for s in self.scores])) / len(self.scores)) if self.scores else 0.0


def choose(
    candidates: Sequence[Candidate],
    *,
    judge: Literal["loss", "accuracy", "auto"] = "auto",
    at: At = "end",
    x: Literal["step", "lr"] = "step",
    prefer: float | None = None,
    tie: Literal["prefer", "largest", "smallest"] = "prefer",
    scale: Literal["log", "log1m", "linear"] = "log",
) -> Choice:
    """The best candidate: separated, tied, or an abstention.

    A run that diverged, or is NaN throughout, loses and is kept in `scores` with inf. Abstains without candidates, where all diverged,
    and where no curve ever left its start and none differs from another.
    """
    if not candidates:
        return abstain("there are no candidates to choose from")
    by = _judge(candidates, judge)
    standings = _standings(candidates, by, at, x)
    scores = tuple((s.candidate.value, s.mean, s.within) for s in sorted(standings, key=lambda s: s.candidate.value))
    leader = standings[0]
    if not np.isfinite(leader.mean):
        return abstain("every candidate diverged or has no finite values", _clues(leader.candidate), by, scores)
    tied = [s for s in standings if not _separated(s)]
    if len(tied) == len(standings) and not any(_readable(c, by) for one in candidates for c in one.curves):
        return abstain("no curve leaves its noise and none differs from another", _clues(leader.candidate), by, scores)
    return _answer(standings, tied, by, scores, prefer, tie, scale)


def needs_replicates(
    candidates: Sequence[Candidate],
    *,
    judge: Literal["loss", "accuracy", "auto"] = "auto",
    at: At = "end",
    x: Literal["step", "lr"] = "step",
    prefer: float | None = None,
    tie: Literal["prefer", "largest", "smallest"] = "prefer",
    scale: Literal["log", "log1m", "linear"] = "log",
) -> tuple[float, ...]:
    """The leading two values where a further replicate of each could tell them apart.

    Empty with fewer than two candidates that finished, where the leader is further ahead than any plausible between-seed spread, and
    where the two cannot be told apart even within their noise.
    """
    if len(candidates) < 2:
        return ()
    standings = _standings(candidates, _judge(candidates, judge), at, x)
    leader, second = standings[0], standings[1]
    if not np.isfinite(second.mean):
        return ()
    gap = second.mean - leader.mean
    if gap > PLAUSIBLE * _supposed(leader, second) or gap < HOPELESS * float(np.hypot(leader.within, second.within)):
        return ()
    return tuple(sorted((leader.candidate.value, second.candidate.value)))


def _judge(candidates: Sequence[Candidate], judge: Literal["loss", "accuracy", "auto"]) -> Judge:
    """Loss first; the metric where most losses cannot be read and most metrics can (Smith 2018, 5.2, Fig. 13b)."""
    if judge != "auto":
        return judge
    curves = [curve for one in candidates for curve in one.curves]
    by_loss = np.mean([_readable(curve, "loss") for curve in curves]) if curves else 0.0
    by_metric = np.mean([_readable(curve, "accuracy") for curve in curves]) if curves else 0.0
    return "accuracy" if by_loss < 0.5 <= by_metric else "loss"


def _readable(curve: Curve, by: Judge) -> bool:
    """Whether the judged quantity goes anywhere against its own noise."""
    one = track(curve, by)
    if len(one.x) < 2:
        return False
    return bool(np.ptp(one.fit) > READABLE * one.noise)


def _standings(candidates: Sequence[Candidate], by: Judge, at: At, x: Literal["step", "lr"]) -> list[Standing]:
    """Candidates from best to worst, each against the best."""
    scored = _scored(candidates, by, at, x)
    ordered = sorted(scored, key=lambda s: (s.mean, s.candidate.value))
    pooled = _seed_variance(ordered)
    return [_against(ordered[0], one, *pooled) for one in ordered]


def _scored(candidates: Sequence[Candidate], by: Judge, at: At, x: Literal["step", "lr"]) -> list[Standing]:
    """Scores replicate by replicate, since each compares runs of the same seed."""
    tracks = [[track(curve, by, x) for curve in one.curves] for one in candidates]
    most = max((len(row) for row in tracks), default=0)
    found: list[list[Score]] = [[] for _ in candidates]
    for number in range(most):
        have = [row for row in range(len(tracks)) if len(tracks[row]) > number]
        beside = [row for row in range(len(tracks)) if len(tracks[row]) <= number and tracks[row]]
        group: list[Track] = [tracks[row][number] for row in have] + [tracks[row][0] for row in beside]
        for row, score in zip(have, score_tracks(group, at), strict=False):
            found[row].append(score)
    return [Standing(one, tuple(scores)) for one, scores in zip(candidates, found, strict=True)]


def _seed_variance(ordered: Sequence[Standing]) -> tuple[float, float]:
    """Variance of one run's score between seeds, pooled over the candidates with replicates, and its degrees of freedom."""
    total = freedom = 0.0
    for one in ordered:
        values = np.array([score.value for score in one.scores])
        if len(values) > 1 and np.isfinite(values).all():
            total += float(((values - values.mean()) ** 2).sum())
            freedom += len(values) - 1
    return (total / freedom if freedom else 0.0), freedom


def _against(leader: Standing, one: Standing, variance: float, freedom: float) -> Standing:
    """How far `one` is behind, with an error from the pooled between-seed variance and what was supposed before."""
    supposed = _supposed(leader, one) ** 2
    seed = (freedom * variance + PRIOR_WEIGHT * supposed) / (freedom + PRIOR_WEIGHT)
    per_run = 1 / max(1, len(leader.scores)) + 1 / max(1, len(one.scores))
    within = 0.0 if freedom else leader.within**2 + one.within**2
    error = float(np.sqrt(seed * per_run + within))
    behind = one.mean - leader.mean if np.isfinite(leader.mean) else 0.0
    return Standing(one.candidate, one.scores, behind, error, freedom + PRIOR_WEIGHT)


def _supposed(a: Standing, b: Standing) -> float:
    """Between-seed standard deviation of one score, before any replicate."""
    return max(PRIOR_SEED * max(a.noise, b.noise), PRIOR_LOSS * abs(a.mean) if np.isfinite(a.mean) else 0.0)


def _separated(one: Standing, level: float = SEPARATED) -> bool:
    if one.behind <= 0:
        return False
    if not np.isfinite(one.behind) or one.error == 0:
        return True
    return bool(student.sf(one.behind / one.error, one.freedom) < level)


def _answer(
    standings: Sequence[Standing],
    tied: Sequence[Standing],
    by: Judge,
    scores: tuple[tuple[float, float, float], ...],
    prefer: float | None,
    tie: str,
    scale: str,
) -> Choice:
    leader = standings[0]
    values = sorted(s.candidate.value for s in standings)
    kept = sorted(s.candidate.value for s in tied)
    value = leader.candidate.value if len(kept) == 1 else _inside_tie(kept, leader.candidate.value, prefer, tie)
    edge: Literal["low", "high"] | None = None
    if len(values) > 1:
        edge = "low" if value == values[0] else "high" if value == values[-1] else None
    return Choice(
        value=value,
        interval=_interval(values, kept, scale),
        confidence=_confidence(standings, tied),
        status="chosen" if len(kept) == 1 else "tied",
        reason=_reason(leader, value, kept, standings, by),
        tied=tuple(kept) if len(kept) > 1 else (),
        edge=edge,
        clues=_clues(leader.candidate),
        judged_by=by,
        scores=scores,
    )


def _inside_tie(kept: Sequence[float], leader: float, prefer: float | None, tie: str) -> float:
    if tie == "largest":
        return kept[-1]
    if tie == "smallest":
        return kept[0]
    return prefer if prefer is not None and prefer in kept else leader


def _interval(values: Sequence[float], kept: Sequence[float], scale: str) -> tuple[float, float]:
    """Half-way, on `scale`, from the outermost kept values to their neighbours among those tried."""
    first, last = values.index(kept[0]), values.index(kept[-1])
    low = values[first] if first == 0 else half_way(values[first - 1], values[first], scale)
    high = values[last] if last == len(values) - 1 else half_way(values[last], values[last + 1], scale)
    return low, high


def half_way(low: float, high: float, scale: str) -> float:
    """The middle of two values: of their exponents ("log"), of the exponents of 1 - value ("log1m"), or of themselves ("linear").

    "log" with a value at or below 0, and "log1m" with one at or above 1, fall back to the mean.
    """
    if scale == "log" and low > 0:
        return float(np.sqrt(low) * np.sqrt(high))
    if scale == "log1m" and high < 1:
        return float(1 - np.sqrt(1 - low) * np.sqrt(1 - high))
    return (low + high) / 2


def _confidence(standings: Sequence[Standing], tied: Sequence[Standing]) -> Confidence:
    leading = standings[:2]
    if min(len(s.candidate.curves) for s in leading) < 2 or len(standings) < 2:
        return "low"
    if len(tied) > 1:
        return "medium"
    return "high" if _separated(standings[1], SEPARATED / 10) else "medium"


def _reason(leader: Standing, value: float, kept: Sequence[float], standings: Sequence[Standing], by: Judge) -> str:
    what = "validation loss" if by == "loss" else "metric"
    if len(standings) == 1:
        return f"{value:g} is the only candidate"
    if len(kept) > 1:
        return f"{', '.join(f'{one:g}' for one in kept)} cannot be told apart by their {what}; {value:g} is taken"
    second = standings[1]
    if not np.isfinite(second.mean):
        return f"{value:g} is the only candidate that did not diverge"
    return f"{value:g} has the best {what}, {second.behind / second.error if second.error else np.inf:.1f} standard errors ahead"


def _clues(candidate: Candidate) -> tuple[Clue, ...]:
    return clues_of(sound(candidate.curves[0])) if candidate.curves else ()


def plateaued(curve: Curve) -> bool:
    """Whether the validation loss has stopped falling (Smith 2018, 4.4, Fig. 12, and Remark 2).

    False with fewer than eight finite evaluations, and for a curve that diverged or has not begun to learn.
    """
    read = sound(curve)
    end = ending(read)
    return end is not None and read.learnt and read.divergence is None and not is_falling(read, end)


def too_short_to_tell(lr: FloatArray, momentum: FloatArray, wd_a: float, wd_b: float, decay_multiplier: float = 1.0) -> bool:
    """Whether two weight decays have had no time to act differently: sum of lr/(1-momentum) * |wd_a - wd_b| < 0.1 (DESIGN 3).

    `lr` and `momentum` are per step, (T,).
    """
    distance = np.sum(np.asarray(lr) / (1 - np.asarray(momentum)))
    return bool(distance * abs(wd_a - wd_b) * decay_multiplier < TOO_SHORT)


def rank_agreement(short: Sequence[float], final: Sequence[float]) -> float:
    """Kendall's tau-b between two rankings; NaN with fewer than two pairs, or where one of them is constant."""
    if len(short) < 2:
        return float("nan")
    return float(kendalltau(short, final).statistic)
