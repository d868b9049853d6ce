"""`hpcheck run` on eight trainings that are no array and a module (benchmarks/setups), beside a grid in each one's own loop with a 1cycle.

python -m benchmarks tasks docs/results/records/tasks --grid vae      # the grid alone; without a name all of them
python -m benchmarks tasks docs/results/records/tasks                 # the grids, then the searches
python -m benchmarks tasks docs/results/records/tasks --table

Data are looked for in $HPCHECK_DATA; `lit` needs lightning, `bert` transformers and accelerate.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.beside_grid import Kept, Training, table

FOLDER = Path(__file__).parent / "setups"
SETUPS = (
    Training(FOLDER / "segmentation.py", lr=1e-3, weight_decay=0.01),
    Training(FOLDER / "two_inputs.py", lr=0.05, weight_decay=1e-3),
    Training(FOLDER / "bert.py", lr=1e-3, weight_decay=0.01, packages=("transformers", "accelerate")),
    Training(FOLDER / "lit.py", lr=3e-4, weight_decay=0.01, less=True, lr_of_group=3.0, packages=("lightning",)),  # --lr: the body's
    Training(FOLDER / "augmented.py", lr=0.05, weight_decay=1e-3),
    Training(FOLDER / "vae.py", lr=1e-3, weight_decay=0.01, less=True),
    Training(FOLDER / "detector.py", lr=1e-3, weight_decay=0.01),
    Training(FOLDER / "lengths.py", lr=1e-3, weight_decay=0.01),
)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks tasks", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in SETUPS))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--grid", action="store_true", help="only the grids")
    given = parser.parse_intermixed_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in SETUPS if not given.names or one.name in given.names]
    if given.table:
        table("set-up", given.folder, chosen)
        return
    if data := os.environ.get("HPCHECK_DATA"):
        os.environ["HPCHECK_DATA"] = str(Path(data).resolve())  # trainings have folders of their own
    for training in chosen:
        Kept(folder=given.folder, training=training).grid()
    for training in chosen if not given.grid else ():
        config = training.path.with_suffix(".yaml")
        words = [config.name] if config.exists() else ["--", sys.executable, training.path.name]
        Kept(given.folder, training).search("hpcheck", words)
