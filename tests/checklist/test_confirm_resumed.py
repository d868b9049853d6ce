"""`hpcheck confirm` that is killed between any two of its trainings goes on to the same answer, and makes none of them twice."""

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hpcheck.__main__ import run
from hpcheck.config import yaml12
from hpcheck.runs.spec import Spec
from tests.support.simulated import World
from tests.support.simulated_engine import SimulatedEngine

CONFIG = "name: c\ndata: digits\nmodel: mlp\nconfirm: {trainings: 6}\nbudget: {epochs: 10}\nrun: {jobs: 2, threads: 1}\n"
FOLDER = Path("runs/c")


class Killed(BaseException):
    """Stands for a SIGKILL of the command."""

    __module__ = "hpcheck.killed"  # else it would be told as an error of the user's code


class Cut(SimulatedEngine):
    """Is killed before it has made more than so many runs."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(World())
        self.most, self.made = most, Counter[str]()

    def execute(
        self,
        jobs: Sequence[tuple[str, Spec]],
        directory: Path,
        on_poll: Callable[[], None] = lambda: None,
        asked_at_once: int | None = None,
        *_: Any,
    ) -> None:
        for job in jobs:
            if self.most is not None and sum(self.made.values()) >= self.most:
                raise Killed
            super().execute([job], directory, on_poll, asked_at_once)
            self.made[job[0]] += 1


def answered() -> tuple[dict[str, Any], dict[str, bytes]]:
    """What is recommended, and all records."""
    content = yaml12.read((FOLDER / "recommended.yaml").read_text(encoding="utf-8")).value
    return content, {path.name: path.read_bytes() for path in (FOLDER / "records").glob("*.jsonl")}


@pytest.fixture
def cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], Cut]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpcheck.drawing.png.draw", lambda *_: None)
    Path("hpcheck.yaml").write_text(CONFIG, encoding="utf-8")

    def at(most: int | None) -> Cut:
        made = Cut(most)
        monkeypatch.setattr("hpcheck.checklist.run.engine", lambda config, say=None: made)
        return made

    return at


def test_killed_after_each_number_of_runs_the_answer_is_the_same(cut: Callable[[int | None], Cut]) -> None:
    whole = cut(None)
    assert run(["run", "-q"]) == 0
    expected, count = answered(), sum(whole.made.values())
    assert set(whole.made.values()) == {1}
    assert "confirm" in expected[0]["results"]
    for place in range(2, count - 3, 5):
        shutil.rmtree(FOLDER)
        made = Counter[str]()
        for most in (place, 3):
            killed = cut(most)
            with pytest.raises(Killed):
                run(["run", "-q"])
            made += killed.made
        last = cut(None)
        assert run(["run", "-q"]) == 0
        assert made + last.made == whole.made
        assert answered() == expected
