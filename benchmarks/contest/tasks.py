"""The contest's tasks, settled beforehand: which of them rules may be chosen on, what random search and TPE draw from, the grid. Eight are
of the first day. Eight later ones were written down after the rules and searched once, with the commit named. They have been looked at, so
rules may now be chosen on them. The third eight were written down without a look at the rules, to be searched once, commit named."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from hpcheck import config as configs
from hpcheck.checklist.data_facts import facts
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import cycle, full_steps
from hpcheck.steps.reading import Settings
from hpcheck.steps.step import Asked

FOLDER = Path(__file__).with_name("tasks")
MIN_LR_DIVISOR = 10
Params = dict[str, float]  # lr, weight_decay; where they are not the start's: batch, momentum, min_momentum, epochs


@dataclass(frozen=True)
class Task:
    """`lr`, `weight_decay`: what the rivals draw from, log-uniformly, and the ends of the grid."""

    name: str
    half: Literal["development", "test", "later", "third"]
    lr: tuple[float, float]
    weight_decay: tuple[float, float]
    pool: int = 60  # trainings of the random search
    counted: int = 8  # of its best, which are trained anew: a search of 17 ends with another one in 7 of 100 draws
    searches: int = 5  # by hpcheck

    @property
    def config(self) -> Path:
        return FOLDER / f"{self.name}.yaml"

    @cached_property
    def asked(self) -> Asked:
        config = configs.load(self.config)
        return Asked(config, facts(config))

    def full_run(self, params: Params, seed: int) -> RunSpec:
        """One full 1cycle training, scored on the whole validation split and the test split at its end."""
        from dataclasses import replace

        start = self.asked.config.start
        settings = Settings(
            total_batch_size=int(params.get("batch", start.total_batch_size)),
            max_lr=params["lr"],
            min_lr=params.get("min_lr", params["lr"] / MIN_LR_DIVISOR),
            max_momentum=params.get("momentum", start.momentum.max),
            min_momentum=params.get("min_momentum", start.momentum.min),
            weight_decay=params["weight_decay"],
            epochs=params.get("epochs", self.asked.config.budget.epochs),
        )
        spec = cycle(self.asked, settings, full_steps(self.asked, settings), "contest")
        return replace(spec, finally_on=("val", "test"), seed=seed)


SGD: dict[str, Any] = {"lr": (3e-3, 3.0), "weight_decay": (1e-5, 1e-1)}
ADAMW: dict[str, Any] = {"lr": (1e-4, 1e-1), "weight_decay": (1e-4, 1.0)}
SMALLER: dict[str, Any] = {"pool": 24, "counted": 4, "searches": 2}  # a search of 17 of 24 ends with a fifth in 1 of 300 draws
TASKS = (
    Task("digits", "development", **SGD),
    Task("noisy-mnist", "development", **SGD),
    Task("concrete", "development", **SGD),
    Task("film-reviews", "development", **ADAMW),
    Task("noisy-cifar10", "test", **SGD),
    Task("kin8nm", "test", **SGD),
    Task("wine", "test", **SGD),
    Task("spam", "test", **ADAMW),
    *(Task(name, "later", **SGD, **SMALLER) for name in ("power-plant", "yacht", "small-lenet", "many-classes", "rare-class")),
    *(Task(name, "later", **ADAMW, **SMALLER) for name in ("protein", "letters", "patches")),
    *(Task(name, "third", **SGD, **SMALLER) for name in ("naval", "outliers", "membranes", "depthwise")),
    *(Task(name, "third", **ADAMW, **SMALLER) for name in ("modular-sums", "sorting", "spam-letters", "denoising")),
)
