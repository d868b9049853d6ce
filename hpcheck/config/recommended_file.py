"""A recommended.yaml is read here: whoever wrote it, what it says is checked before any of it is shown or used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hpcheck.config import recommended_checks, yaml12
from hpcheck.config.problems import ConfigError, Problem, located
from hpcheck.config.source import read_text


def read(path: Path, sections: Sequence[str] = ("settings",), whole: bool = False, used: bool = False) -> dict[str, Any]:
    """The content of a recommended.yaml; values only, nothing in it can name code. `whole`: with all that is shown of one; `used`: with all
    settings of a training.

    Raises `ConfigError`, a line for each thing that is wrong, where it cannot be read or says what none that hpcheck wrote says.
    """
    if not path.exists():
        raise ConfigError([Problem(str(path), None, "", "no such file", expected="a recommended.yaml; `hpcheck run` writes one")])
    try:
        document = yaml12.read(read_text(path))
    except yaml12.YamlError as error:
        raise ConfigError([Problem(str(path), error.line, "", error.problem)]) from None
    content: dict[str, Any] = document.value if isinstance(document.value, dict) else {}
    content = _without_nothing(content)
    missing = [section for section in sections if not isinstance(content.get(section), dict)]
    if missing:
        raise ConfigError([Problem(str(path), None, missing[0], "is missing", expected="a recommended.yaml as hpcheck wrote it")])
    if wrong := recommended_checks.findings(content, whole, used):
        raise ConfigError([located(finding, str(path), document.lines) for finding in wrong])
    settings = content.get("settings", {})
    if settings.get("total_batch_size") is not None:
        settings["total_batch_size"] = int(settings["total_batch_size"])  # 1e3 is a float in YAML, and a fine batch size
    return content


def _without_nothing(value: Any) -> Any:
    """Keys without a value left out, wherever they are: a key that says nothing is none."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    return value
