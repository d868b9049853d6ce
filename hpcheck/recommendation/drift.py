"""Two recommendations side by side: which settings have drifted and what else has changed. Pure functions of plain values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hpcheck.config.problems import ConfigError, Problem, shown
from hpcheck.config.recommended import rises
from hpcheck.text import epochs

CLOSE = 0.05  # ours: values within 5% are one value (two significant figures are what the checklist writes)
# Ours: nearer values than these are no drift whatever the intervals, since the checklist tries lrs by factors of 2, weight decays by half
# decades and momenta by halves of 1 - m: one step of its own grids is its resolution. Batch sizes are compared exactly, save for those
# between tied ones, and on another machine: sizes are compared at equal time, and its step times are others.
RESOLUTION = {"learning_rate": 2.5, "weight_decay": 2.5, "momentum": 1.9}
OTHER_MACHINE = 2.0  # ours: ... there one doubling apart is no drift, since the sizes that are tried lie a doubling apart
MACHINE = ("device", "device_name", "threads")  # of `provenance.environment`
SETTINGS = ("total_batch_size", "learning_rate", "momentum", "weight_decay")
PLACES = {"learning_rate": ("learning_rate", "max"), "momentum": ("momentum", "max")}  # in `settings`, where it is not the name itself
SHAPED = 0.1  # ours: the shape of a cycle is the config's, but for the rounding of the smallest lr to two figures
BY_RUNS = 3.5  # ours: a smallest lr that runs found (`min_lr_rule: runs`) is one of three that lie a factor of 3 apart
MEASURED = 2.5  # ours: a training's length in epochs follows from measured step times where the batch size isn't the start's; 1.8 was seen
NAMED_WHEN_CHANGED = ("config", "data", "seed", "hpcheck")  # of `provenance`; the environment's own keys come after them
SHAPES_OF_BEFORE = {1.0: "falling", 2.0: "constant", 3.0: "rising"}  # a recommended.yaml of before has numbers for the momentum's shapes

Content = Mapping[str, Any]  # of a recommended.yaml


@dataclass(frozen=True)
class Stated:
    """One setting as one recommendation has it: its value, and the evidence where that is for this very value."""

    value: float | None
    low: float | None = None
    high: float | None = None
    tied: tuple[float, ...] = ()
    abstained: bool = False
    edited_from: float | None = None  # the value that the evidence is for, where that is another


@dataclass(frozen=True)
class Verdict:
    """`status` is "same", "drifted" or "not compared" (a reading abstained and the values differ)."""

    setting: str
    status: str
    old: Stated
    new: Stated
    why: str


def compare(old: Content, new: Content) -> list[Verdict]:
    """A verdict on each setting of `old`, the committed recommendation, against `new`, the regenerated one.

    A setting has drifted when each value lies outside the other's interval, neither is one that the other was tied with, and they are
    further apart than the checklist resolves; or when `old` states a value that its own evidence is not for (it was edited by hand).
    """
    elsewhere = _is_another_machine(old, new)
    verdicts = [judge(name, stated(old, name), stated(new, name), elsewhere) for name in SETTINGS]
    return [*verdicts, shape(old, new), cycle(old, new)]


def _is_another_machine(old: Content, new: Content) -> bool:
    """Whether both say where they were made, and it is not the same kind of machine."""
    before, now = (content.get("provenance", {}).get("environment", {}) for content in (old, new))
    return any(name in before and name in now and before[name] != now[name] for name in MACHINE)


def judge(setting: str, old: Stated, new: Stated, elsewhere: bool = False) -> Verdict:
    """The verdict on one setting; `elsewhere`: the new one was read on another machine."""
    if old.edited_from is not None:
        why = f"the baseline says {number(old.value)}, but its own evidence is for {number(old.edited_from)}: edited by hand"
        return Verdict(setting, "drifted", old, new, why)
    if old.value is None or new.value is None:
        same = old.value is new.value
        return Verdict(setting, "same" if same else "drifted", old, new, f"{number(old.value)} before, {number(new.value)} now")
    if close(old.value, new.value, setting):
        return Verdict(setting, "same", old, new, "the same value")
    if old.abstained or new.abstained:
        when = "in the baseline" if old.abstained else "this time"
        return Verdict(
            setting, "not compared", old, new, f"{number(old.value)} before, {number(new.value)} now; the reading abstained {when}"
        )
    if within(old.value, new.value, setting, RESOLUTION.get(setting, 1.0)):
        return Verdict(setting, "same", old, new, f"{number(old.value)} and {number(new.value)} are nearer than the checklist resolves")
    if holds(old, new.value, setting) or holds(new, old.value, setting):
        return Verdict(setting, "same", old, new, f"{number(old.value)} and {number(new.value)} cannot be told apart by the evidence")
    if setting == "total_batch_size" and elsewhere and max(old.value, new.value) <= OTHER_MACHINE * min(old.value, new.value):
        why = f"{number(old.value)} before, {number(new.value)} now: one doubling apart, and another machine takes other times for a step"
        return Verdict(setting, "same", old, new, why)
    return Verdict(setting, "drifted", old, new, f"{number(old.value)} before ({span(old)}), {number(new.value)} now ({span(new)})")


def shape(old: Content, new: Content) -> Verdict:
    """The verdict on the smallest momentum: whether it still falls over the cycle, or rises, and how far."""
    before, now = (_min_momentum(content) for content in (old, new))
    rose, rises_now = (rises(content["settings"].get("momentum") or {}) for content in (old, new))
    if rose != rises_now:
        return Verdict("momentum.shape", "drifted", before, now, "rising before, not now" if rose else "rising now, not before")
    if before.value is None or now.value is None or close(before.value, now.value, "momentum"):
        return Verdict("momentum.min", "same", before, now, "the same value")
    if before.edited_from is not None:
        why = f"the baseline says {number(before.value)}, but its own evidence is for {number(before.edited_from)}: edited by hand"
        return Verdict("momentum.min", "drifted", before, now, why)
    if all(_is_constant(content["settings"]["momentum"]) for content in (old, new)):
        return Verdict("momentum.min", "same", before, now, "constant in both: see momentum")
    found = [content["evidence"].get("momentum_shape", {}) for content in (old, new)]
    if any(stated(content, "momentum").abstained for content in (old, new)) or any(one.get("status") == "abstained" for one in found):
        why = f"{number(before.value)} before, {number(now.value)} now; a reading of momentum abstained"
        return Verdict("momentum.min", "not compared", before, now, why)
    if any({"falling", "constant"} <= {SHAPES_OF_BEFORE.get(name, name) for name in one.get("tied", ())} for one in found):
        return Verdict("momentum.min", "same", before, now, "falling and constant momentum cannot be told apart by the evidence")
    return Verdict("momentum.min", "drifted", before, now, f"{number(before.value)} before, {number(now.value)} now")


def cycle(old: Content, new: Content) -> Verdict:
    """The verdict on what the lr does over the training beside its largest value: the policy, how far it falls, the length and the cycle's
    share of it.

    Where the batch sizes differ lengths are not compared: they keep the time (Smith 2018, 4.2). Nor is the smallest lr where the largest is
    another: it may be the start's own, which goes with the start's.
    """
    before, now = (content["settings"].get("learning_rate") or {} for content in (old, new))
    policies = [lr.get("policy") for lr in (before, now)]
    why = []
    if None not in policies and policies[0] != policies[1]:
        why.append(f"policy {policies[0]} before, {policies[1]} now")
    by_runs = any("min_lr" in content["evidence"] for content in (old, new))
    largest = [_at(lr, ("max",)) for lr in (before, now)]
    same_max = largest[0] is not None and largest[1] is not None and close(largest[0], largest[1], "learning_rate")
    same_batch = old["settings"].get("total_batch_size") == new["settings"].get("total_batch_size")
    for said, top, bottom, factor in (
        (_depth, "max", "min", math.inf if not same_max else BY_RUNS if by_runs else 1 + SHAPED),
        (_length, "epochs", None, MEASURED if same_batch else math.inf),
        (_share, "cycle_epochs", "epochs", 1 + SHAPED),
    ):
        first, second = (_ratio(lr, top, bottom) for lr in (before, now))
        if first and second and not within(first, second, "learning_rate", factor):
            why.append(said(first, second))
    was, is_now = (Stated(_at(lr, ("epochs",))) for lr in (before, now))
    words = "; ".join(why) or "the same policy and length"
    return Verdict("learning_rate.cycle", "drifted" if why else "same", was, is_now, words)


def _depth(first: float, second: float) -> str:
    return f"the lr began {first:.2g} times below its largest value before, {second:.2g} times now"


def _length(first: float, second: float) -> str:
    return f"the training was {epochs(first)} long, and is {epochs(second)} long now"


def _share(first: float, second: float) -> str:
    return f"the cycle took {first:.0%} of the training before, {second:.0%} now"


def _ratio(values: Mapping[str, Any], top: str, bottom: str | None) -> float | None:
    """One number over another, or itself where there is no other; None where one of them is missing or not positive."""
    above, below = _at(values, (top,)), 1.0 if bottom is None else _at(values, (bottom,))
    return above / below if above and below and above > 0 and below > 0 else None


def stated(content: Content, setting: str) -> Stated:
    """A setting's value and evidence; evidence for another value (the file was edited by hand) is left out, and its value told."""
    value = _at(content["settings"], PLACES.get(setting, (setting,)))
    evidence = content["evidence"].get(setting)
    if evidence is None or value is None:
        return Stated(value, edited_from=_trained_with(content, setting, value))
    meant = evidence["value"]["max"] if isinstance(evidence["value"], Mapping) else evidence["value"]
    if meant is not None and not close(value, meant, setting):
        return Stated(value, edited_from=meant)
    tied, interval = (_numbers(evidence.get(key) or ()) for key in ("tied", "interval"))
    if setting == "total_batch_size":
        interval = (min(tied), max(tied)) if tied else ()
    low, high = interval or (None, None)  # any other number of ends is a ValueError
    return Stated(value, low, high, tied, evidence["status"] == "abstained")


