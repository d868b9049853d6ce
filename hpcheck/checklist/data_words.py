"""In words: which data a config reads, how many examples each split has, and where the validation examples come from."""

from pathlib import Path
from typing import Any

from hpcheck.config import Config
from hpcheck.data.arrays import Raw
from hpcheck.plugins import find

OF_SHAPE = ("root", "image_size", "stream")  # options that say how the files are read, not which


def found_words(config: Config, raw: Raw, train: int, held_out: int) -> str:
    """The data and their splits, such as "image-folder in pets (train 480; validate 120 from pets/val; test 60 from pets/test)"."""
    folder = _folder(config)
    splits = [f"train {train:,}", f"validate {held_out:,}{_source(config, raw, folder)}"]
    if raw.test is not None and config.data.validate_on != "test":
        splits.append(f"test {len(raw.test):,}" + (f" from {folder / 'test'}" if folder else ""))
    return f"{_name(config, folder)} ({'; '.join(splits)})"


def script_words(train: int, held_out: int) -> str:
    """The same of a training script, which tells the counts alone."""
    return f"your script's own (train {train:,}; validate {held_out:,})"


def _folder(config: Config) -> Path | None:
    """Where a folder of images lies; None for other data."""
    if config.data.name != "image-folder":
        return None
    return Path(config.data.root or ".") / str(config.data.options().get("folder") or ".")


def _name(config: Config, folder: Path | None) -> str:
    if folder is not None:
        return f"{config.data.name} in {folder}"
    given = {key: value for key, value in config.data.options().items() if key not in OF_SHAPE}
    told = ", ".join(f"{key} {_plain(value)}" for key, value in given.items() if value not in (None, [], ()))
    return f"{config.data.name} with {told}" if told and find.is_users_own(config.data.name) else config.data.name


def _plain(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _source(config: Config, raw: Raw, folder: Path | None) -> str:
    if config.data.validate_on == "test":
        return " on the test split"
    if raw.val is None:
        return ", held out of the training split"
    if folder is not None:
        return f" from {folder / 'val'}"
    return " from the loader's own split" if find.is_users_own(config.data.name) else " from its own split"
