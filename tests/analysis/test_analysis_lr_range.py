"""Reading lr range tests on small hand-written curves."""

import numpy as np
import pytest

from hpcheck.analysis.curve import Curve
from hpcheck.analysis.lr_range import min_lr, read_range, read_sweep

U = np.linspace(0.025, 1, 40)
LR = 0.1 * U  # a ramp to 0.1
DESCENT = 0.8 + 1.5 * np.exp(-U / 0.08)


def noise(sd: float = 0.01, count: int = 40, seed: int = 0) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(count)


def ramp(loss: np.ndarray, **more: object) -> Curve:
    return Curve(np.arange(1, len(loss) + 1) * 10.0, LR[: len(loss)], loss, **more)  # type: ignore[arg-type]


def test_the_limit_is_where_the_loss_leaves_its_minimum_for_good() -> None:
    reading = read_range(ramp(DESCENT + 1.5 * np.clip(U - 0.6, 0, 1) + noise()))
    assert reading.turned
    assert reading.lr_limit.status == "chosen"
    assert reading.lr_limit.value == pytest.approx(0.06, rel=0.12)
    low, high = reading.lr_limit.interval or (0, 0)
    assert low <= 0.06 <= high


def test_a_spike_on_the_way_is_no_turn() -> None:
    loss = DESCENT + 1.5 * np.clip(U - 0.6, 0, 1) + noise()
    loss[18] = 640.0
    assert read_range(ramp(loss)).lr_limit.value == pytest.approx(0.06, rel=0.12)


def test_nothing_turned_is_said_as_at_least() -> None:
    limit = read_range(ramp(DESCENT + noise())).lr_limit
    assert (limit.value, limit.status, limit.edge) == (0.1, "chosen", "high")
    assert limit.reason.startswith("at least 0.1")


def test_divergence_is_the_limit_of_a_flat_curve() -> None:
    loss = DESCENT + noise()
    loss[32:] = np.nan
    limit = read_range(ramp(loss)).lr_limit
    assert limit.value == pytest.approx(0.08)
    assert "diverges" in limit.reason


def test_the_stable_lr_lies_before_the_spiking_begins() -> None:
    loss = DESCENT + noise()
    loss[26:] += np.abs(noise(0.4, 14, seed=3)) * np.tile([1, 0.1], 7)
    reading = read_range(ramp(loss))
    assert reading.stable_lr.value is not None
    assert reading.stable_lr.value < 0.075


def test_accuracy_that_turns_first_limits_where_the_loss_does_not_turn() -> None:
    accuracy = 0.1 + 0.6 * (1 - np.exp(-U / 0.1)) - 0.6 * np.clip(U - 0.7, 0, 1) + noise(0.005)
    limit = read_range(ramp(DESCENT + noise(), accuracy=accuracy)).lr_limit
    assert limit.judged_by == "accuracy"
    assert limit.value == pytest.approx(0.07, rel=0.15)


def test_loss_and_accuracy_that_disagree_lower_the_confidence() -> None:
    loss = DESCENT + 1.5 * np.clip(U - 0.6, 0, 1) + noise()
    limit = read_range(ramp(loss, accuracy=0.1 + 0.6 * U + noise(0.005, seed=1))).lr_limit
    assert limit.confidence == "low"
    assert "the metric does not" in limit.reason


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (2.303 + noise(0.02), "does not leave its noise"),
        (np.full(40, 2.303), "flat"),
        (np.array([2.3, 1.0, 0.8]), "only 3 evaluations"),
        (np.full(40, np.nan), "no finite validation loss"),
        (np.array([]), "no finite validation loss"),
        (np.append(2.303 + noise(0.005, 20), np.full(20, np.nan)), "does not leave its noise"),
    ],
)
def test_what_cannot_be_read_abstains_with_a_reason(loss: np.ndarray, reason: str) -> None:
    reading = read_range(ramp(loss))
    assert reading.lr_limit.status == "abstained"
    assert reading.lr_limit.value is None
    assert reading.stable_lr.value is None
    assert reason in reading.lr_limit.reason


def test_a_curve_that_only_rises_abstains() -> None:
    reading = read_range(ramp(2.3 + 1.0 * U + noise()))
    assert reading.lr_limit.status == "abstained"


@pytest.mark.parametrize("seed", range(20))
def test_pure_noise_abstains(seed: int) -> None:
    assert read_range(ramp(2.303 + noise(0.02, seed=seed))).lr_limit.value is None


def test_a_ramp_that_was_too_fast_says_so() -> None:
    loss = 2.303 + noise(0.005)
    loss[22:] = np.inf
    assert read_range(ramp(loss)).too_fast


def test_the_same_ramp_under_twenty_seeds_reads_within_a_factor_of_one_and_a_half() -> None:
    limits = [read_range(ramp(DESCENT + 1.2 * np.clip(U - 0.5, 0, 1) + noise(0.03, seed=seed))).lr_limit.value for seed in range(20)]
    found = [limit for limit in limits if limit is not None]
    assert len(found) == 20
    assert max(found) / min(found) < 1.5


