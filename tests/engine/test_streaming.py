"""Images that are streamed from their files: the same run as from memory, and nothing is decoded before it is needed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from hpcheck.__main__ import run
from hpcheck.data import images
from hpcheck.data import streamed as streamed_module
from hpcheck.data.arrays import DataError
from hpcheck.data.cache import fingerprint, load_raw
from hpcheck.data.prepare import prepare
from hpcheck.data.sets.image_folder import load
from hpcheck.data.streamed import Streamed
from hpcheck.engine.batches import BatchStream, OnDevice, cropped
from hpcheck.engine.streaming import OnDisk
from hpcheck.runs import records

CPU = torch.device("cpu")


@pytest.fixture
def folder(tmp_path):
    """Two classes, 12 images each to train on and 6 to validate on, of several sizes."""
    random = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 128, (20 + index % 3, 18 + index % 5, 3)) + 100 * label
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / split / name / f"{index:02}.jpg")
    return tmp_path


def both(folder, **options):
    """The prepared data in memory, and streamed."""
    return [prepare(load(folder, image_size=16, stream=stream), **options) for stream in (False, True)]


def test_streamed_batches_are_those_from_memory(folder):
    streams = [BatchStream(OnDevice(prepared, CPU), 5, 3, "mirror") for prepared in both(folder, crop=12, normalize="mean-image")]
    for step in (0, 1, 2, 7, 6, 3, 8):  # in order, a jump, looks back as for BatchNorm, and across the end of an epoch
        (x, y), (streamed_x, streamed_y) = (stream.batch(step) for stream in streams)
        assert x.shape == (5, 3, 12, 12)
        torch.testing.assert_close(streamed_x, x)
        assert torch.equal(streamed_y, y)


def test_validation_images_are_cropped_at_their_centre(folder):
    in_memory, streamed = (OnDevice(prepared, CPU) for prepared in both(folder, crop=12, normalize="none"))
    rows = torch.tensor([0, 3])
    seen = streamed.normalised(streamed.val_x[rows])
    torch.testing.assert_close(seen, in_memory.normalised(in_memory.val_x[rows]))
    torch.testing.assert_close(seen, in_memory.val_x[rows][:, 2:14, 2:14].float().permute(0, 3, 1, 2))


def test_normalization_of_streamed_images_is_that_of_their_sample(folder, monkeypatch):
    in_memory, streamed = both(folder)
    np.testing.assert_allclose(streamed.shift, in_memory.shift, rtol=1e-6)  # 24 images: the sample is all of them
    monkeypatch.setattr(streamed_module, "SAMPLE", 4)
    few = load(folder, image_size=16, stream=True).train.x.sample()
    assert len(few) == 4
    assert list(few.names[[0, -1]]) == [b"train/dark/00.jpg", b"train/light/11.jpg"]


def test_random_crops_lie_inside_and_differ():
    x = torch.arange(100).reshape(1, 10, 10, 1).expand(64, 10, 10, 1)
    found = cropped(x, 7, np.random.default_rng(0), 64)
    assert found.shape == (64, 7, 7, 1)
    corners = {int(one[0, 0, 0]) for one in found}
    assert corners <= {10 * top + left for top in range(4) for left in range(4)}
    assert len(corners) > 10
    assert all(int(one[-1, -1, 0]) - int(one[0, 0, 0]) == 66 for one in found)
    part = cropped(x[:32], 7, np.random.default_rng(0), 64, slice(32, 64))
    assert torch.equal(part, found[32:])


def test_nothing_is_decoded_before_it_is_needed(folder, monkeypatch):
    decoded = []
    decode = images.decode
    monkeypatch.setattr(images, "decode", lambda path, size: decoded.append(path) or decode(path, size))
    data = OnDevice(prepare(load(folder, image_size=16, stream=True), normalize="unit"), CPU)
    assert isinstance(data.train_x, OnDisk)
    subset = data.val_x[torch.tensor([1, 4])]
    assert len(decoded) == 0
    assert [len(part) for part in subset.split(1)] == [1, 1]
    assert subset.tensor().shape == (2, 16, 16, 3)
    assert len(decoded) == 2


def test_a_held_out_part_is_split_off_and_joined_again(folder):
    for path in (folder / "val").rglob("*.jpg"):
        path.unlink()
    for name in ("dark", "light"):
        (folder / "val" / name).rmdir()
    (folder / "val").rmdir()
    raw = load(folder, image_size=16, stream=True)
    prepared, all_of_it = prepare(raw, val_fraction=0.25), prepare(raw, val_fraction=0.25, fit="all")
    assert (len(prepared.train), len(prepared.val), len(all_of_it.train)) == (18, 6, 24)
    assert isinstance(all_of_it.train.x, Streamed)


def test_identity_changes_with_a_name_a_size_or_the_contents(folder):
    before = fingerprint(load(folder, image_size=16, stream=True))
    assert fingerprint(load(folder, image_size=16, stream=True)) == before
    assert fingerprint(load(folder, image_size=17, stream=True)) != before
    path = folder / "train" / "dark" / "03.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert fingerprint(load(folder, image_size=16, stream=True)) != before
    path.write_bytes(content)
    path.rename(path.with_name("33.jpg"))
    assert fingerprint(load(folder, image_size=16, stream=True)) != before


def test_streamed_images_are_not_cached(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))
    raw, _ = load_raw("image-folder", folder, {"image_size": 16, "stream": True})
    assert isinstance(raw.train.x, Streamed)
    assert not (tmp_path / "cache").exists()


def test_streaming_needs_a_size_and_a_crop_that_fits(folder):
    with pytest.raises(DataError, match="stream needs image_size"):
        load(folder, stream=True)
    with pytest.raises(DataError, match=r"data.crop is 17, but the images have 16x16; crop at most 16"):
        prepare(load(folder, image_size=16, stream=True), crop=17)


def test_a_broken_image_is_named_when_it_is_reached(folder):
    (folder / "train" / "dark" / "03.jpg").write_text("hello")
    images = load(folder, image_size=16, stream=True).train.x
    with pytest.raises(DataError, match=r"train/dark/03\.jpg is no image"):
        images.decoded()


CONFIG = """
data: {name: image-folder, root: ROOT, folder: ., image_size: 16, crop: 12, augment: mirror, stream: STREAM}
model: {name: resnet_cifar, depth: 8}
budget: {epochs: 2, evals: 7}
start: {total_batch_size: 6, max_lr: 0.05}
train: {repeats: 1, fit: all}
run: {device: cpu, jobs: 1, threads: 1, dir: DIR}
"""


def test_a_streamed_training_gives_the_curve_of_one_from_memory(folder, tmp_path):
    curves = []
    for stream in ("false", "true"):
        config = tmp_path / f"stream-{stream}.yaml"
        config.write_text(CONFIG.replace("ROOT", str(folder)).replace("STREAM", stream).replace("DIR", str(tmp_path / "runs")))
        assert run(["train", str(config), "-q"]) == 0
        (path,) = (tmp_path / "runs" / config.stem / "records").glob("*.jsonl")
        record = records.read(path)
        assert record is not None
        curves.append([{**row, "seconds": 0.0} for row in record.rows])
        assert replace(record.spec.data, root="", options=()).crop == 12
    assert curves[0] == curves[1]
