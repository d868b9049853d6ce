"""Data on the device: a deterministic stream of training batches, normalised and augmented as whole batches."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hpcheck.data.arrays import Arrays, DataError
from hpcheck.data.prepare import Prepared
from hpcheck.data.streamed import Streamed
from hpcheck.engine.streaming import Ahead, OnDisk

Images = Tensor | OnDisk  # stored values; anything but streamed images is a tensor

WHOLE = slice(None)
CROP_PADDING = 4  # "mirror-crop": the usual CIFAR augmentation, reflected borders


class OnDevice:
    """A prepared data set on one device: images as uint8 NHWC (streamed ones stay on disk), everything else as it is."""

    def __init__(self, prepared: Prepared, device: torch.device) -> None:
        self.prepared = prepared
        self.train_x, self.train_y = _on_device(prepared.train, device)
        self.val_x, self.val_y = _on_device(prepared.val, device)
        self.test_x: Images | None = None
        self.test_y: Tensor | None = None
        if prepared.test is not None:
            self.test_x, self.test_y = _on_device(prepared.test, device)
        self.is_image = prepared.train.x.ndim == 4
        self.device = device
        self._shift = torch.from_numpy(np.array(prepared.shift)).to(device)
        self._scale = torch.from_numpy(np.array(prepared.scale)).to(device)

    @property
    def waits(self) -> bool:
        """Whether a step waits for something else than its own thread's computing: images that are decoded by others."""
        return isinstance(self.train_x, OnDisk)

    def normalised(self, x: Images) -> Tensor:
        """Model inputs from stored values: images (B, H, W, C) uint8 become (B, C, H, W) float32, channels last in memory. Of images larger
        than models see them (`data.crop`), the centre."""
        if isinstance(x, OnDisk):
            x = x.tensor()
        if self.is_image and x.shape[1:3] != self.prepared.input_shape[1:]:
            height, width = self.prepared.input_shape[1:]
            top, left = (x.shape[1] - height) // 2, (x.shape[2] - width) // 2
            x = x[:, top : top + height, left : left + width]
        if x.dtype == torch.int64:
            return x  # tokens
        x = (x.float() - self._shift) * self._scale
        return x.permute(0, 3, 1, 2) if self.is_image else x


