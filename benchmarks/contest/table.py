"""The contest's tables, from its records alone: scores on the test split in deviations between seeds, costs, regret and confidence."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from benchmarks.contest.arms import Book, Line, by_validation
from benchmarks.contest.tasks import Params, Task
from hpcheck.steps.train import TUNING_FREE

BOOTSTRAPS = 1000
ABSOLUTE, OF_LOSS = 0.003, 0.03  # an answer is right within the larger of one seed deviation, 0.3 points, 3% of the best loss


@dataclass(frozen=True)
class Scores:
    """Test scores (larger is better) of settings trained anew: their means, and the deviation between seeds, pooled."""

    means: dict[str, float]
    deviation: float


@dataclass(frozen=True)
class Arm:
    """An arm's mean score on a task, and the standard error of that mean."""

    mean: float
    error: float


def key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)


def value(line: Line, what: str) -> float:
    """The test score of a training, larger being better. A training that diverged counts as a constant answer."""
    if line[f"test_{what}"] is None:
        return 0.0 if what == "metric" else -1.0
    return line["test_metric"] if what == "metric" else -line["test_loss"]


def scores(book: Book, what: str) -> Scores:
    anew: dict[str, list[float]] = {}
    for line in book.of("fresh"):
        anew.setdefault(key(line["params"]), []).append(value(line, what))
    spreads = [np.var(found, ddof=1) for found in anew.values() if len(found) > 1]
    return Scores({name: float(np.mean(found)) for name, found in anew.items()}, float(np.sqrt(np.median(spreads))))


def expected_best(pool: Sequence[Line], count: int, worth: Callable[[Line], float]) -> float:
    """The expected score of the best by validation of `count` drawn from the pool without putting back."""
    ranked = sorted(pool, key=by_validation, reverse=True)
    total = comb(len(ranked), count)
    return sum(
        comb(len(ranked) - rank - 1, count - 1) / total * worth(line) for rank, line in enumerate(ranked) if len(ranked) - rank >= count
    )


def random_search(book: Book, anew: Scores, count: int, what: str) -> Arm:
    """The expectation of a random search of `count` full trainings; its error from resampling the pool."""

    def worth(line: Line) -> float:
        return anew.means.get(key(line["params"]), value(line, what))

    pool, random = book.of("random"), np.random.default_rng(0)
    again = [expected_best([pool[at] for at in random.integers(0, len(pool), len(pool))], count, worth) for _ in range(BOOTSTRAPS)]
    return Arm(expected_best(pool, count, worth), float(np.std(again)))


def searches(book: Book, anew: Scores, arm: str, which: str = "params") -> Arm | None:
    found = [anew.means[key(line[which])] for line in book.of(arm) if line["params"] and key(line[which]) in anew.means]
    if not found:
        return None
    error = float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else 0.0
    return Arm(float(np.mean(found)), float(np.hypot(error, anew.deviation / np.sqrt(4 * len(found)))))


def arms_of(book: Book, what: str) -> tuple[dict[str, Arm], float]:
    anew = scores(book, what)
    found: dict[str, Arm | None] = {
        "hpcheck": searches(book, anew, "hpcheck"),
        "its start": searches(book, anew, "hpcheck", "start"),
        "before": searches(book, anew, "before"),
        "random 6": random_search(book, anew, 6, what),
        "random 17": random_search(book, anew, 17, what),
    }
    if book.of("tpe"):
        best = max(book.of("tpe"), key=by_validation)
        if key(best["params"]) in anew.means:
            found["TPE 60"] = Arm(anew.means[key(best["params"])], anew.deviation / 2)
    for name in TUNING_FREE:
        if by_itself := [value(line, what) for line in book.of(name)]:
            found[name] = Arm(float(np.mean(by_itself)), anew.deviation / np.sqrt(len(by_itself)))
    return {name: arm for name, arm in found.items() if arm is not None}, anew.deviation


