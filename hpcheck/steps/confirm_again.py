"""A cheap second look at a recommendation that full trainings have confirmed: it and the start are trained once each, as `check` does."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.steps.confirm_plan import start_in_full
from hpcheck.steps.confirm_words import figure_words, named
from hpcheck.steps.contest import Contest
from hpcheck.steps.lr_range import with_lr
from hpcheck.steps.reading import Evidence, Reading, Settings, nothing_run
from hpcheck.steps.step import Asked, Decide, Steps
from hpcheck.steps.trained_lines import line_of_start, lines_in

SOURCE = "hpcheck's own full trainings"


def again(before: Mapping[str, Any]) -> Decide:
    """The step that trains the settings of an earlier recommendation, `before`, beside the start, each once."""

    def decide(asked: Asked, settings: Settings) -> Steps:
        if settings.max_lr is None:
            return nothing_run("confirm", settings)
        start = start_in_full(asked, settings)
        winner = as_before(asked, settings, start, before)
        contest = Contest(asked, start, total=2)
        yield from contest.train(list(dict.fromkeys((winner, start))))
        beaten = winner != start and contest.judged(start, winner, first=True).passes
        return _reading(contest, settings, winner, start if beaten else winner)

    return decide


def as_before(asked: Asked, settings: Settings, start: Settings, before: Mapping[str, Any]) -> Settings:
    """The settings that were recommended before, at the lr that is found now; as many times as large or small as full trainings had made
    it. Where the batch size is another than the lr was found for, at the lr of before."""
    had, factor = before["settings"], _moved_by(before)
    if before.get("verdict", {}).get("says") == "not better":
        return start if asked.config.start.max_lr is not None else _times(asked, start, factor)
    momentum = had.get("momentum") or {}
    kept = replace(
        settings,
        total_batch_size=int(had["total_batch_size"]),
        max_momentum=float(momentum.get("max", settings.max_momentum)),
        min_momentum=float(momentum.get("min", settings.min_momentum)),
        weight_decay=float(had["weight_decay"]),
    )
    if kept.total_batch_size == settings.total_batch_size:
        return _times(asked, kept, factor)
    lr = had.get("learning_rate") or {}
    return with_lr(asked, replace(kept, epochs=float(lr.get("epochs", settings.epochs))), float(lr.get("max") or settings.known_max_lr))


def _times(asked: Asked, settings: Settings, factor: float) -> Settings:
    lr = settings.known_max_lr
    return with_lr(asked, settings, lr if factor == 1 else two_significant_figures(lr * factor))


def _moved_by(before: Mapping[str, Any]) -> float:
    """How many times the lr that was found before the full trainings the recommended one is: other than 1 where a challenger won. All that
    was trained first at another weight decay than the start's was trained at the lr found."""
    lines = lines_in(before.get("results", {}))
    own = line_of_start(lines).get("weight_decay")
    found = next((one["max_lr"] for one in lines if one["weight_decay"] != own), None)
    recommended = (before["settings"].get("learning_rate") or {}).get("max")
    return float(recommended) / float(found) if found and recommended else 1.0


def _reading(contest: Contest, before: Settings, winner: Settings, chosen: Settings) -> Reading:
    """Where the start leads the recommendation of before, its values are the answer now: a drift."""
    asked = contest.asked
    figures = {one: figure_words(asked, contest.trained(one)[0]) for one in contest.candidates}
    told = " against ".join(f"{figures[one]} ({named(asked, one)})" for one in dict.fromkeys((chosen, *contest.candidates)))
    why = f"trained once more: {told}" if chosen == winner else f"trained once more, yours led what was recommended: {told}"
    runs = tuple(record.run_id for one in contest.candidates for record in contest.records[one])
    values: dict[str, tuple[Any, Any]] = {
        "weight_decay": (chosen.weight_decay, None),
        "total_batch_size": (chosen.total_batch_size, before.total_batch_size),
        "learning_rate": (chosen.max_lr, before.max_lr),
    }
    momenta = [{"max": one.max_momentum, "min": one.min_momentum} for one in (chosen, before)]
    values["momentum"] = (momenta[0], momenta[1])
    items = [Evidence(name, now, "chosen", "low", why, SOURCE, runs=runs) for name, (now, then) in values.items() if now != then]
    return Reading("confirm", chosen, tuple(items), remarks=(why,), results={"again": figures_of(contest)})


def figures_of(contest: Contest) -> dict[str, Any]:
    """What each of the two came to, for programs."""
    return {
        ("start" if one == contest.start else "recommended"): contest.records[one][0].result.get("val", {}) for one in contest.candidates
    }
