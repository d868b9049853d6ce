"""How many examples an update is made of, counted where they come from: a script that ignores the batch size is found by it."""

from typing import Any

from torch.utils.data import dataloader

from hpcheck.script.job import ScriptError

FROM, UNTIL = 3, 13  # ours: updates between which is counted; batches that a loader fetched ahead were counted before
LEAST, MOST = 0.6, 1.6  # ours: of what was asked for; a last, smaller batch of an epoch is within, a factor of 2 is not


class Examples:
    """Counts what data loaders give out, in this process, except while an evaluation is under way, until it is known."""

    def __init__(self, asked: int, processes: int) -> None:
        self._asked, self._processes = asked, processes
        self.given, self._before, self.paused = 0, 0, False
        counting = self
        self._original = original = dataloader._BaseDataLoaderIter.__next__

        def noting(iterator: Any) -> Any:
            batch = original(iterator)
            if not counting.paused:
                counting.given += size_of(iterator, batch)
            return batch

        dataloader._BaseDataLoaderIter.__next__ = noting  # type: ignore[method-assign,assignment]

    def updated(self, updates: int) -> None:
        """After so many updates of this launch. Raises `ScriptError` where they are made of other batches than was asked for."""
        if updates == FROM:
            self._before = self.given
        if updates == UNTIL:
            self.end()
        if updates == UNTIL and self.given > self._before:
            each = (self.given - self._before) / (UNTIL - FROM) * self._processes
            if not LEAST * self._asked <= each <= MOST * self._asked:
                raise ScriptError(
                    f"updates are made of about {each:.0f} examples, and hpcheck.total_batch_size said {self._asked}: use what it returns "
                    "(divided by processes and by accumulated batches)"
                )

    def end(self) -> None:
        """Count no more: loaders are as they were."""
        dataloader._BaseDataLoaderIter.__next__ = self._original  # type: ignore[method-assign]


def size_of(iterator: Any, batch: Any) -> int:
    """Examples in a batch: what its loader was told, else the length of the first tensor in it; 0 where nobody knows."""
    told = getattr(getattr(iterator, "_index_sampler", None), "batch_size", None)
    return told if isinstance(told, int) else _length(batch)


def _length(value: Any) -> int:
    if getattr(value, "ndim", 0):
        return int(value.shape[0])
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) and value:
        return _length(value[0])
    return 0
