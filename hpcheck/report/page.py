"""The report's page, from readings to one HTML file that loads nothing: its values, which the templates put into words and pictures."""

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hpcheck import config as configs
from hpcheck.config import Config
from hpcheck.drawing import layout, layout_svg
from hpcheck.drawing.markup import Markup
from hpcheck.recommendation import recommended, snippets
from hpcheck.recommendation.cost import cost, records_of
from hpcheck.recommendation.metric import Metric
from hpcheck.recommendation.verdict import first_line, parts
from hpcheck.report import ledger, overview, sections, setting_plots
from hpcheck.report.advice import next_lines
from hpcheck.report.render import render
from hpcheck.report.try_next import Find
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import write_whole
from hpcheck.runs.identity import declares_multipliers
from hpcheck.script.snippet import write as of_script
from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked
from hpcheck.tasks.snippet import write as of_task

FILE = "report.html"
REST = {
    "ledger": "Regularization",
    "next": "What to do next",
    "use": "Use the settings",
    "cost": "Cost",
    "provenance": "Provenance",
}  # name on the page: title


def write(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> None:
    """Write `report.html` for what has been read so far."""
    costs = {reading.step: cost(records_of(runs, [reading]), asked) for reading in readings}
    content = recommended.content(runs, asked, readings)
    write_whole(runs.path / FILE, page(content, readings, costs, asked.config, Metric.of(asked), runs.by_id))


def page(
    content: Mapping[str, Any],
    readings: Sequence[Reading],
    costs: Mapping[str, Mapping[str, Any]],
    config: Config,
    metric: Metric,
    by_id: Find = lambda _: None,
) -> str:
    """The whole report as text. `content` is what recommended.yaml says; `costs` has each step's; `by_id` finds the records of runs."""
    settings, following = content["settings"], next_lines(content, readings, config, by_id)
    results, steps = overview.results(content, config.train.fit), sections.steps(content, readings, costs, metric)
    return render(
        "page",
        **_inside(),
        name=config.name,
        links=_links([(f"step-{step.name}", step.title) for step in steps], bool(results)),
        verdict=parts(first_line(content)),
        what=_what(config),
        setting_plots=[layout_svg.plots(plot) for plot in setting_plots.plots(readings, settings, config, metric)],
        plots_key=" ".join(layout.KEY),
        answer=overview.answer(content, following),
        banners=overview.banners(content, readings, config),
        settings={"columns": overview.SETTINGS_COLUMNS, "rows": overview.settings_rows(content)},
        schedule=overview.schedule(settings),
        results=results,
        steps=steps,
        ledger={"columns": ledger.COLUMNS, "rows": ledger.ledger(settings, config)},
        next=following,
        use=_use(settings, config),
        costs=sections.costs_table(readings, costs, content["provenance"].get("cost", {})),
        counted=sections.COUNTED,
        facts=_facts(content),
        config=configs.dump(config),
    )


def _inside() -> dict[str, Any]:
    """Style and script, and the policy that lets the page have these and load nothing."""
    style, script = (files("hpcheck.report").joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    allowed = f"img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
    policy = f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"
    return {"style": Markup(style), "script": Markup(script), "policy": policy}


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _links(steps: Sequence[tuple[str, str]], has_results: bool) -> list[tuple[str, str]]:
    return [("top", "Recommended"), *[("results", "How well it trains")] * has_results, *steps, *REST.items()]


def _what(config: Config) -> str:
    """What this is a report of."""
    return f"{_trained(config)}, {config.optimizer.name}, by Leslie Smith's checklist (2018)"


def _trained(config: Config) -> str:
    if config.script is not None:
        return shlex.join(config.script)
    if config.task is not None and config.task.lightning is None:
        return config.model.name
    return f"{config.model.name} on {config.data.name}"


def _use(settings: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """Code to paste, or why there is none."""
    use: dict[str, Any] = {"refused": "", "script": "", "snippets": []}
    if why := snippets.refused(settings):
        return use | {"refused": overview.sentence(f"nothing to paste: {why}")}
    if config.script is not None:
        return use | {"script": of_script(Path(config.run.dir) / config.name / "recommended.yaml", None, config.script)}
    if config.task is not None:
        return use | {"script": of_task(Path(config.run.dir) / config.name, None, config.model.name)}
    return use | {"snippets": [_snippet(key, settings, config) for key in snippets.SNIPPETS]}


def _snippet(key: str, settings: Mapping[str, Any], config: Config) -> dict[str, Any]:
    given = config.optimizer.name, config.optimizer.options()
    multiplied = declares_multipliers(config.model.name)
    differences = snippets.differences(key, *given, multiplied)
    return {"title": snippets.TITLES[key], "text": snippets.write(key, settings, *given, multiplied), "differences": differences}


def _facts(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Where all of it comes from."""
    origin = content["provenance"]
    facts = [(key, str(origin[key])) for key in ("hpcheck", "config", "data", "seed") if key in origin]
    return facts + [(key, str(value)) for key, value in origin.get("environment", {}).items() if key != "hpcheck"]
