"""A worker process's liveness and readiness."""

import logging
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from dramatiq import Message, MessageProxy

from financehub_shared.core.clock import ManualClock
from financehub_shared.worker.middleware.attempt_tracker import AttemptTracker
from financehub_shared.worker.middleware.liveness import LIMIT_MARGIN_SECONDS, STALL_SECONDS, Liveness


class Thread:
    """A worker thread, dead or alive."""

    name = "worker-0"

    def __init__(self, *, alive: bool = True) -> None:
        self._alive = alive

    def is_alive(self) -> bool:
        return self._alive


def build(*threads: Thread) -> tuple[Liveness, AttemptTracker, ManualClock]:
    """Build a booted worker with one consumer whose loop has just completed an iteration."""
    clock = ManualClock()
    attempts = AttemptTracker(clock, 300)
    liveness = Liveness(attempts, clock)
    worker: Any = SimpleNamespace(workers=list(threads), consumers={})
    liveness.after_worker_boot(None, worker)  # type: ignore[arg-type]
    liveness.record_turn("high", connected=True)
    return liveness, attempts, clock


def start_task(attempts: AttemptTracker, **options: Any) -> None:
    """Start a task."""
    message = Message("high", "task", (), {}, options)
    attempts.before_process_message(SimpleNamespace(actors={}), MessageProxy(message))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "problems"),
    [(0, 0), (STALL_SECONDS, 0), (STALL_SECONDS + 1, 1)],
)
def test_liveness_with_a_stalled_consumer_fails(seconds: float, problems: int) -> None:
    """A consumer's loop may pause for at most STALL_SECONDS."""
    liveness, _, clock = build()
    clock.advance(seconds)
    assert len(liveness.live()) == problems


@pytest.mark.parametrize(
    ("options", "seconds", "stuck"),
    [
        ({}, 300 + LIMIT_MARGIN_SECONDS, False),
        ({}, 301 + LIMIT_MARGIN_SECONDS, True),
        ({"time_limit": 10_000}, 9 + LIMIT_MARGIN_SECONDS, False),
        ({"time_limit": 10_000}, 11 + LIMIT_MARGIN_SECONDS, True),
    ],
)
def test_liveness_with_a_task_past_limit_and_margin_fails(options: dict[str, Any], seconds: float, stuck: bool) -> None:
    """A task that exceeds its limit by the margin could not be interrupted, and only a restart stops it."""
    liveness, attempts, clock = build()
    start_task(attempts, **options)
    clock.advance(seconds)
    liveness.record_turn("high", connected=True)
    assert bool(liveness.live()) is stuck


def test_liveness_with_a_dead_thread_names_it() -> None:
    """A worker thread that died is reported by name."""
    liveness, _, _ = build(Thread(), Thread(alive=False))
    assert liveness.live() == ["thread worker-0 has died"]


def test_liveness_while_draining_ignores_stalled_consumers() -> None:
    """While the worker drains, consumers that have stopped are not a reason to restart it."""
    liveness, attempts, clock = build()
    attempts.draining = True
    clock.advance(10 * STALL_SECONDS)
    assert liveness.live() == []
    assert liveness.ready() != []


def test_worker_before_its_boot_is_alive_and_not_ready() -> None:
    """Before the boot no consumer can be stalled, and the worker takes no messages."""
    clock = ManualClock()
    liveness = Liveness(AttemptTracker(clock, 300), clock)
    clock.advance(10 * STALL_SECONDS)
    assert liveness.live() == []
    assert liveness.ready() == ["starting: the worker has not booted"]


def test_worker_whose_consumer_has_no_reply_of_redis_is_alive_and_not_ready() -> None:
    """A consumer without a reply from Redis makes its worker not ready until Redis replies, but still alive."""
    liveness, _, _ = build()
    liveness.record_turn("low", connected=False)
    assert liveness.ready() == ["the consumer of low has no connection to Redis; see the log for the reason"]
    assert liveness.live() == []
    liveness.record_turn("low", connected=True)
    assert liveness.ready() == []


def test_outage_lines_of_consumers_in_many_threads_are_logged_once_each() -> None:
    """Consumers lose and find Redis at the same time, and none of their threads ends because of the others."""
    liveness, _, _ = build()
    loggers: list[logging.Logger] = []
    failures: list[Exception] = []

    def consume(queue: str) -> None:
        method: Any = lambda: None  # noqa: E731
        thread: Any = SimpleNamespace(queue_name=queue, handle_delayed_messages=method, close=method)
        thread.logger = logging.getLogger(f"dramatiq.worker.ConsumerThread({queue})")
        liveness.after_consumer_thread_boot(None, thread)  # type: ignore[arg-type]
        loggers.append(thread.logger)
        begin = "Consumer encountered a connection error: %s"
        record = logging.LogRecord(thread.logger.name, 50, "", 0, begin, ("x",), None)
        try:
            for _ in range(300):
                assert [bool(thread.logger.filter(record)) for _ in range(2)] == [True, False]
                thread.handle_delayed_messages()
        except (AssertionError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=consume, args=(f"q{number}",)) for number in range(20)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        for logger in loggers:
            logger.filters.clear()
    assert failures == []


def test_liveness_while_redis_cannot_be_used_ignores_stalled_consumers() -> None:
    """A consumer that waits to acknowledge a message is not stalled, and gets the full time again after the outage."""
    clock, problems = ManualClock(), ["queues: Redis refuses writes"]
    liveness = Liveness(AttemptTracker(clock, 300), clock, lambda: problems)
    worker: Any = SimpleNamespace(workers=[], consumers={})
    liveness.after_worker_boot(None, worker)  # type: ignore[arg-type]
    liveness.record_turn("high", connected=True)
    clock.advance(10 * STALL_SECONDS)
    assert liveness.live() == []
    problems.clear()
    assert liveness.live() == []
    clock.advance(STALL_SECONDS + 1)
    assert liveness.live() == [f"the consumer of high has been stalled for {11 * STALL_SECONDS + 1:.0f} s"]


@pytest.mark.parametrize(
    "line",
    [
        "Consumer encountered a connection error: %s",
        "Restarting consumer in %0.2f seconds.",
        "Failed to post_process_message(%s) due to a connection error: %s\nThe operation will be retried",
    ],
)
def test_outage_line_of_a_consumer_is_logged_once_per_outage(line: str) -> None:
    """Dramatiq repeats these lines every few seconds, and one of them in every worker thread."""
    liveness, _, _ = build()
    record = logging.LogRecord("dramatiq.worker.ConsumerThread(high)", 30, "", 0, line, (), None)
    assert [liveness._is_news(record) for _ in range(3)] == [True, False, False]
    liveness.record_turn("high", connected=True)
    assert liveness._is_news(record)


def test_readiness_while_redis_cannot_be_used_is_its_problem() -> None:
    """The cause is named, and not the missing connection that it causes (F9)."""
    clock = ManualClock()
    problems = ["the queue Redis is full"]
    liveness = Liveness(AttemptTracker(clock, 300), clock, lambda: problems)
    worker: Any = SimpleNamespace(workers=[], consumers={})
    liveness.after_worker_boot(None, worker)  # type: ignore[arg-type]
    liveness.record_turn("high", connected=False)
    assert liveness.ready() == ["the queue Redis is full"]
    problems.clear()
    assert liveness.ready() == ["the consumer of high has no connection to Redis; see the log for the reason"]
