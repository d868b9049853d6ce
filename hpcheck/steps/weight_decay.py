"""Step 4, weight decay: combined runs with cyclical lr and momentum at a few values, then bisection of the exponent of the best two or
extrapolation past an edge (Smith 2018, 4.4, Remark 6 and 5, item 4)."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from hpcheck.analysis.choose import Rule, too_short_to_tell
from hpcheck.analysis.optimum import next_weight_decays
from hpcheck.drawing.panels import Panel
from hpcheck.plugins.search_space import is_shallow, search_of
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, values
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import cycle, examples_of_share, longest_steps, range_test, run, short_steps
from hpcheck.steps.compare import Compared, Make, compare
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.policies import steady_lr
from hpcheck.steps.reading import Evidence, Finding, Reading, Settings, nothing_run
from hpcheck.steps.snapshot import Snapshot, at_plateau, from_half_way, from_plateau, half_way
from hpcheck.steps.step import Asked, Steps

SOURCE = "section 4.4, Remark 6; section 5, item 4"
NO_IDEA = (1e-3, 1e-4, 1e-5, 0.0)  # 4.4: "if you have no idea of a reasonable value"
SHALLOW = (1e-2, 1e-3, 1e-4)  # 5, item 4: "a shallow architecture requires more regularization"
RAMP_OVER_MAX = 1.5  # ours: range runs go somewhat past max_lr, where too much weight decay shows as instability (Fig. 10a)
RAMP_FROM = 1 / 10

Forking = Generator[Sequence[Spec], Sequence[RunRecord], tuple[Make, Snapshot] | None]


def decide(asked: Asked, settings: Settings) -> Steps:
    """Set weight_decay by the full grid, or from a snapshot where the config says so (Fig. 12)."""
    if settings.max_lr is None:
        return nothing_run("wd-grid", settings)
    steps, most = short_steps(asked, "wd_grid", settings), longest_steps(asked, settings)
    make, rule, remarks = full_run(asked, settings), _rule(asked), []
    if asked.config.wd_grid.from_snapshot:
        forked = yield from _forked(asked, settings, make, steps)
        if forked is None:
            remarks.append("the run up to the snapshot diverged, so the whole grid was run")
        else:
            make, snapshot = forked
            rule = replace(rule, learnt=snapshot.learnt)
            if not snapshot.as_meant:
                remarks.append(f"no plateau came in {snapshot.record.run.steps} iterations, so the snapshot was taken there")
    tried = list(grid_values(asked))
    compared = yield from compare(tried, make, steps, most, rule)
    for _ in range(asked.config.wd_grid.max_rounds):
        further = next_weight_decays(compared.choice, tuple(tried))
        if not further:
            break
        tried += further
        compared = yield from compare(sorted(tried), make, compared.steps, most, rule, compared)
    if compared.forked and compared.choice.confidence == "high":  # its seeds differ after the snapshot alone
        compared = replace(compared, choice=replace(compared.choice, confidence="medium"))
    return _reading(asked, settings, compared, remarks)


def grid_values(asked: Asked) -> tuple[float, ...]:
    """The config's values, else the optimizer's, else those the paper gives for what is known of the network."""
    config = asked.config
    by_network = SHALLOW if is_shallow(config.model.name) else NO_IDEA
    values = config.wd_grid.values
    return tuple(sorted((search_of(config.optimizer.name).weight_decays or by_network) if values is None else values))


def _rule(asked: Asked) -> Rule:
    """Inside a tie the upper middle: a full training is several times as long as these runs, and overfits where they do not yet
    (docs/decisions/009-weight-decay.md)."""
    ramped = asked.config.wd_grid.mode == "range"
    rule = Rule(tie="upper-middle", examples=examples_of_share(asked))
    return replace(rule, at="span", x="lr") if ramped else rule


def full_run(asked: Asked, settings: Settings) -> Make:
    """A whole run at each value. Cycle mode: a short 1cycle with cyclical momentum, as the training will be. Range mode: lr rising,
    momentum falling (Fig. 10a). Constant mode: Fig. 9, where a larger value reads best."""
    max_lr, mode = settings.known_max_lr, asked.config.wd_grid.mode

    def make(weight_decay: float, steps: int) -> RunSpec:
        tried, label = replace(settings, weight_decay=weight_decay), f"weight decay {weight_decay:g}"
        if mode == "constant":
            return run(asked, tried, constant(steady_lr(asked, tried)), constant(settings.max_momentum), steps, label)
        if mode == "range":
            return range_test(asked, tried, max_lr * RAMP_FROM, max_lr * RAMP_OVER_MAX, steps, label)
        return cycle(asked, tried, steps, label)

    return make


def _forked(asked: Asked, settings: Settings, whole: Make, steps: int) -> Forking:
    """Runs that go on from one snapshot at a middle weight decay: at a plateau in constant mode (Fig. 12a), half-way through a run in the
    other modes (Fig. 12b); and that snapshot. None where the run up to it diverged."""
    grid, middle = grid_values(asked), asked.config.wd_grid.snapshot_weight_decay
    middle = grid[len(grid) // 2] if middle is None else middle
    if asked.config.wd_grid.mode == "constant":
        plateau = yield from at_plateau(asked, replace(settings, weight_decay=middle), steps)
        return None if plateau is None else (from_plateau(plateau.record), plateau)
    half = yield from half_way(asked, whole(middle, steps))
    return None if half is None else (from_half_way(asked, half.record, whole), half)


def _reading(asked: Asked, settings: Settings, compared: Compared, remarks: Sequence[str]) -> Reading:
    choice = compared.choice
    value = settings.weight_decay if choice.value is None else choice.value
    items: tuple[Evidence, ...] = (evidence(asked, "weight_decay", choice, SOURCE, compared.run_ids, value=value),)
    lines = candidate_lines(compared, "weight decay {:g}".format)
    too_short = _too_short(compared)
    if too_short:
        remarks = [*remarks, "the runs are too short to tell these weight decays apart: longer ones may"]
    findings: frozenset[Finding] = frozenset({"too short to tell"} if too_short else ())
    panel = Panel("Weight decay", "iteration", "validation loss", lines)
    return Reading("wd-grid", replace(settings, weight_decay=value), items, (panel,), tuple(remarks), findings=findings)


def _too_short(compared: Compared) -> bool:
    """Whether a tie may only mean that weight decay has had no time to act (`TOO_SHORT` in analysis/choose.py)."""
    tied = sorted(compared.choice.tied)
    if compared.choice.status != "tied" or len(tied) < 2:
        return False
    spec = compared.records[tied[0]][0].run
    count = spec.steps - spec.at_step
    momentum = constant(0.0) if search_of(spec.optimizer.name).decoupled else spec.momentum
    return bool(too_short_to_tell(values(spec.lr, count), values(momentum, count), tied[0], tied[-1]))
