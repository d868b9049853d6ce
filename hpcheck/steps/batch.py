"""Step 2, total batch size: sizes that fit in memory compared at equal execution time, each at its own lr, judged by accuracy; a tie
keeps the user's own size (Smith 2018, 4.2, Remark 4 and 5, item 2; departing from them:
docs/decisions/018-tie-of-batch-sizes.md)."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hpcheck.analysis.choose import Rule, choose
from hpcheck.analysis.noise_scale import b_noise
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.analysis.smooth import smooth
from hpcheck.drawing.panels import Panel
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec, Spec, TimingSpec, can_be_cut, evenly
from hpcheck.steps.build_runs import curve, cycle, data_spec, examples_of_share, part, short_steps
from hpcheck.steps.compare import Compared, candidates, replicated
from hpcheck.steps.confirm_words import metric_name
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.reading import Reading, Settings, nothing_run
from hpcheck.steps.step import Asked, Steps
from hpcheck.steps.step_times import coarse, doubts, fastest

SOURCE = "section 4.2, Remark 4; section 5, item 2"
SIZES_TO_START = (0.5, 1, 2, 4)  # ours: multiples of the start's batch size that may be tried by default
ROUNDING = 0.05  # ours: iterations are rounded to 5%, so that the noise of a timing does not change what is run
EVALUATIONS = 10  # on the whole validation set, so fewer than elsewhere
FEWEST_STEPS = 25  # ours: below so many iterations a 1cycle is no training at all
SECONDS = "seconds of training"
HALVINGS = 2  # a size at which every lr diverged is tried at half the smallest of them, at most this often


@dataclass(frozen=True)
class Best:
    """One batch size at the best lr that was tried for it, of all the lrs tried."""

    spec: RunSpec
    record: RunRecord
    lr: float
    tried: tuple[float, ...]


@dataclass(frozen=True)
class Timed:
    """Seconds of an update at each size that fits, the sizes that do not, and the size that the others are compared with: the start's
    where it was measured. Plans go by `seconds`, whose ratios are on a coarse grid; people are told what was `measured`."""

    seconds: Mapping[int, float]
    measured: Mapping[int, float]
    too_large: tuple[int, ...]
    reference: int
    device: str  # where it was measured
    remarks: tuple[str, ...] = field(default=())


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set total_batch_size, and with it the lr."""
    if settings.max_lr is None:
        return nothing_run("batch", settings)
    sizes = candidate_sizes(asked, settings)
    (record,) = yield [measurement(asked, settings)]
    timed = read_timing(asked, settings, sizes, record)
    if timed is None:
        return nothing_run("batch", settings, "not even one example at a time fits in memory")
    if timed.reference != settings.total_batch_size:
        settings = with_lr(
            asked,
            replace(settings, total_batch_size=timed.reference),
            _scaled(settings.max_lr, timed.reference / settings.total_batch_size),
        )
    best = yield from climbed(asked, settings, timed)
    by_value = {float(size): one.spec for size, one in sorted(best.items())}
    records = [one.record for _, one in sorted(best.items())]
    compared = yield from replicated(by_value, records, short_steps(asked, "batch", settings), rule_of(asked, timed.reference))
    return _reading(asked, settings, compared, best, timed)


def rule_of(asked: Asked, reference: int) -> Rule:
    """By accuracy. In a tie the size that the others are compared with stays; where it is beaten, of those that cannot be told apart the
    nearest to it is taken, which lengthens the training least."""
    return Rule(judge="accuracy", tie="nearest", prefer=reference, examples=examples_of_share(asked))


