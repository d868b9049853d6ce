"""The peers' published rules for picking an lr from a range test, written from their formulas.

fastai (`fastai/callback/schedule.py`: valley, slide, minimum, steep), Lightning (`lr_finder.py`: `suggestion`), torch-lr-finder (`plot`,
"steepest") and ignite (`lr_suggestion`). All of them take the recorded losses as they are; none says when it does not know.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Rule = Callable[[FloatArray, FloatArray], float]
SLIDE_APART, SLIDE_THRESHOLD = 15, 0.005  # fastai's defaults


def fastai_trim(lr: FloatArray, loss: FloatArray) -> tuple[FloatArray, FloatArray]:
    """fastai leaves out the first tenth, the last five, and everything from the first NaN on."""
    first, last = len(loss) // 10, max(len(loss) - 5, 0)
    lr, loss = lr[first:last], loss[first:last]
    bad = np.flatnonzero(np.isnan(loss))
    return (lr[: bad[0]], loss[: bad[0]]) if len(bad) else (lr, loss)


def valley(lr: FloatArray, loss: FloatArray) -> float:
    """Half-way through the middle third of the longest decreasing subsequence, counted in positions before its end."""
    length = np.ones(len(loss), dtype=int)
    for i in range(1, len(loss)):
        earlier = length[:i][loss[:i] > loss[i]]
        length[i] = 1 + (earlier.max() if len(earlier) else 0)
    end = int(np.argmax(length))
    start = end - int(length[end])
    third = (end - start) / 3
    return float(lr[start + int(third) + int(third / 2)])


def slide(lr: FloatArray, loss: FloatArray) -> float:
    """From the end, two positions 15 apart slide left until their gradients differ by at most 0.005; the left one's last lr."""
    gradient = np.gradient(loss)
    right, left = len(loss) - 1, len(loss) - 1 - SLIDE_APART
    if left < 0:
        raise IndexError("fastai's slide needs sixteen losses")
    answer = float(lr[left])
    while left >= 0 and abs(gradient[right] - gradient[left]) > SLIDE_THRESHOLD:
        answer = float(lr[left])
        right, left = right - 1, left - 1
    return answer


def minimum(lr: FloatArray, loss: FloatArray) -> float:
    """A tenth of the lr of the smallest raw loss."""
    return float(lr[np.argmin(loss)]) / 10


def steep(lr: FloatArray, loss: FloatArray) -> float:
    """The lr of the steepest raw fall per unit of log lr."""
    return float(lr[np.argmin(np.diff(loss) / np.diff(np.log(lr)))])


def lightning(lr: FloatArray, loss: FloatArray) -> float:
    """Steepest centred difference, the first ten and the last one left out, over the finite losses."""
    kept_lr, kept = lr[10:-1], loss[10:-1]
    finite = np.isfinite(kept)
    return float(kept_lr[finite][np.argmin(np.gradient(kept[finite]))])


def torch_lr_finder(lr: FloatArray, loss: FloatArray) -> float:
    """Steepest centred difference, the first ten and the last five left out."""
    return float(lr[10:-5][np.argmin(np.gradient(loss[10:-5]))])


def ignite(lr: FloatArray, loss: FloatArray) -> float:
    """Steepest centred difference up to the smallest raw loss."""
    until = int(np.argmin(loss)) + 1
    if until < 3:
        raise ValueError("ignite asks for a curve that falls first")
    return float(lr[1 + np.argmin(0.5 * (loss[2:until] - loss[: until - 2]))])


def _on_fastai(rule: Rule) -> Rule:
    return lambda lr, loss: rule(*fastai_trim(lr, loss))


RULES: dict[str, Rule] = {
    "fastai valley": _on_fastai(valley),
    "fastai slide": _on_fastai(slide),
    "fastai minimum": _on_fastai(minimum),
    "fastai steep": _on_fastai(steep),
    "Lightning": lightning,
    "torch-lr-finder": torch_lr_finder,
    "ignite": ignite,
}


def answer(name: str, lr: FloatArray, loss: FloatArray) -> float | None:
    """What a peer's rule answers; None where it raises or gives no number."""
    with np.errstate(all="ignore"):
        try:
            value = RULES[name](lr, loss)
        except (ValueError, IndexError):
            return None
    return value if np.isfinite(value) else None
