"""Collects what readers leave out, for callers that tell a user about it and not only the log.

A reader that skips a damaged record or a key of another type calls `note_left_out`, at every read. The log lines about
it are limited to one an hour, but an answer to a user must name it each time.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: Number of notes that one collection keeps. Further ones are counted.
MOST_NOTES = 20


class LeftOut:
    """What was left out since the collection began."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}
        self._further = 0

    def add(self, note: str) -> None:
        """Add one note, unless it is there already."""
        if note in self._notes:
            return
        if len(self._notes) < MOST_NOTES:
            self._notes[note] = None
        else:
            self._further += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes, and how many further ones there are."""
        further = (f"{self._further:,} further records are left out; the log names them",) if self._further else ()
        return (*self._notes, *further)


_collection: ContextVar[LeftOut | None] = ContextVar("left_out", default=None)


@contextmanager
def collect_left_out() -> Iterator[LeftOut]:
    """Collect what the calling thread or task leaves out until the context ends."""
    collection = LeftOut()
    token = _collection.set(collection)
    try:
        yield collection
    finally:
        _collection.reset(token)


def note_left_out(note: str) -> None:
    """Note something that a reader leaves out: what it is, and why. Without a collection, this does nothing."""
    if (collection := _collection.get()) is not None:
        collection.add(note)
