"""What the command line shows of a schedule that runs after another one, with a real scheduler process."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from financehub_shared.schedules import list_schedules
from support.processes import end, launch
from support.schedules import resource, write
from support.waiting import eventually

PROBLEM = "it runs after each success of prices, so it has no due times that could be computed; backfill prices instead"


@pytest.fixture
def scheduler(invoke: Any, redis_client: redis.Redis, tmp_path: Path) -> Iterator[Path]:
    """A scheduler process with a schedule, its follower, and a follower of a schedule that does not exist."""
    write(
        tmp_path,
        resource("prices"),
        resource("indicators", after="prices"),
        resource("report", after="indicator"),
    )
    command = [Path(sys.executable).parent / "financehub-scheduler", "--schedules", tmp_path]
    environment = {**os.environ, "FINANCEHUB_HTTP_PORT": "0", "FINANCEHUB_HTTP_HOST": "127.0.0.1"}
    with (tmp_path / "log").open("wb") as log:
        process = launch(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: any(info.problem for info in list_schedules(redis_client)))
        yield tmp_path
    finally:
        end(process)


def test_follower_is_listed_with_its_predecessor_and_cannot_be_backfilled(
    cli: Any, invoke: Any, scheduler: Path
) -> None:
    """A follower waits for a success, has no next time and no problem, and a backfill of it names the way out."""
    listed = {each["name"]: each for each in cli("schedules", "list")}
    follower, report = listed["default/indicators"], listed["default/report"]
    assert (follower["schedule"], follower["next"], follower["problem"]) == ("after prices", [], "")
    assert report["problem"].endswith("has the name 'indicator'; did you mean indicators?")
    lines = {line.split()[0]: line for line in invoke("schedules", "list").stdout.splitlines() if line.strip()}
    assert "after prices" in lines["default/indicators"]
    assert "on success" in lines["default/indicators"]
    assert "on success" not in lines["default/report"]

    refused = invoke("schedules", "backfill", "indicators", "--from", "2026-01-05", "--to", "2026-01-06")
    assert (refused.exit_code, PROBLEM in " ".join(refused.stderr.split())) == (2, True)
    planned = invoke("schedules", "backfill", "indicators", "--from", "2026-01-05", "--to", "2026-01-06", "--dry-run")
    assert (planned.exit_code, PROBLEM in " ".join(planned.stdout.split())) == (1, True)
    plan = cli("schedules", "backfill", "indicators", "--from", "2026-01-05", "--dry-run", code=1)
    assert (plan["total"], PROBLEM in plan["problem"]) == (0, True)