def candidate_sizes(asked: Asked, settings: Settings) -> tuple[int, ...]:
    """The config's sizes, or a half, one, two and four times the start's, and the start's own or what `batch.max_size` leaves of it.

    None is larger than the training set allows, or cannot be cut into the parts that it is computed in; those that are not asked for leave
    two examples or more to each part, for BatchNorm's sake.
    """
    parts = asked.config.run.cut_into()
    options = asked.config.batch
    wanted = options.sizes or [size for factor in SIZES_TO_START if (size := round(settings.total_batch_size * factor)) >= 2 * parts]
    largest = min(options.max_size or asked.facts.train_examples, asked.facts.train_examples)
    return tuple(
        sorted({size for size in (*wanted, min(settings.total_batch_size, largest)) if can_be_cut(size, parts) and size <= largest})
    )


def read_timing(asked: Asked, settings: Settings, sizes: Sequence[int], record: RunRecord) -> Timed | None:
    """What the measurement says; None where nothing fits. A start that does not fit gives way to the largest size that does.

    The memory search adds the largest size that fits to those asked for; where the config names its sizes, it is used only for want of any.
    """
    measured = fastest(record.result["sizes"])
    asked_for = {size: seconds for size, seconds in measured.items() if size in sizes}
    seconds = asked_for if asked.config.batch.sizes and asked_for else measured
    if not seconds:
        return None
    too_large = tuple(record.result.get("too_large", ()))
    remarks = [f"{', '.join(map(str, too_large))} do not fit in memory with headroom"] if too_large else []
    start, reference = settings.total_batch_size, settings.total_batch_size
    if start not in seconds:
        reference = max(size for size in seconds if size < start) if min(seconds) < start else min(seconds)
        why = "does not fit in memory" if start in sizes else "is above batch.max_size"
        remarks.append(f"the start's batch size, {start}, {why}; gone on from {reference}, its lr in proportion")
    remarks += doubts(record.result["sizes"], seconds, reference)
    return Timed(coarse(seconds, reference), seconds, too_large, reference, _device(record), tuple(remarks))


def _device(record: RunRecord) -> str:
    return f"{record.environment.get('device', '')} ({record.environment.get('device_name', '')})"


def _elsewhere(device: str, records: Sequence[RunRecord]) -> tuple[str, ...]:
    """A warning where the sizes were timed on another device than the runs were made on."""
    others = sorted({_device(record) for record in records} - {device})
    if not others:
        return ()
    return (f"the step times were measured on {device}, runs made on {', '.join(others)}: `hpcheck batch --measure-again` times it there",)


def measurement(asked: Asked, settings: Settings) -> TimingSpec:
    """The measurement of step times that the step begins with."""
    return timing_spec(asked, candidate_sizes(asked, settings))


def timing_spec(asked: Asked, sizes: Sequence[int]) -> TimingSpec:
    config = asked.config
    return TimingSpec(
        data=data_spec(asked),
        model=part("models", config.model.name, config.model.options()),
        optimizer=part("optimizers", config.optimizer.name, config.optimizer.options()),
        batch_sizes=tuple(sizes),
        precision=config.run.precision,
        bn_splits=config.run.parts(),
        devices=config.run.devices,
        together="off" if config.run.together == "off" or config.run.engine == "ray" else "auto",
        reads=config.model.reads,
        label="step time",
    )


def iterations(steps: int, reference_seconds: float, seconds: float) -> int:
    """Iterations that take as long as `steps` of the reference size, rounded to 5% of themselves."""
    exact = steps * reference_seconds / seconds
    unit = max(1, round(exact * ROUNDING))
    return max(FEWEST_STEPS, round(exact / unit) * unit)


def equal_time_epochs(settings: Settings, seconds: dict[int, float], size: int) -> float:
    """Epochs at batch size `size` that take as long as the settings' own do (Smith 2018, 4.2: 48 epochs at 128, 95 at 512)."""
    ratio = (size / seconds[size]) / (settings.total_batch_size / seconds[settings.total_batch_size])
    return two_significant_figures(settings.epochs * ratio)


