"""The weight-decay grid over any other regularizer: a numeric option of the model or of the data, such as `model.dropout`
(Smith 2018, Remark 3; 4.1: "choosing the dropout ratio")."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.choose import Rule
from hpcheck.config import Config, ConfigError, Problem, schema
from hpcheck.config.problems import did_you_mean, of_validation
from hpcheck.drawing.panels import Panel
from hpcheck.plugins import find
from hpcheck.runs.spec import RunSpec
from hpcheck.steps.build_runs import cycle, examples_of_share, longest_steps, short_steps
from hpcheck.steps.compare import compare
from hpcheck.steps.evidence import candidate_lines, evidence
from hpcheck.steps.reading import NO_LR, Reading, Settings, nothing_run
from hpcheck.steps.step import Asked, Steps

SOURCE = "section 4.1, Remark 3"
FROM_ZERO = (0.0, 0.1, 0.2, 0.4)  # ours: where the option is 0 today, as dropout mostly is
OF_TODAYS = (0.0, 0.5, 1.0, 1.5)  # ours: otherwise, multiples of what it is today
OF_A_COUNT = (0.5, 1, 1.5, 2)  # ours: of an option that counts something, which is never none
KINDS = {"model": "models", "data": "data"}
COMMAND = "--over"


@dataclass(frozen=True)
class Over:
    """The option that is tried, what it is today (None: not known), and the values to try (none given: by default around today's)."""

    section: str
    option: str
    today: float | None
    given: tuple[float, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.section}.{self.option}"

    @property
    def values(self) -> tuple[float, ...]:
        if self.given:
            return tuple(sorted({*self.given, *(() if self.today is None else (self.today,))}))
        if not self.today:
            return FROM_ZERO
        if self.whole:
            return tuple(sorted({max(1, round(self.today * factor)) for factor in OF_A_COUNT}))
        around = {round(self.today * factor, 6) for factor in OF_TODAYS}
        return tuple(sorted(value for value in around if value < 1 or self.today >= 1))  # what is a share today stays one

    def decide(self, asked: Asked, settings: Settings) -> Steps:
        """Compare the values in short trainings like those of the weight-decay grid, then once between the best two."""
        if settings.max_lr is None:
            return nothing_run("wd-grid-over", settings, f"{self.key}: {NO_LR}")
        rule = Rule(prefer=self.today, scale="linear", examples=examples_of_share(asked))

        def make(value: float, steps: int) -> RunSpec:
            return cycle(with_option(asked, self, value), settings, steps, f"{self.key} {value:g}")

        steps, most = short_steps(asked, "wd_grid", settings), longest_steps(asked, settings)
        compared = yield from compare(self.values, make, steps, most, rule)
        between = halfway(compared.choice, self.values)
        if between is not None and not self.whole:
            compared = yield from compare(sorted((*self.values, between)), make, compared.steps, most, rule, compared)
        item = evidence(asked, self.key, compared.choice, SOURCE, compared.run_ids, kept="the config's value")
        panel = Panel(self.key, "iteration", "validation loss", candidate_lines(compared, (self.option + " {:g}").format))
        return Reading("wd-grid-over", settings, (item,), (panel,), _words(self, compared.choice))

    @property
    def whole(self) -> bool:
        """Whether the option counts something."""
        return isinstance(self.today, int) and not isinstance(self.today, bool) and self.today != 0


def parse(text: str, config: Config) -> Over:
    """`model.dropout` or `model.dropout=0,0.1,0.3`. Raises `ConfigError` where there is no such option, or it is no number."""
    key, _, listed = text.partition("=")
    section, _, option = key.partition(".")
    if section not in KINDS or not option:
        raise _refused(key, "not an option to try", "model.OPTION or data.OPTION, such as model.dropout")
    if config.task is not None and section == "data":
        raise _refused(key, "a task has loaders of its own", "model.OPTION, an argument of the task")
    given = getattr(config, section)
    shipped = None if find.is_users_own(given.name) else find.options(KINDS[section], given.name)
    if shipped is not None and option not in shipped:
        raise _refused(key, f"{given.name} has no such option{did_you_mean(option, shipped)}", f"one of {', '.join(shipped) or 'none'}")
    today = given.options().get(option, (shipped or {}).get(option))
    if today is not None and (isinstance(today, bool) or not isinstance(today, int | float)):
        raise _refused(key, "is no number", "a numeric option")
    values = _numbers(key, listed) if listed else ()
    if today is None and not values:
        raise _refused(key, "what it is today is not known", f"values to try: {COMMAND} {key}=0,0.1,0.2")
    over = Over(section, option, today, values)
    for value in over.values:
        _refuse_what_the_config_does_not_allow(config, over, value)
    return over


def _refuse_what_the_config_does_not_allow(config: Config, over: Over, value: float) -> None:
    if not math.isfinite(value):
        raise _refused(over.key, f"{value} is not a finite number", "finite numbers")
    try:
        changed(config, over, value)
    except ValidationError as error:
        found = of_validation(error, schema(), (over.section,))[0]
        raise _refused(over.key, f"{value:g}: {found.problem}", found.expected) from None


def _numbers(key: str, listed: str) -> tuple[float, ...]:
    try:
        numbers = [float(one) for one in listed.split(",")]
    except ValueError:
        raise _refused(key, f"cannot read {listed!r}", "numbers with commas between them, such as 0,0.1,0.2") from None
    return tuple(int(one) if one.is_integer() and one else one for one in numbers)


def _refused(key: str, problem: str, expected: str) -> ConfigError:
    return ConfigError([Problem(COMMAND, None, key, problem, expected=expected)])


def with_option(asked: Asked, over: Over, value: float) -> Asked:
    """The same question of a model or data with that option."""
    return replace(asked, config=changed(asked.config, over, value))


def changed(config: Config, over: Over, value: float) -> Config:
    """The config with that option of its model or data. Raises `ValidationError` where it is none that the section allows."""
    part: Any = getattr(config, over.section)
    return config.model_copy(update={over.section: type(part).model_validate({**part.model_dump(), over.option: value})})


def halfway(choice: Choice, values: Sequence[float]) -> float | None:
    """The middle of the best value and the better of its neighbours; None where nothing was separated from the rest."""
    if choice.status != "chosen" or choice.value is None or len(values) < 2:
        return None
    at = values.index(choice.value)
    score = {value: mean for value, mean, _ in choice.scores}
    neighbour = min((values[near] for near in (at - 1, at + 1) if 0 <= near < len(values)), key=lambda value: score[value])
    return round((choice.value + neighbour) / 2, 6)


def _words(over: Over, choice: Choice) -> tuple[str, ...]:
    if choice.value is None:
        return (f"{over.key}: {choice.reason}",)
    words = [f"{over.key}: {choice.reason}"]
    if choice.edge is not None and choice.value != 0 and choice.status == "chosen":
        words.append(f"{choice.value:g} is the {'largest' if choice.edge == 'high' else 'smallest'} tried: a better one may lie beyond")
    if choice.value != over.today:
        words.append(
            f"it is not one of the four settings, so nothing is changed: set {over.key} to {choice.value:g} in the config and give the "
            "command again, since all regularization must balance"
        )
    return tuple(words)
