"""Tests of the `run` and `stats` commands, with a real worker."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
import typer

from financehub_cli.follow import follow_run
from financehub_cli.output.runs import SKIP_REASONS
from financehub_cli.session import Session
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.market.redis_store import RedisStore
from financehub_shared.redis import keys
from financehub_shared.redis.schedule_record import SKIPPED_FIELDS
from financehub_shared.worker.actors import declare, enqueue
from support.observed import ObservedWorker
from support.waiting import eventually

TASK = "fetch_crypto_prices_task"
REASON = "binance: not-found: Binance does not list the pair XUSDT; kraken: not-found: X is perhaps delisted"


@pytest.fixture
def fleet(redis_url: str) -> Iterator[ObservedWorker]:
    """A worker for the crypto task and for `broken`, a task outside the catalog. Tests start the worker."""
    fleet = ObservedWorker(redis_url)

    def fetch(symbols: list[str] | None = None) -> TaskSummary:
        return TaskSummary(requested=2, stored=1, missing={"X": REASON}, providers={"binance": 1}, missing_count=1)

    def broken() -> None:
        raise ValueError("broken on purpose")

    declare(fleet.broker, TASK, fetch)
    fleet.actor(broken, max_retries=0)
    yield fleet
    fleet.broker.close()


def test_run_waits_and_prints_the_outcome(
    shell: Any, fleet: ObservedWorker, store: RedisStore, redis_client: redis.Redis
):
    """The command waits for the run and prints its summary or error. The exit code says whether it succeeded."""
    with fleet.working():
        eventually(lambda: redis_client.exists(keys.PROCESSES), "the worker is live")
        succeeded = shell("run", TASK, "--arg", "symbols=BTC-USD", "--json")
        shown = shell("run", TASK)
        failed = shell("run", "broken", "--queue", "high", "--json")
    run = json.loads(succeeded.stdout)
    assert (run["state"], run["task"], run["queue"], run["attempts"]) == ("succeeded", TASK, "high", 1)
    assert run["summary"]["stored"] == 1
    assert run["finished_at"].endswith("Z")
    assert f"{TASK} succeeded in" in shown.stdout
    assert "1 of 2 done (binance: 1)" in shown.stdout
    assert f"missing X: {REASON}" in shown.stdout
    run = json.loads(failed.stdout)
    assert (run["state"], run["error"]) == ("dead-lettered", "ValueError: broken on purpose")
    assert [result.returncode for result in (succeeded, shown, failed)] == [0, 0, 1]
    assert succeeded.stderr == failed.stderr == ""


def test_run_with_no_wait_enqueues_the_message(cli: Any, redis_client: redis.Redis, store: RedisStore):
    """`--no-wait` prints the message id, and the message in the queue has the JSON arguments."""
    run = cli("run", TASK, "--arg", 'symbols=["BTC-USD"]', "--no-wait")
    assert run["state"] == "queued"
    assert redis_client.hlen("dramatiq:high.msgs") == 1
    (message,) = redis_client.hvals("dramatiq:high.msgs")
    assert run["message_id"].encode() in message
    assert b'"symbols":["BTC-USD"]' in message


def test_run_without_worker_reports_it_and_ends_at_timeout(invoke: Any, store: RedisStore):
    """Without a live worker the command says so, and it exits with 1 after its timeout."""
    began = time.monotonic()
    result = invoke("run", TASK, "--timeout", "0.3")
    assert result.exit_code == 1
    assert "no live worker serves queue 'high'; the run waits until one starts" in result.stderr
    assert "queued after 300ms" in result.stderr
    assert time.monotonic() - began < 40


def test_run_of_a_task_that_no_worker_knows_is_refused(
    shell: Any, fleet: ObservedWorker, redis_client: redis.Redis
) -> None:
    """The line names the task, the queue and a task that may be meant, and nothing is enqueued (C5)."""
    with fleet.working():
        eventually(lambda: redis_client.exists(keys.PROCESSES))
        unknown = shell("run", "my_task", "--queue", "high")
        near = shell("run", "brokn", "--queue", "high", "--no-wait")
        elsewhere = shell("run", "fetch_news_task", "--queue", "high", "--no-wait")
    assert [result.returncode for result in (unknown, near, elsewhere)] == [2, 2, 2]
    assert unknown.stderr == (
        "financehub: no worker of queue 'high' knows my_task; start a worker that declares it; they know broken, "
        f"{TASK}\n"
    )
    assert "no worker of queue 'high' knows brokn; start a worker that declares it; did you mean broken?" in near.stderr
    assert "no worker of queue 'high' knows fetch_news_task" in elsewhere.stderr
    assert fleet.monitor.get_all_stats() == {}


def test_run_of_an_unknown_task_with_a_worker_of_an_older_release_shows_its_name(
    shell: Any, fleet: ObservedWorker, redis_client: redis.Redis, cli: Any
) -> None:
    """A release that does not announce its tasks may know every task. If it does not, the outcome names the task."""
    heartbeat: Any = fleet.observers.heartbeat
    describe = heartbeat._heartbeat._describe
    heartbeat._heartbeat._describe = lambda: replace(describe(), actors=None)
    with fleet.working():
        eventually(lambda: redis_client.exists(keys.PROCESSES))
        result = shell("run", "my_task", "--queue", "high")
    assert result.returncode == 1
    assert "my_task dead-lettered" in result.stdout
    assert "the worker that received the message does not know the task my_task" in result.stdout
    (letter,) = cli("dead-letters", "list")
    assert letter["error"].startswith("the worker that received the message does not know the task my_task; start a")


def test_commands_that_enqueue_name_the_missing_worker(invoke: Any, store: RedisStore) -> None:
    """`run`, also with --no-wait, says who is missing and what to do, and proposes a near queue (C2)."""
    missing = invoke("run", TASK, "--no-wait")
    assert missing.exit_code == 0
    assert missing.stderr == (
        "financehub: no live worker serves queue 'high'; the run waits until one starts (start a worker for it)\n"
    )
    misspelled = invoke("run", TASK, "--queue", "hihg", "--no-wait")
    assert "no live worker serves queue 'hihg'; the run waits until one starts" in misspelled.stderr
    assert "did you mean high?" in misspelled.stderr


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
def test_run_with_invalid_arguments_exits_with_2(
    invoke: Any, redis_client: redis.Redis, store: RedisStore, arguments: list[str], problem: str
):
    """The message names the invalid argument, and nothing is enqueued."""
    result = invoke("run", *arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert redis_client.keys("dramatiq:*") == []


def test_stats_lists_all_tasks_and_with_task_its_runs(cli: Any, invoke: Any, fleet: ObservedWorker, store: RedisStore):
    """Every catalog task is listed, even before its first run. With a task, its newest runs are listed."""
    enqueue(fleet.broker, TASK)
    enqueue(fleet.broker, "broken", queue="high")
    fleet.drain()
    stats = {row["task"]: row for row in cli("stats")}
    assert len(stats) == 8
    assert (stats[TASK]["succeeded"], stats[TASK]["failed"]) == (1, 0)
    assert stats[TASK]["p50"] is not None
    assert stats["fetch_news_task"]["last_success_at"] is None
    (broken,) = cli("stats", "broken")
    assert broken["last_error"] == "ValueError: broken on purpose"
    assert [run["state"] for run in broken["recent"]] == ["dead-lettered"]
    assert "broken on purpose" in invoke("stats", "broken").stdout
    assert invoke("stats", "brocken").exit_code == 2


def test_stats_of_a_task_shows_why_items_are_missing(cli: Any, invoke: Any, fleet: ObservedWorker, store: RedisStore):
    """The adapter's whole sentence reaches the run record and the listing of the newest runs (D10)."""
    enqueue(fleet.broker, TASK)
    fleet.drain()
    (stats,) = cli("stats", TASK)
    assert stats["recent"][0]["summary"]["missing"] == {"X": REASON}
    assert REASON in invoke("stats", TASK).stdout


