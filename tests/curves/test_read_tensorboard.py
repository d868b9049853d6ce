"""TensorBoard's event files as curves; needs the extra `tensorboard`."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from hpcheck.config.problems import ConfigError
from hpcheck.curves.files import load_all, load_one

pytest.importorskip("tensorboard", reason="not installed: pip install 'hpcheck[tensorboard]'")


def write(folder: Path, tags: Mapping[str, Sequence[tuple[int, float]]], tensors: bool = False) -> Path:
    """An event file as PyTorch (scalars) or Keras (tensors) writes it."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for tag, points in tags.items():
        for step, value in points:
            summary = scalar_pb(tag, value) if tensors else Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, summary=summary))
    writer.close()
    return folder


def test_tags_are_columns_and_are_merged_by_step(tmp_path: Path) -> None:
    tags = {
        "train/loss": [(1, 3.0), (2, 2.0), (3, 1.0), (4, 0.5)],
        "train/learning_rate": [(1, 0.1), (3, 0.3)],
        "train/global_step": [(1, 1.0), (2, 2.0)],
        "eval/loss": [(2, 2.5), (4, math.nan)],
        "eval/accuracy": [(2, 0.5), (4, 0.75)],
    }
    found = load_one(write(tmp_path / "run", tags), {})
    assert (found.format, found.curve.label) == ("tensorboard", "run")
    assert found.curve.step.tolist() == [2, 4]
    assert found.curve.lr.tolist() == pytest.approx([0.2, 0.3])
    np.testing.assert_equal(found.curve.val_loss, [2.5, np.nan])
    assert found.curve.train_loss is not None
    np.testing.assert_allclose(found.curve.train_loss, [2.5, 0.75])


def test_a_single_event_file_is_read_like_its_directory(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", {"val_loss": [(1, 2.0), (2, 1.0)]})
    (file,) = folder.iterdir()
    assert load_one(file, {}).curve.val_loss.tolist() == load_one(folder, {}).curve.val_loss.tolist() == [2.0, 1.0]


def test_keras_directories_of_one_run_are_read_together(tmp_path: Path) -> None:
    write(tmp_path / "train", {"epoch_loss": [(0, 2.0), (1, 1.0)], "epoch_learning_rate": [(0, 0.5), (1, 0.5)]}, tensors=True)
    write(tmp_path / "validation", {"epoch_loss": [(0, 2.5), (1, 1.5)], "epoch_accuracy": [(0, 0.25), (1, 0.5)]}, tensors=True)
    curve = load_one(tmp_path, {}).curve
    assert curve.val_loss.tolist() == [2.5, 1.5]
    assert curve.lr.tolist() == [0.5, 0.5]
    assert curve.train_loss is not None
    assert curve.train_loss.tolist() == [2.0, 1.0]


def test_several_runs_in_one_directory_are_a_curve_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, {"val_loss": [(1, 2.0)]})
        write(tmp_path / "c" / name / "validation", {"loss": [(1, 2.0)]})
    assert [one.curve.label for one in load_all([tmp_path], {})] == ["a", "b", "c/a", "c/b"]


@pytest.mark.parametrize("byte", range(0, 2000, 37))
def test_a_flipped_byte_is_said(tmp_path: Path, byte: int) -> None:
    folder = write(tmp_path / "run", {"val_loss": [(step, 1 / step) for step in range(1, 61)]})
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    assert len(content) > 2000
    content[byte] ^= 0x10
    path.write_bytes(content)
    said = []
    try:
        said = list(load_one(folder, {}).notes)
    except ConfigError as error:
        said = str(error).splitlines()
    assert any("damaged" in line for line in said)


def test_an_event_file_that_is_still_written_is_read_up_to_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", {"val_loss": [(step, 1 / step) for step in range(1, 61)]})
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    found = load_one(folder, {})
    assert found.evaluations == 59
    assert "ends in the middle of a record" in found.notes[0]


def test_an_event_file_without_scalars_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(b"\x00\x01" * 50)
    with pytest.raises(ConfigError, match=r"no scalars can be read: .* is damaged"):
        load_one(path, {})
