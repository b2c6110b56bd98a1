"""What follows a message exists exactly once, whatever happens between the end of its run and the ack.

A follow-up and the ack are one step in Redis. The histories of `make history` found that they were two: a worker that
died, lost a reply or was cut off between them doubled a retry, a callback or a delayed message.
"""

import time
from collections.abc import Callable
from typing import Any

import dramatiq
import pytest
import redis
from dramatiq.common import dq_name
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends import StubBackend

from financehub_shared.broker import queue_scripts
from financehub_shared.broker.consumer import FinanceHubConsumer
from financehub_shared.broker.delivery import Delivery
from financehub_shared.broker.encoding import LONGEST_PIPELINE
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.key_types import ASIDE
from financehub_shared.worker.build import build_broker

QUEUE = "q"
FOLLOW_UPS = ["on_success", "on_failure", "on_retry_exhausted", "retry", "pipeline", "group", "middleware"]


class Sends(dramatiq.Middleware):
    """Middleware of a user that enqueues a message after each run."""

    def after_process_message(self, broker, message, *, result=None, exception=None):  # noqa: ANN001 — dramatiq's
        if message.actor_name == "task":
            broker.enqueue(dramatiq.Message(QUEUE, "after", (), {}, {}))


class Case:
    """A broker with one message, which a consumer has fetched and whose run has ended, but which is not acknowledged.

    Args:
        url: URL of Redis.
        follow_up: What follows the run.
    """

    def __init__(self, url: str, follow_up: str) -> None:
        self.broker = build_broker(Settings(redis_url=url, retry_min_seconds=60, retry_max_seconds=60))
        self.broker.add_middleware(GroupCallbacks(StubBackend()))
        if follow_up == "middleware":
            self.broker.add_middleware(Sends())
        retries = 1 if follow_up == "retry" else 0
        task = dramatiq.actor(
            lambda: None, actor_name="task", broker=self.broker, queue_name=QUEUE, max_retries=retries
        )
        after = dramatiq.actor(lambda *_: None, actor_name="after", broker=self.broker, queue_name=QUEUE)
        if follow_up == "pipeline":
            dramatiq.pipeline([task.message(), after.message()], broker=self.broker).run()
        elif follow_up == "group":
            jobs = dramatiq.group([task.message()], broker=self.broker)
            jobs.add_completion_callback(after.message())
            jobs.run()
        else:
            task.send_with_options(**({follow_up: "after"} if follow_up.startswith("on_") else {}))
        failed = follow_up in {"on_failure", "on_retry_exhausted", "retry"}
        self.consumer = self.broker.consume(QUEUE, prefetch=1, timeout=10)
        self.delivery = self.fetch(self.consumer)
        outcome: dict[str, Any] = {"exception": ValueError("broken")} if failed else {"result": None}
        self.broker.emit_after("process_message", self.delivery, **outcome)

    @staticmethod
    def fetch(consumer: FinanceHubConsumer) -> Delivery:
        """Return the next delivery."""
        delivery = next(consumer)
        assert isinstance(delivery, Delivery)
        return delivery

    def settle(self) -> None:
        """Acknowledge or dead-letter the message, as dramatiq's worker does."""
        (self.consumer.nack if self.delivery.failed else self.consumer.ack)(self.delivery)


def waiting(client: "redis.Redis") -> int:
    """Return the number of messages that wait in the queue and its delay queue."""
    return client.llen(keys.ready(QUEUE)) + client.llen(keys.ready(dq_name(QUEUE)))


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
def test_follow_up_is_enqueued_by_the_step_that_settles_the_message(
    redis_url: str, redis_client: "redis.Redis", follow_up: str
) -> None:
    """A worker that dies before this step leaves no follow-up, and one that dies after it leaves one."""
    case = Case(redis_url, follow_up)
    assert waiting(redis_client) == 0
    case.settle()
    assert waiting(redis_client) == 1
    assert redis_client.scard(keys.acks(case.broker.broker_id, QUEUE)) == 0


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
def test_settling_step_that_is_repeated_enqueues_the_follow_up_once(
    redis_url: str, redis_client: "redis.Redis", follow_up: str
) -> None:
    """If its reply is lost, the step is repeated, even if the follow-up has been processed meanwhile."""
    case = Case(redis_url, follow_up)
    case.settle()
    redis_client.delete(
        keys.ready(QUEUE), keys.ready(dq_name(QUEUE)), keys.messages(QUEUE), keys.messages(dq_name(QUEUE))
    )
    case.settle()
    assert waiting(redis_client) == 0


