"""The `hpcheck` command: runs the application and turns every expected failure into one clear line and an exit code."""

import shlex
import sys
import traceback

GIVEN_WRONG, RUN_FAILED, HELD, STORAGE_FAILED = 2, 3, 4, 5


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Tracebacks only with --debug."""
    from hpcheck.cli import app
    from hpcheck.interrupts import Interrupted, interruptible

    try:
        with interruptible():
            return int(app(args=arguments or ["--help"], prog_name="hpcheck", standalone_mode=False) or 0)
    except SystemExit as end:
        return int(end.code or 0)
    except Interrupted as interrupt:
        say(f"interrupted; to go on where it stopped: {shlex.join(['hpcheck', *arguments])}")
        return interrupt.exit_code
    except Exception as error:
        if hasattr(error, "format_message"):  # an option or argument that typer refused; its class has had several homes
            say(f"error: {error.format_message().replace('Value error, ', '')} (`hpcheck --help` lists what there is)")
            return GIVEN_WRONG
        if "--debug" in arguments:
            traceback.print_exc()
        return report(error)


def report(error: Exception) -> int:
    """Say what went wrong in a line, and choose the exit code."""
    from hpcheck.config import ConfigError
    from hpcheck.engine.processes import RunFailedError
    from hpcheck.lock import HeldError
    from hpcheck.storage import StorageError
    from hpcheck.users_code import UsersCodeError, as_theirs

    error = as_theirs(error) or error
    if isinstance(error, OSError):
        error = StorageError(f"{error.filename or type(error).__name__}: {error.strerror or error}")
    if isinstance(error, ConfigError):
        say(str(error))  # a line for each problem
        return GIVEN_WRONG
    expected: dict[type[Exception], int] = {HeldError: HELD, StorageError: STORAGE_FAILED, RunFailedError: RUN_FAILED}
    expected |= {UsersCodeError: GIVEN_WRONG, ValueError: GIVEN_WRONG}
    code = next((code for kind, code in expected.items() if isinstance(error, kind)), None)
    say(f"error: {error}" if code is not None else f"error: {type(error).__name__}: {error}")
    return RUN_FAILED if code is None else code


def say(text: str) -> None:
    """To stderr, with what a terminal would obey escaped."""
    print("".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text), file=sys.stderr)


if __name__ == "__main__":
    main()
