"""What the curve of a training that overfits asks for: a shorter training, or a larger weight decay (Smith 2018, 3.1 and 4.4)."""

from typing import Any

from hpcheck.analysis.clue import Clue
from hpcheck.analysis.optimum import two_significant_figures
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

LARGER = (10**0.5, 10.0)  # ours: weight decays to try instead, half decades above the one trained with, as the grid has them
WHOLE = 2.5  # ours, by reasoning: where the loss is lowest is known to a tenth of the training at best, so from here on whole epochs do
FROM_NONE = (1e-4, 1e-3)  # ours: ... and where there was none


def asks_for(asked: Asked, settings: Settings, rise: Clue, steps: int) -> dict[str, Any]:
    """What to do about a validation loss that rises from `rise.from_step` on in a training of `steps`.

    Returns where it was lowest, in epochs; `budget.epochs` of a training that long (another batch size may have lengthened the training
    beyond what the config says); larger weight decays; and the length of runs that can compare them. Short runs cannot: they may end
    before the loss rises.
    """
    share = rise.from_step / steps
    decay = settings.weight_decay
    return {
        "lowest_after_epochs": _people_say(settings.epochs * share),
        "of_epochs": settings.epochs,
        "budget_epochs": _people_say(asked.config.budget.epochs * share),
        "weight_decay": decay,
        "larger_weight_decays": [two_significant_figures(decay * factor) for factor in LARGER] if decay else list(FROM_NONE),
        "steps": steps,
    }


def _people_say(epochs: float) -> float:
    """A length as people set it: whole epochs; parts of one where the training is that short.

    >>> _people_say(7.13), _people_say(0.247)
    (7.0, 0.25)
    """
    return float(round(epochs)) if epochs >= WHOLE else two_significant_figures(epochs)


def remark(found: dict[str, Any]) -> str:
    """The same in words."""
    larger = " or ".join(f"{value:g}" for value in found["larger_weight_decays"])
    return (
        f"the validation loss is lowest after {found['lowest_after_epochs']:g} of {found['of_epochs']:g} epochs and rises from there: "
        f"train about {found['lowest_after_epochs']:g} epochs, or try a weight decay of {larger} instead of {found['weight_decay']:g}"
    )
