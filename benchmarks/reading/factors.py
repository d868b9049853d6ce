"""`python -m benchmarks.reading.factors`: how far max_lr and the range test's limit lie from the best maxima of full trainings.

From what `benchmarks.reading.real` measured; nothing is trained. A factor above 1 is too large. The best is the maximum with the lowest
mean loss; the middle is that of the maxima within one deviation between seeds of it; those that survive end at 1.5 times its loss or less.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MEASURED = Path(__file__).parent / "measured"
LIMIT = re.compile(r"above ([\d.e-]+)")
SURVIVES, GIVEN_UP = 1.5, 0.02  # as benchmarks.reading.real has them: a maximum near the best one


@dataclass(frozen=True)
class Subject:
    """What was answered for one network, and what full trainings say."""

    name: str
    max_lr: float | None
    lr_limit: float | None
    best: float
    middle: float
    survives: float


def subjects(half: str) -> list[Subject]:
    rows = [json.loads(line) for line in (MEASURED / f"range-{half}.jsonl").read_text().splitlines()]
    return [_subject(row["subject"], row["answers"]["hpcheck"], row["reason"], row["truth"]) for row in rows]


def _subject(name: str, max_lr: float | None, reason: str, truth: Mapping[str, Sequence[float]]) -> Subject:
    means = {float(lr): float(np.mean(losses)) for lr, losses in truth.items()}
    deviation = float(np.median([np.std(x, ddof=1) for x in truth.values() if len(x) > 1 and np.isfinite(x).all()]))
    best = min(means, key=lambda lr: means[lr])
    tied = [lr for lr, mean in means.items() if mean <= means[best] + deviation]
    survives = max(lr for lr, mean in means.items() if mean <= SURVIVES * means[best] + GIVEN_UP)
    limit = LIMIT.search(reason)
    return Subject(name, max_lr, float(limit[1]) if limit else None, best, float(np.sqrt(min(tied) * max(tied))), survives)


def main() -> None:
    head = "| half | answer | subjects | median factor to the best | quartiles | to the middle of those tied | beyond what survives |"
    print(f"{head}\n|---|---|---|---|---|---|---|")
    for half in ("development", "test"):
        found = subjects(half)
        for answer in ("max_lr", "lr_limit"):
            told = [(value, one) for one in found if (value := getattr(one, answer)) is not None]
            to_best = [value / one.best for value, one in told]
            low, high = np.quantile(to_best, [0.25, 0.75])
            middle = float(np.median([value / one.middle for value, one in told]))
            beyond = sum(value > one.survives for value, one in told)
            counted = f"{len(told)} of {len(found)}"
            print(f"| {half} | {answer} | {counted} | {np.median(to_best):.2f} | {low:.2f} to {high:.2f} | {middle:.2f} | {beyond} |")


if __name__ == "__main__":
    main()
