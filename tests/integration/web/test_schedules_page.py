"""Tests the filter of the page Schedules with a real server and a real Redis."""

import re
import time

import httpx
import pytest
import redis

from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import NextRuns
from financehub_shared.schedules import list_schedules
from support.web_server import serving


@pytest.mark.parametrize("state", ["succeeded", "failed", "never-run", "late", "suspended", "paused", "stopped"])
def test_page_with_a_state_lists_the_schedules_of_the_api(api: httpx.Client, state: str) -> None:
    """The page and the API select the same schedules, and the links of the page lead to them."""
    page = api.get(f"/schedules?state={state}&q=DEMO").text
    names = re.findall(r'<tr id="schedule-([^"]+)"', page)
    data = api.get(f"/api/v1/schedules?q=DEMO&state={state}").json()["data"]
    assert names == [each["name"] for each in data]
    assert f'href="/api/v1/schedules?format=csv&amp;q=DEMO&amp;state={state}"' in page


def test_page_shows_when_the_next_run_is_and_refuses_an_unknown_state(api: httpx.Client) -> None:
    """The next run has the time that is left and the time of the clock."""
    page = api.get("/schedules").text
    assert page.count('data-time="until"') == page.count('data-time="clock"') - page.count('id="updated"') > 0
    assert api.get("/schedules?state=dreaming").status_code == 400
    assert api.get("/api/v1/schedules?state=dreaming").status_code == 400


def test_late_schedule_is_on_the_overview_and_on_its_page(filled: redis.Redis, redis_url: str) -> None:
    """A run that was due two minutes ago and is still the next one is late, although a scheduler claims it."""
    now = time.time()
    info = next(each for each in list_schedules(filled) if each.name == "default/other")
    filled.zadd(keys.SCHEDULES, {info.uid: now})
    filled.hset(keys.SCHEDULE_NEXT_RUNS, info.uid, NextRuns((now - 120,)).to_json())
    with serving(redis_url) as server, server.client() as client:
        overview = client.get("/").text
        assert "its next run is late" in overview
        assert "all right" not in overview
        page = client.get("/schedules?state=late").text
    assert re.findall(r'<tr id="schedule-([^"]+)"', page) == ["default/other"]
    assert "due <time" in page


def test_schedule_without_a_published_next_run_is_not_stopped(filled: redis.Redis, redis_url: str) -> None:
    """A new or resumed schedule has a dash until its next run is known, and a schedule with a problem is stopped."""
    info = next(each for each in list_schedules(filled) if each.name == "default/other")
    filled.zadd(keys.SCHEDULES, {info.uid: time.time()})
    for stored, cell in ((None, "–"), (NextRuns(problem="no due time is left"), "stopped")):
        filled.hdel(keys.SCHEDULE_NEXT_RUNS, info.uid)
        if stored:
            filled.hset(keys.SCHEDULE_NEXT_RUNS, info.uid, stored.to_json())
        with serving(redis_url) as server, server.client() as client:
            row = client.get("/schedules").text.partition('<tr id="schedule-default/other"')[2].partition("</tr>")[0]
            listed = client.get("/schedules?state=stopped").text
        last = re.sub(r"<[^>]*>", "", row.rpartition("<td")[2].partition(">")[2]).strip()
        assert last.endswith(cell)
        assert ('id="schedule-default/other"' in listed) is (cell == "stopped")


def test_follower_names_its_predecessor_and_the_other_way_around(filled: redis.Redis, redis_url: str) -> None:
    """A schedule that waits for a success has no next run and no problem, and both pages link to each other."""
    infos = {each.name: each for each in list_schedules(filled)}
    other, demo = infos["default/other"], infos["default/demo"]
    filled.zadd(keys.SCHEDULES, {other.uid: time.time()})
    filled.hset(keys.schedule(other.uid), "spec", '{"task": "other", "queue": "q", "after": "demo"}')
    filled.hset(keys.SCHEDULE_NEXT_RUNS, other.uid, NextRuns().to_json())
    with serving(redis_url) as server, server.client() as client:
        row = client.get("/schedules").text.partition('<tr id="schedule-default/other"')[2].partition("</tr>")[0]
        follower = client.get("/schedules/default/other").text
        predecessor = client.get(f"/schedules/{demo.name}").text
        overview = client.get("/").text
    assert "after each success of demo" in row
    assert "on success" in row
    assert "after each success of demo." in follower
    assert 'href="/schedules/default/demo"' in follower
    assert "It has no next run" not in follower
    assert 'href="/schedules/default/other"' in predecessor.partition("After each success, ")[2][:200]
    assert "default/other" not in overview.partition("need attention")[2][:2000]
