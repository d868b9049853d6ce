"""A picture that a notebook shows by itself, and that can be saved as PNG or SVG."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hpcheck.drawing import png, scale
from hpcheck.drawing.panels import Panel
from hpcheck.errors import InputError


@dataclass(frozen=True)
class Picture:
    """Some panels, one under another."""

    title: str
    panels: Sequence[Panel]

    def __post_init__(self) -> None:
        if not any(map(scale.view, self.panels)):
            raise InputError(f"there is nothing to draw of {self.title}: no run of it has a finite value")

    def save(self, path: str | Path) -> Path:
        """Write the picture as a file, PNG or SVG by the ending of its name; returns its path."""
        path = Path(path)
        if path.suffix.lower() not in (".png", ".svg"):
            raise InputError(f"{path}: a picture is saved as .png or .svg")
        png.draw_panels(self.panels, path)
        return path

    @cached_property
    def png(self) -> bytes:
        """The bytes of the PNG."""
        with tempfile.TemporaryDirectory() as folder:
            return self.save(Path(folder) / "picture.png").read_bytes()

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<picture of {self.title}: {', '.join(panel.title for panel in self.panels)}>"
