"""The paper's experiments: the config of each, the step that runs it, and what the paper found. Nothing of the latter reaches a step."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcheck import config as configs
from hpcheck.config import Config, ConfigError, Problem, yaml12
from hpcheck.config.problems import did_you_mean
from hpcheck.init.new_project import presets_folder

MOMENTUM_RANGE_TEST = "momentum-range-test"  # a reading beside the steps (Fig. 7b)
ANSWERS = Path(__file__).parent / "answers.yaml"


@dataclass(frozen=True)
class Experiment:
    """One row of a table or one figure. `answer` is what the paper reports, in one of the forms that `verdicts` knows."""

    name: str
    what: str
    configs: tuple[str, ...]
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """`table1` of `table1-row3`; a figure is its own."""
        return self.name.split("-")[0]


@dataclass(frozen=True)
class Run:
    """A config of an experiment, and the step that its first line runs it with."""

    config: Config
    step: str
    data: str  # the paper's data set; `config` may have been told to read another copy of it


def experiments() -> list[Experiment]:
    """Every experiment, in the paper's order."""
    content: dict[str, dict[str, Any]] = yaml12.read(ANSWERS.read_text(encoding="utf-8")).value
    return [
        Experiment(name, told.pop("what"), tuple(told.pop("configs", (name,))), told)
        for name, told in ((name, dict(told)) for name, told in content.items())
    ]


def chosen(names: Sequence[str], row: int | None = None) -> list[Experiment]:
    """The experiments that `names` name: a table, a row's or a figure's name, or the figures of a number (`fig7`); all where none is named.

    Raises `ConfigError` for what is none of them, and for a row that the table does not have.
    """
    every = experiments()
    found = [one for one in every if not names or any(_means(name, one) for name in names)]
    unknown = [name for name in names if not any(_means(name, one) for one in every)]
    if unknown:
        known = sorted({one.name for one in every} | {one.group for one in every})
        raise ConfigError(
            [Problem(name, None, "", f"no such experiment{did_you_mean(name, known)}", expected="what --list lists") for name in unknown]
        )
    if row is None:
        return found
    groups = {group: [one for one in found if one.group == group] for group in dict.fromkeys(one.group for one in found)}
    if any(not 1 <= row <= len(rows) for rows in groups.values()):
        counts = ", ".join(f"{group} has {len(rows)}" for group, rows in groups.items())
        raise ConfigError([Problem("--row", None, "", "no such row", str(row), counts)])
    return [rows[row - 1] for rows in groups.values()]


def _means(name: str, experiment: Experiment) -> bool:
    number = experiment.name.rstrip("abcd") if experiment.name.startswith("fig") else ""
    return name in (experiment.name, experiment.group, number)


def runs(experiment: Experiment, overrides: Sequence[str] = ()) -> list[Run]:
    """The experiment's configs with their steps, each as its file's first line has it: `# hpcheck STEP FILE [OPTIONS]`."""
    found = []
    for name in experiment.configs:
        path = presets_folder() / "paper" / f"{name}.yaml"
        _, _, step, _, *options = shlex.split(path.read_text(encoding="utf-8").splitlines()[0])
        step = MOMENTUM_RANGE_TEST if "--range-test" in options else step
        found.append(Run(configs.load(path, overrides), step, configs.load(path).data.name))
    return found
