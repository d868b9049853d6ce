"""`hpcheck.run`: the whole checklist from Python, and its answer as an object that prints, plots and shows itself in a notebook."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from hpcheck import config as configs
from hpcheck.api.picture import Picture, small
from hpcheck.checklist.run import Checklist
from hpcheck.config import Config
from hpcheck.config.recommended import SettingsBlock
from hpcheck.config.source import run_name
from hpcheck.drawing.panels import Panel
from hpcheck.engine.distributed.ddp import outer_settings
from hpcheck.errors import InputError
from hpcheck.files.plain_json import refuse_deep
from hpcheck.plugins.user_errors import as_theirs
from hpcheck.recommendation import recommended, snippets, wording
from hpcheck.recommendation.verdict import Verdict, first_line, parts
from hpcheck.report import setting_plots
from hpcheck.report.render import render
from hpcheck.runs.directory import RunDirectory, is_in_one, refuse_users_code
from hpcheck.runs.identity import declares_multipliers
from hpcheck.script import resolved
from hpcheck.script import snippet as of_script
from hpcheck.steps.reading import Reading, left_open
from hpcheck.tasks import resolved as tasks
from hpcheck.tasks import snippet as of_task
from hpcheck.terminal.progress import Progress

Style = Literal["hpcheck", "pytorch", "onecycle", "lightning", "hf", "timm"]
WIDTH = 930  # pixels of the picture that a notebook shows of all settings
COLUMNS = ("Setting", "Value", "Interval", "Result")


@dataclass(frozen=True, repr=False)
class Answer:
    """What the checklist came to: the content of its recommended.yaml, the directory where all of it lies, and the pictures."""

    content: Mapping[str, Any]
    directory: Path
    config: Config
    panels: Mapping[str, Sequence[Panel]]  # of each setting
    abstained: bool = False
    remarks: Sequence[str] = ()

    @property
    def settings(self) -> SettingsBlock:
        """What to train with, as recommended.yaml has it: total_batch_size, learning_rate, momentum, weight_decay."""
        return cast(SettingsBlock, self.content["settings"])

    @property
    def verdict(self) -> Verdict:
        """Whether that is better than what you had: `says` in two words, `words` as a sentence, the figures where there are any."""
        given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in self.content["verdict"].items()}
        return Verdict(**given)

    @property
    def evidence(self) -> Mapping[str, Any]:
        """Why each setting has its value: value, status, confidence, interval, reason, source, runs, and every candidate's score."""
        return cast(Mapping[str, Any], self.content["evidence"])

    @property
    def report(self) -> Path:
        """The HTML report, with every curve."""
        return self.directory / "report.html"

    def plot(self, setting: str) -> Picture:
        """The curves that a setting was read in, such as "weight_decay". Raises `InputError` for one that was not read."""
        if setting not in self.panels:
            raise InputError(f"there is no picture of {setting!r}; there is one of {', '.join(self.panels) or 'nothing yet'}")
        return Picture(setting, self.panels[setting])

    def snippet(self, style: Style = "pytorch") -> str:
        """Code that trains with the settings, ready to paste. Raises `InputError` where there is none."""
        if style not in (*snippets.SNIPPETS, "hpcheck"):
            raise InputError(f"there is no snippet {style!r}; there are {', '.join((*snippets.SNIPPETS, 'hpcheck'))}")
        if self.config.script is not None or (style == "hpcheck" and self.config.task is None):
            return of_script.write(self.directory / "recommended.yaml", style, self.config.script)
        if self.config.task is not None:
            return of_task.write(self.directory, style, self.config.model.name)
        optimizer = self.config.optimizer
        multiplied = declares_multipliers(self.config.model.name)
        return snippets.write(style, self.content["settings"], optimizer.name, optimizer.options(), multiplied)

    def __str__(self) -> str:
        rows = [f"{label}: {', '.join(filter(None, wording.row(name, self.content)))}" for name, label in wording.SHOWN.items()]
        told = [*self._told(), "", *wording.reason_lines(self.content), ""]
        return "\n".join([*filter(None, [first_line(self.content)]), *rows, "", *told, f"report: {self.report}"])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = [(label, *wording.row(name, self.content)) for name, label in wording.SHOWN.items()]
        verdict = parts(first_line(self.content))
        return str(
            render("notebook", verdict=verdict, picture=self._picture(), columns=COLUMNS, rows=rows, lines=self._told(), report=self.report)
        )

    def _told(self) -> list[str]:
        """Why to believe the settings, how they train, what they cost, and what was not tested."""
        said = {"How sure": wording.belief_line(self.content), "Cost": wording.cost_line(self.content)}
        said["Not tested"] = wording.untested_line(self.content)
        return [*wording.result_lines(self.content), *(f"{name}: {words}" for name, words in said.items() if words)]

    def _picture(self) -> str:
        """The small plots of all settings as an address that holds the picture itself; "" where they were not drawn."""
        path = self.directory / "plots" / setting_plots.FILE
        return f"data:image/png;base64,{base64.b64encode(small(path.read_bytes(), WIDTH)).decode()}" if path.is_file() else ""


