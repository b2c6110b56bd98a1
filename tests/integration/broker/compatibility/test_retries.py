"""Retries and time limits work as in dramatiq."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import Retry
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import RateLimitExceeded
from dramatiq.middleware import TimeLimitExceeded
from dramatiq.rate_limits import ConcurrentRateLimiter, WindowRateLimiter

from financehub_shared.redis import queue_keys as keys

FAST = {"min_backoff": 1, "max_backoff": 1}


class NotForRetryError(Exception):
    """An error that an actor expects."""


def failing(attempts: list[float], error: Callable[[], BaseException], times: int = 99) -> Callable[[], None]:
    """Return an actor function that records its attempts and fails in the first ones."""

    def task() -> None:
        attempts.append(time.monotonic())
        if len(attempts) <= times:
            raise error()

    return task


def dead(redis_client: "redis.Redis") -> int:
    """Return the number of dead letters of the default queue."""
    return int(redis_client.zcard(keys.dead("default")))


@pytest.mark.parametrize(
    ("options", "error", "attempts"),
    [
        pytest.param({"max_retries": 2, **FAST}, ValueError, 3, id="max_retries"),
        pytest.param({"max_retries": 0}, ValueError, 1, id="no retries"),
        pytest.param({"throws": NotForRetryError, **FAST}, NotForRetryError, 1, id="throws"),
        pytest.param({"throws": (KeyError, NotForRetryError), **FAST}, NotForRetryError, 1, id="throws one of several"),
        pytest.param({"throws": KeyError, "max_retries": 1, **FAST}, ValueError, 2, id="throws another"),
        pytest.param({"retry_when": lambda retries, _: retries < 2, **FAST}, ValueError, 3, id="retry_when"),
        pytest.param({"retry_when": lambda *_: False, "max_retries": 9}, ValueError, 1, id="retry_when has precedence"),
        pytest.param({"max_retries": 1}, lambda: Retry("later", delay=1), 2, id="Retry with a delay"),
        pytest.param({"max_retries": 1, **FAST}, RateLimitExceeded, 2, id="rate limit"),
    ],
)
def test_failing_task_is_attempted_as_often_as_its_options_say(
    broker: RedisBroker, working: Any, redis_client: "redis.Redis", options: dict[str, Any], error: Any, attempts: int
):
    """After the last attempt, the message is a dead letter."""
    seen: list[float] = []
    task = dramatiq.actor(failing(seen, error), actor_name="task", **options)
    with working(broker):
        task.send()
    assert (len(seen), dead(redis_client)) == (attempts, 1)


def test_option_of_the_message_has_precedence(broker: RedisBroker, working: Any):
    """`max_retries` of a message replaces that of its actor."""
    seen: list[float] = []
    task = dramatiq.actor(failing(seen, ValueError), actor_name="task", max_retries=9, **FAST)
    with working(broker):
        task.send_with_options(max_retries=1)
    assert len(seen) == 2


def test_retry_succeeds(broker: RedisBroker, working: Any, redis_client: "redis.Redis"):
    """A task that recovers leaves no dead letter."""
    seen: list[float] = []
    task = dramatiq.actor(failing(seen, ValueError, times=2), actor_name="task", max_retries=5, **FAST)
    with working(broker):
        task.send()
    assert (len(seen), dead(redis_client)) == (3, 0)


def test_retry_waits_for_its_delay(broker: RedisBroker, working: Any):
    """The delay of `Retry` and the shortest back-off of an actor are respected. Dramatiq's jitter halves the latter."""
    for options, error, shortest in (
        ({}, lambda: Retry("later", delay=300), 0.295),  # due times are whole milliseconds
        ({"min_backoff": 400, "max_backoff": 400}, ValueError, 0.195),
    ):
        seen: list[float] = []
        task = dramatiq.actor(failing(seen, error, times=1), actor_name=f"task{shortest}", **options)
        with working(broker):
            task.send()
        assert seen[1] - seen[0] >= shortest


@pytest.mark.parametrize("asynchronous", [False, True])
def test_time_limit_interrupts_the_task(broker: RedisBroker, working: Any, asynchronous: bool):
    """A task past its time limit gets dramatiq's exception, or its coroutine is canceled."""
    ends: list[str] = []

    def wait() -> None:
        try:
            for _ in range(1_000):
                time.sleep(0.01)
        except TimeLimitExceeded:
            ends.append("interrupted")
            raise

    async def wait_async() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            ends.append("interrupted")
            raise

    task = dramatiq.actor(wait_async if asynchronous else wait, actor_name="wait", time_limit=500, max_retries=0)
    with working(broker):
        task.send()
    assert ends == ["interrupted"]


def test_rate_limiters_limit_tasks(broker: RedisBroker, working: Any, rate_limits: Any, redis_client: "redis.Redis"):
    """A task that cannot get a limiter is retried, and the limit is never exceeded."""
    mutex = ConcurrentRateLimiter(rate_limits, "mutex", limit=1, ttl=30_000)
    window = WindowRateLimiter(rate_limits, "window", limit=2, window=30)
    running: list[int] = []
    counts: list[int] = []

    def alone() -> None:
        with mutex.acquire():
            running.append(1)
            counts.append(len(running))
            time.sleep(0.02)
            running.pop()

    def few() -> None:
        with window.acquire(raise_on_failure=False) as acquired:
            counts.append(100 if acquired else 0)

    one = dramatiq.actor(alone, max_retries=500, **FAST)
    limited = dramatiq.actor(few)
    with working(broker):
        for _ in range(4):
            one.send()
            limited.send()
    assert sorted(counts) == [0, 0, 1, 1, 1, 1, 100, 100]
    assert dead(redis_client) == 0
