"""Tests the page Tasks with a real server and a real Redis: the runs of the last 24 hours, as text, chart and table."""

import re
import time
from html import unescape
from typing import Any

import redis

from financehub_shared.core.clock import ManualClock
from financehub_shared.monitor import RunState
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.redis import keys
from support.run_events import end_event
from support.web_server import serving

#: The start of an hour.
T = 1_800_000_000.0


def _text(page: str) -> str:
    return re.sub(r"<[^>]*>", "", page)


def test_page_shows_the_runs_of_each_task_in_the_last_24_hours(redis_client: redis.Redis, redis_url: str) -> None:
    """Text, chart, table and API agree, a run that is older does not count, and a task without a run says so."""
    writer = RecordWriter(redis_client, time.monotonic, 86_400)
    for id, at, outcome in (
        ("old", T - 24 * 3_600 - 1, RunState.SUCCEEDED),
        ("first", T - 23 * 3_600, RunState.SUCCEEDED),
        ("failed", T + 1, RunState.DEAD_LETTERED),
        ("lost", T + 1, RunState.LOST),
        ("second", T + 2, RunState.SUCCEEDED),
    ):
        fields: dict[str, Any] = {"stats": keys.task_stats("task"), "running": keys.task_running("task")}
        writer.record_end(end_event(id, outcome=outcome, task="task", **fields) | {"finished_at": at})
    writer.flush()
    with serving(redis_url, clock=ManualClock(T + 60)) as server, server.client() as client:
        page = client.get("/tasks").text
        overview = client.get("/").text
        links = [unescape(each) for each in re.findall(r'href="([^"]*state=[^"]*)"', page + overview)]
        listed = {link: re.findall(r'<tr id="run-([^"]+)"', client.get(link).text) for link in links}
        hours = client.get("/api/v1/tasks/task").json()["data"]["hours"]
    figures = dict(re.findall(r'<figure class="task-day" id="day-([^"]+)">(.*?)</figure>', page, re.DOTALL))
    assert "4 runs ended, 1 dead-lettered and 1 lost. At most 3 in an hour." in _text(figures["task"])
    assert "4 runs in the last 24 hours, 1 of them dead-lettered and 1 lost. Each bar" in _text(overview)
    assert listed == {
        "/runs?task=task&state=dead-lettered&since=24h": ["failed"],
        "/runs?task=task&state=lost&since=24h": ["lost"],
        "/runs?state=dead-lettered&since=24h": ["failed"],
        "/runs?state=lost&since=24h": ["lost"],
    }
    assert figures["task"].count('<rect class="good"') == 2
    assert figures["task"].count('<rect class="bad"') == 1
    (day,) = re.findall(r'<figure class="day">(.*?)</figure>', overview, re.DOTALL)
    for figure in (figures["task"], day):
        assert "As a table" in figure
        table = re.findall(r'<time datetime="([^"]+)".*?<td class="number">(\d+)</td><td class="number">(\d+)', figure)
        assert [(at[:16], ended, failed) for at, ended, failed in table] == [
            ("2027-01-15T08:00", "3", "2"),
            ("2027-01-14T09:00", "1", "0"),
        ]
    assert "No run ended." in figures["fetch_news_task"]
    assert len(hours) == 24
    assert [hours[0]["ended"], hours[-1]] == [1, {"start": "2027-01-15T08:00:00.000Z", "ended": 3, "failed": 2}]
