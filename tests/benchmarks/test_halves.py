"""CIFAR-10 cut in two for the way to another machine: it comes back bit for bit, and one half alone is not taken for the data."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import halves
from hpcheck.data.cache import load_raw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of lossless images with 3 classes, and more images in one than a picture of a half holds."""
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(halves, "COLUMN", 2)
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for count, name in ((5, "cat"), (2, "dog"), (3, "owl")):
            (tmp_path / "here" / "cifar10-png" / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "here" / "cifar10-png" / split / name / f"{index}.png")
    return tmp_path


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_both_halves_are_the_data_again_whichever_came_first(root, order):
    packed = halves.pack(root / "packed", root / "here")
    assert not halves.unpack([packed[order[0]]], root / "there")
    assert not (root / "there" / "cifar10-png").exists()
    assert halves.unpack([packed[order[1]]], root / "there")
    assert load_raw("cifar10", root / "there", {})[1] == load_raw("cifar10", root / "here", {})[1]
    assert halves.unpack([packed[0]], root / "there")  # and what is there is left as it is


def test_the_gpus_script_trains_a_row_once_both_halves_are_there_and_says_what_is_left(root):
    for number, half in enumerate(halves.pack(root / "packed", root / "here"), start=1):
        half.rename(root / f"half-{number}.tar")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HPCHECK_DATA": str(root / "there"),
        "STATE": str(root / "state"),
        "OUT": str(root / "out"),
        "DEVICE": "cpu",
        "PRECISION": "fp32",
        "LIMIT": "90",  # too little for speed and tests
        "ROWS": "table1-row1:1 table1-row2:999",
        "MORE": "-s budget.epochs=2 -s start.total_batch_size=8",
    }
    said = []
    for number in (1, 2):
        given = {**environment, "HALF": str(root / f"half-{number}.tar")}
        said.append(subprocess.run(["bash", "benchmarks/gpu.sh"], cwd=ROOT, env=given, capture_output=True, text=True, check=True).stdout)
    assert "done" not in said[0]
    assert "table1-row1: done" in said[1]
    assert "left: table1-row2 speed tests" in said[1]
    with tarfile.open(root / "out" / "gpu.tar.xz") as packed:
        names = packed.getnames()
    assert sum(name.startswith("./runs/table1-row1/records/") and name.endswith(".jsonl") for name in names) == 1
