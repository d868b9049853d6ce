"""Whether early validation loss says how trainings will end, as the paper claims (Smith 2018, 3): every arm of the final comparison in
small, and the rank correlation of the small runs' loss with the full ones' metric."""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hpcheck.analysis.choose import rank_agreement
from hpcheck.analysis.smooth import smooth
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import Knots
from hpcheck.runs.spec import RunSpec, Spec, evenly
from hpcheck.steps.build_runs import curve
from hpcheck.steps.step import Asked

FEWEST = 3  # arms: two can only agree or not
SHARE = 1 / 10  # ours: length of a small run, between those of the search (`runs.SHARE_OF_TRAINING`)


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b between the arms' early validation loss and their final metric, 1 being the same order."""

    tau: float
    steps: int
    early: dict[str, float]

    @property
    def words(self) -> str:
        arms = len(self.early)
        return (
            f"runs of {SHARE:.0%} of the length put the {arms} trainings in an order that agrees with the final one to "
            f"{self.tau:.2f} (Kendall's tau; 1 is the same order, 0 none; Smith 2018, 3)"
        )


def early_ranking(
    asked: Asked, found: Mapping[str, Sequence[RunRecord]], judged_on: str = "val"
) -> Generator[Sequence[Spec], Sequence[RunRecord], Agreement | None]:
    """How the small runs' validation loss ranks the arms, against their final metric on the split `judged_on` ("test" where the validation
    split was trained on; nothing is chosen by it). None with fewer than three arms whose trainings finished."""
    final = {name: metric for name, records in found.items() if math.isfinite(metric := _final_metric(records, judged_on))}
    if len(final) < FEWEST:
        return None
    specs = {name: in_small(found[name][0].run) for name in final}
    records = yield list(specs.values())
    early = {name: early_loss(record) for name, record in zip(specs, records, strict=True)}
    sign = 1.0 if asked.config.data.metric_is == "higher" else -1.0
    tau = rank_agreement([-early[name] for name in final], [sign * final[name] for name in final])
    return Agreement(tau, next(iter(specs.values())).steps, early) if math.isfinite(tau) else None


def _final_metric(records: Sequence[RunRecord], split: str) -> float:
    """The mean final metric of an arm's finished runs on a split; NaN where none finished, or there is no such split."""
    metrics = [record.result[split]["metric"] for record in records if not record.diverged and split in record.result]
    return float(np.mean(metrics)) if metrics else math.nan


def in_small(spec: RunSpec) -> RunSpec:
    """A training with its whole schedule over a tenth of its steps, the held-out part held out; nothing is evaluated on the test split."""
    steps = max(1, round(spec.steps * SHARE))
    lr, momentum = (_squeezed(knots, steps / spec.steps) for knots in (spec.lr, spec.momentum))
    evaluate_after = evenly(steps, len(spec.evaluate_after))
    return replace(
        spec,
        data=replace(spec.data, fit="train"),
        steps=steps,
        lr=lr,
        momentum=momentum,
        evaluate_after=evaluate_after,
        finally_on=(),
        keep="",
        label=f"{spec.label}, in small",
    )


def _squeezed(knots: Knots, factor: float) -> Knots:
    return replace(knots, points=tuple((step * factor, value) for step, value in knots.points))


def early_loss(record: RunRecord) -> float:
    """The smoothed validation loss at the end; infinite where the run diverged."""
    if record.diverged:
        return math.inf
    read = curve(record)
    return float(smooth(read.step, read.val_loss).fit[-1])
