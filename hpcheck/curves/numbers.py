"""Cells as numbers, in the spellings that people and programs use: percent, thousands, units, NaN and inf in any form."""

import re
from typing import Any

MISSING = {  # was not measured; NaN was measured, and is a value
    *("", "-", "--", "---", ".", "na", "n/a", "#n/a", "<na>", "none", "null", "missing", "no log", "undefined", "?"),
    *("\N{EN DASH}", "\N{EM DASH}"),
}
NAN = re.compile(r"[+-]?(nan(\(.*\))?|1\.#(q?nan|snan|ind)\d*|#num!|#div/0!)")  # Python, C, numpy, old Windows and spreadsheets
INF = re.compile(r"([+-]?)(inf|infinity|∞|1\.#inf\d*)")
PLAIN = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")  # nearly every cell: read without a look at the rest
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:(?:,\d{3})+|(?:[ '\u00a0\u2009\u202f]\d{3})+)(?:\.\d*)?")
WITH_COMMA = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|0?),\d+(?:[eE][+-]?\d+)?")  # 1.234,5 and 0,5; of 1,5 the file decides
FORTRAN = re.compile(r"([+-]?\d+\.?\d*)[dD]([+-]?\d+)")
COUNTED = re.compile(r"(\d+)\s*/\s*\d+")  # 3/24: the third of them
SPREAD = re.compile(r"(\S+?)\s*(?:\u00b1|\+/-|\+-)\s*\S+")  # a mean and its deviation
MARKED = " *\N{DAGGER}\N{UPWARDS ARROW}\N{DOWNWARDS ARROW}\N{CHECK MARK}\N{HEAVY CHECK MARK}\N{BLACK STAR}"  # the best value so far
WRAPPED = re.compile(
    r"(?:tensor|array|float|(?:np|numpy)\.\w+)\(\s*([^,()]+?)\s*(?:,.*)?\)"
)  # what Python prints for torch's and numpy's numbers
WITH_UNIT = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%|[kKMB]|ms|sec|s|min|h|it|its|iters?|steps?|epochs?|nats?|bits?|dB)"
)
LONGEST = 1_000  # ours: characters of a number, as of a tensor with its device; looking for one in more takes time in their square
MANY = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9}


def is_missing(cell: Any) -> bool:
    """Whether nothing was measured."""
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in MISSING)


def number(cell: Any) -> float | None:
    """A cell as a number; None where nothing was measured. NaN and inf in any spelling are values. Raises `ValueError` otherwise.

    Percent stay as they are written (94.2% is 94.2): nothing that is read depends on a metric's unit.

    >>> [number(cell) for cell in ("1e-3", "-nan(ind)", "1.#INF", "n/a", None, 2)]
    [0.001, nan, inf, None, None, 2.0]
    >>> [number(cell) for cell in ("1,234.5", "94.2%", "12 ms", "10k", "tensor(0.25, device='cuda:0')")]
    [1234.5, 94.2, 12.0, 10000.0, 0.25]
    >>> [number(cell) for cell in ("3/24", "1.5D-02", "0,25", "1.234,5", "0.25*", "0.25 +/- 0.01", "#NUM!", "#N/A")]
    [3.0, 0.015, 0.25, 1234.5, 0.25, 0.25, nan, None]
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str) and PLAIN.fullmatch(cell):
        return float(cell)
    if is_missing(cell):
        return None
    if not isinstance(cell, str) or len(cell) > LONGEST:
        raise ValueError(f"not a number: {cell!r:.100}")
    text = cell.strip().replace("\N{MINUS SIGN}", "-").rstrip(MARKED)
    wrapped = WRAPPED.fullmatch(text)
    return _plain(wrapped[1] if wrapped else text)


def is_number(cell: Any) -> bool:
    """Whether a cell can be read as a number, or as nothing."""
    try:
        number(cell)
    except (ValueError, OverflowError):
        return False
    return True


def _plain(text: str) -> float:
    lower = text.lower()
    if NAN.fullmatch(lower):
        return float("nan")
    infinite = INF.fullmatch(lower)
    if infinite:
        return float(f"{infinite[1]}inf")
    if "_" in text:
        raise ValueError(f"not a number: {text!r}")  # Python would take 1_000
    if THOUSANDS.fullmatch(text):
        return float(re.sub(r"[^\d.+-]", "", text))
    if WITH_COMMA.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if found := FORTRAN.fullmatch(text):
        return float(f"{found[1]}e{found[2]}")
    if found := COUNTED.fullmatch(text) or SPREAD.fullmatch(text):
        return _plain(found[1])
    measured = WITH_UNIT.fullmatch(text)
    if measured:
        return float(measured[1]) * MANY.get(measured[2], 1.0)
    return float(text)
