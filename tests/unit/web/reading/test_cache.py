"""Tests of the readings that requests share."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from financehub_shared.core.clock import ManualClock
from financehub_shared.core.errors import StoreUnavailableError
from financehub_shared.core.left_out import note_left_out
from financehub_web.reading import cache as cache_module
from financehub_web.reading.cache import FRESH_SECONDS, REFRESHED_SECONDS, RETRY_SECONDS, ReadingCache
from financehub_web.reading.kept import LARGEST_KEPT, MOST_BYTES
from support.waiting import eventually


class Source:
    """Counts how often it is read, and fails or waits on request."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def read(self) -> int:
        self.reads += 1
        self.gate.wait(60)
        if self.error is not None:
            raise self.error
        return self.reads


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cache(clock: ManualClock) -> ReadingCache:
    return ReadingCache(clock)


@pytest.fixture
def source() -> Source:
    return Source()


def test_reading_is_shared_while_it_is_fresh(cache: ReadingCache, clock: ManualClock, source: Source):
    """Requests within the fresh time share one reading, and a later one reads again."""
    first = cache.get("a", source.read)
    clock.advance(FRESH_SECONDS)
    assert cache.get("a", source.read) is first
    clock.advance(REFRESHED_SECONDS)
    assert cache.get("a", source.read).value == 2
    assert cache.get("b", source.read).value == 3


def test_reading_from_before_an_action_is_not_used(cache: ReadingCache, source: Source):
    """After an action, the next request reads again, also if a reading that began before has just ended."""
    first = cache.get("a", source.read)
    cache.expire()
    second = cache.get("a", source.read)
    assert (first.value, second.value) == (1, 2)
    assert cache.get("a", source.read) is second
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(cache.get, "b", source.read)
        eventually(lambda: source.reads == 3, "the reading has begun")
        cache.expire()
        source.gate.set()
        assert begun.result(60).value == 3
    assert cache.get("b", source.read).value == 4


def test_reading_that_was_used_recently_is_refreshed_in_the_background(
    cache: ReadingCache, clock: ManualClock, source: Source
):
    """A request just after the fresh time gets the last reading without waiting, and the next one gets a new one."""
    first = cache.get("a", source.read)
    clock.advance(FRESH_SECONDS + 0.1)
    source.gate.clear()
    assert cache.get("a", source.read) is first
    source.gate.set()
    eventually(lambda: cache.get("a", source.read).value == 2)
    assert source.reads == 2


def test_reading_during_an_outage_keeps_the_last_value_and_says_so(
    cache: ReadingCache, clock: ManualClock, source: Source
):
    """The last good value stays with its time and the problem, and the next good reading has no problem."""
    good = cache.get("a", source.read)
    source.error = redis.ConnectionError("refused")
    clock.advance(60)
    stale = cache.get("a", source.read)
    assert (stale.value, stale.at) == (good.value, good.at)
    assert "refused" in stale.problem
    source.error = None
    clock.advance(RETRY_SECONDS)
    assert cache.get("a", source.read).problem == ""


def test_reading_without_a_last_value_raises_during_an_outage(cache: ReadingCache, source: Source):
    """Nothing is invented if Redis has never answered."""
    source.error = redis.TimeoutError("timed out")
    with pytest.raises(StoreUnavailableError, match="timed out"):
        cache.get("a", source.read)


def test_outage_lets_one_request_at_a_time_try_again(cache: ReadingCache, clock: ManualClock, source: Source):
    """After a failure, further requests of any name fail at once; after the pause, one of them reads."""
    source.error = redis.TimeoutError("timed out")
    for name in "abc":
        with pytest.raises(StoreUnavailableError):
            cache.get(name, source.read)
    assert source.reads == 1
    clock.advance(RETRY_SECONDS)
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        probe = pool.submit(cache.get, "a", source.read)
        eventually(lambda: source.reads == 2)
        with pytest.raises(StoreUnavailableError):
            cache.get("a", source.read)
        with pytest.raises(StoreUnavailableError):
            cache.get("b", source.read)
        source.error = None
        source.gate.set()
        assert probe.result().value == 2
    assert cache.get("b", source.read).value == 3


def test_refused_command_does_not_count_as_an_outage(cache: ReadingCache, source: Source):
    """If Redis refuses the command of one reading, other readings are not affected."""
    source.error = redis.ResponseError("NOPERM")
    with pytest.raises(StoreUnavailableError, match="NOPERM"):
        cache.get("a", source.read)
    source.error = None
    assert cache.get("b", source.read).value == 2


def test_threads_that_need_the_same_reading_read_it_once(cache: ReadingCache, source: Source):
    """Concurrent requests for one name wait for the first one."""
    source.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(cache.get, "a", source.read) for _ in range(8)]
        source.gate.set()
        assert {future.result().value for future in futures} == {1}


