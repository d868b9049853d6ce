"""Step 4, weight decay: combined lr-range and cyclical-momentum runs at a few values, then bisection of the exponent of the best two or
extrapolation past an edge (Smith 2018, 4.4, Remark 6 and 5, item 4)."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from hpcheck.analysis.choose import plateaued, too_short_to_tell
from hpcheck.analysis.exponent import next_weight_decays
from hpcheck.records import RunRecord
from hpcheck.schedules import constant, values
from hpcheck.settings import Evidence, Panel, Reading, Settings
from hpcheck.spec import RunSpec, Spec, evenly
from hpcheck.steps.compare import Compared, Make, Rule, compare
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.replay import Asked, Steps
from hpcheck.steps.runs import curve, range_test, run, short_steps

SOURCE = "section 4.4, Remark 6; section 5, item 4"
NO_IDEA = (1e-3, 1e-4, 1e-5, 0.0)  # 4.4: "if you have no idea of a reasonable value"
SHALLOW = (1e-2, 1e-3, 1e-4)  # 5, item 4: "a shallow architecture requires more regularization"
SHALLOW_MODELS = {"mlp", "lenet", "shallow3"}  # shipped networks with four weight layers or fewer
RAMP_OVER_MAX = 1.5  # ours: the combined runs go somewhat past max_lr, where too much weight decay shows as instability (Fig. 10a)
RAMP_FROM = 1 / 10
MOST_SNAPSHOT_PIECES = 8  # the run up to the snapshot is made in pieces until its loss has plateaued, at most so many
PIECES_A_RUN = 2  # ours: pieces that one short run's length is cut into on the way to the snapshot


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set weight_decay by the full grid, or from a snapshot where the config says so (Fig. 12)."""
    if settings.max_lr is None:
        return Reading("wd-grid", settings, (), remarks=("wd-grid: no learning rate is known; read one first (lr-range)",))
    steps = short_steps(asked, "wd_grid", settings)
    make, rule, remarks = _full_run(asked, settings), _rule(asked, settings, False), []
    if asked.config.wd_grid.from_snapshot:
        snapshot = yield from _snapshot(asked, settings, steps)
        if snapshot is None:
            remarks.append("wd-grid: the run up to the snapshot diverged, so the whole grid was run")
        else:
            make, rule = _from_snapshot(asked, settings, snapshot), _rule(asked, settings, True)
    tried = list(grid_values(asked))
    compared = yield from compare(tried, make, steps, rule)
    for _ in range(asked.config.wd_grid.max_rounds):
        further = next_weight_decays(compared.choice, tuple(tried))
        if not further:
            break
        tried += further
        compared = yield from compare(sorted(tried), make, compared.steps, rule)
    return _reading(settings, compared, remarks)


def grid_values(asked: Asked) -> tuple[float, ...]:
    """The config's values, else those the paper gives for what is known of the network."""
    if asked.config.wd_grid.values is not None:
        return tuple(sorted(asked.config.wd_grid.values))
    return tuple(sorted(SHALLOW if asked.config.model.name in SHALLOW_MODELS else NO_IDEA))


def _rule(asked: Asked, settings: Settings, forked: bool) -> Rule:
    if asked.config.wd_grid.mode == "constant" or forked:
        return Rule(at="end", x="step", prefer=settings.weight_decay)
    return Rule(at="span", x="lr", prefer=settings.weight_decay)


def _full_run(asked: Asked, settings: Settings) -> Make:
    """Range mode: lr rising, momentum falling (Fig. 10a). Constant mode: Fig. 9, where a larger value reads best."""
    max_lr = settings.max_lr or 0.0

    def make(weight_decay: float, steps: int) -> RunSpec:
        tried, label = replace(settings, weight_decay=weight_decay), f"weight decay {weight_decay:g}"
        if asked.config.wd_grid.mode == "constant":
            return run(asked, tried, constant(max_lr / 2), constant(settings.max_momentum), steps, label)
        return range_test(asked, tried, max_lr * RAMP_FROM, max_lr * RAMP_OVER_MAX, steps, label)

    return make


def _snapshot(asked: Asked, settings: Settings, steps: int) -> Generator[Sequence[Spec], Sequence[RunRecord], RunRecord | None]:
    """One run at a middle weight decay, piece by piece, until its validation loss is read to have plateaued; None where it diverged."""
    grid = grid_values(asked)
    middle = asked.config.wd_grid.snapshot_weight_decay
    middle = grid[len(grid) // 2] if middle is None else middle
    piece = max(1, steps // PIECES_A_RUN)
    lr, momentum = constant((settings.max_lr or 0.0) / 2), constant(settings.max_momentum)
    tried = replace(settings, weight_decay=middle)
    spec = replace(run(asked, tried, lr, momentum, piece, f"to a plateau at weight decay {middle:g}"), keep="last")
    records: list[RunRecord] = []
    for _ in range(MOST_SNAPSHOT_PIECES):
        (record,) = yield [spec]
        if record.diverged:
            return None  # it left no weights to continue from
        records.append(record)
        if plateaued(curve(records)):
            break
        spec = continued(record, spec.steps + piece, middle, spec.label)
    return records[-1]


def continued(parent: RunRecord, until: int, weight_decay: float, label: str) -> RunSpec:
    """The parent's run carried on to step `until` at its last lr and momentum, with another weight decay."""
    spec = parent.run
    return replace(
        spec,
        parent=parent.run_id,
        at_step=spec.steps,
        steps=until,
        lr=constant(float(values(spec.lr, spec.steps - spec.at_step)[-1])),
        momentum=constant(float(values(spec.momentum, spec.steps - spec.at_step)[-1])),
        weight_decay=weight_decay,
        evaluate_after=evenly(until, len(spec.evaluate_after), first=spec.steps),
        label=label,
    )


def _from_snapshot(asked: Asked, settings: Settings, snapshot: RunRecord) -> Make:
    """Each value continues from the snapshot at the same lr and momentum (Fig. 12a), half as long as a full run would be."""

    def make(weight_decay: float, steps: int) -> RunSpec:
        until = snapshot.run.steps + steps // PIECES_A_RUN
        return replace(continued(snapshot, until, weight_decay, f"weight decay {weight_decay:g} from the snapshot"), keep="")

    return make


def _reading(settings: Settings, compared: Compared, remarks: Sequence[str]) -> Reading:
    choice = compared.choice
    value = settings.weight_decay if choice.value is None else choice.value
    items: tuple[Evidence, ...] = (evidence("weight_decay", choice, SOURCE, compared.run_ids, value=value),)
    lines = candidate_lines(compared, "weight decay {:g}".format)
    if _too_short(compared):
        remarks = [*remarks, "the runs are too short to tell these weight decays apart: longer ones may"]
    panel = Panel("Weight decay", "iteration", "validation loss", lines)
    return Reading("wd-grid", replace(settings, weight_decay=value), items, (panel,), tuple(remarks))


def _too_short(compared: Compared) -> bool:
    """Whether a tie may only mean that weight decay has had no time to act (DESIGN 3)."""
    tied = sorted(compared.choice.tied)
    if compared.choice.status != "tied" or len(tied) < 2:
        return False
    spec = compared.records[tied[0]][0].run
    count = spec.steps - spec.at_step
    return bool(too_short_to_tell(values(spec.lr, count), values(spec.momentum, count), tied[0], tied[-1]))
