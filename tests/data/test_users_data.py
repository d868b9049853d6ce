"""What users' own loaders return: turned into arrays, or refused with what came and what is expected."""

import tracemalloc

import numpy as np
import pytest
import torch

from hpcheck.__main__ import run
from hpcheck.data.arrays import DataError
from hpcheck.data.cache import fingerprint, load_raw
from hpcheck.data.prepare import prepare, task_and_outputs
from hpcheck.data.users import CHECKED_AT_ONCE, from_users
from hpcheck.engine.batches import BatchStream, OnDevice

X, Y = np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 0, 1, 0, 1], np.int32)


def test_users_loader_is_called_with_its_options_and_never_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("HPCHECK_CACHE", str(tmp_path / "cache"))
    (tmp_path / "my_data.py").write_text(
        "import numpy as np\n"
        "def load(count=2):\n"
        "    pair = (np.arange(count * 3.0).reshape(count, 3), np.arange(count))\n"
        "    return pair, pair, pair\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    raw, identity = load_raw("my_data:load", tmp_path, {"count": 5})
    assert raw.train.x.shape == (5, 3)
    assert raw.test.y.tolist() == [0, 1, 2, 3, 4]
    assert identity == fingerprint(raw)
    assert not (tmp_path / "cache").exists()


def test_a_command_runs_the_users_loader_once(tmp_path, monkeypatch):
    (tmp_path / "counted_data.py").write_text(
        "import numpy as np\n"
        "from pathlib import Path\n"
        "def load():\n"
        "    with Path('loaded').open('a') as file:\n"
        "        file.write('x')\n"
        "    pair = (np.arange(600.0).reshape(200, 3), np.arange(200) % 2)\n"
        "    return pair, pair\n"
    )
    (tmp_path / "c.yaml").write_text("data: counted_data:load\nmodel: mlp\n")
    monkeypatch.chdir(tmp_path)
    assert run(["plan", "c.yaml"]) == 0
    assert (tmp_path / "loaded").read_text() == "x"


def test_vectors_and_classes_get_the_types_that_the_engine_knows():
    raw = from_users("m:f", ((X, Y), (X.tolist(), Y.tolist())))
    assert (raw.train.x.dtype, raw.train.y.dtype) == (np.float32, np.int64)
    np.testing.assert_array_equal(raw.train.x, raw.val.x)
    assert raw.test is None


def test_tensors_of_images_become_channels_last_and_arrays_of_images_are_so():
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    pairs = [(images, torch.tensor([0, 1])), (images.numpy().transpose(0, 2, 3, 1), [0, 1])]
    raw = from_users("m:f", pairs)
    assert raw.train.x.shape == (2, 4, 5, 3)
    np.testing.assert_array_equal(raw.train.x, raw.val.x)


def test_grey_images_get_a_channel_and_values_keep_their_columns():
    raw = from_users("m:f", [(np.zeros((3, 8, 8), np.uint8), np.zeros((3, 2))), (np.zeros((1, 8, 8), np.uint8), np.zeros((1, 2)))])
    assert raw.train.x.shape == (3, 8, 8, 1)
    assert (raw.train.y.shape, raw.train.y.dtype) == ((3, 2), np.float32)


def test_dataset_is_read_example_by_example():
    vectors = torch.utils.data.TensorDataset(torch.randn(3, 4), torch.tensor([0, 1, 2]))
    images = [(torch.zeros(3, 8, 8), 1), (torch.ones(3, 8, 8), 0)]
    raw = from_users("m:f", (vectors, vectors))
    assert (raw.train.x.shape, raw.train.y.tolist()) == ((3, 4), [0, 1, 2])
    as_images = from_users("m:f", (torch.utils.data.Subset(images, [0, 1]), torch.utils.data.Subset(images, [1])))
    assert as_images.train.x.shape == (2, 8, 8, 3)
    assert as_images.val.y.tolist() == [0]


def test_tokens_stay_integers():
    tokens = torch.arange(12).reshape(3, 4)
    raw = from_users("m:f", ((tokens, tokens), (tokens, tokens)))
    assert (raw.train.x.dtype, raw.train.y.shape) == (np.int64, (3, 4))


def test_target_tokens_may_be_padding():
    x, y = torch.arange(12).reshape(3, 4), torch.tensor([[1, 2, 3, -100], [1, -100, -100, -100], [0, 0, 1, 2]])
    assert from_users("m:f", ((x, y), (x, y))).train.y.tolist() == y.tolist()
    empty, negative = torch.where(y == y[1], -100, y), torch.where(y == 2, -1, y)
    with pytest.raises(DataError, match=r"y has no token but -100 in example 1 .1 such examples.; leave them out"):
        from_users("m:f", ((x, empty), (x, y)))
    with pytest.raises(DataError, match="has class -1; classes are counted from 0"):
        from_users("m:f", ((x, negative), (x, y)))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (None, r"data m:f returned a NoneType; expected \(train, val\)"),
        ((X, Y, X, Y), "returned a tuple of 4; expected"),
        ((X, Y), r"train is ndarray \(6, 4\) float64; expected"),
        (((X, Y), (X, Y[:5])), "val has 6 x and 5 y"),
        (((X, Y), (X[:, :3], Y)), r"x of train is .*\(6, 4\).*, but x of val is .*\(6, 3\)"),
        (((X, Y), (X, Y / 2)), "y of train is .* int64, but y of val is .* float32"),
        (((X[:0], Y[:0]), (X, Y)), "train has 0 x and 0 y"),
        (((X, Y - 1), (X, Y)), "has class -1; classes are counted from 0"),
        (((np.where(X[2, 1] == X, np.nan, X), Y), (X, Y)), r"train: x has NaN or infinite values, first in example 2 \(1 examples\)"),
        (((X, np.array(list("abcdef"))), (X, Y)), "train: y is ndarray .* expected integer classes"),
        (((X[:, 0], Y), (X, Y)), "train: x is ndarray .* expected uint8 images"),
        ((({"a": X, "b": X}, Y), (X, Y)), "not one array of one shape; a model gets one input: pack several into one array"),
        ((((X, X[:, :3]), Y), (X, Y)), "not one array of one shape; a model gets one input: pack several into one array"),
        ((torch.utils.data.Subset([1, 2], [0, 1]), (X, Y)), "train is a Dataset of a int; expected"),
        ((torch.utils.data.Subset([(X[0], 0), (X[0, :2], 1)], [0, 1]), (X, Y)), r"examples differ in shape \(\(2,\), \(4,\)\)"),
    ],
)
def test_wrong_returns_are_refused_with_what_came_and_what_is_expected(returned, message):
    with pytest.raises(DataError, match=message) as refused:
        from_users("m:f", returned)
    assert "\n" not in str(refused.value)


