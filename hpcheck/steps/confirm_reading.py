"""What the full trainings of `confirm` say: the settings that follow from them, the verdict, the pictures, and what is not confirmed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpcheck.analysis.full_trainings import Ahead, By, Judged
from hpcheck.drawing.panels import Panel, Series
from hpcheck.steps.build_runs import curve
from hpcheck.steps.confirm_evidence import SOURCE, confidence_in, evidence
from hpcheck.steps.confirm_plan import longer_than_start
from hpcheck.steps.confirm_words import METRIC, figure_words, metric_name, named, seeds_words, spelled
from hpcheck.steps.contest import Contest, has_no_number, without_number
from hpcheck.steps.evidence import note_of, series
from hpcheck.steps.reading import Evidence, Reading, Settings
from hpcheck.steps.train import summary
from hpcheck.steps.trained_lines import trained_lines

BETTER, PROBABLY, NOT_BETTER = "better", "probably better", "not better"


def reading(contest: Contest, before: Settings, ours: Settings | None) -> Reading:
    """The reading once all is trained. `ours` is the best other than the start; None where there is none that finished."""
    start = contest.start
    together = None if ours is None else contest.judged(ours, start)
    odd = any(map(has_no_number, contest.records[start]))  # that yours is beyond comparison is no sign that the other is better
    passes = together is not None and together.passes and not odd
    chosen = ours if ours is not None and passes else start
    confidence = {name: confidence_in(contest, chosen, ours, name) for name in ("weight_decay", "learning_rate")}
    verdict = _verdict(contest, ours, passes)
    results: dict[str, Any] = {
        "trainings": contest.total - contest.left,
        "verdict": verdict,
        "confidence": confidence,
        "considered": trained_lines(contest),
        "recommended": summary(_shown(contest, chosen, ours)),
        "start": summary(_shown(contest, start, ours)),
    }
    remarks = [
        _tested(contest, verdict),
        *without_number(contest),
        *_opposed(contest),
        *_longer(contest, chosen),
        *_slower(contest, chosen),
    ]
    return Reading(
        "confirm", chosen, evidence(contest, before, chosen, ours, confidence), panels(contest, chosen), tuple(remarks), results=results
    )


def all_diverged(contest: Contest, before: Settings) -> Reading:
    """Nothing finished: the settings stay, and nothing is confirmed."""
    runs = tuple(record.run_id for records in contest.records.values() for record in records)
    nameless = without_number(contest)
    if nameless:
        reason = f"none of the {len(runs)} full trainings came to figures that can be compared"
        item = Evidence("weight_decay", before.weight_decay, "abstained", "none", reason, SOURCE, runs=runs)
        return Reading("confirm", before, (item,), panels(contest, before), (f"{reason}: {nameless[0]}",))
    reason = f"all {len(runs)} full trainings diverged"
    item = Evidence("weight_decay", before.weight_decay, "abstained", "none", reason, SOURCE, runs=runs)
    why = (
        f"{reason}: the lr is too large for a full training; read it again over longer runs (lr_range.steps) or give a smaller start.max_lr"
    )
    return Reading("confirm", before, (item,), panels(contest, before), (why,))


def _shown(contest: Contest, settings: Settings, ours: Settings | None) -> list[Any]:
    """The fresh trainings of the settings, which chose nothing; where there are none, the first."""
    records = contest.records[settings]
    return records[1:] or records


def _verdict(contest: Contest, ours: Settings | None, passes: bool) -> dict[str, Any]:
    """The figures of the verdict, by fresh seeds; over both seeds beside them."""
    asked, start = contest.asked, contest.start
    if ours is None or len(contest.records[ours]) < 2 or len(contest.records[start]) < 2:
        return {"says": NOT_BETTER, "fresh_seeds": [0, 0], "diverged": [0, 0]}
    fresh, together = contest.judged(ours, start, fresh=True), contest.judged(ours, start)
    decided = fresh.decided_by
    says = NOT_BETTER if not passes else BETTER if decided is not None else PROBABLY
    sides = [contest.trained(one) for one in (ours, start)]
    told: dict[str, Any] = {
        "says": says,
        "by": decided or "metric",
        "name": metric_name(asked),
        "ours_are": named(asked, ours),
        "fresh_seeds": [len(side) - 1 for side in sides],
        "trained": [len(side) for side in sides],
        "without_number": [sum(map(has_no_number, contest.records[one])) for one in (ours, start)],
        "diverged": [sum(one.diverged for one in side) for side in sides],
    }
    if not any(one.diverged for side in sides for one in side):
        told |= {by: _figures(contest, fresh, by, [side[1:] for side in sides]) for by in ("metric", "loss")}
        told["together"] = {by: _figures(contest, together, by, sides) for by in ("metric", "loss")}
    return told


def _figures(contest: Contest, found: Judged, by: By, sides: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Means of both sides as measured, and the difference, positive where ours is better."""
    sign = -1.0 if by == METRIC and contest.asked.config.data.metric_is == "higher" else 1.0
    ours, theirs = (sign * sum(one.figure(by) for one in side) / len(side) for side in sides)
    ahead: Ahead = found.metric if by == METRIC else found.loss
    return {"ours": ours, "theirs": theirs, "difference": ahead.value, "error": ahead.error, "interval": list(ahead.interval)}


