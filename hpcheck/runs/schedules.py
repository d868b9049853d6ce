"""Learning-rate and momentum schedules as piecewise-linear knots, each policy of the paper as one function of the step."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FLOOR_DIVISOR = 1000.0  # 1cycle ends this far below its base lr (the author's runs: base/1000)
INV_SEGMENTS = 64  # ours: straight pieces that stand in for Caffe's "inv" curve; their error stays below 1e-4 of the value
COSINE_SEGMENTS = 64  # ours: straight pieces, within 0.03% of the largest value of the cosine
EXP_SEGMENTS = 16  # ours: straight pieces of each half cycle of "exp_range"; their error stays below 1e-3 of the height


@dataclass(frozen=True)
class Knots:
    """A schedule: straight lines between `(step, value)` points, or straight in log(value) where `log` is set.

    Steps never decrease; two points at the same step are a jump, taken at that step. Before the first point and after
    the last one the value stays as it is there.
    """

    points: tuple[tuple[float, float], ...]
    log: bool = False

    def __post_init__(self) -> None:
        steps = [step for step, _ in self.points]
        if not steps or steps != sorted(steps):
            raise ValueError(f"knots need at least one point, in the order of their steps (got {self.points})")
        if self.log and min(value for _, value in self.points) <= 0:
            raise ValueError(f"knots that are straight in log(value) need values above 0 (got {self.points})")

    @property
    def largest(self) -> float:
        return max(value for _, value in self.points)

    @property
    def smallest(self) -> float:
        return min(value for _, value in self.points)


def values(knots: Knots, steps: int) -> NDArray[np.float64]:
    """The schedule at each step: straight lines between the knots, or straight in log(value).

    Args:
        knots: the schedule.
        steps: how many optimizer updates.

    Returns:
        The values at steps 0 .. steps-1, (steps,).

    >>> values(ramp(0.0, 1.0, 5), 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return values_between(knots, 0, steps)


def values_between(knots: Knots, first: int, last: int) -> NDArray[np.float64]:
    """The schedule at steps `first` .. `last`-1, (last - first,)."""
    return values_at(knots, np.arange(first, last))


def values_at(knots: Knots, steps: NDArray[np.int_]) -> NDArray[np.float64]:
    """The schedule at each of `steps`, (T,)."""
    at, value = np.array(knots.points, dtype=np.float64).T  # (K,), (K,) knots
    if knots.log:
        return np.exp(_interpolate(steps, at, np.log(value)))
    return _interpolate(steps, at, value)


def _interpolate(x: NDArray[np.int_], at: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    after = np.searchsorted(at, x, side="right")  # (T,) the first knot beyond each x; a jump is taken at its step
    left, right = np.maximum(after - 1, 0), np.minimum(after, len(at) - 1)
    width = at[right] - at[left]
    share = np.divide(x - at[left], width, out=np.zeros(len(x)), where=width > 0)
    return value[left] + share * (value[right] - value[left])


def constant(value: float) -> Knots:
    """The same value at every step."""
    return Knots(((0, value),))


def ramp(start: float, end: float, steps: int, log: bool = False) -> Knots:
    """A straight rise or fall, as the lr range test has it: start + (end - start) step/(steps - 1), or the same of log(value).

    Args:
        start: the value at step 0.
        end: the value at the last step.
        steps: how many optimizer updates.
        log: straight in log(value).

    Returns:
        The schedule.

    Source: Smith 2018, 4.1.
    """
    return Knots(((0, start), (max(steps - 1, 1), end)), log)


def is_linear_ramp(knots: Knots) -> bool:
    """Whether this is the lr range test's schedule: one straight rise, not a logarithmic sweep.

    >>> [is_linear_ramp(of) for of in (ramp(0.01, 1.0, 100), ramp(0.01, 1.0, 100, log=True), constant(0.1), one_cycle(1.0, 0.1, 50, 100))]
    [True, False, False, False]
    """
    return not knots.log and len(knots.points) == 2 and knots.points[0][1] < knots.points[1][1]


def one_cycle(max_lr: float, min_lr: float, stepsize: int, steps: int) -> Knots:
    """Smith's 1cycle: the lr rises over one stepsize, falls towards 0 over the next, and stays at a floor.

    With s = step/stepsize the lr is min_lr + (max_lr - min_lr) s up to s = 1, and max(min_lr/1000, max_lr (2 - s)) from there on. So it
    passes below `min_lr` before the cycle is over.

    Args:
        max_lr: the largest lr, at step `stepsize`.
        min_lr: the lr at step 0.
        stepsize: optimizer updates of half a cycle.
        steps: optimizer updates in all.

    Returns:
        The schedule.

    Source: Smith 2018, 4.1, and the author's own runs for the floor.
    """
    floor = min_lr / FLOOR_DIVISOR
    reaches_floor = stepsize * (2 - floor / max_lr)
    return Knots(((0, min_lr), (stepsize, max_lr), (reaches_floor, floor), (max(steps, reaches_floor), floor)))


def cyclical_momentum(max_momentum: float, min_momentum: float, stepsize: int, steps: int) -> Knots:
    """Momentum that mirrors the lr: it falls while the lr rises, and comes back; each later cycle has half the depth of the one before.

    In cycle c, and at place p in 0 .. 2 of it (in stepsizes), it is max - (max - min)/2^c (1 - |p - 1|).

    Args:
        max_momentum: the momentum at the start of each cycle.
        min_momentum: the momentum in the middle of the first cycle.
        stepsize: optimizer updates of half a cycle.
        steps: optimizer updates in all.

    Returns:
        The schedule.

    Source: Smith 2018, 4.3 and A.2.
    """
    points: list[tuple[float, float]] = [(0, max_momentum)]
    depth, start = max_momentum - min_momentum, 0
    while start < steps:
        points += [(start + stepsize, max_momentum - depth), (start + 2 * stepsize, max_momentum)]
        depth, start = depth / 2, start + 2 * stepsize
    return Knots(tuple(points))


def triangular(min_lr: float, max_lr: float, stepsize: int, steps: int, decay: float = 1.0) -> Knots:
    """Cyclical learning rates: min_lr -> max_lr -> min_lr every two stepsizes.

    Args:
        min_lr: the smallest lr.
        max_lr: the largest lr of the first cycle.
        stepsize: optimizer updates of half a cycle.
        steps: optimizer updates in all.
        decay: the height of each cycle over that of the one before (1: "triangular", 1/2: "triangular2").

    Returns:
        The schedule.

    Source: Smith 2017; Smith 2018, 4.1.
    """
    points: list[tuple[float, float]] = [(0, min_lr)]
    height, start = max_lr - min_lr, 0
    while start < steps:
        points += [(start + stepsize, min_lr + height), (start + 2 * stepsize, min_lr)]
        height, start = height * decay, start + 2 * stepsize
    return Knots(tuple(points))


def exp_range(min_lr: float, max_lr: float, stepsize: int, steps: int, gamma: float) -> Knots:
    """Cyclical learning rates whose height falls by the factor `gamma` at every iteration (Smith 2017, "exp_range"), as straight pieces.

    >>> lr = values(exp_range(0.0, 1.0, 10, 40, gamma=0.9), 40)
    >>> bool(abs(lr[10] - 0.9**10) < 1e-9), bool(abs(lr[30] - 0.9**30) < 1e-9), float(lr[20])
    (True, True, 0.0)
    """
    points = []
    for piece in range(-(-steps // stepsize) * EXP_SEGMENTS + 1):
        step, place = piece * stepsize / EXP_SEGMENTS, piece / EXP_SEGMENTS % 2
        points.append((step, min_lr + (max_lr - min_lr) * (1 - abs(place - 1)) * gamma**step))
    return Knots(tuple(points))


def multistep(value: float, gamma: float, milestones: tuple[int, ...]) -> Knots:
    """Caffe's "multistep" policy: multiplied by `gamma` at each milestone (the paper's "step" on CIFAR: 0.316 at 1/2, 3/4, 7/8, 15/16)."""
    points: list[tuple[float, float]] = [(0, value)]
    for milestone in milestones:
        points += [(milestone, points[-1][1]), (milestone, points[-1][1] * gamma)]
    return Knots(tuple(points))


def inv(value: float, steps: int, gamma: float = 1e-4, power: float = 0.75) -> Knots:
    """Caffe's "inv" policy, value * (1 + gamma * step)^-power, as straight pieces (its MNIST example uses the defaults)."""
    at = np.linspace(0, steps, INV_SEGMENTS + 1)
    return Knots(tuple((float(step), float(value * (1 + gamma * step) ** -power)) for step in at))


def cosine(value: float, steps: int) -> Knots:
    """From `value` to 0 along half a cosine (Loshchilov and Hutter 2017), as straight pieces."""
    at = np.linspace(0, steps, COSINE_SEGMENTS + 1)
    return Knots(tuple((float(step), float(value * (1 + math.cos(math.pi * step / steps)) / 2)) for step in at))


def cut(knots: Knots, first: int) -> Knots:
    """The same schedule counted from step `first` on: what is left of it for a run that continues there."""
    head = (0.0, float(values(knots, first + 1)[-1]))
    return replace(knots, points=(head, *((step - first, value) for step, value in knots.points if step > first)))
