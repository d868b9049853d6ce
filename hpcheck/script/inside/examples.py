"""How many examples an update is made of, counted where they come from: a script that ignores the batch size is found by it."""

from typing import Any

from torch.utils.data import dataloader

from hpcheck.script.job import ScriptError

FROM, UNTIL = 3, 13  # ours: updates between which is counted; batches that a loader fetched ahead were counted before
LEAST, MOST = 0.6, 1.6  # ours: of what was asked for; a last, smaller batch of an epoch is within, a factor of 2 is not


class Source:
    """A data set, and what loaders gave out of it."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset  # held, so that no other one is taken for it
        self.given = self.before = 0
        self.batches: int | None = None  # in an epoch, where its loader says and each has several examples


class Examples:
    """Counts what data loaders give out, in this process, except while an evaluation is under way, until it is known."""

    def __init__(self, asked: int, processes: int) -> None:
        self._asked, self._processes = asked, processes
        self._sources: dict[int, Source] = {}
        self.paused = False
        counting = self
        self._original = original = dataloader._BaseDataLoaderIter.__next__

        def noting(iterator: Any) -> Any:
            batch = original(iterator)
            if not counting.paused:
                counting._add(iterator, batch)
            return batch

        dataloader._BaseDataLoaderIter.__next__ = noting  # type: ignore[method-assign,assignment]

    def _add(self, iterator: Any, batch: Any) -> None:
        dataset = getattr(iterator, "_dataset", None)
        source = self._sources.setdefault(id(dataset), Source(dataset))
        source.given += size_of(iterator, batch)
        source.batches = _batches_of(iterator)

    def updated(self, updates: int) -> None:
        """After so many updates of this launch. Raises `ScriptError` where they are made of other batches than was asked for: neither a
        loader's nor those of all loaders together."""
        if updates == FROM:
            for source in self._sources.values():
                source.before = source.given
        if updates != UNTIL:
            return
        self.end()
        each = [(source.given - source.before) / (UNTIL - FROM) * self._processes for source in self._sources.values()]
        each = [one for one in each if one > 0]
        if each and not any(LEAST * self._asked <= one <= MOST * self._asked for one in (*each, sum(each))):
            raise ScriptError(
                f"updates are made of about {each[0]:.0f} examples, and hpcheck.total_batch_size said {self._asked}: use what it returns "
                "(divided by processes and by accumulated batches)"
            )

    def refuse_batches(self, train_examples: int | None) -> None:
        """Raise `ScriptError` where the number of batches of an epoch was given for that of its examples."""
        told = [source.batches for source in self._sources.values()]
        if train_examples is not None and told == [train_examples]:
            raise ScriptError(
                f"train_examples is {train_examples}, which is how many batches the data loader has: give the number of examples, "
                "len(loader.dataset)"
            )

    def end(self) -> None:
        """Count no more: loaders are as they were."""
        dataloader._BaseDataLoaderIter.__next__ = self._original  # type: ignore[method-assign]


def size_of(iterator: Any, batch: Any) -> int:
    """Examples in a batch: what its loader was told, else the length of the first tensor in it; 0 where nobody knows."""
    told = getattr(getattr(iterator, "_index_sampler", None), "batch_size", None)
    return told if isinstance(told, int) else _length(batch)


def _batches_of(iterator: Any) -> int | None:
    """Batches in an epoch of a loader that makes them of several examples each; None where it does not say."""
    sampler: Any = getattr(iterator, "_index_sampler", None)
    if not isinstance(getattr(sampler, "batch_size", None), int) or sampler.batch_size < 2:
        return None
    try:
        return len(sampler)
    except (TypeError, NotImplementedError):  # of data without an end
        return None


def _length(value: Any) -> int:
    if getattr(value, "ndim", 0):
        return int(value.shape[0])
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple) and value:
        return _length(value[0])
    return 0
