"""Which device a run goes to: the one with the fewest, where it fits beside them by what runs like it have been seen to take."""

from collections import defaultdict
from collections.abc import Hashable, Mapping


class Slots:
    """Devices by name, each with its free bytes (None: nobody counts them), and the runs on them.

    At most `at_once` runs altogether, spread evenly. Where bytes are counted, a run of a kind that has not been seen yet gets a device to
    itself, and is measured there; one that has been seen goes where that much is left, and in any case to an empty device.

    >>> slots = Slots({"cuda:0": 100, "cuda:1": 100}, at_once=4)
    >>> [slots.take("small"), slots.take("small"), slots.take("small")]
    ['cuda:0', 'cuda:1', None]
    >>> slots.give_back("cuda:0", "small", peak=40)
    >>> [slots.take("small"), slots.take("small"), slots.take("small"), slots.take("small")]
    ['cuda:0', 'cuda:0', 'cuda:1', None]
    """

    def __init__(self, devices: Mapping[str, int | None], at_once: int) -> None:
        self.devices, self.at_once = dict(devices), at_once
        self._running: dict[str, list[Hashable]] = {device: [] for device in devices}
        self._peaks: defaultdict[Hashable, int] = defaultdict(int)

    def take(self, kind: Hashable) -> str | None:
        """The device for a run of this kind; None where it has to wait."""
        if not self.has_room():
            return None
        for device, runs in sorted(self._running.items(), key=lambda item: len(item[1])):
            if not runs or self._fits(device, kind):
                runs.append(kind)
                return device
        return None

    def has_room(self) -> bool:
        """Whether fewer runs are under way than may be."""
        return sum(map(len, self._running.values())) < self.at_once

    def hold(self, device: str, kind: Hashable) -> None:
        """Count a run that is on this device already."""
        self._running[device].append(kind)

    def give_back(self, device: str, kind: Hashable, peak: int | None = None) -> None:
        """A run has ended; it took so many bytes, where that is known."""
        self._running[device].remove(kind)
        self._peaks[kind] = max(self._peaks[kind], peak or 0)

    def _fits(self, device: str, kind: Hashable) -> bool:
        free, runs = self.devices[device], self._running[device]
        if free is None:
            return True
        return all(self._peaks[one] for one in (kind, *runs)) and sum(self._peaks[one] for one in (kind, *runs)) <= free
