"""What a config asks against what the data hold: refused before anything runs or is written."""

from collections.abc import Sequence

from hpcheck.config import Config
from hpcheck.data._arrays import DataError, Raw
from hpcheck.data._prepare import task_and_outputs


def refuse_what_does_not_fit(config: Config, raw: Raw, train_examples: int, val_examples: int) -> None:
    """Raise `DataError` for splits that cannot be made, targets that cannot be learned, or batches larger than the training set."""
    if config.data.validate_on == "test" and raw.test is None:
        raise DataError("data.validate_on: is test, but the data have no test split; use held-out")
    if train_examples < 1 or val_examples < 1:
        raise DataError(
            f"data.val_fraction: leaves {max(train_examples, 0)} examples to train and {val_examples} to validate on "
            f"(got {config.data.val_fraction}; expected at least one of each)"
        )
    task_and_outputs(raw)
    sizes: dict[str, Sequence[int]] = {"start.total_batch_size": [config.start.total_batch_size], "batch.sizes": config.batch.sizes or ()}
    for key, values in sizes.items():
        if max(values, default=0) > train_examples:
            raise DataError(f"{key}: larger than the training set (got {max(values)}; expected at most {train_examples})")
