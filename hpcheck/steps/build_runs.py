"""The runs that steps ask for, built from the config and the settings known so far, and their records as curves."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hpcheck.analysis.curve import Curve
from hpcheck.config.tasks import kind as kind_of_task
from hpcheck.plugins import find
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import Knots, constant, ramp
from hpcheck.runs.spec import DataSpec, PartSpec, RunSpec, evenly, freeze
from hpcheck.steps.policies import lr_over, momentum_over, policy_of, stepsize_of
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

# Ours: the length of each step's runs as a share of a full training, so that a recommendation costs about 2.5 full trainings in all, with
# the longest runs where differences show latest (weight decay: docs/decisions/009-weight-decay.md).
# Smith 2018: "short runs of a few epochs" (section 3).
SHARE_OF_TRAINING = {"lr_range": 1 / 16, "batch": 1 / 16, "momentum": 1 / 16, "wd_grid": 3 / 10}
FEWEST_STEPS = 200  # ours, measured on small data sets: from about 200 iterations on a ramp reads (docs/design.md, "Short ramps lie") ...
FEWEST_LARGER = 100  # ... and fewer at a batch size larger than the start's, whose gradients are less noisy, but never less than this
LONGEST_ANYWAY = 800  # ours: short runs that cannot be read may be lengthened to this, or to a full training where that is longer
EVAL_SHARE = 0.05  # ours: evaluation may take this share of a short run's time ...
FORWARD_SHARE = 0.36  # ... an example costs this share of its training to evaluate (LeNet and shallow3 on a CPU, docs/results/speed.md)
EVALUATIONS = (25, 50)  # ours: so many are made: 50 where this share pays for them on the smallest subset; no timing decides it
IN_FULL = 25  # evaluations that the subset of a full training is reckoned for: those of `train` have a number of their own
SMALLEST_SUBSET, LARGEST_SUBSET = 200, 2000  # ours: examples in the fixed evaluation subset


def full_steps(asked: Asked, settings: Settings) -> int:
    """Iterations of a full training at these settings' batch size and length."""
    return max(1, round(settings.epochs * asked.facts.train_examples / settings.total_batch_size))


def short_steps(asked: Asked, step: str, settings: Settings) -> int:
    """Iterations of one short run of `step`: the config's own figure, else a share of the full training, `fewest_steps` at the least."""
    own = getattr(asked.config, step).steps or asked.config.budget.short_steps
    fewest = fewest_steps(settings.total_batch_size / asked.config.start.total_batch_size)
    return own or max(fewest, round(full_steps(asked, settings) * SHARE_OF_TRAINING[step]))


def longest_steps(asked: Asked, settings: Settings) -> int:
    """The most iterations that a short run is lengthened to where it cannot be read: a longer one than the training says nothing of it."""
    return max(LONGEST_ANYWAY, full_steps(asked, settings))


def fewest_steps(growth: float) -> int:
    """The fewest iterations of a short run at `growth` times the start's batch size. A step's noise falls with the square root of its
    batch, so as many iterations fewer say as much.

    >>> [fewest_steps(growth) for growth in (0.5, 1, 2, 4, 64)]
    [200, 200, 141, 100, 100]
    """
    return max(FEWEST_LARGER, round(FEWEST_STEPS / math.sqrt(max(1.0, growth))))


def data_spec(asked: Asked, fit: str = "train") -> DataSpec:
    data = asked.config.data
    return DataSpec(
        name=data.name,
        root=str(data.data_root()),
        options=freeze(data.options()),
        val_fraction=data.val_fraction,
        validate_on=data.validate_on,
        fit=fit,
        normalize=data.normalize,
        augment=data.augment,
        limit=data.limit,
        loss=data.loss,
        metric=data.metric,
        metric_is=data.metric_is,
        crop=data.crop,
        targets=data.targets,
        task=kind_of_task(asked.config),
    )


def part(kind: str, name: str, given: Mapping[str, Any]) -> PartSpec:
    """A model or an optimizer with the options that differ from its defaults: written out or not, a default is the same run."""
    defaults = {} if find.is_users_own(name) else find.options(kind, name)
    return PartSpec(name, tuple(item for item in freeze(given) if item[1] != defaults.get(item[0], ...)))


