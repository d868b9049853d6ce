"""Splits, normalization and the shipped data sets."""

import ast
import os
from pathlib import Path

import numpy as np
import pytest

from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.prepare import held_out_counts, prepare, stratified_subset
from hpcheck.data.sets import digits
from hpcheck.plugins import find

REAL_DATA = os.environ.get("HPCHECK_DATA")
needs_real_data = pytest.mark.skipif(REAL_DATA is None, reason="HPCHECK_DATA does not name a folder with MNIST and cifar10-png")


def images(count, classes=2, seed=0):
    x = np.random.default_rng(seed).integers(0, 256, (count, 4, 6, 3), dtype=np.uint8)
    return Arrays(x, np.arange(count) % classes)


# Choosing by class


def test_subset_has_the_classes_in_proportion():
    y = np.repeat([0, 1, 2], [600, 300, 100])
    assert np.bincount(y[stratified_subset(y, 100, seed=0)]).tolist() == [60, 30, 10]


def test_subset_of_equal_classes_is_even_and_sorted_without_repeats():
    y = np.tile(np.arange(10), 50)
    chosen = stratified_subset(y, 205, seed=3)
    assert sorted(np.bincount(y[chosen])) == [20] * 5 + [21] * 5
    assert (np.diff(chosen) > 0).all()


def test_subset_is_the_same_for_a_seed_nested_and_another_for_another():
    y = np.tile(np.arange(3), 100)
    small, large = (stratified_subset(y, size, seed=1) for size in (30, 90))
    assert set(small) < set(large)
    assert (small == stratified_subset(y, 30, seed=1)).all()
    assert (small != stratified_subset(y, 30, seed=2)).any()


def test_subset_stays_what_it_was_when_this_was_written():
    assert stratified_subset(np.tile(np.arange(2), 10), 6, seed=0).tolist() == [2, 3, 8, 11, 13, 18]


def test_subset_of_everything_and_of_regression_targets():
    assert stratified_subset(np.arange(4), 9, seed=0).tolist() == [0, 1, 2, 3]
    assert len(stratified_subset(np.linspace(0, 1, 50), 7, seed=0)) == 7


# Splits


def test_a_stratified_share_is_held_out_and_the_rest_trained_on():
    raw = Raw(images(100), None, images(20, seed=1))
    prepared = prepare(raw, val_fraction=0.1)
    assert (len(prepared.train), len(prepared.val), len(prepared.test)) == (90, 10, 20)
    assert np.bincount(prepared.val.y).tolist() == [5, 5]
    rows = {example.tobytes() for example in prepared.train.x} | {example.tobytes() for example in prepared.val.x}
    assert rows == {example.tobytes() for example in raw.train.x}


def test_validating_on_test_trains_on_all_of_train():
    raw = Raw(images(100), None, images(20, seed=1))
    prepared = prepare(raw, validate_on="test")
    assert len(prepared.train) == 100
    np.testing.assert_array_equal(prepared.val.x, raw.test.x)


def test_the_datas_own_validation_split_is_taken():
    prepared = prepare(Raw(images(100), images(7, seed=1)))
    assert (len(prepared.train), len(prepared.val), prepared.test) == (100, 7, None)


def test_fit_all_trains_on_what_is_held_out_too():
    prepared = prepare(Raw(images(100)), fit="all")
    assert (len(prepared.train), len(prepared.val)) == (100, 10)


def test_limit_keeps_the_classes_in_proportion_and_counts_before_the_hold_out():
    prepared = prepare(Raw(images(100, classes=4)), limit=40, val_fraction=0.1)
    assert (len(prepared.train), len(prepared.val)) == (36, 4)
    assert np.bincount(np.concatenate([prepared.train.y, prepared.val.y])).tolist() == [10] * 4


@pytest.mark.parametrize("limit", [None, 40])
@pytest.mark.parametrize("validate_on", ["held-out", "test"])
@pytest.mark.parametrize("val", [None, images(7)])
def test_counts_foretold_are_those_of_the_splits(limit, validate_on, val):
    raw = Raw(images(95), val, images(20))
    prepared = prepare(raw, val_fraction=0.15, validate_on=validate_on, limit=limit)
    counts = held_out_counts(raw, val_fraction=0.15, validate_on=validate_on, limit=limit)
    assert counts == (len(prepared.train), len(prepared.val))


