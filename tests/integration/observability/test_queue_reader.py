"""The statistics of all queues while a thread looks for new queues."""

import threading

import pytest
import redis
from structlog.testing import capture_logs

from financehub_shared.core.clock import ManualClock
from financehub_shared.health import queue_reader
from financehub_shared.health.queue_reader import DISCOVER_SECONDS, QueueReader
from support.waiting import eventually


def _names(reader: QueueReader) -> set[str]:
    return {stats.queue for stats in reader.read_all()}


def test_reading_does_not_wait_for_the_search_for_new_queues(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reading has every queue. Later ones have the known queues while one search is in progress."""
    clock, may_end, searches = ManualClock(), threading.Event(), list[int]()
    discover = queue_reader.discover_queues
    redis_client.hset("dramatiq:first.msgs", "id", "x")
    reader = QueueReader(redis_client, 60, clock)
    assert "first" in _names(reader)

    def slowly(client: "redis.Redis") -> set[str]:
        searches.append(1)
        assert may_end.wait(30)
        return discover(client)

    monkeypatch.setattr(queue_reader, "discover_queues", slowly)
    redis_client.hset("dramatiq:second.msgs", "id", "x")
    for _ in range(3):
        clock.advance(DISCOVER_SECONDS + 1)
        assert _names(reader) & {"first", "second"} == {"first"}
    may_end.set()
    eventually(lambda: "second" in _names(reader))
    assert len(searches) == 1


def test_search_that_fails_keeps_the_known_queues_and_is_repeated(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of Redis in the thread costs one search."""
    clock = ManualClock()
    redis_client.hset("dramatiq:first.msgs", "id", "x")
    reader = QueueReader(redis_client, 60, clock)
    assert "first" in _names(reader)
    discover, failures = queue_reader.discover_queues, [1, 1]

    def fail(client: "redis.Redis") -> set[str]:
        if failures:
            failures.pop()
            raise redis.TimeoutError
        return discover(client)

    monkeypatch.setattr(queue_reader, "discover_queues", fail)
    redis_client.hset("dramatiq:second.msgs", "id", "x")
    clock.advance(DISCOVER_SECONDS + 1)
    eventually(lambda: {"first", "second"} <= _names(reader))
    assert failures == []


@pytest.mark.parametrize("is_started", [False, True])
def test_search_that_fails_for_another_reason_is_reported_and_repeated_later(
    redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, is_started: bool
) -> None:
    """A thread that cannot start, or that ends with an unforeseen error, costs one search and one line of the log."""
    clock = ManualClock()
    redis_client.hset("dramatiq:first.msgs", "id", "x")
    reader = QueueReader(redis_client, 60, clock)
    assert "first" in _names(reader)

    def fail(*_: object) -> None:
        raise RuntimeError("no room")

    with monkeypatch.context() as patch, capture_logs() as logs:
        if is_started:
            patch.setattr(queue_reader, "discover_queues", fail)
        else:
            patch.setattr(threading.Thread, "start", fail)
        redis_client.hset("dramatiq:second.msgs", "id", "x")
        clock.advance(DISCOVER_SECONDS + 1)
        assert _names(reader) & {"first", "second"} == {"first"}
        eventually(lambda: logs and not reader._is_discovering)
        assert _names(reader) & {"first", "second"} == {"first"}  # too early for another search
    assert [(line["event"], line["error"]) for line in logs] == [("queue_discovery_failed", "RuntimeError: no room")]
    clock.advance(DISCOVER_SECONDS + 1)
    eventually(lambda: {"first", "second"} <= _names(reader))
