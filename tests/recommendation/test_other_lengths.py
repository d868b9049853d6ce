"""How values move with batch size and length by published rules, and older files of recommendations, which are read still."""

import copy
import subprocess
from pathlib import Path

import pytest

from hpcheck.analysis.noise_scale import b_noise, scaled_lr
from hpcheck.config import yaml12
from hpcheck.errors import InputError
from hpcheck.recommendation import drift, recommended
from hpcheck.recommendation.other_lengths import lines, moved
from hpcheck.recommendation.verdict import first_line, is_beaten, keeps_yours
from tests.support.baselines import BASE

ROOT = Path(__file__).parents[2]


def after(batch: int | None, epochs: float | None) -> dict[str, float]:
    return {one.setting: one.after for one in moved(BASE, batch, epochs)}


def test_twice_the_length_halves_the_weight_decay() -> None:
    assert after(None, 50.0) == {"weight decay": pytest.approx(0.0005)}


def test_another_batch_size_moves_the_lr_by_the_root_and_the_weight_decay_by_what_keeps_the_timescale() -> None:
    assert after(256, None) == {"learning rate": pytest.approx(0.8), "weight decay": pytest.approx(0.002)}


def test_a_noise_scale_that_was_read_moves_the_lr() -> None:
    read = {**BASE, "results": {"batch": {"noise_scale": 64.0}}}
    found = {one.setting: one for one in moved(read, 128, None)}
    assert found["learning rate"].after == pytest.approx(0.4 * 4 / 3)
    assert "McCandlish" in found["learning rate"].source


def test_the_noise_scale_and_the_lr_agree() -> None:
    noise = b_noise(64, 4, scaled_lr(0.1, 64, 256, 90.0) / 0.1)
    assert noise == pytest.approx(90.0)


def test_nothing_is_said_beyond_a_factor_of_8() -> None:
    with pytest.raises(InputError, match="--batch: 1024 is more than 8 times from 64"):
        moved(BASE, 1024, None)


def test_every_line_says_that_it_is_a_rule_and_not_measured() -> None:
    said = lines(BASE, 128, 50.0)
    assert said[0] == "From batch size 64 and 25 epochs to 128 and 50 epochs:"
    assert all("rule, not measured here" in line for line in said[1:])
    assert lines(BASE, 64, 25.0) == ["From batch size 64 and 25 epochs to 64 and 25 epochs: no rule moves a value"]


def committed() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*recommended.yaml"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split()]


@pytest.mark.parametrize("path", committed(), ids=str)
def test_committed_recommendations_of_any_format_are_read_and_compared(path: Path) -> None:
    content = recommended.read(path, ("settings", "evidence", "provenance"))
    assert all(one.status == "same" for one in drift.compare(content, content))
    first_line(content)
    if "format" not in content:
        assert not keeps_yours(content)


def test_a_verdict_of_before_the_format_is_understood() -> None:
    old = {**BASE, "verdict": {"says": "not better", "words": "Worse than yours: metric 0.967 against 0.975."}}
    assert first_line(old) == "Worse than yours: metric 0.967 against 0.975."
    assert is_beaten(old)
    assert not keeps_yours(old)


def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recommended.yaml"
    path.write_text(yaml12.write({"format": 3, **BASE}))
    with pytest.raises(Exception, match="a newer hpcheck writes newer ones"):
        recommended.read(path)


def test_a_score_that_moved_is_one_line_of_a_diff_and_the_file_says_the_same() -> None:
    said = copy.deepcopy({**BASE, "results": {}})
    line = {"value": 0.001, "score": 0.97, "error": 0.004}
    said["evidence"]["weight_decay"] |= {"reason": "trained in full, " * 12, "considered": [line, {**line, "value": 0.01}]}
    before = recommended.text(said)
    said["evidence"]["weight_decay"]["considered"][0] = {**line, "score": 0.98}
    after = recommended.text(said)
    moved = [new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert moved == ["    - {value: 0.001, score: 0.98, error: 0.004}"]
    assert yaml12.read(after).value == said
