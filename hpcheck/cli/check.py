"""`hpcheck check`: regenerate the recommendation, compare it with the committed one, and tell people, programs and GitHub."""

import difflib
import math
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpcheck.config import Config, ConfigError, Problem, yaml12
from hpcheck.recommendation import drift, recommended
from hpcheck.recommendation.drift import Content, Stated, Verdict, number
from hpcheck.recommendation.verdict import first_line
from hpcheck.recommendation.wording import cost_line
from hpcheck.runs.files import Growing, naming, write_whole
from hpcheck.runs.target import refuse_target
from hpcheck.steps.nothing_learnt import NOT_TESTED
from hpcheck.terminal import exit_codes, stdout
from hpcheck.text import epochs
from hpcheck.text import number as named_number

PICTURE_WIDTH = 48  # characters from one end of the scale to the other
BEYOND = 2.0  # ours: the picture's scale goes so many times past the outermost value


@dataclass(frozen=True)
class Checked:
    """The committed recommendation (None before the first `--update`), the regenerated one, and what was found."""

    baseline: Path
    old: Content | None
    new: Content
    new_text: str
    verdicts: tuple[Verdict, ...]
    changed: tuple[str, ...]
    written: bool = False

    @property
    def exit_code(self) -> int:
        """0 same, 1 drifted, 6 where nothing drifted but a reading abstained, so that a setting could not be compared."""
        statuses = {verdict.status for verdict in self.verdicts}
        return exit_codes.DIFFERS if "drifted" in statuses else exit_codes.ABSTAINED if "not compared" in statuses else exit_codes.FINE

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "baseline": str(self.baseline),
            "exit_code": self.exit_code,
            "written": self.written,
            "settings": [asdict(verdict) for verdict in self.verdicts],
            "changed": list(self.changed),
        }


def check(config: Config, baseline: Path, update: bool, quiet: bool = False, full: bool = False) -> Checked:
    """Run what is missing and compare; `update` writes the baseline, and leaves it byte for byte where nothing has drifted.

    Where full trainings confirmed the baseline, the short steps are run, and what it recommends and the start are trained once each; `full`
    runs all that `run` does but for the final training, and so does an update of what has drifted.

    Before anything runs, raises `ConfigError` where the baseline cannot be compared with, `StorageError` where an update cannot write it.
    """
    if update:
        refuse_target(baseline, makes_folder=True)
    old = read_baseline(baseline, update)
    new_text = regenerate(config, quiet, None if full else old)
    new = yaml12.read(new_text).value
    if update and not full and old is not None and any(one.status == "drifted" for one in drift.compare(old, new)):
        new_text = regenerate(config, quiet, None)
        new = yaml12.read(new_text).value
    verdicts = () if old is None else tuple(drift.compare(old, new))
    written = update and (old is None or any(one.status == "drifted" for one in verdicts))
    if written:
        with naming(baseline.parent, "made"):
            baseline.parent.mkdir(parents=True, exist_ok=True)
        write_whole(baseline, new_text)
    return Checked(baseline, old, new, new_text, verdicts, () if old is None else tuple(drift.changed(old, new)), written)


def read_baseline(path: Path, update: bool) -> Content | None:
    """The committed recommendation; None where there is none and one is about to be written."""
    if update and not path.exists():
        return None
    if not path.exists():
        raise ConfigError([Problem(str(path), None, "", "no such baseline", expected="a file that `hpcheck check --update` writes")])
    return drift.checked(recommended.read(path, ("settings", "evidence", "provenance")), str(path))


