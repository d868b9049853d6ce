"""The gradient's noise scale: which batch sizes cost examples, and how the best lr moves with the batch size (McCandlish et al. 2018)."""


def scaled_lr(lr: float, size: float, other: float, noise: float | None) -> float:
    """lr*(B) is in proportion to 1/(1 + B_noise/B), McCandlish et al. 2018, eq. 2.6; to the square root of B where B_noise is not known.

    >>> round(scaled_lr(0.1, 64, 128, 64.0), 4), round(scaled_lr(0.1, 64, 128, None), 4)
    (0.1333, 0.1414)
    """
    if noise is None:
        return float(lr * (other / size) ** 0.5)
    return float(lr * (1 + noise / size) / (1 + noise / other))


def b_noise(batch: float, factor: float, ratio: float) -> float | None:
    """B_noise = k B (r - 1)/(k - r), where the best lr at k B is r times that at B; None where r is not between 1 and k.

    From lr*(B) in proportion to 1/(1 + B_noise/B): at r = k nothing limits the lr yet, at r = 1 everything does.

    >>> b_noise(64, 2, 1.5), b_noise(64, 2, 2.0)
    (128.0, None)
    """
    return factor * batch * (ratio - 1) / (factor - ratio) if 1 < ratio < factor else None
