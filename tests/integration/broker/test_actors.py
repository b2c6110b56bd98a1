"""Tests of catalog actors in threads of this process, on a real Redis."""

import asyncio
import time
from collections.abc import Callable

import dramatiq
import pytest
import redis

from financehub_shared.broker.dead_letter_queue import DeadLetterQueue
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.errors import InvalidArgumentsError, RateLimitedError
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.actors import declare, enqueue
from financehub_shared.worker.build import build_broker
from financehub_shared.worker.middleware.stamps import CorrelationId
from support.waiting import eventually

Serve = Callable[..., object]
CRYPTO = "fetch_crypto_prices_task"


class Outcomes(dramatiq.Middleware):
    """An observer that keeps the outcome of each attempt, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, object]] = []

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        self.seen.append((message.actor_name, result if exception is None else type(exception).__name__))

    def after_skip_message(self, broker, message):  # noqa: ANN001 — dramatiq's
        self.seen.append((message.actor_name, "dead" if message.failed else "skipped"))


@pytest.fixture
def outcomes() -> Outcomes:
    """An observer."""
    return Outcomes()


@pytest.fixture
def broker(redis_url: str, outcomes: Outcomes) -> FinanceHubBroker:
    """A broker with that observer in the first position."""
    settings = Settings(redis_url=redis_url, retry_min_seconds=0.1, retry_max_seconds=0.2)
    broker = build_broker(settings, tier="high")
    broker.add_middleware(outcomes, before=CorrelationId)
    return broker


def test_actors_sync_and_async_receive_validated_arguments(
    broker: FinanceHubBroker, outcomes: Outcomes, serving: Serve, caplog: pytest.LogCaptureFixture
):
    """Sync and async actors get their model's arguments, and their results reach the observers without a warning."""

    async def crypto(symbols: list[str] | None = None) -> list[str] | None:
        await asyncio.sleep(0)
        return symbols

    declare(broker, CRYPTO, crypto)
    declare(broker, "health_check_task", lambda: "fine")
    enqueue(broker, CRYPTO, {"symbols": ["BTC-USD"]})
    enqueue(broker, CRYPTO)
    enqueue(broker, "health_check_task")
    with serving(broker):
        eventually(lambda: len(outcomes.seen) == 3)
    assert sorted(outcomes.seen, key=str) == [(CRYPTO, None), (CRYPTO, ["BTC-USD"]), ("health_check_task", "fine")]
    assert "returned a value" not in caplog.text


def test_declared_actor_has_the_limits_of_the_catalog(broker: FinanceHubBroker):
    """Queue, time limit and age limit come from the catalog."""
    actor = declare(broker, CRYPTO, lambda: None)
    assert (actor.queue_name, actor.options["time_limit"], actor.options["max_age"]) == ("high", 90_000, 600_000)
    assert declare(broker, "fetch_news_task", lambda: None).options["max_age"] is None


@pytest.mark.parametrize(
    ("task", "kwargs", "queue", "field"),
    [
        (CRYPTO, {"symbols": "BTC-USD"}, None, "symbols"),
        (CRYPTO, {"symbols": []}, None, "symbols"),
        ("cleanup_old_cache_task", {"dry_run": "yes"}, None, "dry_run"),
        ("health_check_task", {"x": 1}, None, "x"),
        ("foreign_task", {}, None, "queue"),
    ],
)
def test_enqueue_with_invalid_arguments_is_refused(
    task: str,
    kwargs: dict[str, object],
    queue: str | None,
    field: str,
    broker: FinanceHubBroker,
    redis_client: "redis.Redis",
):
    """Nothing is enqueued, and the error names the field."""
    with pytest.raises(InvalidArgumentsError) as error:
        enqueue(broker, task, kwargs, queue=queue)
    assert error.value.field == field
    assert redis_client.keys() == []


