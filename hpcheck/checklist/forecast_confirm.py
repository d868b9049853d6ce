"""What full trainings come to in a plan: how many `confirm` makes, and of what."""

from typing import Any

from hpcheck.steps.confirm_plan import FRESH, first_candidates, for_sure, trainings_of, why_so_many
from hpcheck.steps.lr_in_full import is_short
from hpcheck.steps.reading import FoundLr, Settings
from hpcheck.steps.share_of_search import share_in_trainings
from hpcheck.steps.step import Asked

NEIGHBOURS = 2
CHALLENGERS = 2  # half and twice of an lr that short runs found; of one that full trainings found one alone, half-way


def confirmation(asked: Asked, start: Settings) -> dict[str, Any]:
    """The plan's word on `confirm`: its trainings, what they are spent on, why so many, and how many more under `confirm.sure`."""
    total, known = trainings_of(asked), _with_some_lr(start)
    if not total:
        return {"trainings": 0, "why": why_so_many(asked), "parts": {}, "sure": 0, "share": 0.0}
    first = len(first_candidates(asked, known))
    challengers = min(1 if is_short(asked) else CHALLENGERS, total - first - FRESH)
    beside = min(NEIGHBOURS, total - first - challengers - FRESH)
    fresh = total - first - beside - challengers
    parts = {"first": first, "challengers": challengers, "neighbours": beside, "fresh": fresh}
    sure = (len(for_sure(asked, known)) + FRESH) * 3 - total if asked.config.confirm.sure else 0
    return {"trainings": total, "why": why_so_many(asked), "parts": parts, "sure": max(sure, 0), "share": share_in_trainings(asked)}


def words(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    parts = found["parts"]
    if not parts:
        return [f"No full trainings confirm the settings. {found['why']}"]
    lrs = "other learning rates" if parts["challengers"] > 1 else "another learning rate"
    named = [
        f"{parts['first']} to begin with (yours is one of them)",
        *([f"{parts['challengers']} at {lrs}"] if parts["challengers"] else []),
        *([f"{parts['neighbours']} neighbour{'s' * (parts['neighbours'] > 1)} in weight decay"] if parts["neighbours"] else []),
        f"{parts['fresh']} with fresh seeds",
    ]
    more = f" --sure: about {found['sure']} more." if found["sure"] else ""
    return [
        f"Full trainings in confirm: {found['trainings']}. These are {', '.join(named)}.{more} {found['why']}",
        f"The search before them may cost {found['share']:g} trainings. The learning rate is read in any case; "
        "batch or momentum is left out if it would cost more.",
    ]


def _with_some_lr(start: Settings) -> Settings:
    return Settings(**{**vars(start), "max_lr": 1.0, "min_lr": 0.1, "found": FoundLr(1.0)})
