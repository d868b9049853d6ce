"""Clues in real curves against what happens when training goes on: `python -m benchmarks.reading.interventions CURVES.jsonl...`

The curves come from `real_curves`: three seeds of every setting, trained half as long again as the reader sees, at the lr that the seen
part ended with. The reader is shown the seen part of the first seed. Truth is what all three seeds do afterwards:

- underfitting: the loss goes on falling by a material amount; plateau: it does not move by one;
- overfitting: the loss stays above its best while training loss is below what it was there, or training loss goes on falling alone;
- divergence: the seen part ended far above its best, training loss too, and going on at that lr does not bring it back;
- loss and accuracy disagree: the loss stays above its best and accuracy stays above what it was there;
- no signal: the loss is where it began, before and after.

"near" is where the seeds do not agree, the amount is in between, or going on at an lr of next to nothing proves nothing; counted apart.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reading.__main__ import wilson
from benchmarks.reading.generate import Truth
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve, FloatArray

MATERIAL, STILL = 0.03, 0.01  # of the descent, and MATERIAL_LEVEL of the loss: a change that matters, and one that does not
MATERIAL_LEVEL = 0.02
VOID = 0.02  # share of the largest lr below which going on moves nothing whatever the curve shows
LOST = 0.4  # share of the descent by which a run that diverged ends above its best
KINDS = ("underfitting", "overfitting", "divergence", "plateau", "loss-accuracy-disagree", "no-signal")


@dataclass(frozen=True)
class Followed:
    """One seed's levels: at the start, the best of the seen part, at its end, and after going on; (loss, metric, training loss) each."""

    start: FloatArray
    best: FloatArray
    end: FloatArray
    after: FloatArray
    hump: float  # the largest rise above the best so far, undone or not
    broke: bool  # NaN, or stopped by the engine, in the seen part


def curve_of(run: Mapping[str, Any], until: float) -> Curve:
    """The evaluations up to step `until`."""
    kept = np.flatnonzero(np.array(run["step"]) <= until)
    columns = {name: np.array(run[name], dtype=float)[kept] for name in ("step", "lr", "val_loss", "metric", "train_loss")}
    stopped = bool(run["diverged"]) and len(kept) == len(run["step"])
    metric = columns.pop("metric")
    return Curve(**columns, accuracy=metric, diverged=stopped)


def followed(run: Mapping[str, Any], seen: float) -> Followed:
    """Means of three evaluations, since one is noisy; the best by the mean of three neighbours."""
    step = np.array(run["step"])
    rows = np.array([run["val_loss"], run["metric"], run["train_loss"]], dtype=float).T  # (E, 3)
    until = int((step <= seen).sum())
    inside, later = rows[:until], rows[until:]
    means = np.array([inside[max(0, i - 1) : i + 2].mean(axis=0) for i in range(1, len(inside))]) if len(inside) > 1 else inside
    finite = np.isfinite(means[:, 0])
    best = means[np.nanargmin(np.where(finite, means[:, 0], np.inf))] if finite.any() else inside[0]
    hump = float(np.max(means[finite, 0] - np.minimum.accumulate(means[finite, 0]))) if finite.any() else 0.0
    after = later[-3:].mean(axis=0) if len(later) else np.full(3, np.nan)
    broke = not np.isfinite(inside[-1, 0]) or (bool(run["diverged"]) and until == len(step))
    return Followed(inside[0], best, inside[-3:].mean(axis=0), after, hump, broke)


def agreed(yes: Sequence[bool], no: Sequence[bool]) -> Truth:
    return "yes" if all(yes) else "no" if all(no) else "near"


