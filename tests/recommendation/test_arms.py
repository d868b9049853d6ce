"""Which trainings the last words show."""

from hpcheck.recommendation import wording

YOURS = {"runs": ["a"], "diverged": 0, "val": {"metric": 0.9, "each": [0.9], "examples": 100}}
OURS = {"runs": ["b"], "diverged": 0, "val": {"metric": 0.95, "each": [0.95], "examples": 100}}


def test_one_training_is_not_shown_as_two() -> None:
    kept = {"results": {"confirm": {"recommended": YOURS, "start": YOURS}}}
    assert list(wording.arms_of(kept)) == ["start"]


def test_trainings_of_other_settings_are_shown_beside_yours() -> None:
    led = {"results": {"confirm": {"recommended": OURS, "start": YOURS}}}
    assert list(wording.arms_of(led)) == ["recommended", "start"]
