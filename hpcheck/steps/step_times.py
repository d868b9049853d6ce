"""Step times as plans use them: the quickest sample of each batch size, and ratios of them on a coarse grid, so that the same config on the
same kind of machine asks for the same runs (docs/decisions/021-threads-and-timing.md)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.runs.step_samples import AGREE, disagreement

# Ours: ratios of step times are rounded to powers of the root of 2: twice the batch takes as long, 1.4 times as long, or twice as long.
# Six measurements of the quickstart's network, on a machine with four times as many programs as cores, agreed on this grid; on a grid of
# half the width four of them differed. It costs at most a fifth of "equal time". A tie keeps the user's batch size whatever it says.
GRID = 2
NEAR = 0.1  # ours: a ratio within a tenth of a grid step of the border between two values may come out as the other one elsewhere


def fastest(sizes: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """Seconds of an update at each size: the fastest round of it, or of a larger one. What else the machine does only ever adds time.

    >>> fastest([{"size": 32, "samples": [0.009, 0.008]}, {"size": 64, "samples": [0.004]}])
    {32: 0.004, 64: 0.004}
    """
    rounds = {entry["size"]: min(entry["samples"]) for entry in sizes}
    return {size: min(seconds for other, seconds in rounds.items() if other >= size) for size in rounds}


def coarse(seconds: Mapping[int, float], reference: int) -> dict[int, float]:
    """The same seconds with their ratios to the reference's on the grid.

    >>> {size: round(time, 2) for size, time in coarse({16: 0.93, 32: 1.0, 64: 1.1, 128: 1.3, 256: 2.2}, 32).items()}
    {16: 1.0, 32: 1.0, 64: 1.0, 128: 1.41, 256: 2.0}
    """
    base = seconds[reference]
    return {size: base * 2 ** (round(_exponent(one, base)) / GRID) for size, one in seconds.items()}


def _exponent(seconds: float, base: float) -> float:
    return GRID * math.log2(seconds / base)


def doubts(sizes: Sequence[Mapping[str, Any]], seconds: Mapping[int, float], reference: int) -> tuple[str, ...]:
    """In words, why another measurement may ask for other runs: samples that do not agree, and ratios between two values of the grid."""
    unsteady = [str(entry["size"]) for entry in sizes if entry["size"] in seconds and disagreement(entry["samples"]) > AGREE]
    found = []
    if unsteady:
        found.append(
            f"the machine was busy while steps were timed: two halves of the samples do not agree at batch {', '.join(unsteady)}. "
            "`hpcheck batch --measure-again` times them once more"
        )
    between = [size for size, one in seconds.items() if abs(_exponent(one, seconds[reference]) % 1 - 0.5) < NEAR]
    if between:
        ratios = ", ".join(f"{size}: {seconds[size] / seconds[reference]:.2f}" for size in sorted(between))
        found.append(
            f"the step time of these batch sizes lies between two steps of the grid that plans go by, so another measurement may ask for "
            f"runs of another length ({ratios} times as long as at {reference})"
        )
    return tuple(found)
