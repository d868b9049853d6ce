"""What a recommended.yaml may say, checked where it is read: numbers are numbers within their ranges, words are names, choices or one line.

The file is committed, edited by hand and taken from others, and parts of it are printed, also as code to paste.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, ValidationError, ValidationInfo, field_validator, model_validator

from hpcheck.config import recommended_results
from hpcheck.config.problems import Finding, of_validation, shown
from hpcheck.config.types import MAX_COUNT, MAX_SEED, Count, MomentumValue, PeakMomentum, Section, refused
from hpcheck.config.value_checks import (
    NAME,
    Check,
    blocks,
    checked,
    is_name,
    line,
    list_of,
    mappings,
    number,
    number_or_name,
    one_of,
    scalar,
    whole,
)
from hpcheck.config.yaml12 import KeyPath

Amount = Annotated[float, Strict(), Field(gt=0, le=MAX_COUNT, allow_inf_nan=False)]
AmountOrZero = Annotated[float, Strict(), Field(ge=0, le=MAX_COUNT, allow_inf_nan=False)]
CoursePolicy = Literal["1cycle", "triangular", "triangular2", "exp_range", "constant", "step", "inv", "exp"]
CYCLES = ("1cycle", "triangular", "triangular2", "exp_range")  # these fall to a smallest value, over cycles


class _Course(Section):
    """A value over the training; a bare number is its largest."""

    @model_validator(mode="before")
    @classmethod
    def _from_number(cls, given: Any) -> Any:
        return {"max": given} if isinstance(given, int | float) and not isinstance(given, bool) else given

    @field_validator("min", check_fields=False)
    @classmethod
    def _ordered(cls, least: float | None, info: ValidationInfo) -> float | None:
        most = info.data.get("max")
        if least is not None and most is not None and least > most:
            raise refused("reversed range", f"at most max, {most}")
        return least


class _LearningRate(_Course):
    policy: CoursePolicy | None = None
    max: Amount | None = None
    min: Amount | None = None
    final: Amount | None = None
    cycle_epochs: Amount | None = None
    epochs: Amount | None = None


class _Momentum(_Course):
    max: PeakMomentum | None = None
    min: MomentumValue | None = None
    shape: Literal["falling", "constant", "rising"] | None = None


class _Settings(Section):
    total_batch_size: Count | None = None
    learning_rate: _LearningRate | None = None
    momentum: _Momentum | None = None
    weight_decay: AmountOrZero | None = None


class _File(Section):
    settings: _Settings


def findings(content: Mapping[str, Any], whole: bool, used: bool = False) -> list[Finding]:
    """What is wrong in a recommended.yaml. `whole`: it must have all that is shown of one; `used`: all settings of a training.

    Without either only what it has must be right.
    """
    found = _of_settings(content["settings"]) if "settings" in content else []
    found += _of_head(content)
    found += _of_evidence(content.get("evidence", {}))
    found += recommended_results.findings(content.get("results", {}))
    found += _of_provenance(content.get("provenance", {}))
    if found or not (whole or used):
        return found
    return [*_missing_settings(content["settings"]), *(_missing(content) if whole else ())]


def _of_head(content: Mapping[str, Any]) -> Iterator[Finding]:
    """The format, the verdict and the cost, with which a file of format 2 begins."""
    given = content.get("format")
    if given is not None and given not in FORMATS:
        known = ", ".join(map(str, FORMATS))
        yield Finding(("format",), "unknown", shown(given), f"{known}, or none; a newer hpcheck writes newer ones")
    for key, checks in (("verdict", VERDICT), ("cost", WHOLE_COST)):
        block = content.get(key)
        if block is not None and not isinstance(block, dict):
            yield Finding((key,), "not a mapping", shown(block), "lines of `key: value`")
        yield from checked(block, checks, (key,)) if isinstance(block, dict) else ()


def _of_settings(settings: Any) -> list[Finding]:
    try:
        _Settings.model_validate(settings)
    except ValidationError as error:
        return of_validation(error, _schema(), ("settings",))
    return []


@cache
def _schema() -> dict[str, Any]:
    return _File.model_json_schema()


def _value(value: Any) -> str:
    """Of a setting: a number, a word, or a few of them by name."""
    parts = value.items() if isinstance(value, dict) else [("max", value)]
    fits = all(NAME.fullmatch(key) and (part is None or not number(part) or not line(part)) for key, part in parts)
    return "" if fits else "a number, or numbers by name"


def _seed(value: Any) -> str:
    return "" if not whole(value) and 0 <= value <= MAX_SEED else f"a whole number from 0 to {MAX_SEED}"


def _count(value: Any) -> str:
    return "" if not whole(value) and 1 <= value <= MAX_COUNT else f"a whole number from 1 to {MAX_COUNT:,}"


def _considered(value: Any) -> str:
    """A candidate with its score: by name, or three numbers in a file of before."""
    if isinstance(value, list):
        return list_of(number, "numbers", 3)(value)
    fits = isinstance(value, dict) and value.keys() == {"value", "score", "error"}
    return "" if fits and not any(map(number_or_name, value.values())) else "a candidate: value, score and error"


EVIDENCE: dict[str, Check] = {
    "value": _value,
    "status": one_of("chosen", "tied", "abstained"),
    "confidence": one_of("high", "medium", "low", "none"),
    "reason": line,
    "source": line,
    "interval": list_of(number, "numbers", 2),
    "tied": list_of(number_or_name, "numbers or names"),
    "runs": list_of(line, "names of runs"),
    "clues": list_of(line, "lines"),
    "considered": list_of(_considered, "candidates, each with value, score and error"),
    "judged_by": one_of("loss", "accuracy"),
    "names": list_of(line, "lines"),
}
EARLIER: dict[str, Check] = {"step": line, "value": _value, "reason": line}
PROVENANCE: dict[str, Check] = {
    "hpcheck": line,
    "config": line,
    "data": line,
    "seed": _seed,
    "metric": line,
    "metric_unit": line,
    "confirm_trainings": whole,
}
COST: dict[str, Check] = {"runs": whole, "iterations": whole, "device_seconds": number}
COST_MAY_HAVE: dict[str, Check] = {"trainings": number, "epochs": number}  # of now, and of before
FORMATS = (2,)  # none in a file of before
VERDICT: dict[str, Check] = {
    "says": one_of("better", "probably better", "not better", "not tested"),
    "words": line,
    "against": line,
    "metric": line,
    "unit": line,
    "ours": number,
    "theirs": number,
    "difference": number,
    "interval": list_of(number, "numbers", 2),
    "fresh_seeds": whole,
    "beside_yours": one_of("better", "within chance", "worse"),
}
WHOLE_COST: dict[str, Check] = {"trainings": number, "of": line, "iterations": whole, "seconds": number}


def _of_evidence(evidence: Any) -> Iterator[Finding]:
    path = ("evidence",)
    wrong = list(mappings(evidence, path, is_name, EVIDENCE))
    yield from wrong
    for name, block in () if wrong else evidence.items():
        if "status" not in block:
            yield Finding((*path, name, "status"), "is required", "", EVIDENCE["status"](None))
        earlier = block.get("earlier", [])
        yield from mappings(
            dict(enumerate(earlier)) if isinstance(earlier, list) else earlier, (*path, name, "earlier"), lambda _: "", EARLIER
        )


def _of_provenance(provenance: Any) -> Iterator[Finding]:
    path = ("provenance",)
    if not isinstance(provenance, dict):
        yield Finding(path, "not a mapping", shown(provenance), "lines of `key: value`")
        return
    yield from checked(provenance, PROVENANCE, path)
    for key, value, wrong in blocks(provenance.get("environment", {}), (*path, "environment"), is_name):
        if wrong is not None or scalar(value):
            yield wrong or Finding((*path, "environment", key), "not allowed", shown(value), scalar(value))
    yield from _of_script(provenance.get("script", {}))
    cost = provenance.get("cost", {})
    yield from mappings(cost, (*path, "cost"), is_name, COST | COST_MAY_HAVE)
    for part, spent in cost.items() if isinstance(cost, dict) else ():
        absent = [key for key in COST if isinstance(spent, dict) and spent.get(key) is None]
        yield from (Finding((*path, "cost", part, key), "is required", "", COST[key](None)) for key in absent)


def _of_script(script: Any) -> Iterator[Finding]:
    """What a script of the user's told of its data."""
    path = ("provenance", "script")
    if not isinstance(script, dict):
        yield Finding(path, "not a mapping", shown(script), "lines of `key: value`")
    else:
        yield from checked(script, {"train_examples": _count}, path)