def sweep(loss: np.ndarray) -> Curve:
    return Curve(np.arange(len(loss)) * 5.0, np.geomspace(1e-5, 10, len(loss)), loss)


def test_a_sweep_brackets_learning_and_divergence() -> None:
    exponent = np.linspace(-5, 1, 60)
    loss = 2.3 - 1.2 / (1 + np.exp(-(exponent + 2.5) * 4)) + noise(0.01, 60)
    loss[exponent > -0.5] = 30.0
    reading = read_sweep(sweep(loss))
    assert reading.diverges_at == pytest.approx(10**-0.5, rel=0.3)
    assert reading.learns_from is not None
    assert 1e-4 < reading.learns_from < 1e-2


def test_a_sweep_that_never_learns_has_no_lr_to_learn_from() -> None:
    reading = read_sweep(sweep(2.3 + noise(0.01, 60)))
    assert (reading.diverges_at, reading.learns_from) == (None, None)


def test_an_empty_sweep_says_nothing() -> None:
    assert read_sweep(sweep(np.array([]))).diverges_at is None


@pytest.mark.parametrize(("rule", "value"), [("max/10", 0.05), ("max/20", 0.025), ("max/4", 0.125)])
def test_min_lr_follows_the_papers_rules(rule: str, value: float) -> None:
    assert min_lr(0.5, rule) == value


def test_an_unknown_rule_for_min_lr_is_refused() -> None:
    with pytest.raises(ValueError, match="known: max/10, max/20, max/3, max/4"):
        min_lr(0.5, "max/7")


DEAD = [  # the 3-layer network of Table 1 on CIFAR-10, a sweep of 274 iterations: its units die long before anything overflows
    (1e-05, 2.303), (1.66e-05, 2.303), (2.89e-05, 2.302), (5.05e-05, 2.302), (8.81e-05, 2.302), (0.000154, 2.301), (0.000268, 2.299),
    (0.000468, 2.295), (0.000817, 2.278), (0.00143, 2.18), (0.00249, 2.091), (0.00434, 2.019), (0.00757, 2.057), (0.0126, 2.526),
    (0.0219, 2.305), (0.0382, 2.311), (0.0667, 2.311), (0.116, 2.317), (0.203, 2.308), (0.354, 2.318), (0.618, 2.307), (1.08, 2.319),
    (1.88, 2.336), (3.28, 2.388), (5.73, 2.648), (10, 15.685),
]  # fmt: skip


def test_a_sweep_that_falls_back_to_chance_diverges_there_and_not_where_it_overflows() -> None:
    lr, loss = np.array(DEAD).T
    reading = read_sweep(Curve(step=np.arange(len(lr)) * 11.0, lr=lr, val_loss=loss))
    assert reading.diverges_at == 0.0126
    assert reading.learns_from is not None
    assert 4e-4 < reading.learns_from < 3e-3


def test_a_spike_on_the_way_to_a_dead_network_is_nothing_learnt() -> None:
    """A 3-layer network whose units die: uneasy at small lrs, then at chance to three digits, and the early values look far apart."""
    uneasy = [2.303, 2.300, 2.282, 2.915, 2.278, 2.287, 2.302, 2.304, 2.266, 2.306, 2.364, 2.311]
    reading = read_range(ramp(np.array(uneasy + [2.307 + 0.001 * (at % 3) for at in range(14)])))
    assert reading.lr_limit.status == "abstained"
    assert "never fell below its start" in reading.lr_limit.reason


def test_an_accuracy_that_wanders_at_chance_is_no_reading() -> None:
    rng = np.random.default_rng(0)
    lr = np.linspace(0.0035, 0.35, 26)
    accuracy = rng.choice([0.0972, 0.0984, 0.0996, 0.1008, 0.102], 26)  # a dead network names one class after another
    reading = read_range(Curve(step=np.arange(26) * 22.0, lr=lr, val_loss=2.306 + rng.normal(0, 0.002, 26), accuracy=accuracy))
    assert reading.lr_limit.status == "abstained"


def test_a_loss_that_cannot_be_read_hands_over_to_the_accuracy() -> None:
    """Fig. 13b: DenseNet's loss jumps by half of itself while its accuracy rises."""
    loss = 9.0 - 2.0 * U + noise(3.0)
    accuracy = 0.28 + 0.4 * (1 - np.exp(-U / 0.2)) + noise(0.05, seed=1)
    limit = read_range(ramp(loss, accuracy=accuracy)).lr_limit
    assert (limit.judged_by, limit.edge) == ("accuracy", "high")
    turned = read_range(ramp(loss, accuracy=accuracy - 1.2 * np.clip(U - 0.6, 0, 1))).lr_limit
    assert turned.judged_by == "accuracy"
    assert turned.value == pytest.approx(0.06, rel=0.2)


def test_the_limits_interval_reaches_to_the_first_lr_at_which_the_loss_is_clearly_higher() -> None:
    limit = read_range(ramp(DESCENT + 8.0 * np.clip(U - 0.6, 0, 1) + noise())).lr_limit
    assert limit.value == pytest.approx(0.06)
    assert limit.interval is not None
    assert limit.interval[1] == pytest.approx(0.0625)
