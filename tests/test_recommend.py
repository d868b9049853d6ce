"""What recommended.yaml says of a setting that more than one step read."""

from dataclasses import replace

from simulated import asked

from hpcheck.recommend import as_trained, changes_of_mind, evidence_block
from hpcheck.settings import Evidence

FIRST = Evidence("learning_rate", 0.1, "tied", "medium", "0.1 is taken", "section 4.1")


def test_an_earlier_reading_is_kept_beside_the_one_that_counts() -> None:
    again = replace(FIRST, value=0.05, reason="0.05 is better now")
    decay = replace(FIRST, setting="weight_decay", value=1e-3)
    found = [("lr-range", FIRST), ("wd-grid", decay), ("lr-reprobe", again)]
    assert changes_of_mind(again, found) == {"earlier": [{"step": "lr-range", "value": 0.1, "reason": "0.1 is taken"}]}


def test_what_was_read_once_has_nothing_earlier() -> None:
    assert changes_of_mind(FIRST, [("lr-range", FIRST)]) == {}


def test_the_evidence_for_the_momentum_is_for_the_shape_that_is_trained() -> None:
    item = Evidence("momentum", {"max": 0.9, "min": 0.85}, "chosen", "high", "0.9 is best", "section 4.3")
    assert as_trained(item, asked()) == item
    assert as_trained(item, asked("train.momentum=constant")).value == {"max": 0.9, "min": 0.9}
    assert as_trained(item, asked("train.momentum=rising")).value == {"max": 0.9, "min": 0.85, "shape": "rising"}


def test_an_abstention_says_what_is_kept_beside_the_papers_section() -> None:
    item = replace(FIRST, status="abstained")
    assert evidence_block(item)["source"] == "start (abstained); section 4.1"
    assert evidence_block(replace(item, kept="the lr known before"))["source"] == "the lr known before (abstained); section 4.1"
    assert evidence_block(FIRST)["source"] == "section 4.1"
    assert "kept" not in evidence_block(item)
