"""Shares what was read from Redis among requests, and keeps the last good answer for when Redis does not answer."""

import itertools
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import redis
import structlog

from financehub_shared.core.clock import Clock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.left_out import collect_left_out, note_left_out
from financehub_shared.core.outage import Outage
from financehub_shared.redis.explanations import shorten
from financehub_web.reading.kept import KeptReadings

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Requests within this time share one reading. Pages are refreshed every few seconds, and data changes every 2 minutes.
FRESH_SECONDS = 1.0
#: A reading up to this age is returned at once, while a thread in the background reads again. Many requests per second
#: therefore never wait for Redis, and rare ones always get what Redis contains now.
REFRESHED_SECONDS = 2.0
#: While one request reads again, the others get the last reading if it is not older than this.
STALE_SECONDS = 15.0
#: A thread in the background begins to read after this time, so that the request which started it has ended before.
#: Both would otherwise share the interpreter, and the request would take several times as long.
HEAD_START_SECONDS = 0.005
#: After Redis did not answer, one request tries again after this time, and the others fail at once.
RETRY_SECONDS = 0.5
#: Longest time for which a request waits for another one that reads the same. It is longer than one command may take.
WAIT_SECONDS = 2.5

#: The problem of a request that waited too long for another one.
_BUSY = "another request has been reading the same records for too long"

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
        content: The version of the first of the readings in a row that differ only in ages.
    """

    value: T
    at: float
    problem: str = ""
    warnings: tuple[str, ...] = ()
    version: int = field(default_factory=lambda: next(_versions), compare=False)
    content: int = field(default=0, compare=False)

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


def _never(_: object, __: object) -> bool:
    return False


@dataclass(slots=True)
class _Entry:
    """The last good reading of a name. Only the thread that holds its lock changes it.

    Args:
        name: What is read.
        is_kept: Whether the reading is kept for later requests.
        reading: The reading; None before the first one.
        read_at: Monotonic time at which it ended.
        problem: Why the last attempt after it failed. Empty if it is the last attempt.
        lock: Lock of the thread that reads.
        users: Number of threads that use an entry which is not kept yet.
        is_same: Whether two values differ only in ages.
        generation: Number of actions before the reading began.
    """

    name: Hashable
    is_kept: bool
    reading: Reading[Any] | None = None
    read_at: float = float("-inf")
    problem: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    is_same: Callable[[Any, Any], bool] = _never
    generation: int = 0


class ReadingCache:
    """Reads each name at most once at a time and at most once per `FRESH_SECONDS`. It can be used by all threads.

    If Redis hangs, the first requests wait until their commands time out. From then on, one request at a time tries
    again, and all others fail at once, so that threads are free for whatever needs no Redis. A reading is kept only
    after it succeeded, so requests during an outage cannot replace what was read before.

    Args:
        clock: Clock of the process, which shows the time of Redis.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: KeptReadings[_Entry] = KeptReadings()
        #: Entries of the names that are read now and that are not kept.
        self._begun: dict[Hashable, _Entry] = {}
        #: Number of calls of `expire`.
        self._generation = 0
        self._outage = Outage("reading", clock.monotonic, log, pause_seconds=RETRY_SECONDS)
        self._problem = ""
        #: Whether the thread makes the attempt that finds out whether an outage has ended. What it reads may need other
        #: readings, which are a part of the same attempt.
        self._attempt = threading.local()
        self._background = ThreadPoolExecutor(2, thread_name_prefix="reading")

    def expire(self) -> None:
        """Let the next request for each name read again, because an action has changed what is read."""
        with self._lock:
            self._generation += 1

    def get(
        self,
        name: Hashable,
        read: Callable[[], T],
        *,
        is_kept: bool = True,
        is_same: Callable[[T, T], bool] = _never,
    ) -> Reading[T]:
        """Return a reading that is fresh, or the last good one with the problem if Redis does not answer.

        Args:
            name: What is read: a text for a list that always exists, otherwise a tuple.
            read: Reads it.
            is_kept: Whether later requests may need the reading. Only those that arrive while it is read share one
                that is not kept, such as a page behind a certain record.
            is_same: Whether two values differ only in ages.

        Raises:
            ReadingUnavailableError: Redis does not answer, and has not answered before.
        """
        with self._entry(name, is_kept=is_kept) as entry:
            entry.is_same = is_same
            return self._get(entry, read)

    def _get(self, entry: _Entry, read: Callable[[], T]) -> Reading[T]:
        last, age = entry.reading, self._age(entry)
        if last is not None and not entry.problem and age <= FRESH_SECONDS:
            return last
        if self._outage.active:
            # the one request that tries again waits for Redis, and no other one waits for that request
            may_try = self._is_attempt or not self._outage.remaining_seconds()
            is_free = may_try and entry.lock.acquire(blocking=False)
            return self._read_and_release(entry, read) if is_free else self._failed(entry, self._problem)
        if last is None or entry.problem or age > STALE_SECONDS:
            is_free = entry.lock.acquire(timeout=WAIT_SECONDS)
            problem = self._problem if self._outage.active else _BUSY
            return self._read_and_release(entry, read) if is_free else self._failed(entry, problem)
        if entry.lock.acquire(blocking=False):
            if age > REFRESHED_SECONDS:
                return self._read_and_release(entry, read)
            self._background.submit(self._refresh, entry, read)
        return last

    def _age(self, entry: _Entry) -> float:
        return self._clock.monotonic() - entry.read_at if entry.generation == self._generation else float("inf")

    @contextmanager
    def _entry(self, name: Hashable, *, is_kept: bool) -> Iterator[_Entry]:
        """Return the entry of a name, which all threads share that need it at the same time."""
        with self._lock:
            entry = self._kept.find(name)
            is_new = entry is None
            if entry is None:
                entry = self._begun.setdefault(name, _Entry(name, is_kept))
                entry.users += 1
        try:
            yield entry
        finally:
            if is_new:
                with self._lock:
                    entry.users -= 1
                    if not entry.users:
                        del self._begun[name]

    def _refresh(self, entry: _Entry, read: Callable[[], T]) -> None:
        time.sleep(HEAD_START_SECONDS)
        try:
            self._read_and_release(entry, read)
        except Exception:
            # Nobody waits for the result. The next request reads by itself and gets the error.
            log.exception("reading_refresh_failed")

    def _read_and_release(self, entry: _Entry, read: Callable[[], T]) -> Reading[T]:
        """Read, unless another thread has just done it, and release the lock of the entry."""
        try:
            last = entry.reading
            if last is not None and not entry.problem and self._age(entry) <= FRESH_SECONDS:
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
        generation = self._generation
        try:
            with collect_left_out() as left_out:
                value = read()
        except (redis.RedisError, StoreUnavailableError) as error:
            entry.problem = self._explain(error)
            return self._failed(entry, entry.problem)
        self._outage.succeeded()
        last, version = entry.reading, next(_versions)
        is_same = last is not None and last.warnings == left_out.notes and entry.is_same(last.value, value)
        content = last.content if last is not None and is_same else version
        reading = entry.reading = Reading(value, self._clock.now(), "", left_out.notes, version, content)
        entry.read_at = self._clock.monotonic()
        entry.generation = generation
        entry.problem = ""
        if entry.is_kept:
            with self._lock:
                self._kept.keep(entry.name, entry, value)
        return reading

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
        return replace(entry.reading, problem=problem, version=next(_versions))


def _is_outage(error: Exception) -> bool:
    """Whether the server does not answer at all, in contrast to a refusal of one command."""
    causes = (error, error.__cause__)
    outages = (redis.ConnectionError, redis.TimeoutError)
    return any(isinstance(each, outages) for each in causes) or (
        isinstance(error, StoreUnavailableError) and error.__cause__ is None
    )