def test_runs_again_starts_a_run_with_the_same_arguments(
    cli: Any, shell: Any, invoke: Any, fleet: ObservedWorker, store: RedisStore, redis_client: redis.Redis
):
    """A run is shown with its arguments and steps, and started again. A refused one says why, and enqueues nothing."""
    with fleet.working():
        first = json.loads(shell("run", TASK, "--arg", "symbols=BTC-USD", "--json").stdout)
        again = shell("runs", "again", first["message_id"], "--json")
    second = json.loads(again.stdout)
    assert (second["state"], second["task"], again.returncode) == ("succeeded", TASK, 0)
    assert second["message_id"] != first["message_id"]
    shown = cli("runs", "show", second["message_id"])
    assert shown["arguments"] == {"args": [], "kwargs": {"symbols": ["BTC-USD"]}, "problem": ""}
    assert [step["step"] for step in shown["timeline"]] == ["enqueued", "attempt started", "succeeded"]
    assert '{"symbols":["BTC-USD"]}' in invoke("runs", "show", second["message_id"]).stdout
    queued = cli("runs", "again", first["message_id"], "--no-wait")
    assert queued["state"] == "queued"

    redis_client.hset(keys.run(first["message_id"]), "arguments", '{"bytes": 5000}')
    refused = invoke("runs", "again", first["message_id"])
    assert refused.exit_code == 2
    assert "The arguments have 5,000 bytes, and at most 2,000 are stored." in refused.stderr
    without_arguments = invoke("runs", "show", first["message_id"])
    assert "cannot be" not in without_arguments.stderr
    assert "arguments." not in without_arguments.stdout
    assert "The arguments have 5,000 bytes" in without_arguments.stdout
    unknown = invoke("runs", "show", "no-such-run")
    assert unknown.exit_code == 2
    assert "the run 'no-such-run' is unknown, or its record has expired" in unknown.stderr


