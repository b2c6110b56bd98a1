"""Tests of a real worker's liveness."""

import threading
from typing import Any

import pytest

from financehub_shared.core.clock import ManualClock
from financehub_shared.worker.middleware.liveness import STALL_SECONDS, Liveness
from support.observed import ObservedWorker
from support.waiting import eventually


def liveness_of(fleet: ObservedWorker) -> Liveness:
    """Return the liveness probe of the process."""
    liveness = fleet.observers.liveness
    assert isinstance(liveness, Liveness)
    return liveness


def test_liveness_with_a_hanging_consumer_fails(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Consumers that poll keep the process alive. A hanging consumer makes the probe fail with its name."""
    clock = ManualClock()
    fleet = ObservedWorker(redis_url, clock=clock)
    fleet.actor(lambda: None, actor_name="task")
    probe = liveness_of(fleet)
    hang, hanging, hung = threading.Event(), threading.Event(), threading.Event()
    fetch = fleet.broker.do_fetch

    def do_fetch(queue: str, count: int) -> Any:
        if queue == "high" and hanging.is_set():
            hung.set()
            hang.wait(60)
        return fetch(queue, count)

    monkeypatch.setattr(fleet.broker, "do_fetch", do_fetch)
    with fleet.working():
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [])
        hanging.set()
        assert hung.wait(60)
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [f"the consumer of high has been stalled for {STALL_SECONDS + 1:.0f} s"])
        hang.set()
        eventually(lambda: probe.live() == [])


def test_liveness_without_redis_succeeds(redis_server: Any) -> None:
    """While Redis is down the consumers still poll, so the process is alive. A restart would not bring Redis back."""
    server, clock = redis_server(), ManualClock()
    fleet = ObservedWorker(server.url, clock=clock)
    fleet.actor(lambda: None, actor_name="task")
    probe = liveness_of(fleet)
    with fleet.working():
        server.kill()
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [])
        server.start()
