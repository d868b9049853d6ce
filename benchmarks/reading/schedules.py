"""More families of generated curves: tails that go on falling, noise that follows the lr, step schedules, and several rises in a curve."""

import numpy as np

from benchmarks.reading.generate import VISIBLE, Draft, Family, Half, bump, draft, oracle, with_metric
from benchmarks.reading.shapes import DESCENTS, FloatArray, slow_tail


def power_tail(rng: np.random.Generator, half: Half) -> Draft:
    """A loss that falls by a power law at a constant lr, as a language model's does: most of the descent at once, and then on and on."""
    one = draft(rng, half, (0.02, 0.09), ramp=False, points=(20, 400))
    one.mean = one.start - one.descent * (1 - slow_tail(half, rng, one.u))
    one.sigma = one.descent * float(np.exp(rng.uniform(np.log(0.0003), np.log(0.01))))
    one.truth["overfitting"] = "no"
    return one


def power_tail_annealed(rng: np.random.Generator, half: Half) -> Draft:
    """The same under an lr that comes down all along: nothing follows about underfitting."""
    one = power_tail(rng, half)
    low = rng.uniform(0.0, 0.2)
    one.lr = one.lr * (low + (1 - low) * (1 - one.u if rng.random() < 0.5 else 0.5 * (1 + np.cos(np.pi * one.u))))
    return one


def cycle_noise(rng: np.random.Generator, half: Half) -> Draft:
    """1cycle with noise that follows its lr: loud while it is large, nearly none in the tail."""
    one = draft(rng, half, (0.03, 0.1), ramp=False, points=(24, 400))
    one.lr = one.lr * np.interp(one.u, [0, 0.4, 0.9, 1], [0.1, 1, 0.01, 0.001])
    one.mean = one.mean - rng.uniform(0.1, 0.4) * one.descent * np.clip((one.u - 0.45) / 0.4, 0, 1) ** 1.5
    one.scale = (one.lr / one.lr.max()) ** rng.uniform(0.3, 1.0)
    one.scale = np.maximum(one.scale, 0.02)
    one.truth["overfitting"] = "no"
    return one


def step_schedule(rng: np.random.Generator, half: Half) -> Draft:
    """A stepwise lr: the loss drops with it, and the noise too; no rise anywhere."""
    one, _ = _steps(rng, half)
    one.truth["overfitting"] = "no"
    return one


def step_overfits(rng: np.random.Generator, half: Half) -> Draft:
    """A stepwise lr with a rise in one of its later stretches, which the next drop of the lr may end."""
    one, bounds = _steps(rng, half)
    stretch = int(rng.integers(1, len(bounds) - 1))
    inside = (one.u > bounds[stretch]) & (one.u <= bounds[stretch + 1])
    share = np.clip((one.u - bounds[stretch]) / (bounds[stretch + 1] - bounds[stretch]) - 0.2, 0, 1) / 0.8
    height = one.descent * float(np.exp(rng.uniform(np.log(0.02), np.log(0.3))))
    one.mean = one.mean + np.where(inside, height * share, 0.0)
    risen, sigma = one.mean[inside], one.sigmas[inside]
    if len(risen) < 2:
        one.truth["overfitting"] = "near"
        return one
    tail, level = risen[int(np.argmin(risen)) :], sigma[int(np.argmin(risen)) :]
    seen = oracle(tail, float(np.median(level))) >= VISIBLE and tail[-1] - tail[0] >= 2 * np.median(level) and len(tail) >= 6
    one.truth["overfitting"] = "yes" if seen else "near"
    return one


def several_rises(rng: np.random.Generator, half: Half) -> Draft:
    """Two or three temporary rises of different heights at a constant lr, all undone."""
    one = draft(rng, half, (0.02, 0.06), ramp=False, points=(40, 400))
    one.mean = one.mean - 0.4 * one.descent * np.clip((one.u - 0.15) / 0.85, 0, 1)
    smooth = one.mean.copy()
    places = ((0.25, 0.6), (0.2, 0.42, 0.64))[int(rng.integers(2))]
    visible = False
    for place in places:
        before = one.mean
        bump(one, place, rng.uniform(0.03, 0.05), float(np.exp(rng.uniform(np.log(0.05), np.log(0.4)))))
        over = np.flatnonzero(one.mean - before > 0.3 * (one.mean - before).max())
        risen = one.mean[over] - smooth[over].min()
        rising = np.ptp(one.mean[over[0] : over[int(np.argmax(risen))] + 1])
        visible = visible or bool(oracle(one.mean[over], one.sigma) >= VISIBLE and rising >= 3 * one.sigma and len(over) >= 8)
    one.truth["overfitting"] = "yes" if visible else "near"
    return one


def _steps(rng: np.random.Generator, half: Half) -> tuple[Draft, FloatArray]:
    """A curve under a stepwise lr, and where its stretches begin and end, (S + 1,)."""
    one = draft(rng, half, (0.01, 0.06), ramp=False, points=(40, 400))
    drops = ((0.5, 0.75), (0.3, 0.6, 0.8), (0.6,), (0.4, 0.7))[int(rng.integers(4))]
    bounds = np.array([0.0, *drops, 1.0])
    factor = float(rng.choice([3.0, 5.0, 10.0]))
    stretch = np.searchsorted(drops, one.u, side="left")
    one.lr = one.lr[0] / factor**stretch
    shape = DESCENTS[half][int(rng.integers(len(DESCENTS[half])))]
    for number, at in enumerate(drops):
        gain = one.descent * rng.uniform(0.05, 0.3) / (number + 1)
        since = np.clip(one.u - at, 0, None)
        one.mean = one.mean - np.where(one.u > at, gain * (1 - shape(since, float(rng.uniform(0.005, 0.03)))), 0.0)
    one.scale = np.maximum(factor ** (-stretch * rng.uniform(0.0, 1.0)), 0.01)
    if rng.random() < 0.5:
        with_metric(one)
    return one, bounds


SCHEDULES: dict[str, Family] = {
    "power-tail": power_tail,
    "power-tail-annealed": power_tail_annealed,
    "cycle-noise": cycle_noise,
    "step-schedule": step_schedule,
    "step-overfits": step_overfits,
    "several-rises": several_rises,
}
