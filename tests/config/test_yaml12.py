"""YAML by version 1.2's rules: what scalars are, which documents are refused and on which line, and that writing reads back."""

import math
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcheck.config.yaml12 import MAX_DEPTH, YamlError, read, write

SCALARS = {
    "1e-4": 1e-4,
    "1e+3": 1000.0,
    "1E3": 1000.0,
    ".5": 0.5,
    "-.5e1": -5.0,
    "1.": 1.0,
    "+1.5": 1.5,
    "010": 10,
    "-0": 0,
    "0o17": 15,
    "0xFF": 255,
    "0b11": "0b11",
    "1_000": "1_000",
    "12:30": "12:30",
    "190:20:30.15": "190:20:30.15",
    "2020-01-01": "2020-01-01",
    "yes": "yes",
    "no": "no",
    "on": "on",
    "off": "off",
    "y": "y",
    "=": "=",
    "true": True,
    "False": False,
    "TRUE": True,
    "tRUE": "tRUE",
    "null": None,
    "~": None,
    "": None,
    "nil": "nil",
    "'1e-4'": "1e-4",
    '"true"': "true",
    "'~'": "~",
    "1e999": math.inf,
    ".inf": math.inf,
    "-.INF": -math.inf,
    "inf": "inf",
    "nan": "nan",
    "e5": "e5",
    ".": ".",
    "1e": "1e",
    "0o8": "0o8",
    "pkg.module:function": "pkg.module:function",
}


@pytest.mark.parametrize(("written", "value"), SCALARS.items())
def test_scalars_follow_the_core_schema(written: str, value: object) -> None:
    found = read(f"key: {written}").value["key"]
    assert (type(found), found) == (type(value), value)


def test_nan_is_read_as_nan() -> None:
    assert math.isnan(read(".nan").value)


def test_merge_key_is_an_ordinary_key() -> None:
    assert read("<<: {a: 1}").value == {"<<": {"a": 1}}


def test_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    assert read("\ufeffa: 1\r\nb:\r\n  - 2\r\n").value == {"a": 1, "b": [2]}


def test_every_key_and_item_has_its_line() -> None:
    document = read("# note\na: 1\nb:\n  c: [1,\n      2]\n  d:\n  - 3\n")
    assert document.lines == {
        (): 2,
        ("a",): 2,
        ("b",): 3,
        ("b", "c"): 4,
        ("b", "c", 0): 4,
        ("b", "c", 1): 5,
        ("b", "d"): 6,
        ("b", "d", 0): 7,
    }


def test_alias_repeats_a_value_without_sharing_it() -> None:
    value = read("a: &x [1]\nb: *x").value
    value["a"].append(2)
    assert value["b"] == [1]


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{later}: &{later} [{','.join([f'*{earlier}'] * 9)}]\n" for earlier, later in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {
    "a: 1\nb: 2\na: 3": (3, "the key 'a' is given twice (first on line 1)"),
    "x:\n  a: 1\n  'a': 2": (3, "given twice"),
    "a: 1\n---\nb: 2": (2, "more than one YAML document"),
    "a:\n\tb: 1": (2, "a tab"),
    "a: !!str 1": (1, "tags are not read"),
    "a: 1\nb: !!python/object/apply:os.system [ls]": (2, "tags are not read"),
    "a: !x {b: 1}": (1, "tags are not read"),
    "&a [*a]": (1, "aliases"),
    "a: &x {b: *x}": (1, "aliases"),
    BOMB: (1, "aliases"),
    "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1): (1, "nested more than 100"),
    "[" * 50_000: (1, "nested more than 100"),
    "- " * 5_000: (1, "nested more than 100"),
    "1: a": (1, "not text"),
    "null: a": (1, "not text"),
    "? [a]\n: b": (1, "not text"),
    "a: [1": (1, "not YAML"),
    "a: *nowhere": (1, "undefined alias"),
    "a: 'x": (1, "not YAML"),
    "a: b: c": (1, "not YAML"),
    "a: 1\n\n\x07": (3, "does not allow: '\\x07'"),
    'a: "\\ud800"': (1, "surrogate"),
    'a: "\\UFFFFFFFF"': (None, "not YAML"),
    "a: " + "9" * 5_000: (1, "more than 1000 digits"),
    "%YAML 2.0\n---\na: 1": (1, "incompatible"),
}


@pytest.mark.parametrize(("text", "line", "words"), [(text, *why) for text, why in REFUSED.items()])
def test_what_is_not_one_plain_document_is_refused_with_its_line(text: str, line: int | None, words: str) -> None:
    with pytest.raises(YamlError, match=re.escape(words)) as caught:
        read(text)
    assert caught.value.line == line


def test_text_that_either_version_would_misread_is_quoted() -> None:
    assert write({"a": ["no", "1e-4", "12:30", "010", "~", "x"]}) == "a: ['no', '1e-4', '12:30', '010', '~', x]\n"


def test_mappings_are_written_in_blocks_and_shared_lists_without_anchors() -> None:
    shared = [0.9, 1e-05]
    assert write({"a": {"b": shared}, "c": shared}) == "a:\n  b: [0.9, 1.0e-05]\nc: [0.9, 1.0e-05]\n"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from([key for key in SCALARS if key])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(VALUES)
@example("\x85")
@example("a\u2028 \n\ufeff")
def test_what_is_written_reads_back(value: object) -> None:
    assert read(write(value)).value == value


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("-?:,[]{}#&*!|>'\"%@`~ \n\tab01.e", max_size=40))
def test_any_text_reads_or_is_refused_in_one_line(text: str) -> None:
    refusal = ""
    try:
        read(text)
    except YamlError as error:
        refusal = error.problem
    assert refusal.isprintable()
