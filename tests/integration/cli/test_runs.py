"""Tests of `runs list` and of ids that are given by their beginning (C10)."""

import time
import uuid
from typing import Any

import pytest
import redis

from financehub_shared.redis import keys

#: Short name → id, task, queue, state, schedule, and seconds since the end.
RUNS = {
    "news": ("11112222-0000-4000-8000-000000000001", "fetch_news_task", "medium", "succeeded", "default/news", 30),
    "old": (
        "11112222-0000-4000-8000-000000000002",
        "fetch_news_task",
        "medium",
        "dead-lettered",
        "default/news",
        7_200,
    ),
    "hand": ("33334444-0000-4000-8000-000000000003", "health_check_task", "low", "succeeded", "", 60),
    "own": ("custom*id[1]", "send_report", "reports", "skipped", "prod/report", 900),
}


@pytest.fixture
def recorded(redis_client: redis.Redis) -> redis.Redis:
    """A Redis with four ended runs, one run that waits, and two schedules."""
    # Not the time of the import, which may be half an hour ago when the tests run.
    now = time.time()
    for id, task, queue, state, schedule, age in RUNS.values():
        at = now - age
        fields = {"state": state, "task": task, "queue": queue, "finished_at": at, "started_at": at - 1, "duration": 1}
        redis_client.hset(keys.run(id), mapping=fields | ({"schedule": schedule} if schedule else {}))
        redis_client.zadd(keys.task_recent(task), {id: at})
        redis_client.sadd(keys.TASKS, task)
    redis_client.hset(keys.run("55556666-waits"), mapping={"state": "queued", "task": "fetch_news_task"})
    for name in ("default/news", "default/other"):
        redis_client.hset(keys.SCHEDULE_NAMES, name, str(uuid.uuid5(uuid.NAMESPACE_DNS, name)))
    return redis_client


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ["news", "hand", "own", "old"]),
        (["--limit", "2"], ["news", "hand"]),
        (["--task", "fetch_news_task"], ["news", "old"]),
        (["--state", "dead-lettered"], ["old"]),
        (["--schedule", "news"], ["news", "old"]),
        (["--schedule", "default/news", "--since", "1h"], ["news"]),
        (["--schedule", ""], ["hand"]),
        # the schedule of a run may have been deleted
        (["--schedule", "prod/report"], ["own"]),
        (["--queue", "reports"], ["own"]),
        (["--queue", "medium", "--state", "succeeded"], ["news"]),
        (["--since", "-600s"], ["news", "hand"]),
        (["--since", "2099-01-01"], []),
        (["--schedule", "other"], []),
        (["--task", "cleanup_old_cache_task"], []),
        (["--queue", "high"], []),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_runs_list_shows_the_runs_that_match_every_filter(cli: Any, arguments: list[str], found: list[str]) -> None:
    """The newest run comes first, and a filter that knows its names but matches nothing gives an empty list."""
    assert [run["message_id"] for run in cli("runs", "list", *arguments)] == [RUNS[name][0] for name in found]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--task", "fetch_new_task"], "unknown task 'fetch_new_task'; did you mean fetch_news_task"),
        (["--task", "send_reprot"], "unknown task 'send_reprot'; did you mean send_report"),
        (["--state", "dead"], "unknown state 'dead'; "),
        (
            ["--state", "queued"],
            "--state queued: runs that wait for an attempt are messages in a queue and are not listed; ",
        ),
        (["--state", "retrying"], "; `financehub status` counts them, and `financehub runs show ID` shows one"),
        (["--queue", "hihg"], "unknown queue 'hihg'; did you mean high?"),
        (["--schedule", "newz"], "'newz' is not registered; did you mean default/news?"),
        (["--schedule", "default/newz"], "'default/newz' is not registered; did you mean default/news?"),
        (["--since", "soon"], "--since: 'soon' is not a day or time; write one such as"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_runs_list_with_a_wrong_filter_says_what_may_be_meant(invoke: Any, arguments: list[str], problem: str) -> None:
    """A typo in a filter is an error and not an empty list (C7)."""
    result = invoke("runs", "list", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


@pytest.mark.usefixtures("recorded")
def test_runs_list_shows_ids_that_runs_show_accepts(invoke: Any, cli: Any) -> None:
    """A listed id is short, but as long as it must be to differ from the other listed ones."""
    lines = invoke("runs", "list").stdout.splitlines()[1:]
    ids = [line.rsplit("  ", 1)[0].split("  ")[0].strip() for line in lines]
    assert [cli("runs", "show", id)["message_id"] for id in ids] == [
        RUNS[name][0] for name in ("news", "hand", "own", "old")
    ]
    assert len(ids[1]) == len(ids[0]) < 37


@pytest.mark.parametrize(
    ("beginning", "id"),
    [
        ("3333", "33334444-0000-4000-8000-000000000003"),
        ("33334444-0000-4000-8000-000000000003", "33334444-0000-4000-8000-000000000003"),
        ("5555", "55556666-waits"),
        ("custom*", "custom*id[1]"),
        ("custom*id[", "custom*id[1]"),
    ],
)
@pytest.mark.usefixtures("recorded")
def test_run_is_shown_by_the_beginning_of_its_id(cli: Any, beginning: str, id: str) -> None:
    """The beginning may have characters with a meaning for searches, and the run may still wait."""
    assert cli("runs", "show", beginning)["message_id"] == id


@pytest.mark.parametrize(
    ("id", "problem"),
    [
        (
            "1111",
            "the ids of 2 runs begin with '1111': 11112222-0000-4000-8000-000000000001 (fetch_news_task, succeeded), ",
        ),
        ("333", "'333' is too short; write at least 4 characters of the id"),
        ("", "'' is too short; write at least 4 characters of the id"),
        ("****", "the run '****' is unknown, or its record has expired; `financehub runs list` lists the runs"),
        ("[a-z]ustom", "the run '[a-z]ustom' is unknown"),
    ],
)
@pytest.mark.parametrize("command", ["show", "again"])
@pytest.mark.usefixtures("recorded")
def test_beginning_that_names_no_single_run_is_refused(invoke: Any, command: str, id: str, problem: str) -> None:
    """An ambiguous beginning lists the candidates, and a short or unknown one says what to write."""
    result = invoke("runs", command, id)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert result.stdout == ""


def test_runs_list_without_runs_says_so(invoke: Any, cli: Any) -> None:
    """An empty list is a success with a note."""
    assert cli("runs", "list") == []
    assert invoke("runs", "list").stderr == "financehub: no run has started yet\n"
    for filter in (["--task", "fetch_news_task"], ["--queue", "high"], ["--schedule", ""], ["--since", "1d"]):
        assert invoke("runs", "list", *filter).stderr == "financehub: no run matches\n"


def test_runs_list_while_runs_wait_says_how_many_and_where(invoke: Any, cli: Any, redis_client: redis.Redis) -> None:
    """Runs that wait are not listed, so a note counts them, also retries and those of queues that users added. A filter
    by queue counts only that queue.
    """
    invoke("run", "fetch_news_task", "--no-wait")
    shown = invoke("runs", "list")
    assert (shown.exit_code, "queued" in shown.stdout) == (0, False)
    one = "1 message in the queue medium waits for an attempt, see `financehub status`\n"
    assert shown.stderr == f"financehub: no run has started yet; {one}"
    assert invoke("runs", "list", "--queue", "medium").stderr == f"financehub: no run matches; {one}"
    assert invoke("runs", "list", "--queue", "high").stderr == "financehub: no run matches\n"
    redis_client.hset("dramatiq:reports.DQ.msgs", mapping={"a": "{}", "b": "{}"})
    assert invoke("runs", "list").stderr.endswith(
        "; 1 message in the queue medium and 2 messages in the queue reports wait for an attempt, "
        "see `financehub status`\n"
    )
    assert cli("runs", "list") == []


def test_beginning_of_many_ids_lists_some_of_them(invoke: Any, redis_client: redis.Redis) -> None:
    """Of many candidates, eight are listed with the number of the others."""
    for number in range(30):
        redis_client.hset(keys.run(f"same-{number:02}"), mapping={"state": "queued", "task": "t"})
    result = invoke("runs", "show", "same")
    assert "the ids of 30 runs begin with 'same': same-00 (t, queued)" in result.stderr
    assert "and 22 more; write more characters" in result.stderr
