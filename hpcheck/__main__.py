"""The `hpcheck` command: runs the application and turns every expected failure into one clear line and an exit code."""

import os
import shlex
import sys
import threading
import traceback
from contextlib import suppress

from hpcheck.terminal.exit_codes import GIVEN_WRONG, HELD, PIPE_CLOSED, RUN_FAILED, STORAGE_FAILED

# What a mistake in hpcheck raises; torch, a driver or Ray raise a `RuntimeError` for what they cannot do.
OUR_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


def main() -> None:
    """Entry point of the console script."""
    code = run(sys.argv[1:])
    left = [thread.name for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    if left:  # of the user's code: Python would wait for them, and so for ever
        say(f"threads that your code left running end with the command: {', '.join(left)}")
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Tracebacks only with --debug, which may stand before or after the command."""
    from hpcheck.analysis.memory import Memory
    from hpcheck.cli.app import app
    from hpcheck.script import command_line
    from hpcheck.terminal.signals import Interrupted, interruptible

    options, script = split_at_dashes(arguments)
    debug = "--debug" in options
    arguments = [*(each for each in options if each != "--debug"), *script]
    try:
        own = command_line.take(arguments)
        with interruptible(), Memory():
            return int(app(args=own or ["--help"], prog_name="hpcheck", standalone_mode=False) or 0)
    except SystemExit as end:
        return ended(end)
    except Interrupted as interrupt:
        say(f"interrupted; to go on where it stopped: {shlex.join(['hpcheck', *arguments])}")
        return interrupt.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # an option or argument that typer refused; its class has had several homes
            say(f"error: {error.format_message().replace('Value error, ', '')} (`hpcheck --help` lists what there is)")
            return GIVEN_WRONG
        if debug:
            traceback.print_exc()
        return report(error)


def split_at_dashes(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the first `--`, and the rest with it: that belongs to another program."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at:]


def ended(end: SystemExit) -> int:
    """The exit code where something ended the process: the user's code, or a library whose stdout was closed."""
    from hpcheck.plugins.user_errors import as_theirs

    theirs = as_theirs(end)
    if theirs is not None:
        return report(theirs)
    return PIPE_CLOSED if end.code == 1 else int(end.code or 0)  # click and rich say 1, which is a drift's


def report(error: Exception) -> int:
    """Say what went wrong in a line, and choose the exit code."""
    from hpcheck.config import ConfigError
    from hpcheck.errors import ChangedError, InputError, RunFailedError
    from hpcheck.plugins.user_errors import UsersCodeError, as_theirs
    from hpcheck.runs.files import StorageError
    from hpcheck.runs.lock import HeldError

    error = as_theirs(error) or error
    if isinstance(error, OSError):
        error = StorageError(f"{error.filename or type(error).__name__}: {error.strerror or error}")
    if isinstance(error, ConfigError):
        say(str(error))  # a line for each problem
        return GIVEN_WRONG
    expected: dict[type[Exception], int] = {HeldError: HELD, StorageError: STORAGE_FAILED}
    expected |= {RunFailedError: RUN_FAILED, ChangedError: RUN_FAILED, UsersCodeError: GIVEN_WRONG, InputError: GIVEN_WRONG}
    code = next((code for kind, code in expected.items() if isinstance(error, kind)), None)
    if code is not None:
        say(f"error: {error}")
        return code
    whose = "hpcheck's own error" if isinstance(error, OUR_FAULTS) else "error"
    say(f"{whose}: {type(error).__name__}: {error}; --debug shows where")
    return RUN_FAILED


def say(text: str) -> None:
    """What went wrong, to stderr."""
    from hpcheck.terminal import stdout

    stdout.tell(text)


if __name__ == "__main__":
    main()
