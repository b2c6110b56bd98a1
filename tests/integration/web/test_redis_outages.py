"""Tests of the API while Redis is away, hangs or is full. Nothing old is shown as new, and no answer takes long."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from support.full_redis import fill
from support.redis_server import RedisServer
from support.stalls import Stalls
from support.waiting import eventually
from support.web_server import serving

pytestmark = pytest.mark.faults

PATHS = ["/assets", "/quotes", "/quotes/AAPL", "/quotes/NOPE", "/bars/AAPL", "/news", "/runs", "/schedules", "/queues"]


@pytest.mark.alone
@pytest.mark.parametrize(("fault", "end"), [("hang", "resume"), ("kill", "start")])
@pytest.mark.parametrize("is_warm", [True, False], ids=["after answers", "from the start"])
def test_outage_is_503_within_3_seconds_and_ends_at_once(
    redis_server: Callable[..., RedisServer], fault: str, end: str, is_warm: bool
) -> None:
    """During an outage, every path answers 503 with the reason in time, also for many clients; then it recovers."""
    server = redis_server()
    fill(server.client(), server.url)
    with serving(server.url, web_requests_per_second=1_000) as web, web.client() as client:
        if is_warm:
            assert {client.get(f"/api/v1{path}").status_code for path in PATHS} == {200, 404}
        getattr(server, fault)()
        try:
            # a reading from before is used until Redis had time to answer
            eventually(
                lambda: {client.get(f"/api/v1{path}").status_code for path in PATHS} == {503}, "outage", within=60
            )
            with ThreadPoolExecutor(20) as pool:
                for _ in range(2):
                    with Stalls() as stalls:
                        answers = list(pool.map(lambda path: _timed(client, path), PATHS * 5))
                    assert {answer.status_code for answer, _ in answers} == {503}
                    assert {answer.json()["code"] for answer, _ in answers} == {"redis-unavailable"}
                    assert all("Redis does not answer" in answer.json()["detail"] for answer, _ in answers)
                    # the promise, and a busy machine
                    assert max(seconds for _, seconds in answers) < 5 + stalls.longest
                    time.sleep(1.2)  # the readings from before are no longer fresh
            assert client.get("/api/v1/docs").status_code == 200
            assert client.get("/api/health/").status_code == 503
        finally:
            getattr(server, end)()
        eventually(lambda: client.get("/api/v1/quotes").status_code == 200, "the outage has ended", within=60)


def _timed(client: httpx.Client, path: str) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    answer = client.get(f"/api/v1{path}")
    return answer, time.monotonic() - began


def test_full_redis_is_still_read(redis_server: Callable[..., RedisServer]) -> None:
    """A Redis that refuses writes because it is full still answers reads, so the API serves its data."""
    server = redis_server()
    fill(server.client(), server.url)
    server.client().config_set("maxmemory", "1mb")
    with serving(server.url) as web, web.client() as client:
        assert {path: client.get(f"/api/v1{path}").status_code for path in PATHS if path != "/quotes/NOPE"} == {
            path: 200 for path in PATHS if path != "/quotes/NOPE"
        }
        assert client.get("/api/v1/health").json()["data"]["status"] != "ok"
