"""Calling the user's own evaluation in the middle of a training, so that the training goes on as if nothing had been."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hpcheck.engine.objectives import bn_batches
from hpcheck.script.inside import ranks
from hpcheck.script.inside.scores import LOSSES, SCORES, Each, each_of, parts
from hpcheck.script.job import ScriptError

KEYS = {"loss", "metric", "count", SCORES, LOSSES}
SAME = 0.01  # ours, relative: processes that evaluate the same examples agree by more than this; shards of a set differ by more
BN_MOST_UPDATES = 16  # ours: the statistics of more updates lag behind the weights, as running averages do


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What an evaluation said; `count` is None where it did not say of how many examples. `each`: what it said of single examples."""

    loss: float
    metric: float
    count: int | None = None
    each: Each = field(default_factory=dict)


def evaluated(evaluate: Callable[[], Any], val_examples: int | None) -> Evaluated:
    """The user's evaluation, without gradients; modes of modules and random numbers are afterwards as they were. In all processes."""
    with torch.no_grad(), modes_kept(), random_numbers_kept():
        answer = evaluate()
    if not ranks.is_up():
        return _fitting(checked(answer, val_examples))
    return _fitting(_of_all(None if answer is None and ranks.rank() else checked(answer, None), val_examples))


def _fitting(found: Evaluated) -> Evaluated:
    """The same, with what it said of single examples as parts of metric and loss. Raises `ScriptError` where they are of something else."""
    return replace(found, each=parts(found.loss, found.metric, found.each))


def checked(answer: Any, val_examples: int | None) -> Evaluated:
    """What the evaluation returned as figures. Raises `ScriptError` for anything but the two forms there are."""
    if isinstance(answer, Mapping):
        if not {"loss", "metric"} <= answer.keys() <= KEYS:
            raise ScriptError(
                f"the evaluation returned a dict with {', '.join(map(str, answer))}; expected loss and metric (and count, scores, losses)"
            )
        given = dict(answer)
    elif isinstance(answer, tuple | list) and len(answer) == 2:
        given = {"loss": answer[0], "metric": answer[1]}
    else:
        raise ScriptError(f"the evaluation returned {_named(answer)}; expected (loss, metric), or a dict with loss and metric")
    each = each_of(given)
    count = int(given["count"]) if given.get("count") is not None else next(map(len, each.values()), None)
    for key, values in each.items():
        if len(values) != count:
            raise ScriptError(f"the evaluation returned {len(values)} {key}, and looked at {count} examples")
    if count is not None and val_examples is not None and count != val_examples:
        raise ScriptError(
            f"the evaluation looked at {count} examples, and val_examples is {val_examples}: it must see all of them, each time"
        )
    return Evaluated(_number(given["loss"], "loss"), _number(given["metric"], "metric"), count, each)


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ScriptError(f"the evaluation returned {_named(value)} for the {what}; expected one number") from None


