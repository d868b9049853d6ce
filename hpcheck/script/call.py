"""What a call named: the config, what was overridden, a script's command. Commands that are told to be tried next name the same."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from hpcheck.script.command_line import TAKE_ONE

RUN_DIRECTORY = ("name", "run.dir")  # the keys that `show` needs to find what was found


@dataclass(frozen=True)
class Call:
    """The config's path as it was typed, the overrides of `-s`, the file of `--from`, and what stood after `--`."""

    config: Path | None = None
    overrides: tuple[str, ...] = ()
    from_: Path | None = None
    script: tuple[str, ...] | None = None

    def named_in(self, command: str) -> str:
        """A command that names what this call did. What it sets itself goes before what was set.

        >>> Call(Path("my.yaml"), ("start.max_lr=0.1", "budget.epochs=4")).named_in("hpcheck run -s budget.epochs=8")
        'hpcheck run my.yaml -s start.max_lr=0.1 -s budget.epochs=8'
        >>> Call(script=("python", "train.py")).named_in("hpcheck run --sure")
        'hpcheck run --sure -- python train.py'
        >>> Call(Path("my.yaml"), ("start.max_lr=0.1", "name=a")).named_in("hpcheck show --snippet pytorch")
        'hpcheck show my.yaml -s name=a --snippet pytorch'
        """
        _, step, *given = shlex.split(command) if command.startswith("hpcheck ") else ("", "")
        if step not in (*TAKE_ONE, "show"):
            return command
        overrides = [one for one in self.overrides if _key(one) not in set(_keys(given)) and (step != "show" or _key(one) in RUN_DIRECTORY)]
        from_ = self.from_ if step not in ("show", "plan") and "--from" not in given else None
        script = self.script if step != "show" else None
        parts = ["hpcheck", step, *([str(self.config)] if self.config is not None else [])]
        parts += [word for one in overrides for word in ("-s", one)]
        parts += ["--from", str(from_)] if from_ is not None else []
        return shlex.join([*parts, *given, *(["--", *script] if script is not None else [])])


def _keys(words: Sequence[str]) -> Iterator[str]:
    """The config's keys that these words of a command set."""
    for option, value in pairwise(words):
        if option == "-s":
            yield _key(value)
    if "--sure" in words:
        yield "confirm.sure"


def _key(override: str) -> str:
    return override.partition("=")[0].strip()
