"""What recommended.yaml says of a setting that more than one step read."""

import math
from dataclasses import dataclass, field, replace

from hpcheck.recommendation.cost import cost
from hpcheck.recommendation.recommended import as_trained, changes_of_mind, content, evidence_block, settings_block
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.records import RunRecord
from hpcheck.steps.reading import Evidence, Reading, Settings
from hpcheck.steps.train import final_run
from tests.support.simulated import World, asked

FIRST = Evidence("learning_rate", 0.1, "tied", "medium", "0.1 is taken", "section 4.1")
KNOWN = Settings(100, 0.5, 0.05, 0.95, 0.85, 1e-4, 10.0)


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


def test_a_1cycle_ends_a_thousandth_below_its_smallest_lr() -> None:
    block = settings_block(asked(), [Reading("lr-range", KNOWN, ())])["learning_rate"]
    assert (block["policy"], block["max"], block["min"], block["final"], block["epochs"]) == ("1cycle", 0.5, 0.05, 5e-5, 10.0)


@dataclass
class Runs:
    """The records of a run directory."""

    found: dict[str, RunRecord] = field(default_factory=dict)
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    def by_id(self, run: str) -> RunRecord | None:
        return self.found.get(run)


def test_the_last_word_on_a_setting_counts_and_the_search_is_paid_for_apart_from_the_training() -> None:
    question, world = asked(), World()
    searched, trained = (
        world.trained(replace(final_run(question, KNOWN, label), label=label, seed=seed)) for seed, label in ((0, "a"), (1, "b"))
    )
    again = replace(FIRST, value=0.05, reason="0.05 is better now")
    readings = [
        Reading("lr-range", KNOWN, (FIRST,), runs=(searched.run_id,)),
        Reading("lr-reprobe", KNOWN, (again,), runs=(searched.run_id,)),
        Reading("train", KNOWN, (), runs=(trained.run_id,)),
    ]
    said = content(Runs({one.run_id: one for one in (searched, trained)}), question, readings)  # type: ignore[arg-type]
    assert said["evidence"]["learning_rate"]["value"] == 0.05
    assert {part: cost["runs"] for part, cost in said["provenance"]["cost"].items()} == {"search": 1, "training": 1}


def test_a_cost_is_counted_in_trainings_at_the_batch_size_and_the_epochs_that_the_user_gave() -> None:
    question, world = asked("start.total_batch_size=100"), World()  # 10 epochs of 10,000 examples
    longer = replace(KNOWN, total_batch_size=400, epochs=25.0)
    spent = cost([world.trained(final_run(question, longer, "recommended"))], question)
    assert spent["iterations"] == 625
    assert spent["trainings"] == 2.5


def test_what_was_considered_has_names_and_is_on_the_scale_that_it_was_judged_on() -> None:
    lines = (("falling", -0.97, 0.01), ("constant", math.inf, 0.0))
    item = replace(FIRST, setting="momentum_shape", value="falling", tied=("falling", "rising"), considered=lines, judged_by="accuracy")
    block = evidence_block(item)
    assert block["tied"] == ["falling", "rising"]
    assert block["considered"][0] == {"value": "falling", "score": 0.97, "error": 0.01}
    assert block["considered"][1]["score"] == "diverged"
    assert evidence_block(replace(item, higher_is_better=False))["considered"][0]["score"] == -0.97
