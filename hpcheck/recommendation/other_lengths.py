"""How recommended values move with another batch size or length: by published rules: `hpcheck show --batch N --epochs M`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpcheck.analysis.noise_scale import scaled_lr
from hpcheck.errors import InputError

FARTHEST = 8.0  # ours: beyond this factor in batch size or epochs the rules are not applied; nothing here was measured so far away
NOT_MEASURED = "rule, not measured here"
TIMESCALE = "constant timescale B/(lr wd D): Wang and Aitchison 2024; Bergsma et al. 2025"
NOISE_SCALE = "noise scale: McCandlish et al. 2018"
PROPORTIONAL = "lr in proportion to the square root of the batch size, as no noise scale was measured"


@dataclass(frozen=True)
class Moved:
    """A value as a rule moves it, with the rule's source."""

    setting: str
    before: float
    after: float
    source: str

    @property
    def words(self) -> str:
        return f"{self.setting}: {self.before:g} -> {self.after:.2g}   ({NOT_MEASURED}; {self.source})"


def moved(content: Mapping[str, Any], batch: int | None, epochs: float | None) -> list[Moved]:
    """The recommended values at another batch size, another number of epochs, or both.

    Raises `InputError` where no lr is known, or either is beyond a factor of `FARTHEST`.
    """
    settings = content["settings"]
    lr = settings.get("learning_rate") or {}
    if "max" not in lr:
        raise InputError("no learning rate is known: read one first (hpcheck run)")
    size, length = settings["total_batch_size"], lr.get("epochs")
    for name, now, then in (("--batch", batch, size), ("--epochs", epochs, length)):
        if now is not None and then and not 1 / FARTHEST <= now / then <= FARTHEST:
            raise InputError(f"{name}: {now:g} is more than {FARTHEST:g} times from {then:g}; the rules are not held to say anything there")
    found = []
    max_lr, noise = lr["max"], noise_scale(content)
    if batch is not None and batch != size:
        max_lr, source = scaled_lr(lr["max"], size, batch, noise), NOISE_SCALE if noise is not None else PROPORTIONAL
        found.append(Moved("learning rate", lr["max"], max_lr, source))
    decay = settings["weight_decay"]
    if decay:
        growth = ((batch or size) / size) * (lr["max"] / max_lr) / ((epochs or length) / length if length else 1.0)
        if abs(growth - 1) > 1e-9:
            found.append(Moved("weight decay", decay, decay * growth, TIMESCALE))
    return found


def noise_scale(content: Mapping[str, Any]) -> float | None:
    """B_noise, in examples, where the batch step read how the best lr moves with the batch size; None where it did not."""
    value = content.get("results", {}).get("batch", {}).get("noise_scale")
    return float(value) if isinstance(value, int | float) else None


def lines(content: Mapping[str, Any], batch: int | None, epochs: float | None) -> list[str]:
    """The same for people."""
    settings = content["settings"]
    length = (settings.get("learning_rate") or {}).get("epochs")
    said = f"From batch size {settings['total_batch_size']}" + (f" and {length:g} epochs" if length else "")
    said += f" to {batch or settings['total_batch_size']}" + (f" and {epochs or length:g} epochs" if length else "")
    found = moved(content, batch, epochs)
    return [f"{said}:", *(f"  {one.words}" for one in found)] if found else [f"{said}: no rule moves a value"]
