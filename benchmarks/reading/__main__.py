"""`python -m benchmarks.reading`: precision and recall of every clue, and the chosen lr beside the peers'."""

import argparse
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.reading.choosing import choosing_table
from benchmarks.reading.families import FAMILIES, MULTIPLES
from benchmarks.reading.generate import Half, Labelled, curves, true_ending
from benchmarks.reading.peers import RULES, answer
from benchmarks.reading.schedules import SCHEDULES
from hpcheck.analysis.clue import PLATEAU
from hpcheck.analysis.clues import KINDS, find_clues
from hpcheck.analysis.lr_range import read_range

Counts = dict[str, Counter[str]]


def count(labelled: Sequence[Labelled], verbose: bool = False) -> tuple[Counts, Counter[tuple[str, str, str]]]:
    """Hits, misses and false alarms by kind; "near" cases apart; and which family each error comes from."""
    found: Counts = {kind: Counter() for kind in KINDS}
    errors: Counter[tuple[str, str, str]] = Counter()
    for one in labelled:
        kinds = {clue.kind for clue in find_clues(one.curve)}
        for kind in KINDS:
            truth = one.truth.get(kind, "near")
            outcome = f"{truth}:{'said' if kind in kinds else 'not'}"
            found[kind][outcome] += 1
            if outcome in ("yes:not", "no:said"):
                errors[kind, outcome, one.family] += 1
    return found, errors


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95% interval of a share; (0, 1) of nothing."""
    if total == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / total
    centre, half = share + z * z / (2 * total), z * np.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    scale = 1 + z * z / total
    return float((centre - half) / scale), float((centre + half) / scale)


def clue_table(found: Counts) -> list[str]:
    lines = ["| clue | positives | negatives | precision | recall | near: said of cases |", "|---|---|---|---|---|---|"]
    for kind, outcome in found.items():
        hit, missed, false, right = (outcome[key] for key in ("yes:said", "yes:not", "no:said", "no:not"))
        precision = hit / (hit + false) if hit + false else float("nan")
        recall = hit / (hit + missed) if hit + missed else float("nan")
        near = f"{outcome['near:said']} of {outcome['near:said'] + outcome['near:not']}"
        low_p, low_r = wilson(hit, hit + false)[0], wilson(hit, hit + missed)[0]
        lines.append(
            f"| {kind} | {hit + missed} | {false + right} | {precision:.3f} (>= {low_p:.3f}) | {recall:.3f} (>= {low_r:.3f}) | {near} |"
        )
    return lines


def plateau_line(labelled: Sequence[Labelled]) -> str:
    """How many plateaus are said where the noise-free curve still falls over the stretch that was said, and on how many such curves."""
    false = said = falling = 0
    for one in labelled:
        ends = [true_ending(one.draft, share=share) for share in (0.3, 0.15)]
        if one.draft.diverges is not None or one.truth["no-signal"] != "no":
            continue
        falls = all(end is not None and not end.is_flat for end in ends)
        falling += falls
        for clue in find_clues(one.curve):
            if clue.kind == PLATEAU:
                at = true_ending(one.draft, int(np.searchsorted(one.curve.step, clue.from_step)), share=1.0)
                said += falls
                false += at is not None and not at.is_flat
    return f"plateaus said of {falling} curves that still fall: {said}; of all plateaus said, those whose stretch still falls: {false}"


def limit_table(labelled: Sequence[Labelled]) -> list[str]:
    """How far the answers lie from the stretch in which the noise-free curve turns, hpcheck's beside the peers'."""
    ramps = [one for one in labelled if one.limit is not None]
    unreadable = [one for one in labelled if one.truth.get("no-signal") == "yes"]
    head = "| rule | answers of readable | within factor 1.25 | within 2 | beyond 4 | answers of unreadable |"
    lines = [head, "|---|---|---|---|---|---|"]
    ours = [(read_range(one.curve).lr_limit.value, one) for one in ramps]
    refused = sum(read_range(one.curve).lr_limit.value is None for one in unreadable)
    lines.append(_limit_row("hpcheck lr_limit", ours, f"{len(unreadable) - refused} of {len(unreadable)}"))
    for name in RULES:
        theirs = [(answer(name, one.curve.lr, one.curve.val_loss), one) for one in ramps]
        said = sum(answer(name, one.curve.lr, one.curve.val_loss) is not None for one in unreadable)
        lines.append(_limit_row(name, theirs, f"{said} of {len(unreadable)}"))
    return lines


def _limit_row(name: str, answers: Sequence[tuple[float | None, Labelled]], unreadable: str) -> str:
    factors = np.array([_factor(value, one.limit) for value, one in answers if value is not None and one.limit is not None])
    shares = [float(np.mean(factors <= 1.25)), float(np.mean(factors <= 2)), float(np.mean(factors > 4))] if len(factors) else [np.nan] * 3
    return f"| {name} | {len(factors)} of {len(answers)} | " + " | ".join(f"{share:.3f}" for share in shares) + f" | {unreadable} |"


def _factor(value: float, limit: tuple[float, float]) -> float:
    """How many times too small or too large; 1 inside."""
    return max(limit[0] / value, value / limit[1], 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=["development", "test"], default="test")
    parser.add_argument("--each", type=int, default=60, help="curves a family")
    parser.add_argument("--contests", type=int, default=60, help="sets of candidates a gap; 0 for none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--errors", action="store_true", help="which families the errors come from")
    given = parser.parse_args()
    half: Half = given.half
    began = time.perf_counter()
    labelled = list(curves(half, given.each, FAMILIES | SCHEDULES, MULTIPLES, given.seed))
    found, errors = count(labelled)
    print(f"{len(labelled)} curves, {half} half, seed {given.seed}, {time.perf_counter() - began:.0f} s\n")
    print("\n".join([*clue_table(found), "", plateau_line(labelled), "", *limit_table(labelled)]))
    if given.contests:
        print("\n".join(["", *choosing_table(half, given.contests, given.seed)]))
    if given.errors:
        for (kind, outcome, family), number in sorted(errors.items()):
            print(f"{kind:24} {outcome:8} {family:24} {number}")


if __name__ == "__main__":
    main()
