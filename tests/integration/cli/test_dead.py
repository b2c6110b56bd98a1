"""`dead`: what was given up, put back or dropped."""

import json
import time
from typing import Any

import pytest
import redis
from dramatiq import Message

from financehub_shared.broker.dead_letter import history
from financehub_shared.broker.options import DEAD_LETTER
from financehub_shared.redis import queue_keys as keys
from support.observed import Fleet


def bury(client: redis.Redis, task: str, error: Exception, *args: object) -> None:
    """Lay a dead letter down, as the broker writes it."""
    ending = history(error, time.time(), "")
    message = Message[Any](queue_name="high", actor_name=task, args=args, kwargs={}, options={DEAD_LETTER: ending})
    client.zadd(keys.dead("high"), {message.message_id: time.time() * 1000})
    client.hset(keys.dead_messages("high"), message.message_id, message.encode())


@pytest.fixture
def letters(redis_client: redis.Redis) -> None:
    """Three dead letters: two tasks that timed out, one that met a bad value."""
    bury(redis_client, "slow", TimeoutError("took too long"), "AAPL")
    bury(redis_client, "slow", TimeoutError("took too long"), "VOD.L")
    bury(redis_client, "wrong", ValueError("no number"))


def test_dead_letters_are_listed_and_filtered(cli: Any, letters: None):
    """Filters must all match, and leave what they are not about."""
    assert len(cli("dead", "list")) == 3
    assert {tuple(row["args"]) for row in cli("dead", "list", "--exception", "TimeoutError")} == {("AAPL",), ("VOD.L",)}
    assert [row["task"] for row in cli("dead", "list", "--task", "wrong", "--queue", "high")] == ["wrong"]
    assert cli("dead", "list", "--task", "wrong", "--exception", "TimeoutError") == []
    assert cli("dead", "list", "--older-than", "1h") == []
    assert len(cli("dead", "list", "--limit", "2")) == 2


def test_one_dead_letter_is_shown_whole(cli: Any, invoke: Any, redis_url: str):
    """Of a message that a worker gave up, arguments, reason, error as it is, tries and traceback are told."""
    fleet = Fleet(redis_url)

    def wrong(symbol: str) -> None:
        raise ValueError(f"[bold]{symbol}[/bold] is no number")

    fleet.actor(wrong, max_retries=1).send("AAPL")
    fleet.drain()
    (listed,) = cli("dead", "list", "--task", "wrong")
    letter = cli("dead", "show", listed["id"])
    assert letter == listed
    assert (letter["reason"], letter["exception"], letter["tries"]) == ("retries-exhausted", "ValueError", 2)
    assert len(letter["failures"]) == 2
    assert "Traceback" in letter["traceback"]
    assert letter["died_at"].endswith("Z")
    shown = invoke("dead", "show", listed["id"]).stdout
    assert "[bold]AAPL[/bold] is no number" in shown
    assert "Traceback" in shown
    assert invoke("dead", "show", "nobody").exit_code == 2


def test_requeued_letters_are_new_messages(cli: Any, letters: None, redis_client: redis.Redis):
    """What is put back waits in its queue and is dead no more."""
    (wrong,) = cli("dead", "list", "--task", "wrong")
    assert cli("dead", "requeue", wrong["id"]) == {"requeued": [wrong["id"]]}
    assert len(cli("dead", "list")) == 2
    (stored,) = redis_client.hvals("dramatiq:high.msgs")
    assert json.loads(stored)["actor_name"] == "wrong"
    assert cli("dead", "requeue", wrong["id"], code=1) == {"requeued": []}


def test_purging_by_filter_drops_what_matches(cli: Any, letters: None):
    """Only what matches goes, for good."""
    assert len(cli("dead", "purge", "--exception", "TimeoutError", "--yes")["purged"]) == 2
    assert [row["task"] for row in cli("dead", "list")] == ["wrong"]
    assert len(cli("dead", "purge", "--all", "--yes")["purged"]) == 1
    assert cli("dead", "purge", "--all", "--yes", code=1) == {"purged": []}


@pytest.mark.parametrize("command", ["requeue", "purge"])
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "say which dead letters"),
        (["--task", "wrong"], "add --yes"),
        (["--all", "--task", "wrong"], "contradict"),
        (["--task", "wrong", "--older-than", "soon"], "write a number and s, m, h or d"),
    ],
)
def test_nothing_is_done_by_accident(
    cli: Any, invoke: Any, letters: None, command: str, arguments: list[str], problem: str
):
    """Without saying which, or with nobody to confirm, every letter stays."""
    done = invoke("dead", command, *arguments)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert len(cli("dead", "list")) == 3
