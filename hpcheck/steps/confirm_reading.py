"""What the full trainings of `confirm` say: the settings that follow from them, the evidence, the pictures, and what is not confirmed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hpcheck.analysis.choice import Confidence
from hpcheck.analysis.choose import half_way
from hpcheck.analysis.full_trainings import Ahead, By, Judged, Trained
from hpcheck.drawing.panels import Panel, Series
from hpcheck.steps.build_runs import curve
from hpcheck.steps.confirm_plan import is_between, longer_than_start
from hpcheck.steps.confirm_words import METRIC, figure_words, metric_name, named, seeds_words, spelled
from hpcheck.steps.contest import Contest, has_no_number, without_number
from hpcheck.steps.evidence import note_of, series
from hpcheck.steps.lr_in_full import in_full
from hpcheck.steps.reading import Evidence, Reading, Settings
from hpcheck.steps.step import Asked
from hpcheck.steps.train import summary

SOURCE = "section 4.4, Remark 6; that it is trained in full is hpcheck's"
BETTER, PROBABLY, NOT_BETTER = "better", "probably better", "not better"


def reading(contest: Contest, before: Settings, ours: Settings | None) -> Reading:
    """The reading once all is trained. `ours` is the best other than the start; None where there is none that finished."""
    start = contest.start
    together = None if ours is None else contest.judged(ours, start)
    odd = any(map(has_no_number, contest.records[start]))  # that yours is beyond comparison is no sign that the other is better
    passes = together is not None and together.passes and not odd
    chosen = ours if ours is not None and passes else start
    confidence = {name: _confidence(contest, chosen, ours, name) for name in ("weight_decay", "learning_rate")}
    verdict = _verdict(contest, ours, passes)
    results: dict[str, Any] = {
        "trainings": contest.total - contest.left,
        "verdict": verdict,
        "confidence": confidence,
        "considered": [trained_line(contest, one) for one in contest.candidates],
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
        "confirm", chosen, _evidence(contest, before, chosen, ours, confidence), panels(contest, chosen), tuple(remarks), results=results
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


def trained_line(contest: Contest, settings: Settings) -> dict[str, Any]:
    """One line of what was trained: its settings, and what each seed came to."""
    found = contest.records[settings]
    figures = [record.result.get("val", {}) for record in found]
    return {
        "total_batch_size": settings.total_batch_size,
        "max_lr": settings.max_lr,
        "momentum": [settings.max_momentum, settings.min_momentum],
        "weight_decay": settings.weight_decay,
        "start": settings == contest.start,
        "metric": [one.get("metric") for one in figures],
        "loss": [one.get("loss") for one in figures],
        "runs": [record.run_id for record in found],
    }


def _beside(contest: Contest, chosen: Settings, name: str) -> list[Settings]:
    """What was trained with another value of this setting alone, the nearest on each side, in order."""

    def value(one: Settings) -> float:
        return one.weight_decay if name == "weight_decay" else one.known_max_lr

    def alike(one: Settings) -> bool:
        if name == "weight_decay":
            return replace(one, weight_decay=chosen.weight_decay) == chosen
        return replace(one, max_lr=chosen.max_lr, min_lr=chosen.min_lr) == chosen

    others = [one for one in contest.candidates if one != chosen and alike(one)]
    below = sorted((one for one in others if value(one) < value(chosen)), key=value)[-1:]
    return [*below, *sorted((one for one in others if value(one) > value(chosen)), key=value)[:1]]


def _has_both_sides(contest: Contest, chosen: Settings, near: Sequence[Settings]) -> bool:
    """Whether a weight decay does not lie at the edge of what was trained: it has a neighbour on each side, or on one where there is
    nothing beyond."""
    return len(near) == 2 or is_between(contest.asked, chosen, contest.candidates)


def _confidence(contest: Contest, chosen: Settings, ours: Settings | None, name: str) -> Confidence:
    """How sure a value of the recommendation is (docs/decision-rule.md).

    low: at the edge of what was trained, not ahead of a neighbour by more than an error, reversed by its fresh seed, or loss and metric are
    opposed. medium: none of these. high: under `confirm.sure` alone, ahead of all neighbours over three seeds.
    """
    near = _beside(contest, chosen, name)
    at_starts = replace(chosen, weight_decay=contest.start.weight_decay)
    if name == "learning_rate" and not near and at_starts in contest.records:
        return _confidence(contest, at_starts, ours, name) if at_starts != chosen else "low"
    inside = _has_both_sides(contest, chosen, near) if name == "weight_decay" else len(near) == 2
    if not near or not inside or contest.best()[1] is not None or len(contest.records[chosen]) < 2:
        return "low"
    other = contest.start if chosen == ours else ours
    if other is not None and len(contest.records[other]) > 1 and contest.judged(other, chosen, fresh=True).leads:
        return "low"
    if not all(contest.judged(chosen, one, first=True).leads for one in near):
        return "low"
    sure = contest.asked.config.confirm.sure and all(len(contest.records[one]) > 2 for one in near)
    return "high" if sure and all(contest.judged(chosen, one).passes for one in near) else "medium"


def _evidence(
    contest: Contest, before: Settings, chosen: Settings, ours: Settings | None, confidence: dict[str, Confidence]
) -> tuple[Evidence, ...]:
    """For the weight decay always; for what the start's own values took back from the steps before, that they stay."""
    asked = contest.asked
    items = [_weight_decay(contest, chosen, ours, confidence["weight_decay"])]
    changed = chosen != contest.start and replace(before, weight_decay=chosen.weight_decay) != chosen
    why = (
        f"{named(asked, chosen)} led in full trainings"
        if changed
        else "yours stays: in full trainings nothing else was better over both seeds"
    )
    runs = tuple(record.run_id for record in contest.records[chosen])
    low, source = "low", "hpcheck's own full trainings"
    if chosen.found is not None and chosen.found.trained and chosen.max_lr == chosen.found.max_lr and confidence["learning_rate"] != "low":
        led = f"{chosen.known_max_lr:g} led its neighbours in full trainings, and a fresh seed did not reverse it"
        at = replace(chosen, weight_decay=contest.start.weight_decay)
        items.append(replace(in_full(contest, at, led), confidence=confidence["learning_rate"]))
    elif (chosen.max_lr, chosen.min_lr) != (before.max_lr, before.min_lr):
        best = f"{chosen.known_max_lr:g} was the learning rate of the best full training"
        lr = Evidence("learning_rate", chosen.max_lr, "chosen", confidence["learning_rate"], why, source, runs=runs)
        if changed or asked.config.start.max_lr is None:
            lr = in_full(contest, chosen, best) if _beside(contest, chosen, "learning_rate") else replace(lr, reason=best)
        items.append(replace(lr, confidence=confidence["learning_rate"], source=source, runs=runs))
    if chosen.total_batch_size != before.total_batch_size:
        items.append(Evidence("total_batch_size", chosen.total_batch_size, "chosen", low, why, source, runs=runs))
    if (chosen.max_momentum, chosen.min_momentum) != (before.max_momentum, before.min_momentum):
        value = {"max": chosen.max_momentum, "min": chosen.min_momentum}
        items.append(Evidence("momentum", value, "chosen", low, why, source, runs=runs))
    return tuple(items)


