"""Holds the encoded run events that wait for Redis, in order and within a limit of memory."""

import json
from collections import deque

from financehub_shared.core.text import storable
from financehub_shared.monitor.run_events import RunEvent

#: Maximum size of the waiting events in characters, which are bytes in memory. An event has about 1 kB, or 10 kB with a
#: long summary. A worker does not get this far in an outage of Redis, because it cannot fetch messages either.
MAX_CHARACTERS = 16_000_000
#: Redis refuses nothing that is smaller, and an event of a task is far smaller: it is truncated where it is made.
MAX_EVENT_CHARACTERS = 1_000_000
#: `json.dumps` would build an encoder for each event.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
#: How JSON in ASCII writes a surrogate. Two of them are one character, such as an emoji.
_SURROGATE = "\\ud"


def encode_event(event: RunEvent) -> str:
    """Return an event as JSON that Redis can read.

    Lua's JSON library refuses a text with a lone surrogate, and refuses the whole event with it, so text is escaped
    here, before it is sent. JSON in ASCII also makes the number of characters the number of bytes.

    Raises:
        TypeError, RecursionError: A value has no JSON form.
        ValueError: A value is not a finite number, or the event is too large.
    """
    encoded = _ENCODER.encode(event)
    if _SURROGATE in encoded:
        safe = {name: storable(value) if isinstance(value, str) else value for name, value in event.items()}
        encoded = _ENCODER.encode(safe)
    if len(encoded) > MAX_EVENT_CHARACTERS:
        raise ValueError(f"it has {len(encoded):,} characters; the limit is {MAX_EVENT_CHARACTERS:,}")
    return encoded


class Backlog:
    """A queue of encoded events. The caller holds a lock.

    If the limit is exceeded, the oldest events are dropped. The newest ones decide what listings and health checks show
    as the last run of a task and of a schedule.

    Args:
        limit: Maximum total size in characters.
    """

    def __init__(self, limit: int = MAX_CHARACTERS) -> None:
        self._limit = limit
        self._events: deque[str] = deque()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: str) -> int:
        """Add the newest event, and return the number of events that were dropped."""
        self._events.append(event)
        self._characters += len(event)
        return self._drop_oldest()

    def put_back(self, events: list[str]) -> int:
        """Return events that `take` returned to the front, and return the number of events that were dropped."""
        self._events.extendleft(reversed(events))
        self._characters += sum(map(len, events))
        return self._drop_oldest()

    def take(self, count: int) -> list[str]:
        """Remove and return the oldest events, at most `count`."""
        events = [self._events.popleft() for _ in range(min(count, len(self._events)))]
        self._characters -= sum(map(len, events))
        return events

    def clear(self) -> int:
        """Remove all events and return their number."""
        return len(self.take(len(self._events)))

    def _drop_oldest(self) -> int:
        dropped = 0
        while self._characters > self._limit:
            self._characters -= len(self._events.popleft())
            dropped += 1
        return dropped
