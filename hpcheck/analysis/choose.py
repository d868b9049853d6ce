"""The one decision rule: which candidate is best, which are tied with it, or why nothing can be said (docs/decision-rule.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcheck.analysis.choice import Choice, Confidence, abstain, lowered
from hpcheck.analysis.clue import Clue
from hpcheck.analysis.clues import clues_of
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.distributions import kendall
from hpcheck.analysis.ending import ending, is_falling
from hpcheck.analysis.ranking import SEPARATED, Judge, Standing, standings, supposed
from hpcheck.analysis.readable import sound
from hpcheck.analysis.scores import At, Candidate, track

__all__ = ["Candidate", "Rule", "choose", "needs_replicates", "plateaued", "rank_agreement", "too_short_to_tell"]

PLAUSIBLE = 8.0  # ours: supposed spreads beyond which no between-seed spread could close a difference
HOPELESS = 0.5  # ours: standard errors within a curve below which a replicate would not separate anything
READABLE = 5.0  # ours: noise levels of descent below which a curve cannot be judged by
SEEDS_DISAGREE = "two seeds order the candidates the opposite way"
TOO_SHORT = 0.1  # ours: sum of lr/(1-momentum) times the difference in weight decay below which it has had no time to act


@dataclass(frozen=True)
class Rule:
    """How candidates are judged: by what, where on their curves and over what; what is taken inside a tie ("prefer": the preferred value,
    else the leader; "nearest": the value nearest to the preferred one, by their ratio; "upper-middle": the middle of its values, the
    larger of two); the scale of intervals ("names": the values stand for names, which have no order and so no edge).

    `then` is preferred in a tie that `prefer` is no part of. `examples` is how many validation examples the metric is a share of, where it
    is one.

    `learnt` says that the runs go on from one whose loss has fallen: they are judged by the loss, and need not leave their noise before
    they can be compared.
    """

    judge: Literal["loss", "accuracy", "auto"] = "auto"
    at: At = "end"
    x: Literal["step", "lr"] = "step"
    prefer: float | None = None
    then: float | None = None
    tie: Literal["prefer", "nearest", "upper-middle"] = "prefer"
    scale: Literal["log", "log1m", "linear", "names"] = "log"
    learnt: bool = False
    examples: int | None = None


PLAIN = Rule()


def choose(candidates: Sequence[Candidate], rule: Rule = PLAIN) -> Choice:
    """The best candidate: separated, tied, or an abstention.

    A run that diverged, or is NaN throughout, loses and is kept in `scores` with inf. Abstains without candidates, where all diverged,
    and where no curve ever left its start and none differs from another, unless the rule says that all go on from one that had.

    Args:
        candidates: each a value and the curves of its runs, one for each seed.
        rule: what they are judged by, and what is taken in a tie.

    Returns:
        The choice: its value (None where it abstains), those that cannot be told from it, an interval, the scores with their standard
        errors (as costs, lower being better), and how sure it is.

    Source: docs/decision-rule.md; the clues are those of Smith 2018, 3.
    """
    if not candidates:
        return abstain("there are no candidates to choose from")
    by = _judge(candidates, rule)
    rows = standings(candidates, by, rule.at, rule.x, rule.examples)
    scores = tuple((s.candidate.value, s.mean, s.within) for s in sorted(rows, key=lambda s: s.candidate.value))
    leader = rows[0]
    if not np.isfinite(leader.mean):
        return abstain("every candidate diverged or has no finite values", _clues(leader.candidate), by, scores)
    tied = [s for s in rows if not s.separated()]
    if len(tied) == len(rows) and not (rule.learnt or any_readable(candidates, by)):
        return abstain("no curve leaves its noise and none differs from another", _clues(leader.candidate), by, scores)
    return _answer(rows, tied, by, scores, rule)


def needs_replicates(candidates: Sequence[Candidate], rule: Rule = PLAIN) -> tuple[float, ...]:
    """The leading two values, where a further replicate of each could tell them apart.

    Args:
        candidates: each a value and the curves of its runs, one for each seed.
        rule: what they are judged by.

    Returns:
        Two values in order; none with fewer than two candidates that finished, where the leader is further ahead than any plausible
        between-seed spread, and where the two cannot be told apart even within their noise.
    """
    if len(candidates) < 2:
        return ()
    by = _judge(candidates, rule)
    leader, second = standings(candidates, by, rule.at, rule.x, rule.examples)[:2]
    if not np.isfinite(second.mean):
        return ()
    gap = abs(second.mean - leader.mean)  # a much noisier one may be second with the better mean
    if gap > PLAUSIBLE * supposed(leader, second, by) or gap < HOPELESS * float(np.hypot(leader.within, second.within)):
        return ()
    return tuple(sorted((leader.candidate.value, second.candidate.value)))


def _judge(candidates: Sequence[Candidate], rule: Rule) -> Judge:
    """The loss where all go on from a run whose loss has fallen: that it can be judged by has been seen before they begin."""
    return "loss" if rule.learnt and rule.judge == "auto" else judge_of(candidates, rule.judge)


def judge_of(candidates: Sequence[Candidate], judge: Literal["loss", "accuracy", "auto"]) -> Judge:
    """Loss first; the metric where most losses cannot be read and most metrics can (Smith 2018, 5.2, Fig. 13b)."""
    if judge != "auto":
        return judge
    curves = [curve for one in candidates for curve in one.curves]
    by_loss = np.mean([is_readable(curve, "loss") for curve in curves]) if curves else 0.0
    by_metric = np.mean([is_readable(curve, "accuracy") for curve in curves]) if curves else 0.0
    return "accuracy" if by_loss < 0.5 <= by_metric else "loss"


def any_readable(candidates: Sequence[Candidate], by: Judge) -> bool:
    """Whether the judged quantity goes anywhere in any run of any candidate."""
    return any(is_readable(curve, by) for one in candidates for curve in one.curves)


def is_readable(curve: Curve, by: Judge) -> bool:
    """Whether the judged quantity goes anywhere against its own noise."""
    one = track(curve, by)
    if len(one.x) < 2:
        return False
    return bool(np.ptp(one.fit) > READABLE * one.noise)


def _answer(
    rows: Sequence[Standing],
    tied: Sequence[Standing],
    by: Judge,
    scores: tuple[tuple[float, float, float], ...],
    rule: Rule,
) -> Choice:
    leader = rows[0]
    values = sorted(s.candidate.value for s in rows)
    kept = sorted(s.candidate.value for s in tied)
    value = _taken(tied, rule)
    edge: Literal["low", "high"] | None = None
    if len(values) > 1 and rule.scale != "names":
        edge = "low" if value == values[0] else "high" if value == values[-1] else None
    choice = Choice(
        value=value,
        interval=_interval(values, kept, rule.scale),
        confidence=_confidence(rows, tied),
        status="chosen" if len(kept) == 1 else "tied",
        reason=_reason(leader, value, kept, rows, by),
        tied=tuple(kept) if len(kept) > 1 else (),
        edge=edge,
        clues=_clues(leader.candidate),
        judged_by=by,
        scores=scores,
    )
    return _no_surer_than_its_evidence(choice, rows)


def _no_surer_than_its_evidence(choice: Choice, rows: Sequence[Standing]) -> Choice:
    """The choice with less confidence where what it rests on speaks against it."""
    if choice.status == "chosen" and any(row.changes_places(rows[0]) for row in rows[1:]):
        return lowered(choice, "low", SEEDS_DISAGREE)
    if choice.edge is not None:
        return lowered(choice, "medium")
    return choice


def _taken(tied: Sequence[Standing], rule: Rule) -> float:
    """The value that stands for those that are tied, the leader first among them."""
    kept, leader = sorted(row.candidate.value for row in tied), tied[0].candidate.value
    if rule.tie == "upper-middle":
        return kept[len(kept) // 2]
    if rule.tie == "nearest" and rule.prefer is not None:
        preferred = rule.prefer
        return min(kept, key=lambda one: max(one / preferred, preferred / one))  # of two as near, the smaller
    return next((one for one in (rule.prefer, rule.then) if one is not None and one in kept), leader)


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


def _confidence(rows: Sequence[Standing], tied: Sequence[Standing]) -> Confidence:
    leading = rows[:2]
    if min(len(s.candidate.curves) for s in leading) < 2 or len(rows) < 2:
        return "low"
    if len(tied) > 1:
        return "medium"
    return "high" if rows[1].separated(SEPARATED / 10) else "medium"


def _reason(leader: Standing, value: float, kept: Sequence[float], rows: Sequence[Standing], by: Judge) -> str:
    what = "validation loss" if by == "loss" else "metric"
    if len(rows) == 1:
        return f"{value:g} is the only candidate"
    if len(kept) > 1:
        return f"{', '.join(f'{one:g}' for one in kept)} cannot be told apart by their {what}; {value:g} is taken"
    second = rows[1]
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


def too_short_to_tell(lr: FloatArray, momentum: FloatArray, wd_a: float, wd_b: float) -> bool:
    """Whether two weight decays have had no time to act differently: sum of lr/(1-momentum) * |wd_a - wd_b| < `TOO_SHORT`.

    `lr` and `momentum` are per step, (T,).
    """
    distance = np.sum(np.asarray(lr) / (1 - np.asarray(momentum)))
    return bool(distance * abs(wd_a - wd_b) < TOO_SHORT)


def rank_agreement(short: Sequence[float], final: Sequence[float]) -> float:
    """Kendall's tau-b between two rankings; NaN with fewer than two pairs, or where one of them is constant."""
    return kendall(np.asarray(short), np.asarray(final))[0]
