"""What each step costs: the one table, made by replaying the steps on simulated networks that are easy and hard to search."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hpcheck.checklist.simulated import START, World
from hpcheck.runs.records import RunRecord, examples_processed, iterations_done
from hpcheck.runs.spec import RunSpec, Spec
from hpcheck.steps import lr_in_full
from hpcheck.steps.batch import candidate_sizes
from hpcheck.steps.build_runs import short_steps
from hpcheck.steps.order import REPROBE, STEPS, Replays, steps_of_run
from hpcheck.steps.reading import Reading, Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Decide, Lookup, replay

# Ours, chosen so that every step is made as short, or as long, as searches of real networks were (docs/results/records).
# Each is (lr at which it diverges as a share of where the sweep ends, short runs in which the loss falls by a factor e, noise).
EASY = (1 / 10, 0.4, 0.001)  # nothing is lengthened, extended or repeated; runs that diverge stop early
ORDINARY = (1 / 50, 0.01, 0.02)  # each end of the stretch of good lrs is looked for; weight decays are told apart and bisected
SLOW = (1 / 400, 2.0, 0.05)  # learns so little in a short run that range tests and momenta are read in longer ones
BEYOND_GRID = 100.0  # the best weight decay as a multiple of the start's, so that values beyond those of the grid are tried
FLOOR, BETTER = 0.8, 0.35  # the loss of long runs, and by how much that of double or half the batch size is better, so that it is taken
GIVEN_RANGE = 0.7  # a range that the config gives is stable up to this share of it
METRIC_BY_LOSS = 0.4  # a guess among ten classes has a metric of 0.08
SURVIVES = 2.0  # a given lr is this far below the one at which a simulated network diverges


@dataclass(frozen=True)
class Cost:
    """Iterations and training examples."""

    iterations: int = 0
    examples: int = 0


@dataclass(frozen=True)
class Bounds:
    """The least and the most of a step's iterations and of its examples, over networks easy and hard; each its own, since what has fewer
    iterations may have more examples."""

    iterations: tuple[int, int]
    examples: tuple[int, int]


def bounds(asked: Asked) -> dict[str, Bounds]:
    """The bounds of every step of the checklist, in order, from an empty run directory."""
    asked = among_ten_classes(asked)
    each = [costs(asked, world) for world in (*easy(asked), *hard(asked))]
    nothing = {REPROBE: [Cost()]}  # it is not made where nothing moved
    found = {step: _bounds([*(one[step] for one in each), *nothing.get(step, ())]) for step in steps_of_run(asked)}
    return {step: one for step, one in found.items() if step != lr_in_full.STEP or one.iterations[1]}  # needed by none of them: not told


def among_ten_classes(asked: Asked) -> Asked:
    """The question as it is put to simulated networks: what they begin with, and must learn more than, is a guess among ten classes,
    whatever the user's own targets are. Beside two classes' 0.69 they would never seem to learn."""
    return replace(asked, facts=replace(asked.facts, constant_loss=START))


def _bounds(of_step: Iterable[Cost]) -> Bounds:
    iterations, examples = zip(*((one.iterations, one.examples) for one in of_step), strict=True)
    return Bounds((min(iterations), max(iterations)), (min(examples), max(examples)))


def costs(asked: Asked, world: World, known: Lookup = lambda _: None) -> dict[str, Cost]:
    """What each step of `run` costs in this world: the runs that no step before it has made, and of which `known` has no record."""
    counted, table = set[str](), {}

    def lookup(spec: Spec) -> RunRecord | None:
        record = known(spec)
        if record is None:
            return world.find(spec)
        counted.add(record.run_id)
        world.records.setdefault(record.run_id, record)  # its continuations go on from it
        return record

    replays = Replays(asked, lookup)
    for step in steps_of_run(asked):
        settings = replays.settings_before(step)
        while replays.is_due(step) and replays.left_out(step) is None:
            outcome = replays.outcome(STEPS[step], settings)
            if isinstance(outcome, Reading):
                break
            for spec in outcome.specs:
                world.answer(spec)
        table[step] = total(record for run_id, record in world.records.items() if run_id not in counted)
        counted |= world.records.keys()
    return table


def remaining(asked: Asked, known: Lookup) -> dict[str, int]:
    """About how many training examples are left of each step of `run`, where `known` has the records that there are: what a network that
    is neither easy nor hard makes."""
    return {step: cost.examples for step, cost in costs(asked, ordinary(asked), known).items()}


def total(made: Iterable[RunRecord], whole: bool = False) -> Cost:
    """What these runs cost. A final training counts whole, and so do all of them where `whole` is set: that a simulated run diverges says
    nothing of the user's."""
    iterations = examples = 0
    for record in made:
        spec = record.spec
        if isinstance(spec, RunSpec) and (whole or spec.finally_on):
            iterations += spec.steps - spec.at_step
            examples += spec.examples
        else:
            iterations += iterations_done(record)
            examples += examples_processed(record)
    return Cost(iterations, examples)


