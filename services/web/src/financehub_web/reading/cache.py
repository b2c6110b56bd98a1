"""Shares what was read from Redis among requests, and keeps the last good answer for when Redis does not answer."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import redis

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.redis.explanations import shorten

T = TypeVar("T")

#: Requests within this time share one reading. Pages are refreshed every few seconds, and data changes every 2 minutes.
FRESH_SECONDS = 1.0
#: While one request reads again, the others get the last reading if it is not older than this.
STALE_SECONDS = 15.0
#: Number of readings that are kept. There is one for each list, and one for each symbol, schedule or run that somebody
#: looks at.
MOST_READINGS = 500


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was read from Redis at one moment.

    Args:
        value: What was read.
        at: Time of the reading in Unix seconds.
        problem: Why Redis could not be read since then. Empty if it answered.
    """

    value: T
    at: float
    problem: str = ""


@dataclass(slots=True)
class _Entry:
    """The last reading, the monotonic time at which the last attempt ended, and the lock of the thread that reads."""

    reading: Reading[Any] | None = None
    tried_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class ReadingCache:
    """Reads each name at most once at a time and at most once per `FRESH_SECONDS`. It can be used by all threads.

    Args:
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def get(self, name: Hashable, read: Callable[[], T]) -> Reading[T]:
        """Return a reading that is fresh, or the last good one with the problem if Redis does not answer.

        Args:
            name: What is read.
            read: Reads it.

        Raises:
            StoreUnavailableError: Redis does not answer, and has not answered before.
        """
        entry = self._entry(name)
        last = entry.reading
        if last is not None and self._age(entry) <= FRESH_SECONDS:
            return last
        # A Redis that hangs must not stop every thread, so only one waits for it if there is something to show.
        wait = last is None or self._age(entry) > STALE_SECONDS
        if not entry.lock.acquire(blocking=wait):
            assert last is not None  # noqa: S101 — otherwise it would have waited
            return last
        try:
            if entry.reading is not None and self._age(entry) <= FRESH_SECONDS:
                return entry.reading
            return self._read(entry, read)
        finally:
            entry.lock.release()

    def _age(self, entry: _Entry) -> float:
        return self._clock.monotonic() - entry.tried_at

    def _entry(self, name: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            self._entries.move_to_end(name)
            if len(self._entries) > MOST_READINGS:
                self._entries.popitem(last=False)
            return entry

    def _read(self, entry: _Entry, read: Callable[[], T]) -> Reading[T]:
        try:
            reading = Reading(read(), self._clock.now())
        except (redis.RedisError, StoreUnavailableError) as error:
            if entry.reading is None:
                raise StoreUnavailableError(f"Redis does not answer: {shorten(error)}") from error
            reading = replace(entry.reading, problem=f"Redis does not answer: {shorten(error)}")
        entry.reading = reading
        entry.tried_at = self._clock.monotonic()
        return reading
