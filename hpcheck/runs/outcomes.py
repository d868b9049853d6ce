"""What a training did with each validation example, packed into a record: one bit for right or wrong, two bytes for a number."""

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BITS, HALF = "bits", "float16"
LARGEST = float(np.finfo(np.float16).max)


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """Values of N examples, (N,), as text: one bit each where all are 0 or 1, else float16, cut at what that can hold.

    >>> packed(np.array([1, 0, 1, 1]))
    {'as': 'bits', 'count': 4, 'data': 'sA=='}
    """
    numbers = np.asarray(values, dtype=np.float64)
    if np.isin(numbers, (0.0, 1.0)).all():
        kind, content = BITS, np.packbits(numbers.astype(bool)).tobytes()
    else:
        kind, content = HALF, np.nan_to_num(numbers, nan=LARGEST).clip(-LARGEST, LARGEST).astype("<f2").tobytes()
    return {"as": kind, "count": len(numbers), "data": base64.b64encode(content).decode()}


def unpacked(told: Any) -> FloatArray | None:
    """The values of N examples, (N,); None where there are none, or not such as `packed` wrote.

    >>> unpacked(packed(np.array([0.5, 2.0]))), unpacked(None)
    (array([0.5, 2. ]), None)
    """
    if not isinstance(told, Mapping) or told.get("as") not in (BITS, HALF):
        return None
    try:
        content = base64.b64decode(told["data"], validate=True)
        count = int(told["count"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if told["as"] == BITS:
        bits = np.unpackbits(np.frombuffer(content, dtype=np.uint8))
        return bits[:count].astype(np.float64) if count > 0 and len(content) == -(-count // 8) else None
    values = np.frombuffer(content, dtype="<f2").astype(np.float64) if count > 0 and len(content) == 2 * count else None
    return values if values is not None and np.isfinite(values).all() else None
