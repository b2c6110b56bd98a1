"""Tests of the `dead-letters` commands: list, show, requeue and purge."""

import json
import time
from typing import Any

import pytest
import redis
from dramatiq import Message

from financehub_shared.broker.dead_letter import death_details
from financehub_shared.broker.options import DEAD_LETTER
from financehub_shared.redis import queue_keys as keys
from support.hostile_messages import hostile_entries
from support.observed import ObservedWorker


def add_dead_letter(client: redis.Redis, task: str, error: Exception, *args: object) -> None:
    """Store a dead letter as the broker writes it."""
    details = death_details(error, time.time(), "")
    message = Message[Any](queue_name="high", actor_name=task, args=args, kwargs={}, options={DEAD_LETTER: details})
    client.zadd(keys.dead("high"), {message.message_id: time.time() * 1000})
    client.hset(keys.dead_messages("high"), message.message_id, message.encode())


@pytest.fixture
def letters(redis_client: redis.Redis) -> None:
    """Three dead letters: two of the task `slow` with a TimeoutError, and one of `wrong` with a ValueError."""
    add_dead_letter(redis_client, "slow", TimeoutError("took too long"), "AAPL")
    add_dead_letter(redis_client, "slow", TimeoutError("took too long"), "VOD.L")
    add_dead_letter(redis_client, "wrong", ValueError("not a number"))


def test_dead_letters_list_with_several_filters_requires_all(cli: Any, letters: None):
    """A dead letter is listed if it matches all filters."""

    def listed(*filters: str) -> list[Any]:
        return list(cli("dead-letters", "list", *filters))

    assert len(listed()) == 3
    assert {tuple(row["args"]) for row in listed("--exception", "TimeoutError")} == {("AAPL",), ("VOD.L",)}
    assert [row["task"] for row in listed("--task", "wrong", "--queue", "high")] == ["wrong"]
    assert listed("--task", "wrong", "--exception", "TimeoutError") == []
    assert listed("--older-than", "1h") == []
    assert len(listed("--limit", "2")) == 2


def test_dead_letters_show_prints_error_attempts_and_traceback(cli: Any, invoke: Any, redis_url: str):
    """The arguments, reason, error without markup, attempts and traceback of a dead letter are shown."""
    fleet = ObservedWorker(redis_url)

    def wrong(symbol: str) -> None:
        raise ValueError(f"[bold]{symbol}[/bold] is not a number")

    fleet.actor(wrong, max_retries=1).send("AAPL")
    fleet.drain()
    (listed,) = cli("dead-letters", "list", "--task", "wrong")
    letter = cli("dead-letters", "show", listed["id"])
    assert letter == listed
    assert (letter["reason"], letter["exception"], letter["attempts"]) == ("retries-exhausted", "ValueError", 2)
    assert len(letter["failures"]) == 2
    assert "Traceback" in letter["traceback"]
    assert letter["died_at"].endswith("Z")
    shown = invoke("dead-letters", "show", listed["id"]).stdout
    assert "[bold]AAPL[/bold] is not a number" in shown
    assert "Traceback" in shown
    assert invoke("dead-letters", "show", "unknown").exit_code == 2


def test_dead_letters_requeue_by_id_moves_the_message_to_its_queue(
    cli: Any, invoke: Any, letters: None, redis_client: redis.Redis
):
    """A requeued message is in its queue and no longer a dead letter. A second requeue of the id exits with 1."""
    (wrong,) = cli("dead-letters", "list", "--task", "wrong")
    assert cli("dead-letters", "requeue", wrong["id"]) == {"requeued": [wrong["id"]]}
    assert len(cli("dead-letters", "list")) == 2
    (stored,) = redis_client.hvals("dramatiq:high.msgs")
    assert json.loads(stored)["actor_name"] == "wrong"
    assert cli("dead-letters", "requeue", wrong["id"], code=1) == {"requeued": []}
    repeated = invoke("dead-letters", "requeue", wrong["id"]).stderr
    assert f"not requeued (unknown id): {wrong['id']}" in repeated


def test_dead_letters_purge_by_filter_deletes_only_matches(cli: Any, letters: None):
    """A purge deletes the dead letters that match. It exits with 1 if there is none."""
    assert len(cli("dead-letters", "purge", "--exception", "TimeoutError", "--yes")["purged"]) == 2
    assert [row["task"] for row in cli("dead-letters", "list")] == ["wrong"]
    assert len(cli("dead-letters", "purge", "--all", "--yes")["purged"]) == 1
    assert cli("dead-letters", "purge", "--all", "--yes", code=1) == {"purged": []}


@pytest.mark.parametrize("command", ["requeue", "purge"])
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "select dead letters by id, by a filter"),
        (["--task", "wrong"], "add --yes"),
        (["--all", "--task", "wrong"], "cannot be combined"),
        (["--task", "wrong", "--older-than", "soon"], "--older-than: 'soon' is not a duration"),
    ],
)
def test_dead_letters_command_without_clear_selection_changes_nothing(
    cli: Any, invoke: Any, letters: None, command: str, arguments: list[str], problem: str
):
    """Without a selection or a confirmation, the exit code is 2 and every dead letter remains."""
    result = invoke("dead-letters", command, *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(cli("dead-letters", "list")) == 3


def test_dead_letters_commands_with_damaged_letters_work(cli: Any, invoke: Any, redis_client: redis.Redis):
    """Letters with any bytes are listed, shown, refused with a reason, and purged by the id that the list shows."""
    entries = hostile_entries("task", 60)
    for number, entry in enumerate(entries):
        redis_client.zadd(keys.dead("q"), {entry.id: [float("inf"), -5, 1e18][number % 3]})
        if number % 7:
            redis_client.hset(keys.dead_messages("q"), entry.id, entry.body)
    surrogate = Message[Any]("q", "task", (float("nan"), "\ud800\x1b[31m"), {"a": float("inf")}, {}, message_id="m")
    redis_client.zadd(keys.dead("q"), {b"\xff": 1})
    redis_client.hset(keys.dead_messages("q"), b"\xff", surrogate.encode())
    listed = cli("dead-letters", "list")
    assert len(listed) == 61
    assert invoke("dead-letters", "list").exit_code == 0
    for letter in listed[::10]:
        shown = cli("dead-letters", "show", letter["id"])
        assert shown["id"] == letter["id"]
        assert invoke("dead-letters", "show", letter["id"]).exit_code == 0
    (shown,) = (letter for letter in listed if letter["id"] == "\\xff")
    assert shown["args"][0] == "nan"
    result = invoke("dead-letters", "requeue", "--all", "--yes", "--json")
    assert json.loads(result.stdout) == {"requeued": ["\\xff"]}
    assert "it is not" in result.stderr
    assert len(cli("dead-letters", "purge", "--all", "--yes")["purged"]) == 60


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--queue", "hihg"], "unknown queue 'hihg'; did you mean high?"),
        (["--task", "fetch_new_task"], "unknown task 'fetch_new_task'; did you mean fetch_news_task"),
    ],
)
def test_list_with_a_misspelled_filter_proposes_a_name(invoke: Any, arguments: list[str], problem: str) -> None:
    """A typo is not mistaken for an empty list (C7), and a known name without dead letters is."""
    result = invoke("dead-letters", "list", *arguments)
    assert (result.exit_code, problem in result.stderr) == (2, True)
    assert invoke("dead-letters", "list", "--queue", "high", "--task", "fetch_news_task").exit_code == 0
