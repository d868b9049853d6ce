"""What a recommended.yaml may say, checked where it is read: numbers are numbers within their ranges, words are names, choices or one line.

The file is committed, edited by hand and taken from others, and parts of it are printed, also as code to paste.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, ValidationError, ValidationInfo, field_validator, model_validator

from hpcheck.config.problems import Finding, of_validation, shown
from hpcheck.config.types import MAX_COUNT, Count, MomentumValue, PeakMomentum, Section, refused
from hpcheck.config.yaml12 import KeyPath

NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}")  # of a setting, a step, a package
LARGEST = 1e300  # ours: a whole number beyond it is no float

Amount = Annotated[float, Strict(), Field(gt=0, le=MAX_COUNT, allow_inf_nan=False)]
AmountOrZero = Annotated[float, Strict(), Field(ge=0, le=MAX_COUNT, allow_inf_nan=False)]
CoursePolicy = Literal["1cycle", "triangular", "triangular2", "exp_range", "constant", "step", "inv", "exp"]


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


def findings(content: Mapping[str, Any], whole: bool) -> list[Finding]:
    """What is wrong in a recommended.yaml. `whole`: it must have all that is shown of one; else only what it has must be right."""
    found = _of_settings(content["settings"]) if "settings" in content else []
    found += _of_head(content)
    found += _of_evidence(content.get("evidence") or {})
    found += _of_results(content.get("results") or {})
    found += _of_provenance(content.get("provenance") or {})
    return found or (list(_missing(content)) if whole else [])


def _of_head(content: Mapping[str, Any]) -> Iterator[Finding]:
    """The format, the verdict and the cost, with which a file of format 2 begins."""
    number = content.get("format")
    if number is not None and number not in FORMATS:
        known = ", ".join(map(str, FORMATS))
        yield Finding(("format",), "unknown", shown(number), f"{known}, or none; a newer hpcheck writes newer ones")
    for key, checks in (("verdict", VERDICT), ("cost", WHOLE_COST)):
        block = content.get(key)
        if block is not None and not isinstance(block, dict):
            yield Finding((key,), "not a mapping", shown(block), "lines of `key: value`")
        yield from _checked(block, checks, (key,)) if isinstance(block, dict) else ()


def _of_settings(settings: Any) -> list[Finding]:
    try:
        _Settings.model_validate(settings)
    except ValidationError as error:
        return of_validation(error, _schema(), ("settings",))
    return []


@cache
def _schema() -> dict[str, Any]:
    return _File.model_json_schema()


Check = Callable[[Any], str]  # what was expected where a value is something else, else ""


def _number(value: Any) -> str:
    fits = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST)
    return "" if fits else "a number"


def _whole(value: Any) -> str:
    return "" if isinstance(value, int) and not _number(value) else "a whole number"


def _line(value: Any) -> str:
    return "" if isinstance(value, str) and value.isprintable() else "text on one line"


def _one_of(*words: str) -> Check:
    return lambda value: "" if isinstance(value, str) and value in words else f"one of {', '.join(words)}"


def _list_of(check: Check, words: str, length: int | None = None) -> Check:
    def is_list(value: Any) -> str:
        fits = isinstance(value, list) and length in (None, len(value)) and not any(map(check, value))
        return "" if fits else f"a list of {length or ''} {words}".replace("  ", " ")

    return is_list


def _value(value: Any) -> str:
    """Of a setting: a number, a word, or a few of them by name."""
    parts = value.items() if isinstance(value, dict) else [("max", value)]
    fits = all(NAME.fullmatch(key) and (part is None or not _number(part) or not _line(part)) for key, part in parts)
    return "" if fits else "a number, or numbers by name"


def _scalar(value: Any) -> str:
    return "" if value is None or isinstance(value, bool | str) or not _number(value) else "a number or text"


def _number_or_name(value: Any) -> str:
    return "" if not _number(value) or not _line(value) else "a number or a name"


def _considered(value: Any) -> str:
    """A candidate with its score: by name, or three numbers in a file of before."""
    if isinstance(value, list):
        return _list_of(_number, "numbers", 3)(value)
    fits = isinstance(value, dict) and value.keys() == {"value", "score", "error"}
    return "" if fits and not any(map(_number_or_name, value.values())) else "a candidate: value, score and error"


EVIDENCE: dict[str, Check] = {
    "value": _value,
    "status": _one_of("chosen", "tied", "abstained"),
    "confidence": _one_of("high", "medium", "low", "none"),
    "reason": _line,
    "source": _line,
    "interval": _list_of(_number, "numbers", 2),
    "tied": _list_of(_number_or_name, "numbers or names"),
    "runs": _list_of(_line, "names of runs"),
    "clues": _list_of(_line, "lines"),
    "considered": _list_of(_considered, "candidates, each with value, score and error"),
    "judged_by": _one_of("loss", "accuracy"),
    "names": _list_of(_line, "lines"),
}
EARLIER: dict[str, Check] = {"step": _line, "value": _value, "reason": _line}
MEASURED: dict[str, Check] = {"metric": _number, "std": _number, "each": _list_of(_number, "numbers")}
PROVENANCE: dict[str, Check] = {"hpcheck": _line, "config": _line, "data": _line, "seed": _whole, "metric": _line, "metric_unit": _line}
COST: dict[str, Check] = {"runs": _whole, "iterations": _whole, "device_seconds": _number}
COST_MAY_HAVE: dict[str, Check] = {"trainings": _number, "epochs": _number}  # of now, and of before
FORMATS = (2,)  # none in a file of before
VERDICT: dict[str, Check] = {
    "says": _one_of("better", "probably better", "not better", "not tested"),
    "words": _line,
    "against": _line,
    "metric": _line,
    "unit": _line,
    "ours": _number,
    "theirs": _number,
    "difference": _number,
    "interval": _list_of(_number, "numbers", 2),
    "fresh_seeds": _whole,
    "beside_yours": _one_of("better", "within chance", "worse"),
}
WHOLE_COST: dict[str, Check] = {"trainings": _number, "of": _line, "iterations": _whole, "seconds": _number}


def _checked(values: Mapping[str, Any], checks: Mapping[str, Check], path: KeyPath) -> Iterator[Finding]:
    """What of the keys in `checks` is there and is something else; other keys are nobody's concern, since nothing reads them."""
    for key, check in checks.items():
        if values.get(key) is not None and (expected := check(values[key])):
            yield Finding((*path, key), "not allowed", shown(values[key]), expected)


