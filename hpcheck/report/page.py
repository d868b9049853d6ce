"""The report's page, from readings to one HTML file that loads nothing: its style and script are inside, named by their hashes."""

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from hpcheck import config as configs
from hpcheck.config import Config
from hpcheck.drawing.markup import Markup, table, tag
from hpcheck.recommendation import recommended, snippets
from hpcheck.recommendation.cost import cost, records_of
from hpcheck.recommendation.metric import Metric
from hpcheck.recommendation.verdict import first_line
from hpcheck.report import overview, sections, setting_plots
from hpcheck.report.advice import missing, next_lines
from hpcheck.runs.directory import RunDirectory
from hpcheck.runs.files import write_whole
from hpcheck.runs.identity import declares_multipliers
from hpcheck.script.snippet import write as of_script
from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked
from hpcheck.tasks.snippet import write as of_task

FILE = "report.html"


def write(runs: RunDirectory, asked: Asked, readings: Sequence[Reading]) -> None:
    """Write `report.html` for what has been read so far."""
    costs = {reading.step: cost(records_of(runs, [reading]), asked) for reading in readings}
    content = recommended.content(runs, asked, readings)
    write_whole(runs.path / FILE, page(content, readings, costs, asked.config, Metric.of(asked)))


def page(
    content: Mapping[str, Any],
    readings: Sequence[Reading],
    costs: Mapping[str, Mapping[str, Any]],
    config: Config,
    metric: Metric,
) -> str:
    """The whole report as text. `content` is what recommended.yaml says; `costs` has each step's."""
    plots = setting_plots.plots(readings, content["settings"], config, metric)
    body = [
        _header(config, first_line(content)),
        setting_plots.row(plots),
        overview.answer(content),
        overview.banners(content, readings, config),
        _recommended(content),
        overview.results(content, config.train.fit),
        sections.steps(content, readings, costs, metric),
        sections.balance(content["settings"], config),
        _next(content, readings, config),
        _use(content["settings"], config),
        sections.costs_table(readings, costs, content["provenance"].get("cost", {})),
        _provenance(content, config),
    ]
    main = tag("main", body, id="top")
    return "<!doctype html>\n" + tag("html", _head(config), tag("body", _navigation(content, readings), main, _script()), lang="en")


def _head(config: Config) -> Markup:
    style = _asset("report.css")
    inside = f"img-src data:; style-src {_hash(style)}; script-src {_hash(_asset('report.js'))}"
    policy = f"default-src 'none'; {inside}; base-uri 'none'; form-action 'none'"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"hpcheck: {config.name}"),
        Markup(f"<style>{style}</style>"),
    )


def _asset(name: str) -> str:
    return files("hpcheck.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script() -> Markup:
    return Markup(f"<script>{_asset('report.js')}</script>")


def _navigation(content: Mapping[str, Any], readings: Sequence[Reading]) -> Markup:
    done = [reading.step for reading in readings]
    links = [("#top", "Recommended")]
    links += [("#results", "How well it trains")] * bool(content.get("results"))
    links += [
        (f"#step-{step}", title) for step, (title, _, _) in sections.ABOUT.items() if step in done or step in missing(content, readings)
    ]
    links += [
        ("#ledger", "Regularization"),
        ("#next", "What to do next"),
        ("#use", "Use the settings"),
        ("#cost", "Cost"),
        ("#provenance", "Provenance"),
    ]
    return tag("nav", tag("ul", [tag("li", tag("a", title, href=where)) for where, title in links]), aria_label="Sections")


def _header(config: Config, verdict: str) -> Markup:
    """The verdict against the start, then what this is a report of."""
    what = _what(config)
    words = f"{what}, {config.optimizer.name}, by Leslie Smith's checklist (2018)"
    first = tag("p", tag("strong", verdict), class_="verdict") if verdict else None
    return tag("header", tag("h1", config.name), first, tag("p", words))


def _what(config: Config) -> str:
    """What was trained."""
    if config.script is not None:
        return shlex.join(config.script)
    if config.task is not None and config.task.lightning is None:
        return config.model.name
    return f"{config.model.name} on {config.data.name}"


def _recommended(content: Mapping[str, Any]) -> Markup:
    parts = [tag("h2", "Recommended settings"), overview.settings_table(content), overview.schedule(content["settings"])]
    return tag("section", parts, id="recommended")


def _next(content: Mapping[str, Any], readings: Sequence[Reading], config: Config) -> Markup:
    lines = [
        tag("li", words, (": ", tag("code", command)) if command else None) for words, command in next_lines(content, readings, config)
    ]
    return tag("section", tag("h2", "What to do next"), tag("ol", lines), id="next")


def _use(settings: Mapping[str, Any], config: Config) -> Markup:
    title = tag("h2", "Use the settings")
    if why := snippets.refused(settings):
        return tag("section", title, tag("p", overview.sentence(f"nothing to paste: {why}"), class_="empty"), id="use")
    if config.script is not None:
        recommended = Path(config.run.dir) / config.name / "recommended.yaml"
        return tag("section", title, tag("pre", tag("code", of_script(recommended, None, config.script)), tabindex=0), id="use")
    if config.task is not None:
        code = of_task(Path(config.run.dir) / config.name, None, config.model.name)
        return tag("section", title, tag("pre", tag("code", code), tabindex=0), id="use")
    parts = [_snippet(key, settings, config) for key in snippets.SNIPPETS]
    words = tag(
        "p",
        "The schedule is counted in optimizer steps; train_set and model are yours. Also: ",
        tag("code", "hpcheck show --snippet pytorch"),
    )
    return tag("section", title, words, parts, id="use")


def _snippet(key: str, settings: Mapping[str, Any], config: Config) -> Markup:
    given = config.optimizer.name, config.optimizer.options()
    multiplied = declares_multipliers(config.model.name)
    text = snippets.write(key, settings, *given, multiplied)
    code = tag("pre", tag("code", text), tabindex=0, aria_label=f"{snippets.TITLES[key]}: code", role="region")
    differs = tag("ul", [tag("li", line) for line in snippets.differences(key, *given, multiplied)])
    body = (tag("p", "Where it differs from the runs that the settings were read from:"), differs, code)
    return tag("details", tag("summary", snippets.TITLES[key]), body, open=key == "pytorch")


def _provenance(content: Mapping[str, Any], config: Config) -> Markup:
    origin = content["provenance"]
    facts = [(key, str(origin[key])) for key in ("hpcheck", "config", "data", "seed") if key in origin]
    facts += [(key, str(value)) for key, value in origin.get("environment", {}).items() if key != "hpcheck"]
    resolved = tag("details", tag("summary", "The resolved config"), tag("pre", tag("code", configs.dump(config)), tabindex=0))
    return tag("section", tag("h2", "Provenance"), table(("What", "Value"), facts, "facts"), resolved, id="provenance")
