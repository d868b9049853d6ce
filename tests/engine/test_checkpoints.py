"""A run that was stopped anywhere goes on to the same rows and weights, bit for bit; a damaged checkpoint is never gone on from."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hpcheck.engine import arrays, checkpoints
from hpcheck.engine.checkpoints import Checkpoints
from hpcheck.engine.snapshots import SEAL, read_sealed, sealed
from hpcheck.runs.files import StorageError
from hpcheck.runs.identity import identify
from hpcheck.runs.records import standing
from hpcheck.runs.schedules import constant
from hpcheck.runs.spec import PartSpec, RunSpec, freeze
from tests.support.engine_runs import DIGITS, RUN, computed, curves, same, weights
from tests.support.stopped_runs import gone_on, stop_after

DROPOUT = PartSpec("mlp", freeze({"hidden": [16], "dropout": 0.5}))
FIFTY = replace(
    RUN,
    model=DROPOUT,
    data=replace(DIGITS, augment="mirror-crop"),
    steps=50,
    evaluate_after=(0, 7, 10, 25, 49, 50),
    finally_on=("val",),
    keep="best",
)
BATCHNORM = replace(
    FIFTY,
    model=PartSpec("resnet_cifar", freeze({"depth": 8})),
    optimizer=PartSpec("adamw"),
    lr=constant(0.001),
    total_batch_size=16,
    steps=12,
    evaluate_after=(5, 12),
)
CAFFE = replace(FIFTY, model=PartSpec("mlp", freeze({"hidden": [16]})), optimizer=PartSpec("sgd", freeze({"velocity": "caffe"})))


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_stop", [])


def folders(path: Path, *names: str) -> list[Path]:
    made = [path / name for name in names]
    for folder in made:
        folder.mkdir(exist_ok=True)
    return made


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        pytest.param(FIFTY, range(1, 51), id="every step"),
        pytest.param(CAFFE, (1, 24, 49), id="caffe"),
        pytest.param(BATCHNORM, (1, 5, 11), id="bn"),
    ],
)
def test_a_run_stopped_at_any_step_goes_on_to_the_same_to_the_bit(tmp_path: Path, spec: RunSpec, steps: range) -> None:
    (whole,) = folders(tmp_path, "whole")
    reference = computed(spec, whole)
    for step in steps:
        (pieces,) = folders(tmp_path, f"stopped{step}")
        stop_after(step, spec, pieces)
        stopped = standing(pieces / f"{identify(spec)}.jsonl")
        assert not stopped.status
        assert stopped.row.get("step", 0) <= step
        resumed, updates = gone_on(spec, pieces)
        assert updates == spec.steps - step
        assert curves(resumed) == curves(reference)
        assert resumed.result["first_loss"] == reference.result["first_loss"]
        assert resumed.result["val"] == reference.result["val"]
        for which in ("", ".best"):
            assert same(weights(pieces, resumed, which), weights(whole, reference, which))
        assert not list(pieces.glob("*.checkpoint"))


def test_a_run_stopped_again_and_again_is_still_the_same(tmp_path: Path) -> None:
    whole, pieces = folders(tmp_path, "whole", "pieces")
    reference = computed(FIFTY, whole)
    for _ in range(6):
        stop_after(8, FIFTY, pieces)  # 8 steps further each time
    resumed, updates = gone_on(FIFTY, pieces)
    assert updates == 2
    assert curves(resumed) == curves(reference)
    assert same(weights(pieces, resumed), weights(whole, reference))


def test_short_runs_write_no_checkpoint_and_long_ones_keep_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[list[str]] = []
    save = Checkpoints.save

    def saving(self: Checkpoints, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        written.append([path.name.split(".")[1] for path in self.found()])

    monkeypatch.setattr(Checkpoints, "save", saving)
    computed(FIFTY, tmp_path)
    assert written == []
    monkeypatch.setattr(checkpoints, "EVERY_SECONDS", 0.0)
    computed(replace(FIFTY, seed=1), tmp_path)
    assert written[0] == ["step000000001"]
    assert written[-1] == ["step000000049", "step000000050"]


def test_500_flips_and_truncations_are_all_detected(tmp_path: Path) -> None:
    stop_after(9, FIFTY, tmp_path)
    (path,) = tmp_path.glob("*.checkpoint")
    content, draw, damaged = path.read_bytes(), random.Random(0), tmp_path / "damaged"
    for number in range(500):
        altered = bytearray(content)
        if number % 5:
            altered[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        else:
            del altered[draw.randrange(len(content)) :]
        damaged.write_bytes(altered)
        with pytest.raises(ValueError, match="it is damaged"):
            read_sealed(damaged)
    for last in range(1, 200):  # every cut within the seal, and some before it
        damaged.write_bytes(content[:-last])
        with pytest.raises(ValueError, match="it is damaged"):
            read_sealed(damaged)
    assert read_sealed(path)["done"] == 9


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def of_another_run(path: Path) -> None:
    path.write_bytes(sealed({**read_sealed(path), "run_id": "f" * 16}))


def of_another_device(path: Path) -> None:
    state = read_sealed(path)
    path.write_bytes(sealed({**state, "environment": {**state["environment"], "torch": "1.0"}}))


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (Path("pwned"),))  # type: ignore[return-value]


def malicious(path: Path) -> None:
    path.write_bytes(sealed({**read_sealed(path), "rows": Malicious()}))


@pytest.mark.parametrize("damage", [flipped, truncated, emptied, of_another_run, of_another_device, malicious])
def test_a_damaged_or_foreign_checkpoint_is_passed_over_with_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, damage: object
) -> None:
    monkeypatch.chdir(tmp_path)
    whole, pieces = folders(tmp_path, "whole", "pieces")
    reference = computed(FIFTY, whole)
    stop_after(12, FIFTY, pieces)
    stop_after(20, FIFTY, pieces)
    older, newer = sorted(pieces.glob("*.checkpoint"))
    capsys.readouterr()
    damage(newer)  # type: ignore[operator]
    resumed = computed(FIFTY, pieces)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {newer}: cannot be used (it ")
    assert line.endswith("; the run goes on from step 12")
    assert curves(resumed) == curves(reference)
    assert same(weights(pieces, resumed), weights(whole, reference))
    assert not (tmp_path / "pwned").exists()
    assert not older.exists()


def test_where_no_checkpoint_can_be_used_the_run_begins_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, pieces = folders(tmp_path, "whole", "pieces")
    reference = computed(FIFTY, whole)
    stop_after(12, FIFTY, pieces)
    stop_after(20, FIFTY, pieces)
    for path in pieces.glob("*.checkpoint"):
        flipped(path)
    capsys.readouterr()
    assert curves(computed(FIFTY, pieces)) == curves(reference)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("; the run goes on from step 0")


def test_a_record_that_lost_rows_is_not_gone_on_with_from_after_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, pieces = folders(tmp_path, "whole", "pieces")
    reference = computed(FIFTY, whole)
    stop_after(30, FIFTY, pieces)
    path = pieces / f"{identify(FIFTY)}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert curves(computed(FIFTY, pieces)) == curves(reference)
    assert "fewer rows" in capsys.readouterr().err


def test_a_continuation_is_resumed_like_any_run(tmp_path: Path) -> None:
    whole, pieces = folders(tmp_path, "whole", "pieces")
    parent = replace(FIFTY, steps=20, evaluate_after=(20,), keep="last")
    rest = replace(FIFTY, parent=identify(parent), at_step=20, evaluate_after=(30, 50), lr=constant(0.05), momentum=constant(0.9))
    for folder in (whole, pieces):
        computed(parent, folder)
    reference = computed(rest, whole)
    stop_after(13, rest, pieces)
    resumed, updates = gone_on(rest, pieces)
    assert updates == 17
    assert curves(resumed) == curves(reference)
    assert same(weights(pieces, resumed), weights(whole, reference))


def test_an_interrupted_run_goes_on_with_the_threads_it_was_begun_with(tmp_path: Path) -> None:
    from hpcheck.engine.pool import worker

    stop_after(10, FIFTY, tmp_path)
    worker.work(FIFTY, identify(FIFTY), tmp_path, "cpu", 2)
    assert torch.get_num_threads() == 1


def test_a_damaged_snapshot_is_named_and_torch_itself_can_read_a_whole_one(tmp_path: Path) -> None:
    spec = replace(FIFTY, keep="last")
    record = computed(spec, tmp_path)
    path = tmp_path / f"{record.run_id}.pt"
    assert torch.load(path, weights_only=True)["step"] == 50
    assert SEAL in path.read_bytes()
    flipped(path)
    child = replace(FIFTY, parent=record.run_id, at_step=50, steps=60, evaluate_after=(60,))
    with pytest.raises(StorageError, match=rf"{path.name}: the snapshot cannot be used \(it is damaged\)"):
        computed(child, tmp_path)
    assert not list(tmp_path.glob("*.tmp"))


def test_nan_weights_in_a_snapshot_are_data(tmp_path: Path) -> None:
    record = computed(replace(FIFTY, keep="last"), tmp_path)
    path = tmp_path / f"{record.run_id}.pt"
    state = read_sealed(path)
    path.write_bytes(sealed({**state, "model": {name: value * float("nan") for name, value in state["model"].items()}}))
    assert computed(replace(FIFTY, parent=record.run_id, at_step=50, steps=60, evaluate_after=(60,)), tmp_path).diverged


def test_running_out_of_memory_says_what_to_lower(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcheck.errors import RunFailedError

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(arrays, "update", full)
    with pytest.raises(RunFailedError, match=r"out of memory on device cpu at batch size 48; lower start\.total_batch_size"):
        computed(FIFTY, tmp_path)
