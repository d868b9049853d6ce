"""`python -m benchmarks.reading.sensitivity`: how many readings of the development half change when one of our constants is scaled."""

import argparse
from types import ModuleType

from benchmarks.reading.families import FAMILIES
from benchmarks.reading.generate import Labelled, curves
from hpcheck.analysis import disagreement, divergence, ending, lr_range, overfitting, ramp, readable, smooth
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.memory import Memory

FACTORS = (0.7, 1.4)
CONSTANTS: list[tuple[ModuleType, str]] = [
    (smooth, "AGREEMENT"),
    (smooth, "RAW_AGREEMENT"),
    (smooth, "SPIKE"),
    (smooth, "END"),
    (readable, "LEFT_START"),
    (readable, "LEARNT"),
    (readable, "IN_ORDER"),
    (readable, "STARTS_APART"),
    (divergence, "SHARP_SPAN"),
    (divergence, "SHARP_RISE"),
    (divergence, "SHARP_SHARE"),
    (divergence, "SHARP_NOISE"),
    (divergence, "ABOVE_SPAN"),
    (overfitting, "RISES"),
    (overfitting, "RISE_NOISE"),
    (overfitting, "GAP_SHARE"),
    (ending, "LAST"),
    (ending, "FALLING"),
    (ending, "MATERIAL"),
    (ending, "TELLING"),
    (ending, "TELLING_KNEE"),
    (ending, "CLOSE"),
    (ending, "FLATTENED"),
    (ramp, "STILL_FAST"),
    (disagreement, "DISAGREES"),
    (lr_range, "TURNED"),
    (lr_range, "WITHIN"),
]


def errors(labelled: list[Labelled], said: list[set[str]]) -> int:
    """Misses and false alarms, near cases apart."""
    wrong = {("yes", False), ("no", True)}
    return sum((truth, kind in found) in wrong for one, found in zip(labelled, said, strict=True) for kind, truth in one.truth.items())


def limits(labelled: list[Labelled]) -> float:
    """Mean factor by which the limit lies outside the true stretch."""
    found = [(lr_range.read_range(one.curve).lr_limit.value, one.limit) for one in labelled if one.limit is not None]
    factors = [max(limit[0] / value, value / limit[1], 1.0) for value, limit in found if value is not None and limit is not None]
    return sum(factors) / len(factors)


def kinds(labelled: list[Labelled]) -> list[set[str]]:
    return [{clue.kind for clue in find_clues(one.curve)} for one in labelled]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--only", nargs="*", help="names of constants")
    given = parser.parse_args()
    labelled = list(curves("development", given.each, FAMILIES, {}, 11))
    before = kinds(labelled)
    print(f"as it is: {errors(labelled, before)} errors on {len(labelled)} curves, limit off by a factor {limits(labelled):.3f}\n")
    print("| constant | value | x0.7: curves read otherwise, errors, limit | x1.4: the same |\n|---|---|---|---|")
    for module, name in CONSTANTS:
        if given.only and name not in given.only:
            continue
        value, cells = getattr(module, name), []
        for factor in FACTORS:
            setattr(module, name, type(value)(round(value * factor)) if isinstance(value, int) else value * factor)
            with Memory():
                after = kinds(labelled)
                changed = sum(a != b for a, b in zip(before, after, strict=True))
                cells.append(f"{changed}, {errors(labelled, after)}, {limits(labelled):.3f}")
        setattr(module, name, value)
        print(f"| {name} | {value:g} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
