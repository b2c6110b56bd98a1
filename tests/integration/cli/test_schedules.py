"""`schedules`: what a real scheduler process registered, triggered and backfilled."""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.redis import keys
from financehub_shared.schedules import list_schedules
from financehub_shared.worker.actors import declare
from support.observed import Fleet, eventually
from support.processes import end, launch

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
    """A scheduler process with one schedule that is due at midnight only, and one document that it refuses."""
    (tmp_path / "coins.yaml").write_text(SCHEDULE.format(name="coins", task=TASK, schedule="0 0 * * *"))
    (tmp_path / "never.yaml").write_text(SCHEDULE.format(name="never", task=TASK, schedule="0 0 31 2 *"))
    command = [Path(sys.executable).parent / "financehub-scheduler", "--schedules", tmp_path]
    environment = {**os.environ, "FINANCEHUB_HTTP_PORT": "0", "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
    with (tmp_path / "log").open("wb") as log:
        process = launch(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: list_schedules(redis_client))
        yield tmp_path
    finally:
        end(process)


def test_schedules_are_listed_triggered_and_backfilled(
    cli: Any, invoke: Any, shell: Any, scheduler: Path, redis_url: str, redis_client: redis.Redis
):
    """The listing tells what runs when; a trigger is followed to its outcome; a backfill enqueues each due time."""
    (coins,) = cli("schedules", "list")
    assert (coins["task"], coins["schedule"], coins["time_zone"]) == (TASK, "0 0 * * *", "UTC")
    assert (coins["alive"], coins["suspended"], coins["last_outcome"]) == (True, False, None)
    assert all(at.endswith("T00:00:00.000Z") for at in coins["next"])
    eventually(lambda: "never.yaml" in invoke("schedules", "list").stderr)
    assert invoke("schedules", "list").stderr.startswith("financehub: refused: ")

    fleet = Fleet(redis_url)
    declare(fleet.broker, TASK, lambda: TaskSummary(asked=1, stored=1))
    first = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    with fleet.working():
        run = shell("schedules", "trigger", "coins", "--timeout", "30", "--json")
        past = shell("schedules", "backfill", "coins", "--from", first, "--timeout", "30", "--json")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["state"] == "succeeded"
    done = json.loads(past.stdout)
    assert (done["state"], done["total"], done["enqueued"]) == ("finished", 2, 2)
    assert done["start"] == f"{first}T00:00:00.000Z"

    shown = cli("schedules", "show", coins["name"])
    assert (shown["triggered"], shown["last_outcome"], shown["spec"]["task"]) == (1, "succeeded", TASK)
    assert json.loads(run.stdout)["message_id"] in [each["message_id"] for each in shown["recent"]]
    assert "succeeded" in invoke("schedules", "show", "coins").stdout


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that gives up soon on who is not there."""
    monkeypatch.setattr("financehub_cli.schedules._PATIENCE_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
def test_requests_that_are_not_waited_for_tell_how_far_they_are(cli: Any, invoke: Any, scheduler: Path):
    """--no-wait tells what is to come, --timeout where it stands, and a wrong name the known ones."""
    asked = cli("schedules", "trigger", "coins", "--no-wait")
    assert asked["name"] == "default/coins"
    eventually(lambda: cli("schedules", "show", "coins")["recent"])
    assert cli("schedules", "show", "coins")["recent"][0]["message_id"] == asked["message_id"]
    # without a worker the runs of a backfill wait for the first one
    first = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    # the scheduler may have begun it by then
    assert cli("schedules", "backfill", "coins", "--from", first, "--no-wait")["state"] in {"pending", "running"}
    late = cli("schedules", "backfill", "coins", "--from", first, "--timeout", "0.2", code=1)
    assert late["state"] in {"pending", "running"}
    stuck = invoke("schedules", "backfill", "coins", "--from", first)
    assert stuck.exit_code == 1
    assert "no live worker serves queue 'high'; the backfill waits until one starts" in stuck.stderr
    unknown = invoke("schedules", "trigger", "coin")
    assert unknown.exit_code == 2
    assert "'coin' is not registered; registered schedules: " in unknown.stderr


@pytest.mark.usefixtures("impatient")
def test_a_backfill_without_a_scheduler_is_not_followed(invoke: Any, redis_client: redis.Redis):
    """Where no scheduler lives the command says so and ends with 1, long before --timeout."""
    uid = "5d1c1a64-8a63-5a0e-9b0a-1f0e6b7d2c11"
    record = {"name": "default/coins", "task": TASK, "queue": "high", "spec": "{}", "suspended": "0"}
    redis_client.hset(keys.schedule(uid), mapping=record)
    redis_client.hset(keys.SCHEDULE_NAMES, "default/coins", uid)
    done = invoke("schedules", "backfill", "coins", "--from", "2026-01-05")
    assert done.exit_code == 1
    assert "no live scheduler; the backfill waits until one starts" in done.stderr
    assert "pending: 0 of 0 enqueued" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "coins"], "none (is a scheduler running?)"),
        (["backfill", "coins", "--from", "yesterday"], "--from 'yesterday': write a day or time as"),
        (["backfill", "coins", "--from", "2026-01-02", "--to", "2026-01-01"], "must end in the past"),
        (["backfill", "coins", "--from", "2026-01-01", "--to", "2999-01-01"], "must end in the past"),
    ],
)
def test_a_wrong_request_ends_with_2(invoke: Any, arguments: list[str], problem: str):
    """What cannot be asked of a scheduler is told before it is asked."""
    done = invoke("schedules", *arguments)
    assert done.exit_code == 2
    assert problem in done.stderr


def test_no_schedule_is_no_failure(cli: Any, invoke: Any):
    """An empty listing ends well and says who fills it."""
    assert cli("schedules", "list") == []
    assert "a scheduler registers them" in invoke("schedules", "list").stderr
