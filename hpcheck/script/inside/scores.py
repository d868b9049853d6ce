"""What an evaluation says of each example, as parts of its metric or loss: kept in the record, so that trainings are paired by example."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hpcheck.script.job import ScriptError

SCORES, LOSSES = "scores", "losses"  # keys of an evaluation's answer
AGREE = 1e-3  # ours, relative: means in float32 and in float64 differ by less; a share and its percent, or another figure, by far more
PERCENT = 100.0
Each = Mapping[str, NDArray[np.float64]]  # of N examples, (N,)


def each_of(answer: Mapping[str, Any]) -> Each:
    """The scores and the losses of an evaluation's answer, where it has them, as numbers."""
    return {key: _numbers(answer[key], key) for key in (SCORES, LOSSES) if answer.get(key) is not None}


def _numbers(values: Any, key: str) -> NDArray[np.float64]:
    """Of a tensor, an array, a list of numbers, or a list of the tensors of batches."""
    if isinstance(values, list | tuple) and values and isinstance(values[0], torch.Tensor):
        values = torch.cat([torch.as_tensor(one).detach().flatten() for one in values])
    if isinstance(values, torch.Tensor):
        values = values.detach().to("cpu", torch.float64)
    try:
        return np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        raise ScriptError(f"the evaluation returned {key} that are not one number for each example") from None


def parts(loss: float, metric: float, each: Each) -> dict[str, NDArray[np.float64]]:
    """What the examples add to the metric and to the loss, in their units, by these names; scores may be parts of either. Nothing of an
    evaluation that blew up.

    Raises `ScriptError` where they are parts of neither: pairs of them would say nothing of what is compared.

    >>> parts(0.4, 50.0, {"scores": np.array([1.0, 0.0])})
    {'metric': array([100.,   0.])}
    """
    found: dict[str, NDArray[np.float64]] = {}
    if not math.isfinite(loss) or not math.isfinite(metric):
        return found
    for key, values in each.items():
        mean = float(values.mean()) if len(values) else math.nan
        if not math.isfinite(mean):
            continue
        if key == SCORES and _is(mean, metric):
            found["metric"] = values
        elif key == SCORES and _is(mean * PERCENT, metric):
            found["metric"] = values * PERCENT
        elif _is(mean, loss):
            found["loss"] = values
        else:
            either = f"neither its metric ({metric:.4g}) nor its loss ({loss:.4g})" if key == SCORES else f"not its loss ({loss:.4g})"
            raise ScriptError(
                f"the mean of the evaluation's {key} is {mean:.4g}, which is {either}: return what each example adds to it, or no {key}"
            )
    return found


def _is(mean: float, figure: float) -> bool:
    return abs(mean - figure) <= AGREE * max(abs(figure), abs(mean))
