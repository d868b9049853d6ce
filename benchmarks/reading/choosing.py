"""Sets of candidates with known truth: how often the decision rule separates what differs and keeps what does not as a tie.

Each seed moves all candidates together by one amount and each alone by another; the rule sees first one run each, then a second
of those it asks for. Truth is each candidate's mean over seeds; gaps are in units of what a seed does to one candidate.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.reading.generate import Half
from benchmarks.reading.shapes import DESCENTS, NOISES
from hpcheck.analysis.choose import choose, needs_replicates
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.scores import Candidate

GAPS = (0.0, 1.0, 3.0, 6.0, 12.0)  # how far the second best is behind, in seed deviations
EVALUATIONS = (10, 60)


@dataclass(frozen=True)
class Contest:
    """Final losses (K,) of the candidates, the deviation that a seed causes to each alone and to all, and the noise of a raw value."""

    finals: tuple[float, ...]
    alone: float
    together: float
    noise: float
    start: float
    count: int
    half: Half
    seed: int

    def curve(self, candidate: int, replicate: int) -> Curve:
        """One run; the same for the same candidate and replicate."""
        shared = np.random.default_rng([self.seed, 1, replicate]).normal(0, self.together)
        rng = np.random.default_rng([self.seed, 2, replicate, candidate])
        u = np.linspace(1 / self.count, 1, self.count)
        shapes, noises = DESCENTS[self.half], NOISES[self.half]
        final = self.finals[candidate] + shared + rng.normal(0, self.alone)
        mean = final + (self.start - final) * shapes[self.seed % len(shapes)](u, 0.15)
        mean += (final - mean[-1]) * u  # every shape ends at its final loss
        noise = noises[self.seed % len(noises)](rng, u) * self.noise
        return Curve(step=u * 1000, lr=0.1 * u, val_loss=mean + noise)


def contests(half: Half, each: int, first: int = 0) -> Iterator[tuple[float, Contest]]:
    """`each` contests at every gap."""
    for gap in GAPS:
        for index in range(each):
            seed = int(10_000 * gap + index + (0 if half == "development" else 5_000) + 1_000_000 * first)
            rng = np.random.default_rng([seed, 0])
            start = rng.uniform(1, 5)
            level = start * rng.uniform(0.1, 0.6)
            alone = level * float(np.exp(rng.uniform(np.log(0.003), np.log(0.03))))
            others = rng.uniform(1.0, 2.0, rng.integers(1, 4)) * gap
            finals = level + alone * np.array([0.0, gap, *(others if gap else others * 0)])
            noise = alone * float(np.exp(rng.uniform(np.log(0.3), np.log(3))))
            count = int(rng.integers(*EVALUATIONS))
            yield gap, Contest(tuple(rng.permutation(finals)), alone, alone * rng.uniform(0, 2), noise, start, count, half, seed)


def decide(contest: Contest) -> tuple[str, bool, int]:
    """What the rule says, as the steps use it: (status, whether the best is the value or in the tie, runs made)."""
    runs = {index: [contest.curve(index, 0)] for index in range(len(contest.finals))}

    def candidates() -> list[Candidate]:
        return [Candidate(10.0 ** -(1 + index), tuple(curves)) for index, curves in runs.items()]

    for value in needs_replicates(candidates()):
        runs[round(-np.log10(value)) - 1].append(contest.curve(round(-np.log10(value)) - 1, 1))
    choice = choose(candidates())
    lowest = min(contest.finals)
    best = {10.0 ** -(1 + index) for index, final in enumerate(contest.finals) if final <= lowest + 1e-12}
    kept = set(choice.tied) if choice.status == "tied" else {choice.value}
    return choice.status, bool(best & kept), sum(map(len, runs.values()))


def choosing_table(half: Half, each: int, first: int = 0) -> list[str]:
    """By gap: how often the rule chooses, ties or abstains, how often a choice is wrong, how often the best is kept, and its runs."""
    head = "| gap (seed sd) | contests | chosen | tied | abstained | chosen wrongly, of all | best kept | runs a contest |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    found: dict[float, list[tuple[str, bool, int]]] = {gap: [] for gap in GAPS}
    for gap, contest in contests(half, each, first):
        found[gap].append(decide(contest))
    for gap, rows in found.items():
        status = Counter(row[0] for row in rows)
        share = {name: status[name] / len(rows) for name in ("chosen", "tied", "abstained")}
        wrong = np.mean([row[0] == "chosen" and (gap == 0 or not row[1]) for row in rows])
        kept, runs = np.mean([row[1] for row in rows]), np.mean([row[2] for row in rows])
        lines.append(
            f"| {gap:g} | {len(rows)} | "
            + " | ".join(f"{one:.2f}" for one in share.values())
            + f" | {wrong:.3f} | {kept:.3f} | {runs:.1f} |"
        )
    return lines


if __name__ == "__main__":
    print("\n".join(choosing_table("development", 100)))
