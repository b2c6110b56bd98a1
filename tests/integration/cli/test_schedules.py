"""Tests of the `schedules` commands, with a real scheduler process."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.core.durations import DAY_SECONDS
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.recurrence.build import recurrence_of_spec
from financehub_shared.recurrence.diagnosis import problems
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import NextRuns
from financehub_shared.schedules import list_schedules
from financehub_shared.worker.actors import declare
from support.observed import ObservedWorker
from support.processes import end, launch
from support.waiting import eventually

TASK = "fetch_crypto_prices_task"
SCHEDULE = """
apiVersion: financehub.io/v1alpha1
kind: ScheduledTask
metadata:
  name: {name}
spec:
  task: {task}
  schedule: "{schedule}"
"""


@pytest.fixture
def scheduler(invoke: Any, redis_client: redis.Redis, tmp_path: Path) -> Iterator[Path]:
    """A scheduler process with one schedule, which is due at midnight, and one document that it refuses.

    Midnight does not pass in the next minutes, because it would add a run and a due time.
    """
    eventually(lambda: time.time() % DAY_SECONDS < DAY_SECONDS - 240, "midnight is not near", 300, poll_seconds=1)
    (tmp_path / "coins.yaml").write_text(SCHEDULE.format(name="coins", task=TASK, schedule="0 0 * * *"))
    (tmp_path / "never.yaml").write_text(SCHEDULE.format(name="never", task=TASK, schedule="0 0 31 2 *"))
    command = [Path(sys.executable).parent / "financehub-scheduler", "--schedules", tmp_path]
    environment = {**os.environ, "FINANCEHUB_HTTP_PORT": "0", "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
    with (tmp_path / "log").open("wb") as log:
        process = launch(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: any(info.is_claimed(time.time()) for info in list_schedules(redis_client)))
        yield tmp_path
    finally:
        end(process)


@pytest.fixture
def short_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """`schedules backfill` waits only 0.3 seconds for an absent scheduler or worker."""
    monkeypatch.setattr("financehub_cli.follow.ABSENCE_SECONDS", 0.3)


def test_schedules_commands_list_trigger_backfill_and_show(
    cli: Any, invoke: Any, shell: Any, scheduler: Path, redis_url: str, redis_client: redis.Redis
):
    """Schedules and refused documents are listed, a trigger is followed, and a backfill enqueues each due time."""
    (coins,) = cli("schedules", "list")
    assert (coins["task"], coins["schedule"], coins["time_zone"]) == (TASK, "0 0 * * *", "UTC")
    assert (coins["alive"], coins["suspended"], coins["last_outcome"]) == (True, False, None)
    assert all(at.endswith("T00:00:00.000Z") for at in coins["next"])
    eventually(lambda: "never.yaml" in invoke("schedules", "list").stderr)
    assert invoke("schedules", "list").stderr.startswith("financehub: refused: ")

    fleet = ObservedWorker(redis_url)
    declare(fleet.broker, TASK, lambda: TaskSummary(requested=1, stored=1))
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    with fleet.working():
        triggered = shell("schedules", "trigger", "coins", "--timeout", "150", "--json")
        backfilled = shell("schedules", "backfill", "coins", "--from", yesterday, "--timeout", "150", "--json")
    assert triggered.returncode == 0, triggered.stderr
    run = json.loads(triggered.stdout)
    assert run["state"] == "succeeded"
    backfill = json.loads(backfilled.stdout)
    assert (backfill["state"], backfill["total"], backfill["enqueued"]) == ("finished", 2, 2)
    assert backfill["start"] == f"{yesterday}T00:00:00.000Z"

    plan = cli("schedules", "backfill", "coins", "--from", yesterday, "--dry-run")
    assert (plan["total"], plan["problem"], plan["first"][0]) == (2, "", f"{yesterday}T00:00:00.000Z")
    printed = invoke("schedules", "backfill", "coins", "--from", yesterday, "--dry-run").stdout
    assert printed.startswith(f"default/coins from {yesterday} 00:00 to ")
    assert "times in UTC" in printed.splitlines()[0]
    assert cli("schedules", "backfill", "coins", "--from", "-1d", "--dry-run")["total"] == 1
    assert f"The range has 2 due times: {yesterday} 00:00 … " in printed
    assert "Due times that have already run are run again." in printed
    refused = cli(
        "schedules",
        "backfill",
        "coins",
        "--from",
        f"{yesterday}T12:00",
        "--to",
        f"{yesterday}T13:00",
        "--dry-run",
        code=1,
    )
    assert refused["problem"] == "No due time of the schedule is in this range."

    shown = cli("schedules", "show", coins["name"])
    assert (shown["triggered"], shown["last_outcome"], shown["spec"]["task"]) == (1, "succeeded", TASK)
    assert run["message_id"] in [recent["message_id"] for recent in shown["recent"]]
    assert "succeeded" in invoke("schedules", "show", "coins").stdout


def test_schedules_show_of_one_that_failures_paused_says_how_to_resume_it(
    cli: Any, invoke: Any, scheduler: Path, redis_client: redis.Redis
) -> None:
    """The listing has the last error, and the details have the command that resumes the schedule."""
    uid = cli("schedules", "show", "coins")["uid"]
    redis_client.hset(keys.SCHEDULES_FAILING, uid, 3)
    reason = "3 runs in a row failed, the last with: ValueError: no"
    entry = json.dumps({"by": "financehub", "reason": reason, "at": time.time(), "failures": 3})
    redis_client.hset(keys.SCHEDULES_PAUSED, uid, entry)
    listed = " ".join(invoke("schedules", "list").stdout.split())
    assert "paused after failures" in listed
    shown = " ".join(invoke("schedules", "show", "coins").stdout.split())
    assert f"paused after failures: {reason}" in shown
    assert "resume it with: financehub schedules resume default/coins" in shown
    record = cli("schedules", "show", "coins")
    assert (record["paused"]["failures"], record["failures_in_row"], record["buffered"]) == (3, 3, 0)
    (resumed,) = cli("schedules", "resume", "coins")
    assert (resumed["paused"], resumed["failures_in_row"]) == (None, 0)


def test_schedules_pause_and_resume_show_who_and_why(
    cli: Any, invoke: Any, scheduler: Path, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
):
    """A paused schedule shows the user and the reason in every listing, and has no next run until it is resumed."""
    monkeypatch.setenv("LOGNAME", "alice")
    reason = "the provider changes\u202e its API"
    (paused,) = cli("schedules", "pause", "coins", "--reason", reason)
    assert (paused["paused"]["by"], paused["paused"]["reason"]) == ("alice", "the provider changes\\u202e its API")
    assert paused["paused"]["at"].endswith("Z")
    assert (paused["next"], paused["problem"], paused["suspended"]) == ([], "", False)
    (listed,) = cli("schedules", "list")
    assert listed["paused"] == paused["paused"] == cli("status", code=1)["schedules"][0]["paused"]
    printed = invoke("schedules", "list").stdout
    assert "paused" in printed
    assert "paused by alice" in invoke("schedules", "show", "coins").stdout
    eventually(lambda: redis_client.hget(keys.SCHEDULE_NEXT_RUNS, listed["uid"]) == b'{"next": [], "problem": ""}')

    again = invoke("schedules", "pause", "coins", "--reason", "another reason")
    assert again.exit_code == 0
    assert "default/coins was paused before and keeps its reason" in again.stderr
    assert cli("schedules", "show", "coins")["paused"] == paused["paused"]

    (resumed,) = cli("schedules", "resume", "default/coins")
    assert resumed["paused"] is None
    eventually(lambda: cli("schedules", "show", "coins")["next"])
    assert "default/coins was not paused" in invoke("schedules", "resume", "coins").stderr


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("pause", "coins"), "--reason"),
        (("pause", "coins", "--reason", " "), "say why"),
        (("pause", "coins", "--reason", "x" * 201), "at most 200"),
        (("pause", "coins", "coin", "--reason", "x"), "'coin' is not registered"),
        (("resume", "coin"), "'coin' is not registered"),
    ],
)
def test_schedules_pause_with_a_wrong_request_changes_nothing(
    invoke: Any, redis_client: redis.Redis, arguments: tuple[str, ...], problem: str
):
    """A reason that is missing or too long, and an unknown schedule, are usage errors."""
    redis_client.hset(keys.SCHEDULE_NAMES, "default/coins", "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11")
    result = invoke("schedules", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not redis_client.exists(keys.SCHEDULES_PAUSED)


@pytest.mark.usefixtures("short_absence")
def test_schedules_requests_without_worker_report_their_progress(cli: Any, invoke: Any, scheduler: Path):
    """--no-wait prints the requested run or backfill, and a backfill that is still followed at --timeout exits with 1.

    A backfill that needs an absent worker is not followed. For an unknown name, a similar one is proposed.
    """
    told = "no live worker serves queue 'high'; the run waits until one starts (start a worker for it)"
    triggered = invoke("schedules", "trigger", "coins", "--no-wait", "--json")
    assert told in triggered.stderr
    requested = json.loads(triggered.stdout)
    assert requested["name"] == "default/coins"
    eventually(lambda: cli("schedules", "show", "coins")["recent"])
    assert cli("schedules", "show", "coins")["recent"][0]["message_id"] == requested["message_id"]
    # without a worker, the runs of a backfill wait for the first one
    first = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    # the scheduler may have started the backfill already
    assert cli("schedules", "backfill", "coins", "--from", first, "--no-wait")["state"] in {"pending", "running"}
    timed_out = cli("schedules", "backfill", "coins", "--from", first, "--timeout", "0.2", code=1)
    assert timed_out["state"] in {"pending", "running"}
    waiting = invoke("schedules", "backfill", "coins", "--from", first)
    assert waiting.exit_code == 1
    assert "no live worker serves queue 'high'; the backfill waits until one starts" in waiting.stderr
    unknown = invoke("schedules", "trigger", "coin")
    assert unknown.exit_code == 2
    assert "'coin' is not registered; did you mean default/coins?" in unknown.stderr


@pytest.mark.usefixtures("short_absence")
def test_schedules_backfill_without_scheduler_is_not_followed(invoke: Any, redis_client: redis.Redis):
    """If no scheduler is alive, the command says so and exits with 1 long before --timeout."""
    uid = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"
    record = {"name": "default/coins", "task": TASK, "queue": "high", "spec": "{}", "suspended": "0"}
    redis_client.hset(keys.schedule(uid), mapping=record)
    redis_client.hset(keys.SCHEDULE_NAMES, "default/coins", uid)
    result = invoke("schedules", "backfill", "coins", "--from", "2026-01-05")
    assert result.exit_code == 1
    assert "no scheduler is alive; the backfill waits until one starts" in result.stderr
    assert "pending: 0 of 0 enqueued" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "coins"], "no schedule is registered (is a scheduler running?)"),
        (
            ["backfill", "coins", "--from", "yesterday"],
            "--from: 'yesterday' is not a day or time; write one such as 2026-01-05 or 2026-01-05 12:00, or how",
        ),
        (["backfill", "coins", "--from", "2026-01-02", "--to", "2026-01-01"], "must end in the past"),
        (["backfill", "coins", "--from", "2026-01-01", "--to", "2999-01-01"], "must end in the past"),
    ],
)
def test_schedules_command_with_invalid_request_exits_with_2(invoke: Any, arguments: list[str], problem: str):
    """An unknown schedule and an invalid range are refused before anything is requested."""
    result = invoke("schedules", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr


def test_schedules_list_without_schedules_exits_with_0(cli: Any, invoke: Any):
    """An empty list is not an error, and a note says that a scheduler registers the schedules."""
    assert cli("schedules", "list") == []
    assert "a scheduler registers them" in invoke("schedules", "list").stderr


@pytest.mark.parametrize(
    ("spec", "problem", "warned"),
    [
        ({"schedule": "0 15 * * *", "calendar": "XNYS"}, "", []),
        ({"after": "other", "calendar": "XNYS"}, "", []),
        (
            {"schedules": ["0 3 * * *", "0 15 * * *"], "calendar": "XNYS"},
            "",
            ["'0 3 * * *' is never due, because XNYS"],
        ),
        ({"schedule": "@daily", "endTime": "2020-01-01T00:00:00Z"}, "no due time is left", ["is in the past"]),
        ({"schedule": "mistake"}, "", ["the due times cannot be computed from the stored spec: "]),
    ],
)
def test_schedules_show_warns_of_lines_that_are_not_due(
    cli: Any, invoke: Any, redis_client: redis.Redis, spec: dict[str, Any], problem: str, warned: list[str]
) -> None:
    """A schedule with another line has next runs and no problem, so its page says which line is never due."""
    uid = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"
    record = {"uid": uid, "name": "default/x", "task": "t", "queue": "q", "spec": json.dumps({"task": "t"} | spec)}
    redis_client.hset(keys.schedule(uid), mapping=record)
    redis_client.hset(keys.SCHEDULE_NAMES, "default/x", uid)
    redis_client.hset(keys.SCHEDULE_NEXT_RUNS, uid, NextRuns(problem=problem).to_json())
    warnings = cli("schedules", "show", "x")["warnings"]
    assert len(warnings) == len(warned)
    assert all(part in warning for part, warning in zip(warned, warnings, strict=True))
    shown = invoke("schedules", "show", "x").stdout
    assert len(re.findall(r"^warning: ", shown, re.MULTILINE)) == len(warned)
    assert all(warning in shown for warning in warnings)


def test_schedules_show_does_not_repeat_the_problem_as_a_warning(
    invoke: Any, cli: Any, redis_client: redis.Redis
) -> None:
    """If no line can be due, the problem has the sentences already. Scripts get both keys."""
    uid = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"
    spec = {"task": "t", "schedule": "0 3 * * *", "calendar": "XNYS"}
    record = {"uid": uid, "name": "default/x", "task": "t", "queue": "q", "spec": json.dumps(spec)}
    (problem,) = problems(recurrence_of_spec(uid, spec))
    redis_client.hset(keys.schedule(uid), mapping=record)
    redis_client.hset(keys.SCHEDULE_NAMES, "default/x", uid)
    redis_client.hset(keys.SCHEDULE_NEXT_RUNS, uid, NextRuns(problem=problem).to_json())
    shown = cli("schedules", "show", "x")
    assert (shown["problem"], shown["warnings"]) == (problem, [problem])
    assert invoke("schedules", "show", "x").stdout.count("is never due") == 1
