"""Image folders: what is decoded, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpcheck.data import images
from hpcheck.data.arrays import DataError
from hpcheck.data.memory import free_bytes
from hpcheck.data.sets import image_folder


def write_image(path, size=(6, 4), colour=(200, 30, 30), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Two classes of three images for training and of one for testing, 6 wide and 4 high."""
    for split, count in (("train", 3), ("test", 1)):
        for shade, name in enumerate(("cat", "dog")):
            for index in range(count):
                write_image(tmp_path / split / name / f"{index}.png", colour=(shade * 100, index, 0))
    return tmp_path


def test_folder_gives_splits_classes_and_pixels(folder):
    raw = image_folder.load(folder.parent, folder=folder.name)
    assert raw.classes == ("cat", "dog")
    assert raw.val is None
    assert raw.train.x.shape == (6, 4, 6, 3)
    assert raw.train.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert raw.test.y.tolist() == [0, 1]
    assert raw.train.x[4, 0, 0].tolist() == [100, 1, 0]
    assert raw.test.x[1, 0, 0].tolist() == [100, 0, 0]


def test_folder_in_many_chunks_equals_one(folder, monkeypatch):
    whole = image_folder.load(folder)
    monkeypatch.setattr(image_folder, "CHUNK", 1)
    monkeypatch.setattr(image_folder, "SMALL_FILE_BYTES", 0)
    np.testing.assert_array_equal(image_folder.load(folder).train.x, whole.train.x)


def test_grey_images_have_one_channel_unless_one_is_in_colour(folder):
    for path in image_folder.sources(folder):
        write_image(path, mode="L", colour=(9, 9, 9))
    assert image_folder.load(folder).train.x.shape == (6, 4, 6, 1)
    write_image(folder / "test" / "cat" / "0.png")
    assert image_folder.load(folder).train.x.shape == (6, 4, 6, 3)


def test_image_size_resizes_the_shorter_side_and_cuts_the_centre(folder):
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[:, 2:6] = 255  # the centre square is white
    Image.fromarray(picture).save(folder / "train" / "cat" / "0.png")
    x = image_folder.load(folder, image_size=2).train.x
    assert x.shape == (6, 2, 2, 3)
    assert x[0].min() > 200


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK", "1", "LA"])
def test_eight_bit_modes_are_decoded(tmp_path, mode):
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    write_image(path, mode=mode, colour=(255, 255, 255))
    pixels, _ = images.decode(path, None)
    assert pixels.shape == (4, 6, 3)
    assert pixels.min() >= 250


def test_transparent_palette_is_decoded_without_a_warning(tmp_path):
    write_image(tmp_path / "x.png", mode="P", transparency=b"\x00\x80")
    assert images.decode(tmp_path / "x.png", None)[0].shape == (4, 6, 3)


def test_photographs_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    write_image(tmp_path / "x.jpg", exif=exif)
    assert images.decode(tmp_path / "x.jpg", None)[0].shape == (6, 4, 3)


def corrupt(folder):
    path = folder / "train" / "dog" / "1.png"
    path.write_bytes(path.read_bytes()[:45])


def truncated_jpeg(folder):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "train" / "dog" / "7.jpg")
    path = folder / "train" / "dog" / "7.jpg"
    path.write_bytes(path.read_bytes()[:-2000])


def not_an_image(folder):
    (folder / "train" / "dog" / "1.png").write_text("hello")


def sixteen_bits(folder):
    Image.fromarray(np.full((4, 6), 60_000, np.uint16)).save(folder / "train" / "dog" / "1.png")


def another_size(folder):
    write_image(folder / "train" / "dog" / "1.png", size=(5, 5))


def empty_class(folder):
    for split in ("train", "test"):
        (folder / split / "emu").mkdir()
    (folder / "train" / "emu" / "notes.txt").touch()


def one_class(folder):
    for split in ("train", "test"):
        (folder / split / "dog").rename(folder / f"{split}-dog")


def other_classes(folder):
    (folder / "test" / "dog").rename(folder / "test" / "emu")


def no_train(folder):
    (folder / "train").rename(folder / "training")


@pytest.mark.parametrize(
    ("broken_by", "message"),
    [
        (corrupt, r"train/dog/1\.png cannot be decoded"),
        (truncated_jpeg, r"train/dog/7\.jpg cannot be decoded \(.*truncated"),
        (not_an_image, r"train/dog/1\.png is no image"),
        (sixteen_bits, r"train/dog/1\.png has pixels of mode I;16"),
        (another_size, r"0\.png is 6x4, .*dog/1\.png is 5x5; set image_size"),
        (empty_class, r"train/emu has no images"),
        (one_class, "has 1 class folders, at least 2"),
        (other_classes, "train and test do not have the same classes: dog, emu"),
        (no_train, "has no folder train; expected train/<class>"),
    ],
)
def test_broken_folder_is_refused_with_what_is_wrong(folder, broken_by, message):
    broken_by(folder)
    with pytest.raises(DataError, match=message) as refused:
        image_folder.load(folder)
    assert "\n" not in str(refused.value)


def test_folder_that_would_fill_the_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(image_folder, "free_bytes", lambda: 1000)  # 8 images of 72 bytes are more than half of it
    with pytest.raises(DataError, match=r"8 images of 6x4 take .* GiB decoded, more than half"):
        image_folder.load(folder)


def test_free_memory_is_known_on_linux():
    if Path("/proc/meminfo").exists():
        assert free_bytes() > 2**20
