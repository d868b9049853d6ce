"""Whether what should not matter to the recommendation does not: where the checklist starts, and whether weight decay is read from forks.

    python -m benchmarks.agreement starts configs/quickstart.yaml     # starting points that are a decade off
    python -m benchmarks.agreement snapshot configs/quickstart.yaml   # --from-snapshot beside --whole-runs, a row a seed

Runs are kept in runs/agreement/, so that a stopped benchmark goes on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.check_reruns import drifted, recommendation
from hpcheck import config as configs
from hpcheck.checklist.run import Checklist
from hpcheck.config import Config, Start
from hpcheck.recommendation import drift
from hpcheck.recommendation.cost import cost, records_of
from hpcheck.steps.reading import Reading
from hpcheck.terminal.progress import Progress


def starts(config: Path, overrides: Sequence[str]) -> None:
    """The checklist from its own start and from each start that is a decade off."""
    own = _config(config, overrides, "as-shipped")
    first = recommendation(own)
    print("| start | max_lr | batch | momentum | weight decay | against the first |\n|---|---|---|---|---|---|")
    print(_row("as shipped", first, ""), flush=True)
    for number, override in enumerate(decades(own.start, first["settings"]["learning_rate"]["max"])):
        found = recommendation(_config(config, [*overrides, override], f"start-{number}"))
        print(_row(override, found, ", ".join(drifted(first, found)) or "same"), flush=True)


def decades(start: Start, max_lr: float) -> list[str]:
    """Overrides that begin ten times too high and ten times too low: weight decay, 1 - momentum, and the lr that was recommended."""
    slower, faster = (1 - factor * (1 - start.momentum.max) for factor in (10, 0.1))
    return [
        *(f"start.weight_decay={start.weight_decay * factor:g}" for factor in (10, 0.1)),
        *(f"start.momentum={momentum:g}" for momentum in (slower, faster)),
        *(f"start.max_lr={max_lr * factor:g}" for factor in (10, 0.1)),
    ]


def _row(name: str, found: drift.Content, against: str) -> str:
    settings = found["settings"]
    lr, momentum = settings["learning_rate"]["max"], settings["momentum"]
    batch, decay = settings["total_batch_size"], settings["weight_decay"]
    return f"| {name} | {lr} | {batch} | {momentum['max']}-{momentum['min']} | {decay:g} | {against} |"


def snapshot(config: Path, overrides: Sequence[str], seeds: int) -> None:
    """The weight-decay grid both ways from the same settings, its cost in iterations, and whether the two answers agree."""
    print("| seed | forked | whole | iterations forked | iterations whole | ratio |\n|---|---|---|---|---|---|")
    for seed in range(seeds):
        forked, cost_forked = _weight_decay(config, [*overrides, f"seed={seed}", "wd_grid.from_snapshot=true"], f"snapshot-{seed}")
        whole, cost_whole = _weight_decay(config, [*overrides, f"seed={seed}", "wd_grid.from_snapshot=false"], f"snapshot-{seed}")
        ratio = cost_forked / cost_whole
        print(f"| {seed} | {_said(forked)} | {_said(whole)} | {cost_forked} | {cost_whole} | {ratio:.2f} |", flush=True)


def _weight_decay(config: Path, overrides: Sequence[str], name: str) -> tuple[Reading, int]:
    with Checklist(_config(config, overrides, name), Progress(quiet=True)) as checklist:
        for step in ("lr-range", "batch", "momentum", "wd-grid"):
            reading = checklist.run_step(step)[-1]
        spent = cost(records_of(checklist.runs, [reading]), checklist.asked)
    return reading, int(spent["iterations"])


def _said(reading: Reading) -> str:
    (item,) = reading.evidence
    tied = ", ".join(f"{value:g}" for value in sorted(item.tied))
    return f"{item.value:g}" + (f" (tied: {tied})" if tied else "")


def _config(path: Path, overrides: Sequence[str], name: str) -> Config:
    return configs.load(path, [*overrides, f"name={name}", "run.dir=runs/agreement"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["starts", "snapshot"])
    parser.add_argument("config", type=Path)
    parser.add_argument("-s", "--set", action="append", default=[], help="key=value, as the commands take it")
    parser.add_argument("--seeds", type=int, default=5, help="of `snapshot`")
    asked = parser.parse_args()
    if asked.what == "starts":
        starts(asked.config, asked.set)
    else:
        snapshot(asked.config, asked.set, asked.seeds)


if __name__ == "__main__":
    main()
