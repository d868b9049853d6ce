"""What a task says of its model: figures batch by batch, weighted by their counts, or of the whole loader at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpcheck.engine.tasks.batches import Moved
from hpcheck.engine.tasks.load import Task
from hpcheck.engine.tasks.words import described
from hpcheck.plugins.user_errors import UsersCodeError

STEP, WHOLE = "validation_step", "evaluate"
OF_EXAMPLES = ("losses", "scores")  # keys that hold one value for each example


@dataclass(frozen=True)
class Evaluated:
    """Figures of a model. `losses` and `scores` have a value for each example where the task gives them, and are empty elsewhere."""

    loss: float
    metric: float
    count: float
    losses: NDArray[np.float64] | None = None
    scores: NDArray[np.float64] | None = None


def evaluated(task: Task, model: nn.Module, loader: Iterable[Any], device: torch.device) -> Evaluated:
    """The figures over all of a loader, the model in evaluation mode and without gradients. It is put back into training mode."""
    model.eval()
    with torch.no_grad():
        if hasattr(task.made, WHOLE):
            found = checked(task, WHOLE, task.made.evaluate(model, Moved(loader, device)))
        else:
            found = together([checked(task, STEP, task.made.validation_step(model, batch)) for batch in Moved(loader, device)], task)
    model.train()
    return found


def checked(task: Task, method: str, answer: Any) -> Evaluated:
    """One answer as figures. Raises `UsersCodeError`, one line, for anything else."""
    needed = {"loss", *(["metric"] if task.has_metric else []), *(["count"] if method == STEP else [])}
    if not isinstance(answer, Mapping):
        raise UsersCodeError(f"task {task.name}: {method} returned {described(answer)}; expected a dict with {', '.join(sorted(needed))}")
    each = {key: _each(task, method, key, answer[key]) for key in OF_EXAMPLES if answer.get(key) is not None}
    counted = {"count": len(next(iter(each.values())))} if each else {}
    given = {**counted, **answer}
    if lacking := sorted(needed - given.keys()):
        raise UsersCodeError(
            f"task {task.name}: {method} returned a dict without {', '.join(lacking)} (it has {', '.join(map(str, answer))})"
        )
    if unknown := [str(key) for key in answer if key not in {"loss", "metric", "count", *OF_EXAMPLES}]:
        raise UsersCodeError(
            f"task {task.name}: {method} returned {unknown[0]}, which nothing reads; expected loss, metric, count (scores, losses)"
        )
    if "metric" in answer and not task.has_metric:
        raise UsersCodeError(f"task {task.name}: {method} returned a metric that has no name; give the task one: metric = 'accuracy'")
    numbers = {key: _number(task, method, key, given.get(key, 1.0)) for key in ("loss", "count")}
    if numbers["count"] <= 0:
        raise UsersCodeError(f"task {task.name}: {method} returned a count of {numbers['count']:g}; expected the examples of the batch")
    if wrong := [key for key, values in each.items() if len(values) != numbers["count"]]:
        raise UsersCodeError(
            f"task {task.name}: {method} returned {len(each[wrong[0]])} {wrong[0]} and a count of {numbers['count']:g}; "
            "expected one for each"
        )
    metric = _number(task, method, "metric", given["metric"]) if task.has_metric else numbers["loss"]
    scores = each.get("scores") if task.has_metric else each.get("losses")  # the loss is the metric where there is no other
    return Evaluated(numbers["loss"], metric, numbers["count"], each.get("losses"), scores)


def together(parts: list[Evaluated], task: Task) -> Evaluated:
    """The figures of several batches as those of all their examples."""
    if not parts:
        raise UsersCodeError(f"task {task.name}: the validation loader gives no batch")
    count = sum(part.count for part in parts)
    loss, metric = (sum(getattr(part, name) * part.count for part in parts) / count for name in ("loss", "metric"))
    return Evaluated(loss, metric, count, _joined([part.losses for part in parts]), _joined([part.scores for part in parts]))


def _joined(parts: list[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if len(there) == len(parts) else None


def _each(task: Task, method: str, key: str, value: Any) -> NDArray[np.float64]:
    """A value for each example, (N,)."""
    if isinstance(value, Tensor):
        value = value.detach().float().cpu()
    found = np.asarray(value, dtype=np.float64)
    if found.ndim != 1:
        raise UsersCodeError(f"task {task.name}: {method} returned {key} of shape {found.shape}; expected one value for each example")
    return found


def _number(task: Task, method: str, key: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise UsersCodeError(f"task {task.name}: {method} returned {described(value)} for {key}; expected one number") from None
