"""The families of generated curves: what happens in each, one function a family."""

import numpy as np

from benchmarks.reading.generate import Draft, Family, Half, bump, diverge, draft, rise, with_metric


def still_falling(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 3: too small an lr, or too short a run."""
    one = draft(rng, half, (0.3, 1.5))
    with_metric(one)
    return one


def levels_off(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 3a, blue, and Fig. 5: down and then horizontal."""
    one = draft(rng, half, (0.02, 0.09))
    with_metric(one)
    return one


def gradual_rise(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 4a and 9a: minimum, then a slow rise to the end."""
    one = draft(rng, half, (0.02, 0.12))
    rise(one, rng.uniform(0.1, 0.55), 1.0, np.exp(rng.uniform(np.log(0.05), np.log(0.8))))
    with_metric(one)
    return one


def overfits_past_start(rng: np.random.Generator, half: Half) -> Draft:
    """A long run at constant lr on few examples: validation loss ends above its start while training loss falls."""
    one = draft(rng, half, (0.02, 0.08), ramp=False)
    one.train = one.mean - 0.3 * one.descent * one.u
    rise(one, 0.1, 1.0, rng.uniform(1.1, 2.5))
    return one


def ramp_diverges(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 4a, yellow and red: down, flat, then a sharp rise."""
    one = draft(rng, half, (0.02, 0.15), ramp=True)
    diverge(one, rng.uniform(0.45, 0.95))
    return one


def overfits_then_diverges(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 7a, yellow: a slow rise and then divergence."""
    one = draft(rng, half, (0.02, 0.09), ramp=True)
    rise(one, rng.uniform(0.15, 0.35), 1.0, rng.uniform(0.15, 0.6))
    diverge(one, rng.uniform(0.65, 0.95))
    return one


def early_rise(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 11a: a temporary early rise at constant lr."""
    one = draft(rng, half, (0.02, 0.08), ramp=False, points=(16, 400))
    _dent(one)
    return one


def small_lr_bump(rng: np.random.Generator, half: Half) -> Draft:
    """Fig. 1a: the same at small lr on a ramp, removed by a larger lr."""
    one = draft(rng, half, (0.02, 0.08), ramp=True, points=(16, 400))
    _dent(one)
    return one


def _dent(one: Draft) -> None:
    one.mean = one.mean - 0.25 * one.descent * np.clip((one.u - 0.4) / 0.6, 0, 1)
    width = one.rng.uniform(0.05, 0.12)
    bump(one, one.rng.uniform(0.25, 0.45), width, np.exp(one.rng.uniform(np.log(0.08), np.log(0.5))))


def stuck(rng: np.random.Generator, half: Half) -> Draft:
    """Chance level until divergence: a minimum in it means nothing."""
    one = draft(rng, half, (0.02, 0.1), ramp=True)
    one.mean = np.full(len(one.u), one.start)
    diverge(one, rng.uniform(0.3, 0.9))
    return one


def cut_short(rng: np.random.Generator, half: Half) -> Draft:
    """A ramp that turns up while the loss still falls at full speed."""
    one = draft(rng, half, (0.5, 1.0), ramp=True)
    exponent = rng.uniform(0.95, 1.3)
    one.mean = one.start - one.descent * one.u**exponent
    diverge(one, rng.uniform(0.3, 0.8))
    return one


def noise_only(rng: np.random.Generator, half: Half) -> Draft:
    """Chance level to the end."""
    one = draft(rng, half, (0.02, 0.1))
    one.mean = np.full(len(one.u), one.start)
    return one


def spiky(rng: np.random.Generator, half: Half) -> Draft:
    """Spikes by orders of magnitude that recover."""
    one = draft(rng, half, (0.03, 0.4))
    one.spikes = True
    return one


def opposite(rng: np.random.Generator, half: Half) -> Draft:
    """Loss rises while accuracy improves (large networks that grow too sure of themselves)."""
    one = draft(rng, half, (0.02, 0.1))
    with_metric(one)
    rise(one, rng.uniform(0.1, 0.45), 1.0, rng.uniform(0.1, 0.6))
    if one.cost is not None:
        one.cost = one.cost - rng.uniform(0.03, 0.2) * one.u
    return one


def consistent(rng: np.random.Generator, half: Half) -> Draft:
    """Loss and accuracy turn together."""
    one = draft(rng, half, (0.03, 0.2))
    if rng.random() < 0.5:
        rise(one, rng.uniform(0.3, 0.6), 1.0, rng.uniform(0.1, 0.6))
    with_metric(one)
    return one


def one_cycle(rng: np.random.Generator, half: Half) -> Draft:
    """1cycle: down, level at large lr, down again as lr falls, flat in the tail."""
    one = draft(rng, half, (0.03, 0.1), ramp=False)
    one.lr = one.lr * np.interp(one.u, [0, 0.4, 0.8, 1], [0.1, 1, 0.01, 0.001])
    depth = rng.uniform(0.1, 0.4)
    share = np.clip((one.u - 0.42) / 0.25, 0, 1)
    one.mean = one.mean - depth * one.descent * (3 * share**2 - 2 * share**3)
    with_metric(one)
    return one


def cycle_with_tail(rng: np.random.Generator, half: Half) -> Draft:
    """1cycle whose loss falls until the tail and is flat there: not underfitting, though most of its ending falls."""
    one = draft(rng, half, (0.03, 0.1), ramp=False, points=(24, 400))
    one.lr = one.lr * np.interp(one.u, [0, 0.4, 0.86, 1], [0.1, 1, 0.001, 0.001])
    one.mean = one.mean - rng.uniform(0.2, 0.5) * one.descent * np.clip((one.u - 0.45) / 0.4, 0, 1) ** 1.5
    with_metric(one)
    return one


def cycle_hump(rng: np.random.Generator, half: Half) -> Draft:
    """1cycle whose loss is worse while lr is largest and better again as lr falls: no overfitting."""
    one = one_cycle(rng, half)
    bump(one, rng.uniform(0.35, 0.45), 0.06, rng.uniform(0.1, 0.4))
    one.truth["overfitting"] = "no"
    one.truth["underfitting"] = "near"
    return one


def gap_opens(rng: np.random.Generator, half: Half) -> Draft:
    """Validation loss flat while training loss goes on falling to nothing."""
    one = draft(rng, half, (0.02, 0.06), ramp=False, points=(12, 400))
    one.train = one.mean * (1 - 0.9 * one.u)
    opened = float(one.mean[-1] - one.train[-1]) - float(one.mean[len(one.u) // 2] - one.train[len(one.u) // 2])
    visible = opened > 8 * one.sigma and opened > 0.2 * one.mean[-1]
    one.truth["overfitting"] = "yes" if visible else "near"
    return one


FAMILIES: dict[str, Family] = {
    "still-falling": still_falling,
    "levels-off": levels_off,
    "gradual-rise": gradual_rise,
    "overfits-past-start": overfits_past_start,
    "ramp-diverges": ramp_diverges,
    "overfits-then-diverges": overfits_then_diverges,
    "early-rise": early_rise,
    "small-lr-bump": small_lr_bump,
    "stuck": stuck,
    "cut-short": cut_short,
    "noise-only": noise_only,
    "spiky": spiky,
    "opposite": opposite,
    "consistent": consistent,
    "one-cycle": one_cycle,
    "cycle-with-tail": cycle_with_tail,
    "cycle-hump": cycle_hump,
    "gap-opens": gap_opens,
}

MULTIPLES = {
    "opposite": 3,
    "stuck": 2,
    "cut-short": 2,
    "still-falling": 2,
}  # families made more often, so that every clue has 100 positives
