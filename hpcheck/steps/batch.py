"""Step 2, total batch size: sizes compared at equal execution time, each at an lr scaled to it, judged by accuracy; a tie goes to the
larger (Smith 2018, 4.2, Remark 4 and 5, item 2)."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from hpcheck.analysis.exponent import two_significant_figures
from hpcheck.records import RunRecord
from hpcheck.settings import Panel, Reading, Settings
from hpcheck.spec import RunSpec, Spec, TimingSpec, evenly
from hpcheck.steps.compare import Compared, Rule, replicated
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.replay import Asked, Steps
from hpcheck.steps.runs import cycle, data_spec, part, short_steps

SOURCE = "section 4.2, Remark 4; section 5, item 2"
SIZES_TO_START = (0.5, 1, 2, 4)  # ours: multiples of the start's batch size that are tried by default
ROUNDING = 0.05  # DESIGN 3: iterations rounded to 5%, so that the noise of a timing does not change what is run
EVALUATIONS = 10  # on the whole validation set, so fewer than elsewhere
FEWEST_STEPS = 25  # ours: below so many iterations a 1cycle is no training at all
HALVINGS = 2  # an lr scaled with the batch size that diverges is halved at most this often
RULE = Rule(judge="accuracy", tie="largest")


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set total_batch_size, and with it the lr."""
    if settings.max_lr is None:
        return Reading("batch", settings, (), remarks=("batch: no learning rate is known; read one first (lr-range)",))
    sizes = candidate_sizes(asked, settings)
    (timing,) = yield [timing_spec(asked, sizes)]
    seconds = {entry["size"]: min(entry["samples"]) for entry in timing.result["sizes"]}  # others' load only ever adds to a step's time
    if settings.total_batch_size not in seconds:
        note = f"batch: {settings.total_batch_size} does not fit in memory; start from {max(seconds, default=1)} or less"
        return Reading("batch", settings, (), remarks=(note,))
    compared, lrs = yield from _compared(asked, settings, seconds)
    return _reading(asked, settings, compared, lrs, seconds)


def candidate_sizes(asked: Asked, settings: Settings) -> tuple[int, ...]:
    """The config's sizes, or a half, one, two and four times the start's; none larger than the training set allows."""
    options = asked.config.batch
    wanted = options.sizes or [round(settings.total_batch_size * factor) for factor in SIZES_TO_START]
    largest = min(options.max_size or asked.facts.train_examples, asked.facts.train_examples)
    return tuple(sorted({size for size in (*wanted, settings.total_batch_size) if 1 <= size <= largest}))


def timing_spec(asked: Asked, sizes: Sequence[int]) -> TimingSpec:
    config = asked.config
    return TimingSpec(
        data=data_spec(asked),
        model=part("models", config.model.name, config.model.options()),
        optimizer=part("optimizers", config.optimizer.name, config.optimizer.options()),
        batch_sizes=tuple(sizes),
        precision=config.run.precision,
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


def _compared(
    asked: Asked, settings: Settings, seconds: dict[int, float]
) -> Generator[Sequence[Spec], Sequence[RunRecord], tuple[Compared, dict[int, float]]]:
    reference = settings.total_batch_size
    steps = short_steps(asked, "batch", settings)
    count = {size: iterations(steps, seconds[reference], seconds[size]) for size in seconds}
    lrs = {size: two_significant_figures((settings.max_lr or 0.0) * size / reference) for size in seconds}
    specs = {size: cycle_at(asked, settings, size, lrs[size], count[size]) for size in seconds}
    found = yield list(specs.values())
    records = dict(zip(specs, found, strict=True))
    for _ in range(HALVINGS):
        diverged = [size for size, record in records.items() if record.diverged]
        if not diverged:
            break
        for size in diverged:
            lrs[size] = two_significant_figures(lrs[size] / 2)
            specs[size] = cycle_at(asked, settings, size, lrs[size], count[size])
        found = yield [specs[size] for size in diverged]
        records.update(zip(diverged, found, strict=True))
    by_value = {float(size): spec for size, spec in specs.items()}
    compared = yield from replicated(by_value, list(records.values()), steps, RULE)
    return compared, lrs


def cycle_at(asked: Asked, settings: Settings, size: int, max_lr: float, steps: int) -> RunSpec:
    """1cycle at one batch size, evaluated on the whole validation set."""
    spec = cycle(asked, with_lr(asked, replace(settings, total_batch_size=size), max_lr), steps, f"batch {size}, max lr {max_lr:.2g}")
    return replace(spec, eval_size=None, evaluate_after=evenly(steps, EVALUATIONS))


def _reading(asked: Asked, settings: Settings, compared: Compared, lrs: dict[int, float], seconds: dict[int, float]) -> Reading:
    choice = compared.choice
    size = int(choice.value) if choice.value is not None else settings.total_batch_size
    same = asked.config.budget.hold == "epochs" or size == settings.total_batch_size
    epochs = settings.epochs if same else equal_time_epochs(settings, seconds, size)
    after = with_lr(asked, replace(settings, total_batch_size=size, epochs=epochs), lrs[size])
    accuracy, loss = (candidate_lines(compared, "batch {:g}".format, quantity) for quantity in ("accuracy", "val_loss"))
    panels = (
        Panel("Batch size, at equal execution time", "iteration", "validation metric", accuracy, higher_is_better=True),
        Panel("Batch size: the loss beside it", "iteration", "validation loss", loss),
    )
    remarks = (
        "step times: " + ", ".join(f"{value}: {1000 * seconds[value]:.1f} ms" for value in sorted(seconds)),
        "small batches regularize more, large ones less (Smith 2018, 5, item 2)",
    )
    return Reading("batch", after, (evidence("total_batch_size", choice, SOURCE, compared.run_ids, value=size),), panels, remarks)
