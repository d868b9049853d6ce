"""The cache of decoded data, fingerprints, and torchvision's files on disk."""

import functools
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpcheck.data import cache as _cache
from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.cache import fingerprint, load_raw
from hpcheck.data.sets import cifar10, image_folder

REAL_DATA = os.environ.get("HPCHECK_DATA")
FOLDER = {"folder": "pets"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "data"


@pytest.fixture
def root(tmp_path):
    for split in ("train", "test"):
        for shade, name in enumerate(("cat", "dog")):
            (tmp_path / "pets" / split / name).mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (6, 4), (shade * 100, index, 0)).save(tmp_path / "pets" / split / name / f"{index}.png")
    return tmp_path


@pytest.fixture
def decoding(monkeypatch):
    """Counts how often a folder is decoded."""
    calls, load = [], image_folder.load
    monkeypatch.setattr(image_folder, "load", lambda *args, **options: calls.append(args) or load(*args, **options))
    return calls


def test_second_load_is_mapped_from_the_cache_and_equal(root, cache, decoding):
    (first, first_print), (second, second_print) = (load_raw("image-folder", root, FOLDER) for _ in range(2))
    assert len(decoding) == 1
    assert first_print == second_print == fingerprint(second)
    assert isinstance(second.train.x, np.memmap)
    assert second.classes == ("cat", "dog")
    for ours, other in zip(first.splits().values(), second.splits().values(), strict=True):
        np.testing.assert_array_equal(ours.x, other.x)
        np.testing.assert_array_equal(ours.y, other.y)


def test_cache_hit_does_not_import_torch(root, cache):
    load_raw("digits", root, {})
    load_raw("image-folder", root, FOLDER)
    program = f"""
        import sys
        from pathlib import Path
        from hpcheck.data.cache import load_raw
        from hpcheck.data.prepare import prepare
        for name, options in (("digits", {{}}), ("image-folder", {FOLDER})):
            prepare(load_raw(name, Path({str(root)!r}), options)[0], val_fraction=0.34)
        print(sorted({{"torch", "torchvision", "sklearn"}} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_changed_file_is_decoded_again_and_the_outdated_entry_removed(root, cache, decoding):
    _, before = load_raw("image-folder", root, FOLDER)
    Image.new("RGB", (6, 4), (1, 2, 3)).save(root / "pets" / "train" / "cat" / "0.png")
    raw, after = load_raw("image-folder", root, FOLDER)
    assert raw.train.x[0, 0, 0].tolist() == [1, 2, 3]
    assert before != after
    assert len(decoding) == 2
    assert len(list(cache.iterdir())) == 1


def test_other_options_are_another_entry(root, cache):
    _, as_they_are = load_raw("image-folder", root, FOLDER)
    raw, resized = load_raw("image-folder", root, FOLDER | {"image_size": 2})
    assert raw.train.x.shape == (6, 2, 2, 3)
    assert as_they_are != resized
    assert len(list(cache.iterdir())) == 2


def truncate_array(entry):
    path = entry / "train-x.npy"
    path.write_bytes(path.read_bytes()[:-7])


def remove_array(entry):
    (entry / "test-y.npy").unlink()


def spoil_meta(entry):
    (entry / "meta.json").write_text('{"splits": {"train": 3}}')


def put_another_shape(entry):
    np.save(entry / "train-y.npy", np.zeros(5, np.int64))


def put_pickle(entry):
    (entry / "train-y.npy").write_bytes(pickle.dumps([1, 2]))


@pytest.mark.parametrize("damage", [truncate_array, remove_array, spoil_meta, put_another_shape, put_pickle])
def test_damaged_entry_is_decoded_again_and_replaced(root, cache, decoding, damage):
    _, before = load_raw("image-folder", root, FOLDER)
    damage(next(cache.iterdir()))
    assert [load_raw("image-folder", root, FOLDER)[1] for _ in range(2)] == [before, before]
    assert len(decoding) == 2


def test_cache_that_cannot_be_written_is_done_without(root, tmp_path, monkeypatch, decoding):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "file"))
    assert load_raw("image-folder", root, FOLDER)[1] == load_raw("image-folder", root, FOLDER)[1]
    assert len(decoding) == 2


def test_failed_write_leaves_no_entry(root, cache, monkeypatch):
    def full_disk(path, array):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_cache, "_save", full_disk)
    load_raw("image-folder", root, FOLDER)
    assert list(cache.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_a_day(root, cache):
    for name, age in ((".writing-old", 2 * 86_400), (".writing-new", 60)):
        (cache / name).mkdir(parents=True)
        now = (cache / name).stat().st_mtime
        os.utime(cache / name, (now - age, now - age))
    load_raw("image-folder", root, FOLDER)
    assert {path.name for path in cache.iterdir() if path.name.startswith(".")} == {".writing-new"}


def test_file_that_cannot_be_read_is_named(root, cache):
    (root / "pets" / "train" / "cat" / "gone.png").symlink_to(root / "nowhere")
    with pytest.raises(DataError, match=r"data image-folder: .*gone\.png cannot be read \(No such file"):
        load_raw("image-folder", root, FOLDER)


def test_cache_lies_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("HPCHECK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert _cache.cache_directory() == Path("/xdg/hpcheck")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert _cache.cache_directory() == Path.home() / ".cache" / "hpcheck"


# Fingerprints


def raw_of(x, y=(0, 1), classes=None):
    return Raw(Arrays(np.asarray(x), np.asarray(y)), classes=classes)


def test_same_data_elsewhere_have_the_same_fingerprint(root, cache):
    _, here = load_raw("image-folder", root, FOLDER)
    (root / "pets").rename(root / "animals")
    assert load_raw("image-folder", root / "animals", {})[1] == here


def test_fingerprint_sees_contents_shape_dtype_and_class_names():
    x = np.arange(8, dtype=np.uint8).reshape(2, 4)
    others = [raw_of(x + 1), raw_of(x, (1, 0)), raw_of(x.reshape(2, 2, 2)), raw_of(x.view(np.int8)), raw_of(x, classes=("a", "b"))]
    prints = {fingerprint(raw) for raw in [raw_of(x), *others]}
    assert len(prints) == 6
    assert fingerprint(raw_of(np.asfortranarray(x))) == fingerprint(raw_of(x))


# torchvision's files


class OldDtype:
    """A dtype pickled as numpy did when CIFAR's files were written; numpy 2.4 warns about it."""

    def __reduce__(self):
        return functools.partial(np.dtype, "u1", align=0), ()


