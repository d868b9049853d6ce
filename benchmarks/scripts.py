"""`hpcheck run -- COMMAND` on the scripts of examples/script, beside a grid in each script's own loop with its own 1cycle.

python -m benchmarks scripts docs/results/records/scripts head    # one script; without a name all of them
python -m benchmarks scripts docs/results/records/scripts --table
"""

import argparse
import sys
from pathlib import Path

from benchmarks.beside_grid import Kept, Training, table

FOLDER = Path(__file__).parents[1] / "examples" / "script"
SCRIPTS = (
    Training(FOLDER / "train.py", lr=0.2, weight_decay=5e-4),
    Training(FOLDER / "gpt.py", lr=3e-3, weight_decay=0.1, less=True),
    Training(FOLDER / "ranks.py", lr=0.03, weight_decay=1e-3),
    Training(FOLDER / "with_accelerate.py", lr=1e-3, weight_decay=0.01),
    Training(FOLDER / "stream.py", lr=0.1, weight_decay=1e-3),
    Training(FOLDER / "head.py", lr=0.01, weight_decay=1e-3, lr_of_group=10.0),  # --lr is that of the body
    Training(FOLDER / "scaler.py", lr=0.05, weight_decay=1e-3),
)
TORCHRUN = {"ranks": ["torchrun", "--nproc_per_node=2", "--master_port=29533"]}  # with --torchrun; else as one process


def measure(training: Training, folder: Path, torchrun: bool) -> None:
    """All of one script that its records lack."""
    kept, several = Kept(folder, training), torchrun and training.name in TORCHRUN
    launcher = [sys.executable]
    if several:
        program, *words = TORCHRUN[training.name]
        launcher = [str(Path(sys.executable).with_name(program)), *words]
    kept.search("torchrun" if several else "hpcheck", ["--", *launcher, str(training.path)])
    kept.grid()


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks scripts", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(one.name for one in SCRIPTS))
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--torchrun", action="store_true", help="launch ranks.py as two processes: ten processor seconds a launch")
    given = parser.parse_intermixed_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    chosen = [one for one in SCRIPTS if not given.names or one.name in given.names]
    if given.table:
        table("script", given.folder, chosen)
        return
    for training in chosen:
        measure(training, given.folder, given.torchrun)
