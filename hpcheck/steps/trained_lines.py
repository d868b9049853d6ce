"""The lines that full trainings leave in recommended.yaml, one for each settings: written here, and found again here."""

from collections.abc import Mapping, Sequence
from typing import Any

from hpcheck.steps.contest import Contest
from hpcheck.steps.reading import Settings


def trained_lines(contest: Contest) -> list[dict[str, Any]]:
    """A line for each settings that was trained in full, in the order in which they were."""
    return [_line(contest, one) for one in contest.candidates]


def _line(contest: Contest, settings: Settings) -> dict[str, Any]:
    """The settings, and what each seed came to."""
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


def lines_in(results: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The lines in the `results` of a recommendation; none where nothing was trained in full."""
    lines: Sequence[Mapping[str, Any]] = (results.get("confirm") or {}).get("considered") or ()
    return lines


def line_of_start(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The user's own settings as they were trained; empty where they were not."""
    return next((one for one in lines if one.get("start")), {})