def test_enqueued_message_carries_its_stamps(broker: FinanceHubBroker):
    """Options are kept, and the correlation id and the ready time are added."""
    before = time.time()
    message = enqueue(broker, CRYPTO, delay=2.5, options={"schedule": "default/crypto"})
    after = time.time()
    assert message.options["schedule"] == "default/crypto"
    assert message.options["correlation_id"] == message.message_id
    # The time is that of Redis, which is measured with an error of half the duration of a command.
    assert (before + 1.5) * 1000 <= message.options["ready_at"] <= (after + 3.5) * 1000
    assert message.queue_name == "high.DQ"


def test_old_run_is_skipped_and_old_retry_is_dead_lettered(
    broker: FinanceHubBroker, outcomes: Outcomes, serving: Serve, redis_client: "redis.Redis"
):
    """A first attempt that is too old is not a failure. A retry that is too old becomes a dead letter with its
    failures, and its error contains the last one (D10).
    """
    runs = []
    declare(broker, CRYPTO, lambda **_: runs.append(1))
    old = round((time.time() - 601) * 1000)
    for options in ({"ready_at": old}, {"retries": 1, "failures": [{"at": old, "exception": "E", "error": "e"}]}):
        message = dramatiq.Message("high", CRYPTO, (), {}, options, message_timestamp=old)
        broker.do_enqueue("high", message.message_id, message.encode())
    with serving(broker):
        [letter] = eventually(lambda: DeadLetterQueue(redis_client).find())
        eventually(lambda: redis_client.hlen(keys.messages("high")) == 0)
    assert sorted(outcomes.seen) == [(CRYPTO, "dead"), (CRYPTO, "skipped")]
    assert (letter.reason, letter.attempts, runs) == ("too-old", 1, [])
    assert letter.error.endswith("s old, its limit is 600 s; last failure: E: e")


def test_async_task_past_its_time_limit_is_cancelled_and_retried(
    broker: FinanceHubBroker, outcomes: Outcomes, serving: Serve, redis_client: "redis.Redis"
):
    """The coroutine is canceled, the attempt counts as failed, and the next one may succeed."""
    attempts, cancelled = [], []

    async def crypto(symbols: list[str] | None = None) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(1)
                raise

    declare(broker, CRYPTO, crypto)
    enqueue(broker, CRYPTO, options={"time_limit": 1_000})
    with serving(broker):
        eventually(lambda: len(attempts) == 2)
        eventually(lambda: outcomes.seen[1:])
    assert cancelled == [1]
    assert outcomes.seen == [(CRYPTO, "TimeLimitExceeded"), (CRYPTO, None)]


def test_retry_waits_for_the_retry_after_of_the_upstream(
    broker: FinanceHubBroker, serving: Serve, redis_client: "redis.Redis"
):
    """The `retry_after` of an error is the delay of its retry if the back-off is shorter."""

    def crypto(symbols: list[str] | None = None) -> None:
        raise RateLimitedError("binance", "429", retry_after=120)

    declare(broker, CRYPTO, crypto)
    before = time.time()
    enqueue(broker, CRYPTO)
    with serving(broker):
        data = eventually(lambda: redis_client.hvals(keys.messages("high.DQ")))[0]
    after = time.time()
    # The time is that of Redis, which is measured with an error of half the duration of a command.
    assert before + 119 <= dramatiq.Message.decode(data).options["eta"] / 1000 <= after + 121


def test_task_interrupted_by_the_shutdown_is_requeued_unchanged(
    broker: FinanceHubBroker, serving: Serve, redis_client: "redis.Redis"
):
    """An actor with shutdown notification is interrupted when its worker stops. That is not a failed attempt."""
    started = []

    def crypto(symbols: list[str] | None = None) -> None:
        started.append(1)
        while True:
            time.sleep(0.01)

    declare(broker, CRYPTO, crypto)
    enqueue(broker, CRYPTO, options={"notify_shutdown": True, "on_failure": CRYPTO})
    with serving(broker):
        eventually(lambda: started)
    [data] = redis_client.hvals(keys.messages("high"))  # and no callback
    assert redis_client.llen(keys.ready("high")) == 1
    assert not {"retries", "failures"} & set(dramatiq.Message.decode(data).options)
