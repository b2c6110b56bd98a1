"""Remembers what to say about predecessors that do not exist, because looking for similar names takes long."""

from collections.abc import Set as AbstractSet

from financehub_shared.spec.predecessors import Predecessor, missing, without_hint

#: Followers per step for which similar names are looked for, which takes about 10 ms each among thousands of names. Due
#: runs wait meanwhile.
_PER_STEP = 3


class MissingNames:
    """Describes missing predecessors. Similar names are looked for again only if a schedule was added or removed."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()
        #: Name and predecessor of each follower → the names that were compared, and what was found.
        self._found: dict[tuple[str, str], tuple[frozenset[str], Predecessor]] = {}
        self._left = _PER_STEP

    def begin_step(self, names: AbstractSet[str], followers: AbstractSet[tuple[str, str]]) -> None:
        """Begin a step of `Followers`.

        Args:
            names: `namespace/name` of all schedules that the user may have meant.
            followers: `namespace/name` of each follower and of its predecessor.
        """
        self._left = _PER_STEP
        if names != self._names:
            self._names = frozenset(names)
        if self._found.keys() - followers:
            self._found = {key: found for key, found in self._found.items() if key in followers}

    def describe(self, name: str, after: str) -> Predecessor:
        """Return what to say about a predecessor that does not exist. The similar names may follow in a later step.

        Args:
            name: `namespace/name` of the follower, which cannot be meant.
            after: `namespace/name` of its predecessor.
        """
        compared, found = self._found.get((name, after), (None, None))
        if found is not None and compared is self._names:
            return found
        if self._left == 0:
            return found or without_hint(after)
        self._left -= 1
        found = missing(after, self._names - {name})
        self._found[name, after] = self._names, found
        return found