def of(books: dict[Task, Book]) -> str:
    """Every table of one half, as Markdown."""
    lines: list[str] = []
    for what in ("metric", "loss"):
        lines += [
            "",
            f"Test {what} ({'' if what == 'metric' else 'negated; '}four fresh seeds each), and hpcheck's gain in seed deviations:",
            "",
        ]
        lines += _table(books, what)
    return "\n".join([*lines, "", *costs(books), "", *regrets(books)])


def _table(books: dict[Task, Book], what: str) -> list[str]:
    each = {task: arms_of(book, what) for task, book in books.items()}
    names = list(dict.fromkeys(name for found, _ in each.values() for name in found))
    lines = [f"| task | seed deviation | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]
    gains: dict[str, list[float]] = {}
    for task, (found, deviation) in each.items():
        ours = found["hpcheck"]
        cells = [f"{ours.mean:.4f}"]
        for name in names[1:]:
            if name not in found:
                cells.append("")
                continue
            arm = found[name]
            gain, error = (ours.mean - arm.mean) / deviation, float(np.hypot(ours.error, arm.error)) / deviation
            gains.setdefault(name, []).append(gain)
            cells.append(f"{arm.mean:.4f} ({gain:+.2f} ± {1.96 * error:.2f})")
        lines.append(f"| {task.name} | {deviation:.4f} | {' | '.join(cells)} |")
    means = [f"{np.mean(found):+.2f} ({min(found):+.2f} to {max(found):+.2f})" for found in gains.values()]
    return [*lines, f"| mean gain |  |  | {' | '.join(means)} |"]


def costs(books: dict[Task, Book]) -> list[str]:
    lines = ["| task | iterations of a training | hpcheck, in trainings | verdicts |", "|---|---|---|---|"]
    for task, book in books.items():
        found = book.of("hpcheck")
        each = [line["cost"]["trainings"] for line in found]
        says = ", ".join(f"{word} {sum(line['says'] == word for line in found)}" for word in sorted({str(line["says"]) for line in found}))
        steps = task.full_run({"lr": 1.0, "weight_decay": 0.0}, 0).steps
        lines.append(f"| {task.name} | {steps} | {min(each):.1f} to {max(each):.1f}, mean {np.mean(each):.1f} | {says} |")
    return lines


def regrets(books: dict[Task, Book]) -> list[str]:
    """How often an answer is right, by its confidence: lr and weight decay counted apart, each against the best of the grid's cells whose
    other value is the nearest to the answer's. Of tasks without a grid nothing is known."""
    counts: dict[tuple[str, str], list[bool]] = {}
    for book in (book for book in books.values() if book.of("grid")):
        for line in (line for line in book.of("hpcheck") if line["params"]):
            for setting, confidence in line["confidence"].items():
                counts.setdefault((setting, confidence), []).append(_is_right(book, line, setting))
    lines = ["| setting | confidence | answers | right |", "|---|---|---|---|"] if counts else []
    return lines + [f"| {setting} | {level} | {len(found)} | {np.mean(found):.0%} |" for (setting, level), found in sorted(counts.items())]


def _is_right(book: Book, line: Line, setting: str) -> bool:
    anew, by_loss = scores(book, "metric"), scores(book, "loss")
    other = "weight_decay" if setting == "learning_rate" else "lr"
    cells: dict[str, list[Line]] = {}
    for one in book.of("grid"):
        cells.setdefault(key(one["params"]), []).append(one)
    nearest = min({json.loads(cell)[other] for cell in cells}, key=lambda at: abs(np.log(at / line["params"][other])))
    row = [found for cell, found in cells.items() if json.loads(cell)[other] == nearest]
    best = max(float(np.mean([value(one, "metric") for one in found])) for found in row)
    best_loss = min(float(np.mean([-value(one, "loss") for one in found])) for found in row)
    allowed = max(anew.deviation, ABSOLUTE)
    near_in_loss = -by_loss.means[key(line["params"])] <= best_loss * (1 + OF_LOSS)
    return near_in_loss or anew.means[key(line["params"])] >= best - allowed
