"""`hpcheck init`: a commented config for the data that a folder holds, and a file for the user's own model and data."""

import json
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcheck import config as configs
from hpcheck.config import ConfigError, Problem, yaml12
from hpcheck.config.problems import did_you_mean
from hpcheck.config.sections import Start
from hpcheck.config.source import read_text, run_name
from hpcheck.config.template import commented
from hpcheck.init.find_data import Found, find
from hpcheck.runs.files import naming, write_whole

PACKAGE = Path(__file__).parent.parent
STARTERS = Path(__file__).with_name("starters")
CONFIG, ENTRY, SCHEMA = "hpcheck.yaml", "hpcheck_entry.py", "hpcheck.schema.json"
BATCHES = 20  # ours: an epoch of fewer updates is over before a learning rate can be read
OWN = "hpcheck_entry:build"
EXAMPLE_BATCH_SIZE = 32  # ours: small enough that the example's few digits make many iterations
HEAD = f"""hpcheck run
yaml-language-server: $schema={SCHEMA}
What hpcheck is told. Keys that are commented out have their defaults: take the # away to change one. The schema is for your editor.
"""


@dataclass(frozen=True)
class Begun:
    """What `init` wrote, and the lines that it says about it."""

    written: list[Path]
    words: list[str]


def begin(directory: Path, preset: str | None = None, force: bool = False) -> Begun:
    """Write the starting files into `directory`. Raises `ConfigError` for a preset there is not, and rather than overwrite a file."""
    found = [] if preset else find(directory)
    texts = preset_texts(preset) if preset else texts_for(found[0] if found else None)
    return Begun(written(directory, texts, force), _words(directory, texts, found, preset))


def written(directory: Path, texts: dict[str, str], force: bool) -> list[Path]:
    """Write the files into `directory`. Raises `ConfigError` rather than overwrite one."""
    standing = [] if force else [directory / name for name in texts if name != SCHEMA and (directory / name).exists()]
    if standing:
        raise ConfigError([Problem(str(path), None, "", "is there already", expected="--force to overwrite it") for path in standing])
    with naming(directory, "made"):
        directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_whole(directory / name, text)
    return [directory / name for name in texts]


def texts_for(found: Found | None) -> dict[str, str]:
    """File name -> text, for what was found; the example that trains as it stands where nothing was."""
    chosen: dict[str, Any] = {"data": found.data if found else "hpcheck_entry:load", "model": OWN}
    size = EXAMPLE_BATCH_SIZE if found is None else batch_size(found.examples)
    if size is not None:
        chosen["start"] = {"total_batch_size": size}
    starter = STARTERS / f"{found.kind if found else 'example'}.py"
    return {CONFIG: commented(chosen, HEAD), ENTRY: starter.read_text(encoding="utf-8"), SCHEMA: schema_text()}


def batch_size(examples: int | None) -> int | None:
    """A batch size for few examples, a power of 2 that leaves `BATCHES` or more in an epoch; None where the default does that.

    >>> batch_size(80), batch_size(442), batch_size(50_000), batch_size(None)
    (4, 16, None, None)
    """
    if examples is None or examples >= BATCHES * Start().total_batch_size:
        return None
    return 1 << max(1, int(math.log2(max(1, examples / BATCHES))))


def presets_folder() -> Path:
    """Where the shipped configs lie: in the package once it is installed, beside it in a checkout."""
    installed = PACKAGE / "configs"
    return installed if installed.is_dir() else PACKAGE.parent / "configs"


def presets() -> list[str]:
    """Names of the shipped configs, those of the paper's own experiments as `paper/...`."""
    folder = presets_folder()
    return sorted(str(path.relative_to(folder).with_suffix("").as_posix()) for path in folder.rglob("*.yaml"))


def preset_texts(name: str) -> dict[str, str]:
    """The shipped config `name` with every default written beside what it sets. Raises `ConfigError` for one that is not shipped."""
    if name not in presets():
        problem = f"unknown preset{did_you_mean(name, presets())}"
        own = [preset for preset in presets() if "/" not in preset]
        others = f"{len(presets()) - len(own)} of the paper's experiments: paper/... (`hpcheck reproduce --list`)"
        raise ConfigError([Problem("--preset", None, "", problem, repr(name), f"{', '.join(own)}, or one of {others}")])
    path = presets_folder() / f"{name}.yaml"
    values = yaml12.read(read_text(path)).value
    values.setdefault("name", run_name(path))
    return {CONFIG: commented(values, HEAD), SCHEMA: schema_text()}


def schema_text() -> str:
    """The config's JSON schema, which the first lines of hpcheck.yaml point an editor to."""
    return json.dumps(configs.schema(), indent=2) + "\n"


def _words(directory: Path, texts: dict[str, str], found: list[Found], preset: str | None) -> list[str]:
    config = configs.parse(texts[CONFIG], CONFIG)
    lines = [f"found {one.words}" for one in found]
    if len(found) > 1:
        lines.append(f"{CONFIG} reads the first. Under `data` it says how to name another")
    if not found and preset is None:
        lines.append("found no data set here: the example trains on scikit-learn's digits")
    lines += [f"wrote {directory / name}" for name in texts]
    own = f"; your own model goes into {ENTRY}" if config.model.name == OWN else ""
    inside = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    kept = "put runs/ into .gitignore: it will hold records, pictures and weights"
    return [*lines, kept, f"next: {inside}hpcheck lr-range (the first step), or hpcheck run (everything){own}"]
