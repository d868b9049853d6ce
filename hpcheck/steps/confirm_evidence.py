"""The evidence that full trainings give: for the weight decay, and for what else follows from them; how sure each value is."""

from collections.abc import Sequence
from dataclasses import replace

from hpcheck.analysis.choice import Confidence
from hpcheck.analysis.choose import half_way
from hpcheck.analysis.full_trainings import Trained
from hpcheck.steps.confirm_plan import is_between
from hpcheck.steps.confirm_words import figure_words, named
from hpcheck.steps.contest import Contest
from hpcheck.steps.lr_in_full import in_full
from hpcheck.steps.reading import Evidence, Settings
from hpcheck.steps.step import Asked

SOURCE = "section 4.4, Remark 6; that it is trained in full is hpcheck's"


def evidence(
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


def confidence_in(contest: Contest, chosen: Settings, ours: Settings | None, name: str) -> Confidence:
    """How sure a value of the recommendation is (docs/decision-rule.md).

    low: at the edge of what was trained, not ahead of a neighbour by more than an error, reversed by its fresh seed, or loss and metric are
    opposed. medium: none of these. high: under `confirm.sure` alone, ahead of all neighbours over three seeds.
    """
    near = _beside(contest, chosen, name)
    at_starts = replace(chosen, weight_decay=contest.start.weight_decay)
    if name == "learning_rate" and not near and at_starts in contest.records:
        return confidence_in(contest, at_starts, ours, name) if at_starts != chosen else "low"
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
