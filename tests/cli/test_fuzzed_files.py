"""Recommendations, records and curves altered at random, through what reads them: an answer or a line, soon and in little memory.

A fault names its seed; `pytest -m slow tests/cli/test_fuzzed_files.py` makes 2,000 of each kind, with another seed by HPCHECK_TEST_SEED.
"""

import importlib.util
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcheck import config as configs
from hpcheck.cli.check import read_baseline
from hpcheck.config import ConfigError
from hpcheck.errors import InputError
from hpcheck.recommendation import drift, recommended
from hpcheck.runs.outcomes import packed
from hpcheck.runs.spec import RunSpec
from tests.support.altered_files import altered, events_sealed_anew, sealed_anew, with_odd_value
from tests.support.limited import Ended, command, limited
from tests.support.read_cases import caffe_log, csv, falling, ramp, record, trainer_log, turning
from tests.support.simulated import World
from tests.support.simulated_engine import simulate

SHIPPED = Path(__file__).parents[2] / "docs" / "results" / "quickstart" / "recommended.yaml"
CONFIG = "name: c\ndata: digits\nmodel: mlp\nconfirm: {trainings: 8}\nbudget: {epochs: 10}\n"
SEED = int(os.environ.get("HPCHECK_TEST_SEED", "1"))
AMOUNTS = [pytest.param(0, 40, id="quick"), pytest.param(SEED, 2_000, id="many", marks=pytest.mark.slow)]  # seed, files
Case = Callable[[random.Random], Ended]


