"""What records say of an experiment: its readings and final figures, from committed records, without the data and without running."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcheck.init.new_project import PACKAGE
from hpcheck.reproduce.experiments import MOMENTUM_RANGE_TEST, Run
from hpcheck.runs import records
from hpcheck.runs.records import RunRecord
from hpcheck.runs.spec import Spec, computed, run_id
from hpcheck.steps import momentum_range_test
from hpcheck.steps.order import STEPS, Replays
from hpcheck.steps.reading import Reading
from hpcheck.steps.step import Asked, Decide, Facts, Lookup, replay
from hpcheck.steps.train import repeats

COMMITTED = PACKAGE.parent / "docs" / "results" / "records"  # of a checkout; a wheel has none
JPEG = COMMITTED.parent / "jpeg"  # records on CIFAR-10 saved as JPEG: history, which no command asks
LOSSLESS = {  # folders that `data: cifar10` and `cifar100` read where torchvision's files are missing: their fingerprints
    "cifar10-png": "5899df02249e0bbccc0b8fff518a91b85bfbf54b9d440797e89aa562051f8f88",
    "cifar100-png": "4484c14cbb954244f3546b78906f2522638acd324a342eef1dc4c0d1ca0e59bf",
}
SIZES = {  # training and test examples of the paper's data sets; ImageNet's second figure is its validation split
    "mnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "cifar100": (50_000, 10_000),
    "image-folder": (1_281_167, 50_000),
}


@dataclass(frozen=True)
class Found:
    """The records of one config: the step's reading where all its runs are there, and what of the final trainings is."""

    run: Run
    reading: Reading | None
    finals: tuple[RunRecord, ...]  # of `train`: those of its repeats that are there
    wanted: int  # repeats that the config asks for
    records: tuple[RunRecord, ...]  # all that the reading, or the figures, rest on

    @property
    def tests(self) -> list[float]:
        """The final metric of each training that did not diverge, on the test split (on validation where the data have none)."""
        return [_final(record)["metric"] for record in self.finals if not record.diverged]

    def lookup(self) -> Lookup:
        """A look-up among these records, of whatever precision they are."""
        known = {_key(replace(record.spec, precision="")): record for record in self.records}
        return lambda spec: known.get(_key(replace(spec, precision="")))

    @property
    def losses(self) -> list[float]:
        return [_final(record)["loss"] for record in self.finals if not record.diverged]


def _final(record: RunRecord) -> dict[str, float]:
    figures: dict[str, float] = record.result["test" if "test" in record.result else "val"]
    return figures


def find(run: Run, lookup: Lookup, asked: Asked | None = None) -> Found:
    """What `lookup` has of `run`; without `asked`, its data are taken to be of the official size."""
    asked = asked or Asked(run.config, official_facts(run))
    if run.step == "train":
        specs = repeats(asked, Replays(asked, lookup).settings_before(run.step), "recommended")
        finals = tuple(record for record in map(lookup, specs) if record is not None)
        return Found(run, None, finals, len(specs), finals)
    used: dict[str, RunRecord] = {}

    def noted(spec: Spec) -> RunRecord | None:
        record = lookup(spec)
        return record if record is None else used.setdefault(record.run_id, record)

    decide, begins_with = decides(run.step)
    outcome = replay(decide, asked, Replays(asked, lookup).settings_before(begins_with), noted)
    return Found(run, outcome if isinstance(outcome, Reading) else None, (), 0, tuple(used.values()))


def decides(step: str) -> tuple[Decide, str]:
    """What plans and reads a step, and the step of the checklist whose settings it begins with."""
    return (momentum_range_test.decide, "momentum") if step == MOMENTUM_RANGE_TEST else (STEPS[step], step)


def official_facts(run: Run) -> Facts:
    """The sizes of the paper's data sets, so that nothing has to be read to say which runs an experiment wants."""
    train, test = SIZES[run.data]
    if run.data == "image-folder" or run.config.data.validate_on == "test":  # ImageNet's validation images are a split of their own
        return Facts(train, test)
    held_out = round(run.config.data.val_fraction * train)
    return Facts(train - held_out, held_out)


class Kept:
    """Records in folders, `FOLDER/NAME/*.jsonl` (committed) or `FOLDER/NAME/records/*.jsonl` (run directories), found by what they compute,
    whatever copy of the data they were made on; to be told of (`any_precision`), in bf16 where the config says fp32 too. Where two folders
    have the same run, the first one's counts."""

    def __init__(self, folders: Sequence[Path], any_precision: bool = False) -> None:
        self.folders, self.any_precision = tuple(folders), any_precision
        self._known: dict[str, dict[str, RunRecord]] = {}

    def lookup(self, name: str) -> Lookup:
        """A look-up among the records of the config `name`; where all of them are of one precision, and any will do, of that one."""
        known = self._of(name)
        precisions = {record.spec.precision for record in known.values()}

        def find(spec: Spec) -> RunRecord | None:
            if self.any_precision and len(precisions) == 1:
                spec = replace(spec, precision=next(iter(precisions)))
            return known.get(_key(spec))  # with its own spec: that says on which copy of the data it was made

        return find

    def files(self, name: str) -> list[Path]:
        return [
            path
            for folder in self.folders
            for place in (folder / name, folder / name / "records")
            for path in sorted(place.glob("*.jsonl"))
        ]

    def records(self, name: str) -> tuple[RunRecord, ...]:
        """The records of the config `name`."""
        return tuple(self._of(name).values())

    def _of(self, name: str) -> dict[str, RunRecord]:
        if name not in self._known:
            read = (records.read(path) for path in reversed(self.files(name)))
            self._known[name] = {_key(record.spec): record for record in read if record is not None}
        return self._known[name]


def _key(spec: Spec) -> str:
    return json.dumps([type(spec).__name__, computed(spec)], sort_keys=True)


def data_of(record: RunRecord) -> str:
    """On which copy of its data a record was made: `lossless cifar10-png`, `image-folder cifar10-jpg`.

    Its id says whether it was on the lossless folder, whatever the folder was called.
    """
    for copy, fingerprint in LOSSLESS.items():
        if run_id(record.spec, fingerprint) == record.run_id:
            return f"lossless {copy}"
    folder = dict(record.spec.data.options).get("folder")
    return f"{record.spec.data.name} {folder}" if folder else record.spec.data.name


def circumstances(found: Sequence[Found]) -> str:
    """On which data and devices the records were made, where these are not all as the config says: a GPU or a CPU, fp32 or bf16."""
    made = [(one.run.data, record) for one in found for record in one.records]
    data = [copy for name, record in made if (copy := data_of(record)) != name]
    devices = [f"{record.environment.get('device', '?')} {record.spec.precision}" for _, record in made]
    return ", ".join(dict.fromkeys([*data, *devices]))
