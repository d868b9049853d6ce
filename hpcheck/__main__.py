"""The `hpcheck` command: runs the application and turns every expected failure into one clear line and an exit code."""

import sys
import traceback

GIVEN_WRONG, RUN_FAILED, STORAGE_FAILED, INTERRUPTED = 2, 3, 5, 130


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code. Tracebacks only with --debug."""
    from hpcheck.cli import app

    try:
        app(args=arguments, prog_name="hpcheck")
    except SystemExit as end:
        return int(end.code or 0)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if "--debug" in arguments:
            traceback.print_exc()
        return report(error)
    return 0


def report(error: Exception) -> int:
    """Say what went wrong in a line, and choose the exit code."""
    from hpcheck.config import ConfigError
    from hpcheck.data._arrays import DataError
    from hpcheck.records import StorageError

    if isinstance(error, ConfigError):
        print(error, file=sys.stderr)
        return GIVEN_WRONG
    code = GIVEN_WRONG if isinstance(error, DataError | ValueError) else STORAGE_FAILED if isinstance(error, StorageError) else RUN_FAILED
    kind = "" if code != RUN_FAILED else f"{type(error).__name__}: "
    print(f"error: {kind}{error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