def regenerate(config: Config, quiet: bool, baseline: Content | None) -> str:
    """The text of the recommendation as it comes out now; recorded runs are not run again. What full trainings confirmed in the `baseline`
    is trained once more, beside the start; without one all is confirmed anew."""
    from hpcheck.checklist.run import Checklist
    from hpcheck.steps.order import CONFIRM, steps_of_run
    from hpcheck.terminal.progress import Progress

    progress = Progress(quiet)
    with Checklist(config, progress) as checklist:
        checklist.run_short()
        if CONFIRM in steps_of_run(checklist.asked):
            if baseline is not None and CONFIRM in (baseline.get("results") or {}):
                return yaml12.write(checklist.confirm_again(baseline))
            checklist.run_step(CONFIRM)
    for words in checklist.lost():
        progress.say(words)
    return checklist.runs.recommended.read_text(encoding="utf-8")


def told(checked: Checked, diff: bool, as_json: bool) -> list[str]:
    """All lines that the command prints on stdout, one where that is JSON."""
    if as_json:
        return [stdout.as_json(checked.as_json())]
    return [*lines(checked), *(difference(checked) if diff else ())]


def lines(checked: Checked) -> list[str]:
    """The verdicts for people."""
    found = [f"{verdict.setting}: {verdict.status} ({verdict.why})" for verdict in checked.verdicts]
    found += [f"changed since the baseline: {one}" for one in checked.changed]
    return [*found, f"wrote {checked.baseline}" if checked.written else summary(checked)]


def summary(checked: Checked) -> str:
    """One line: what has drifted, or that nothing has."""
    by_status = {status: [one.setting for one in checked.verdicts if one.status == status] for status in ("drifted", "not compared")}
    if by_status["drifted"]:
        return f"drifted: {', '.join(by_status['drifted'])} (hpcheck check --update accepts it)"
    if by_status["not compared"]:
        return f"not compared, since a reading abstained: {', '.join(by_status['not compared'])}"
    return f"no setting has drifted from {checked.baseline}"


def difference(checked: Checked) -> list[str]:
    """Old settings against new, as a unified diff."""
    old, new = ("" if content is None else yaml12.write(content["settings"]) for content in (checked.old, checked.new))
    named = difflib.unified_diff(old.splitlines(), new.splitlines(), f"{checked.baseline} (committed)", "regenerated", lineterm="")
    return list(named) or ["the settings are the same, value by value"]


def annotations(checked: Checked) -> list[str]:
    """GitHub workflow commands: an error for each drift, a warning for what was not compared or has changed.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """
    place = f"file={escaped_property(str(checked.baseline))}"
    levels = {"drifted": "error", "not compared": "warning"}
    found = [(levels[one.status], one.setting, one.why) for one in checked.verdicts if one.status in levels]
    found += [("warning", "changed", one) for one in checked.changed]
    return [f"::{level} {place},title={escaped_property(f'hpcheck: {title}')}::{escaped(words)}" for level, title, words in found]


def escaped(text: str) -> str:
    """
    >>> escaped("50% of\\nall")
    '50%25 of%0Aall'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """The same for what stands before the `::`, where `:` and `,` have a meaning."""
    return escaped(text).replace(":", "%3A").replace(",", "%2C")


def summary_file() -> Path | None:
    """The file of the job's summary, where GitHub gives one."""
    given = os.environ.get("GITHUB_STEP_SUMMARY")
    return Path(given) if given else None


def write_summary(checked: Checked) -> None:
    """Append the table and the picture to the job's summary, where GitHub gives one."""
    path = summary_file()
    if path is not None:
        with closing(Growing(path)) as file:
            file.append(markdown(checked).encode())


def write_markdown(checked: Checked, path: Path) -> None:
    """The same as a file of its own, for a comment under a pull request."""
    write_whole(path, markdown(checked))


def markdown(checked: Checked) -> str:
    """What was found, the new verdict and what it cost, a table of old and new, and a picture of the intervals."""
    rows = [
        f"| {one.setting} | {shown(one, one.old)} | {shown(one, one.new)} | {one.status} | {cell(one.why)} |" for one in checked.verdicts
    ]
    table = ["| setting | baseline | now | | why |", "|---|---|---|---|---|", *rows]
    drawn = [line for one in checked.verdicts for line in picture(one)]
    notes = [f"- changed: {cell(one)}" for one in checked.changed]
    said = [cell(words) for words in (_verdict(checked), _cost(checked.new)) if words]
    head = ["### hpcheck", "", f"**{cell(summary(checked))}**", "", *(line for words in said for line in (words, ""))]
    return "\n".join([*head, *table, "", "```text", *drawn, "```", "", *notes, ""]) + "\n"


