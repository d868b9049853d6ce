"""Console logs of many lines: what is passed over for speed is what the patterns would pass over, and time grows with the text."""

import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hpcheck.curves.formats import console, dialects
from hpcheck.curves.formats.printed_table import APART
from hpcheck.curves.names import in_english

PIECES = st.sampled_from(
    [
        *(
            "# ",
            "> ",
            "    ",
            "\t",
            " ",
            "  ",
            "loss",
            "损失",
            "val",
            "Train: 3 [",
            "epoch",
            "Epoch",
            "step",
            "ITER",
            "update",
            "it",
            "dev",
        ),
        *("12/938", "[10]", "(next mAP", "s:3 tel:", "7: learn: ", "0.25", "nan", ": ", "=", ", ", "'", "-", "1e-3", "train-rmse:0.5"),
    ]
)
LINES = st.lists(PIECES, max_size=12).map("".join)


@given(LINES)
def test_what_is_passed_over_by_a_first_look_has_no_match(line: str) -> None:
    assert console._plain(line) == in_english(console.QUOTED.sub("", console.SPACES.sub("   ", line)))
    lower = line.lower()
    assert console.SPLIT.search(line) is None or any(one in lower for one in console.SPLIT_WORDS)
    assert console.IN_STEP.search(line) is None or any(one in lower for one in console.STEP_WORDS)
    assert console.IN_EPOCH.search(line) is None or "epoch" in lower
    assert console.BATCH.search(line) is None or "/" in line
    matched = any(pattern.fullmatch(line.strip()) for pattern in dialects.MEANINGS)
    assert matched or dialects.parsed(line) is None
    assert not matched or line.strip()[0] in dialects.BEGINNINGS
    assert len(APART.split(line.strip())) == 1 or "  " in line or "\t" in line


def test_time_grows_with_the_text_and_not_with_its_square(tmp_path: Path) -> None:
    """A word of 10,000 letters was once looked at from each of its letters on, for seconds a line."""
    log = tmp_path / "train.log"
    log.write_text("epoch 1 loss: 0.5\nepoch 2 loss: 0.25\n" + f"{'a' * (console.LONGEST - 2)}\n" * 100)
    before = time.process_time()
    (table,) = console.read(log)
    assert time.process_time() - before < 5
    assert [row.cells for row in table.rows] == [{"epoch": 1.0, "loss": "0.5"}, {"epoch": 2.0, "loss": "0.25"}]
