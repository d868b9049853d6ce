"""Large logs: lines that are alike are thinned, what is rare is all read, and nothing is held twice."""

import gzip
import tracemalloc
from pathlib import Path

import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all
from hpcheck.curves.formats import content, thinning
from hpcheck.curves.formats.thinning import Thinning
from tests.support.read_cases import falling

LOSSES = falling(40)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "ALL", 100)
    monkeypatch.setattr(content, "STREAMED", 1000)


def console(each: int = 50) -> str:
    """Forty evaluations, and so many training steps between two of them."""
    lines = []
    for at, loss in enumerate(LOSSES):
        lines += [f"step {each * at + i + 1}: train loss {loss:.4f}" for i in range(each)]
        lines.append(f"step {each * (at + 1)}: val loss {loss:.4f}")
    return "\n".join(lines) + "\n"


def test_every_evaluation_of_a_large_log_is_read_and_its_many_steps_are_thinned(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(console())
    (found,) = load_all([tmp_path / "a.log"], {})
    assert [round(float(loss), 4) for loss in found.curve.val_loss] == [round(loss, 4) for loss in LOSSES]
    assert any("of 2,040 lines are passed over" in note for note in found.notes)


def test_a_large_log_may_be_packed(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(console().encode()))
    assert len(load_all([tmp_path / "a.log.gz"], {})[0].curve) == 40


def test_a_large_table_is_thinned_to_its_last_row(tmp_path: Path) -> None:
    rows = "".join(f"{at},{1 + 100 / (at + 100):.6f}\n" for at in range(3000))
    (tmp_path / "a.csv").write_text(f"step,val_loss\n{rows}")
    (found,) = load_all([tmp_path / "a.csv"], {})
    assert found.evaluations < 500
    assert found.curve.step[-1] == 2999
    assert any("lines are passed over" in note for note in found.notes)


def test_runs_that_start_over_in_a_large_table_are_apart(tmp_path: Path) -> None:
    rows = "".join(f"{at},{run + 100 / (at + 100):.6f}\n" for run in (1, 2) for at in range(2000))
    (tmp_path / "a.csv").write_text(f"epoch,val_loss\n{rows}")
    assert len(load_all([tmp_path / "a.csv"], {})) == 2


def test_a_loss_that_is_lost_at_the_end_of_a_large_table_is_seen(tmp_path: Path) -> None:
    rows = "".join(f"{at},{1.5 if at < 2900 else 'nan'}\n" for at in range(2950))
    (tmp_path / "a.csv").write_text(f"step,val_loss\n{rows}")
    (found,) = load_all([tmp_path / "a.csv"], {})
    assert found.curve.val_loss[-1] != found.curve.val_loss[-1]


def test_memory_does_not_grow_with_the_lines_that_are_passed_over() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        kept = sum(1 for _ in Thinning(100).kept((at, f"step {at:09}: train loss 0.5") for at in range(count)))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 1000
        return most

    assert peak(40_000) < 2 * peak(4_000)


def test_a_text_beyond_the_largest_is_refused_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGEST_STREAMED", 2000)
    (tmp_path / "a.log").write_text(console())
    with pytest.raises(ConfigError) as error:
        load_all([tmp_path / "a.log"], {})
    (line,) = str(error.value).splitlines()
    assert "larger than" in line
