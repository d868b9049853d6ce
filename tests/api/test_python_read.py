"""`hpcheck.read` from Python: paths, data frames, dicts and rows, alone or against each other."""

import json
import math

import numpy as np
import pytest

import hpcheck
from hpcheck.config import ConfigError
from hpcheck.curves.in_memory import tables
from hpcheck.errors import InputError


class Frame:
    """What of a data frame is used; pandas is no dependency."""

    def __init__(self, columns):
        self._columns = {name: np.array(values, dtype=float) for name, values in columns.items()}
        self.columns = list(columns)

    def __getitem__(self, name):
        return self._columns[name]


def ramp(end=0.8, blows_up=0.6, points=40):
    """A range test that turns."""
    random = np.random.default_rng(0)
    lr = np.linspace(0.02, end, points)
    loss = 0.4 + 1.9 * np.exp(-lr / 0.08) + random.normal(0, 0.005, points) + np.maximum(0, lr - blows_up) ** 2 * 60
    return {"iteration": np.arange(1, points + 1) * 10, "lr": lr, "val_loss": loss}


def training(to, points=30, seed=0):
    random = np.random.default_rng(seed)
    step = np.arange(1, points + 1)
    return {"epoch": step.tolist(), "val_loss": (to + 2 * np.exp(-step / 4) + random.normal(0, 0.004, points)).tolist()}


def test_a_dict_of_arrays_and_a_file_of_it_read_the_same(tmp_path):
    columns = ramp()
    (tmp_path / "ramp.json").write_text(json.dumps({name: values.tolist() for name, values in columns.items()}))
    from_dict, from_file = hpcheck.read(columns), hpcheck.read(tmp_path / "ramp.json")
    assert from_dict.settings == from_file.settings
    assert 0.4 < from_dict.settings["max_lr"] < 0.8
    assert from_dict.evidence["curves"][0]["clues"] == from_file.evidence["curves"][0]["clues"]


def test_a_data_frame_and_rows_read_as_the_dict_does():
    columns = ramp()
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    assert hpcheck.read(Frame(columns)).settings == hpcheck.read(rows).settings == hpcheck.read(columns).settings


def test_nan_in_a_data_frame_is_a_gap_before_a_number_and_a_divergence_at_the_end():
    (_, (gaps,)) = tables(Frame({"loss": [1.0, math.nan, 2.0, math.nan]}))
    assert [row.cells["loss"] for row in gaps.rows] == [1.0, None, 2.0, None]
    (_, (lost,)) = tables(Frame({"loss": [1.0, 2.0, math.nan, math.nan]}))
    assert [row.cells["loss"] for row in lost.rows][:2] == [1.0, 2.0]
    assert all(math.isnan(row.cells["loss"]) for row in lost.rows[2:])
    (_, (never,)) = tables(Frame({"loss": [math.nan, math.nan]}))
    assert [row.cells["loss"] for row in never.rows] == [None, None]


def test_two_dicts_are_compared_and_the_better_one_is_named():
    found = hpcheck.read(training(0.3), training(0.9, seed=1))
    assert "best: dict 1" in found.verdict
    assert found.evidence["comparison"]["best"] == ("dict 1",)
    assert not found.abstained


def test_the_best_value_of_what_varies_is_a_setting():
    curves = [{**training(to, seed=seed), "weight_decay": [decay] * 30} for seed, (to, decay) in enumerate([(0.3, 1e-3), (0.9, 1e-5)])]
    assert hpcheck.read(*curves).settings == {"weight_decay": 1e-3}


def test_a_reading_prints_and_shows_itself_with_names_from_files_escaped():
    found = hpcheck.read({"epoch": training(0.3)["epoch"], "<b>val_loss": training(0.3)["val_loss"]}, val_loss="<b>val_loss")
    assert "30 evaluations" in str(found)
    assert "<b>" not in found._repr_html_()
    assert found.plot()._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no curve 'other'; there are dict"):
        found.plot("other")


def test_columns_can_be_named_and_a_wrong_name_is_a_config_error():
    columns = {"i": list(range(1, 31)), "strange": training(0.3)["val_loss"]}
    assert hpcheck.read(columns, step="i", val_loss="strange").evidence["curves"][0]["columns"]["val_loss"] == "strange"
    with pytest.raises(ConfigError, match="nothing_such"):
        hpcheck.read(columns, val_loss="nothing_such")


def test_every_curve_that_cannot_be_read_is_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as wrong:
        hpcheck.read(tmp_path / "one.csv", tmp_path / "two.csv")
    assert "one.csv" in str(wrong.value)
    assert "two.csv" in str(wrong.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "from int: give a path"),
        ({"val_loss": "low"}, "without columns of numbers"),
        ([], "from list"),
        ([1.0, 2.0], "from list"),
    ],
)
def test_what_is_no_curve_is_refused_in_words(given, words):
    with pytest.raises(InputError, match=words):
        hpcheck.read(given)


def test_no_curve_and_no_such_format_are_refused():
    with pytest.raises(InputError, match="no curve was given"):
        hpcheck.read()
    with pytest.raises(InputError, match="no format 'xls'; there are tensorboard"):
        hpcheck.read("a.xls", format="xls")
