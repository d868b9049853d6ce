"""The error of a command that was given something wrong; the lowest layer, which every other may import."""


class InputError(ValueError):
    """What was given cannot be used: one line that says which key or file, what is allowed and what to do. Any other `ValueError` that
    leaves a command is hpcheck's own fault, and is told as that."""


class RunFailedError(Exception):
    """A run could not be computed: which one, why, and what to do."""


class Stopped(RunFailedError):  # noqa: N818  where the command itself asked for it, it is no failure
    """The run was asked to stop and has left a checkpoint. It comes from a worker, and is heard without torch."""

    def __init__(self) -> None:
        super().__init__("a worker process was told to end (SIGTERM); the same command goes on where it stopped")

    def __reduce__(self) -> tuple[type["Stopped"], tuple[()]]:
        return Stopped, ()


class ChangedError(Exception):
    """The user's code or data are not what they were when the command looked."""
