"""Random numbers of the user's code: python's, numpy's and torch's generators are set before whatever may draw from them."""

import hashlib
import random

import numpy as np
import torch

from hpcheck.terminal import stdout

LARGEST = 2**32  # numpy's seeds lie below it
_told: set[str] = set()  # whose own seed this process has told of


def seed_all(device: torch.device, number: int) -> None:
    """Set the three generators; on a CPU torch's one: with a CUDA build `torch.manual_seed` takes 0.2 ms, noting it for a GPU too."""
    if device.type == "cpu":
        torch.default_generator.manual_seed(number)
    else:
        torch.manual_seed(number)
    random.seed(number)
    np.random.seed(number % LARGEST)  # noqa: NPY002  users' data sets draw from the global one


def seed_for(what: str, *numbers: int) -> int:
    """A seed that nothing else has: a hash of what it is for.

    >>> seed_for("batch", 0, 1, 2) == seed_for("batch", 0, 1, 2), seed_for("batch", 0, 1, 2) == seed_for("batch", 0, 12)
    (True, False)
    """
    digest = hashlib.blake2b(f"{what} {numbers}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def tell_own_seed(kind: str, name: str, seed: int) -> None:
    """Say once a process that the user's code, called since `seed_all`, has seeded torch itself: then seeds of runs change less than they
    should, and what chance does is taken for less than it is."""
    if torch.default_generator.initial_seed() != seed and name not in _told:
        _told.add(name)
        stdout.tell(
            f"warning: {kind} {name} seeds torch itself, so all runs begin with the same weights; hpcheck sets the seed of each run, and "
            "differences by chance look smaller than they are: take torch.manual_seed out"
        )
