"""Samples of a step's time, as a record of step times holds them: whether they agree."""

from collections.abc import Sequence

AGREE = 1.05  # ours: halves whose quickest samples differ by more were taken while the machine was busy; a quiet one is well below


def disagreement(samples: Sequence[float]) -> float:
    """How many times as long the quickest of every other sample took as the quickest of the rest; 1 where there are too few to tell.

    >>> disagreement([2.0, 9.0, 2.2, 2.5]), disagreement([1.0])
    (1.25, 1.0)
    """
    if len(samples) < 2:
        return 1.0
    least, most = sorted((min(samples[::2]), min(samples[1::2])))
    return most / least
