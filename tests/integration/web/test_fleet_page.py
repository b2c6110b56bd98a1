"""Tests the page Fleet with a real server and a real Redis."""

import re
import time

import pytest
import redis

from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.monitor.record_writer import RecordWriter
from support.run_events import start_event
from support.web_server import serving


@pytest.mark.usefixtures("filled")
def test_page_has_the_same_etag_after_heartbeats_and_readings(redis_url: str) -> None:
    """Heartbeats that come in time and figures of Redis that move a little do not make the page a new one."""
    with serving(redis_url) as server, server.client() as client, redis.Redis.from_url(redis_url) as own:
        started = time.time()
        _beat(own, started)
        first = client.get("/fleet")
        assert "on time" in first.text
        tag = first.headers["ETag"]
        # A busy machine may answer slowly once, which the page shows.
        for number in range(5):
            time.sleep(2.2)
            _beat(own, started)
            own.set("filler", b"x" * 20_000 * number)
            again = client.get("/fleet", headers={"If-None-Match": tag})
            tag = again.headers["ETag"]
            if again.status_code == 304:
                break
        assert again.status_code == 304


def _beat(client: redis.Redis, started: float) -> None:
    ProcessRegistry(client).write_heartbeat(ProcessInfo("p-3", "medium", "host", 2, started, time.time()))


def test_page_shows_version_and_runs_of_each_process(redis_client: redis.Redis, redis_url: str) -> None:
    """A row has the release of its process and links to at most five of its runs, and different releases are noted."""
    now = time.time()
    registry = ProcessRegistry(redis_client)
    registry.write_heartbeat(ProcessInfo("p-1", "high", "alpha", 1, now, now, ("high",), 8, 7, version="1.2.3"))
    registry.write_heartbeat(ProcessInfo("p-2", "low", "beta", 2, now, now, threads=4, draining=True, version="1.2.4"))
    writer = RecordWriter(redis_client, time.monotonic, 86_400)
    for number in range(7):
        writer.record_start(start_event(f"run-{number}", worker="p-1", started_at=now - 90 - number, enqueued_at=now))
    writer.flush()
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/fleet").text
    rows = dict(re.findall(r'<tr id="process-(p-\d)">(.*?)</tr>', page, re.DOTALL))
    assert ("1.2.3" in rows["p-1"], "1.2.4" in rows["p-2"]) == (True, True)
    assert re.findall(r'href="/runs/(run-\d)">task</a> for <time', rows["p-1"]) == [f"run-{n}" for n in range(5)]
    assert "7 of 8 threads" in rows["p-1"]
    assert "and 2 more" in rows["p-1"]
    assert "draining" in rows["p-2"]
    assert "different versions" in page
