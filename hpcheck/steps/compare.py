"""Candidates side by side under the one decision rule: run them, replicate the leaders where that can tell them apart, choose."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from hpcheck.analysis.choice import Choice
from hpcheck.analysis.choose import Candidate, Rule, choose, needs_replicates
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps.build_runs import curve, replicate

MOST_REPLICATES = 2  # ours: the leading two candidates get a second seed
LENGTHENINGS = (1, 2, 4)  # ours: unreadable runs are made longer once or twice before the step abstains

Records = dict[float, tuple[RunRecord, ...]]  # a candidate's value -> its replicates
Make = Callable[[float, int], RunSpec]  # candidate's value, iterations -> its run


@dataclass(frozen=True)
class Compared:
    """A choice, the records behind each candidate (replicates in order) and the length of the runs that were read."""

    choice: Choice
    records: Records
    steps: int

    @property
    def forked(self) -> bool:
        """Whether the runs go on from one snapshot."""
        return any(record.run.parent is not None for records in self.records.values() for record in records)

    @property
    def run_ids(self) -> tuple[str, ...]:
        return tuple(record.run_id for records in self.records.values() for record in records)


Comparing = Generator[Sequence[Spec], Sequence[RunRecord], Compared]


def compare(values: Sequence[float], make: Make, steps: int, most: int, rule: Rule, known: Compared | None = None) -> Comparing:
    """The best of `values` by `rule`, each run as `make(value, steps)` says; longer runs, of `most` iterations at the most, where the short
    ones cannot be read. The replicates of a comparison that is `known`, of runs as long, count again."""
    return (yield from lengthened(lambda steps, _: _compare_once(values, make, steps, rule, known), steps, most))


def lengthened(once: Callable[[int, bool], Comparing], steps: int, most: int) -> Comparing:
    """What `once` reads from runs of `steps` iterations, or of a multiple of them up to `most`, where these cannot be read. It is told the
    iterations, and whether they are the most there will be."""
    lengths = list(dict.fromkeys(max(steps, min(steps * factor, most)) for factor in LENGTHENINGS))
    for length in lengths:
        compared = yield from once(length, length == lengths[-1])
        if compared.choice.status != "abstained":
            break
    return compared


def _compare_once(values: Sequence[float], make: Make, steps: int, rule: Rule, known: Compared | None) -> Comparing:
    specs = {value: make(value, steps) for value in values}
    before = known.records if known is not None and known.steps == steps else {}
    seeds = {value: max(1, len(before.get(value, ()))) for value in values}
    found = iter((yield [replicate(specs[value], number) for value in values for number in range(seeds[value])]))
    records = {value: tuple(next(found) for _ in range(seeds[value])) for value in values}
    return (yield from _replicated(specs, records, steps, rule))


def replicated(specs: Mapping[float, RunSpec], first: Sequence[RunRecord], steps: int, rule: Rule) -> Comparing:
    """The choice among candidates whose first runs are done, after replicates of those that another seed may tell apart."""
    return (yield from _replicated(specs, {value: (record,) for value, record in zip(specs, first, strict=True)}, steps, rule))


def _replicated(specs: Mapping[float, RunSpec], records: Records, steps: int, rule: Rule) -> Comparing:
    rule = counting(rule, records)
    for number in range(1, MOST_REPLICATES):
        again = [value for value in needs_replicates(candidates(records), rule) if len(records[value]) == number]
        if not again:
            break
        found = yield [replicate(specs[value], number) for value in again]
        records = records | {value: (*records[value], record) for value, record in zip(again, found, strict=True)}
    return Compared(choose(candidates(records), rule), records, steps)


def counting(rule: Rule, records: Records) -> Rule:
    """The rule with the examples that the runs were evaluated on, the fewest of them, where that is a subset."""
    sizes = [record.run.eval_size for row in records.values() for record in row if record.run.eval_size is not None]
    return rule if rule.examples is None else replace(rule, examples=min([rule.examples, *sizes]))


def candidates(records: Records) -> list[Candidate]:
    return [Candidate(value, tuple(curve(record) for record in replicates)) for value, replicates in records.items()]
