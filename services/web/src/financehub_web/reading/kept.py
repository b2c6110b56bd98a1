"""Keeps the last good readings within a limit of memory."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from financehub_web.reading.weights import weight_of

E = TypeVar("E")

#: Memory of all readings that belong to one symbol, schedule, run or filter. The bars of one asset take 0.1 MB.
MOST_BYTES = 20_000_000
#: A reading that takes more is not kept, because it would replace many that others need.
LARGEST_KEPT = 2_000_000
#: Memory of an entry without its reading and its name.
_ENTRY_BYTES = 700


class KeptReadings(Generic[E]):
    """The entries of the readings that were used last. Its user has to lock it.

    Lists such as all quotes, whose name is a text, are always kept: their number is fixed, and every page needs them.
    """

    def __init__(self) -> None:
        self._lists: dict[str, E] = {}
        self._others: OrderedDict[Hashable, tuple[E, int]] = OrderedDict()
        #: Estimated memory of the readings that are not lists.
        self.bytes = 0

    def __len__(self) -> int:
        """Return the number of readings."""
        return len(self._lists) + len(self._others)

    def find(self, name: Hashable) -> E | None:
        """Return an entry, and note that it is used."""
        if isinstance(name, str):
            return self._lists.get(name)
        found = self._others.get(name)
        if found is None:
            return None
        self._others.move_to_end(name)
        return found[0]

    def keep(self, name: Hashable, entry: E, value: object) -> None:
        """Keep an entry, and forget those that were not used for longest if there is too little room.

        Args:
            name: Name of the reading.
            entry: Its entry.
            value: What was read.
        """
        if isinstance(name, str):
            self._lists[name] = entry
            return
        _, weight = self._others.pop(name, (None, 0))
        self.bytes -= weight
        weight = weight_of((name, value), LARGEST_KEPT) + _ENTRY_BYTES
        if weight > LARGEST_KEPT:
            return
        self._others[name] = (entry, weight)
        self.bytes += weight
        while self.bytes > MOST_BYTES:
            _, (_, weight) = self._others.popitem(last=False)
            self.bytes -= weight
