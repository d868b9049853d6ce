"""The checklist: its steps in order, and the settings that each starts from."""

from collections.abc import Iterator
from dataclasses import replace

from hpcheck.config import Config
from hpcheck.settings import Reading, Settings
from hpcheck.steps import batch, lr_range, momentum, train, wd_grid
from hpcheck.steps.replay import Asked, Decide, Lookup, Missing, replay

# Each step uses what the ones before it recommended; "lr-reprobe" reads the lr again once the others have moved it (Smith 2018, 4.1).
STEPS: dict[str, Decide] = {
    "lr-range": lr_range.decide,
    "batch": batch.decide,
    "momentum": momentum.decide,
    "wd-grid": wd_grid.decide,
    "lr-reprobe": lr_range.reprobe,
    "train": train.decide,
}


def start_settings(config: Config) -> Settings:
    """Where the checklist begins, before a step has spoken."""
    start = config.start
    return Settings(start.total_batch_size, None, None, start.momentum.max, start.momentum.min, start.weight_decay, config.budget.epochs)


def readings_so_far(asked: Asked, lookup: Lookup, before: str | None = None) -> Iterator[Reading]:
    """The readings of the steps ahead of `before` (of all steps: None) whose records are complete, in order, each from the settings that
    those ahead of it recommended. A step that was never run is passed over."""
    for _, outcome in _replayed(asked, lookup, before):
        if isinstance(outcome, Reading) and outcome.runs:
            yield outcome


def unfinished_before(step: str, asked: Asked, lookup: Lookup) -> Iterator[str]:
    """The steps ahead of `step` that were begun and not finished: `step` goes on without what they would say."""
    for name, outcome in _replayed(asked, lookup, step):
        if isinstance(outcome, Missing) and outcome.done:
            yield name


def _replayed(asked: Asked, lookup: Lookup, before: str | None) -> Iterator[tuple[str, Missing | Reading]]:
    """Each step ahead of `before` and how far its records carry it, from the settings that the readings ahead of it recommended."""
    settings = start_settings(asked.config)
    for name, decide in STEPS.items():
        if name == before:
            return
        outcome = replay(decide, asked, _with_users_lr(asked, settings, name), lookup)
        yield name, outcome
        if isinstance(outcome, Reading) and outcome.runs:
            settings = outcome.settings


def settings_before(step: str, asked: Asked, lookup: Lookup) -> Settings:
    """What is known when `step` begins: the start, as changed by the readings ahead of it; the user's own lr where none was read."""
    settings = start_settings(asked.config)
    for reading in readings_so_far(asked, lookup, before=step):
        settings = reading.settings
    return _with_users_lr(asked, settings, step)


def _with_users_lr(asked: Asked, settings: Settings, step: str) -> Settings:
    start_lr = asked.config.start.max_lr
    if settings.max_lr is not None or start_lr is None or step == "lr-range":
        return settings
    return lr_range.with_lr(asked, settings, start_lr)


def lr_may_have_moved(asked: Asked, lookup: Lookup) -> bool:
    """Whether batch size, momentum or weight decay changed after the lr was read: then it is probed again before training."""
    read_with = start_settings(asked.config)
    now = settings_before("lr-reprobe", asked, lookup)
    was_read = any(reading.step == "lr-range" for reading in readings_so_far(asked, lookup))
    return was_read and replace(now, max_lr=None, min_lr=None) != replace(read_with, max_lr=None, min_lr=None)
