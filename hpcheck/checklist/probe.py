"""`hpcheck plan --probe`: 20 steps on this machine, and what the plan comes to at their price."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpcheck.checklist.data_facts import facts
from hpcheck.checklist.run import engine
from hpcheck.config import Config
from hpcheck.errors import InputError
from hpcheck.runs import records
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.spec import TimingSpec
from hpcheck.steps.batch import timing_spec
from hpcheck.steps.build_runs import EVAL_SHARE
from hpcheck.steps.step import Asked
from hpcheck.steps.step_times import fastest


def probe(config: Config) -> dict[str, Any]:
    """Seconds of a step at the start's batch size (the quickest of many samples), peak memory, and the device. Leaves nothing behind.

    Raises `InputError` where that batch size does not fit.
    """
    size, fingerprints = config.start.total_batch_size, Fingerprints()
    spec = timing_spec(Asked(config, facts(config, fingerprints)), (size,))
    record = _measured(config, spec, fingerprints.identify(spec))
    timed = {one["size"]: one for one in record.result["sizes"]}
    if size not in timed:
        raise InputError(f"start.total_batch_size: {size} does not fit into this machine's memory; lower it")
    where = record.environment
    return {
        "total_batch_size": size,
        "seconds_a_step": fastest(record.result["sizes"])[size],
        "peak_bytes": timed[size]["peak_bytes"],
        "device": f"{where['device']} ({where['device_name']}, {where['threads']} threads)",
    }


def _measured(config: Config, spec: TimingSpec, run_id: str) -> records.RunRecord:
    measuring = engine(config)
    with tempfile.TemporaryDirectory(prefix="hpcheck-probe-") as folder:
        try:
            measuring.execute([(run_id, spec)], Path(folder))
        finally:
            measuring.close()
        found = records.read(Path(folder) / f"{run_id}.jsonl")
    if found is None:
        raise RuntimeError("the probe left no record")
    return found


def seconds(iterations: Mapping[str, Sequence[int]], seconds_a_step: float) -> dict[str, list[float]]:
    """Iterations as seconds: at the least without evaluations, at the most with the share of the time that they may take.

    >>> seconds({"train": [100, 200]}, 0.01)
    {'train': [1.0, 2.1]}
    """
    return {
        step: [round(fewest * seconds_a_step, 2), round(most * seconds_a_step * (1 + EVAL_SHARE), 2)]
        for step, (fewest, most) in iterations.items()
    }


def lines(found: Mapping[str, Any], iterations: Mapping[str, Sequence[int]]) -> list[str]:
    """The probe and the plan's time for people."""
    milliseconds, mebibytes = 1000 * found["seconds_a_step"], found["peak_bytes"] / 2**20
    ends = seconds(iterations, found["seconds_a_step"])
    whole = [sum(end) for end in zip(*ends.values(), strict=True)]
    return [
        f"Probed: a step at batch size {found['total_batch_size']} takes {milliseconds:.3g} ms and {mebibytes:,.0f} MiB on "
        f"{found['device']}. At that price:",
        *(f"  {step}: {span(*both)}" for step, both in ends.items()),
        f"  all of it: {span(*whole)}",
    ]


def span(low: float, high: float) -> str:
    """
    >>> span(2.4, 9.7), span(50, 130), span(5000, 9000)
    ('2.4 to 9.7 s', '50 s to 2.2 min', '1.4 to 2.5 h')
    """
    (first, unit), (last, other) = _in_units(low), _in_units(high)
    return f"{first} to {last} {other}" if unit == other else f"{first} {unit} to {last} {other}"


def _in_units(number: float) -> tuple[str, str]:
    size, unit = next((pair for pair in ((3600, "h"), (60, "min")) if number >= pair[0]), (1, "s"))
    return f"{number / size:.2g}", unit