def run(asked: Asked, settings: Settings, lr: Knots, momentum: Knots, steps: int, label: str) -> RunSpec:
    """A run of `steps` iterations with the settings' batch size and weight decay, evaluated evenly along the way."""
    config = asked.config
    examples = steps * settings.total_batch_size
    count = evaluations(asked, examples)
    return RunSpec(
        data=data_spec(asked),
        model=part("models", config.model.name, config.model.options()),
        optimizer=part("optimizers", config.optimizer.name, config.optimizer.options()),
        total_batch_size=settings.total_batch_size,
        steps=steps,
        lr=lr,
        momentum=momentum,
        weight_decay=settings.weight_decay,
        evaluate_after=(0, *evenly(steps, count)),
        eval_size=eval_size(asked, examples, count),
        seed=config.seed,
        precision=config.run.precision,
        bn_splits=config.run.parts(),
        reads=config.model.reads,
        label=label,
    )


def evaluations(asked: Asked, examples_trained: int) -> int:
    """Evaluations of a short run: the config's own figure, else 50 where a twentieth of the run's time pays for them, and 25."""
    given, own = asked.config.budget.evals, asked.config.budget.eval_size
    each = own or (SMALLEST_SUBSET if asked.config.script is None else asked.facts.val_examples)
    most = _examples_paid_for(examples_trained) / min(each, asked.facts.val_examples)
    return given or max((count for count in EVALUATIONS if count <= most), default=min(EVALUATIONS))


def eval_size(asked: Asked, examples_trained: int, count: int) -> int | None:
    """Examples of the fixed subset that `count` evaluations look at: what a twentieth of a run's time pays for, within bounds; None: the
    whole validation set."""
    if asked.config.script is not None:
        return None  # the script's own evaluation looks at all of it
    affordable = _examples_paid_for(examples_trained) / count
    size = asked.config.budget.eval_size or int(np.clip(affordable, SMALLEST_SUBSET, LARGEST_SUBSET))
    return None if size >= asked.facts.val_examples else size


def _examples_paid_for(examples_trained: int) -> float:
    """Examples that the evaluations of a run may look at, all together."""
    return EVAL_SHARE * examples_trained / FORWARD_SHARE


def examples_of_share(asked: Asked) -> int | None:
    """Validation examples that the metric is a share of, over the whole of them: with classes, the accuracy. None where the metric is no
    such share, or not known to be one: that of tokens has more targets than examples, and R2 is none."""
    shared = asked.facts.classes and asked.facts.metric_fits and asked.config.data.metric in ("auto", "accuracy")
    return asked.facts.val_examples if shared else None


def range_test(asked: Asked, settings: Settings, lowest: float, highest: float, steps: int, label: str) -> RunSpec:
    """Linear lr range test (Smith 2018, 4.1), momentum falling while the lr rises (4.3) unless the config says constant."""
    falls = asked.config.lr_range.momentum == "falling"
    momentum = ramp(settings.max_momentum, settings.min_momentum, steps) if falls else constant(settings.max_momentum)
    return run(asked, settings, ramp(lowest, highest, steps), momentum, steps, label)


def cycle(asked: Asked, settings: Settings, steps: int, label: str) -> RunSpec:
    """A training in small over `steps` iterations: 1cycle with cyclical momentum, or what the config's policy says."""
    if settings.max_lr is None or settings.min_lr is None:
        raise ValueError("a 1cycle run needs a maximum and a minimum lr")
    policy, stepsize = policy_of(asked), stepsize_of(asked, steps)
    lr = lr_over(policy, settings.max_lr, settings.min_lr, stepsize, steps)
    momentum = momentum_over(policy, settings.max_momentum, settings.min_momentum, stepsize, steps)
    return run(asked, settings, lr, momentum, steps, label)


def replicate(spec: RunSpec, number: int) -> RunSpec:
    """The same run with another seed; replicate 0 is the run itself. Equal numbers share their data order and initial weights."""
    return replace(spec, seed=spec.seed + 1000 * number, label=f"{spec.label}, seed {number}") if number else spec


def curve(records: RunRecord | Sequence[RunRecord], label: str = "") -> Curve:
    """A run's raw evaluations for the readings; a run and its continuations, in order, make one curve."""
    chain = [records] if isinstance(records, RunRecord) else list(records)

    def column(name: str) -> np.ndarray:  # (E,)
        return np.concatenate([record.column(name) for record in chain])

    return Curve(
        step=column("step"),
        lr=column("lr"),
        val_loss=column("val_loss"),
        accuracy=column("metric"),
        train_loss=column("train_loss"),
        momentum=column("momentum"),
        weight_decay=chain[-1].run.weight_decay,
        diverged=chain[-1].diverged,
        higher_is_better=chain[-1].run.data.metric_is == "higher",
        label=label or chain[-1].run.label,
        continued=chain[0].run.parent is not None,
    )
