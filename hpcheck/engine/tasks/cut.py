"""A training loader's batches cut into shares, one for each process that trains a task together with others."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from hpcheck.engine.distributed import team
from hpcheck.plugins.user_errors import UsersCodeError


def as_made(loader: DataLoader[Any]) -> dict[str, Any]:
    """The arguments of a loader that say how it works, for another one over other rows."""
    names = ("num_workers", "collate_fn", "pin_memory", "worker_init_fn", "multiprocessing_context")
    return {name: getattr(loader, name) for name in names}


class Cut:
    """The rows of a batch sampler's batches that this process takes: equal stretches, the first ones one longer where they do not come out
    even. The first process draws an epoch's order, as it would alone, and tells it to the others.

    `weights`: of each batch of the epoch, this process's weight in the mean over all processes.
    """

    def __init__(self, name: str, whole: Any) -> None:
        self.sampler, self.weights = whole, list[float]()
        self._name, self._rank, self._size = name, team.rank(), team.size()

    def __iter__(self) -> Iterator[list[Any]]:
        """Alone, while the others are busy with something else, a process draws its own order."""
        drawn = list(self.sampler) if team.is_first() or team.size() == 1 else None
        batches: list[list[Any]] = team.told(drawn)
        shares = [rows[len(rows) * self._rank // self._size : len(rows) * (self._rank + 1) // self._size] for rows in batches]
        if not all(len(rows) >= self._size for rows in batches):
            raise UsersCodeError(
                f"task {self._name}: an epoch ends with a batch of {min(map(len, batches))} examples, and {self._size} devices share it; "
                "give the training loader drop_last=True, or another batch size"
            )
        self.weights = [len(share) * self._size / len(rows) for share, rows in zip(shares, batches, strict=True)]
        yield from shares

    def __len__(self) -> int:
        return len(self.sampler)


def weight(loader: Any, place: int) -> float:
    """This process's weight in the mean of a batch, which is number `place` of its epoch; 1 where the batch is whole."""
    cut = getattr(loader, "batch_sampler", None)
    return cut.weights[place] if isinstance(cut, Cut) else 1.0
