"""A picture that a notebook shows by itself, and that can be saved as PNG or SVG."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from hpcheck.drawing import png, scale
from hpcheck.drawing.panels import Panel
from hpcheck.errors import InputError

COLOURS = 64  # ours: enough for seven curves, their shades at the edges, and words


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
        """The bytes of the PNG, as small as a notebook that keeps it should be."""
        with tempfile.TemporaryDirectory() as folder:
            return small(self.save(Path(folder) / "picture.png").read_bytes())

    def _repr_png_(self) -> bytes:
        return self.png

    def __repr__(self) -> str:
        return f"<picture of {self.title}: {', '.join(panel.title for panel in self.panels)}>"


def small(picture: bytes, width: int | None = None) -> bytes:
    """A PNG with a palette of `COLOURS`, and at most `width` pixels wide."""
    from PIL import Image

    with Image.open(BytesIO(picture)) as whole:
        shown = whole.convert("RGB")
    if width is not None and shown.width > width:
        shown = shown.resize((width, round(shown.height * width / shown.width)), Image.Resampling.LANCZOS)
    written = BytesIO()
    shown.quantize(COLOURS).save(written, "png", optimize=True)
    return written.getvalue()
