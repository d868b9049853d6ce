"""The kinds of value that a config holds: counts, rates, names and lists, each refusing what it is not."""

import re
from keyword import iskeyword
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator
from pydantic_core import PydanticCustomError

MAX_COUNT = 10**9  # of steps, examples, processes; ours, refuses slips of the keyboard
MAX_VALUE = 1e9  # of a rate or a decay; ours, as recommended.yaml has it: beyond it arithmetic overflows before it diverges
MAX_EPOCHS = 1e6  # ours: more iterations than anybody makes, of the smallest data
MAX_SEED = 2**32 - 1  # what numpy takes
LEAST_TRAININGS, MOST_TRAININGS = 4, 64  # of `confirm.trainings`: two settings with two seeds each are the fewest that confirm anything
MAX_ITEMS = 100  # of a list of values to try; ours
RUN_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # a folder's name anywhere, and never a way out of the run directory

Item = TypeVar("Item")


class Section(BaseModel):
    """A block of keys. Unknown keys are errors; a block left empty keeps its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _from_nothing(cls, given: Any) -> Any:
        return {} if given is None else given


def refused(problem: str, expected: str) -> PydanticCustomError:
    """The error of a validator: what is wrong, and what is allowed instead."""
    return PydanticCustomError("hpcheck", "{problem}", {"problem": problem, "expected": expected})


def is_entry_point(name: str) -> bool:
    """Whether `name` is a well-formed `pkg.module:function`. Imports nothing."""
    module, _, function = name.partition(":")
    return all(part.isidentifier() and not iskeyword(part) for part in (*module.split("."), function))


def _whole(value: Any) -> Any:
    """`1e3` is a float in YAML, and a fine number of steps; 12.5 stays a float, to be refused."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_COUNT else value


def _plain_text(value: str) -> str:
    if not value or not value.isprintable():
        raise refused("empty, or not printable", "text on one line")
    return value


def _run_name(value: str) -> str:
    if not re.fullmatch(f"({RUN_NAME})?", value):
        raise refused("not a name", "at most 64 letters, digits, '.', '_' or '-', a letter or digit first")
    return value


def _sub_folder(value: str) -> str:
    posix, windows = PurePosixPath(value), PureWindowsPath(value)
    if posix.is_absolute() or windows.drive or windows.root or ".." in (*posix.parts, *windows.parts):
        raise refused("leaves data.root", "a relative path without '..'")
    return value


def _device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]{1,3})?", value):
        raise refused("unknown device", "auto, cpu, cuda, cuda:N or mps")
    return value


def _loss(value: str) -> str:
    return _choice_or_entry_point(value, ("auto", "cross_entropy", "mse"))


def _metric(value: str) -> str:
    return _choice_or_entry_point(value, ("auto", "accuracy", "r2"))


def _choice_or_entry_point(value: str, choices: tuple[str, ...]) -> str:
    if value not in choices and not is_entry_point(value):
        raise refused("not one of the choices", f"{', '.join(choices)} or pkg.module:function")
    return value


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _some(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if not values:  # not pydantic's min_length, which counts a bad item as none
        raise refused("empty", f"a list of 1 to {MAX_ITEMS} values")
    return values


def _distinct(values: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(values) > MAX_ITEMS:
        raise refused("too many values", f"at most {MAX_ITEMS}")
    repeated = [value for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise refused(f"{repeated[0]} is repeated", "each value once")
    return values


def _none_or_enough(value: int) -> int:
    if 0 < value < LEAST_TRAININGS:
        raise refused("too few to compare and to confirm", f"0, or {LEAST_TRAININGS} to {MOST_TRAININGS}")
    return value


def _not_huge(value: float) -> float:
    if value > MAX_VALUE:
        raise refused("too large", f"at most {MAX_VALUE:g}")
    return value


def _not_endless(value: float) -> float:
    if value > MAX_EPOCHS:
        raise refused("too many", f"at most {MAX_EPOCHS:,.0f} epochs")
    return value


WHOLE = BeforeValidator(_whole)  # stands last in each type: bounds before it reach the JSON schema
LIST = BeforeValidator(_as_tuple)

Flag = Annotated[bool, Strict()]
Count = Annotated[int, Strict(), Field(ge=1, le=MAX_COUNT), WHOLE]
ShortRun = Annotated[int, Strict(), Field(ge=14, le=MAX_COUNT), WHOLE]  # half of it, as some runs are, can be read too
Several = Annotated[int, Strict(), Field(ge=0, le=20), WHOLE]  # rounds of extending or bisecting
Seed = Annotated[int, Strict(), Field(ge=0, le=MAX_SEED), WHOLE]
Evals = Annotated[int, Strict(), Field(ge=7, le=200), WHOLE]  # with the one before training eight: the fewest that are read
Trainings = Annotated[int, Strict(), Field(ge=0, le=MOST_TRAININGS), AfterValidator(_none_or_enough), WHOLE]
Repeats = Annotated[int, Strict(), Field(ge=1, le=32), WHOLE]

Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False), AfterValidator(_not_huge)]
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False), AfterValidator(_not_huge)]
Epochs = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False), AfterValidator(_not_endless)]
OpenFraction = Annotated[float, Strict(), Field(gt=0, lt=1, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(gt=0, le=1, allow_inf_nan=False)]
MomentumValue = Annotated[float, Strict(), Field(ge=0, lt=1, allow_inf_nan=False)]
PeakMomentum = Annotated[float, Strict(), Field(ge=0, le=1, allow_inf_nan=False)]  # the paper's rising momentum reaches 1 for an instant

Text = Annotated[str, AfterValidator(_plain_text)]
RunName = Annotated[str, Field(json_schema_extra={"pattern": f"^({RUN_NAME})?$"}), AfterValidator(_run_name)]
SubFolder = Annotated[Text, AfterValidator(_sub_folder)]
Device = Annotated[str, AfterValidator(_device)]
Loss = Annotated[str, AfterValidator(_loss)]
Metric = Annotated[str, AfterValidator(_metric)]

Command = Annotated[
    tuple[Text, ...],
    Field(json_schema_extra={"minItems": 1, "maxItems": MAX_ITEMS}),
    AfterValidator(_some),
    LIST,
]
Some = Annotated[tuple[Item, ...], Field(json_schema_extra={"maxItems": MAX_ITEMS}), AfterValidator(_distinct), LIST]
OneOrMore = Annotated[
    tuple[Item, ...],
    Field(json_schema_extra={"minItems": 1, "maxItems": MAX_ITEMS}),
    AfterValidator(_some),
    AfterValidator(_distinct),
    LIST,
]
