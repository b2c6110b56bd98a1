"""Tests the page Fleet with a real server and a real Redis."""

import time

import pytest
import redis

from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from support.web_server import serving


@pytest.mark.usefixtures("filled")
def test_page_has_the_same_etag_after_heartbeats_and_readings(redis_url: str) -> None:
    """Heartbeats that come in time and figures of Redis that move a little do not make the page a new one."""
    with serving(redis_url) as server, server.client() as client, redis.Redis.from_url(redis_url) as own:
        started = time.time()
        _beat(own, started)
        first = client.get("/fleet")
        assert "on time" in first.text
        # A busy machine may answer slowly once, which the page shows.
        for number in range(5):
            time.sleep(2.2)
            _beat(own, started)
            own.set("filler", b"x" * 20_000 * number)
            again = client.get("/fleet", headers={"If-None-Match": first.headers["ETag"]})
            if again.status_code == 304:
                break
        assert again.status_code == 304


def _beat(client: redis.Redis, started: float) -> None:
    ProcessRegistry(client).write_heartbeat(ProcessInfo("p-3", "medium", "host", 2, started, time.time()))
