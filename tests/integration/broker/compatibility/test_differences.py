"""What differs from dramatiq on purpose. docs/dramatiq.md lists each case with its reason and the name of its test."""

import json
import logging
import time
from datetime import UTC, datetime
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq import pipeline
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Retries
from dramatiq.results import Results

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.encoding import LONGEST_PIPELINE
from financehub_shared.core.errors import ConfigError, InvalidArgumentsError
from financehub_shared.core.settings import Settings
from financehub_shared.core.task_summary import TaskSummary
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.actors import declare, enqueue
from financehub_shared.worker.build import build_broker

CRYPTO, INDICATORS, CLEANUP = "fetch_crypto_prices_task", "calculate_indicators_task", "cleanup_old_cache_task"
SUMMARY = TaskSummary(2, 1, {"X": "no"}, 1, {"binance": 1})
SUMMARY_JSON = {
    "requested": 2,
    "stored": 1,
    "missing": {"X": "no"},
    "missing_count": 1,
    "providers": {"binance": 1},
    "details": {},
}
ALL_TIERS = ("high", "medium", "low", "high", "medium", "low")


def crypto() -> TaskSummary:
    """Stand for the task that fetches quotes."""
    return SUMMARY


def stored(client: "redis.Redis", queue: str) -> list[dict[str, Any]]:
    """Return the messages of a queue."""
    return [json.loads(data) for data in client.hvals(keys.messages(queue))]


def test_pipeline_of_catalog_tasks_runs_one_after_the_other(
    our_broker: RedisBroker, working: Any, store: Any, caplog: pytest.LogCaptureFixture
):
    """A catalog task takes keyword arguments only, so it ignores the previous result; another actor gets it (F20)."""
    our_broker.add_middleware(Results(backend=store, store_results=True))
    got: list[Any] = []
    first = declare(our_broker, CRYPTO, crypto)
    second = declare(our_broker, INDICATORS, lambda symbols=None: {"symbols": symbols})
    last = dramatiq.actor(got.append, actor_name="last", queue_name="low")
    with working(our_broker, queues=ALL_TIERS):
        (first.message() | second.message(symbols=["AAPL"]) | last.message()).run()
        alone = (first.message() | last.message()).run()
    assert sorted(got, key=str) == sorted([{"symbols": ["AAPL"]}, SUMMARY_JSON], key=str)
    assert alone.messages[0].get_result() == SUMMARY_JSON
    assert "Unexpected failure" not in caplog.text


@pytest.mark.parametrize("option", ["on_success", "on_failure", "on_retry_exhausted"])
def test_callback_in_another_tier_needs_no_declaration(
    our_broker: RedisBroker, working: Any, redis_client: "redis.Redis", option: str
):
    """A catalog task of another tier is enqueued in its queue without arguments, which runs it there (F20)."""

    def task() -> None:
        if option != "on_success":
            raise ValueError("broken")

    dramatiq.actor(task, queue_name="high", max_retries=0)
    our_broker.get_actor("task").send_with_options(**{option: CLEANUP})
    with working(our_broker, queues=("high",)):
        pass
    [message] = stored(redis_client, "low")
    assert (message["actor_name"], message["args"], message["kwargs"]) == (CLEANUP, [], {})
    assert "ready_at" in message["options"]


@pytest.mark.parametrize("option", ["on_success", "on_failure", "on_retry_exhausted"])
def test_callback_of_an_unknown_task_is_dead_lettered(
    our_broker: RedisBroker, working: Any, redis_client: "redis.Redis", option: str
):
    """Dramatiq logs an error and forgets such a callback. Here, a dead letter keeps its arguments (F20)."""

    def task() -> None:
        if option != "on_success":
            raise ValueError("broken")

    dramatiq.actor(task, queue_name="high", max_retries=0)
    with working(our_broker, queues=("high",)):
        message = our_broker.get_actor("task").send_with_options(**{option: "misspelled"})
    [letter] = [one for one in DeadLetterQueue(redis_client).find() if one.task == "misspelled"]
    assert (letter.queue, letter.reason) == ("high", "unknown-task")
    assert letter.args[0]["message_id"] == message.message_id


def test_follow_up_that_is_not_json_fails_the_run(our_broker: RedisBroker, working: Any, redis_client: "redis.Redis"):
    """Dramatiq logs an error and forgets the callback or the rest of the pipeline. Here, the run is dead-lettered."""
    now = dramatiq.actor(lambda: datetime.now(UTC), actor_name="now", queue_name="high")
    note = dramatiq.actor(lambda *_: None, actor_name="note", queue_name="high")
    with working(our_broker, queues=("high",)):
        (now.message() | note.message()).run()
        now.send_with_options(on_success="note")
    letters = DeadLetterQueue(redis_client).find()
    assert [letter.reason for letter in letters] == ["follow-up-failed", "follow-up-failed"]
    assert {letter.error.partition(" did")[0].rpartition(" ")[2] for letter in letters} == {"Callbacks", "Pipelines"}
    assert all("datetime is not JSON serializable" in letter.error for letter in letters)