def truths(one: Mapping[str, Any]) -> dict[str, Truth]:
    """What the three seeds say of each kind of clue."""
    runs = [followed(run, one["seen"]) for run in one["runs"]]
    descent = [max(run.start[0] - run.best[0], 1e-9) for run in runs]
    matters = [max(STILL * d, min(MATERIAL * d, MATERIAL_LEVEL * run.best[0])) for d, run in zip(descent, runs, strict=True)]
    lost = [run.broke or _fell_back(run, run.end, d) for d, run in zip(descent, runs, strict=True)]
    stays = [run.broke or not np.isfinite(run.after[0]) or _fell_back(run, run.after, d) for d, run in zip(descent, runs, strict=True)]
    learnt = [run.start[0] - run.best[0] > 0.05 * abs(run.start[0]) for run in runs]
    found: dict[str, Truth] = {"divergence": _diverged(lost, stays, learnt)}
    still = [abs(run.end[0] - run.start[0]) < 0.01 * abs(run.start[0]) for run in runs]
    dead = [abs(run.after[0] - run.start[0]) < 0.01 * abs(run.start[0]) for run in runs]
    found["no-signal"] = agreed([a and b for a, b in zip(still, dead, strict=True)], learnt)
    if found["divergence"] != "no" or found["no-signal"] != "no":
        return found | dict.fromkeys((kind for kind in KINDS if kind not in found), "near")
    fell = [run.end[0] - run.after[0] for run in runs]
    found["underfitting"] = agreed(
        [f > m for f, m in zip(fell, matters, strict=True)], [f < m / 2 for f, m in zip(fell, matters, strict=True)]
    )
    small = [abs(f) <= m / 2 for f, m in zip(fell, matters, strict=True)]
    void = one["last_lr"] < VOID * max(one["runs"][0]["lr"])
    found["plateau"] = (
        "near" if void else "yes" if all(small) else "no" if all(abs(f) > m for f, m in zip(fell, matters, strict=True)) else "near"
    )
    found["overfitting"] = _overfits(runs, matters)
    up = [min(run.end[0], run.after[0]) - run.best[0] > m for run, m in zip(runs, matters, strict=True)]
    better = [min(run.end[1], run.after[1]) > run.best[1] + 0.005 for run in runs]
    found["loss-accuracy-disagree"] = agreed([a and b for a, b in zip(up, better, strict=True)], [not a for a in up])
    return found


def _fell_back(run: Followed, level: FloatArray, descent: float) -> bool:
    """Far above its best, and training loss above what it was there: a rise of the validation loss alone is overfitting."""
    return bool(level[0] - run.best[0] > LOST * descent and not level[2] < run.best[2])


def _diverged(lost: Sequence[bool], stays: Sequence[bool], learnt: Sequence[bool]) -> Truth:
    """The first seed's own run is the one that is read: what it lost must stay lost."""
    if lost[0] and stays[0]:
        return "yes" if learnt[0] else "near"
    return "no" if not lost[0] and learnt[0] else "near"


def _overfits(runs: Sequence[Followed], matters: Sequence[float]) -> Truth:
    """A validation loss that stays up while training loss is lower than at the best, or a gap that goes on opening."""
    gradual, none = [], []
    for run, amount in zip(runs, matters, strict=True):
        rise, later = run.end[0] - run.best[0], run.after[0] - run.best[0]
        fits = run.end[2] < run.best[2]
        opened = (run.end[0] - run.end[2]) - (run.best[0] - run.best[2])
        gap = opened > 0.1 * run.end[0] and run.after[0] >= run.end[0] - amount / 2 and run.after[2] < run.end[2]
        gradual.append((fits and rise > amount and later > amount) or gap)
        none.append(rise < amount / 2 and opened < 0.05 * run.end[0] and run.hump < amount)
    return agreed(gradual, none)


def counted(curves: Sequence[Mapping[str, Any]], verbose: bool = False) -> dict[str, Counter[str]]:
    """By kind: yes:said, yes:not, no:said, no:not and the near ones, over the first seed's seen part of each setting."""
    outcome: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    for one in curves:
        truth = truths(one)
        found = find_clues(curve_of(one["runs"][0], one["seen"]))
        said = {clue.kind for clue in found if clue.form != "too-few-points"}  # "I cannot read this" is no claim that nothing was learnt
        for kind in KINDS:
            result = f"{truth.get(kind, 'near')}:{'said' if kind in said else 'not'}"
            outcome[kind][result] += 1
            if verbose and result in ("yes:not", "no:said"):
                print(f"{kind:24} {result:8} {one['name']}")
    return outcome


def table(outcome: Mapping[str, Counter[str]]) -> list[str]:
    """Counts, and Wilson's 95% intervals of precision and recall."""
    lines = ["| clue | positives | negatives | near | precision | recall |", "|---|---|---|---|---|---|"]
    for kind, found in outcome.items():
        hit, missed, false, right = (found[key] for key in ("yes:said", "yes:not", "no:said", "no:not"))
        shares = []
        for total in (hit + false, hit + missed):
            low, high = wilson(hit, total)
            shares.append(f"{hit} of {total} ({low:.2f}-{high:.2f})" if total else "none")
        lines.append(
            f"| {kind} | {hit + missed} | {false + right} | {found['near:said'] + found['near:not']} | {shares[0]} | {shares[1]} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", type=Path, nargs="+")
    parser.add_argument("--errors", action="store_true", help="name the settings that are read wrongly")
    given = parser.parse_args()
    curves = [json.loads(line) for path in given.curves for line in path.read_text().splitlines()]
    for half in sorted({one["half"] for one in curves}):
        mine = [one for one in curves if one["half"] == half]
        print(f"{half}: {len(mine)} settings, " + ", ".join(f"{n} {p}" for p, n in Counter(one["pair"] for one in mine).items()) + "\n")
        print("\n".join(table(counted(mine, given.errors))) + "\n")


if __name__ == "__main__":
    main()
