"""Tests the pages with runs with a real server and a real Redis: filters, their addresses, and the end of a search."""

import re
import time
from html import unescape
from typing import Any

import httpx
import pytest
import redis

from financehub_shared.monitor import run_listing
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis import keys
from support.run_events import end_event
from support.web_server import serving


def _end_runs(client: redis.Redis, count: int) -> None:
    """Record runs, of which one ended in each of the last minutes."""
    writer = RecordWriter(client, time.monotonic, 86_400)
    now = time.time()
    for number in range(count):
        fields: dict[str, Any] = {"stats": keys.task_stats("task"), "running": keys.task_running("task")}
        event = end_event(f"run-{number}", task="task", schedule="default/a", correlation_id=f"c-{number}", **fields)
        writer.record_end(event | {"finished_at": now - 60 * number - 30})
    writer.flush()


def _ids(page: httpx.Response) -> list[str]:
    return re.findall(r'<tr id="run-([^"]+)"', page.text)


def test_runs_page_with_a_time_lists_only_later_runs(redis_client: redis.Redis, redis_url: str) -> None:
    """A duration, a day and a time are understood, and the links to the API have the same filter."""
    _end_runs(redis_client, 100)
    with serving(redis_url, web_requests_per_second=1_000) as server, server.client() as client:
        page = client.get("/runs?since=10m")
        assert _ids(page) == [f"run-{number}" for number in range(10)]
        (address,) = (unescape(link) for link in re.findall(r'href="([^"]*format=csv[^"]*)"', page.text))
        assert address == "/api/v1/runs?format=csv&since=10m"
        assert len(client.get(address).text.splitlines()) == 11
        assert len(client.get("/api/v1/runs?since=10m").json()["data"]) == 10
        assert len(_ids(client.get("/runs?since=2020-01-01"))) == 50
        assert _ids(client.get("/runs?since=2099-01-01T00:00:00Z&task=task")) == []
        assert _ids(client.get("/runs?correlation_id=c-7&state=succeeded&schedule=default/a")) == ["run-7"]
        for refused in (client.get("/runs?since=yesterday"), client.get("/api/v1/runs?since=yesterday")):
            assert refused.status_code == 400
            assert "how long ago, such as 1h" in refused.text


def test_runs_page_says_that_a_search_stopped_and_continues_it(
    redis_client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that matches only old runs leads to them page by page, and the API warns of the same."""
    monkeypatch.setattr(run_listing, "MOST_SEARCHED", 50)
    _end_runs(redis_client, 200)
    with serving(redis_url, web_requests_per_second=1_000) as server, server.client() as client:
        page = client.get("/runs?correlation_id=c-199")
        body = client.get("/api/v1/runs?correlation_id=c-199").json()
        assert (_ids(page), body["data"]) == ([], [])
        assert "the search stopped there" in page.text
        assert "were searched for this page; the next page continues" in body["meta"]["warnings"][0]
        for _ in range(10):
            link = re.search(r'<a rel="next" href="([^"]+)"', page.text)
            if not link:
                break
            page = client.get(f"/runs{unescape(link[1])}")
        assert _ids(page) == ["run-199"]