def test_error_of_a_callback_contains_no_secret(redis_url: str, working: Any, redis_client: "redis.Redis"):
    """The text of an error is masked before it is stored in Redis as an argument of the callback."""
    broker = build_broker(Settings(redis_url=redis_url, finnhub_api_key="very-secret-key"), tier="high")

    def task() -> None:
        raise ValueError("GET /quote?token=very-secret-key")

    dramatiq.actor(task, queue_name="high", broker=broker, max_retries=0, on_failure=CLEANUP + "_mine")
    with working(broker, queues=("high",)):
        broker.get_actor("task").send()
    [letter] = [one for one in DeadLetterQueue(redis_client).find() if one.task != "task"]
    assert letter.args[1]["type"] == "ValueError"
    assert "very-secret-key" not in str(letter.args)


def test_summary_of_a_task_is_expected(our_broker: RedisBroker, store: Any, working: Any, caplog: Any):
    """A task whose summary the run record holds causes no warning, with and without a `Results` middleware."""
    declare(our_broker, CRYPTO, crypto)
    own = dramatiq.actor(crypto, actor_name="own", queue_name="high")
    with caplog.at_level(logging.WARNING):
        with working(our_broker, queues=("high",)):
            enqueue(our_broker, CRYPTO)
            own.send()
        our_broker.add_middleware(Results(backend=store))
        with working(our_broker, queues=("high",)):
            enqueue(our_broker, CRYPTO)
    assert "returned a value" not in caplog.text


def test_other_encoder_is_refused(our_broker: RedisBroker, capsys: pytest.CaptureFixture[str]):
    """Messages are plain JSON. A process with another encoder cannot enqueue, and a worker ends with one line."""
    task = dramatiq.actor(lambda: None, actor_name="task")
    before = dramatiq.get_encoder()
    dramatiq.set_encoder(dramatiq.PickleEncoder())
    try:
        with pytest.raises(ConfigError, match="PickleEncoder is not supported"):
            task.send()
        with pytest.raises(SystemExit) as ended:
            dramatiq.Worker(our_broker).start()
    finally:
        dramatiq.set_encoder(before)
    assert ended.value.code == 2
    assert "PickleEncoder is not supported" in capsys.readouterr().err
    assert our_broker.do_qsize("default") == 0


def test_late_run_is_skipped_and_its_age_counts_from_the_time_at_which_it_is_due(
    our_broker: RedisBroker, working: Any, redis_client: "redis.Redis"
):
    """Dramatiq dead-letters a run that is too old, and counts a delay as age."""
    runs: list[str] = []
    task = dramatiq.actor(runs.append, actor_name="task", max_age=60_000)
    task.send_with_options(args=("late",), max_age=100)
    time.sleep(0.5)
    created = dramatiq.common.current_millis() - 120_000
    with working(our_broker):
        our_broker.enqueue(task.message("delayed").copy(message_timestamp=created), delay=200)
    assert (runs, redis_client.zcard(keys.dead("default"))) == (["delayed"], 0)


def test_reads_of_a_queue_send_no_heartbeat(our_broker: RedisBroker, redis_client: "redis.Redis"):
    """In dramatiq, every command counts as a sign of life. Here, only a consumer is a worker."""
    our_broker.declare_queue("default")
    our_broker.join("default")
    our_broker.flush_all()
    dramatiq.actor(lambda: None, actor_name="task").send()
    assert redis_client.zcard(keys.HEARTBEATS) == 0
    with pytest.raises(AttributeError, match="do_unknown"):
        our_broker.do_unknown("default")


def test_defaults_of_retries_come_from_the_settings(redis_url: str):
    """Dramatiq retries 20 times, with waits of 15 s to a week. FinanceHub's settings are meant for periodic tasks."""
    settings = Settings(redis_url=redis_url, dramatiq_max_retries=2, retry_min_seconds=0.1, retry_max_seconds=0.2)
    [retries] = [one for one in build_broker(settings).middleware if isinstance(one, Retries)]
    assert (retries.max_retries, retries.min_backoff, retries.max_backoff) == (2, 100, 200)


def test_long_pipeline_is_refused_when_it_is_sent(our_broker: RedisBroker, working: Any):
    """Every pipeline that can be enqueued runs to its end, and a longer one is refused with the limit."""
    runs: list[int] = []
    note = dramatiq.actor(lambda *_: runs.append(1), actor_name="note")
    with working(our_broker):
        pipeline([note.message([[[1]]]) for _ in range(LONGEST_PIPELINE)]).run()
    assert len(runs) == LONGEST_PIPELINE
    with pytest.raises(InvalidArgumentsError, match=f"may have {LONGEST_PIPELINE} messages"):
        pipeline([note.message() for _ in range(LONGEST_PIPELINE + 1)]).run()
    assert our_broker.do_qsize("default") == 0