def run(config: str | Path | Mapping[str, Any], overrides: Sequence[str] = (), quiet: bool = False) -> Answer:
    """Run the whole checklist, or what of it has not been run yet, and return what it came to.

    Args:
        config: a config file, or the same as a dict, such as {"data": "digits", "model": "mlp"}. A dict without a `name` works in a
            directory named after the folder it is called from. Your own function may stand where its name would, if it lies in a module.
        overrides: "key=value" as for `-s`, such as "budget.epochs=10".
        quiet: say nothing on stderr while it runs.

    Returns:
        The answer. It prints as text; a notebook shows it as a table.

    Raises:
        ConfigError: with all that is wrong with the config, before anything runs.
    """
    try:
        return _answered(loaded(config, overrides), Progress(quiet))
    except Exception as error:
        theirs = as_theirs(error)
        if theirs is None or theirs is error:
            raise
        raise theirs from error


def _answered(config: Config, progress: Progress) -> Answer:
    with Checklist(config, progress) as checklist:
        made = checklist.run_all()
        readings = list(checklist.replays.readings())
    remarks = tuple(f"{reading.step}: {remark}" for reading in made for remark in reading.remarks)
    for words in (*remarks, *checklist.lost()):
        progress.say(words)
    content = recommended.read(checklist.runs.recommended, whole=True)
    abstained = bool(left_open(made))
    return Answer(content, checklist.runs.path, checklist.asked.config, panels_of(readings), abstained, remarks)


def panels_of(readings: Sequence[Reading]) -> dict[str, Sequence[Panel]]:
    """The pictures of each setting: those of the last step that read it and drew any."""
    return {item.setting: reading.panels for reading in readings if reading.panels for item in reading.evidence}


def loaded(config: str | Path | Mapping[str, Any], overrides: Sequence[str]) -> Config:
    """The config to act on. Raises `ConfigError`, and `InputError` for what is neither a path nor a dict."""
    if isinstance(overrides, str) or not all(isinstance(one, str) for one in overrides or ()):
        raise InputError('overrides are a list of texts, such as ["budget.epochs=10"]')
    given = [*(overrides or ()), *outer_settings()]
    if isinstance(config, str | Path):
        found = configs.load(Path(config), given)
        if is_in_one(Path(config)):
            refuse_users_code(found, Path(config))
    elif isinstance(config, Mapping):
        try:
            refuse_deep(config)
        except ValueError:
            raise InputError("the dict is nested too deep, or holds itself") from None
        found = configs.from_values(named(config), "the dict", given)
        found = found if found.name else found.model_copy(update={"name": run_name(Path.cwd())})
    else:
        raise InputError(f"a config is a path or a dict, not {type(config).__name__}")
    RunDirectory.of(found)
    if found.task is not None:
        return tasks.resolved(found)
    return resolved.resolved(found, launches=True) if found.script is not None else found


def named(value: Any) -> Any:
    """The values with functions as the names that they are imported by. Raises `InputError` for one that no other process can import."""
    if isinstance(value, Mapping):
        return {key: named(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [named(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # numpy's and torch's numbers and arrays
        return value.tolist()
    return _name_of(value) if callable(value) else value


def _name_of(function: Callable[..., Any]) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or not name.isidentifier():
        what = name or type(function).__name__
        raise InputError(f"{what} cannot be imported by the processes that train: put it into a file, and give that file's function")
    return f"{module}:{name}"
