"""What is no range test, and what is no signal: the warm-up of a training, and noise under a moving average."""

import numpy as np
import pytest

from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve, FloatArray
from hpcheck.analysis.lr_range import read_sweep
from hpcheck.analysis.ramp import is_ramp
from hpcheck.analysis.wandering import only_wanders

COUNT, WINDOW = 120, 15
SEEDS = range(12)
U = np.linspace(0, 1, COUNT)


def averaged(seed: int, window: int = WINDOW) -> FloatArray:
    """Noise of deviation 1 under a moving average, scaled back to that deviation."""
    values = np.random.default_rng([seed, 31]).standard_normal(COUNT + window - 1)
    return np.convolve(values, np.ones(window), "valid") / np.sqrt(window)


def along(loss: FloatArray, lr: FloatArray | None = None) -> Curve:
    return Curve(np.arange(1.0, COUNT + 1), np.full(COUNT, 0.1) if lr is None else lr, loss)


def test_noise_under_a_moving_average_goes_nowhere() -> None:
    """Values that follow each other look as if they rose and fell: each clue in them is a false one."""
    for seed in SEEDS:
        kinds = {clue.kind for clue in find_clues(along(2.0 + 0.1 * averaged(seed)))}
        assert kinds == {"no-signal"}, seed


def test_a_sweep_of_such_noise_does_not_diverge() -> None:
    lr = 10.0 ** (-6 + 3 * U)
    assert [seed for seed in SEEDS if read_sweep(along(2.0 + 0.1 * averaged(seed), lr)).diverges_at is not None] == []


@pytest.mark.parametrize("size", [0.02, 0.1])
def test_a_loss_that_falls_by_more_than_its_average_wanders_is_read(size: float) -> None:
    for seed in SEEDS:
        assert not only_wanders(1.0 + np.exp(-5 * U) + size * averaged(seed)), seed


def test_a_collapse_is_no_wandering_nor_is_noise_of_the_usual_kind() -> None:
    collapsed = np.where((U > 0.3) & (U < 0.7), 1.0, 2.3)
    for seed in SEEDS:
        noise = np.random.default_rng(seed).standard_normal(COUNT)
        assert not only_wanders(collapsed + 0.1 * noise), seed
        assert not only_wanders(2.0 + 0.1 * noise), seed


@pytest.mark.parametrize("after", [3, 8])
@pytest.mark.parametrize("end", [1.0, 0.98])
def test_a_log_that_ends_soon_after_its_warm_up_is_no_range_test(after: int, end: float) -> None:
    """The lr stays at its top, or begins to come down from it."""
    lr = np.concatenate([np.linspace(1e-5, 1e-3, COUNT - after), 1e-3 * np.linspace(1.0, end, after)])
    assert not is_ramp(along(3 - U, lr))
    assert is_ramp(along(3 - U, np.linspace(1e-5, 1e-3, COUNT)))


def test_the_last_lr_may_be_told_twice() -> None:
    """Where the last evaluation is not logged with an lr of its own."""
    assert is_ramp(along(3 - U, np.append(np.linspace(1e-5, 1e-3, COUNT - 1), 1e-3)))


def test_a_single_value_that_stands_out_is_no_early_rise() -> None:
    """Where the noise grows, one value may stand ten noise levels above its neighbours; several in a row are a rise."""
    at = np.arange(100)
    loss = 1.2 + 1.9 * np.exp(-at / 40) + (0.008 + 0.0015 * at) * np.random.default_rng(10).standard_normal(100)
    spike, rise = np.where(at == 10, 0.25, 0.0), 0.5 * np.exp(-(((at - 12) / 3) ** 2))
    curves = [Curve(at + 1.0, np.full(100, 0.1), loss + more) for more in (spike, rise)]
    assert [{clue.form for clue in find_clues(one) if clue.kind == "overfitting"} for one in curves] == [set(), {"early-rise"}]