def _trained_with(content: Content, setting: str, value: float | None) -> float | None:
    """The value that full trainings had of a setting that nothing was read for, where it is not the one that is stated; else None."""
    confirmed = (content.get("results") or {}).get("confirm") or {}
    names = {"learning_rate": "max_lr"}
    had = [one.get(names.get(setting, setting)) for one in confirmed.get("considered") or () if isinstance(one, Mapping)]
    values = _numbers([one[0] if isinstance(one, list | tuple) and one else one for one in had if one is not None])
    if value is None or not values or any(close(value, other, setting) for other in values):
        return None
    return values[0]


def holds(stated: Stated, value: float, setting: str) -> bool:
    """Whether `value` cannot be told from the stated one: inside its interval, or tied with it."""
    inside = stated.low is not None and stated.high is not None and stated.low <= value <= stated.high
    ends = [end for end in (stated.low, stated.high) if end is not None]
    return inside or any(close(value, other, setting) for other in (*stated.tied, *ends))


def close(first: float, second: float, setting: str) -> bool:
    """Whether two values are one: within 5%, of 1 - m for momentum; batch sizes exactly.

    >>> close(0.0032, 0.00316, "weight_decay"), close(0.99, 0.985, "momentum"), close(64, 65, "total_batch_size")
    (True, False, False)
    """
    return first == second or (setting != "total_batch_size" and within(first, second, setting, 1 + CLOSE))


