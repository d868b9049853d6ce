"""A range test over momentum, to show why it sets nothing: at a constant lr the loss falls as momentum rises from 0.7 to 1, without an
optimum (Smith 2018, 4.3, Fig. 7b)."""

import numpy as np

from hpcheck.analysis.readable import sound
from hpcheck.drawing.panels import Panel
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, ramp
from hpcheck.steps.build_runs import curve, run, short_steps
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.evidence import series
from hpcheck.steps.reading import Finding, Reading, Settings, nothing_run
from hpcheck.steps.step import Asked, Steps

LOWEST, HIGHEST = 0.7, 1.0  # Fig. 7b
AT_END = 0.9  # ours: a loss that is lowest in the last tenth of the run has shown no optimum
WHAT_TO_DO = "hpcheck momentum compares whole runs at 0.9, 0.95, 0.97 and 0.99 instead, each at its own lr (Smith 2018, 4.3)"


def decide(asked: Asked, settings: Settings) -> Steps:
    """One run at the cycle's smallest lr, momentum rising. Sets nothing."""
    if settings.min_lr is None:
        return nothing_run("momentum-range-test", settings)
    steps = short_steps(asked, "momentum", settings)
    momentum = ramp(LOWEST, HIGHEST, steps + 1)  # ends just below 1, which Adam could not take
    (record,) = yield [run(asked, settings, constant(settings.min_lr), momentum, steps, "momentum range test")]
    line = curve(record)
    panels = (
        Panel("Momentum range test", "momentum", "validation loss", (series(line, "momentum", label="validation loss"),)),
        Panel(
            f"Momentum range test, {metric_name(asked)}",
            "momentum",
            f"validation {metric_name(asked)}",
            (series(line, "momentum", "accuracy", metric_name(asked)),),
            higher_is_better=line.higher_is_better,
        ),
    )
    words, findings = told(record)
    return Reading("momentum-range-test", settings, (), panels, (words, WHAT_TO_DO), findings=findings)


def told(record: RunRecord) -> tuple[str, frozenset[Finding]]:
    """Where the loss is lowest, and why that is no momentum to take; and what of it others may act on."""
    read = sound(curve(record))
    if not read.enough or not read.learnt:
        unread = "the momentum range test cannot be read: the loss does not leave its start before the end or its divergence"
        return unread, frozenset({"cannot be read"})
    at = float(record.column("momentum")[read.index[read.lowest]])
    far = (read.x[read.lowest] - read.x[0]) / max(record.run.steps - float(read.x[0]), 1.0)
    if far >= AT_END or read.lowest == len(read.index) - 1:
        lowest = f"{np.floor(at * 1000) / 1000:g}"
        falls = f"the loss falls all the way to momentum {lowest}: the test shows no optimum (Smith 2018, Fig. 7b)"
        return falls, frozenset({"shows no optimum"})
    turns = (
        f"the loss is lowest at momentum {at:.3g} and rises after it, but momentum and training time rise together here, and at another lr"
    )
    return f"{turns} it would turn elsewhere: it is no momentum to take", frozenset()
