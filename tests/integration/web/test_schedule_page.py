"""Tests of the page of one schedule: its next due times, and its spec."""

import json
import re
from datetime import UTC, datetime
from html import unescape
from zoneinfo import ZoneInfo

import httpx
import pytest
import redis
import yaml

from financehub_shared.redis import keys
from financehub_shared.schedules import request_backfill
from support.schedule_runs import FAILED, Runs
from support.schedules import UID

HOSTILE = "<script>x</script>\u202e"


def change_spec(client: redis.Redis, **spec: object) -> None:
    """Give the schedule default/demo another spec, as if the scheduler had stored it, and resume it."""
    client.hdel(keys.SCHEDULES_PAUSED, UID)
    client.hset(keys.schedule(UID), "spec", json.dumps({"task": "task", **spec}))


def page_of(api: httpx.Client) -> str:
    """Return the page of the schedule."""
    response = api.get("/schedules/default/demo")
    assert response.status_code == 200
    return response.text


def test_page_has_the_next_ten_due_times_in_both_zones(api: httpx.Client, filled: redis.Redis) -> None:
    """Each due time is shown in the zone of the schedule, and as a moment that a script shows in the reader's zone."""
    change_spec(filled, schedule="0 */6 * * *", timeZone="Asia/Tokyo", jitterSeconds=3_000)
    text = page_of(api)
    rows = re.findall(r'<tr id="due-[^"]*"><th [^>]*>([^<]*)</th><td class="nowrap"><time datetime="([^"]*)"', text)
    assert len(rows) == 10
    for shown, moment in rows:
        assert datetime.fromisoformat(moment).astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M") == shown
        assert datetime.fromisoformat(moment).astimezone(UTC).hour in {3, 9, 15, 21}
    assert re.search(r"Each run starts [^<]+ after it is due", text)


def test_page_has_the_spec_with_default_values(api: httpx.Client, filled: redis.Redis) -> None:
    """The spec is YAML with the values that apply, and hostile values are shown as text."""
    change_spec(filled, schedule="@daily", kwargs={"name": HOSTILE})
    text = page_of(api)
    assert "<script>x" not in text
    assert "\u202e" not in text
    spec = unescape(re.search(r"<pre>(.*?)</pre>", text, re.DOTALL)[1])  # type: ignore[index]
    shown = yaml.safe_load(spec)
    assert (shown["concurrencyPolicy"], shown["timeZone"], shown["catchUp"]) == ("Forbid", "UTC", "Latest")
    assert shown["kwargs"]["name"].startswith("<script>x</script>")


@pytest.mark.parametrize("spec", [{}, {"schedule": "no"}, {"schedule": "@daily", "timeZone": "Mars/Base"}])
def test_page_of_an_unreadable_spec_says_why_it_has_no_due_times(
    api: httpx.Client, filled: redis.Redis, spec: dict[str, str]
) -> None:
    """A spec that another program damaged costs the due times and not the page."""
    change_spec(filled, **spec)
    assert "the due times cannot be computed from the stored spec" in unescape(page_of(api))


def test_page_has_the_backfills_of_the_schedule(api: httpx.Client, filled: redis.Redis) -> None:
    """Each of the newest ten backfills is listed with its range in the schedule's zone, its state and its progress."""
    change_spec(filled, schedule="@daily", timeZone="Asia/Tokyo")
    start = datetime(2026, 1, 5, tzinfo=ZoneInfo("Asia/Tokyo")).timestamp()
    ids = [request_backfill(filled, "default/demo", start, start + 3_600 * hours) for hours in range(12)]
    filled.hset(keys.backfill(ids[-1]), mapping={"total": "48", "enqueued": "20"})
    filled.hset(keys.backfill(ids[-2]), mapping={"state": "refused", "total": "0", "message": HOSTILE})
    filled.hset(keys.backfill(ids[-3]), "start", "damaged")
    filled.delete(keys.backfill(ids[-4]))
    text = page_of(api)
    assert re.findall(r'<tr id="backfill-([^"]*)"', text) == [ids[-1], ids[-2], *reversed(ids[2:8])]
    rows = dict(re.findall(r'<tr id="backfill-([^"]*)">(.*?)</tr>', text, re.DOTALL))
    for shown in ("running", "2026-01-05 00:00", "2026-01-05 11:00", "20 of 48"):
        assert shown in rows[ids[-1]]
    assert "refused" in rows[ids[-2]]
    assert "&lt;script&gt;" in rows[ids[-2]]
    assert "waits for a scheduler" in rows[ids[2]]
    assert filled.ttl(keys.schedule_backfills(UID)) > 29 * 86_400


def test_page_counts_waiting_runs_and_failures_in_a_row(api: httpx.Client, filled: redis.Redis) -> None:
    """The page shows how many runs wait for the previous one, and how many failed in a row."""
    change_spec(filled, schedule="@daily", pauseAfterFailures=2, concurrencyPolicy="BufferAll")
    filled.hset(keys.SCHEDULES_BUFFERED, UID, "1800000000000")
    filled.rpush(keys.schedule_buffered(UID), "1800000060000", "1800000120000")
    filled.hset(keys.SCHEDULES_FAILING, UID, 1)
    facts = re.sub(r"\s+", " ", page_of(api))
    assert "<dt>Waiting for the previous run</dt><dd>3</dd>" in facts
    assert "<dt>Failed in a row</dt><dd>1</dd>" in facts
    assert "pause-reason" not in facts


def test_page_of_a_schedule_that_failures_paused_says_why_and_how_to_resume_it(
    api: httpx.Client, filled: redis.Redis
) -> None:
    """The page, the list, the overview and the API show the last error, and that no user paused it."""
    change_spec(filled, schedule="@daily", pauseAfterFailures=2)
    filled.hdel(keys.SCHEDULES_FAILING, UID)
    runs = Runs(filled)
    for error in ("ValueError", "ValueError: <b>"):
        runs.end(runs.new(), FAILED, error)
    text = page_of(api)
    assert "2 runs in a row failed, the last with: ValueError: &lt;b&gt;" in text
    assert "FinanceHub paused it after failures" in text
    assert "<code>financehub schedules resume default/demo</code>" in text
    assert "Paused by" not in text
    listed = api.get("/schedules?state=paused").text
    assert re.search(r"Paused after failures <time[^>]*>[^<]*</time>:</span> 2 runs in a row failed", listed)
    assert "paused after failures: 2 runs in a row failed" in api.get("/").text
    record = api.get("/api/v1/schedules/default/demo").json()["data"]
    assert (record["failures_in_row"], record["buffered"], record["paused"]["failures"]) == (2, 0, 2)
    assert record["paused"]["by"] == "financehub"