def test_required_reading_passes_its_problem_and_its_warnings_on(cache: ReadingCache, clock: ManualClock):
    """A reading that is made from another one has the warnings of that one, and fails with it."""

    def read() -> str:
        note_left_out("key: damaged")
        return "value"

    def derived() -> str:
        return cache.get("inner", read).required() + "!"

    outer = cache.get("outer", derived)
    assert (outer.value, outer.warnings) == ("value!", ("key: damaged",))
    clock.advance(60)

    def fail() -> str:
        raise redis.ConnectionError("refused")

    def derived_from_stale() -> str:
        return cache.get("inner", fail).required()

    stale = cache.get("outer", derived_from_stale)
    assert stale.value == "value!"
    assert "refused" in stale.problem


def test_reading_that_needs_others_ends_an_outage(cache: ReadingCache, clock: ManualClock, source: Source) -> None:
    """The attempt that finds out whether Redis answers again includes all readings that the first one needs."""

    def derived() -> int:
        return cache.get("inner", source.read).required() + cache.get("second", source.read).required()

    source.error = redis.TimeoutError("timed out")
    for _ in range(3):
        clock.advance(RETRY_SECONDS)
        with pytest.raises(StoreUnavailableError):
            cache.get("outer", derived)
    source.error = None
    clock.advance(RETRY_SECONDS)
    assert cache.get("outer", derived).value == 4 + 5


def test_memory_of_readings_is_bounded(cache: ReadingCache, source: Source):
    """The readings that were used least recently are forgotten, and lists that always exist are kept."""
    text = "x" * 1_000_000
    cache.get("list", lambda: [text] * 5)
    for number in range(3 * MOST_BYTES // len(text)):
        cache.get((number,), lambda: text + str(source.read()))
    last = source.reads
    assert cache.get((last - 1,), source.read).value == text + str(last)
    assert cache.get((0,), source.read).value == last + 1
    assert cache.get("list", source.read).value == [text] * 5
    assert 0 < cache._kept.bytes <= MOST_BYTES


def test_reading_that_takes_much_memory_replaces_no_other(cache: ReadingCache, source: Source):
    """Readings above the limit of one are returned and not kept, also if a smaller one of that name was kept."""
    cache.get(("small",), source.read)
    for number in range(100):
        assert len(cache.get((number,), lambda: "x" * LARGEST_KEPT).value) == LARGEST_KEPT
    assert len(cache._kept) == 1
    assert cache.get(("small",), source.read).value == 1


def test_reading_of_one_request_is_not_kept(cache: ReadingCache, source: Source):
    """A reading that no later request can need is shared only while it is read, and leaves nothing behind."""
    source.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(cache.get, ("a", 1), source.read, is_kept=False) for _ in range(4)]
        eventually(lambda: sum(entry.users for entry in cache._begun.values()) == 4)
        source.gate.set()
        assert {future.result().value for future in futures} == {1}
    assert cache.get(("a", 1), source.read, is_kept=False).value == 2
    assert (len(cache._kept), len(cache._begun)) == (0, 0)


def test_names_that_fail_replace_no_good_reading(cache: ReadingCache, clock: ManualClock, source: Source):
    """During an outage, requests for any number of unknown names leave all readings from before it, and no memory."""
    names = [("bars", number) for number in range(50)]
    for name in names:
        cache.get(name, source.read)
    source.error = redis.TimeoutError("timed out")
    for number in range(1_000):
        clock.advance(RETRY_SECONDS)
        with pytest.raises(StoreUnavailableError):
            cache.get(("unknown", number), source.read)
    assert [cache.get(name, source.read).value for name in names] == list(range(1, 51))
    assert (len(cache._kept), len(cache._begun)) == (50, 0)


def test_request_that_waits_for_another_one_for_too_long_says_so(
    cache: ReadingCache, source: Source, monkeypatch: pytest.MonkeyPatch
):
    """If Redis answers other requests, the problem of a request that waits for a long reading is not Redis."""
    monkeypatch.setattr(cache_module, "WAIT_SECONDS", 0.01)
    source.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get, "a", source.read)
        eventually(lambda: source.reads == 1)
        with pytest.raises(StoreUnavailableError, match="another request"):
            cache.get("a", source.read)
        source.gate.set()
        assert slow.result().value == 1


def test_failed_attempt_does_not_replace_a_reading_that_another_thread_made(
    cache: ReadingCache, clock: ManualClock, source: Source
):
    """A request that fails at once during an outage changes nothing, so a good reading made meanwhile stays good."""
    good = cache.get("a", source.read)
    source.error = redis.TimeoutError("timed out")
    clock.advance(60)
    assert cache.get("a", source.read).problem
    assert cache.get("a", source.read).problem
    entry = cache._kept.find("a")
    assert entry is not None
    assert entry.reading is good


def test_content_changes_only_with_what_the_reader_regards_as_a_change(cache: ReadingCache, clock: ManualClock):
    """A reading that differs only in ages has a new version and the same content, and a new warning is a change."""
    contents = []
    for value, warning in ((10, ""), (11, ""), (20, ""), (21, "damaged"), (22, "damaged")):

        def read(value: int = value, warning: str = warning) -> int:
            if warning:
                note_left_out(warning)
            return value

        clock.advance(60)
        reading = cache.get("a", read, is_same=lambda old, new: old // 10 == new // 10)
        assert reading.value == value
        contents.append(reading.content)
    first, second, third, fourth, fifth = contents
    assert first == second
    assert fourth == fifth
    assert len({first, third, fourth}) == 3