def climbed(asked: Asked, settings: Settings, timed: Timed) -> Generator[Sequence[Spec], Sequence[RunRecord], dict[int, Best]]:
    """Every size at the best of its lrs, outwards from the reference, whose lr is known.

    A larger size is tried at the lr of its smaller neighbour and at that lr in proportion to its size; a smaller one in proportion alone.
    Sizes that nobody asked for are left out beyond one that is already beaten.
    """
    reference, lr = timed.reference, settings.known_max_lr
    below = sorted((size for size in timed.seconds if size < reference), reverse=True)
    above = sorted(size for size in timed.seconds if size > reference)
    asks: dict[int, tuple[float, ...]] = {reference: (lr,), **{size: (_scaled(lr, size / reference),) for size in below}}
    best: dict[int, Best] = {}
    largest = reference
    while True:
        if above:
            size = above.pop(0)
            asks[size] = tuple(sorted({lr, _scaled(lr, size / largest)}))
            largest = size
        best |= yield from _at_best_lr(asked, settings, timed, asks)
        if not above or (asked.config.batch.sizes is None and beaten(largest, best, rule_of(asked, reference))):
            return best
        asks, lr = {}, best[largest].lr


def beaten(size: int, best: Mapping[int, Best], rule: Rule) -> bool:
    """Whether another size's accuracy is better beyond doubt."""
    choice = choose(candidates({float(one): (found.record,) for one, found in best.items()}), rule)
    return choice.value is not None and size not in (choice.tied or (choice.value,))


def _at_best_lr(
    asked: Asked, settings: Settings, timed: Timed, asks: Mapping[int, tuple[float, ...]]
) -> Generator[Sequence[Spec], Sequence[RunRecord], dict[int, Best]]:
    steps = short_steps(asked, "batch", settings)
    count = {size: iterations(steps, timed.seconds[timed.reference], timed.seconds[size]) for size in asks}
    lrs = dict(asks)
    tried: dict[int, dict[float, tuple[RunSpec, RunRecord]]] = {size: {} for size in asks}
    for _ in range(HALVINGS + 1):
        specs = [(size, lr, cycle_at(asked, settings, size, lr, count[size])) for size in lrs for lr in lrs[size]]
        found = yield [spec for _, _, spec in specs]
        for (size, lr, spec), record in zip(specs, found, strict=True):
            tried[size][lr] = (spec, record)
        diverged = [size for size in lrs if all(record.diverged for _, record in tried[size].values())]
        lrs = {size: (_scaled(min(tried[size]), 1 / 2),) for size in diverged}
        if not lrs:
            break
    rule = Rule(judge="accuracy", examples=examples_of_share(asked))
    return {size: _best(runs, rule) for size, runs in tried.items()}


def _best(runs: Mapping[float, tuple[RunSpec, RunRecord]], rule: Rule) -> Best:
    choice = choose(candidates({lr: (record,) for lr, (_, record) in runs.items()}), rule)
    lr = min(runs) if choice.value is None else choice.value
    return Best(*runs[lr], lr, tuple(sorted(runs)))


def _scaled(lr: float, factor: float) -> float:
    return two_significant_figures(lr * factor)


def cycle_at(asked: Asked, settings: Settings, size: int, max_lr: float, steps: int) -> RunSpec:
    """1cycle at one batch size, evaluated on the whole validation set."""
    spec = cycle(asked, with_lr(asked, replace(settings, total_batch_size=size), max_lr), steps, f"batch {size}, max lr {max_lr:.2g}")
    return replace(spec, eval_size=None, evaluate_after=evenly(steps, EVALUATIONS))