class BatchStream:
    """Batch number `step` of a run: a function of (seed, step) alone, so that a run can continue anywhere.

    Each epoch is a fresh permutation of the training set, a function of (seed, epoch); batches run across the seams, so every batch is
    full and no example is left out.
    """

    def __init__(self, data: OnDevice, batch_size: int, seed: int, augment: str) -> None:
        if augment != "none" and not data.is_image:
            raise DataError(f"data.augment is {augment}, but the data are not images; use none")
        if augment != "none" and moves_with_image(data.train_y):
            raise DataError(
                f"data.augment is {augment}, which moves the images and not their targets {tuple(data.train_y.shape)}; use none, or "
                "augment both in your own script (hpcheck run -- python train.py)"
            )
        self.data, self.batch_size, self.seed, self.augment = data, batch_size, seed, augment
        self._count = len(data.train_y)
        self._orders: dict[int, Tensor] = {}
        self._ahead: dict[tuple[int | None, int | None], Ahead] = {}  # for each share of a batch: of streamed images

    def indices(self, step: int, steps: int = 1) -> Tensor:
        """Rows of the training set in batch `step`, as (B,), or of so many batches from there on, as (steps * B,)."""
        start, end = step * self.batch_size, (step + steps) * self.batch_size
        parts = []
        for epoch in range(start // self._count, (end - 1) // self._count + 1):
            first = epoch * self._count
            parts.append(self._order(epoch)[max(start - first, 0) : end - first])
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def batch(self, step: int, share: slice = WHOLE) -> tuple[Tensor, Tensor]:
        """Inputs (B, C, H, W) and targets (B, ...) of batch `step`, or of this `share` of it, which is augmented as in the whole."""
        rows = self.indices(step)[share]
        x = self._images(step, rows, share)
        if self.data.is_image and x.shape[1:3] != self.data.prepared.input_shape[1:]:
            x = cropped(x, self.data.prepared.input_shape[1], np.random.default_rng([self.seed, 2, step]), self.batch_size, share)
        if self.augment != "none":
            x = augmented(x, self.augment, np.random.default_rng([self.seed, 1, step]), self.batch_size, share)
        return self.data.normalised(x), self.data.train_y[rows]

    def _images(self, step: int, rows: Tensor, share: slice) -> Tensor:
        """The stored values of these rows; streamed ones decoded ahead of their step where that was possible."""
        stored = self.data.train_x
        if not isinstance(stored, OnDisk):
            return stored[rows]
        ends = (share.start, share.stop)
        if ends not in self._ahead:
            self._ahead[ends] = Ahead(stored, lambda later: self.indices(later)[share])
        return self._ahead[ends].batch(step)

    def _order(self, epoch: int) -> Tensor:
        if epoch not in self._orders:
            permutation = np.random.default_rng([self.seed, 0, epoch]).permutation(self._count)
            self._orders = {old: order for old, order in self._orders.items() if old == epoch - 1}
            self._orders[epoch] = torch.from_numpy(permutation).to(self.data.train_x.device)
        return self._orders[epoch]


def moves_with_image(y: Tensor) -> bool:
    """Whether targets (N, K) may say where something is: masks, key points. Classes, single values and rows of zeros and ones do not."""
    return y.ndim > 1 and y.shape[1] > 1 and (not y.is_floating_point() or not bool(((y == 0) | (y == 1)).all()))


def augmented(x: Tensor, augment: str, random: np.random.Generator, of: int | None = None, share: slice = WHOLE) -> Tensor:
    """Images (B, H, W, C): mirrored at random, and for "mirror-crop" shifted by up to 4 pixels in each direction.

    `x` may be the `share` of a batch `of` so many: random numbers are drawn for all of them, so that parts are what the whole would be.
    """
    drawn = draws(augment, len(x) if of is None else of, random)
    return moved(x, *(torch.from_numpy(numbers[share]).to(x.device) for numbers in drawn))


def draws(augment: str, count: int, random: np.random.Generator) -> list[NDArray[Any]]:
    """What `augment` draws for `count` images: whether each is mirrored (B,), and for "mirror-crop" how far down and right it starts."""
    if augment == "none":
        return []
    mirrored = random.random(count) < 0.5
    if augment == "mirror":
        return [mirrored]
    size = 2 * CROP_PADDING + 1
    return [mirrored, random.integers(0, size, count), random.integers(0, size, count)]


def moved(x: Tensor, mirrored: Tensor, top: Tensor | None = None, left: Tensor | None = None) -> Tensor:
    """Images (B, H, W, C) as `draws` has them."""
    x = torch.where(mirrored[:, None, None, None], x.flip(2), x)
    if top is None or left is None:
        return x
    height, width = x.shape[1:3]
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2).float(), [CROP_PADDING] * 4, mode="reflect").to(x.dtype)
    return _windows(padded.permute(0, 2, 3, 1), height, width, top, left)  # of (B, H + 8, W + 8, C)


def cropped(x: Tensor, size: int, random: np.random.Generator, of: int, share: slice = WHOLE) -> Tensor:
    """A square of `size` pixels at a random place of each image (B, H, W, C), as Caffe crops in training; places are drawn for a batch
    `of` so many, of which x is the `share`."""
    limits = x.shape[1] - size + 1, x.shape[2] - size + 1
    top, left = (torch.from_numpy(random.integers(0, limit, of)[share]).to(x.device) for limit in limits)
    return _windows(x, size, size, top, left)


def _windows(x: Tensor, height: int, width: int, top: Tensor, left: Tensor) -> Tensor:
    """The window of each image (B, H, W, C) that begins at its place (B,), (B,)."""
    rows = top[:, None] + torch.arange(height, device=x.device)  # (B, height)
    columns = left[:, None] + torch.arange(width, device=x.device)  # (B, width)
    return x[torch.arange(len(x), device=x.device)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _on_device(arrays: Arrays, device: torch.device) -> tuple[Images, Tensor]:
    x: Images = OnDisk(arrays.x, device) if isinstance(arrays.x, Streamed) else torch.from_numpy(arrays.x).to(device)
    return x, torch.from_numpy(arrays.y).to(device)
