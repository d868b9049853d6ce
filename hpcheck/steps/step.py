"""A step is a generator that yields the runs it needs next and is sent their records; replaying it says what is missing, or its reading.

The replay starts from nothing each time and looks records up by identity. So a step's plan is a pure function of what was asked and of its
own records: other records and their order change nothing, and resuming, extending and bisecting are all the same thing.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from hpcheck.config import Config
from hpcheck.runs.records import RunRecord, examples_processed
from hpcheck.runs.spec import Spec
from hpcheck.steps.reading import Reading, Settings

Lookup = Callable[[Spec], RunRecord | None]


@dataclass(frozen=True)
class Round:
    """Runs that a step waits for, and those that it will ask for later whatever the answers are: an idle worker may begin with them.

    `sure` is told the records of this round that are there, and says what is certain by them. It names only runs that are asked for in
    every case: no run is made that the step would not make anyway.
    """

    specs: Sequence[Spec]
    sure: Callable[[Sequence[RunRecord]], Sequence[Spec]] = lambda _: ()


Wanted = Sequence[Spec] | Round
Steps = Generator[Wanted, Sequence[RunRecord], Reading]


@dataclass(frozen=True)
class Facts:
    """What is known of the data before anything runs."""

    train_examples: int
    val_examples: int
    constant_loss: float = math.inf  # validation loss of the best answer that looks at no input; inf where it is not known
    constant_accuracy: float = math.inf  # share of the commonest class or token among those validated on; inf where there is none
    classes: bool = False  # whether every example's target is one class, so that the accuracy is a share of the examples
    task: str = ""  # "classes", "tokens" or "regression"; "" where it is not known
    remarks: tuple[str, ...] = ()  # what a person should look at before a search, one line each
    metric_fits: bool = True  # False where runs were seen whose outputs no automatic metric fits: their metric is minus the loss
    seeded: bool = True  # False where two runs with one seed were seen to begin otherwise: comparisons are then not paired
    unseen: str = ""  # in words: classes that are validated or tested on and never trained on; "" where there are none
    found: str = ""  # in words: which data these are, and how many examples each split has; "" where that was not asked


@dataclass(frozen=True)
class Asked:
    """What the user asked for, and what it is asked of."""

    config: Config
    facts: Facts


Decide = Callable[[Asked, Settings], Steps]


@dataclass(frozen=True)
class Missing:
    """The runs that a step still needs now, of so many that it asked for together; how many of its runs there are already; the runs that it
    will need in any case, but not now; and those that it has looked at, with the examples that they trained on."""

    specs: tuple[Spec, ...]
    asked_at_once: int
    done: int = 0
    sure: tuple[Spec, ...] = ()
    made: tuple[str, ...] = ()
    examples: int = 0


def replay(decide: Decide, asked: Asked, settings: Settings, lookup: Lookup) -> Missing | Reading:
    """Drive a step with the records that exist.

    Args:
        decide: the step.
        asked: the config, and what is known of the data.
        settings: what the steps before it recommended.
        lookup: finds a spec's record; None where there is none.

    Returns:
        The runs that it still needs now, or its reading where it needs none.
    """
    step = decide(asked, settings)
    seen: dict[str, int] = {}  # a run -> the examples that it trained on
    try:
        wanted = as_round(next(step))
        while True:
            found = [(spec, lookup(spec)) for spec in wanted.specs]
            missing = tuple(spec for spec, record in found if record is None)
            records = [record for _, record in found if record is not None]
            if missing:
                sure = tuple(spec for spec in wanted.sure(records) if spec not in missing and lookup(spec) is None)
                made = seen | {record.run_id: examples_processed(record) for record in records}
                return Missing(missing, len(found), len(seen) + len(records), sure, tuple(made), sum(made.values()))
            seen.update((record.run_id, examples_processed(record)) for record in records)
            wanted = as_round(step.send(records))
    except StopIteration as finished:
        reading: Reading = finished.value
        return Reading(**{**vars(reading), "runs": tuple(seen), "examples": sum(seen.values())})


def as_round(wanted: Wanted) -> Round:
    """What a step yields; a mere list names nothing for later."""
    return wanted if isinstance(wanted, Round) else Round(wanted)
