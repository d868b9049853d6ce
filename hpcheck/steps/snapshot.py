"""One run up to a snapshot, and runs that continue it with another weight decay each (Smith 2018, 4.4, Fig. 12)."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from hpcheck.analysis.choose import plateaued
from hpcheck.analysis.readable import sound
from hpcheck.runs.records import RunRecord
from hpcheck.runs.schedules import constant, cut, values
from hpcheck.runs.spec import RunSpec, Spec, evenly
from hpcheck.steps.build_runs import curve, run
from hpcheck.steps.compare import Make
from hpcheck.steps.policies import steady_lr, stepsize_of
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

MOST_SNAPSHOT_PIECES = 8  # the run up to a plateau is made in pieces until its loss has plateaued, at most so many
PIECES_A_RUN = 2  # ours: pieces that one short run's length is cut into on the way to the plateau

Taking = Generator[Sequence[Spec], Sequence[RunRecord], "Snapshot | None"]


@dataclass(frozen=True)
class Snapshot:
    """The run that ends at the snapshot, whether the loss had fallen from its start by more than its noise by then, and whether it had the
    plateau that was waited for."""

    record: RunRecord
    learnt: bool
    as_meant: bool = True


def at_plateau(asked: Asked, settings: Settings, steps: int) -> Taking:
    """Fig. 12a: a run at a constant lr, piece by piece, until its validation loss is read to have plateaued; None where it diverged."""
    piece = max(1, steps // PIECES_A_RUN)
    lr, momentum = constant(steady_lr(asked, settings)), constant(settings.max_momentum)
    label = f"to a plateau at weight decay {settings.weight_decay:g}"
    spec = replace(run(asked, settings, lr, momentum, piece, label), keep="last")
    records: list[RunRecord] = []
    for _ in range(MOST_SNAPSHOT_PIECES):
        (record,) = yield [spec]
        if record.diverged:
            return None  # it left no weights to continue from
        records.append(record)
        whole = curve(records)
        flat = plateaued(whole)
        if flat:
            break
        spec = continued(record, spec.steps + piece, settings.weight_decay, spec.label)
    return Snapshot(records[-1], sound(whole).learnt, flat)


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


def from_plateau(snapshot: RunRecord) -> Make:
    """Each value goes on from the snapshot at the same lr and momentum, half as long as a full run would be."""

    def make(weight_decay: float, steps: int) -> RunSpec:
        until = snapshot.run.steps + steps // PIECES_A_RUN
        return replace(continued(snapshot, until, weight_decay, _label(weight_decay)), keep="")

    return make


def half_way(asked: Asked, whole: RunSpec) -> Taking:
    """Fig. 12b: the first half of a run whose lr rises and, in a cycle, falls again: up to where a cycle's lr is largest; None where it
    diverged."""
    half = _half(asked, whole.steps)
    first = replace(
        whole,
        steps=half,
        evaluate_after=tuple(step for step in whole.evaluate_after if step <= half),
        keep="last",
        label=f"to half-way at weight decay {whole.weight_decay:g}",
    )
    (record,) = yield [first]
    return None if record.diverged else Snapshot(record, sound(curve(record)).learnt)


def from_half_way(asked: Asked, snapshot: RunRecord, whole: Make) -> Make:
    """Each value makes the second half of the run that `whole` describes, from the snapshot."""

    def make(weight_decay: float, steps: int) -> RunSpec:
        spec = whole(weight_decay, steps)
        half, at = _half(asked, steps), snapshot.run.steps
        until = at + steps - half
        return replace(
            spec,
            parent=snapshot.run_id,
            at_step=at,
            steps=until,
            lr=cut(spec.lr, half),
            momentum=cut(spec.momentum, half),
            evaluate_after=evenly(until, len(spec.evaluate_after) // 2, first=at),
            label=_label(weight_decay),
        )

    return make


def _half(asked: Asked, steps: int) -> int:
    """Where a run of `steps` iterations is cut in two: where 1cycle's lr is largest, else in its middle."""
    return stepsize_of(asked, steps) if asked.config.lr_range.policy == "1cycle" else steps // 2


def _label(weight_decay: float) -> str:
    return f"weight decay {weight_decay:g} from the snapshot"
