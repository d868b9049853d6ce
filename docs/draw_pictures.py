"""Draw docs/images/settings.png and lr-range.png from a fresh search of configs/quickstart.yaml. Run: python docs/draw_pictures.py

`batch` and `momentum` are asked for by name, since so small a task leaves no room for them in `run`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
STEPS = ("lr-range", "batch", "momentum", "confirm")
PICTURES = ("settings.png", "lr-range.png")
COLOURS, HOW = 128, Image.Quantize.MAXCOVERAGE  # of a picture, so that its file is small; each curve keeps its own colour so


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for step in STEPS:
            command = [sys.executable, "-m", "hpcheck", step, "-q", str(ROOT / "configs" / "quickstart.yaml")]
            subprocess.run(command, cwd=folder, check=True)
        for name in PICTURES:
            picture = Image.open(Path(folder) / "runs" / "quickstart" / "plots" / name).convert("RGB")
            picture.quantize(COLOURS, HOW, dither=Image.Dither.NONE).save(ROOT / "docs" / "images" / name, optimize=True)


if __name__ == "__main__":
    main()
