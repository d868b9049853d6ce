"""Settings trained in full beside one another, a seed at a time, and who leads: what `confirm` decides from."""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hpcheck.analysis.full_trainings import Judged, Leader, Trained, judged, leader
from hpcheck.runs.outcomes import unpacked
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import examples_of_share
from hpcheck.steps.confirm_words import metric_name, named, spelled
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked, Round, Wanted
from hpcheck.steps.train import final_run

PERCENT = 100.0
SHARES = ("accuracy", "acc", "top1", "top-1")  # ours: names of a script's metric that is a share of the validation examples
LARGEST = 1e100  # ours: a larger loss or metric says as little as none, and its square is no float
Training = Generator[Wanted, Sequence[RunRecord], None]
Sure = Callable[[Sequence[RunRecord]], Sequence[Spec]]


@dataclass
class Contest:
    """The settings trained in full so far, in the order in which they were, each with its trainings: the first seed, then fresh ones."""

    asked: Asked
    start: Settings
    total: int
    records: dict[Settings, list[RunRecord]] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.total - sum(map(len, self.records.values()))

    @property
    def candidates(self) -> list[Settings]:
        return list(self.records)

    def trained(self, settings: Settings) -> list[Trained]:
        return [outcome(self.asked, record) for record in self.records[settings]]

    def best(self, among: Sequence[Settings] | None = None) -> tuple[Settings | None, Settings | None]:
        """The best by the first seed, and who has the better loss where the metric is against it."""
        several = self.candidates if among is None else list(among)
        found: Leader = leader([self.trained(one)[0] for one in several])
        first, opposed = (None if number is None else several[number] for number in (found.number, found.opposed))
        return first, opposed

    def judged(self, ours: Settings, theirs: Settings, fresh: bool = False, first: bool = False) -> Judged:
        """One against another: over all seeds that both have, over fresh ones alone, or over the first."""
        sides = [self.trained(one) for one in (ours, theirs)]
        if first:
            sides = [side[:1] for side in sides]
        elif fresh:
            sides = [side[1:] for side in sides]
        return judged(sides[0], sides[1], [self.trained(one) for one in self.candidates])

    def train(self, wanted: Sequence[Settings], sure: Sure = lambda _: ()) -> Training:
        """The next seed of each of these, side by side; `sure`: what is certain to be trained after them, as `Round` has it."""
        counts = {one: len(self.records.get(one, ())) for one in wanted}
        specs, order = [], []
        for one in wanted:
            specs.append(full_training(self.asked, one, counts[one]))
            order.append(one)
            counts[one] += 1
        found = yield Round(specs, sure)
        for one, record in zip(order, found, strict=True):
            self.records.setdefault(one, []).append(record)


def full_training(asked: Asked, settings: Settings, seed: int) -> RunSpec:
    """The run that `train` makes of these settings, on the training part alone, with what it does to each validation example kept. The
    first one's weights are kept too: it may be the final training."""
    config = asked.config
    on_train = replace(asked, config=config.model_copy(update={"train": config.train.model_copy(update={"fit": "train"})}))
    spec = final_run(on_train, settings, named(asked, settings) + (f", fresh seed {seed}" if seed else ""))
    if config.script is not None:
        # Without a test split it is another run than the final training, whose script goes on to its own end and saves what it saves.
        return replace(spec, seed=spec.seed + seed, finally_on=("val",), outcomes=True)
    return replace(spec, seed=spec.seed + seed, keep="" if seed else "best", outcomes=True)


def outcome(asked: Asked, record: RunRecord) -> Trained:
    """A full training as the judge has it."""
    found = record.result.get("val") or last_measured(record)
    if record.diverged or found is None or not is_finite(found):
        return Trained(float("inf"), float("inf"), diverged=True)
    kept = record.result.get("outcomes", {})
    losses, scores = unpacked(kept.get("loss")), unpacked(kept.get("metric"))
    higher = asked.config.data.metric_is == "higher"
    sign = -1.0 if higher else 1.0
    metric, loss = float(found["metric"]), float(found["loss"])
    costs = None if scores is None else sign * scores
    is_script, name = asked.config.script is not None, asked.config.data.metric
    shipped = asked.facts.metric_fits and name in ("auto", "accuracy", "r2")
    is_r2 = (is_script and name.lower() == "r2") or (asked.facts.task == "regression" and shipped)
    if is_r2 and losses is not None and loss > 0:
        costs = losses * (1 - metric) / loss  # R2 is 1 - error / variance, example by example
    if is_script:
        return _of_script(asked, record, Trained(loss, sign * metric, losses, costs))
    share = examples_of_share(asked)
    return Trained(loss, sign * metric, losses, costs, share, 1 - metric if shipped else None)


def _of_script(asked: Asked, record: RunRecord, trained: Trained) -> Trained:
    """A script's training with what is known of its figures. Its metric is a share of the examples where each score is right or wrong, or
    where it is called an accuracy; in percent where it comes above 1."""
    if trained.losses is None:
        trained = replace(trained, loss_of=asked.facts.val_examples)
    higher, name, metric = asked.config.data.metric_is == "higher", asked.config.data.metric.lower(), abs(trained.metric)
    if trained.costs is not None:
        whole = float(np.abs(trained.costs).max(initial=0.0))
        is_share = whole in (1.0, PERCENT) and bool(np.isin(trained.costs, (0.0, whole, -whole)).all())
    else:
        whole = PERCENT if max((row["metric"] for row in record.rows), default=metric) > 1 else 1.0
        is_share = higher and any(word in name for word in SHARES)
    if is_share and 0 <= metric <= whole:
        return replace(trained, share_of=asked.facts.val_examples, whole=whole, lacks=whole - metric if higher else metric)
    return replace(trained, lacks=1 + trained.metric) if name == "r2" else trained


def has_no_number(record: RunRecord) -> bool:
    """Whether a training ended as it should, and its loss or metric cannot be compared."""
    return not record.diverged and "val" in record.result and not is_finite(record.result["val"])


def without_number(contest: Contest) -> list[str]:
    """In words, that there are such trainings; nothing where there are none."""
    records = [record for several in contest.records.values() for record in several]
    odd = [record.result["val"] for record in records if has_no_number(record)]
    if not odd:
        return []
    name = metric_name(contest.asked) if all(is_comparable(one["loss"]) for one in odd) else "loss"
    count = f"{spelled(len(odd))} of {spelled(len(records))} full trainings"
    return [f"the {name} is NaN, or too large to compare, after {count}, which count as if they had diverged: look at that function"]


def is_finite(found: Mapping[str, float]) -> bool:
    """Whether a training came to figures that can be compared: a metric may be NaN where the loss is none."""
    return all(is_comparable(found[name]) for name in ("loss", "metric"))


def is_comparable(figure: float) -> bool:
    return math.isfinite(figure) and abs(figure) <= LARGEST


def last_measured(record: RunRecord) -> dict[str, float] | None:
    """The last row's figures, where the end of a training was not measured by itself; None where there is none that is finite."""
    last = record.rows[-1] if record.rows else {}
    found = {"loss": last.get("val_loss", math.nan), "metric": last.get("metric", math.nan)}
    return found if all(map(math.isfinite, found.values())) else None
