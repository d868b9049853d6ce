"""Decode and hash a data set once: arrays kept on disk as .npy, opened as file mappings. No torch on a cache hit."""

import hashlib
import importlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcheck.data.arrays import Arrays, DataError, Raw
from hpcheck.data.streamed import Streamed
from hpcheck.data.users import from_users
from hpcheck.plugins import find
from hpcheck.plugins.undisturbed import undisturbed

FORMAT = 1  # raised whenever the entries of this cache are written differently
META = "meta.json"
ABANDONED_SECONDS = 24 * 3600


def load_raw(name: str, root: Path, options: Mapping[str, Any]) -> tuple[Raw, str]:
    """The data set `name` and its fingerprint. Shipped loaders are cached; the user's own (`pkg.module:function`) never are.

    Raises `DataError` for data that cannot be used. A cache that cannot be read or written is done without.
    """
    if find.is_users_own(name):
        with undisturbed():
            raw = from_users(name, find.call(name, find.load("data", name), **options))
        return raw, fingerprint(raw)
    try:
        return _load_shipped(name, root, options)
    except OSError as error:
        raise DataError(f"data {name}: {error.filename} cannot be read ({error.strerror})") from error


def _load_shipped(name: str, root: Path, options: Mapping[str, Any]) -> tuple[Raw, str]:
    load = find.load("data", name)
    list_sources = importlib.import_module(find.module_of("data", name)).sources
    sources: list[Path] = list_sources(root, **options)
    if sources:
        cached = _read(_entry(name, root, options, sources))
        if cached is not None:
            return cached
    raw = load(root, **options)
    identity = fingerprint(raw)
    sources = sources or list_sources(root, **options)  # the loader may have downloaded them
    if sources:
        _write(_entry(name, root, options, sources), raw, identity)
    return raw, identity


def fingerprint(raw: Raw) -> str:
    """sha256 of the contents: arrays, shapes, dtypes and class names, whatever the place they came from."""
    digest = hashlib.sha256()
    digest.update(json.dumps({"classes": raw.classes, "splits": _layout(raw)}, sort_keys=True).encode())
    for arrays in raw.splits().values():
        for array in (arrays.x, arrays.y):
            digest.update(array.identity() if isinstance(array, Streamed) else np.ascontiguousarray(array).data)
    return digest.hexdigest()


def cache_directory() -> Path:
    """Where cached data lie: $HPCHECK_CACHE, $XDG_CACHE_HOME/hpcheck or ~/.cache/hpcheck."""
    if chosen := os.environ.get("HPCHECK_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hpcheck"


def _layout(raw: Raw) -> dict[str, Any]:
    """Split -> shapes and dtypes, the same on machines of either byte order."""
    return {
        split: {part: [list(array.shape), array.dtype.name] for part, array in (("x", arrays.x), ("y", arrays.y))}
        for split, arrays in raw.splits().items()
    }


def _entry(name: str, root: Path, options: Mapping[str, Any], sources: list[Path]) -> Path:
    """The entry's folder: named by the data set's place, then by the files there and the code that reads them."""
    place = json.dumps([name, str(root.absolute()), sorted(options.items())], default=str)
    manifest = [FORMAT, _loader_sources(), _file_states(sources, root)]
    return cache_directory() / "data" / f"{name}-{_short(place)}-{_short(json.dumps(manifest))}"


def _file_states(sources: list[Path], root: Path) -> list[tuple[str, int, int]]:
    """(path in `root`, size, time of change) of each file. Strings instead of paths: there may be a million."""
    folder = f"{root}{os.sep}"
    states = ((str(path), os.stat(path)) for path in sources)  # noqa: PTH116
    return [(path.removeprefix(folder), state.st_size, state.st_mtime_ns) for path, state in states]


def _loader_sources() -> str:
    """A hash of the code in this folder: what it decodes differently is not found in the cache."""
    texts = (path.read_bytes() for path in sorted(Path(__file__).parent.rglob("*.py")))
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(entry: Path) -> tuple[Raw, str] | None:
    """The cached data, or None where there are none or something is wrong with them."""
    try:
        meta = json.loads((entry / META).read_text(encoding="utf-8"))
        splits = {
            split: Arrays(*(np.load(entry / f"{split}-{part}.npy", mmap_mode="r", allow_pickle=False) for part in "xy"))
            for split in meta["splits"]
        }
        raw = Raw(**splits, classes=None if meta["classes"] is None else tuple(meta["classes"]))
        return (raw, str(meta["fingerprint"])) if _layout(raw) == meta["splits"] else None
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _write(entry: Path, raw: Raw, identity: str) -> None:
    """Keep `raw` under `entry`, whole or not at all, and drop what was kept of the same place before."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=entry.parent, prefix=".writing-", ignore_cleanup_errors=True) as name:
            fresh = Path(name) / "entry"
            fresh.mkdir()
            for split, arrays in raw.splits().items():
                _save(fresh / f"{split}-x.npy", arrays.x)
                _save(fresh / f"{split}-y.npy", arrays.y)
            meta = {"fingerprint": identity, "classes": raw.classes, "splits": _layout(raw)}
            (fresh / META).write_text(json.dumps(meta), encoding="utf-8")
            _drop_outdated(entry)
            fresh.rename(entry)
    except OSError:
        return  # a full or read-only disk: the data are loaded again next time


def _save(path: Path, array: NDArray[np.generic]) -> None:
    with path.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())  # a power cut after the rename must not leave zeros that look like data


def _drop_outdated(entry: Path) -> None:
    """Remove what was kept of the same place before, and what a killed process began to write more than a day ago."""
    begun = (path for path in entry.parent.glob(".writing-*") if time.time() - path.stat().st_mtime > ABANDONED_SECONDS)
    for outdated in (*entry.parent.glob(f"{entry.name.rpartition('-')[0]}-*"), *begun):
        shutil.rmtree(outdated, ignore_errors=True)
