"""Liveness is progress."""

from types import SimpleNamespace
from typing import Any

import pytest
from dramatiq import Message, MessageProxy

from financehub_shared.core.clock import ManualClock
from financehub_shared.worker.middleware.in_flight import InFlight
from financehub_shared.worker.middleware.liveness import LIMIT_MARGIN_SECONDS, STALL_SECONDS, Liveness


class Thread:
    """A worker's thread, dead or alive."""

    name = "worker-0"

    def __init__(self, *, alive: bool = True) -> None:
        self._alive = alive

    def is_alive(self) -> bool:
        return self._alive


def make(*threads: Thread) -> tuple[Liveness, InFlight, ManualClock]:
    """A booted worker with one consumer that ticked now."""
    clock = ManualClock()
    flights = InFlight(clock, 300)
    liveness = Liveness(flights, clock)
    worker: Any = SimpleNamespace(workers=list(threads), consumers={})
    liveness.after_worker_boot(None, worker)  # type: ignore[arg-type]
    liveness.tick("high", answered=True)
    return liveness, flights, clock


def fly(flights: InFlight, **options: Any) -> None:
    """Start a task."""
    message = Message("high", "task", (), {}, options)
    flights.before_process_message(SimpleNamespace(actors={}), MessageProxy(message))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "problems"),
    [(0, 0), (STALL_SECONDS, 0), (STALL_SECONDS + 1, 1)],
)
def test_a_consumer_that_does_not_come_round_is_stuck(seconds: float, problems: int) -> None:
    """A consumer loop may pause for STALL_SECONDS, no longer."""
    liveness, _, clock = make()
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
def test_a_task_past_its_limit_and_margin_is_stuck(options: dict[str, Any], seconds: float, stuck: bool) -> None:
    """A task that outlives its limit by the margin could not be interrupted: only a restart helps."""
    liveness, flights, clock = make()
    fly(flights, **options)
    clock.advance(seconds)
    liveness.tick("high", answered=True)
    assert bool(liveness.live()) is stuck


def test_a_dead_thread_is_a_problem() -> None:
    """A worker thread that died is named."""
    liveness, _, _ = make(Thread(), Thread(alive=False))
    assert liveness.live() == ["thread worker-0 has died"]


def test_a_drain_may_take_its_time() -> None:
    """While draining, consumers that no longer tick are no reason to restart, a stuck task is."""
    liveness, flights, clock = make()
    flights.draining = True
    clock.advance(10 * STALL_SECONDS)
    assert liveness.live() == []
    assert liveness.ready() != []


def test_a_worker_that_has_not_booted_is_alive_and_not_ready() -> None:
    """Before the boot there is nothing to be stuck in, and nothing to be ready for."""
    clock = ManualClock()
    liveness = Liveness(InFlight(clock, 300), clock)
    clock.advance(10 * STALL_SECONDS)
    assert liveness.live() == []
    assert liveness.ready() == ["starting: the worker has not booted"]


def test_a_worker_is_ready_while_redis_answers_its_consumers() -> None:
    """A consumer without an answer of Redis yet keeps its worker from being ready, not from being alive."""
    liveness, _, _ = make()
    liveness.tick("low", answered=False)
    assert liveness.ready() == ["the consumer of low has no connection to Redis; the log says why"]
    assert liveness.live() == []
    liveness.tick("low", answered=True)
    assert liveness.ready() == []