def _missing_settings(settings: Mapping[str, Any]) -> Iterator[Finding]:
    """What is shown and used of a recommendation's settings and is not there."""
    places: list[KeyPath] = [("total_batch_size",), ("momentum", "max"), ("momentum", "min"), ("weight_decay",)]
    if (lr := settings.get("learning_rate")) is not None:
        places += [("learning_rate", key) for key in ("policy", "max", "epochs")]
        cycles = isinstance(lr, dict) and ("final" in lr or lr.get("policy") in CYCLES)
        places += [("learning_rate", "min")] * cycles
        places += [("learning_rate", "cycle_epochs")] * (cycles or (isinstance(lr, dict) and "min" in lr))
    for place in places:
        at: Any = settings
        for key in place:
            at = at.get(key) if isinstance(at, dict) else None
        if at is None:
            yield Finding(("settings", *place), "is required")


def _missing(content: Mapping[str, Any]) -> Iterator[Finding]:
    """What else is shown of a recommendation and is not there."""
    for name, block in content.get("evidence", {}).items():
        if block.get("reason") is None:
            yield Finding(("evidence", name, "reason"), "is required", "", "text on one line")
    if content.get("provenance", {}).get("cost") is None:
        yield Finding(("provenance", "cost"), "is required", "", "what search and training took")
