"""The shapes of lr and momentum over a training: 1cycle, the cyclical policies of Smith 2017, or constant."""

from hpcheck.runs.schedules import Knots, constant, cyclical_momentum, exp_range, one_cycle, triangular
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

EXP_RANGE_END = 0.1  # ours: under exp_range the cycle's height has fallen to this share of itself when training ends
NO_CYCLES = {"constant", "step", "inv", "exp"}  # policies of `train.policy` whose lr begins at its largest


def policy_of(asked: Asked) -> str:
    """What the lr does in the short runs: the cycle that the training will make, or constant where the training's lr does not rise."""
    return "constant" if asked.config.train.policy in NO_CYCLES else asked.config.lr_range.policy


def steady_lr(asked: Asked, settings: Settings) -> float:
    """The constant lr of a run that stands for the training: half the maximum of a cycle (Fig. 9), the lr itself where it does not rise."""
    largest = settings.known_max_lr
    return largest if policy_of(asked) == "constant" else largest / 2


def stepsize_of(asked: Asked, steps: int) -> int:
    """Iterations of one of a cycle's two steps. 1cycle leaves its tail; the others fill the training with `train.cycles` cycles."""
    options = asked.config.train
    share = options.cycle_fraction if asked.config.lr_range.policy == "1cycle" else 1 / options.cycles
    return max(1, int(steps * share / 2))


def lr_over(policy: str, max_lr: float, min_lr: float, stepsize: int, steps: int) -> Knots:
    """The lr of a training of `steps` iterations."""
    if policy == "1cycle":
        return one_cycle(max_lr, min_lr, stepsize, steps)
    if policy == "exp_range":
        return exp_range(min_lr, max_lr, stepsize, steps, EXP_RANGE_END ** (1 / max(steps, 1)))
    if policy in ("triangular", "triangular2"):
        return triangular(min_lr, max_lr, stepsize, steps, decay=0.5 if policy == "triangular2" else 1.0)
    return constant(max_lr)


def momentum_over(policy: str, max_momentum: float, min_momentum: float, stepsize: int, steps: int) -> Knots:
    """Momentum against the lr: largest where that is smallest (Smith 2018, 4.3); constant with a constant lr. With 1cycle and triangular2
    each later cycle is half as deep (A.2)."""
    if policy in ("triangular", "exp_range"):
        return triangular(max_momentum, min_momentum, stepsize, steps)
    if policy in ("1cycle", "triangular2"):
        return cyclical_momentum(max_momentum, min_momentum, stepsize, steps)
    return constant(max_momentum)
