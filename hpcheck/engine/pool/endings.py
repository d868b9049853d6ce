"""How a worker ended that was not asked to, in words: killed, crashed, or by an exit of the user's code."""

import signal
from collections.abc import Iterable

from hpcheck.engine.pool.handles import UNKNOWN

ASKED_TO = (0, -signal.SIGTERM)  # of the others, which the pool ended


def words(who: str, codes: Iterable[int], memory: str) -> str:
    """What to tell of processes that ended again and again.

    Args:
        who: what they are.
        codes: with which they and their neighbours ended.
        memory: what to do where memory may be wanting.
    """
    code = next((code for code in codes if code not in (*ASKED_TO, UNKNOWN)), None)
    if code is not None and code > 0:
        return f"{who} ended with exit code {code} again and again: your code, or a library that it uses, ends the process (os._exit)"
    if code is not None and code != -signal.SIGKILL:
        return f"{who} crashed again and again ({_name(-code)}), most likely in a compiled library that your code uses"
    return f"{who} was killed again and again, most likely for want of memory{f': {memory}' if memory else ''}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
