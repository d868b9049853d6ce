"""What an experiment costs before it is run: training examples left to process, and core-seconds on a CPU."""

import re

from hpcheck.checklist.costs import left
from hpcheck.config import Config, ConfigError, Problem
from hpcheck.reproduce.experiments import Run
from hpcheck.reproduce.lookup import Found, decides, official_facts
from hpcheck.steps.build_runs import full_steps
from hpcheck.steps.order import Replays
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked
from hpcheck.steps.train import trained_on

# Measured: milliseconds of processor time for a training example (forward, backward, update; one thread, fp32), on the CPU of the results;
# ImageNet's at 230x230.
MS_AN_EXAMPLE = {
    "shallow3": 0.83,
    "lenet": 0.24,
    "resnet_cifar": 10.7,
    "wide": 28.0,
    "densenet_cifar": 40.0,
    "resnet50": 380.0,
    "inception_resnet_v2": 570.0,
}
GPU_FROM_HOURS = 8.0  # ours: an experiment of more core-hours than this is one for a GPU
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def core_seconds(found: Found) -> float:
    """Core-seconds of the runs that are not there yet."""
    return examples_left(found) * milliseconds(found.run.config) / 1000


def milliseconds(config: Config) -> float:
    """Of one core, for one training example."""
    options = config.model.options()
    name = str(options.get("arch", config.model.name))
    return MS_AN_EXAMPLE["wide" if name == "resnet_cifar" and "widths" in options else name]


def examples_left(found: Found) -> float:
    """Training examples that the missing runs will process; a step's own rounds are not known before, so they are an ordinary network's."""
    asked, step = Asked(found.run.config, official_facts(found.run)), found.run.step
    if step == "train":
        start = start_settings(asked.config)
        return (found.wanted - len(found.finals)) * full_steps(trained_on(asked), start) * start.total_batch_size
    if found.reading is not None:
        return 0.0
    known = found.lookup()
    decide, begins_with = decides(step)
    return left(asked, decide, Replays(asked, known).settings_before(begins_with), known).examples


def data_needed(run: Run) -> str:
    data = run.config.data
    return f"an image folder {data.folder}" if data.folder else data.name


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`, `12 days`.

    >>> duration(40), duration(800), duration(12_600), duration(1e6)
    ('40 s', '13 min', '3.5 h', '12 days')
    """
    for size, unit in ((86_400 * 2, "days"), (3600, "h"), (60, "min")):
        if seconds >= size:
            amount = seconds / (86_400 if unit == "days" else size)
            return f"{amount:.0f} {unit}" if amount >= 10 or unit != "h" else f"{amount:.1f} {unit}"
    return f"{seconds:.0f} s"


def seconds_of(budget: str) -> float:
    """`30m` as 1800. Raises `ConfigError`."""
    told = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", budget)
    if told is None or float(told[1]) == 0:
        raise ConfigError([Problem("--budget", None, "", "not a duration", repr(budget), "such as 90s, 30m or 2h")])
    return float(told[1]) * UNITS[told[2]]
