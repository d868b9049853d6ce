"""Streamed images as the engine sees them: like a tensor of uint8 images, of which rows are decoded and moved to the device when needed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from hpcheck.data.streamed import Streamed

BATCHES_AHEAD = 2  # ours: decoded while the step before them is computed; more only takes memory


class OnDisk:
    """(N, H, W, C) images in their files. Indexing and splitting decode nothing; `tensor` decodes all that is left."""

    dtype = torch.uint8

    def __init__(self, images: Streamed, device: torch.device) -> None:
        self.images, self.device = images, device

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any) -> "OnDisk":
        return OnDisk(self.images[rows.cpu().numpy() if isinstance(rows, Tensor) else rows], self.device)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.images.shape

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def split(self, size: int) -> list["OnDisk"]:
        """Parts of at most `size` images."""
        return [self[first : first + size] for first in range(0, len(self), size)]

    def tensor(self) -> Tensor:
        """All the images, decoded, on the device."""
        return torch.from_numpy(self.images.decoded()).to(self.device)


class Ahead:
    """Decodes the batches that come next while this one is trained on. `rows` says which images are in the batch of a step."""

    def __init__(self, images: OnDisk, rows: Callable[[int], Tensor]) -> None:
        self._images, self._rows = images, rows
        self._latest = -1
        self._waiting: dict[int, Future[Tensor]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")

    def batch(self, step: int) -> Tensor:
        """The images of the batch of `step`, (B, H, W, C). Those of the next steps are begun, unless this is a look back."""
        ready = self._waiting.pop(step, None)
        images = self._images[self._rows(step)].tensor() if ready is None else ready.result()
        if step > self._latest:
            self._latest = step
            for later in range(step + 1, step + 1 + BATCHES_AHEAD):
                if later not in self._waiting:
                    self._waiting[later] = self._thread.submit(self._images[self._rows(later)].tensor)
        return images