def _reading(asked: Asked, settings: Settings, compared: Compared, best: Mapping[int, Best], timed: Timed) -> Reading:
    choice = compared.choice
    after = settings if choice.value is None else _at_size(asked, settings, best[int(choice.value)], timed)
    seconds = {float(size): took for size, took in timed.seconds.items()}  # the runs were made equally long in these
    accuracy, loss = (candidate_lines(compared, "batch {:g}".format, quantity, seconds) for quantity in ("accuracy", "val_loss"))
    up = asked.config.data.metric_is == "higher"
    panels = (
        Panel("Batch size, at equal execution time", SECONDS, f"validation {metric_name(asked)}", accuracy, higher_is_better=up),
        Panel("Batch size: the loss beside it", SECONDS, "validation loss", loss),
    )
    remarks = (
        *timed.remarks,
        *_elsewhere(timed.device, [one.record for one in best.values()]),
        *told(figures(compared, best, timed), timed),
        "small batches regularize more, large ones less (Smith 2018, 5, item 2)",
    )
    noise = noise_read(best, timed.reference)
    if noise is not None:
        remarks = (*remarks, noise_words(noise, timed.reference, max(best)))
    kept = "start" if settings.total_batch_size == asked.config.start.total_batch_size else "the size that fits"
    item = evidence(asked, "total_batch_size", choice, SOURCE, compared.run_ids, value=after.total_batch_size, kept=kept)
    results = {"noise_scale": noise} if noise is not None else {}
    return Reading("batch", after, (item,), panels, remarks, results=results)


def noise_read(best: Mapping[int, Best], reference: int) -> float | None:
    """The noise scale in examples, from the best lrs at the reference and at the largest size; None where they do not say."""
    largest = max(best)
    if largest <= reference or reference not in best or best[reference].record.diverged or best[largest].record.diverged:
        return None
    found = b_noise(reference, largest / reference, best[largest].lr / best[reference].lr)
    return None if found is None else two_significant_figures(found)


def noise_words(noise: float, reference: int, largest: int) -> str:
    return (
        f"the best lrs at batch {reference} and {largest} give a noise scale of about {noise:g} examples: sizes well above it cost more "
        "examples for the same loss (McCandlish et al. 2018)"
    )


def _at_size(asked: Asked, settings: Settings, best: Best, timed: Timed) -> Settings:
    """The settings with the batch size and lr of `best`, and as many epochs as the config holds."""
    size = best.spec.total_batch_size
    same = asked.config.budget.hold == "epochs" or size == settings.total_batch_size
    epochs = settings.epochs if same else equal_time_epochs(settings, dict(timed.seconds), size)
    return with_lr(asked, replace(settings, total_batch_size=size, epochs=epochs), best.lr)


def figures(compared: Compared, best: Mapping[int, Best], timed: Timed) -> dict[int, dict[str, Any]]:
    """For each size: the lr taken and those tried, and the seconds of training until its metric was as good as at the end of the least of
    those that cannot be told apart (None where it never was). Told in remarks alone: wall times have no place in recommended.yaml."""
    kept = compared.choice.tied or (compared.choice.value or timed.reference,)
    goal = max(_metric_cost(best[int(size)].record)[-1] for size in kept)
    rows = {}
    for size, one in sorted(best.items()):
        there = np.flatnonzero(_metric_cost(one.record) <= goal)
        seconds = float(one.record.column("step")[there[0]]) * timed.measured[size] if len(there) else None
        rows[size] = {"max_lr": one.lr, "lrs_tried": one.tried, "seconds": seconds}
    return rows


def _metric_cost(record: RunRecord) -> np.ndarray:  # (E,) smoothed, lower is better
    read = curve(record)
    cost = read.metric_cost
    return np.full(len(read), np.inf) if cost is None else smooth(read.step, cost).fit


def told(rows: Mapping[int, Mapping[str, Any]], timed: Timed) -> tuple[str, ...]:
    """The figures in words: step times, the lr of each size, and how soon each was as good as the least of those that are tied."""
    times = ", ".join(f"{size}: {1000 * timed.measured[size]:.1f} ms" for size in sorted(timed.measured))
    lrs = ", ".join(f"{size}: {row['max_lr']:g} of {'/'.join(f'{lr:g}' for lr in row['lrs_tried'])}" for size, row in rows.items())
    reached = ", ".join(f"{size}: {'never' if row['seconds'] is None else format(row['seconds'], '.3g')}" for size, row in rows.items())
    return (
        f"step times: {times}",
        f"max lr taken of those tried: {lrs}",
        f"seconds of training to the same accuracy: {reached}",
    )
