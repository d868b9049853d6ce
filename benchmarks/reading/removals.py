"""`python -m benchmarks.reading.removals`: what changes on development curves when a rule is switched off, alone and all together."""

import argparse
from collections.abc import Callable
from types import ModuleType

from benchmarks.reading.families import FAMILIES
from benchmarks.reading.generate import curves
from benchmarks.reading.schedules import SCHEDULES
from benchmarks.reading.sensitivity import errors, kinds
from hpcheck.analysis import disagreement, ending, overfitting, readable, smooth

RULES: dict[str, tuple[ModuleType, str, object]] = {
    "_within_sight": (smooth, "_within_sight", lambda fit, _y, _sigmas: fit),
    "_in_proportion": (smooth, "_in_proportion", lambda _y, _at, _residual: None),
    "_in_order": (readable, "_in_order", lambda _raw: False),
    "_starts_apart": (readable, "_starts_apart", lambda _raw: False),
    "_training_rises_too": (overfitting, "_training_rises_too", lambda *_: False),
    "_jumps": (overfitting, "_jumps", lambda *_: False),
    "FEWEST_STEPS": (disagreement, "FEWEST_STEPS", 0.0),
    "FEWEST_SECOND": (ending, "FEWEST_SECOND", 6),
    "steps_down": (readable, "steps_down", lambda _lr: (0,)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=45)
    parser.add_argument("--seed", type=int, default=12)
    given = parser.parse_args()
    labelled = list(curves("development", given.each, FAMILIES | SCHEDULES, {}, given.seed))
    before = kinds(labelled)
    print(
        f"as it is: {errors(labelled, before)} errors on {len(labelled)} curves\n\n"
        "| switched off | curves read otherwise | errors |\n|---|---|---|"
    )

    def measured(name: str, names: list[str]) -> None:
        kept: list[Callable[[], None]] = []
        for one in names:
            module, attribute, value = RULES[one]
            was = getattr(module, attribute)
            kept.append(lambda module=module, attribute=attribute, was=was: setattr(module, attribute, was))  # type: ignore[misc]
            setattr(module, attribute, value)
        smooth.forget()
        after = kinds(labelled)
        print(f"| {name} | {sum(a != b for a, b in zip(before, after, strict=True))} | {errors(labelled, after)} |", flush=True)
        for restore in kept:
            restore()
        smooth.forget()

    for name in RULES:
        measured(name, [name])
    measured("the six of the brief together", [*list(RULES)[:5], "FEWEST_STEPS"])


if __name__ == "__main__":
    main()
