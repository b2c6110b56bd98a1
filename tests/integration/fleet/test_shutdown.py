"""A tier is told to stop while its upstream hangs."""

import time

from integration.fleet.conftest import StartFleet
from support.fleet import eventually

READ_TIMEOUT = 6.0
#: dramatiq's shutdown timeout in `Fleet.start_tier`, one request that cannot be interrupted, and as much again.
GONE_WITHIN = 5.0 + 2 * READ_TIMEOUT - 4.0


def test_a_tier_is_gone_after_one_more_request_though_its_upstream_hangs(fleet: StartFleet) -> None:
    """SIGTERM while Yahoo hangs: the message is given back, and the process does not stay for the requests that would
    have followed the one under way.
    """
    running = fleet(FINANCEHUB_READ_TIMEOUT_SECONDS=str(READ_TIMEOUT))
    running.simulator.fault("slow", "yahoo", seconds=60.0)
    running.schedule("stocks", "fetch_stock_prices_task", "@every 3s")
    running.start_scheduler()
    running.start_tier("high")
    eventually("Yahoo is asked", lambda: running.simulator.requests("yahoo"))
    asked = time.monotonic()
    assert running.terminate("high") == 0
    assert time.monotonic() - asked < GONE_WITHIN
    with running.redis() as client:
        assert client.llen("dramatiq:high") >= 1
