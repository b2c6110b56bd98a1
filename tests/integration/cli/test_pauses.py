"""Tests of `schedules pause` and `schedules resume` with several names and with --all (C10)."""

import time
import uuid
from typing import Any

import pytest
import redis

from financehub_shared.operations import schedules as operations
from financehub_shared.redis import keys

NAMES = ["default/coins", "default/news", "prod/report"]


@pytest.fixture
def registered(redis_client: redis.Redis) -> redis.Redis:
    """A Redis with three schedules that a live scheduler has claimed."""
    for name in NAMES:
        uid = str(uuid.uuid5(uuid.NAMESPACE_DNS, name))
        redis_client.hset(keys.SCHEDULE_NAMES, name, uid)
        redis_client.hset(
            keys.schedule(uid), mapping={"uid": uid, "name": name, "task": "t", "spec": "{}", "fingerprint": "f"}
        )
        redis_client.zadd(keys.SCHEDULES, {uid: time.time()})
    return redis_client


def paused(cli: Any) -> list[str]:
    """Return the names of the paused schedules."""
    return [row["name"] for row in cli("schedules", "list") if row["paused"]]


@pytest.mark.usefixtures("registered")
def test_several_schedules_are_paused_and_resumed_by_name(cli: Any, invoke: Any) -> None:
    """All named schedules change together, and those that were paused before keep their reason."""
    rows = cli("schedules", "pause", "coins", "prod/report", "--reason", "first")
    assert [(row["name"], row["paused"]["reason"]) for row in rows] == [
        ("default/coins", "first"),
        ("prod/report", "first"),
    ]
    again = invoke("schedules", "pause", "coins", "news", "--reason", "second")
    assert "default/coins was paused before and keeps its reason" in again.stderr
    assert paused(cli) == NAMES
    assert [row["name"] for row in cli("schedules", "resume", "news", "report")] == ["default/news", "prod/report"]
    assert paused(cli) == ["default/coins"]


@pytest.mark.parametrize("limit", [1_000, 2])
@pytest.mark.usefixtures("registered")
def test_all_schedules_are_paused_and_resumed(
    cli: Any, invoke: Any, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """--all selects every schedule, also if there are more than one request may change."""
    monkeypatch.setattr(operations, "MAX_SCHEDULES", limit)
    monkeypatch.setattr("financehub_cli.commands.schedules.pauses.MAX_SCHEDULES", limit)
    cli("schedules", "pause", "news", "--reason", "first")
    rows = cli("schedules", "pause", "--all", "--reason", "maintenance")
    assert [(row["name"], row["paused"]["reason"]) for row in rows] == [
        ("default/coins", "maintenance"),
        ("default/news", "first"),
        ("prod/report", "maintenance"),
    ]
    assert [row["name"] for row in cli("schedules", "resume", "--all")] == NAMES
    assert paused(cli) == []
    nothing = invoke("schedules", "resume", "--all")
    assert (nothing.exit_code, "no schedule is paused" in nothing.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pause", "--reason", "x"], "name the schedules, or select all of them with --all"),
        (["resume"], "name the schedules, or select all of them with --all"),
        (["pause", "coins", "--all", "--reason", "x"], "--all cannot be combined with names; remove one of them"),
        (["resume", "coins", "--all"], "--all cannot be combined with names; remove one of them"),
        (["pause", "coins", "newz", "--reason", "x"], "'newz' is not registered; did you mean default/news?"),
    ],
)
def test_wrong_selection_changes_nothing(
    cli: Any, invoke: Any, registered: redis.Redis, arguments: list[str], problem: str
) -> None:
    """Without a selection, with two, and with an unknown name, nothing is paused or resumed."""
    result = invoke("schedules", *arguments)
    assert (result.exit_code, problem in result.stderr) == (2, True)
    assert not registered.exists(keys.SCHEDULES_PAUSED)


@pytest.mark.parametrize("command", [["pause", "--reason", "x"], ["resume"]])
def test_all_without_any_schedule_says_so(invoke: Any, redis_client: redis.Redis, command: list[str]) -> None:
    """If no schedule is registered, --all selects nothing, and the message says why."""
    result = invoke("schedules", *command, "--all")
    assert (result.exit_code, "no schedule is registered" in result.stderr) == (2, True)
