"""Our distributions give what scipy.stats gives."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from hpcheck.analysis import distributions


@pytest.mark.parametrize("freedom", [1.0, 3.0, 4.7, 20.0, 1e4])
@pytest.mark.parametrize("t", [0.0, 0.3, 1.3, 5.0])
def test_students_t(t: float, freedom: float) -> None:
    assert distributions.student_sf(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-9)
    assert distributions.student_quantile(0.975, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_f() -> None:
    assert distributions.f_sf(3.2, 2, 17) == pytest.approx(stats.f.sf(3.2, 2, 17), rel=1e-9)


@pytest.mark.parametrize("freedom", [2.0, 4.0, 5.5, 12.0, 60.0, 1000.0])
@pytest.mark.parametrize("among", [2, 3, 8, 20])
@pytest.mark.parametrize("q", [0.5, 2.0, 4.0, 9.0])
def test_the_studentized_range(q: float, among: int, freedom: float) -> None:
    assert distributions.studentized_range_sf(q, among, freedom) == pytest.approx(stats.studentized_range.sf(q, among, freedom), abs=2e-5)


def test_the_range_of_a_known_deviation() -> None:
    assert distributions.studentized_range_sf(3.0, 4, np.inf) == pytest.approx(stats.studentized_range.sf(3.0, 4, np.inf), abs=2e-5)


def test_ranks_share_their_places() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0])
    assert distributions.ranks(values).tolist() == stats.rankdata(values).tolist()


@pytest.mark.parametrize("ties", [False, True])
def test_kendalls_tau(ties: bool) -> None:
    random = np.random.default_rng(4)
    x = random.normal(size=2500)
    y = 0.03 * x + random.normal(size=2500)
    x, y = (x.round(0), y.round(1)) if ties else (x, y)
    tau, chance = distributions.kendall(x, y)
    theirs = stats.kendalltau(x, y, alternative="greater", method="asymptotic")
    assert tau == pytest.approx(theirs.statistic, rel=1e-9)
    assert chance == pytest.approx(theirs.pvalue, rel=1e-6)


def test_a_constant_has_no_tau() -> None:
    assert all(map(np.isnan, distributions.kendall(np.ones(4), np.arange(4.0))))


def test_no_command_waits_for_scipy_stats() -> None:
    script = "import sys, hpcheck.cli.steps, hpcheck.steps.confirm, hpcheck.report.page; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
