"""Files, overrides and texts that are no config: one clear error each, and never another exception."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcheck.config import ConfigError, load
from tests.support.config_cases import LEAST, few_plugins, lines_said_about, problems


@pytest.fixture(scope="module", autouse=True)
def _shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with few_plugins(tmp_path_factory.mktemp("package")):
        yield


BAD_OVERRIDES = [
    ("batch.sizes=[64, 64]", "error: -s batch.sizes: 64 is repeated (got [64, 64]; expected each value once)"),
    ("batch.sizes=[64", "error: -s batch.sizes: not YAML: expected ',' or ']', but got '<stream end>' (got '[64')"),
    ("batch", "error: -s 'batch': not an override (expected key=value, as in batch.sizes=[64, 128])"),
    ("=3", "error: -s '=3': not an override (expected key=value, as in batch.sizes=[64, 128])"),
    ("a..b=3", "error: -s 'a..b=3': not an override (expected key=value, as in batch.sizes=[64, 128])"),
    ("seed.x=3", "error: -s seed.x: seed holds no keys (got 0)"),
    ("start={max_lr: -1}", "error: -s start: start.max_lr: out of range (got -1; expected a number > 0 or null)"),
    ("run.dir=a: b", "error: -s run.dir: not text (got {a: 'b'}; expected text)"),
    (
        "model.widht=3",
        "error: -s model.widht: unknown key; did you mean 'width'? (expected one of name, reads, width, dropout, hidden, kind, extra)",
    ),
    ("seed=!!int 3", "error: -s seed: tags are not read here: 'tag:yaml.org,2002:int'; write the plain value (got '!!int 3')"),
]


@pytest.mark.parametrize(("override", "line"), BAD_OVERRIDES)
def test_bad_override_is_named_instead_of_the_file(override: str, line: str) -> None:
    assert problems(f"{LEAST}seed: 0", override) == [line]


def test_override_of_an_unknown_section_names_the_override() -> None:
    (line,) = problems(LEAST, "bacth.sizes=[1]")
    assert line.startswith("error: -s bacth.sizes: bacth: unknown key; did you mean 'batch'?")


UNREADABLE = [
    (b"data: \xff\xfe\n", ":1: not UTF-8 (expected YAML text in UTF-8)"),
    (b"a: 1\nb: \xe9\n", ":2: not UTF-8 (expected YAML text in UTF-8)"),
    (b"\x7fELF\0\0", ": a binary file (expected YAML text in UTF-8)"),
    ("data: x".encode("utf-16"), ": a binary file (expected YAML text in UTF-8)"),
    (b"#" * (1 << 20) + b"\n", ": larger than 1 MiB (expected a config file)"),
    (b"", ": is empty (expected at least the keys data and model, or task, or script)"),
]


@pytest.mark.parametrize(("content", "words"), UNREADABLE)
def test_file_that_is_no_text_is_one_clear_error(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"error: {path}{words}"


def test_missing_file_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file .*`hpcheck init` writes one"):
        load(tmp_path / "c.yaml")


@pytest.mark.parametrize("path", [Path("/"), Path("a\0b"), Path("x" * 5000), Path("/dev/null/c.yaml")])
def test_path_that_no_file_can_have_is_one_clear_error(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.problems) == 1
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(LEAST)
    path.chmod(stat.S_IWUSR)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(path)


FULL = """data: {name: net, val_fraction: 0.1}
model:
  name: net
  hidden: [3, 4]
start: {momentum: {max: 0.95, min: 0.85}, weight_decay: 1e-4}
batch:
  sizes: [64, 128]
"""


def mutated(text: str, position: int, length: int, insertion: str) -> str:
    position %= len(text)
    return text[:position] + insertion + text[position + length :]


BROKEN = st.builds(
    mutated,
    st.just(FULL),
    st.integers(0, 1000),
    st.integers(0, 12),
    st.sampled_from(
        ["", ":", "[", "}", "- ", "\n", " ", "\t", "null", ".nan", "1e999", "&a ", "*a", "!", "true", "-1", "{}", "name", "\0", "9" * 400]
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60) | BROKEN,
    st.lists(st.text(max_size=20) | st.sampled_from(["data.name.x=1", "start=[1]", "batch.sizes.0=1"]), max_size=2),
)
def test_any_text_and_overrides_give_a_config_or_a_config_error(text: str, overrides: list[str]) -> None:
    assert all(line.startswith("error: ") and line.isprintable() for line in lines_said_about(text, overrides))
