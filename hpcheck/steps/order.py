"""The checklist: its steps in order, and the settings that each starts from."""

from collections.abc import Iterator
from dataclasses import replace

from hpcheck.steps import batch, confirm, lr_in_full, lr_range, momentum, share_of_search, train, weight_decay
from hpcheck.steps.confirm_plan import trainings_of
from hpcheck.steps.reading import Evidence, Reading, Settings
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Decide, Facts, Lookup, Missing, replay

REPROBE = "lr-reprobe"  # reads the lr again once the other steps have moved it (Smith 2018, 4.1)
CONFIRM = "confirm"
LR_STEPS = frozenset({"lr-range", lr_in_full.STEP})
# Each step uses what the ones before it recommended.
STEPS: dict[str, Decide] = {
    "lr-range": lr_range.decide,
    lr_in_full.STEP: lr_in_full.decide,
    "batch": batch.decide,
    "momentum": momentum.decide,
    "wd-grid": weight_decay.decide,
    REPROBE: lr_range.reprobe,
    CONFIRM: confirm.decide,
    "train": train.decide,
}


FEWEST_VALIDATION = 100  # ours: with fewer, the standard error of an accuracy of 0.9 is beyond three points
FEWEST_TO_COMPARE = 10  # ours: with fewer, one example more or less is over ten points, and nothing is claimed


def steps_of_run(asked: Asked) -> tuple[str, ...]:
    """The steps of `run`, in order. Full trainings take the place of the short runs at other weight decays and of the second look at the
    lr, where the config has any; of the range test too, where a training is short."""
    left_out = {"wd-grid", REPROBE} if trainings_of(asked) else {CONFIRM, lr_in_full.STEP}
    if lr_in_full.is_short(asked):
        left_out.add("lr-range")
    return tuple(step for step in STEPS if step not in left_out)


def cautious(reading: Reading, facts: Facts) -> Reading:
    """The reading, with no more than low confidence where there are few validation examples: other seeds show the chance of a training, and
    nothing shows that of the examples it is measured on. Runs that no seed repeats lower it by a level."""
    reading = reading if facts.seeded else unpaired(reading)
    if facts.val_examples < FEWEST_TO_COMPARE and reading.evidence:
        why = f"only {facts.val_examples} validation examples: nothing can be told from them"
        nothing = tuple(replace(item, status="abstained", confidence="none", reason=why) for item in reading.evidence)
        return replace(reading, evidence=nothing, remarks=(*reading.remarks, why))
    if facts.val_examples >= FEWEST_VALIDATION or not reading.evidence or reading.step == CONFIRM:
        return reading  # the full trainings count the chance of their examples
    weaker = tuple(item if item.confidence == "none" else replace(item, confidence="low") for item in reading.evidence)
    words = f"only {facts.val_examples} validation examples: their own chance is in no interval here, so confidence is low throughout"
    return replace(reading, evidence=weaker, remarks=(*reading.remarks, words))


LOWER = {"high": "medium", "medium": "low"}
UNPAIRED = 2**0.5  # an unpaired difference of two runs varies so many times as much as one of them: intervals widen by it


def unpaired(reading: Reading) -> Reading:
    """The reading of runs whose differences are not paired by a seed: intervals about their value are wider, and confidence is lower."""
    return replace(reading, evidence=tuple(map(_unpaired, reading.evidence)))


def _unpaired(item: Evidence) -> Evidence:
    wider = item.interval
    if wider is not None and isinstance(item.value, float) and min(*wider, item.value) > 0:
        wider = tuple(item.value * (end / item.value) ** UNPAIRED for end in wider)
    return replace(item, interval=wider, confidence=LOWER.get(item.confidence, item.confidence))


