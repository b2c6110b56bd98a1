"""Tests of the list of the newest runs of all tasks, with a real Redis."""

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from financehub_shared.monitor import RunState, TaskMonitor, run_listing
from financehub_shared.monitor.record_writer import RecordWriter
from financehub_shared.monitor.run_filter import LISTED_STATES, RunFilter, RunPosition
from financehub_shared.redis import keys
from support.run_events import end_event, start_event

T = 1_800_000_000
TASKS = ("task", "other", "third")
SCHEDULES = ("", "default/a", "default/b")
ENDED = (RunState.SUCCEEDED, RunState.SKIPPED, RunState.DEAD_LETTERED)


def named(task: str, schedule: str) -> dict[str, Any]:
    """Return the fields of an event that depend on the task and the schedule."""
    fields = {"task": task, "stats": keys.task_stats(task), "running": keys.task_running(task)}
    return fields | ({"schedule": schedule, "uid": f"uid-{schedule}"} if schedule else {})


def write_runs(client: redis.Redis, count: int, seed: int) -> list[tuple[float, str]]:
    """Record runs of which many end at the same time, and return time and id of each, newest first."""
    chosen = random.Random(seed)
    writer = RecordWriter(client, time.monotonic, 86_400)
    positions = []
    for number in range(count):
        id, at = f"run-{number:04}", float(T + chosen.randrange(max(1, count // 5)))
        fields = named(chosen.choice(TASKS), chosen.choice(SCHEDULES)) | {"correlation_id": f"c-{number % 10}"}
        if chosen.random() < 0.2:
            writer.record_start(start_event(id, **fields, started_at=at))
        else:
            event = end_event(id, outcome=chosen.choice(ENDED), **fields, started_at=at - 1)
            writer.record_end(event | {"finished_at": at})
        positions.append((at, id))
    writer.flush()
    return sorted(positions, reverse=True)


def read_pages(monitor: TaskMonitor, wanted: RunFilter, limit: int) -> list[str]:
    """Return the ids of all pages of a list."""
    ids: list[str] = []
    after: RunPosition | None = None
    while True:
        page = monitor.find_runs(wanted, after=after, limit=limit)
        assert len(page.runs) <= limit
        ids += [run.message_id for run in page.runs]
        if page.last is None:
            return ids
        assert len(page.runs) == limit
        after = page.last


def matching(monitor: TaskMonitor, positions: Sequence[tuple[float, str]], wanted: RunFilter) -> list[str]:
    """Return the ids that a filter selects, by looking at every record."""
    ids = []
    runs = {run.message_id: run for run in monitor.get_runs(id for _, id in positions)}
    for at, id in positions:
        run = runs[id]
        names = ("task", "state", "schedule", "correlation_id")
        pairs = [(getattr(wanted, name), getattr(run, name)) for name in names]
        if all(value is None or value == actual for value, actual in pairs) and at >= (wanted.since or 0):
            ids.append(id)
    return ids


FILTERS = [
    RunFilter(),
    RunFilter(task="other"),
    RunFilter(task="unknown"),
    RunFilter(since=T + 15.0),
    RunFilter(schedule="default/a"),
    RunFilter(schedule=""),
    RunFilter(correlation_id="c-3"),
    RunFilter(correlation_id="c-3", task="task", since=T + 10.0),
    *(RunFilter(state=state) for state in LISTED_STATES),
    RunFilter(state=RunState.RUNNING, task="third", schedule="default/b"),
]


def test_find_runs_in_pages_returns_what_matches_newest_first(redis_client: redis.Redis) -> None:
    """For every filter and every size of pages, the pages together contain each matching run once, in order."""
    positions = write_runs(redis_client, 150, seed=7)
    monitor = TaskMonitor(redis_client)
    for wanted in FILTERS:
        expected = matching(monitor, positions, wanted)
        for limit in (1, 7, 1_000) if len(expected) < 20 else (7, 1_000):
            assert read_pages(monitor, wanted, limit) == expected, (wanted, limit)
    assert {len(matching(monitor, positions, wanted)) > 1 for wanted in FILTERS[3:8]} == {True}


def test_find_runs_continues_behind_the_last_run_if_newer_runs_end_meanwhile(redis_client: redis.Redis) -> None:
    """Runs that end after a page was read neither repeat a run on the next page nor hide one."""
    positions = write_runs(redis_client, 40, seed=1)
    monitor = TaskMonitor(redis_client)
    first = monitor.find_runs(limit=15)
    writer = RecordWriter(redis_client, time.monotonic, 86_400)
    for number in range(20):
        writer.record_end(end_event(f"new-{number}") | {"finished_at": T + 1_000.0})
    second = monitor.find_runs(after=first.last, limit=100)
    assert [run.message_id for run in (*first.runs, *second.runs)] == [id for _, id in positions]


def test_find_runs_leaves_out_runs_without_a_readable_record(redis_client: redis.Redis) -> None:
    """An expired record, a damaged one and a key of another type cost only their own run."""
    write_runs(redis_client, 12, seed=2)
    redis_client.delete(keys.run("run-0003"))
    redis_client.hset(keys.run("run-0004"), "state", "dreaming")
    redis_client.delete(keys.run("run-0005"))
    redis_client.set(keys.run("run-0005"), "text")
    redis_client.delete(keys.task_recent("third"))
    redis_client.set(keys.task_recent("third"), "text")
    for wanted in (RunFilter(), RunFilter(correlation_id="c-4"), RunFilter(correlation_id="c-5")):
        ids = read_pages(TaskMonitor(redis_client), wanted, 2)
        assert len(ids) == len(set(ids))
        assert not {"run-0003", "run-0004", "run-0005"} & {*ids}
        assert ids or wanted != RunFilter()


def test_find_runs_lists_a_lost_run_that_came_back_once(redis_client: redis.Redis) -> None:
    """A run that was declared lost and runs again is in both indexes of its task, but only once on a page."""
    write_runs(redis_client, 5, seed=3)
    redis_client.zadd(keys.task_running("task"), {"back": T + 100})
    redis_client.zadd(keys.task_recent("task"), {"back": T + 50})
    redis_client.hset(keys.run("back"), mapping={"state": "running", "task": "task"})
    redis_client.sadd(keys.TASKS, "task")
    ids = [run.message_id for run in TaskMonitor(redis_client).find_runs().runs]
    assert ids[0] == "back"
    assert ids.count("back") == 1
    assert len(ids) == 6


def test_find_runs_reads_only_the_records_of_the_page(redis_client: redis.Redis) -> None:
    """The cost of a page does not depend on how many runs there are."""
    write_runs(redis_client, 500, seed=4)
    for wanted in (RunFilter(), RunFilter(task="task"), RunFilter(since=float(T)), RunFilter(state=RunState.SUCCEEDED)):
        redis_client.config_resetstat()
        assert len(TaskMonitor(redis_client).find_runs(wanted, limit=20).runs) == 20
        calls: Any = redis_client.info("commandstats")
        assert calls["cmdstat_hgetall"]["calls"] <= 21
        assert calls["cmdstat_zrevrangebyscore"]["calls"] <= 2 * len(TASKS)


def test_find_runs_without_any_run_returns_an_empty_page(redis_client: redis.Redis) -> None:
    """A new fleet has no run, which is not an error."""
    page = TaskMonitor(redis_client).find_runs(limit=1)
    assert (list(page.runs), page.last) == ([], None)


def test_find_runs_with_a_rare_match_searches_a_limited_number_of_runs(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page stops after its share of the search, and the pages together contain each match once, in order."""
    monkeypatch.setattr(run_listing, "MOST_SEARCHED", 60)
    positions = write_runs(redis_client, 400, seed=5)
    rarest = positions[-1][1]
    monitor = TaskMonitor(redis_client)
    redis_client.hset(keys.run(rarest), "correlation_id", "rare")
    first = monitor.find_runs(RunFilter(correlation_id="rare"))
    assert list(first.runs) == []
    assert first.last is not None
    assert 60 <= first.searched < 120
    for wanted in (RunFilter(correlation_id="rare"), *FILTERS):
        ids: list[str] = []
        after: RunPosition | None = None
        pages = 0
        while True:
            page = monitor.find_runs(wanted, after=after, limit=10)
            assert len(page.runs) == 10 or page.searched or page.last is None
            ids += [run.message_id for run in page.runs]
            pages += 1
            if (after := page.last) is None:
                break
        assert ids == matching(monitor, positions, wanted), wanted
        assert pages <= 60


def test_find_runs_without_a_match_finds_the_end_of_ten_thousand_runs(redis_client: redis.Redis) -> None:
    """A search of 10,000 runs ends within one page, and says so."""
    ids = {f"run-{number}": T + number for number in range(10_000)}
    redis_client.zadd(keys.task_recent("task"), ids)
    redis_client.sadd(keys.TASKS, "task")
    page = TaskMonitor(redis_client).find_runs(RunFilter(correlation_id="unknown"))
    assert (list(page.runs), page.last, page.searched) == ([], None, 0)
