"""Where the checklist begins: what the user has, before a step has spoken."""

from hpcheck.config import Config
from hpcheck.steps.reading import Settings


def start_settings(config: Config) -> Settings:
    """Where the checklist begins, before a step has spoken."""
    start = config.start
    return Settings(
        total_batch_size=start.total_batch_size,
        max_lr=None,
        min_lr=None,
        max_momentum=start.momentum.max,
        min_momentum=start.momentum.min,
        weight_decay=start.weight_decay,
        epochs=config.budget.epochs,
    )