class Replays:
    """The steps of one question replayed on the records there are. What is complete is kept: a finished run's record never changes."""

    def __init__(self, asked: Asked, lookup: Lookup) -> None:
        self.asked = asked
        self.lookup = lookup
        self._complete: dict[tuple[Decide, Settings], Reading] = {}

    def outcome(self, decide: Decide, settings: Settings) -> Missing | Reading:
        """How far the records carry a step from these settings."""
        complete = self._complete.get((decide, settings))
        if complete is not None:
            return complete
        outcome = replay(decide, self.asked, settings, self.lookup)
        if isinstance(outcome, Reading):
            outcome = cautious(outcome, self.asked.facts)
            self._complete[decide, settings] = outcome
        return outcome

    def readings(self, before: str | None = None) -> Iterator[Reading]:
        """The readings of the steps ahead of `before` (of all steps: None) whose records are complete, in order, each from the settings
        that those ahead of it recommended. A step that was never run is passed over, save where the config alone answers it."""
        for _, outcome, says_something in self._ahead_of(before):
            if isinstance(outcome, Reading) and says_something:
                yield outcome

    def unfinished_before(self, step: str) -> Iterator[str]:
        """The steps ahead of `step` that were begun and not finished: `step` goes on without what they would say."""
        ahead = list(self._ahead_of(step))
        lr_in_full_spoke = any(name == lr_in_full.STEP and says_something for name, _, says_something in ahead)
        for name, outcome, _ in ahead:
            if name == "lr-range" and (lr_in_full_spoke or step == lr_in_full.STEP):
                continue  # they share their sweep
            if isinstance(outcome, Missing) and outcome.done:
                yield name

    def _ahead_of(self, step: str | None) -> Iterator[tuple[str, Missing | Reading, bool]]:
        """Each step ahead of `step`, how far its records carry it from the settings that the readings ahead of it recommended, and whether
        it has a say: a reading of runs, or of settings that the config gives without any (`momentum.values: [0.9]`). The re-probe is
        among them where it is due."""
        settings = start_settings(self.asked.config)
        lr_was_read, range_was_read, used = False, False, 0
        for name, decide in STEPS.items():
            if name == step:
                return
            if name == CONFIRM and not trainings_of(self.asked):
                continue
            if name == lr_in_full.STEP and not self._needs_full_trainings(settings, range_was_read):
                continue
            if name == REPROBE and not (lr_was_read and self._moved(settings)):
                continue
            begun_from = self._with_users_lr(settings, name)
            outcome = self.outcome(decide, begun_from)
            says_something = isinstance(outcome, Reading) and (bool(outcome.runs) or outcome.settings != begun_from)
            if lr_was_read and isinstance(outcome, Missing) and (why := self._left_out(name, begun_from, used, outcome)) is not None:
                outcome = Reading(name, begun_from, (), remarks=(why,), runs=outcome.made, examples=outcome.examples)
                says_something = True
            yield name, outcome, says_something
            used += outcome.examples if isinstance(outcome, Reading) and says_something else 0
            range_was_read = range_was_read or (name == "lr-range" and says_something)
            lr_was_read = lr_was_read or (name in LR_STEPS and says_something and self.asked.config.lr_range.cycles)
            if isinstance(outcome, Reading) and says_something:
                settings = outcome.settings

    def _needs_full_trainings(self, settings: Settings, range_was_read: bool) -> bool:
        """Whether the lr is to be found by full trainings: none was found, and a training is short, or short runs could not be read."""
        if settings.found is not None or not trainings_of(self.asked) or not self.asked.config.lr_range.cycles:
            return False
        return range_was_read or lr_in_full.is_short(self.asked)

    def _left_out(self, step: str, settings: Settings, used: int, missing: Missing) -> str | None:
        """Why `run` leaves a look out that was not made, or not to its end: the share of the search is used up."""
        if step not in share_of_search.LOOKS or settings.max_lr is None:
            return None
        timing = self.lookup(batch.measurement(self.asked, settings)) if step == "batch" else None
        return share_of_search.left_out(self.asked, step, settings, used, timing, missing)

    def left_out(self, step: str) -> Reading | None:
        """The reading of a look that `run` leaves out; None where it is made, or was."""
        readings = (one for one in self.readings() if one.step == step and step in share_of_search.LOOKS)
        return next((one for one in readings if not one.evidence and not one.undone), None)

    def settings_before(self, step: str) -> Settings:
        """What is known when `step` begins: the start, as changed by the readings ahead of it; the user's own lr where none was read."""
        settings = start_settings(self.asked.config)
        for reading in self.readings(before=step):
            settings = reading.settings
        return self._with_users_lr(settings, step)

    def _with_users_lr(self, settings: Settings, step: str) -> Settings:
        start_lr = self.asked.config.start.max_lr
        if settings.max_lr is not None or start_lr is None or step in LR_STEPS:
            return settings
        return lr_range.with_lr(self.asked, settings, start_lr)

    def is_due(self, step: str) -> bool:
        """Whether the checklist has this step now: the re-probe only where the lr was read and may have moved since, the others always."""
        if step == lr_in_full.STEP:
            return any(name == step for name, _, _ in self._ahead_of("batch"))
        if step != REPROBE:
            return True
        ahead = list(self._ahead_of("train"))
        confirmed = any(name == CONFIRM and says_something for name, _, says_something in ahead)
        return not confirmed and any(name == REPROBE for name, _, _ in ahead)

    def _moved(self, now: Settings) -> bool:
        """Whether batch size, momentum or weight decay are others than those that the lr was read with."""
        return replace(now, max_lr=None, min_lr=None, found=None) != start_settings(self.asked.config)