@pytest.mark.parametrize("follow_up", FOLLOW_UPS)
def test_worker_that_has_lost_the_message_enqueues_no_follow_up(
    redis_url: str, redis_client: "redis.Redis", follow_up: str
) -> None:
    """A message that was reclaimed from a silent worker runs again, and only that run has a follow-up."""
    case = Case(redis_url, follow_up)
    case.broker.requeue_unfinished(QUEUE, everything=True)  # as the janitor's script does
    case.settle()
    assert waiting(redis_client) == 1
    assert redis_client.hlen(keys.messages(QUEUE)) == 1
    assert redis_client.zcard(keys.dead(QUEUE)) == 0


def test_retry_is_enqueued_while_redis_is_full(redis_server: Callable[..., Any]) -> None:
    """A retry takes the place of its message, so a full Redis accepts it."""
    server = redis_server()
    case = Case(server.url, "retry")
    with server.client() as client:
        client.config_set("maxmemory", 1)
        case.settle()
        client.config_set("maxmemory", 0)
        assert waiting(client) == 1


def delayed(url: str) -> tuple[FinanceHubBroker, FinanceHubConsumer, Delivery]:
    """Return a broker, the consumer of its delay queue, and a delayed message that is due."""
    broker = build_broker(Settings(redis_url=url))
    dramatiq.actor(lambda: None, actor_name="task", broker=broker, queue_name=QUEUE).send_with_options(delay=1)
    consumer = broker.consume(dq_name(QUEUE), prefetch=1, timeout=10)
    return broker, consumer, Case.fetch(consumer)


def move(broker: FinanceHubBroker, delivery: Delivery) -> None:
    """Enqueue a delayed message in its own queue, as dramatiq's consumer thread does before the ack."""
    message = delivery.copy(queue_name=QUEUE)
    del message.options["eta"]
    broker.enqueue(message)


def test_delayed_message_is_moved_by_its_ack(redis_url: str, redis_client: "redis.Redis") -> None:
    """A worker that dies before the ack has moved nothing, and a repeated ack moves nothing again."""
    broker, consumer, delivery = delayed(redis_url)
    move(broker, delivery)
    assert redis_client.llen(keys.ready(QUEUE)) == 0
    consumer.ack(delivery)
    assert (redis_client.llen(keys.ready(QUEUE)), redis_client.hlen(keys.messages(dq_name(QUEUE)))) == (1, 0)
    redis_client.delete(keys.ready(QUEUE), keys.messages(QUEUE))
    consumer.ack(delivery)
    assert redis_client.llen(keys.ready(QUEUE)) == 0


