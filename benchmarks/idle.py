"""How much of its workers a search leaves idle: steps replayed on simulated networks, each run as long as it has examples. No noise.

    python -m benchmarks idle

Rounds that wait for their slowest run beside idle workers that begin with what is needed in any case (docs/decisions/026-idle-workers.md).
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hpcheck.analysis.memory import Memory
from hpcheck.checklist.costs import among_ten_classes
from hpcheck.checklist.simulated import World
from hpcheck.config import Config, load, parse
from hpcheck.engine.pool.pool import WORTH, cost
from hpcheck.runs.records import RunRecord, examples_processed
from hpcheck.runs.spec import Spec, TimingSpec
from hpcheck.steps.order import STEPS, Replays, steps_of_run
from hpcheck.steps.step import Asked, Facts, Missing

SHORT = "data: digits\nmodel: mlp\nbudget: {epochs: 15}\nstart: {total_batch_size: 32, max_lr: 0.1}\n"
DIGITS, MNIST = Facts(1078, 360), Facts(54_000, 6_000)


@dataclass
class Workers:
    """A clock, and the runs under way with the time at which each ends."""

    count: int
    world: World
    looks_ahead: bool
    now: float = 0.0
    busy: float = 0.0
    ends: dict[Spec, float] = field(default_factory=dict)
    made: list[Spec] = field(default_factory=list)

    def find(self, spec: Spec) -> RunRecord | None:
        return None if spec in self.ends else self.world.find(spec)

    def begin(self, spec: Spec) -> None:
        record = self.world.execute(spec)
        took = 0.0 if isinstance(spec, TimingSpec) else float(examples_processed(record))
        self.ends[spec] = self.now + took
        self.busy += took
        self.made.append(spec)

    def fill(self, missing: Missing) -> None:
        """Begin what is asked for, the longest first; then what is certain, where most of its time is left of what is waited for."""
        for spec in sorted(missing.specs, key=lambda one: -cost(("", one))):
            if spec not in self.ends and len(self.ends) < self.count:
                self.begin(spec)
        left = max((end - self.now for spec, end in self.ends.items() if spec in missing.specs), default=0.0)
        for spec in missing.sure if self.looks_ahead else ():
            if spec not in self.ends and len(self.ends) < self.count and left >= WORTH * cost(("", spec)):
                self.begin(spec)

    def wait(self) -> None:
        """Until the next run ends."""
        self.now = max(self.now, min(self.ends.values()))
        self.ends = {spec: end for spec, end in self.ends.items() if end > self.now}


def missing_now(replays: Replays) -> Missing | None:
    """What the first step that is not complete asks for; None where all is done."""
    for step in steps_of_run(replays.asked):
        if replays.is_due(step) and replays.left_out(step) is None:
            outcome = replays.outcome(STEPS[step], replays.settings_before(step))
            if isinstance(outcome, Missing):
                return outcome
    return None


def search(asked: Asked, world: World, count: int, looks_ahead: bool) -> Workers:
    workers = Workers(count, world, looks_ahead)
    replays = Replays(asked, workers.find)
    with Memory():
        while (missing := missing_now(replays)) is not None:
            workers.fill(missing)
            workers.wait()
    return workers


def configs() -> dict[str, tuple[Config, Facts]]:
    return {
        "quickstart": (load(Path("configs/quickstart.yaml")), DIGITS),
        "quickstart, own lr": (load(Path("configs/quickstart.yaml"), ["start.max_lr=0.1"]), DIGITS),
        "quickstart, --sure": (load(Path("configs/quickstart.yaml"), ["confirm.sure=true"]), DIGITS),
        "LeNet": (load(Path("configs/mnist-lenet.yaml")), MNIST),
        "LeNet, hold time": (load(Path("configs/mnist-lenet.yaml"), ["budget.hold=time"]), MNIST),
        "short, own lr": (parse(SHORT, "short"), DIGITS),
    }


def worlds() -> Iterator[World]:
    """Networks whose best weight decay lies at an edge or between, and that bear more or less of an lr."""
    for best, fastest in ((1e-5, 0.5), (1e-5, 16.0), (1e-4, 4.0), (1e-3, 0.5), (1e-3, 16.0), (1e-2, 4.0)):
        yield World(best_weight_decay=best, fastest=fastest)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks idle", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4, 8])
    given = parser.parse_args(arguments)
    print("| search | workers | busy where rounds wait | busy with early runs | time, as a ratio (least to most) |\n|---|---|---|---|---|")
    for name, (config, facts) in configs().items():
        asked = among_ten_classes(Asked(config, facts))
        for count in given.workers:
            pairs = [[search(asked, replace(world), count, looks_ahead) for looks_ahead in (False, True)] for world in worlds()]
            if any(set(waits.made) != set(early.made) for waits, early in pairs):
                raise SystemExit(f"{name}: other runs")
            waits, early = (statistics.mean(pair[at].busy / (count * pair[at].now) for pair in pairs) for at in (0, 1))
            ratios = [pair[1].now / pair[0].now for pair in pairs]
            took = f"{statistics.mean(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {name} | {count} | {waits:.0%} | {early:.0%} | {took} |", flush=True)


if __name__ == "__main__":
    main()
