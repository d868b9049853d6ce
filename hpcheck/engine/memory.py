"""Which batch sizes fit in memory: tried in order where running out is an error that can be caught, else estimated from a small batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEADROOM = 0.9  # ours: share of the memory there is that a batch size may take, so that evaluation and fragmentation fit beside it
PROBES = (8, 32)  # ours: small batches whose memory is measured before a larger one is tried where running out kills the process
STEP_OF_SIZES = 8  # ours: sizes between those asked for are multiples of this


@dataclass(frozen=True)
class Fitting:
    """Sizes that fit and sizes that do not, ascending. Those that were not asked for are the search's own."""

    fit: tuple[int, ...]
    too_large: tuple[int, ...]


def search(sizes: Sequence[int], fits: Callable[[int], bool]) -> Fitting:
    """Try `sizes` from the smallest up to the first that does not fit, then one size between it and the last that did; where none fits,
    halve the smallest until one does.

    >>> search([64, 128, 256], lambda size: size <= 100)
    Fitting(fit=(64, 96), too_large=(128, 256))
    >>> search([64, 128], lambda size: size <= 24)
    Fitting(fit=(16, 24), too_large=(32, 64, 128))
    """
    wanted = sorted(set(sizes))
    found = next((index for index, size in enumerate(wanted) if not fits(size)), len(wanted))
    fit, too_large = wanted[:found], wanted[found:]
    while not fit and too_large[0] > 1:
        half = too_large[0] // 2
        fit, too_large = ([half], too_large) if fits(half) else ([], [half, *too_large])
    if fit and too_large:
        between = (fit[-1] + too_large[0]) // 2 // STEP_OF_SIZES * STEP_OF_SIZES
        if between > fit[-1]:
            fit, too_large = ([*fit, between], too_large) if fits(between) else (fit, [between, *too_large])
    return Fitting(tuple(fit), tuple(too_large))


def fits_free(size: int, measured: Sequence[tuple[int, int]], free: int | None) -> bool:
    """Whether a batch of `size` fits in `free` bytes with headroom, going by what smaller ones took: pairs of (size, peak bytes so far),
    ascending, the last two on a straight line with `size`. A system that does not say how much is free is trusted.

    >>> fits_free(100, [(8, 1000), (32, 1240)], 800), fits_free(100, [(8, 1000), (32, 1240)], 700)
    (True, False)
    """
    (smaller, before), (larger, after) = measured[-2:]
    growth = max(after - before, 0) / (larger - smaller) * max(size - larger, 0)
    return free is None or growth <= HEADROOM * free
