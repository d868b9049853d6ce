"""Optuna's journal: the operations of a study, a JSON object a line; every trial's reported values are a curve."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpcheck.curves.formats.content import text_lines
from hpcheck.curves.names import NAMES
from hpcheck.curves.table import Row, Table, refusal

OPERATION = re.compile(r'\{[^\n]*"op_code": ?\d')
CREATE_STUDY, CREATE_TRIAL, SET_PARAM, SET_INTERMEDIATE = 0, 4, 5, 7  # optuna.storages.journal, JournalOperation
MINIMIZE = 1  # optuna.study.StudyDirection
FEWEST, MOST = 3, 200  # ours: values from which on a trial is read, and trials that are read
LOSS, STEP = "val_loss", "step"
REPORTED = "trial.report(value, step) in the objective, or the logs of the trials' own trainings"


@dataclass
class Trial:
    """One trial: what it reported, and its parameters."""

    number: int
    study: str
    minimizes: bool
    values: list[tuple[int, float]] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)


def looks(path: Path, head: str) -> bool:
    """Whether it begins with an operation."""
    return head[:1] == "{" and OPERATION.match(head) is not None and '"worker_id"' in head[:1000]


def read(path: Path) -> list[Table]:
    """A table for each trial that reported values."""
    return tables(path, _trials(path))


def tables(path: Path, trials: list[Trial]) -> list[Table]:
    """The trials' curves. Raises `ConfigError` where none reported values, or they are no losses."""
    told = [one for one in trials if len(one.values) >= FEWEST]
    if not told:
        raise refusal(path, None, f"an Optuna study of {len(trials)} trials that report no values", "", REPORTED)
    if not any(one.minimizes for one in told):
        raise refusal(path, None, "an Optuna study that maximizes what its trials report, so it is no loss", "", "a study of a loss")
    told = [one for one in told if one.minimizes]
    notes = ["an Optuna study that minimizes: what its trials report is read as their validation loss"]
    notes += [f"{len(trials) - len(told)} of {len(trials)} trials reported too little, and are left out"] * (len(told) < len(trials))
    notes += [f"{len(told)} trials: the first {MOST} are read"] * (len(told) > MOST)
    studies = {one.study for one in told}
    return [_table(one, f"{one.study} trial {one.number}" if len(studies) > 1 else f"trial {one.number}", notes) for one in told[:MOST]]


def _table(trial: Trial, name: str, notes: list[str]) -> Table:
    lr = next((value for key, value in trial.params.items() if any(one.fits(key) for one in NAMES["lr"])), None)
    beside = {} if lr is None else {"lr": lr}
    rows = tuple(Row(None, {STEP: step, LOSS: value, **beside}) for step, value in sorted(trial.values))
    return Table(rows, STEP, constants(trial.params), tuple(notes), run=name)


def constants(params: Mapping[str, Any]) -> dict[str, float]:
    """Weight decay and momentum among a run's parameters, by their names."""
    found = {}
    for quantity in ("weight_decay", "momentum"):
        for name, value in params.items():
            if any(one.fits(name) for one in NAMES[quantity]) and isinstance(value, int | float) and math.isfinite(value):
                found[quantity] = float(value)
    return found


def _trials(path: Path) -> list[Trial]:
    """The trials in the order in which they were made, which is what their ids count."""
    studies: list[tuple[str, bool]] = []
    trials: list[Trial] = []
    of_study: dict[int, int] = {}
    for line in _operations(path):
        code, at = line.get("op_code"), line.get("trial_id")
        if code == CREATE_STUDY:
            studies.append((str(line.get("study_name", "")), list(line.get("directions", [])) == [MINIMIZE]))
        elif code == CREATE_TRIAL:
            study = int(line.get("study_id", 0))
            name, minimizes = studies[study] if study < len(studies) else ("", True)
            trials.append(Trial(of_study.get(study, 0), name, minimizes))
            of_study[study] = trials[-1].number + 1
            trials[-1].values += [(int(step), float(value)) for step, value in (line.get("intermediate_values") or {}).items()]
        elif code in (SET_PARAM, SET_INTERMEDIATE) and isinstance(at, int) and at < len(trials):
            if code == SET_PARAM:
                trials[at].params[str(line.get("param_name"))] = _value(line)
            else:
                trials[at].values.append((int(line["step"]), float(line["intermediate_value"])))
    return trials


def _operations(path: Path) -> Iterator[Mapping[str, Any]]:
    for at, text in text_lines(path):
        if not text.strip():
            continue
        try:
            found = json.loads(text)
        except ValueError as error:
            if not text.endswith("\n"):
                return  # the last line is still being written
            raise refusal(path, at, "no operation of an Optuna journal", "", "a JSON object a line") from error
        if isinstance(found, dict):
            yield found


def _value(line: Mapping[str, Any]) -> Any:
    """A parameter as it was suggested: the journal holds a choice's place among the choices."""
    internal = line.get("param_value_internal")
    try:
        choices = json.loads(line.get("distribution", "{}")).get("attributes", {}).get("choices")
        return choices[int(internal)] if choices and internal is not None else internal
    except (ValueError, TypeError, IndexError, AttributeError):
        return internal
