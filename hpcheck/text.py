"""Numbers in words: the one place where a number becomes text that people read."""

import math
from collections.abc import Sequence


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
    """An end of an interval, which is known to two figures at most: whole numbers stay whole, and what is near 1 keeps its distance to 1.

    >>> bound(22.63), bound(128.0), bound(0.0005657), bound(0.9827), bound(0.995)
    ('23', '128', '0.00057', '0.983', '0.995')
    """
    if not math.isfinite(value) or value == round(value):
        return number(value)
    if abs(value) >= 10:
        return number(round(value))
    return number(float(f"{value:.3g}" if 0.9 < value < 1 else f"{value:.2g}"))


def epochs(count: float) -> str:
    """A length in epochs as people say it.

    >>> epochs(89.79), epochs(2.46), epochs(1), epochs(0.25)
    ('90 epochs', '2.5 epochs', '1 epoch', '0.25 epochs')
    """
    words = f"{count:,.0f}" if count >= 10 else f"{count:.2g}"
    return f"{words} epoch{'s' * (words != '1')}"


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(0.3), duration(7.6), duration(1.2), duration(148), duration(5000), duration(90000)
    ('less than a second', '8 seconds', '1 second', '2 minutes', '1 h 23 min', '25 hours')
    """
    if seconds < 0.5:
        return "less than a second"
    if seconds < 99.5:
        return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} minutes"
    hours, rest = divmod(minutes, 60)
    return f"{round(minutes / 60)} hours" if hours >= 10 else f"{hours} h {rest} min" if rest else f"{hours} hour{'s' * (hours != 1)}"


def trainings(count: float) -> str:
    """A number of trainings: to a tenth below ten, then whole.

    >>> trainings(17.52), trainings(1.83), trainings(2.0), trainings(0.04)
    ('18', '1.8', '2', 'less than 0.1')
    """
    if 0 < count < 0.05:
        return "less than 0.1"
    return f"{count:,.0f}" if count >= 9.95 else f"{count:.1f}".removesuffix(".0")


def listed(words: Sequence[str]) -> str:
    """
    >>> listed(["batch size"]), listed(["batch size", "momentum"]), listed(["a", "b", "c"])
    ('batch size', 'batch size and momentum', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def without_common_words(labels: Sequence[str]) -> tuple[str, list[str]]:
    """The words that all labels begin with, and the labels without them; no label is left without a word.

    >>> without_common_words(["weight decay 0.001, lr 0.1", "weight decay 0.01, lr 0.1"])
    ('weight decay', ['0.001, lr 0.1', '0.01, lr 0.1'])
    >>> without_common_words(["lr sweep"])
    ('', ['lr sweep'])
    """
    words = [label.split(" ") for label in labels]
    common: list[str] = []
    while len(words) > 1 and min(map(len, words)) > 1 and len({one[0] for one in words}) == 1:
        common.append(words[0][0])
        words = [one[1:] for one in words]
    return " ".join(common), [" ".join(one) for one in words]