def write_cifar10(folder):
    """The folder as torchvision has it, with 2 images a file."""
    folder.mkdir()
    names = [f"data_batch_{index}" for index in range(1, 6)] + ["test_batch"]
    for shade, name in enumerate(names):
        pixels = np.full((2, 3072), shade, np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [shade, 9], "dtype": OldDtype()}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class{index}" for index in range(10)]}))


def test_cifar10_is_read_from_torchvisions_files(root, cache, monkeypatch):
    write_cifar10(root / "cifar-10-batches-py")
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    raw, _ = load_raw("cifar10", root, {})
    assert raw.train.x.shape == (10, 32, 32, 3)
    assert raw.train.y.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert raw.test.x[0, 0, 0].tolist() == [5, 5, 5]
    assert raw.classes[9] == "class9"


def test_cifar_without_torchvisions_files_is_the_folder_of_lossless_images(root, cache, monkeypatch):
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *_: True)
    for name in ("cifar10", "cifar100"):
        (root / "pets").rename(root / f"{name}-png")
        images, named = load_raw("image-folder", root, {"folder": f"{name}-png"})
        raw, built_in = load_raw(name, root, {})
        assert built_in == named  # so that a run's id is the same whichever of the two names its config says
        np.testing.assert_array_equal(raw.train.x, images.train.x)
        (root / f"{name}-png").rename(root / "pets")
    (root / "pets").rename(root / "cifar10-png")
    write_cifar10(root / "cifar-10-batches-py")
    assert load_raw("cifar10", root, {})[0].classes[9] == "class9"  # torchvision's own come first


def test_missing_data_set_that_cannot_be_downloaded_is_one_clear_line(tmp_path, monkeypatch, capsys):
    def offline(*args, **kwargs):
        print("Downloading ...")
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.cifar.download_and_extract_archive", offline)
    with pytest.raises(DataError) as refused:
        cifar10.load(tmp_path)
    message = str(refused.value)
    assert str(tmp_path / "cifar-10-batches-py") in message
    assert "cannot be downloaded (no network)" in message
    assert "set data.root" in message
    assert "\n" not in message
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(REAL_DATA is None, reason="HPCHECK_DATA does not name a folder with MNIST and cifar10-png")
def test_mnist_from_the_cache_is_mnist(cache):
    (raw, first), (cached, second) = (load_raw("mnist", Path(REAL_DATA), {}) for _ in range(2))
    assert first == second
    np.testing.assert_array_equal(raw.test.x, cached.test.x)
