"""How often `hpcheck check` drifts when nothing has changed: fresh seeds of one config against the first, and every pair of them.

    python -m benchmarks.check_reruns configs/quickstart.yaml --seeds 31

Seed 0 is the baseline. Recommendations are kept in runs/check-reruns/, so that a stopped benchmark goes on.
"""

import argparse
from itertools import permutations
from pathlib import Path

from hpcheck import config as configs
from hpcheck.cli.check import regenerate
from hpcheck.config import Config, yaml12
from hpcheck.recommendation import drift


def recommendation(config: Config) -> drift.Content:
    """What the checklist comes to, the final training left out."""
    return drift.checked(yaml12.read(regenerate(config, quiet=True, baseline=None)).value, config.name)


def drifted(old: drift.Content, new: drift.Content) -> list[str]:
    return [verdict.setting for verdict in drift.compare(old, new) if verdict.status == "drifted"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--seeds", type=int, default=31)
    asked = parser.parse_args()
    found: list[drift.Content] = []
    for seed in range(asked.seeds):
        overrides = [f"seed={seed}", f"name=seed-{seed}", "run.dir=runs/check-reruns"]
        found.append(recommendation(configs.load(asked.config, overrides)))
        print(f"seed {seed}: {', '.join(drifted(found[0], found[-1])) or 'same'}", flush=True)
    first = sum(bool(drifted(found[0], new)) for new in found[1:])
    pairs = [bool(drifted(old, new)) for old, new in permutations(found, 2)]
    print(f"against seed 0: {first} of {len(found) - 1} drifted; over all pairs: {sum(pairs)} of {len(pairs)}")


if __name__ == "__main__":
    main()