def _tested(contest: Contest, verdict: dict[str, Any]) -> str:
    """What was tested, and what was not."""
    count = contest.total - contest.left
    counts = verdict["fresh_seeds"]
    seeds = f". The best ({verdict['ours_are']}) and yours were trained again, with {seeds_words(counts)}" if sum(counts) else ""
    untested = [
        word
        for word, value in (
            ("batch size", lambda one: one.total_batch_size),
            ("momentum", lambda one: (one.max_momentum, one.min_momentum)),
        )
        if len({value(one) for one in contest.candidates}) == 1
    ]
    no = f". Not tested in full: {' and '.join(untested)}" if untested else ""
    trainings = f"{spelled(count)} full training{'s' * (count != 1)}"
    return f"{trainings} of {spelled(len(contest.candidates))} settings{seeds}{no}"


def _opposed(contest: Contest) -> list[str]:
    best, other = contest.best()
    if best is None or other is None:
        return []
    asked = contest.asked
    (ours, theirs), name = [contest.trained(one)[0] for one in (best, other)], metric_name(asked)
    return [
        f"loss and {name} are opposed: {named(asked, other)} has the lower validation loss ({theirs.loss:.3g} against {ours.loss:.3g}) and "
        f"the worse {name} ({figure_words(asked, theirs)} against {figure_words(asked, ours)}); the {name} decides, with low confidence"
    ]


def _longer(contest: Contest, chosen: Settings) -> list[str]:
    """The length of the training, where it is not the user's."""
    times = longer_than_start(contest.asked, chosen)
    return [f"a training at these settings has {times:.2g} times the examples of yours"] if not 0.95 < times < 1.05 else []


def _slower(contest: Contest, chosen: Settings) -> list[str]:
    """What a smaller batch costs in time, where it was taken."""
    if chosen.total_batch_size >= contest.start.total_batch_size:
        return []
    ours, theirs = (contest.records[one][0].result.get("train_seconds", 0.0) for one in (chosen, contest.start))
    return [f"a training at batch {chosen.total_batch_size} took {ours / theirs:.2g} times the seconds of yours"] if ours and theirs else []


def panels(contest: Contest, chosen: Settings) -> tuple[Panel, ...]:
    """The curves of the first seeds: the weight decays at the chosen lr, batch and momentum, and what else was trained beside them."""
    by_decay = [one for one in contest.candidates if replace(one, weight_decay=chosen.weight_decay) == chosen]
    others = [one for one in contest.candidates if one not in by_decay]
    higher = contest.asked.config.data.metric_is == "higher"

    def lines(of: Sequence[Settings], quantity: str) -> tuple[Series, ...]:
        found = []
        for one in sorted(of, key=lambda one: (one.weight_decay, one.known_max_lr)):
            records = contest.records[one]
            label = f"weight decay {one.weight_decay:g}" if one in by_decay else named(contest.asked, one)
            line = series(curve(records[0]), quantity=quantity, label=label + " (yours)" * (one == contest.start))
            found.append(replace(line, chosen=one == chosen, note=note_of(records)))
        return tuple(found)

    panels = [
        Panel("Weight decay, trained in full", "iteration", "validation loss", lines(by_decay, "val_loss")),
        Panel(
            f"Weight decay, trained in full: {metric_name(contest.asked)}",
            "iteration",
            f"validation {metric_name(contest.asked)}",
            lines(by_decay, "accuracy"),
            higher_is_better=higher,
        ),
    ]
    if others:
        beside = [*others, chosen] if chosen in contest.records else others
        panels.append(Panel("Other settings, trained in full", "iteration", "validation loss", lines(beside, "val_loss")))
    return tuple(panels)
