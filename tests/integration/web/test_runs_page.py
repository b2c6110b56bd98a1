"""Tests the pages with runs with a real server and a real Redis: filters, the end of a search, and one failed run."""

import json
import re
import time
from html import unescape
from typing import Any

import httpx
import pytest
import redis

from financehub_shared.health.processes import ProcessInfo, ProcessRegistry
from financehub_shared.monitor import RunState, run_listing
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_events import attempt_finished
from financehub_shared.redis import keys, queue_keys
from support.hostile_messages import message
from support.run_events import end_event, start_event
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
            assert "or how long ago, such as 1h or 2d" in refused.text


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


@pytest.mark.parametrize(("days", "words"), [(7, "7 days"), (1, "1 day")])
def test_runs_pages_say_how_long_records_are_kept(
    redis_client: redis.Redis, redis_url: str, days: int, words: str
) -> None:
    """A filter without a match and the page of an unknown run have the time of the setting."""
    _end_runs(redis_client, 1)
    with serving(redis_url, run_retention_days=days) as server, server.client() as client:
        for path in ("/runs?task=other", "/runs/unknown"):
            assert f"Records of runs are kept for {words}." in client.get(path).text, path


def test_page_of_a_failed_run_leads_to_its_dead_letter_and_traceback(redis_client: redis.Redis, redis_url: str) -> None:
    """The timeline has the failed attempts with milliseconds, and the page links to schedule, process and letter."""
    at = float(int(time.time())) - 60
    letter = {"reason": "retries-exhausted", "exception": "ValueError", "error": "no", "died_at": (at + 9.5) * 1_000}
    failures = [{"at": (at + after) * 1_000, "exception": "ValueError", "error": "no"} for after in (2.25, 9.5)]
    options = {"dead_letter": {**letter, "traceback": "Traceback:\n  a line of code"}, "failures": failures}
    redis_client.zadd(queue_keys.dead("low"), {"letter": (at + 9.5) * 1_000})
    redis_client.hset(queue_keys.dead_messages("low"), "letter", message("task", id="run", options=json.dumps(options)))
    writer = RecordWriter(redis_client, time.monotonic, 86_400)
    fields: dict[str, Any] = {"stats": keys.task_stats("task"), "running": keys.task_running("task")}
    fields |= {"redis_id": "letter", "schedule": "default/a", "worker": "w-live"}
    start = start_event("run", attempt=2, enqueued_at=at, started_at=at + 8.125, **fields)
    writer.record_end(attempt_finished(start, RunState.DEAD_LETTERED, at + 9.5, 1.375, error="ValueError: no"))
    writer.flush()
    ProcessRegistry(redis_client).write_heartbeat(ProcessInfo("w-live", "low", "host", 1, at, time.time()))
    with serving(redis_url) as server, server.client() as client:
        page = client.get("/runs/run").text
    parts = "2.250 s until attempt 1 failed, 5.875 s until the next attempt started, 1.375 s in attempt 2."
    assert f"9.500 s in total: {parts}" in page
    assert "a line of code" in page
    for link in ("/dead-letters/letter", "/schedules/default/a", "/fleet#process-w-live", "/runs?correlation_id=run"):
        assert f'href="{link}"' in page, link
    assert 'data-copy="run" aria-label="Copy the correlation id"' in page


def test_pages_of_ten_thousand_runs_contain_each_run_once(redis_client: redis.Redis, redis_url: str) -> None:
    """The first pages follow each other without a gap, and so do the last ones, where the list ends."""
    count, at = 10_000, float(int(time.time())) - 20_000
    pipeline = redis_client.pipeline(transaction=False)
    pipeline.sadd(keys.TASKS, "task")
    pipeline.zadd(keys.task_recent("task"), {f"run-{number}": at + number // 3 for number in range(count)})
    for number in range(count):
        fields = {"state": "succeeded", "task": "task", "finished_at": at + number // 3}
        pipeline.hset(keys.run(f"run-{number}"), mapping=fields)
    pipeline.execute()
    newest_first = sorted(range(count), key=lambda number: (number // 3, f"run-{number}"), reverse=True)
    with serving(redis_url, web_requests_per_second=1_000) as server, server.client() as client:
        for start in (0, count - 120):
            before = f"?before={at + newest_first[start - 1] // 3}~run-{newest_first[start - 1]}" if start else ""
            page = client.get(f"/runs{before}")
            found = _ids(page)
            for _ in range(2):
                link = re.search(r'<a rel="next" href="([^"]+)"', page.text)
                assert link
                page = client.get(f"/runs{unescape(link[1])}")
                found += _ids(page)
            assert found == [f"run-{number}" for number in newest_first[start : start + 150]]
        assert 'rel="next"' not in page.text