def shown(verdict: Verdict, stated: Stated) -> str:
    """A value as people write it; of a cycle the training's length."""
    if verdict.setting == "learning_rate.cycle" and stated.value is not None:
        return epochs(stated.value)
    return number(stated.value)


def _verdict(checked: Checked) -> str:
    """Whether the settings are better than the start: what this check confirmed, else what the baseline says of itself."""
    fresh = checked.new.get("verdict") or {}
    if fresh.get("says", NOT_TESTED) != NOT_TESTED or checked.old is None:
        return first_line(checked.new)
    words = first_line(checked.old)
    return f"The baseline says: {words}" if words else ""


def _cost(content: Content) -> str:
    words = cost_line(content) if "cost" in content.get("provenance", {}) else ""
    return f"This check and what it found again cost {words}." if words else ""


def cell(text: str) -> str:
    """Text that cannot end a table cell, open a tag or make a link."""
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;"), ("`", "&#96;"), ("[", "&#91;"), ("\n", " ")):
        text = text.replace(mark, entity)
    return stdout.printable(text)


def picture(verdict: Verdict) -> list[str]:
    """Old above new on one logarithmic scale: the interval as dashes, the value as `o` (1 - m for momentum)."""
    flipped = verdict.setting.startswith("momentum")
    both = [[_spot(end, flipped) for end in (one.low, one.value, one.high)] for one in (verdict.old, verdict.new)]
    known = [spot for spots in both for spot in spots if spot is not None]
    if not known:
        return []
    least, most = tidy(min(known) / BEYOND, math.floor), tidy(max(known) * BEYOND, math.ceil)
    named = (
        f"{verdict.setting} (1 - m)"
        if flipped
        else f"{verdict.setting} (epochs)"
        if verdict.setting.endswith(".cycle")
        else verdict.setting
    )
    bars = [_bar(sorted(spot for spot in spots if spot is not None), spots[1], least, most) for spots in both]
    return [
        f"{named}, {named_number(least)} to {named_number(most)}",
        *(f"  {label} |{bar}|" for label, bar in zip(("baseline", "now     "), bars, strict=True)),
    ]


def tidy(value: float, towards: Callable[[float], int]) -> float:
    """The end of a scale as 1, 2 or 5 times a power of ten.

    >>> tidy(0.0316, math.floor), tidy(1.1, math.ceil), tidy(3.0, math.floor)
    (0.02, 2.0, 2.0)
    """
    power = 10.0 ** math.floor(math.log10(value))
    steps = [step * power for step in (1, 2, 5, 10)]
    within = [step for step in steps if (step <= value * (1 + 1e-9) if towards is math.floor else step >= value * (1 - 1e-9))]
    return float(f"{max(within) if towards is math.floor else min(within):.1g}")


def _spot(value: float | None, flipped: bool) -> float | None:
    """Where a value stands on the logarithmic scale; None for what has no place there."""
    if value is None:
        return None
    at = 1 - value if flipped else value
    return at if at > 0 else None


def _bar(spots: list[float], value: float | None, least: float, most: float) -> str:
    def column(spot: float) -> int:
        return round((PICTURE_WIDTH - 1) * math.log(spot / least) / math.log(most / least))

    drawn = [" "] * PICTURE_WIDTH
    if spots:
        first, last = column(spots[0]), column(spots[-1])
        drawn[first : last + 1] = "-" * (last + 1 - first)
    if value is not None:
        drawn[column(value)] = "o"
    return "".join(drawn)
