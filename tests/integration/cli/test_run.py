"""`run` and `stats`: a task started by hand and followed to its outcome, with a real worker."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.worker.actors import declare, enqueue
from support.observed import Fleet

TASK = "fetch_crypto_prices_task"


@pytest.fixture
def fleet(redis_url: str) -> Iterator[Fleet]:
    """A worker's process that serves the crypto task and one outside the catalogue; it works when told."""
    fleet = Fleet(redis_url)

    def fetch(symbols: list[str] | None = None) -> TaskSummary:
        return TaskSummary(asked=2, stored=1, missing={"X": "not-found"}, providers={"binance": 1}, missing_count=1)

    def broken() -> None:
        raise ValueError("no luck")

    declare(fleet.broker, TASK, fetch)
    fleet.actor(broken, max_retries=0)
    yield fleet
    fleet.broker.close()


def test_a_run_is_followed_to_its_outcome(shell: Any, fleet: Fleet, store: RedisStore):
    """The command waits, tells the task's own summary or error, and its exit code says whether it worked."""
    with fleet.working():
        good = shell("run", TASK, "--arg", "symbols=BTC-USD", "--json")
        shown = shell("run", TASK)
        bad = shell("run", "broken", "--queue", "high", "--json")
    run = json.loads(good.stdout)
    assert (run["state"], run["task"], run["queue"], run["attempts"]) == ("succeeded", TASK, "high", 1)
    assert run["summary"]["stored"] == 1
    assert run["finished_at"].endswith("Z")
    assert f"{TASK} succeeded in" in shown.stdout
    assert "1 of 2 done by binance 1" in shown.stdout
    assert "missing X: not-found" in shown.stdout
    run = json.loads(bad.stdout)
    assert (run["state"], run["error"]) == ("dead-lettered", "ValueError: no luck")
    assert [each.returncode for each in (good, shown, bad)] == [0, 0, 1]
    assert good.stderr == bad.stderr == ""


def test_without_waiting_the_message_is_queued_with_its_arguments(
    cli: Any, redis_client: redis.Redis, store: RedisStore
):
    """--no-wait gives the id of the message that lies in the queue, JSON values as they are written."""
    run = cli("run", TASK, "--arg", 'symbols=["BTC-USD"]', "--no-wait")
    assert run["state"] == "queued"
    assert redis_client.hlen("dramatiq:high.msgs") == 1
    (message,) = redis_client.hvals("dramatiq:high.msgs")
    assert run["message_id"].encode() in message
    assert b'"symbols":["BTC-USD"]' in message


def test_a_run_that_nobody_takes_is_told_and_not_followed_for_ever(invoke: Any, store: RedisStore):
    """Without a live worker the command says so, and ends with 1 at its timeout."""
    began = time.monotonic()
    done = invoke("run", TASK, "--timeout", "0.3")
    assert done.exit_code == 1
    assert "no live worker serves queue 'high'" in done.stderr
    assert "queued after 300ms" in done.stderr
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["fetch_crypto_price_task"], "did you mean fetch_crypto_prices_task"),
        ([TASK, "--arg", "symbols"], "write it as NAME=VALUE"),
        ([TASK, "--arg", "symbol=BTC-USD"], "unknown argument; fetch_crypto_prices_task takes: symbols"),
        ([TASK, "--arg", "symbols=NOPE-USD"], "argument 'symbols.0': unknown symbol 'NOPE-USD'"),
        ([TASK, "--arg", "symbols=AAPL"], "AAPL is a stock asset; this task takes crypto"),
        ([TASK, "--arg", "symbols=[1]"], "argument 'symbols.0'"),
        ([TASK, "--arg", 'symbols=[["BTC-USD"]]'], "argument 'symbols.0'"),
        (["cleanup_old_cache_task", "--arg", "dry_run=perhaps"], "argument 'dry_run'"),
        (["health_check_task", "--arg", "x=1"], "health_check_task takes: none"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_enqueued(
    invoke: Any, redis_client: redis.Redis, store: RedisStore, arguments: list[str], problem: str
):
    """The field at fault is named, the exit code is 2, and no queue has a message."""
    done = invoke("run", *arguments)
    assert done.exit_code == 2
    assert problem in done.stderr
    assert redis_client.keys("dramatiq:*") == []


def test_stats_tell_what_the_tasks_did(cli: Any, invoke: Any, fleet: Fleet, store: RedisStore):
    """Every task of the catalogue is listed, run or not, with the figures of those that ran and their newest runs."""
    enqueue(fleet.broker, TASK)
    enqueue(fleet.broker, "broken", queue="high")
    fleet.drain()
    figures = {row["task"]: row for row in cli("stats")}
    assert len(figures) == 8
    assert (figures[TASK]["succeeded"], figures[TASK]["failed"]) == (1, 0)
    assert figures[TASK]["p50"] is not None
    assert figures["fetch_news_task"]["last_success_at"] is None
    (broken,) = cli("stats", "broken")
    assert broken["last_error"] == "ValueError: no luck"
    assert [run["state"] for run in broken["recent"]] == ["dead-lettered"]
    assert "no luck" in invoke("stats", "broken").stdout
    assert invoke("stats", "brocken").exit_code == 2
