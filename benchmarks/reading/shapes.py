"""Shapes of noise-free curves over u in [0, 1], and the noises put on them; one half for development, the other for the test."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Shape = Callable[[FloatArray, float], FloatArray]
Noise = Callable[[np.random.Generator, FloatArray], FloatArray]


def exponential(u: FloatArray, tau: float) -> FloatArray:
    return np.exp(-u / tau)


def stretched(u: FloatArray, tau: float) -> FloatArray:
    return np.exp(-((u / tau) ** 0.8))


def power(u: FloatArray, tau: float) -> FloatArray:
    return (1 + u / (1.5 * tau)) ** -2.5


def logistic(u: FloatArray, tau: float) -> FloatArray:
    """A short wait before the descent, as with small initial weights."""
    return (1 + np.exp(-1.5)) / (1 + np.exp((u / tau - 1.0) * 1.5))


def gaussian(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.standard_normal(len(u))


def student4(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.standard_t(4, len(u)) / np.sqrt(2.0)


def laplace(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.laplace(0, 1 / np.sqrt(2.0), len(u))


def student3(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    return rng.standard_t(3, len(u)) / np.sqrt(3.0)


def growing(rng: np.random.Generator, u: FloatArray) -> FloatArray:
    """Three times as noisy at the end as at the start, as at growing lr."""
    scale = 0.5 + u
    return rng.standard_normal(len(u)) * scale / np.sqrt(np.mean(scale**2))


DESCENTS: dict[str, tuple[Shape, ...]] = {"development": (exponential, stretched), "test": (power, logistic)}
NOISES: dict[str, tuple[Noise, ...]] = {"development": (gaussian, student4), "test": (laplace, student3, growing)}
RISES: dict[str, tuple[float, ...]] = {"development": (1.0, 1.6), "test": (0.7, 1.3, 2.0)}  # exponents of a gradual rise


def slow_tail(half: Literal["development", "test"], rng: np.random.Generator, u: FloatArray) -> FloatArray:
    """The share of the descent that is left, which goes on falling: a power law (development), or one whose exponent changes half-way, or
    a stretched exponential of small exponent (test)."""
    begin = float(np.exp(rng.uniform(np.log(0.002), np.log(0.03))))
    exponent = rng.uniform(0.1, 0.8)
    if half == "development":
        return (1 + u / begin) ** -exponent
    if rng.random() < 0.5:
        return (1 + u / begin) ** -exponent * (1 + u / 0.3) ** -rng.uniform(0.0, 0.4)
    return np.exp(-((u / (4 * begin)) ** rng.uniform(0.25, 0.4)) + 0.0)