def _blocks(values: Any, path: KeyPath, named: Check) -> Iterator[tuple[Any, Any, Finding | None]]:
    """Each key and what it holds, with a finding where the key is no name."""
    if not isinstance(values, dict):
        yield "", None, Finding(path, "not a mapping", shown(values), "lines of `key: value`")
        return
    for key, value in values.items():
        expected = named(key)
        yield key, value, Finding((*path, key), "not a name", "", expected) if expected else None


def _name(key: str) -> str:
    return "" if NAME.fullmatch(key) else "letters, digits, '.', '_' or '-', a letter first"


def _mappings(values: Any, path: KeyPath, named: Check, checks: Mapping[str, Check]) -> Iterator[Finding]:
    """What is wrong with a mapping of names to mappings of values."""
    for key, value, wrong in _blocks(values, path, named):
        if wrong is not None:
            yield wrong
        elif not isinstance(value, dict):
            yield Finding((*path, key), "not a mapping", shown(value), "lines of `key: value`")
        else:
            yield from _checked(value, checks, (*path, key))


def _of_evidence(evidence: Any) -> Iterator[Finding]:
    path = ("evidence",)
    wrong = list(_mappings(evidence, path, _name, EVIDENCE))
    yield from wrong
    for name, block in () if wrong else evidence.items():
        if not block.get("status"):
            yield Finding((*path, name, "status"), "is required", "", EVIDENCE["status"](None))
        earlier = block.get("earlier") or []
        yield from _mappings(
            dict(enumerate(earlier)) if isinstance(earlier, list) else earlier, (*path, name, "earlier"), lambda _: "", EARLIER
        )


def _of_results(results: Any) -> Iterator[Finding]:
    """Figures of the trainings: by step, then by what was trained."""
    wrong = list(_mappings(results, ("results",), _name, {}))
    yield from wrong
    for step, arms in () if wrong else results.items():
        for arm, figures, unnamed in _blocks(arms, ("results", step), _line):
            if unnamed is not None:
                yield unnamed
            elif isinstance(figures, dict):
                measured = {split: figures[split] for split in ("val", "test") if split in figures}
                yield from _mappings(measured, ("results", step, arm), _name, MEASURED)
                absent = [(split, key) for split, one in measured.items() for key in ("metric", "each") if one and key not in one]
                yield from (Finding(("results", step, arm, *where), "is required") for where in absent)


def _of_provenance(provenance: Any) -> Iterator[Finding]:
    path = ("provenance",)
    if not isinstance(provenance, dict):
        yield Finding(path, "not a mapping", shown(provenance), "lines of `key: value`")
        return
    yield from _checked(provenance, PROVENANCE, path)
    for key, value, wrong in _blocks(provenance.get("environment") or {}, (*path, "environment"), _name):
        if wrong is not None or _scalar(value):
            yield wrong or Finding((*path, "environment", key), "not allowed", shown(value), _scalar(value))
    cost = provenance.get("cost") or {}
    yield from _mappings(cost, (*path, "cost"), _name, COST | COST_MAY_HAVE)
    for part, spent in cost.items() if isinstance(cost, dict) else ():
        absent = [key for key in COST if isinstance(spent, dict) and spent.get(key) is None]
        yield from (Finding((*path, "cost", part, key), "is required", "", COST[key](None)) for key in absent)


def _missing(content: Mapping[str, Any]) -> Iterator[Finding]:
    """What is shown of a recommendation and is not there."""
    settings = content["settings"]
    places: list[KeyPath] = [("total_batch_size",), ("momentum", "max"), ("momentum", "min"), ("weight_decay",)]
    if (lr := settings.get("learning_rate")) is not None:
        places += [("learning_rate", key) for key in ("policy", "max", "epochs")]
        places += [("learning_rate", "cycle_epochs")] * (isinstance(lr, dict) and "min" in lr)
        places += [("learning_rate", "min")] * (isinstance(lr, dict) and "final" in lr)
    for place in places:
        at: Any = settings
        for key in place:
            at = at.get(key) if isinstance(at, dict) else None
        if at is None:
            yield Finding(("settings", *place), "is required")
    for name, block in (content.get("evidence") or {}).items():
        if block.get("reason") is None:
            yield Finding(("evidence", name, "reason"), "is required", "", "text on one line")
    if (content.get("provenance") or {}).get("cost") is None:
        yield Finding(("provenance", "cost"), "is required", "", "what search and training took")