def _weight_decay(contest: Contest, chosen: Settings, ours: Settings | None, confidence: Confidence) -> Evidence:
    """The weight decay with those that were trained at the same other settings; tied are those that it does not lead by an error."""
    asked = contest.asked
    alike = sorted(
        (one for one in contest.candidates if replace(one, weight_decay=chosen.weight_decay) == chosen), key=lambda one: one.weight_decay
    )
    led = {one: one == chosen or contest.judged(chosen, one, first=True).leads for one in alike}
    tied = [one.weight_decay for one in alike if not led[one]]
    kept = sorted([*tied, chosen.weight_decay])
    values = [one.weight_decay for one in alike]
    first, last = values.index(kept[0]), values.index(kept[-1])
    low = values[first] if first == 0 else half_way(values[first - 1], values[first], "log")
    high = values[last] if last == len(values) - 1 else half_way(values[last], values[last + 1], "log")
    considered = []
    for one in alike:
        trained = contest.trained(one)[0]
        error = 0.0 if one == chosen else contest.judged(chosen, one, first=True).metric.error
        considered.append((one.weight_decay, trained.metric, error))
    return Evidence(
        setting="weight_decay",
        value=chosen.weight_decay,
        status="tied" if tied else "chosen",
        confidence=confidence,
        reason=_why(contest, chosen, ours, [one for one in alike if one != chosen]),
        source=SOURCE,
        interval=(low, high) if len(alike) > 1 else None,
        tied=tuple(kept) if tied else (),
        runs=tuple(record.run_id for one in alike for record in contest.records[one]),
        considered=tuple(considered),
        judged_by="accuracy",
        higher_is_better=asked.config.data.metric_is == "higher",
    )


def _why(contest: Contest, chosen: Settings, ours: Settings | None, others: Sequence[Settings]) -> str:
    asked = contest.asked
    near = _beside(contest, chosen, "weight_decay")
    figures = {one: _both(asked, contest.trained(one)[0]) for one in (chosen, *others)}
    beside = " and ".join(f"{one.weight_decay:g} ({figures[one]})" for one in near)
    first = f"trained in full, {chosen.weight_decay:g} reached {figures[chosen]}"
    words = f"{first}; its neighbour{'s' * (len(near) > 1)}: {beside}" if near else first
    if chosen == contest.start and ours is not None:
        return f"{words}; yours stays, since nothing was better over both seeds"
    if chosen.weight_decay == contest.start.weight_decay and len(others) > 0:
        return f"{words}; your weight decay stays, since no other led it by more than chance"
    return words + _missing(contest, chosen, near)


def _missing(contest: Contest, chosen: Settings, near: Sequence[Settings]) -> str:
    """What was not trained beside a weight decay; "" where it has neighbours enough."""
    same = "was trained with otherwise the same settings"
    if not near:
        return f"; no other weight decay {same}"
    if _has_both_sides(contest, chosen, near):
        return ""
    value = chosen.weight_decay
    is_smallest = near[0].weight_decay > value
    elsewhere = any(one.weight_decay < value if is_smallest else one.weight_decay > value for one in contest.candidates)
    return f"; no {'smaller' if is_smallest else 'larger'} one {same}" if elsewhere else "; it lies at the edge of what was trained"


def _both(asked: Asked, trained: Trained) -> str:
    """A training's metric and its loss, which decides where the metrics are alike."""
    words = figure_words(asked, trained)
    return words if trained.diverged else f"{words}, loss {trained.loss:.3g}"


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