class Flips:
    """A Dataset whose examples are flipped at random."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def __len__(self) -> int:
        return 20

    def __getitem__(self, index):
        x = np.arange(12, dtype=np.float32) + index
        return (x[::-1] if self.random.random() < 0.5 else x), index % 2


def test_a_dataset_that_is_random_is_refused_in_a_line():
    with pytest.raises(DataError, match=r"data m:f: train: example \d+ is another one each time it is read"):
        from_users("m:f", (Flips(), Flips()))


def test_a_dataset_whose_randomness_is_a_function_of_the_example_is_read(monkeypatch):
    monkeypatch.setattr(Flips, "__getitem__", lambda self, index: (np.random.default_rng(index).normal(size=4), index % 2))
    assert from_users("m:f", (Flips(), Flips())).train.x.shape == (20, 4)


def test_masks_beside_images_ask_for_as_many_outputs_as_there_are_classes_in_them():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    masks = np.random.default_rng(1).integers(0, 3, (6, 16))
    assert task_and_outputs(from_users("m:f", ((images, masks), (images, masks)))) == ("tokens", 3)


def test_targets_that_say_where_something_is_are_not_left_behind_by_augmentation():
    images = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    masks, points, attributes = np.ones((6, 16), np.int64), np.full((6, 2), 0.5), np.eye(6)[:, :3]
    for targets in (masks, points):
        data = OnDevice(prepare(from_users("m:f", ((images, targets), (images, targets)))), torch.device("cpu"))
        with pytest.raises(DataError, match=r"data.augment is mirror, which moves the images and not their targets \(6, "):
            BatchStream(data, 2, 0, "mirror")
    for targets in (np.arange(6) % 2, attributes):
        data = OnDevice(prepare(from_users("m:f", ((images, targets), (images, targets)))), torch.device("cpu"))
        BatchStream(data, 2, 0, "mirror")


def test_padded_sequences_are_not_standardized():
    x = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
    x[2, 3:] = 0.0
    raw = from_users("m:f", ((x, Y), (x, Y)))
    with pytest.raises(DataError, match=r"would make padding non-zero \(1 of 6 sequences end in a row of zeros\)"):
        prepare(raw)
    assert (prepare(raw, normalize="none").train.x[2, 3:] == 0).all()


def test_a_file_mapping_is_copied_by_nobody(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    raw = from_users("m:f", ((mapped, Y), (mapped, Y)))
    prepared = prepare(raw)
    assert isinstance(prepared.train.x, np.memmap)
    np.testing.assert_array_equal(prepared.train.x, mapped)
    OnDevice(prepared, torch.device("cpu"))  # torch warns of arrays that cannot be written to
    part = from_users("m:f", ((mapped[2:], Y[2:]), (mapped[:2], Y[:2])))
    np.testing.assert_array_equal(part.train.x, mapped[2:])


def test_a_mapped_file_is_checked_in_parts_and_the_first_broken_example_is_named(tmp_path):
    rows = CHECKED_AT_ONCE
    x, y = np.memmap(tmp_path / "x", np.float32, "w+", shape=(rows, 8)), np.arange(rows) % 2
    few = np.zeros((4, 8), np.float32), y[:4]
    tracemalloc.start()
    raw = from_users("mine:load", ((x, y), few))
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(raw.train.x, np.memmap)
    assert taken < 4 * CHECKED_AT_ONCE  # a mask of all values would be twice as large
    x[rows - 2, 3] = x[rows - 1, 0] = np.nan
    x.flush()
    with pytest.raises(DataError, match=rf"x has NaN or infinite values, first in example {rows - 2} \(2 examples\)"):
        from_users("mine:load", ((x, y), few))