def _named(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"


def _of_all(mine: Evaluated | None, val_examples: int | None) -> Evaluated:
    """One answer for all processes: the first's, where they all looked at the same; shares of the set are put together by their counts."""
    told = [math.nan] * 4 if mine is None else [mine.loss, mine.metric, float(mine.count or 0), 1.0]
    every = ranks.of_all(told)
    answers = [one for one in every if one[3] == 1.0]
    counts = [one[2] for one in answers]
    if len(answers) > 1 and val_examples is not None and all(counts) and sum(counts) == val_examples and len(answers) == ranks.size():
        loss, metric = (sum(one[at] * one[2] for one in answers) / sum(counts) for at in (0, 1))
        return Evaluated(loss, metric, val_examples, _each_of_all(mine, [int(count) for count in counts]))
    first = answers[0]
    for number, one in enumerate(answers):
        if abs(one[0] - first[0]) > SAME * abs(first[0]):
            raise ScriptError(
                f"the evaluation returned a loss of {first[0]:.4g} on process 0 and {one[0]:.4g} on process {number}: return the "
                "figures of the whole validation set, or the count of each process's share"
            )
    count = int(first[2]) or None
    if count is not None and val_examples is not None and count != val_examples:
        raise ScriptError(
            f"the evaluation looked at {count} examples, and val_examples is {val_examples}: it must see all of them, each time"
        )
    return Evaluated(first[0], first[1], count, mine.each if mine is not None and ranks.rank() == 0 else {})


def _each_of_all(mine: Evaluated | None, counts: Sequence[int]) -> Each:
    """What each process said of the examples of its share, in the order of processes; nothing where one said nothing. All processes ask."""
    found = {}
    for key in (SCORES, LOSSES):
        own = np.full(max(counts), math.nan)
        if mine is not None and key in mine.each:
            own[: len(mine.each[key])] = mine.each[key]
        every = ranks.of_all(own.tolist())
        together = np.concatenate([np.array(one[:count]) for one, count in zip(every, counts, strict=True)])
        if not np.isnan(together).any():
            found[key] = together
    return found


@contextmanager
def modes_kept() -> Iterator[None]:
    """Modules that are set to evaluation or training within the body are afterwards in the mode that they were in."""
    before: list[tuple[nn.Module, bool]] = []
    original = nn.Module.train

    def noting(module: nn.Module, mode: bool = True) -> nn.Module:
        before.append((module, module.training))
        return original(module, mode)

    nn.Module.train = noting  # type: ignore[method-assign,assignment]  # `eval` calls it too, and it calls itself for every module inside
    try:
        yield
    finally:
        nn.Module.train = original  # type: ignore[method-assign]
        for module, mode in reversed(before):
            module.training = mode


def gpu_is_used() -> bool:
    """Whether this process has begun to use a GPU; asking begins nothing."""
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Random numbers after the body are what they would have been without it."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002  scripts use the global one
    gpus = torch.cuda.get_rng_state_all() if gpu_is_used() else None
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(cpu)
        if gpus is not None:
            torch.cuda.set_rng_state_all(gpus)


def bn_begins(evaluations: Sequence[int], first: int, batch_size: int) -> set[int]:
    """The updates after which BatchNorm statistics begin to be taken: so many before each evaluation as `engine` takes batches, and never
    before the evaluation before it.

    >>> sorted(bn_begins([0, 40, 44], 0, 64))
    [32, 40]
    """
    count = min(bn_batches(batch_size), BN_MOST_UPDATES)
    before = [first, *evaluations]
    return {max(at - count, previous) for previous, at in zip(before, evaluations, strict=False) if at > first}


class FreshBatchNorm:
    """BatchNorm statistics over the updates just before an evaluation: running averages lag behind the weights while the lr is large.
    The training itself never looks at them, and has its own back afterwards. Layers in evaluation mode are left alone."""

    def __init__(self, model: Any) -> None:
        self._layers = [one for one in model.modules() if isinstance(one, _BatchNorm)] if isinstance(model, nn.Module) else []
        self._kept: list[tuple[_BatchNorm, float, dict[str, torch.Tensor]]] = []

    @property
    def is_needed(self) -> bool:
        """Whether there are such layers."""
        return bool(self._layers)

    def begin(self) -> None:
        """From here on statistics are a plain average."""
        for layer in self._layers:
            if layer.training and layer.track_running_stats and layer.momentum is not None and not self._kept_already(layer):
                self._kept.append((layer, layer.momentum, {name: value.clone() for name, value in layer.named_buffers()}))
                layer.reset_running_stats()
                layer.momentum = None

    def end(self) -> None:
        """The evaluation is over."""
        for layer, momentum, buffers in self._kept:
            layer.momentum = momentum
            for name, value in buffers.items():
                getattr(layer, name).copy_(value)
        self._kept = []

    def _kept_already(self, layer: _BatchNorm) -> bool:
        return any(kept is layer for kept, _, _ in self._kept)
