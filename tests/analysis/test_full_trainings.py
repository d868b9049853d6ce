"""Full trainings against one another: chance of examples and of seeds, who leads, and how often chance alone is called better."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hpcheck.analysis.full_trainings import Seeds, Trained, ahead, judged, leader, seeds_of

NONE = Seeds(0.0, np.inf)
Make = Callable[[], Trained]


def of_classes(right: np.ndarray, losses: np.ndarray | None = None) -> Trained:
    """A training that had these examples right."""
    losses = 1.0 - right if losses is None else losses
    return Trained(float(losses.mean()), -float(right.mean()), losses, -right, len(right), 1 - float(right.mean()))


def first_right(count: int, of: int = 500) -> np.ndarray:
    return (np.arange(of) < count).astype(float)


def test_examples_that_only_one_had_right_are_the_error_of_the_difference() -> None:
    ours, theirs = of_classes(first_right(490)), of_classes(first_right(480))
    found = ahead([ours], [theirs], "metric", NONE)
    assert found.value == pytest.approx(0.02)
    assert found.error == pytest.approx(np.sqrt(0.02 * 0.98 / 500), rel=0.01)


def test_an_accuracy_has_the_error_of_one_example_gained_and_one_lost_where_all_agree() -> None:
    one = of_classes(first_right(490))
    assert ahead([one], [one], "metric", NONE).error == pytest.approx(np.sqrt(2) / 500)


def test_without_outcomes_the_least_chance_of_the_examples_counts() -> None:
    ours, theirs = (replace(of_classes(first_right(count)), costs=None) for count in (490, 480))
    assert ahead([ours], [theirs], "metric", NONE).error == pytest.approx(np.sqrt(0.02 / 500))


def test_a_metric_in_percent_is_judged_as_the_same_in_shares() -> None:
    shares = [Trained(loss, -metric, lacks=1 - metric) for loss, metric in ((0.1, 0.97), (0.12, 0.96))]
    percent = [Trained(one.loss, 100 * one.metric, lacks=100 * (one.lacks or 0.0)) for one in shares]
    found = [ahead(two[:1], two[1:], "metric", seeds_of([[one] for one in two], "metric")).errors for two in (shares, percent)]
    assert found[0] == pytest.approx(found[1])


def test_a_side_that_diverged_is_behind_by_all() -> None:
    lost, one = Trained(np.inf, np.inf, diverged=True), of_classes(first_right(490))
    assert ahead([one], [lost], "metric", NONE).interval[0] > 0
    assert ahead([one, lost], [one], "metric", NONE).value == -np.inf
    assert not judged([lost], [one], [[one], [lost]]).passes
    assert leader([lost, one]).number == 1
    assert leader([lost, lost]).number is None


def test_the_loss_decides_where_the_metric_says_nothing() -> None:
    right = first_right(490)
    better, worse = (of_classes(right, np.full(500, loss)) for loss in (0.1, 0.2))
    assert leader([worse, better]).number == 1
    found = judged([better], [worse], [[better], [worse]])
    assert found.leads
    assert found.passes
    assert found.decided_by == "loss"


def test_a_lower_loss_with_a_worse_metric_is_opposed_and_the_metric_leads() -> None:
    accurate = of_classes(first_right(455), np.full(500, 0.55))
    smooth = of_classes(first_right(440), np.full(500, 0.40))
    found = leader([smooth, accurate])
    assert (found.number, found.opposed) == (1, 0)
    assert not judged([smooth], [accurate], [[smooth], [accurate]]).passes


def test_pairs_of_seeds_speak_against_what_was_supposed() -> None:
    def seeds(apart: float) -> float:
        group = [Trained(1.0 + apart, 0.0), Trained(1.0 - apart, 0.0)]
        return seeds_of([group] * 10, "loss").variance

    assert seeds(0.0) < 0.05**2 < seeds(0.2)


def test_a_loss_that_is_mostly_constant_is_judged_by_how_far_the_settings_lie_apart() -> None:
    """Seeds differ by .05 here, and 5% of the loss is 1.26."""
    found = [25.2, 25.35, 25.4, 25.6, 25.9, 26.6]
    arms = [[Trained(loss, loss)] for loss in found]
    arms[0].append(Trained(25.25, 25.25))
    arms[4].append(Trained(25.85, 25.85))
    assert judged(arms[0], arms[4], arms).passes
    assert not judged(arms[0], arms[1], arms).passes


def test_a_constant_added_to_all_losses_widens_no_error_where_settings_lie_close() -> None:
    def error(constant: float) -> float:
        arms = [[Trained(constant + loss, 0.0)] for loss in (0.1, 0.101, 0.102, 0.103, 0.104)]
        return ahead(arms[0], arms[4], "loss", seeds_of(arms, "loss")).error

    assert error(0.0) == pytest.approx(error(30.0))


def test_what_examples_do_at_random_is_not_counted_twice() -> None:
    random = np.random.default_rng(0)
    groups = [[of_classes((random.random(500) < 0.9).astype(float)) for _ in range(2)] for _ in range(20)]
    between = np.mean([(one.metric - other.metric) ** 2 / 2 for one, other in groups])
    assert seeds_of(groups, "metric").variance < 0.5 * between


def classes(random: np.random.Generator, examples: int, common: float) -> Make:
    """Equal settings on classes: each training moves all logits by chance, and each example's for itself. As measured on digits: a third of
    the errors change from seed to seed."""
    logits = random.normal(6, 3, examples)

    def train() -> Trained:
        found = logits + random.normal(0, common) + random.normal(0, 1, examples)
        return of_classes((found > 0).astype(float), np.log1p(np.exp(-found)))

    return train


def regression(random: np.random.Generator, examples: int, common: float) -> Make:
    """Equal settings on a regression: each training's loss by chance, as on Friedman-1 (3 to 7%), and each example's for itself."""
    losses = random.exponential(0.1, examples)

    def train() -> Trained:
        found = losses * np.exp(random.normal(0, common)) * np.exp(random.normal(0, 0.5, examples) - 0.125)
        return Trained(float(found.mean()), float(found.mean()) - 1, found, found, None, float(found.mean()))

    return train


def mostly_constant(random: np.random.Generator, examples: int, common: float) -> Make:
    """Equal settings whose loss is mostly what no training can remove, as in an autoencoder: 25, and seeds of .1 to .5."""
    losses = random.gamma(25, 1, examples)

    def train() -> Trained:
        found = losses + random.normal(0, common) + random.normal(0, 1, examples)
        return Trained(float(found.mean()), float(found.mean()), found, found)

    return train


def search(train: Make, random: np.random.Generator, count: int = 6) -> tuple[bool, bool]:
    """One search among equal settings, one of them the start: whether its verdict is better, and whether its settings change."""
    arms = [[train()] for _ in range(count)]
    first, start = [arm[0] for arm in arms], int(random.integers(count))
    ours = leader(first).number
    if ours == start:
        others = [Trained(np.inf, np.inf, diverged=True) if number == start else one for number, one in enumerate(first)]
        ours = leader(others).number
    assert ours is not None
    for number in (ours, start):
        arms[number].append(train())
    passes = judged(arms[ours], arms[start], arms).passes
    fresh = judged(arms[ours][1:], arms[start][1:], arms)
    return passes and fresh.decided_by is not None, passes


@pytest.mark.parametrize(
    ("world", "examples", "common"),
    [(classes, 360, 0.05), (regression, 100, 0.03), (regression, 100, 0.07), (mostly_constant, 200, 0.1), (mostly_constant, 200, 0.5)],
)
def test_equal_candidates_are_called_better_in_at_most_one_search_of_twenty(
    world: Callable[[np.random.Generator, int, float], Make], examples: int, common: float
) -> None:
    random = np.random.default_rng(7)
    found = np.array([search(world(random, examples, common), random) for _ in range(2000)])
    better, changed = found.mean(axis=0)
    assert better <= 0.05
    assert changed < 0.35  # the best of six by one seed, over two