def easy(asked: Asked) -> list[World]:
    """Networks whose search is as short as it gets: what the user starts with is the best already, or all but the batch size is, of
    which the smallest or the largest is better. An update takes as long as it has examples, so that equal time is as many examples."""
    start = asked.config.start.weight_decay
    return [
        network(asked, EASY, weight_decay=start, better=better, seconds_a_step=0.0, worse_by_decade=0.0)
        for better in (0.0, *_batch_sizes(asked))
    ]


def hard(asked: Asked) -> list[World]:
    """Networks whose search is long. An update takes as long whatever the batch size, so that equal time is as many iterations."""
    return [
        network(asked, kind, weight_decay=(asked.config.start.weight_decay or 1e-5) * BEYOND_GRID, better=better, seconds_an_example=0.0)
        for kind in (ORDINARY, SLOW)
        for better in _batch_sizes(asked) or (0.0,)
    ]


def ordinary(asked: Asked) -> World:
    """A network that is neither: for a rough figure."""
    return network(asked, ORDINARY, weight_decay=asked.config.start.weight_decay)


def _batch_sizes(asked: Asked) -> tuple[float, ...]:
    """By how much a doubling of the batch size is better, for the smallest to be taken and for the largest; once, where there is one."""
    return (-BETTER, BETTER) if len(candidate_sizes(asked, start_settings(asked.config))) > 1 else ()


def network(asked: Asked, kind: tuple[float, float, float], weight_decay: float, better: float = 0.0, **others: float) -> World:
    """A simulated network of a kind: what it is for the lrs that are looked at, and for the length of the config's short runs."""
    share_of_largest, runs_needed, noise = kind
    options, start = asked.config.lr_range, asked.config.start
    looked_at = options.sweep_ends(asked.config.optimizer.name)[1]
    diverges_at = max(share_of_largest * looked_at, GIVEN_RANGE * (options.max or 0.0), SURVIVES * (start.max_lr or 0.0))
    fastest = diverges_at / (1 - min(start.momentum.max, 0.95))
    return World(
        fastest=fastest,
        best_weight_decay=weight_decay or 1e-5,
        better_by_doubling=better,
        usual_batch_size=start.total_batch_size,
        needed=runs_needed * fastest * short_steps(asked, "lr_range", start_settings(asked.config)),
        noise=noise,
        floor=FLOOR,
        metric_by_loss=METRIC_BY_LOSS,
        **others,
    )


def left(asked: Asked, decide: Decide, settings: Settings, known: Lookup) -> Cost:
    """About what is left of one step, where `known` has the records that there are: what a network that is neither easy nor hard makes."""
    asked = among_ten_classes(asked)
    world = ordinary(asked)
    made: list[RunRecord] = []

    def answer(spec: Spec) -> RunRecord:
        record = known(spec)
        if record is not None:
            world.records[record.run_id] = record  # its continuations go on from it
            return record
        record = world.answer(spec)
        made.append(record)
        return record

    replay(decide, asked, settings, answer)
    return total({record.run_id: record for record in made}.values(), whole=True)
