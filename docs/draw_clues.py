"""Draw the pictures of docs/clues.md: one made-up curve for each clue, read as any curve is. Run: python docs/draw_clues.py

The curves are formulas with noise of a fixed seed. `tests/house/test_clue_gallery.py` holds that hpcheck finds in each the clue that its
picture is named after.
"""

import csv
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import hpcheck
from hpcheck.api.read import CurvesRead

FOLDER = Path(__file__).parent / "images" / "clues"
EVALUATIONS, EVERY = 60, 50  # of a curve, and the iterations between two
NOISE = 0.01  # deviation of one value
COLOURS = 32  # of a picture, so that its file is small

Array = NDArray[np.float64]
Columns = dict[str, list[float]]


def share(evaluations: int = EVALUATIONS) -> Array:
    """How far the training is at each evaluation, from 0 to 1."""
    return np.linspace(0.0, 1.0, evaluations)


def noise(seed: int, size: float = NOISE, evaluations: int = EVALUATIONS) -> Array:
    return size * np.random.default_rng(seed).standard_normal(evaluations)


def hill(u: Array, at: float, width: float) -> Array:
    """A smooth bump of height 1."""
    return np.exp(-(((u - at) / width) ** 2))


def columns(val_loss: Array, lr: Array | float = 0.01, **others: Array) -> Columns:
    """A log as people keep it."""
    count = len(val_loss)
    found = {"iteration": EVERY * np.arange(1, count + 1), "lr": np.broadcast_to(lr, count), "val_loss": val_loss, **others}
    return {name: np.round(values, 6).tolist() for name, values in found.items()}


def still_falling() -> Columns:
    return columns(2.3 * (1 + share() / 0.25) ** -0.7 + noise(1), lr=0.001)


def plateau() -> Columns:
    return columns(0.4 + 1.9 * np.exp(-share() / 0.1) + noise(2))


def gradual_rise() -> Columns:
    u = share()
    return columns(0.5 + 1.8 * np.exp(-u / 0.1) + 0.6 * np.maximum(0, u - 0.35) ** 1.3 + noise(3), lr=0.005)


def early_rise() -> Columns:
    u = share()
    return columns(0.55 + 1.7 * np.exp(-u / 0.05) + 0.25 * hill(u, 0.3, 0.1) + 0.15 * (1 - u) ** 2 + noise(4), lr=0.1)


def small_lr_bump() -> Columns:
    u = share()
    return columns(0.6 + 1.6 * np.exp(-u / 0.04) + 0.3 * hill(u, 0.24, 0.09) + 0.25 * (1 - u) + noise(5), lr=0.002 + 0.2 * u)


def generalization_gap() -> Columns:
    u = share()
    train = 0.05 + 2.2 * np.exp(-u / 0.12) + 0.35 * (1 - u)
    return columns(0.62 + 1.7 * np.exp(-u / 0.1) + noise(6), train_loss=train + noise(7))


def sharp_rise() -> Columns:
    u = share()
    jump = 2.2 / (1 + np.exp(-(u - 0.82) / 0.012))
    return columns(0.45 + 1.85 * np.exp(-u / 0.12) + jump + noise(8) * (1 + 4 * (u > 0.8)), lr=0.01 + 0.59 * u)


def not_finite() -> Columns:
    u = share()
    loss = 0.5 + 1.8 * np.exp(-u / 0.12) + noise(9)
    return columns(np.where(u > 0.7, np.nan, loss), lr=0.01 + 0.8 * u)


def above_start() -> Columns:
    u = share()
    return columns(2.3 + 1.5 * u**0.6 + noise(10, 0.05), lr=1.5)


def stuck() -> Columns:
    u = share()
    return columns(2.303 + noise(11, 0.02) + 0.6 / (1 + np.exp(-(u - 0.85) / 0.004)), lr=0.01 + 2.0 * u)


def cut_short() -> Columns:
    u = share()
    return columns(2.3 - 2.0 * np.minimum(u, 0.6) + 2.5 / (1 + np.exp(-(u - 0.66) / 0.012)) + noise(12), lr=0.01 + 1.0 * u)


def loss_rises_metric_improves() -> Columns:
    u = share()
    loss = 0.6 + 1.7 * np.exp(-u / 0.08) + 0.5 * np.maximum(0, u - 0.3)
    return columns(loss + noise(13), accuracy=0.9 - 0.55 * np.exp(-u / 0.3) + noise(14, 0.004))


def loss_falls_metric_worsens() -> Columns:
    u = share()
    accuracy = 0.86 - 0.6 * np.exp(-u / 0.08) - 0.1 * np.maximum(0, u - 0.3)
    return columns(0.5 + 1.8 * np.exp(-u / 0.25) + noise(15), accuracy=accuracy + noise(16, 0.004))


def no_signal_flat() -> Columns:
    return columns(np.full(EVALUATIONS, 2.302585), lr=1e-7)


def no_signal_noise() -> Columns:
    return columns(2.3 + noise(17, 0.02), lr=1e-6)


def too_few_points() -> Columns:
    return columns(0.5 + 1.8 * np.exp(-share(6) / 0.3))


CURVES: dict[tuple[str, str], Callable[[], Columns]] = {
    ("underfitting", "still-falling"): still_falling,
    ("overfitting", "gradual-rise"): gradual_rise,
    ("overfitting", "early-rise"): early_rise,
    ("overfitting", "small-lr-bump"): small_lr_bump,
    ("overfitting", "generalization-gap"): generalization_gap,
    ("divergence", "sharp-rise"): sharp_rise,
    ("divergence", "not-finite"): not_finite,
    ("divergence", "above-start"): above_start,
    ("plateau", "flat"): plateau,
    ("ramp-too-fast", "stuck"): stuck,
    ("ramp-too-fast", "cut-short"): cut_short,
    ("loss-accuracy-disagree", "loss-rises-metric-improves"): loss_rises_metric_improves,
    ("loss-accuracy-disagree", "loss-falls-metric-worsens"): loss_falls_metric_worsens,
    ("no-signal", "flat"): no_signal_flat,
    ("no-signal", "noise"): no_signal_noise,
    ("no-signal", "too-few-points"): too_few_points,
}


def file_name(kind: str, form: str) -> str:
    """The picture's name.

    >>> file_name("plateau", "flat")
    'plateau-flat.png'
    """
    return f"{kind}-{form}.png"


def read(kind: str, form: str, folder: Path) -> CurvesRead:
    """What hpcheck finds in the curve of one clue, once it lies in `folder` as a CSV file."""
    path = folder / f"{form}.csv"
    log = CURVES[kind, form]()
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([list(log), *zip(*log.values(), strict=True)])
    return hpcheck.read(path)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for kind, form in CURVES:
            picture = Image.open(io.BytesIO(read(kind, form, Path(folder)).plot().png)).convert("RGB")
            picture.quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / file_name(kind, form), optimize=True)
            print(f"{kind}: {form}")


if __name__ == "__main__":
    sys.exit(main())
