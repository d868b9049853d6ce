"""Numbers in words: the one place where a number becomes text that people read."""

import math


def number(value: float) -> str:
    """A number as short as it can be read: 0.0005, 1e-5, 2,500, 3.2."""
    if not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "NaN")
    size = abs(value)
    if size == 0 or 1e-4 <= size < 1e4:
        return f"{value:.4g}"
    if 1e4 <= size < 1e6:
        return f"{value:,.0f}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def bound(value: float) -> str:
    """An end of an interval: three figures are more than it is known to; whole numbers stay whole."""
    return number(value if abs(value) >= 1 else float(f"{value:.3g}"))