def test_delayed_message_that_is_moved_after_its_loss_is_not_doubled(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """A worker whose delayed message was reclaimed does not move it, because another worker does."""
    broker, consumer, delivery = delayed(redis_url)
    move(broker, delivery)
    broker.requeue_unfinished(dq_name(QUEUE), everything=True)
    consumer.ack(delivery)
    assert redis_client.llen(keys.ready(QUEUE)) == 0
    assert redis_client.llen(keys.ready(dq_name(QUEUE))) == 1


@pytest.mark.parametrize("is_executed", [False, True])
def test_message_that_is_not_due_is_moved_to_the_delay_queue_once(
    redis_url: str, redis_client: "redis.Redis", monkeypatch: pytest.MonkeyPatch, is_executed: bool
) -> None:
    """A message with a later time in a plain queue is moved by its ack, whether the ack is lost or only its reply."""
    broker = build_broker(Settings(redis_url=redis_url))
    broker.declare_queue(QUEUE)
    later = (round(time.time()) + 3_600) * 1_000
    broker.do_enqueue(QUEUE, "r-1", dramatiq.Message(QUEUE, "task", (), {}, {"eta": later}).encode())
    breaks = [1]

    def breaking(script: Callable[..., Any]) -> Callable[..., Any]:
        def run(keys: list[str], args: list[bytes]) -> Any:
            fails = bool(breaks) and breaks.pop()
            reply = script(keys=keys, args=args) if is_executed or not fails else None
            if fails:
                raise redis.ConnectionError
            return reply

        return run

    for name in ("_ack", "_replace"):
        monkeypatch.setattr(broker, name, breaking(getattr(broker, name)))
    with pytest.raises(ConnectionClosed):
        next(broker.consume(QUEUE, prefetch=1, timeout=10))
    consumer = broker.consume(QUEUE, prefetch=1, timeout=10)  # as dramatiq does after a lost connection
    assert [next(consumer) for _ in range(2)] == [None, None]
    (moved,) = redis_client.hvals(keys.messages(dq_name(QUEUE)))
    assert dramatiq.Message.decode(moved).options["eta"] == pytest.approx(later, abs=5_000)
    assert redis_client.llen(keys.ready(dq_name(QUEUE))) == 1
    assert redis_client.hlen(keys.messages(QUEUE)) == 0


@pytest.mark.parametrize("is_refused", [False, True])
@pytest.mark.parametrize("hook", ["before_enqueue", "after_enqueue"])
def test_message_that_middleware_sends_during_a_move_replaces_nothing(
    redis_url: str, redis_client: "redis.Redis", hook: str, is_refused: bool
) -> None:
    """Middleware that sends a message for each delayed one adds it unless it is refused, and the delayed one moves."""

    class Copies(dramatiq.Middleware):
        pass

    def send(_self: Any, broker: FinanceHubBroker, message: Any, _delay: int | None) -> None:
        if message.actor_name == "task":
            target: dict[str, Any] = {"actor_name": "next", "options": {}}
            for _ in range(LONGEST_PIPELINE if is_refused else 0):
                target = {"actor_name": "next", "options": {"pipe_target": target}}
            broker.enqueue(dramatiq.Message("other", "copy", (), {}, {"pipe_target": target}))

    setattr(Copies, hook, send)
    broker = build_broker(Settings(redis_url=redis_url))
    broker.add_middleware(Copies())
    broker.declare_queue(QUEUE)
    later = (round(time.time()) + 3_600) * 1_000
    broker.do_enqueue(QUEUE, "r-1", dramatiq.Message(QUEUE, "task", (), {}, {"eta": later}).encode())
    assert next(broker.consume(QUEUE, prefetch=1, timeout=10)) is None
    queues = {queue: redis_client.hvals(keys.messages(queue)) for queue in (QUEUE, dq_name(QUEUE), "other")}
    names = {queue: [dramatiq.Message.decode(data).actor_name for data in found] for queue, found in queues.items()}
    assert names == {QUEUE: [], dq_name(QUEUE): ["task"], "other": [] if is_refused else ["copy"]}


def test_message_that_a_task_sends_again_is_enqueued_at_once(redis_url: str, redis_client: "redis.Redis") -> None:
    """If a task enqueues a copy of a message that was delayed, nothing acknowledges it, so it is not a move."""
    broker, consumer, delivery = delayed(redis_url)
    move(broker, delivery)
    consumer.ack(delivery)
    running = Case.fetch(broker.consume(QUEUE, prefetch=1, timeout=10))
    broker.enqueue(running.copy())
    assert redis_client.llen(keys.ready(QUEUE)) == 1


def test_settling_step_writes_nothing_if_a_key_of_a_follow_up_has_a_wrong_type(
    redis_url: str, redis_client: "redis.Redis"
) -> None:
    """The script reads all keys before its first write, so a foreign key strands no message."""
    case = Case(redis_url, "retry")
    redis_client.set(keys.ready("other"), "foreign")
    script = redis_client.register_script(queue_scripts.REPLACE)
    id = case.delivery.options["redis_message_id"]
    names = [keys.acks(case.broker.broker_id, QUEUE), keys.messages(QUEUE), keys.losses(QUEUE)]
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        script(keys=[*names, keys.ready("other"), keys.messages("other")], args=[id, "new", "{}"])
    assert redis_client.sismember(names[0], id)
    assert redis_client.hexists(names[1], id)


@pytest.mark.parametrize("follow_up", ["retry", "on_retry_exhausted"])
@pytest.mark.parametrize("key", [keys.ready, keys.messages])
def test_key_of_a_follow_up_with_a_wrong_type_is_set_aside(
    redis_url: str, redis_client: "redis.Redis", follow_up: str, key: Callable[[str], str]
) -> None:
    """The message is settled, although its own queue has no wrong key. It would otherwise occupy its thread forever."""
    case = Case(redis_url, follow_up)
    target = dq_name(QUEUE) if follow_up == "retry" else "elsewhere"
    case.delivery.pending = [(target, redis_id, data) for _, redis_id, data in case.delivery.pending]
    redis_client.set(key(target), "foreign")
    case.settle()
    assert redis_client.llen(keys.ready(target)) == redis_client.hlen(keys.messages(target)) == 1
    assert redis_client.get(f"{ASIDE}{key(target)}") == b"foreign"
    assert redis_client.hlen(keys.messages(QUEUE)) == 0
