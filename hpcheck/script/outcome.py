"""How a launch ended, in one line for a person."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hpcheck.plugins.user_errors import UsersCodeError
from hpcheck.script import failing
from hpcheck.script.job import EVALUATING, FOLLOWING, STARTED, Job, pulse_in, told

KILLED = 128 + 9
KILLED_RANK = re.compile(r"exitcode\s*:\s*-9\b")  # torchrun's own report
OUT_OF_MEMORY = ("OutOfMemoryError", "CUDA out of memory", "can't allocate memory", "MemoryError")


def was_killed(code: int, output: str) -> bool:
    """Whether the command, or a process of it, was killed from outside, most likely for want of memory."""
    return code == KILLED or (code != 0 and bool(KILLED_RANK.search(output)))


def ran_out(output: str) -> bool:
    """Whether it ran out of memory and said so."""
    return any(words in output for words in OUT_OF_MEMORY)


def failure(command: Sequence[str], job: Job, folder: Path, code: int, output: str, label: str) -> UsersCodeError:
    """What went wrong in a launch that left no answer."""
    phase, updates, _ = pulse_in(folder)
    name, said, refused = named(command), told(folder, "failed"), told(folder, "refused")
    if refused is not None and not (said is not None and said["ours"]):
        said = {"place": "", "words": refused["words"], "ours": True}
    at = _at(phase, updates, job)
    during = f" ({label}, {at})" if label else f" ({at})"
    if said is not None and said["ours"]:
        where = f"{_relative(said['place'])}: " if said["place"] else f"{name}: "
        return UsersCodeError(f"{where}{said['words']}{during}")
    place, words = (said["place"], said["words"]) if said is not None else failing.from_text(output)
    if words:
        hint = "; a launched script has no stdin" if words.startswith("EOFError") else ""
        return UsersCodeError(f"{_relative(place) or name}: {words}{hint}{during}; exit code {code}")
    if code == 0:
        return UsersCodeError(_ended(name, phase, updates, job) + (f" ({label})" if label else ""))
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "")
    said_last = f"; its last words: {last[:200]}" if last else "; it said nothing"
    return UsersCodeError(f"{name} ended with exit code {code} and no traceback{during}{said_last}")


def silent(command: Sequence[str], job: Job, folder: Path, limit: float, label: str) -> UsersCodeError:
    """A launch that hung."""
    phase, updates, _ = pulse_in(folder)
    during = f"{label}, {_at(phase, updates, job)}" if label else _at(phase, updates, job)
    return UsersCodeError(f"{named(command)} did nothing for {limit:g} s and was ended ({during}); run.timeout sets the limit")


def _ended(name: str, phase: int, updates: int, job: Job) -> str:
    if phase == STARTED:
        ways = "see docs/how-to/own-script.md, or hpcheck init --script (init --hf for a Trainer)"
        return f"{name} ended without a call of hpcheck.follow: {ways}"
    if not updates:
        return f"{name} ended before the first update of the optimizer that it gave to hpcheck.follow"
    of = f" of {job.spec['steps']}" if job.spec else ""
    return f"{name} ended by itself after update {updates}{of}: its loop must go on until it is ended (for epoch in hp.epochs(EPOCHS))"


def _at(phase: int, updates: int, job: Job) -> str:
    if phase == STARTED:
        return "before hpcheck.follow"
    of = f" of {job.spec['steps']}" if job.spec else ""
    return {FOLLOWING: "at", EVALUATING: "evaluating after"}.get(phase, "after") + f" update {updates}{of}"


def named(command: Sequence[str]) -> str:
    """What a command is called: its script, its module, or all of it.

    >>> named(["python", "-u", "a b/train.py", "--fast"]), named(["python", "-m", "pkg.train"]), named(["./go"])
    ('train.py', 'pkg.train', './go')
    """
    for at, word in enumerate(command):
        if word.endswith(".py") and at:
            return Path(word).name
        if word == "-m" and at + 1 < len(command) and "torch.distributed" not in command[at + 1] and command[at + 1] != "accelerate":
            return command[at + 1]
    return shlex.join(command)


def _relative(place: str) -> str:
    path, _, line = place.rpartition(":")
    here = f"{Path.cwd()}/"
    return f"{path.removeprefix(here)}:{line}" if place else ""
