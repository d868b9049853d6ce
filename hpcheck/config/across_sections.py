"""What the keys of one section say against another's: found once each section by itself is right."""

from collections.abc import Iterator

from hpcheck.config.problems import Finding, shown
from hpcheck.config.scripts import of_scripts_config
from hpcheck.config.sections import Config
from hpcheck.config.tasks import of_tasks_config


def of_whole(config: Config) -> Iterator[Finding]:
    """What is wrong with sections that are right by themselves."""
    yield from _sweep(config)
    yield from of_scripts_config(config)
    yield from of_tasks_config(config)


def _sweep(config: Config) -> Iterator[Finding]:
    """One end of the sweep given, on the wrong side of the other's default, which is the optimizer's."""
    given = config.lr_range
    low, high = given.sweep_ends(config.optimizer.name)
    if given.max is None and high <= low:
        key, side = (
            ("sweep_from", f"less than sweep_to, {high:g}") if given.sweep_to is None else ("sweep_to", f"more than sweep_from, {low:g}")
        )
        yield Finding(("lr_range", key), "reversed range", shown(getattr(given, key)), f"{side} unless it is given too")
