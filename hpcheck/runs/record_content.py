"""What a record may hold: a record whose checksums are right may still say what no run measured, and then it is none."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from hpcheck.runs.spec import RunSpec, Spec, TimingSpec

ROW = ("step", "lr", "momentum", "train_loss", "val_loss", "metric", "seconds")  # of an evaluation; each row has all of them
MEASURED = ("lr", "momentum", "seconds")  # of these, what is finite; losses and metrics need not be
STATUSES = ("finished", "diverged")
MOST_STEPS = 1 << 53  # whole numbers up to here are floats too


def is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold, NaN and the infinities too."""
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_STEPS)


def is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_STEPS


def is_row(row: Any) -> bool:
    """Whether this is an evaluation as a run writes it."""
    if not isinstance(row, Mapping) or not all(is_number(row.get(name)) for name in ROW):
        return False
    return is_count(row["step"]) and all(math.isfinite(row[name]) for name in MEASURED)


def is_environment(told: Any) -> bool:
    """Whether this is what a record says of where it was made."""
    if not isinstance(told, Mapping):
        return False
    counts = [told[name] for name in ("threads", "devices") if name in told]
    return all(is_count(count) and count > 0 for count in counts)


def is_result(result: Any, spec: Spec) -> bool:
    """Whether this is what such a run comes to: figures where figures are read, and the rest as it is."""
    if not isinstance(result, Mapping):
        return False
    checks: Mapping[str, Callable[[Any], bool]] = OF_TIMES if isinstance(spec, TimingSpec) else OF_A_RUN
    if isinstance(spec, TimingSpec) and "sizes" not in result:
        return False
    return all(check(result[name]) for name, check in checks.items() if name in result)


def is_whole(spec: Spec, rows: tuple[Any, ...]) -> bool:
    """Whether a run has been evaluated; its steps never go back."""
    if not all(map(is_row, rows)):
        return False
    steps = [row["step"] for row in rows]
    return steps == sorted(steps) and (bool(rows) or not isinstance(spec, RunSpec))


def _is_figures(told: Any) -> bool:
    """Loss and metric of a whole split, and of how many examples."""
    if not isinstance(told, Mapping) or not all(is_number(told.get(name)) for name in ("loss", "metric")):
        return False
    return "examples" not in told or (is_count(told["examples"]) and told["examples"] > 0)


def _is_sizes(told: Any) -> bool:
    return isinstance(told, list) and all(map(_is_timed, told)) and len({one["size"] for one in told}) == len(told)


def _is_timed(told: Any) -> bool:
    """The times of an update at one batch size."""
    if not isinstance(told, Mapping) or not is_count(told.get("size")) or told["size"] < 1:
        return False
    samples = told.get("samples")
    timed = isinstance(samples, list) and bool(samples) and all(is_finite(one) and one > 0 for one in samples)
    return timed and ("peak_bytes" not in told or is_count(told["peak_bytes"]))


def _is_seconds(told: Any) -> bool:
    return is_finite(told) and told >= 0


OF_A_RUN: Mapping[str, Callable[[Any], bool]] = {
    "val": _is_figures,
    "test": _is_figures,
    "train_seconds": _is_seconds,
    "eval_seconds": _is_seconds,
    "first_loss": is_number,
    "outcomes": lambda told: isinstance(told, Mapping),
}
OF_TIMES: Mapping[str, Callable[[Any], bool]] = {
    "sizes": _is_sizes,
    "too_large": lambda told: isinstance(told, list) and all(map(is_count, told)),
    "train_seconds": _is_seconds,
    "examples": is_count,
}
