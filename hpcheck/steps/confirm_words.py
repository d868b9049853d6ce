"""Full trainings in words: the settings by what tells them from the start, and their figures in the metric's own unit."""

from collections.abc import Sequence

from hpcheck.analysis.full_trainings import By, Trained
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

METRIC: By = "metric"
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
MANY = 5000  # ours: so many examples and more give an accuracy a second decimal of a percent


def named(asked: Asked, settings: Settings) -> str:
    """Settings in a few words: the weight decay always, the others where the user has others.

    The lr is named where it is neither the one that was found nor the start's own.
    """
    start, words = asked.config.start, [f"weight decay {settings.weight_decay:g}"]
    if settings.max_lr is not None:
        words.append(f"lr {settings.max_lr:.2g}")
    if settings.total_batch_size != start.total_batch_size:
        words.append(f"batch {settings.total_batch_size}")
    if (settings.max_momentum, settings.min_momentum) != (start.momentum.max, start.momentum.min):
        words.append(f"momentum {settings.max_momentum:g} to {settings.min_momentum:g}")
    return ", ".join(words)


def metric_name(asked: Asked) -> str:
    """The metric as it is called: accuracy, R2, or the user's own function."""
    metric = asked.config.data.metric
    if not asked.facts.metric_fits:
        return "minus the loss"
    if metric == "auto":
        return {"classes": "accuracy", "tokens": "accuracy", "regression": "R2"}.get(asked.facts.task, "metric")
    return {"r2": "R2"}.get(metric, metric.rpartition(":")[2])


def is_percent(asked: Asked) -> bool:
    """Whether the metric is a share of the examples, told in percent."""
    return asked.facts.classes and asked.facts.metric_fits and asked.config.data.metric in ("auto", "accuracy")


def figure_words(asked: Asked, trained: Trained) -> str:
    """A training's metric in its own unit."""
    if trained.diverged:
        return "diverged"
    value = -trained.metric if asked.config.data.metric_is == "higher" else trained.metric
    return measured(asked, value)


def measured(asked: Asked, value: float, unit: bool = True) -> str:
    """A metric in words: an accuracy in percent, others to four figures."""
    value += 0.0  # no minus before a 0
    if not is_percent(asked):
        return f"{value:.4g}"
    decimals = 2 if asked.facts.val_examples >= MANY else 1
    return f"{100 * value:.{decimals}f}{'%' * unit}"


def spelled(count: int) -> str:
    """A small number as a word.

    >>> spelled(1), spelled(8), spelled(40)
    ('one', 'eight', '40')
    """
    return NUMBERS[count] if 0 <= count < len(NUMBERS) else str(count)


def seeds_words(counts: Sequence[int]) -> str:
    """
    >>> seeds_words([1, 1]), seeds_words([2, 2]), seeds_words([2, 1])
    ('one fresh seed each', 'two fresh seeds each', 'two fresh seeds against one')
    """
    ours, theirs = counts
    seeds = f"{spelled(ours)} fresh seed{'s' * (ours != 1)}"
    return f"{seeds} each" if ours == theirs else f"{seeds} against {spelled(theirs)}"