class WithOutcomes(World):
    """Full trainings that keep what they do with each validation example, as real ones do."""

    def finally_(self, spec: RunSpec, last: dict[str, float]) -> dict[str, Any]:
        found = super().finally_(spec, last)
        if not spec.outcomes or "val" not in found:
            return found
        draw = np.random.default_rng(spec.seed)
        right = draw.random(200) < found["val"]["metric"]
        return {**found, "outcomes": {"loss": packed(draw.exponential(found["val"]["loss"], 200)), "metric": packed(right)}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole run, with all its records, beside a config."""
    monkeypatch.chdir(tmp_path)
    Path("hpcheck.yaml").write_text(CONFIG)
    simulate(monkeypatch, WithOutcomes())
    assert command(["run", "-q"]).code == 0
    return tmp_path


def faults(case: Case, seed: int, count: int) -> Iterator[str]:
    """What is wrong, of each kind the first."""
    seen: set[str] = set()
    for number in range(count):
        ended = case(random.Random(f"{seed}/{number}"))
        kind = ended.fault[-200:] or ""
        if kind and kind not in seen:
            seen.add(kind)
            yield f"{seed}/{number}: {ended.fault}\n{ended.err[-600:]}"


@pytest.mark.parametrize(("seed", "count"), AMOUNTS)
def test_recommendations(project: Path, seed: int, count: int) -> None:
    texts = [SHIPPED.read_bytes(), Path("runs/c/recommended.yaml").read_bytes()]
    for path in Path("runs/c/records").glob("*.jsonl"):
        path.unlink()

    def case(draw: random.Random) -> Ended:
        content = draw.choice(texts)
        if draw.random() < 0.3:
            value = with_odd_value(configs.yaml12.read(content.decode()).value, draw)
            content = configs.yaml12.write(value).encode("utf-8", "surrogatepass")
        else:
            content = altered(content, draw)
        for path in (Path("recommended.yaml"), Path("runs/c/recommended.yaml")):
            path.write_bytes(content)
        return draw.choice(READINGS)()

    assert list(faults(case, seed, count)) == []


def compared() -> Ended:
    """What `check` does with a baseline, and `--from` with a recommendation, before anything runs."""

    def act() -> int:
        path = Path("recommended.yaml")
        try:
            found = read_baseline(path, update=False)
            assert found is not None
            drift.compare(found, read_baseline(SHIPPED, update=False) or {})
            configs.overlay(configs.load(Path("hpcheck.yaml")), recommended.read(path)["settings"], str(path))
        except (ConfigError, InputError):
            return 2
        return 0

    return limited(act)


def used() -> Ended:
    """What a script that was given it by `hpcheck.use` does with it."""

    def act() -> int:
        from hpcheck.script.inside.recommended import Recommended, Schedule

        try:
            found = Recommended(Path("recommended.yaml"))
            found.seed(0)
            course = Schedule(found.settings, 1000)
            course.values()
        except (ConfigError, InputError):
            return 2
        return 0

    return limited(act)


SHOWN: list[Sequence[str]] = [
    ["show", "recommended.yaml"],
    ["show", "recommended.yaml", "--json"],
    ["show", "hpcheck.yaml"],
    ["show", "hpcheck.yaml", "--snippet", "pytorch"],
    ["show", "hpcheck.yaml", "--snippet", "hpcheck"],
    ["show", "recommended.yaml", "--batch", "256", "--epochs", "20"],
]
READINGS = [*(lambda arguments=arguments: command(arguments) for arguments in SHOWN), compared, used]  # type: ignore[misc]


@pytest.mark.parametrize(("seed", "count"), AMOUNTS)
def test_records(project: Path, seed: int, count: int) -> None:
    folder = Path("runs/c")
    shutil.copytree(folder, "kept")
    names = sorted(path.name for path in (folder / "records").glob("*.jsonl"))
    acts: list[Sequence[str]] = [["report"], ["report"], ["report", "runs/c"], ["show"], ["run", "-q"], ["plan"], []]

    def case(draw: random.Random) -> Ended:
        path = folder / "records" / draw.choice(names)
        content = path.read_bytes()
        path.write_bytes(draw.choice((sealed_anew, sealed_anew, sealed_anew, altered))(content, draw))
        if draw.random() < 0.1:
            path.unlink()
        if draw.random() < 0.5:
            (folder / "recommended.yaml").unlink()  # else most commands end with the record that it rests on
        arguments = draw.choice(acts) or ["read", str(path)]
        try:
            return command(arguments)
        finally:
            shutil.rmtree(folder)
            shutil.copytree("kept", folder)

    assert list(faults(case, seed, count)) == []


@pytest.mark.parametrize(("seed", "count"), AMOUNTS)
def test_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, count: int) -> None:
    monkeypatch.chdir(tmp_path)
    whole = written(tmp_path)

    def case(draw: random.Random) -> Ended:
        name, content = draw.choice(whole)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        resealed = {"b.jsonl": sealed_anew, "events.out.tfevents.1": events_sealed_anew}.get(path.name)
        path.write_bytes((altered if resealed is None or draw.random() < 0.4 else resealed)(content, draw))
        given = [name] if path.parent == tmp_path or draw.random() < 0.5 else [Path(name).parts[0]]
        options = draw.choice(([], [], ["--json"], ["--x", "lr"], ["-q"], ["--format", draw.choice(["csv", "console", "json", "jsonl"])]))
        ended = command(["read", *given, *options])
        path.write_bytes(content)
        return ended

    assert list(faults(case, seed, count)) == []


def written(folder: Path) -> list[tuple[str, bytes]]:
    """(name, content) of a file in every format that `read` knows."""
    csv(folder / "a.csv", turning(30), lr=ramp(30))
    trainer_log(folder / "a.jsonl", falling(8))
    record(folder / "b.jsonl", falling(8))
    caffe_log(folder / "caffe.log", falling(8), [0.1] * 8)
    losses = list(enumerate(falling(12)))
    texts = {
        "a.json": "".join(('{"train": {"loss": ', str(falling(12)), '}, "val": {"loss": ', str(falling(6)), "}}")),
        "plain.txt": "\n".join(f"{i} {split} {loss}" for i, loss in losses for split in ("train", "val")),
        "mlruns/0/a1/metrics/val_loss": "\n".join(f"{1702000000000 + i} {loss} {i}" for i, loss in losses),
        "mlruns/0/a1/meta.yaml": "run_id: a1\nname: wide\n",
        "long.csv": "epoch,phase,loss\n" + "\n".join(f"{i},{split},{loss}" for i, loss in losses for split in ("train", "val")),
        "keras.log": "\n".join(
            f"Epoch {i}/12\n235/235 [==] - 3s - loss: {loss:.4f} - val_loss: {loss:.4f} - lr: 0.1" for i, loss in losses
        ),
        "boost.log": "\n".join(f"[{i}]\ttrain-rmse:{loss}\teval-rmse:{loss}" for i, loss in losses),
        "yolo.log": "\n".join(f"  Epoch    box_loss   cls_loss\n  {i}/12    {loss}    {loss}" for i, loss in losses),
        "wandb.csv": '"Step","fox - val/loss","fox - val/loss__MIN"\n' + "\n".join(f'"{i}","{loss}","{loss}"' for i, loss in losses),
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if importlib.util.find_spec("tensorboard") is not None:
        events(folder / "events.out.tfevents.1", losses)
    return [(str(path.relative_to(folder)), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]


def events(path: Path, losses: Sequence[tuple[int, float]]) -> None:
    """An event file of TensorBoard's."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(path.parent))
    for step, value in losses:
        writer.add_event(Event(step=step, summary=Summary(value=[Summary.Value(tag="val_loss", simple_value=value)])))
    writer.close()
    next(path.parent.glob("events.out.tfevents.*")).rename(path)
