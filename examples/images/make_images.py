"""Draw the example's data: 450 noisy 16x16 pictures of discs, squares and crosses, as PNG files in shapes/{train,test}/<class>."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, NOISE = 16, 70.0
COUNTS = {"train": 120, "test": 30}  # of each class


def mask(kind: str, x: NDArray[np.float64], y: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
    """Pixels of a shape of `radius` around 0, as (SIDE, SIDE)."""
    if kind == "disc":
        return x**2 + y**2 <= radius**2
    if kind == "square":
        return np.maximum(abs(x), abs(y)) <= 0.87 * radius
    return (np.maximum(abs(x), abs(y)) <= radius) & (np.minimum(abs(x), abs(y)) <= 0.45 * radius)


def draw(kind: str, random: np.random.Generator) -> Image.Image:
    """One picture: the shape somewhere near the middle, in one colour on another, under noise."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    middle = SIDE / 2 - 0.5 + random.uniform(-2, 2, 2)
    inside = mask(kind, columns - middle[0], rows - middle[1], random.uniform(3.5, 6))
    back, front = random.uniform(0, 130, 3), random.uniform(125, 255, 3)
    pixels = np.where(inside[..., None], front, back) + random.normal(0, NOISE, (SIDE, SIDE, 3))  # (H, W, 3)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def main(folder: Path = Path("shapes")) -> None:
    random = np.random.default_rng(0)
    for split, count in COUNTS.items():
        for kind in ("cross", "disc", "square"):
            place = folder / split / kind
            place.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                draw(kind, random).save(place / f"{number:03}.png")


if __name__ == "__main__":
    main()
