"""What the tests of the config share: the least config, a few plug-ins, and the lines that are said about a text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from hpcheck.config import ConfigError, parse
from hpcheck.plugins import find

LEAST = "data: digits\nmodel: net\n"
SHIPPED = {
    "data/sets/digits.py": "def load(root): ...",
    "data/sets/fashion_mnist.py": "def load(root, *, download=False): ...",
    "data/sets/image_folder.py": "def load(root, *, folder=None, image_size=None): ...",
    "models/net.py": "def build(shape, outputs, *, width=64, dropout=0.0, hidden=(64, 64), kind='relu', extra=None): ...",
    "optimizers/sgd.py": "SEARCH = {'momenta': (0.9,), 'sweep': (1e-5, 10.0)}\ndef build(groups, *, nesterov=True, velocity=''): ...",
    "optimizers/adamw.py": "SEARCH = {'momenta': (0.9,), 'sweep': (1e-6, 1.0)}\ndef build(groups, *, beta2=0.999, eps=1e-8): ...",
}


@contextmanager
def few_plugins(package: Path) -> Iterator[None]:
    """A small package of plug-ins in `package` instead of hpcheck's, so that tests do not move with what hpcheck ships."""
    for name, source in SHIPPED.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(find, "PACKAGE", package)
        _forget()
        yield
    _forget()  # its names are those of what hpcheck ships


def _forget() -> None:
    find.options.cache_clear()
    find.literal.cache_clear()


def lines_said_about(text: str, overrides: Sequence[str]) -> list[str]:
    try:
        parse(text, "c.yaml", overrides)
    except ConfigError as error:
        return str(error).split("\n")
    return []


def problems(text: str, *overrides: str) -> list[str]:
    lines = lines_said_about(text, overrides)
    assert lines, "nothing was refused"
    return lines
