"""`python -m benchmarks.reading.noise_sweeps`: sweeps that are nothing but noise, of many shapes, and how many are said to diverge."""

import argparse
from collections import Counter
from collections.abc import Iterator

import numpy as np

from benchmarks.reading.shapes import FloatArray, gaussian, laplace, student3
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.lr_range import read_range, read_sweep


def correlated(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    """Each value keeps 0.7 of the one before it."""
    values = rng.standard_normal(len(u))
    for at in range(1, len(u)):
        values[at] = 0.7 * values[at - 1] + np.sqrt(1 - 0.7**2) * values[at]
    return values


def growing_tenfold(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.standard_normal(len(u)) * 10**u / 5


def loud_end(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    """Three times as loud in the last fifth."""
    return rng.standard_normal(len(u)) * np.where(u > 0.8, 3.0, 1.0)


def skewed(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return np.exp(rng.normal(0, 0.8, len(u))) - 1


def quantised(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return np.round(rng.standard_normal(len(u)))


def spiked(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.standard_normal(len(u)) + 20.0 * (rng.random(len(u)) < 0.03)


SHAPES = (gaussian, laplace, student3, correlated, growing_tenfold, loud_end, skewed, quantised, spiked)


def sweeps(each: int, seed: int) -> Iterator[tuple[str, Curve]]:
    for number, shape in enumerate(SHAPES):
        for index in range(each):
            rng = np.random.default_rng([seed, 7, number, index])
            count = int(np.exp(rng.uniform(np.log(20), np.log(300))))
            u = np.linspace(0, 1, count)
            level = rng.uniform(0.5, 3.0)
            loss = level + level * float(np.exp(rng.uniform(np.log(0.001), np.log(0.1)))) * shape(rng, u)
            yield shape.__name__, Curve(step=np.arange(count) * 1.0, lr=10.0 ** (-6 + 3 * u), val_loss=loss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    said: Counter[str] = Counter()
    limits: Counter[str] = Counter()
    for name, curve in sweeps(given.each, given.seed):
        said[name] += read_sweep(curve).diverges_at is not None
        limits[name] += read_range(curve).lr_limit.value is not None
    print("| noise | sweeps | said to diverge | a limit as a linear ramp |\n|---|---|---|---|")
    for shape in SHAPES:
        print(f"| {shape.__name__} | {given.each} | {said[shape.__name__]} | {limits[shape.__name__]} |")
    total = given.each * len(SHAPES)
    print(f"| all | {total} | {said.total()} ({said.total() / total:.2%}) | {limits.total()} ({limits.total() / total:.2%}) |")


if __name__ == "__main__":
    main()
