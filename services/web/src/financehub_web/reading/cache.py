"""Shares what was read from Redis among requests, and keeps the last good answer for when Redis does not answer."""

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import redis
import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.left_out import collect_left_out, note_left_out
from financehub_shared.core.outage import Outage
from financehub_shared.redis.explanations import shorten

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Requests within this time share one reading. Pages are refreshed every few seconds, and data changes every 2 minutes.
FRESH_SECONDS = 1.0
#: A reading up to this age is returned at once, while a thread in the background reads again. Many requests per second
#: therefore never wait for Redis, and rare ones always get what Redis contains now.
REFRESHED_SECONDS = 2.0
#: While one request reads again, the others get the last reading if it is not older than this.
STALE_SECONDS = 15.0
#: After Redis did not answer, one request tries again after this time, and the others fail at once.
RETRY_SECONDS = 0.5
#: Longest time for which a request waits for another one that reads the same. It is longer than one command may take.
WAIT_SECONDS = 2.5
#: Number of readings that are kept. There is one for each list, and one for each symbol, schedule or run that somebody
#: looks at. The bars of one asset take 200 kB.
MOST_READINGS = 100

_versions = itertools.count(1)


class ReadingUnavailableError(StoreUnavailableError):
    """There is no reading, or only one from before an outage of Redis."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What was read from Redis at one moment.

    Args:
        value: What was read.
        at: Time of the reading in Unix seconds.
        problem: Why Redis could not be read since then. Empty if it answered.
        warnings: The records that could not be read, each with the reason. They are missing in the value.
        version: Number that no other reading in this process has.
    """

    value: T
    at: float
    problem: str = ""
    warnings: tuple[str, ...] = ()
    version: int = field(default_factory=lambda: next(_versions), compare=False)

    def required(self) -> T:
        """Return the value for another reading, which then also has the warnings.

        Raises:
            ReadingUnavailableError: The value is from before an outage of Redis, so nothing new may be made from it.
        """
        if self.problem:
            raise ReadingUnavailableError(self.problem)
        for warning in self.warnings:
            note_left_out(warning)
        return self.value


@dataclass(slots=True)
class _Entry:
    """The last reading, the monotonic time at which the last attempt ended, and the lock of the thread that reads."""

    reading: Reading[Any] | None = None
    tried_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)


class ReadingCache:
    """Reads each name at most once at a time and at most once per `FRESH_SECONDS`. It can be used by all threads.

    If Redis hangs, the first requests wait until their commands time out. From then on, one request at a time tries
    again, and all others fail at once, so that threads are free for whatever needs no Redis.

    Args:
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._outage = Outage("reading", clock.monotonic, log, pause_seconds=RETRY_SECONDS)
        self._problem = ""
        #: Whether the thread makes the attempt that finds out whether an outage has ended. What it reads may need other
        #: readings, which are a part of the same attempt.
        self._attempt = threading.local()
        self._background = ThreadPoolExecutor(2, thread_name_prefix="reading")

    def get(self, name: Hashable, read: Callable[[], T]) -> Reading[T]:
        """Return a reading that is fresh, or the last good one with the problem if Redis does not answer.

        Args:
            name: What is read.
            read: Reads it.

        Raises:
            ReadingUnavailableError: Redis does not answer, and has not answered before.
        """
        entry = self._entry(name)
        last, age = entry.reading, self._age(entry)
        if last is not None and not last.problem and age <= FRESH_SECONDS:
            return last
        if self._outage.active:
            # the one request that tries again waits for Redis, and no other one waits for that request
            may_try = self._is_attempt or not self._outage.remaining_seconds()
            is_free = may_try and entry.lock.acquire(blocking=False)
            return self._read_and_release(entry, read) if is_free else self._failed(entry, self._problem)
        if last is None or last.problem or age > STALE_SECONDS:
            is_free = entry.lock.acquire(timeout=WAIT_SECONDS)
            problem = "Redis does not answer in time"
            return self._read_and_release(entry, read) if is_free else self._failed(entry, problem)
        if entry.lock.acquire(blocking=False):
            if age > REFRESHED_SECONDS:
                return self._read_and_release(entry, read)
            self._background.submit(self._refresh, entry, read)
        return last

    def _age(self, entry: _Entry) -> float:
        return self._clock.monotonic() - entry.tried_at

    def _entry(self, name: Hashable) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(name, _Entry())
            self._entries.move_to_end(name)
            if len(self._entries) > MOST_READINGS:
                self._entries.popitem(last=False)
            return entry

    def _refresh(self, entry: _Entry, read: Callable[[], T]) -> None:
        try:
            self._read_and_release(entry, read)
        except Exception:
            # Nobody waits for the result. The next request reads by itself and gets the error.
            log.exception("reading_refresh_failed")

    def _read_and_release(self, entry: _Entry, read: Callable[[], T]) -> Reading[T]:
        """Read, unless another thread has just done it, and release the lock of the entry."""
        try:
            last = entry.reading
            if last is not None and not last.problem and self._age(entry) <= FRESH_SECONDS:
                return last
            if self._is_attempt:
                return self._read(entry, read)
            if not self._outage.may_try():
                return self._failed(entry, self._problem)
            self._attempt.active = True
            try:
                return self._read(entry, read)
            finally:
                self._attempt.active = False
        finally:
            entry.lock.release()

    @property
    def _is_attempt(self) -> bool:
        return getattr(self._attempt, "active", False)

    def _read(self, entry: _Entry, read: Callable[[], T]) -> Reading[T]:
        try:
            with collect_left_out() as left_out:
                value = read()
        except (redis.RedisError, StoreUnavailableError) as error:
            return self._failed(entry, self._explain(error))
        self._outage.succeeded()
        entry.reading = Reading(value, self._clock.now(), "", left_out.notes)
        entry.tried_at = self._clock.monotonic()
        return entry.reading

    def _explain(self, error: Exception) -> str:
        """Return the problem for users, and note an outage."""
        if isinstance(error, ReadingUnavailableError):  # another reading that this one needs has failed
            return str(error)
        problem = f"Redis does not answer: {shorten(error)}"
        if _is_outage(error):
            self._problem = problem
            self._outage.failed(error)
        return problem

    def _failed(self, entry: _Entry, problem: str) -> Reading[Any]:
        """Return the last good reading with the problem.

        Raises:
            ReadingUnavailableError: There is none.
        """
        if entry.reading is None:
            raise ReadingUnavailableError(problem)
        # without a new time of the attempt, so that the next request tries again as soon as Redis may be tried
        entry.reading = replace(entry.reading, problem=problem, version=next(_versions))
        return entry.reading


def _is_outage(error: Exception) -> bool:
    """Whether the server does not answer at all, in contrast to a refusal of one command."""
    causes = (error, error.__cause__)
    outages = (redis.ConnectionError, redis.TimeoutError)
    return any(isinstance(each, outages) for each in causes) or (
        isinstance(error, StoreUnavailableError) and error.__cause__ is None
    )
