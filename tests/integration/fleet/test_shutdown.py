"""Tests the shutdown of a tier while an upstream hangs."""

import time

from integration.fleet.conftest import StartFleet
from support.stalls import Stalls
from support.waiting import eventually

READ_TIMEOUT = 6.0
#: The shutdown timeout of dramatiq in `Fleet.start_tier` plus one request that cannot be interrupted, with a margin.
SHUTDOWN_LIMIT_SECONDS = 5.0 + 2 * READ_TIMEOUT - 4.0


def test_tier_with_hung_upstream_stops_after_current_request(fleet: StartFleet) -> None:
    """After SIGTERM while Yahoo hangs, the message is put back in the queue, and the process exits after the current
    request instead of sending the remaining ones.
    """
    running = fleet(FINANCEHUB_READ_TIMEOUT_SECONDS=str(READ_TIMEOUT))
    running.simulator.set_fault("slow", "yahoo", seconds=60.0)
    running.schedule("stocks", "fetch_stock_prices_task", "@every 3s")
    running.start_scheduler()
    running.start_tier("high")
    eventually(lambda: running.simulator.request_counts("yahoo"), "Yahoo is called")
    terminated_at = time.monotonic()
    with Stalls() as stalls:
        assert running.terminate("high") == 0
    assert time.monotonic() - terminated_at < SHUTDOWN_LIMIT_SECONDS + stalls.longest
    with running.redis() as client:
        assert client.llen("dramatiq:high") >= 1
