"""Liveness of a real worker: what counts as progress."""

import threading
from typing import Any

import pytest

from financehub_shared.core.clock import ManualClock
from financehub_shared.worker.middleware.liveness import STALL_SECONDS, Liveness
from support.observed import Fleet, eventually


def liveness_of(fleet: Fleet) -> Liveness:
    """The probe of the process."""
    return next(one for one in fleet.observers if isinstance(one, Liveness))


def test_a_consumer_that_hangs_is_noticed_and_one_that_polls_is_not(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Consumers that come round keep the process alive however late it is; one that hangs makes it fail, by name."""
    clock = ManualClock()
    fleet = Fleet(redis_url, clock=clock)
    fleet.actor(lambda: None, actor_name="task")
    probe = liveness_of(fleet)
    hang, hanging, hung = threading.Event(), threading.Event(), threading.Event()
    fetch = fleet.broker.do_fetch

    def do_fetch(queue: str, count: int) -> Any:
        if queue == "high" and hanging.is_set():
            hung.set()
            hang.wait(20)
        return fetch(queue, count)

    monkeypatch.setattr(fleet.broker, "do_fetch", do_fetch)
    with fleet.working():
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [])
        hanging.set()
        assert hung.wait(20)
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [f"the consumer of high has not come round for {STALL_SECONDS + 1:.0f} s"])
        hang.set()
        eventually(lambda: probe.live() == [])


def test_a_worker_whose_redis_is_gone_is_alive(redis_server: Any) -> None:
    """Restarting a process does not bring Redis back: with Redis gone its consumers still come round."""
    server, clock = redis_server(), ManualClock()
    fleet = Fleet(server.url, clock=clock)
    fleet.actor(lambda: None, actor_name="task")
    probe = liveness_of(fleet)
    with fleet.working():
        server.kill()
        clock.advance(STALL_SECONDS + 1)
        eventually(lambda: probe.live() == [])
        server.start()
