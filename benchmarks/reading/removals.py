"""`python -m benchmarks.reading.removals`: what changes on development and real curves when a rule or constant is switched off.

Each is switched off alone; then those that changed nothing are switched off together. Nothing of the test half of the generated curves is
looked at. The real curves' labels count for nothing here, only whether they are read otherwise.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.reading.families import FAMILIES
from benchmarks.reading.generate import Labelled, curves
from benchmarks.reading.interventions import curve_of
from benchmarks.reading.noise_sweeps import sweeps
from benchmarks.reading.schedules import SCHEDULES
from hpcheck.analysis import chance, disagreement, divergence, ending, lr_range, overfitting, ramp, readable, smooth, wandering
from hpcheck.analysis.clues import find_clues
from hpcheck.analysis.curve import Curve
from hpcheck.analysis.memory import Memory

REAL = Path(__file__).parent / "measured" / "curves-test.jsonl"
NEVER, ALWAYS = 1e18, 0.0
OFF_BY = 1.25  # factor beyond which a limit counts as an error

Off = dict[str, Any]  # attribute -> what stands for it when it is switched off
SWITCHES: tuple[tuple[ModuleType, Off], ...] = (
    (smooth, {"AGREEMENT": NEVER, "RAW_AGREEMENT": NEVER, "AT_LENGTH": NEVER, "OUT_OF_SIGHT": NEVER, "SPIKE": NEVER, "SIDE": 3}),
    (smooth, {"CROWDED": 2.0, "A_SIXTEENTH": 10**9, "LONGEST_END": 10**9, "SHORT": 0, "END": 1}),
    (smooth, {"LOCAL_PRIOR": 10**6, "LARGER_NOISIER": ALWAYS, "LEAST_SIZE": 1e-9, "LEAST_LOCAL": 1e-9}),
    (wandering, {"WANDERS": 10**9, "NEAREST_WANDERED": 1, "FEWEST_WANDERED": 5, "only_wanders": lambda _: False}),
    (smooth, {"_on_its_end": lambda fit, error, *_: (fit, error), "_level": lambda x, y: smooth.spread(smooth._second_differences(x, y))}),
    (divergence, {"SHARP_SPAN": 1.0, "SHARP_RISE": ALWAYS, "SHARP_SHARE": ALWAYS, "SHARP_NOISE": ALWAYS, "FEWEST_BEFORE": 10**9}),
    (divergence, {"ABOVE_SPAN": 1.0, "ONSET": ALWAYS, "_improves": lambda *_: False, "_above_start": lambda *_: None}),
    (readable, {"LEFT_START": NEVER, "LEFT_AT_LENGTH": NEVER, "LEARNT": ALWAYS, "IN_ORDER": ALWAYS, "STARTS_APART": NEVER}),
    (readable, {"STEPS_DOWN": NEVER, "FEWEST_IN_PART": 1, "CONSTANT": NEVER}),
    (overfitting, {"RISES": ALWAYS, "RISE_NOISE": ALWAYS, "FEWEST_RISING": 0, "SHARED": NEVER, "SHARED_ERRORS": NEVER}),
    (overfitting, {"BUMP_BEFORE": 1.0, "SAME_LR": NEVER, "NEARLY_TOP": ALWAYS, "SMALL_LR": 1.0, "AT_ONCE": 2.0, "CLEARLY": ALWAYS}),
    (overfitting, {"GAP_SHARE": ALWAYS, "GAP_FALL": NEVER, "_training_rises_too": lambda *_: False, "_bumps": lambda *_: []}),
    (ending, {"FEWEST_LAST": 4, "FEWEST_SECOND": 6, "FALLING": ALWAYS, "GOES_ON": ALWAYS, "FLAT": ALWAYS, "WITHIN_ERROR": ALWAYS}),
    (
        ending,
        {
            "LITTLE": ALWAYS,
            "STAYS": ALWAYS,
            "TELLING": NEVER,
            "SLOW": 1.0,
            "STEADY": NEVER,
            "_unbent": lambda _x, residual, _kept: residual,
        },
    ),
    (ramp, {"AT_TOP": 1.0, "NEAR_TOP": 1.0, "STAIR": NEVER, "RISING": ALWAYS, "BEFORE_TURN": 1.0, "STILL_FAST": ALWAYS}),
    (disagreement, {"DISAGREES": ALWAYS, "FEWEST_STEPS": ALWAYS}),
    (lr_range, {"TURNED": ALWAYS, "WITHIN": ALWAYS, "SPIKING": NEVER, "RECOVERED": ALWAYS, "COLLAPSED": NEVER, "LOSS_MOVED": ALWAYS}),
    (lr_range, {"METRIC_MOVED": ALWAYS, "METRIC_SHARE": ALWAYS}),
    (chance, {"CHANCE": ALWAYS, "SAME_SHARE": 2.0, "FEWEST_SAME": 0}),
)
MODULES = (chance, disagreement, divergence, ending, lr_range, overfitting, ramp, readable, smooth, wandering)
Switch = tuple[ModuleType, str, Any]


@dataclass(frozen=True)
class Corpus:
    """What is read: generated curves with their truth, real ones, and sweeps of noise."""

    labelled: Sequence[Labelled]
    real: Sequence[Curve]
    noise: Sequence[Curve]


@dataclass(frozen=True)
class Read:
    """What is said of each curve, and how often it is wrong."""

    clues: list[tuple[str, ...]]
    real: list[tuple[str, ...]]
    limits: list[float | None]
    errors: int


def corpus(each: int, seed: int) -> Corpus:
    labelled = list(curves("development", each, FAMILIES | SCHEDULES, {}, seed))
    runs = [json.loads(line) for line in REAL.read_text().splitlines()]
    real = [curve_of(run["runs"][0], run["seen"]) for run in runs]
    return Corpus(labelled, real, [curve for _, curve in sweeps(max(1, each // 3), seed)])


def read(of: Corpus) -> Read:
    clues = [forms(one.curve) for one in of.labelled]
    ramps = [one for one in of.labelled if one.limit is not None or one.truth.get("no-signal") == "yes"]
    limits = [lr_range.read_range(one.curve).lr_limit.value for one in ramps]
    wrong = sum(_is_off(value, one.limit) for value, one in zip(limits, ramps, strict=True))
    swept = [lr_range.read_sweep(curve).diverges_at for curve in of.noise]
    wrong += sum(value is not None for value in swept)
    kinds = {("yes", False), ("no", True)}
    wrong += sum(
        (truth, any(form.startswith(f"{kind}/") for form in said)) in kinds
        for one, said in zip(of.labelled, clues, strict=True)
        for kind, truth in one.truth.items()
    )
    return Read(clues, [forms(curve) for curve in of.real], limits + swept, wrong)


def forms(curve: Curve) -> tuple[str, ...]:
    """What is said of a curve: the form of each clue."""
    return tuple(sorted({f"{clue.kind}/{clue.form}" for clue in find_clues(curve)}))


def _is_off(value: float | None, limit: tuple[float, float] | None) -> bool:
    """A limit where there is nothing to read, none where there is, or one that is far off."""
    if limit is None or value is None:
        return (limit is None) != (value is None)
    return max(limit[0] / value, value / limit[1]) > OFF_BY


@contextmanager
def without(switches: Sequence[Switch]) -> Iterator[None]:
    """These rules and constants switched off, in the file that has them and in those that take them from there."""
    was = []
    for module, name, off in switches:
        value = getattr(module, name)
        for each in MODULES:
            if getattr(each, name, None) is value:
                was.append((each, name, value))
                setattr(each, name, off)
    try:
        yield
    finally:
        for module, name, value in was:
            setattr(module, name, value)


def changes(before: Read, after: Read) -> tuple[int, int, int]:
    """Generated curves, real curves, and limits that are read otherwise."""

    def count(one: Sequence[object], other: Sequence[object]) -> int:
        return sum(a != b for a, b in zip(one, other, strict=True))

    return count(before.clues, after.clues), count(before.real, after.real), count(before.limits, after.limits)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=42, help="curves of each of the 24 families")
    parser.add_argument("--seed", type=int, default=12)
    parser.add_argument("--only", nargs="*", help="names of rules and constants")
    given = parser.parse_args()
    of = corpus(given.each, given.seed)
    every: list[Switch] = [(module, name, off) for module, offs in SWITCHES for name, off in offs.items()]
    chosen = [switch for switch in every if not given.only or switch[1] in given.only]
    divergence.once = _anew  # type: ignore[assignment]  # of what is remembered only trends are as they were
    with Memory():
        before = read(of)
        print(
            f"as it is: {before.errors} errors on {len(of.labelled)} development curves; {len(of.real)} real ones, {len(of.noise)} sweeps\n"
        )
        print(
            "| switched off | file | curves read otherwise | real ones | limits and sweeps | errors |\n|---|---|---|---|---|---|",
            flush=True,
        )

        def measured(name: str, file: str, switches: Sequence[Switch]) -> tuple[int, int, int]:
            try:
                with without(switches):
                    after = read_anew(of) if any(module is smooth for module, _, _ in switches) else read(of)
            except (ArithmeticError, IndexError, ValueError) as error:
                print(f"| {name} | {file} | cannot do without: {type(error).__name__} | | | |", flush=True)
                return (1, 1, 1)
            changed = changes(before, after)
            print(f"| {name} | {file} | {' | '.join(map(str, changed))} | {after.errors} |", flush=True)
            return changed

        idle = []
        for switch in chosen:
            module, name, _ = switch
            if not any(measured(name, f"{module.__name__.rpartition('.')[2]}.py", [switch])):
                idle.append(switch)
        if len(idle) > 1:
            measured(f"together: {', '.join(name for _, name, _ in idle)}", "", idle)


def _anew(_key: object, compute: Callable[[], Any]) -> Any:
    return compute()


def read_anew(of: Corpus) -> Read:
    """The same with trends that are computed anew."""
    kept = smooth.once
    smooth.once = _anew  # type: ignore[assignment]
    try:
        return read(of)
    finally:
        smooth.once = kept


if __name__ == "__main__":
    main()
