"""Several equal candidates under the noise of the records: how often one of them is ruled out by chance."""

import numpy as np
import pytest

from hpcheck.analysis.choose import choose
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.ranking import SEPARATED, chance_of
from hpcheck.analysis.scores import Candidate

NOISE = 0.01


def equal(random: np.random.Generator, deviation: float) -> Curve:
    """A curve of a short run whose seed moves all of it by `deviation` noise levels."""
    step = np.linspace(0, 200, 26)
    loss = 0.3 + 2 * np.exp(-step / 30) + random.normal(0, deviation * NOISE) + random.normal(0, NOISE, len(step))
    known = {"step": step, "lr": np.full(26, 0.1), "val_loss": loss, "accuracy": 1 - 0.2 * loss, "train_loss": loss}
    return Curve(**known, momentum=np.full(26, 0.9), weight_decay=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "deviation"), [(4, 0.6), (4, 1.3), (8, 0.6), (8, 1.3)])
def test_someone_of_many_equal_candidates_is_ruled_out_at_the_nominal_rate(count: int, deviation: float) -> None:
    random = np.random.default_rng(count)
    searches = 60
    ruled_out = 0
    for _ in range(searches):
        choice = choose([Candidate(float(value), (equal(random, deviation),)) for value in range(1, count + 1)])
        ruled_out += len(choice.tied) < count
    nominal = 2 * SEPARATED  # either of two may be ahead
    assert ruled_out / searches <= nominal + 2 * np.sqrt(nominal * (1 - nominal) / searches)


def test_the_more_are_compared_the_further_one_must_be_behind() -> None:
    assert chance_of(2.5, 2, 4.0) < SEPARATED < chance_of(2.5, 4, 4.0) < chance_of(2.5, 8, 4.0)