@pytest.mark.parametrize(
    ("error", "first", "second"),
    [
        (
            "overlap",
            "skipped, because the previous run of the schedule is still queued, running or retrying",
            "",
        ),
        ("backlog", "skipped, because too many runs of the schedule are unfinished (FINANCEHUB_MAX_BACKLOG)", ""),
        ("replaced by the next run", "skipped, because the next run of the schedule replaced it in the queue", ""),
        ("symbols: BTC-USD is not active", "skipped", "  symbols: BTC-USD is not active"),
    ],
)
def test_follow_of_a_skipped_run_says_why_in_a_sentence(
    cli: Any,
    invoke: Any,
    redis_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    error: str,
    first: str,
    second: str,
) -> None:
    """A scheduler stores the reason as one word, which scripts get. People get a sentence, in every view of the run."""
    fields = {
        "state": "skipped",
        "task": "fetch_news_task",
        "queue": "medium",
        "error": error,
        "finished_at": "1800000000",
    }
    redis_client.hset(keys.run("skipped-run"), mapping=fields)
    with pytest.raises(typer.Exit) as ended:
        follow_run(Session(), "skipped-run", "fetch_news_task", timeout=5, as_json=False)
    assert ended.value.exit_code == 1
    assert capsys.readouterr().out == "\n".join(filter(None, [f"fetch_news_task {first}", second])) + "\n"
    assert cli("runs", "show", "skipped-run")["error"] == error
    reason = first.removeprefix("skipped, because ") if first != "skipped" else error
    assert re.search(rf"^error: +{re.escape(reason)}$", invoke("runs", "show", "skipped-run").stdout, re.MULTILINE)


def test_skip_reasons_of_schedulers_all_have_words() -> None:
    """A new reason, other than a refusal, which is a sentence, needs words too."""
    assert {*SKIPPED_FIELDS} - {"refused"} <= {*SKIP_REASONS}
