"""The exit codes of the commands, as `docs/commands.md` has them; an interrupted command's is 128 and the signal's number."""

FINE = 0  # a tie is an answer
DIFFERS = 1  # `check` drifted, or `reproduce` misses the paper's value
GIVEN_WRONG = 2
RUN_FAILED = 3  # or hpcheck itself did
HELD = 4  # another process has the run directory
STORAGE_FAILED = 5
ABSTAINED = 6  # a reading did, or nothing could be run
PIPE_CLOSED = 141  # whoever read stdout did not wait for the end (`| head`): 128 and SIGPIPE's number
