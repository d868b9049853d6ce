"""Curves with known truth over wide ranges of noise, length, spacing and shape, in two halves that share no shape and no noise.

What a curve truly shows is decided on its noise-free values, before any reading: an effect is there ("yes") if an oracle that knows
the noise and the stretch would see it at `VISIBLE` standard errors and it is of material size, absent ("no") if the noise-free curve does
not have it, and "near" in between: near cases are reported by themselves, since no reading can be asked to see below its noise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.reading.shapes import DESCENTS, NOISES, RISES, FloatArray
from hpcheck.analysis.curve import Curve

VISIBLE = 8.0  # standard errors of the oracle from which an effect counts as there
FLAT, WITHIN_ERROR = 0.1, 2.0  # a plateau falls by less than this share of the fall before it, or by fewer standard errors than this
CLEARLY = 2.0  # what is this factor nearer to the other side of these bounds is a near case
GOES_ON = 0.4  # share of the fall before it from which an ending goes on falling
TELLING = 0.06  # share of the descent that two errors of an ending must not reach for it to be told
UNREADABLE_WHEN_SHORT = ("underfitting", "plateau", "overfitting", "ramp-too-fast", "loss-accuracy-disagree")
Truth = Literal["yes", "no", "near"]
Half = Literal["development", "test"]


@dataclass
class Draft:
    """A noise-free curve in the making; arrays (E,)."""

    rng: np.random.Generator
    half: Half
    u: FloatArray
    lr: FloatArray
    mean: FloatArray
    start: float
    descent: float
    sigma: float
    ramp: bool
    diverges: int | None = None  # first evaluation of the true divergence
    ended: bool = False  # the engine stopped it, or NaN from there on
    spikes: bool = False
    cost: FloatArray | None = None  # noise-free error rate, where there is a metric
    train: FloatArray | None = None
    scale: FloatArray | None = None  # the noise of each value in units of sigma; None where it is the same throughout
    truth: dict[str, Truth] = field(default_factory=dict)

    @property
    def sigmas(self) -> FloatArray:
        """The noise of each value, (E,)."""
        return self.sigma * (np.ones(len(self.u)) if self.scale is None else self.scale)

    @property
    def last(self) -> int:
        """Last evaluation of the sound part."""
        return (len(self.u) if self.diverges is None else self.diverges) - 1


@dataclass(frozen=True)
class Labelled:
    """A curve, what it truly shows by kind of clue, and between which lrs it truly turns (None: nowhere, or that means nothing)."""

    curve: Curve
    truth: dict[str, Truth]
    family: str
    limit: tuple[float, float] | None
    readable: bool
    draft: Draft


def oracle(values: FloatArray, sigma: float) -> float:
    """Standard errors at which an oracle tells these noise-free values from a constant."""
    return float(np.sqrt(((values - values.mean()) ** 2).sum()) / sigma) if len(values) > 1 else 0.0


def draft(
    rng: np.random.Generator, half: Half, tau: tuple[float, float], ramp: bool | None = None, points: tuple[int, int] = (8, 400)
) -> Draft:
    """A curve that descends with time constant `tau` and does nothing else yet."""
    count = int(np.exp(rng.uniform(np.log(points[0]), np.log(points[1] + 1))))
    u = np.linspace(1 / count, 1, count)
    if rng.random() < 0.4:
        u = np.sort(np.clip(u + rng.uniform(-0.4, 0.4, count) / count, 1e-3, 1))
    ramp = bool(rng.random() < 0.5) if ramp is None else ramp
    top = 10 ** rng.uniform(-2.5, 0.5)
    lr = top * (0.01 + 0.99 * u) if ramp else np.full(count, top)
    start = rng.uniform(0.7, 7.0)
    descent = start * rng.uniform(0.2, 0.95)
    shapes = DESCENTS[half]
    shape = shapes[rng.integers(len(shapes))]
    mean = start - descent * (1 - shape(u, float(np.exp(rng.uniform(*np.log(tau))))))
    sigma = descent * float(np.exp(rng.uniform(np.log(0.003), np.log(0.06))))
    return Draft(rng, half, u, lr, mean, start, descent, sigma, ramp, spikes=bool(rng.random() < 0.25))


def rise(one: Draft, begin: float, end: float, height: float) -> None:
    """A gradual rise of `height` descents between two shares of the run."""
    exponents = RISES[one.half]
    share = np.clip((one.u - begin) / (end - begin), 0, 1) ** exponents[one.rng.integers(len(exponents))]
    one.mean = one.mean + height * one.descent * share


def bump(one: Draft, centre: float, width: float, height: float) -> None:
    """A temporary rise, as a Gaussian (development) or a skewed hump (test)."""
    z = (one.u - centre) / width
    hump = np.exp(-0.5 * z**2) if one.half == "development" else np.where(z < 0, np.exp(-0.5 * (z * 1.3) ** 2), np.exp(-np.abs(z) * 1.2))
    one.mean = one.mean + height * one.descent * hump


def diverge(one: Draft, at: float) -> None:
    """From the share `at` on: a sharp rise past the start, NaN at once, or the rise and then NaN."""
    first = min(int(np.searchsorted(one.u, at)), len(one.u) - 2)
    one.diverges = first
    way = one.rng.integers(4)
    climb = np.arange(1, len(one.u) - first + 1) / max(1.0, one.rng.uniform(0.01, 0.06) * len(one.u))
    factor = one.rng.uniform(1.0, 20.0)
    risen = one.mean[first] + one.descent * factor * np.minimum(climb, 1.0) + one.start * 0.3 * np.minimum(climb, 1.0)
    one.mean = one.mean.copy()
    one.mean[first:] = np.maximum(risen, one.mean[first:])
    if way == 0:
        one.mean[first:] = np.nan
    elif way == 1:
        one.mean[min(first + 2, len(one.u) - 1) :] = np.inf
    one.ended = bool(way < 2 and one.rng.random() < 0.5)


def finish(one: Draft, family: str) -> Labelled:
    """Noise, spikes and labels."""
    truth, limit = label(one), true_limit(one)
    noises = NOISES[one.half]
    raw = one.mean + one.sigmas * noises[one.rng.integers(len(noises))](one.rng, one.u)
    if one.spikes:
        raw = spiked(one, raw)
    accuracy = None if one.cost is None else 1 - one.cost - 0.5 * one.sigma / one.start * one.rng.standard_normal(len(one.u))
    until = len(one.u)
    if one.ended and one.diverges is not None:
        until = max(1, min(one.diverges + 1, until))
    curve = Curve(
        step=np.round(one.u[:until] * 100 * len(one.u)),
        lr=one.lr[:until],
        val_loss=np.asarray(raw[:until]),
        accuracy=None if accuracy is None else accuracy[:until],
        train_loss=None if one.train is None else (one.train + 0.5 * one.sigma * one.rng.standard_normal(len(one.u)))[:until],
        diverged=one.ended,
        label=family,
    )
    return Labelled(curve, truth, family, limit, truth["no-signal"] == "no", one)


def spiked(one: Draft, raw: FloatArray) -> FloatArray:
    """Isolated values up to a hundred times too large, as from BatchNorm's lagging averages; never the first or the last two."""
    raw = raw.copy()
    count = one.rng.poisson(0.03 * len(raw))
    inside = np.arange(2, max(one.last - 2, 3))
    for at in one.rng.choice(inside, size=min(count, len(inside) // 6), replace=False):
        if not {at - 1, at + 1, at - 2, at + 2} & set(np.flatnonzero(raw > 3 * one.start).tolist()):
            raw[at] *= 1 + np.exp(one.rng.uniform(np.log(0.2), np.log(100)))
    return raw


def label(one: Draft) -> dict[str, Truth]:
    """What the noise-free curve shows, by kind of clue."""
    mean = one.mean[: one.last + 1]
    truth: dict[str, Truth] = {"divergence": "no" if one.diverges is None else "yes"}
    before_rise = mean[: int(np.argmin(mean)) + 1] if len(mean) else mean
    if one.diverges is None and len(mean) and mean[-1] > mean[0] and oracle(before_rise, one.sigma) < VISIBLE:
        truth["divergence"] = "near"  # ends above its start and was never seen to learn: the paper has no word for it
    learnt = oracle(mean[: int(np.argmin(mean)) + 1], one.sigma) if len(mean) else 0.0
    moved = oracle(mean, one.sigma)
    truth["no-signal"] = "yes" if moved < 1 else "no" if moved >= VISIBLE and len(mean) >= 8 else "near"
    if len(mean) < 8:
        return truth | dict.fromkeys(UNREADABLE_WHEN_SHORT, "near")
    truth["overfitting"] = _overfits(one, mean)
    truth["underfitting"], truth["plateau"] = _ends(one, mean, learnt)
    truth["ramp-too-fast"] = _too_fast(one, mean, learnt)
    truth["loss-accuracy-disagree"] = _disagrees(one, mean)
    return truth | one.truth


def _overfits(one: Draft, mean: FloatArray) -> Truth:
    low = int(np.argmin(mean))
    tail = mean[low:]
    tiny = 1e-6 * one.descent
    best: Truth = "no"
    if tail[-1] - tail[0] > tiny:
        best = "yes" if oracle(tail, one.sigma) >= VISIBLE and tail[-1] - tail[0] >= 2 * one.sigma and len(tail) >= 6 else "near"
    inner = np.flatnonzero(mean - np.minimum.accumulate(mean) > tiny)
    if best != "yes" and len(inner) and low > inner[0]:
        first, last = int(inner[0]) - 1, int(min(np.flatnonzero(mean <= mean[inner[0] - 1] + tiny)[-1], len(mean) - 1))
        over = mean[first : last + 1]
        seen = oracle(over[over >= mean[first] - tiny], one.sigma) >= VISIBLE and np.ptp(over[over >= mean[first] - tiny]) >= 2 * one.sigma
        best = "yes" if seen and len(inner) >= 5 else "near"
    return best


@dataclass(frozen=True)
class TrueEnding:
    """The falls of a noise-free curve over its last 30%, and over the equal stretch of log iterations before; the error of the first."""

    fall: float
    before: float
    error: float

    @property
    def is_flat(self) -> bool:
        return self.fall < max(FLAT * self.before, WITHIN_ERROR * self.error)


def true_ending(one: Draft, since: int = 0, share: float = 0.3) -> TrueEnding | None:
    """How the last `share` of the sound part goes, from evaluation `since` on; None with too few evaluations to say."""
    mean, u = one.mean[: one.last + 1], one.u[: one.last + 1]
    first = max(since, int(np.searchsorted(u, u[-1] - share * (u[-1] - u[0]))))
    if len(mean) - first < 4:
        return None
    began = min(int(np.searchsorted(u, u[first] ** 2 / u[-1])), first)
    error = float(np.median(one.sigmas[first : one.last + 1])) * float(np.sqrt(12 / (len(mean) - first)))
    return TrueEnding(float(mean[first] - mean[-1]), float(mean[began] - mean[first]), error)


def _ends(one: Draft, mean: FloatArray, learnt: float) -> tuple[Truth, Truth]:
    """Underfitting and plateau, from the last 30% of a sound curve; underfitting from what of it has an lr that does not come down."""
    if learnt < VISIBLE:
        return ("no", "no") if oracle(mean, one.sigma) < 1 else ("near", "near")
    ends = [true_ending(one, share=share) for share in (0.3, 0.15)]
    if one.diverges is not None or ends[0] is None:
        return "near", "near"
    flat = [_is_flat(one, end) for end in ends if end is not None]
    goes_on = _goes_on(one, mean)
    if goes_on == "yes" and flat[-1] != "no":
        goes_on = "near"  # flat at the very end
    return goes_on, flat[0] if set(flat) == {"no"} or flat[0] == "yes" else "near"


def _is_flat(one: Draft, end: TrueEnding) -> Truth:
    if end.fall >= CLEARLY * max(FLAT * end.before, WITHIN_ERROR * end.error) or end.fall < -CLEARLY * WITHIN_ERROR * end.error:
        return "no"
    flat = abs(end.fall) <= max(FLAT * end.before, WITHIN_ERROR * end.error) / CLEARLY
    knee = end.before > VISIBLE * end.error or end.before < end.error
    return "yes" if flat and knee and 2 * end.error < TELLING * one.descent else "near"


def _goes_on(one: Draft, mean: FloatArray) -> Truth:
    lr = one.lr[: len(mean)]
    ending = one.u[: len(mean)] >= one.u[len(mean) - 1] - 0.3 * (one.u[len(mean) - 1] - one.u[0])
    annealed = np.flatnonzero(lr > 1.02 * lr[-1]) if (lr[ending] > 1.25 * lr[-1]).any() else []
    end = true_ending(one, int(annealed[-1]) + 1 if len(annealed) else 0)
    if end is None:
        return "no"  # the lr comes down to the end: nothing follows
    if end.fall >= max(GOES_ON * end.before, VISIBLE * end.error):
        return "yes"
    return "no" if end.is_flat else "near"


def _too_fast(one: Draft, mean: FloatArray, learnt: float) -> Truth:
    if not one.ramp or one.diverges is None:
        return "no"
    if oracle(mean, one.sigma) < 1:
        return "yes"
    low = int(np.argmin(mean))
    if learnt < VISIBLE or low < 4:
        return "near"
    before = min(int(np.searchsorted(one.u, one.u[low] - 0.2 * (one.u[low] - one.u[0]))), low - 1)
    speed = (mean[before] - mean[low]) / (one.u[low] - one.u[before]) / ((mean[0] - mean[low]) / (one.u[low] - one.u[0]))
    return "yes" if speed >= 0.8 else "no" if speed <= 0.3 else "near"


def _disagrees(one: Draft, mean: FloatArray) -> Truth:
    if one.cost is None:
        return "no"
    cost = one.cost[: len(mean)]
    noise = 0.5 * one.sigma / one.start
    low = int(np.argmin(mean))
    opposite = mean[-1] > mean[low] and cost[-1] < cost[low] - 1e-9
    if not opposite:
        return "no"
    return "yes" if min(oracle(mean[low:], one.sigma), oracle(cost[low:], noise)) >= VISIBLE and len(mean) - low >= 6 else "near"


def true_limit(one: Draft) -> tuple[float, float] | None:
    """The lrs between which the noise-free curve turns: from its minimum to the last place within noise or 2% of the descent of it."""
    mean = one.mean[: one.last + 1]
    if not one.ramp or len(mean) < 8 or oracle(mean[: int(np.argmin(mean)) + 1], one.sigma) < VISIBLE:
        return None
    low = int(np.argmin(mean))
    if one.diverges is None and mean[-1] - mean[low] < 1e-6 * one.descent:
        return None
    within = np.flatnonzero(mean - mean[low] <= max(one.sigma, 0.02 * one.descent))
    return float(one.lr[low]), float(one.lr[min(int(within[-1]) + 1, len(one.lr) - 1)])


def with_metric(one: Draft) -> None:
    """An error rate that follows the loss."""
    one.cost = 0.02 + 0.9 * np.clip(np.nan_to_num((one.mean - 0.9 * np.nanmin(one.mean)) / one.start, nan=1.0, posinf=1.0), 0, 1)


Family = Callable[[np.random.Generator, Half], Draft]


def curves(half: Half, each: int, families: dict[str, Family], multiples: dict[str, int], seed: int = 0) -> Iterator[Labelled]:
    """`each` curves, or a multiple, of every family of one half; the halves share no seed, no descent and no noise."""
    for number, (name, family) in enumerate(families.items()):
        for index in range(each * multiples.get(name, 1)):
            rng = np.random.default_rng([seed, 0 if half == "development" else 1, number, index])
            yield finish(family(rng, half), name)