@pytest.mark.parametrize(
    ("raw", "options", "message"),
    [
        (Raw(images(100)), {"validate_on": "test"}, "no test split; use held-out"),
        (Raw(images(4)), {"val_fraction": 0.1}, "val_fraction 0.1 of 4 training examples leaves 0"),
        (Raw(images(100, classes=1)), {}, "all examples are of class 0"),
        (Raw(images(100)), {"normalize": "zca"}, "data.normalize is 'zca'"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(raw, options, message):
    with pytest.raises(DataError, match=message):
        prepare(raw, **options)


def test_prepared_arrays_are_writable_and_in_memory(tmp_path):
    np.save(tmp_path / "x.npy", images(20).x)
    mapped = Arrays(np.load(tmp_path / "x.npy", mmap_mode="r"), images(20).y)
    prepared = prepare(Raw(mapped, None, mapped), validate_on="test")
    for arrays in (prepared.train, prepared.val, prepared.test):
        assert arrays.x.flags.writeable
        assert type(arrays.x) is np.ndarray


# Normalization


def normalized(prepared):
    return (prepared.train.x.astype(np.float64) - prepared.shift) * prepared.scale


def test_standardize_gives_each_channel_mean_0_and_deviation_1():
    prepared = prepare(Raw(images(5000)))
    assert prepared.shift.shape == (3,)
    np.testing.assert_allclose(normalized(prepared).mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(normalized(prepared).std(axis=(0, 1, 2)), 1, atol=1e-5)


def test_standardize_treats_each_feature_of_a_vector_alone_and_leaves_constants():
    x = np.stack([np.arange(100), 1000 * np.arange(100), np.full(100, 7)], axis=1).astype(np.float32)
    prepared = prepare(Raw(Arrays(x, np.linspace(0, 1, 100, dtype=np.float32))))
    assert prepared.scale[2] == 1
    np.testing.assert_allclose(normalized(prepared).std(axis=0), [1, 1, 0], rtol=1e-5)
    assert (prepared.task, prepared.outputs, prepared.input_shape) == ("regression", 1, (3,))


def test_mean_image_is_subtracted_and_pixels_keep_their_scale():
    prepared = prepare(Raw(images(50)), normalize="mean-image")
    assert prepared.shift.shape == (4, 6, 3)
    np.testing.assert_allclose(prepared.shift, prepared.train.x.mean(axis=0), rtol=1e-6)
    assert (prepared.scale == 1).all()


def test_unit_divides_by_256_and_none_does_nothing():
    unit, none = (prepare(Raw(images(50)), normalize=normalize) for normalize in ("unit", "none"))
    np.testing.assert_array_equal(normalized(unit), unit.train.x / np.float32(256))
    np.testing.assert_array_equal(normalized(none), none.train.x)


def test_statistics_are_of_what_is_trained_on_alone():
    raw = Raw(images(100))
    held_out = prepare(raw)
    np.testing.assert_allclose(held_out.shift, held_out.train.x.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(prepare(raw, validate_on="held-out", fit="all").shift, raw.train.x.mean(axis=(0, 1, 2)), rtol=1e-5)


def test_tokens_are_left_alone_and_counted_as_outputs():
    x = np.arange(60).reshape(20, 3)
    prepared = prepare(Raw(Arrays(x, x + 1)), normalize="standardize")
    assert (prepared.task, prepared.outputs, prepared.input_shape) == ("tokens", 61, (3,))
    assert prepared.train.x.dtype == np.int64
    assert not prepared.shift.any()
    assert (prepared.scale == 1).all()


def test_images_have_channels_first_in_input_shape_and_all_named_classes_as_outputs():
    prepared = prepare(Raw(images(50), classes=("a", "b", "c")))
    assert (prepared.input_shape, prepared.outputs, prepared.task) == ((3, 4, 6), 3, "classes")


# Shipped data sets


def test_digits_have_a_stratified_fifth_for_testing():
    raw = digits.load(Path())
    assert (len(raw.train), len(raw.test)) == (1438, 359)
    assert raw.train.x.dtype == np.uint8
    assert raw.train.x.shape[1:] == (8, 8, 1)
    assert (raw.train.x.min(), raw.train.x.max()) == (0, 255)
    np.testing.assert_allclose(np.bincount(raw.test.y) / np.bincount(np.concatenate([raw.train.y, raw.test.y])), 0.2, atol=0.01)


def test_every_data_set_says_what_it_reads_with_the_same_options_as_it_loads():
    for name in find.known("data"):
        tree = ast.parse((find.PACKAGE / "data" / "sets" / f"{find.file_name(name)}.py").read_text(encoding="utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert ast.dump(functions["sources"].args) == ast.dump(functions["load"].args)
        assert ... not in find.options("data", name).values()


@needs_real_data
def test_mnist_is_read_from_torchvisions_files():
    raw = find.load("data", "mnist")(Path(REAL_DATA))
    assert raw.train.x.shape == (60_000, 28, 28, 1)
    assert len(raw.test) == 10_000
    assert np.bincount(raw.train.y)[:3].tolist() == [5923, 6742, 5958]


@needs_real_data
def test_a_tenth_of_mnist_held_out_is_stratified():
    prepared = prepare(find.load("data", "mnist")(Path(REAL_DATA)), normalize="unit")
    assert np.bincount(prepared.val.y).tolist()[:3] == [592, 674, 596]


def test_the_test_split_is_never_trained_on():
    prepared = prepare(Raw(images(100), None, images(20, seed=1)), validate_on="test", fit="all")
    assert (len(prepared.train), len(prepared.val)) == (100, 20)


def test_a_class_that_only_another_split_has_gets_an_output():
    assert prepare(Raw(images(50, classes=2), None, images(20, classes=3))).outputs == 3


def test_what_is_held_out_is_rounded_to_the_nearest_example():
    assert len(prepare(Raw(images(98))).val) == 10