def within(first: float, second: float, setting: str, factor: float) -> bool:
    """Whether two positive values, or their 1 - m, are less than `factor` apart; 0 is infinitely far from all else.

    >>> within(0.1, 0.2, "learning_rate", 2.5), within(0.95, 0.975, "momentum", 1.9), within(0.0, 1e-6, "weight_decay", 2.5)
    (True, False, False)
    """
    if setting == "momentum":
        first, second = 1 - first, 1 - second
    return first > 0 and second > 0 and max(first, second) < factor * min(first, second)


def changed(old: Content, new: Content) -> list[str]:
    """What else is not as it was: config, data, seed, versions and device, each as `name: before -> now`."""
    before, now = old.get("provenance", {}), new.get("provenance", {})
    pairs = [(name, before.get(name), now.get(name)) for name in NAMED_WHEN_CHANGED]
    environments = (before.get("environment", {}), now.get("environment", {}))
    pairs += [(name, environments[0].get(name), environments[1].get(name)) for name in dict.fromkeys((*environments[0], *environments[1]))]
    told = [f"{name}: {shown(was)} -> {shown(is_now)}" for name, was, is_now in pairs if was != is_now and was is not None]
    return list(dict.fromkeys(told))


def checked(content: Any, path: str) -> Content:
    """`content` where it can be compared with. Raises `ConfigError` for anything that is no recommended.yaml."""
    try:
        compare(content, content)
        changed(content, content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"not a recommended.yaml that can be compared with ({type(error).__name__}: {error})"
        raise ConfigError(
            [Problem(path, None, "", problem, expected="one that hpcheck wrote; `hpcheck check --update` writes it")]
        ) from None
    return dict(content)


def span(stated: Stated) -> str:
    """
    >>> span(Stated(0.1, 0.05, 0.2)), span(Stated(0.1))
    ('0.05 to 0.2', 'no interval')
    """
    return "no interval" if stated.low is None or stated.high is None else f"{number(stated.low)} to {number(stated.high)}"


def number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4g}"


def _min_momentum(content: Content) -> Stated:
    """The smallest momentum, with the value that the evidence of the momentum step names, where there is one."""
    value = _at(content["settings"], ("momentum", "min"))
    evidence = content["evidence"].get("momentum", {}).get("value")
    meant = evidence.get("min") if isinstance(evidence, Mapping) else None
    edited = value is not None and meant is not None and not close(value, meant, "momentum")
    return Stated(value, edited_from=meant if edited else None)


def _is_constant(momentum: Mapping[str, Any]) -> bool:
    return bool(momentum.get("min") == momentum.get("max"))


def _numbers(values: Any) -> tuple[float, ...]:
    """The numbers of a list. Raises `TypeError` for what is no list of them."""
    if isinstance(values, str) or any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        raise TypeError(f"{values!r} is no list of numbers")
    return tuple(map(float, values))


def _at(values: Any, place: tuple[str, ...]) -> float | None:
    """The number at `place`; None where there is none. Raises `TypeError` or `ValueError` for what is no number."""
    for key in place:
        if values is None:
            return None
        values = values.get(key)
    if isinstance(values, bool | str):
        raise TypeError(f"{'.'.join(place)} is not a number")
    if values is not None and not math.isfinite(values):
        raise ValueError(f"{'.'.join(place)} is not finite")
    found: float | None = values
    return found
