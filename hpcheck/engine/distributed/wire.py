"""Specs and errors as text, for processes that this command did not start itself: JSON, so that reading them runs nothing."""

import json
from typing import Any

from hpcheck.data.arrays import DataError
from hpcheck.errors import ChangedError, InputError, RunFailedError
from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.runs.files import StorageError
from hpcheck.runs.lock import HeldError
from hpcheck.runs.records import NewerRecordError
from hpcheck.runs.spec import Spec, from_dict, to_dict

KINDS: dict[str, type[Exception]] = {  # what a run may raise for a person to read; anything else arrives as a `RunFailedError`
    kind.__name__: kind
    for kind in (ChangedError, DataError, HeldError, NewerRecordError, RunFailedError, StorageError, UsersCodeError, InputError)
}


def spec_to_text(spec: Spec) -> str:
    """The whole of a spec, where its data lie included."""
    return json.dumps({"spec": to_dict(spec), "root": spec.data.root})


def spec_from_text(text: str) -> Spec:
    """The spec that `spec_to_text` wrote. Raises `ValueError`, `KeyError` or `TypeError` for any other text."""
    told: dict[str, Any] = json.loads(text)
    return from_dict({**told["spec"], "data": {**told["spec"]["data"], "root": told["root"]}})


def error_to_text(error: BaseException) -> str:
    """What kind of error it is, and its words."""
    kind, words = type(error).__name__, str(error)
    if KINDS.get(kind) is not type(error):
        kind, words = "RunFailedError", words if isinstance(error, RunFailedError) else f"{kind}: {words}"
    return json.dumps({"kind": kind, "words": words})


def error_from_text(text: str) -> Exception:
    """The error that `error_to_text` told of."""
    told = json.loads(text)
    return KINDS.get(told["kind"], RunFailedError)(told["words"])
