"""2,000 configs that nobody would write: `hpcheck validate` says ok or what is wrong, and never anything else."""

import random
from pathlib import Path

import pytest

from hpcheck.__main__ import run

GOOD = """name: quick
data: {name: digits, val_fraction: 0.25, limit: 500}
model:
  name: mlp
  hidden: [64, 64]
  dropout: 0.1
optimizer: {name: sgd, nesterov: true}
budget: {epochs: 30, short_steps: 100, evals: 20}
start: {total_batch_size: 32, max_lr: 1e-1, momentum: {max: 0.95, min: 0.85}, weight_decay: 1e-4}
lr_range: {min: 1e-3, max: 1, momentum: falling}
batch: {sizes: [32, 64], max_size: 128}
momentum: {values: [0.9, 0.95], cyclical: true}
wd_grid: {values: [1e-3, 0], mode: range}
train: {repeats: 4, compare: [start]}
run: {dir: runs, device: cpu, jobs: 2}
seed: 3
"""
SIGNS = (
    "",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "\n",
    "\n  ",
    "\t",
    "#",
    "'",
    '"',
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "|",
    ">",
    "---\n",
    "...\n",
)
SCALARS = (
    "null",
    "~",
    "true",
    "no",
    "0",
    "-1",
    "1e999",
    ".nan",
    "-.inf",
    "0x10",
    "0o7",
    "010",
    "12:30",
    "1_000",
    "9" * 5000,
    "1e-4",
    "+.5",
)
WORDS = ("data", "model", "name", "<<", "<<: *a", "os:system", "a.b:c", "../up", "__class__", "%YAML 1.1\n", "2026-01-01", "é", "数据")
CHARACTERS = ("\ufeff", "\u2028", "\x85", "\x00", "\x1b[31m", "\ud7ff", "\U0001f600")
PIECES = SIGNS + SCALARS + WORDS + CHARACTERS


def mutated(draw: random.Random) -> bytes:
    """The good config with one to eight places changed: something put in, cut out, doubled or moved; now and then broken bytes."""
    text = GOOD
    for _ in range(draw.randint(1, 8)):
        at, length = draw.randrange(len(text) + 1), draw.choice((0, 0, 1, 3, 10, 60))
        match draw.randrange(4):
            case 0:
                text = text[:at] + draw.choice(PIECES) + text[at + length :]
            case 1:
                text = text[:at] + text[at : at + length] + text[at:]
            case 2:
                lines = text.splitlines(keepends=True)
                draw.shuffle(lines)
                text = "".join(lines)
            case _:
                text = text[:at] + text[at + length :]
    content = text.encode("utf-8", errors="surrogatepass")
    if draw.random() < 0.05:
        at = draw.randrange(len(content) + 1)
        content = content[:at] + bytes(draw.randrange(256) for _ in range(3)) + content[at:]
    return content


def override(draw: random.Random) -> str:
    keys = ("seed", "batch.sizes", "data", "data.name", "model.hidden.x", "start.momentum.max", "", "..", "name", "a" * 300, "\x1b")
    return draw.choice(keys) + draw.choice(("=", "", "==")) + draw.choice(PIECES)


def test_2000_fuzzed_configs_exit_0_1_or_2_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    draw, codes = random.Random(7), []
    for _ in range(2000):
        Path("c.yaml").write_bytes(mutated(draw))
        overrides = [part for _ in range(draw.choice((0, 0, 0, 1, 2))) for part in ("-s", override(draw))]
        codes.append(run(["validate", "c.yaml", *overrides]))
        err = capsys.readouterr().err
        assert codes[-1] in (0, 1, 2)
        assert "Traceback" not in err
        assert err.replace("\n", "").isprintable() or not err
        assert all(line.startswith("error: ") for line in err.splitlines())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.yaml"]
    assert set(codes) == {0, 2}  # both happen, else nothing was tested
