"""Lines that are alike, thinned: a log of a million iterations holds far more of them than the few hundred evaluations that are read."""

from collections import Counter
from collections.abc import Iterable, Iterator

ALL = 50_000  # ours: lines of one shape that are all read; then half of as many again, a quarter of twice as many, and so on
SHORTER = 3  # ours: a line that is shorter than the one before it by so many characters may begin a run that counts from 1 again
DIGITS = str.maketrans("", "", "0123456789.+-")
MOST_SHAPES = 10_000  # ours: shapes that are told apart; in a text with more of them all lines are read


class Thinning:
    """The lines to read, and how many were passed over.

    >>> thinning = Thinning(2)
    >>> [line for _, line in thinning.kept((at, f"step {at:03}") for at in range(12))]
    ['step 000', 'step 001', 'step 002', 'step 004', 'step 008', 'step 011']
    >>> thinning.note
    '6 of 12 lines are passed over: each is like others that are read'
    """

    def __init__(self, most: int | None = None) -> None:
        self._most, self._seen, self._lengths = most or ALL, Counter[str](), dict[str, int]()
        self.read = self.passed = 0

    def kept(self, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        """The lines without those that are like many others. The last line of the text is always among them."""
        held: tuple[int, str] | None = None
        for at, line in lines:
            self.read += 1
            if held is not None:
                self.passed += 1
            held = None if self._is_needed(line) else (at, line)
            if held is None:
                yield at, line
        if held is not None:
            yield held

    def _is_needed(self, line: str) -> bool:
        shape = line.translate(DIGITS)
        if len(self._seen) >= MOST_SHAPES and shape not in self._seen:
            return True
        seen = self._seen[shape]
        self._seen[shape] = seen + 1
        before, self._lengths[shape] = self._lengths.get(shape, 0), len(line)
        every = 1 << (seen // self._most).bit_length()
        return seen % every == 0 or len(line) <= before - SHORTER

    @property
    def note(self) -> str:
        """What is said of it; empty where every line was read."""
        return f"{self.passed:,} of {self.read:,} lines are passed over: each is like others that are read" if self.passed else ""
