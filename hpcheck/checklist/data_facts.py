"""What is known of a config's data before anything runs or is written, and what of the config does not fit them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hpcheck.checklist.data_remarks import remarks
from hpcheck.checklist.data_words import found_words, script_words
from hpcheck.config import Config
from hpcheck.data.arrays import DataError, Raw
from hpcheck.data.cache import load_raw
from hpcheck.data.constant import constant_answers
from hpcheck.data.prepare import held_out_counts, refuse_padding, task_and_outputs, units_of
from hpcheck.plugins import find
from hpcheck.runs import records
from hpcheck.runs.identity import Fingerprints
from hpcheck.runs.spec import DataSpec, RunSpec, can_be_cut
from hpcheck.steps.batch import candidate_sizes
from hpcheck.steps.build_runs import data_spec
from hpcheck.steps.start import start_settings
from hpcheck.steps.step import Asked, Facts

MOST_NAMED = 5  # classes that are named; the rest is counted


def facts(config: Config, fingerprints: Fingerprints | None = None) -> Facts:
    """The sizes of the splits and what a constant answer loses, from the data themselves; `fingerprints` keeps theirs, so that a
    user's loader runs once a command.

    Raises `DataError` where they cannot be read, or where the config does not fit them.
    """
    spec = data_spec(Asked(config, Facts(0, 0)))
    if config.script is not None:
        from hpcheck.script.resolved import known

        description, train, held_out = known(config)
        if fingerprints is not None:
            fingerprints.remember(spec, description.fingerprint)
        _refuse_batch_sizes(config, train)
        return Facts(train, held_out, seeded=description.seeded, found=script_words(train, held_out))
    if config.task is not None:
        return _of_task(config, spec, fingerprints)
    raw, fingerprint = load_raw(spec.name, Path(spec.root), dict(spec.options))
    if fingerprints is not None:
        fingerprints.remember(spec, fingerprint)
    train, held_out = held_out_counts(raw, val_fraction=spec.val_fraction, validate_on=spec.validate_on, limit=spec.limit)
    refuse_what_does_not_fit(config, raw, train, held_out)
    constant = constant_answers(raw, spec.loss, spec.val_fraction, spec.validate_on, spec.limit, spec.targets == "standardize")
    task = task_and_outputs(raw)[0]
    return Facts(
        train_examples=train,
        val_examples=held_out,
        constant_loss=constant.loss,
        constant_accuracy=constant.accuracy,
        classes=task == "classes",
        task=task,
        remarks=remarks(raw, spec),
        unseen=unseen_classes(raw),
        found=found_words(config, raw, train, held_out),
    )


def _of_task(config: Config, spec: DataSpec, fingerprints: Fingerprints | None) -> Facts:
    """What a task of the user's own told of its data."""
    from hpcheck.tasks.resolved import known

    description, train, held_out = known(config)
    if fingerprints is not None:
        fingerprints.remember(spec, description.fingerprint)
    _refuse_batch_sizes(config, train)
    return Facts(train, held_out, seeded=description.repeats)


def with_metric(config: Config, known: Facts, folder: Path) -> Facts:
    """The facts as the records in `folder` complete them: whether the automatic metric fits the outputs under a loss of the user's own."""
    if config.data.metric != "auto" or not find.is_users_own(config.data.loss) or not known.metric_fits:
        return known
    for path in sorted(folder.glob("*.jsonl")):
        record = records.read(path)
        if record is not None and isinstance(record.spec, RunSpec) and _is_of(record.spec, config):
            return replace(known, metric_fits=record.result.get("judged_by") != "loss")
    return known


def _is_of(spec: RunSpec, config: Config) -> bool:
    return (spec.data.loss, spec.data.metric, spec.model.name) == (config.data.loss, "auto", config.model.name)


def unseen_classes(raw: Raw) -> str:
    """In words, which classes a split that came with the data has and the training split lacks: no network gets them right."""
    if raw.train.y.ndim != 1 or not np.issubdtype(raw.train.y.dtype, np.integer):
        return ""
    trained = np.unique(raw.train.y)
    found = []
    for split, arrays in (("validation", raw.val), ("test", raw.test)):
        if arrays is not None and len(unseen := np.setdiff1d(arrays.y, trained)):
            share = float(np.isin(arrays.y, unseen).mean())
            named = ", ".join(raw.classes[one] if raw.classes else str(one) for one in unseen[:MOST_NAMED].tolist())
            more = f" and {len(unseen) - MOST_NAMED} more" if len(unseen) > MOST_NAMED else ""
            found.append(f"{share:.1%} of the {split} split is of classes that are never trained on: {named}{more}")
    return "; ".join(found)


def refuse_what_does_not_fit(config: Config, raw: Raw, train_examples: int, val_examples: int) -> None:
    """Raise `DataError` for splits that cannot be made, targets that cannot be learned, or batch sizes that nothing can be run at."""
    if config.data.validate_on == "test" and raw.test is None:
        raise DataError("data.validate_on: is test, but the data have no test split; use held-out")
    if train_examples < 1 or val_examples < 1:
        raise DataError(
            f"data.val_fraction: leaves {max(train_examples, 0)} examples to train and {val_examples} to validate on "
            f"(got {config.data.val_fraction}; expected at least one of each)"
        )
    task = task_and_outputs(raw)[0]
    if config.data.targets == "standardize":
        units_of(raw.train.y[:1], task)
    if config.data.normalize == "standardize":
        refuse_padding(raw.train.x)
    _refuse_batch_sizes(config, train_examples)
    if not candidate_sizes(Asked(config, Facts(train_examples, val_examples)), start_settings(config)):
        parts = config.run.cut_into()
        raise DataError(f"batch.max_size: leaves no batch size that can be cut into {parts} parts (got {config.batch.max_size})")


def _refuse_batch_sizes(config: Config, train_examples: int) -> None:
    """Larger than the training set, or not to be cut into BatchNorm's parts or the devices' shares."""
    parts, why = config.run.cut_into(), "run.devices" if config.run.bn_splits in (None, 1) else "run.bn_splits"
    sizes: dict[str, Sequence[int]] = {"start.total_batch_size": [config.start.total_batch_size], "batch.sizes": config.batch.sizes or ()}
    for key, values in sizes.items():
        if max(values, default=0) > train_examples:
            raise DataError(f"{key}: larger than the training set (got {max(values)}; expected at most {train_examples})")
        uncut = next((size for size in values if not can_be_cut(size, parts)), None)
        if uncut is not None:
            whole = -(-uncut // parts) * parts
            raise DataError(
                f"{key}: cannot be cut into the {parts} parts that {why} asks for (got {uncut}; expected a multiple, such as {whole})"
            )
