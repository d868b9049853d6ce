"""Weight decays to try next, by bisecting and extrapolating exponents (Smith 2018, 4.4), and rounding to significant figures."""

import math
from collections.abc import Sequence
from typing import Literal

from hpcheck.analysis.choice import Choice

HALF_DECADE = math.sqrt(10.0)
# ours: neighbours closer than this are known to one significant figure. The paper bisects half a decade (3.2e-3, 1e-3 -> 1.8e-3, Fig. 9a)
# and stops there; 2.5 separates half a decade (3.16, or 3.0 when rounded) from a quarter (1.78).
CLOSE_ENOUGH = 2.5
SMALLEST = 1e-6  # ours: steps toward 0 stop here


def bisect_exponent(a: float, b: float) -> float:
    """The value half-way between the exponents of `a` and `b`, both above 0: 10^((log a + log b)/2) (Smith 2018, 4.4).

    >>> round(bisect_exponent(1e-4, 1e-3), 7)
    0.0003162
    """
    if not (a > 0 and b > 0):
        raise ValueError(f"an exponent can be bisected between values above 0 only (got {a} and {b})")
    return math.sqrt(a) * math.sqrt(b)


def extrapolate_exponent(values: Sequence[float], toward: Literal["low", "high"]) -> float:
    """One step past the edge of `values`: a decade where the two values at that edge are a decade apart, else half a decade.

    Zeros are passed over. Raises `ValueError` where no value is above 0.

    >>> extrapolate_exponent([1e-3, 1e-2], "high")
    0.1
    """
    positive = sorted({value for value in values if value > 0})
    if not positive:
        raise ValueError("an exponent can be extrapolated from values above 0 only")
    edge, inner = (positive[0], positive[1:2]) if toward == "low" else (positive[-1], positive[-2:-1])
    spacing = max(edge, *inner) / min(edge, *inner) if inner else 10.0
    factor = 10.0 if spacing > HALF_DECADE * CLOSE_ENOUGH / 2 else HALF_DECADE
    return significant(edge / factor if toward == "low" else edge * factor, 2)


def next_weight_decays(choice: Choice, tried: Sequence[float], floor: float = SMALLEST) -> tuple[float, ...]:
    """Weight decays worth a run after `choice` among `tried`, at most one; empty when one significant figure is reached.

    At an edge: extrapolate. Inside: bisect the exponents of the best two, where these are neighbours further apart than half a decade's
    quarter. A tie is an answer and asks for nothing; so does an abstention. Steps toward 0 stop at `floor`.
    """
    if choice.status != "chosen" or choice.value is None or len(tried) < 2:
        return ()
    ordered = sorted(set(tried))
    at = min(range(len(ordered)), key=lambda index: abs(ordered[index] - choice.value if choice.value is not None else 0.0))
    best = ordered[at]
    if best == 0.0:
        return _above_zero(ordered, floor)
    if at == len(ordered) - 1:
        return (extrapolate_exponent(ordered, "high"),)
    if at == 0:
        further = extrapolate_exponent(ordered, "low")
        return (further,) if further >= floor * (1 - 1e-9) else ()
    return _between(best, _runner_up(choice, ordered, at), floor, ordered)


def _above_zero(ordered: Sequence[float], floor: float) -> tuple[float, ...]:
    """0 is best: come nearer to it, a decade at a time."""
    nearer = significant(ordered[1] / 10.0, 2)
    return (nearer,) if nearer >= floor * (1 - 1e-9) else ()


def _runner_up(choice: Choice, ordered: Sequence[float], at: int) -> float:
    """The better of the two neighbours, by the choice's scores; without scores the upper one."""
    score = {value: result for value, result, _ in choice.scores}
    low, high = ordered[at - 1], ordered[at + 1]
    return low if score.get(low, math.inf) < score.get(high, math.inf) else high


def _between(best: float, second: float, floor: float, tried: Sequence[float]) -> tuple[float, ...]:
    if second == 0.0:
        return _above_zero((0.0, best), floor)
    if max(best, second) / min(best, second) < CLOSE_ENOUGH:
        return ()
    middle = significant(bisect_exponent(best, second), 2)
    return () if middle in tried else (middle,)


def two_significant_figures(x: float) -> float:
    """`x` to two significant figures; 0, NaN and inf as they are.

    >>> two_significant_figures(0.0031623)
    0.0032
    """
    return significant(x, 2)


def significant(x: float, figures: int) -> float:
    return float(f"{x:.{figures - 1}e}") if math.isfinite(x) else x
