"""`hpcheck.use` with a recommended.yaml that somebody edited, or that is none: one line, and no length that fills the memory."""

from pathlib import Path

import numpy as np
import pytest

from hpcheck.errors import InputError
from hpcheck.runs import schedules
from hpcheck.script.inside.recommended import STRETCH, Recommended, Schedule

TEXT = """settings:
  total_batch_size: 100
  learning_rate: {policy: 1cycle, max: 0.5, min: 0.05, final: 5.0e-05, cycle_epochs: 90.0, epochs: 100.0}
  momentum: {max: 0.95, min: 0.85}
  weight_decay: 0.001
provenance:
  seed: 3
  script: {train_examples: 1000}
"""
HOSTILE = [
    ("total_batch_size: 100", "total_batch_size: x", ":2: settings.total_batch_size: not a whole number"),
    ("  total_batch_size: 100\n", "", ": settings.total_batch_size: is required"),
    ("max: 0.5", "max: [1]", ":3: settings.learning_rate.max: not a number"),
    ("min: 0.05, ", "", ":3: settings.learning_rate.min: is required"),
    ("cycle_epochs: 90.0", "cycle_epochs: y", ":3: settings.learning_rate.cycle_epochs: not a number"),
    ("  momentum: {max: 0.95, min: 0.85}\n", "", ": settings.momentum.max: is required"),
    ("weight_decay: 0.001", "weight_decay:", ": settings.weight_decay: is required"),
    ("  learning_rate", "  #", ": has no settings with a learning rate"),
    ("seed: 3", "seed: -1", ":7: provenance.seed: not allowed"),
    ("script: {train_examples: 1000}", "script: 1", ":8: provenance.script: not a mapping"),
    ("train_examples: 1000", "train_examples: 0", ":8: provenance.script.train_examples: not allowed"),
    ("settings:", "\xff", ":1: "),
    ("settings:", "[" * 100_000, ":1: nested more than 100 levels deep"),
]


@pytest.mark.parametrize(("old", "new", "said"), HOSTILE, ids=[one[2] for one in HOSTILE])
def test_what_cannot_be_used_is_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    path = tmp_path / "recommended.yaml"
    path.write_bytes(TEXT.replace(old, new, 1).encode("latin-1"))
    with pytest.raises(InputError) as caught:
        Recommended(path)
    line = str(caught.value).splitlines()[0]
    assert line.startswith(f"{path}{said.split(': ', 1)[0]}")
    assert said in line


def test_its_values_are_those_of_the_schedule(tmp_path: Path) -> None:
    path = tmp_path / "recommended.yaml"
    path.write_text(TEXT)
    course, rates = Schedule(Recommended(path).settings, 100_000), []
    assert course.steps == 100_000 > 2 * STRETCH
    for at in range(course.steps):
        course.done = at
        rates.append(course.values()[0])
    assert rates == schedules.values(schedules.one_cycle(0.5, 0.05, 45_000, 100_000), 100_000).tolist()
    course.done = 200_000
    assert course.values()[0] == rates[-1]


def test_a_length_without_end_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "recommended.yaml"
    path.write_text(TEXT.replace("epochs: 100.0", "epochs: 1000000000.0"))
    course = Schedule(Recommended(path).settings, 10**9)
    assert course.steps == 10**16
    course.done = 10**15
    assert np.isfinite(course.values()).all()
