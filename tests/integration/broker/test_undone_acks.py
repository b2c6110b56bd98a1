"""A failover that undoes the last acknowledgments, because the new master had not received them."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

import dramatiq
import pytest
import redis
from dramatiq import Message
from dramatiq.common import dq_name

from financehub_shared.broker import in_flight
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS, free_port
from support.waiting import eventually

_QUEUE = "q"


@pytest.fixture
def broker(redis_url: str, redis_client: "redis.Redis") -> FinanceHubBroker:
    """A broker with an actor that succeeds, one that fails and is retried, and one that is followed by a callback."""
    broker = build_broker(Settings(redis_url=redis_url, http_port=free_port()))

    @dramatiq.actor(queue_name=_QUEUE, broker=broker)
    def succeed() -> None:
        return None

    @dramatiq.actor(queue_name=_QUEUE, broker=broker, max_retries=1, min_backoff=60_000)
    def fail() -> None:
        raise ValueError("expected")

    return broker


def run(broker: FinanceHubBroker, actor: str, **options: object) -> tuple[str, bytes]:
    """Run one message to its end, and return its id and its queue entry."""
    sent = broker.enqueue(broker.get_actor(actor).message_with_options(**options))
    redis_id = sent.options["redis_message_id"]
    entry = broker.client.hget(keys.messages(_QUEUE), redis_id)
    consumer = broker.consume(_QUEUE, prefetch=1, timeout=10)
    delivery = next(consumer)
    assert delivery is not None
    try:
        result, error = broker.get_actor(actor)(*delivery.args), None
    except ValueError as raised:
        result, error = None, raised
    outcome = {"exception": error} if error else {"result": result}
    broker.emit_after("process_message", delivery, **outcome)
    consumer.ack(delivery)
    assert not broker.client.hexists(keys.messages(_QUEUE), redis_id)
    return redis_id, entry


def undo_ack(broker: FinanceHubBroker, redis_id: str, entry: bytes, queue: str = _QUEUE) -> None:
    """Bring Redis into the state before the ack."""
    broker.client.hset(keys.messages(queue), redis_id, entry)
    broker.client.sadd(keys.acks(broker.broker_id, queue), redis_id)


def is_waiting(client: "redis.Redis", redis_id: str, queue: str = _QUEUE) -> bool:
    """Whether a message waits in its queue."""
    return redis_id.encode() in client.lrange(keys.ready(queue), 0, -1)


def test_message_whose_ack_is_undone_does_not_run_again(broker: FinanceHubBroker):
    """After the failover, the worker deletes a message whose run it has completed."""
    redis_id, entry = run(broker, "succeed")
    undo_ack(broker, redis_id, entry)
    broker.consume(_QUEUE)
    assert not is_waiting(broker.client, redis_id)
    assert not broker.client.hexists(keys.messages(_QUEUE), redis_id)
    assert broker.client.scard(keys.acks(broker.broker_id, _QUEUE)) == 0


@pytest.mark.parametrize(("actor", "options"), [("fail", {}), ("succeed", {"on_success": "succeed"})])
def test_message_whose_follow_up_may_be_lost_runs_again(
    actor: str, options: dict[str, object], broker: FinanceHubBroker
):
    """A retry or callback may be lost with the ack, so the run is repeated. Running twice is better than never."""
    redis_id, entry = run(broker, actor, **options)
    undo_ack(broker, redis_id, entry)
    broker.consume(_QUEUE)
    assert is_waiting(broker.client, redis_id)


@pytest.mark.parametrize("kind", ["sync", "async", "thread"])
def test_message_whose_task_sent_a_message_runs_again(
    kind: str, broker: FinanceHubBroker, serving: Callable[..., AbstractContextManager[object]]
):
    """The messages that a task sends may be lost with the ack of its own message."""
    sent: list[str] = []

    @dramatiq.actor(queue_name="other", broker=broker)
    def child() -> None:
        sent.append("run")

    def send() -> None:
        child.send()

    async def send_async() -> None:
        child.send()

    async def send_in_thread() -> None:
        await asyncio.to_thread(child.send)

    tasks = {"sync": send, "async": send_async, "thread": send_in_thread}
    parent = dramatiq.actor(tasks[kind], actor_name="parent", queue_name=_QUEUE, broker=broker)
    redis_id = parent.send().options["redis_message_id"]
    entry = broker.client.hget(keys.messages(_QUEUE), redis_id)
    with serving(broker):
        eventually(lambda: sent, within=PATIENT_SECONDS)
        eventually(lambda: not broker.client.hexists(keys.messages(_QUEUE), redis_id), within=PATIENT_SECONDS)
    undo_ack(broker, redis_id, entry)
    broker.consume(_QUEUE)
    assert is_waiting(broker.client, redis_id)


def test_delayed_message_whose_move_is_undone_is_moved_again(broker: FinanceHubBroker):
    """A worker moves a due message to its queue and then acknowledges it. A failover may undo both."""
    delayed = dq_name(_QUEUE)
    sent = broker.enqueue(broker.get_actor("succeed").message(), delay=0)
    redis_id = sent.options["redis_message_id"]
    entry = broker.client.hget(keys.messages(delayed), redis_id)
    consumer = broker.consume(delayed, prefetch=1, timeout=10)
    delivery = next(consumer)
    assert delivery is not None
    moved = delivery.copy(queue_name=_QUEUE)
    del moved.options["eta"]
    broker.enqueue(moved)
    consumer.ack(delivery)
    broker.client.delete(keys.ready(_QUEUE), keys.messages(_QUEUE))
    undo_ack(broker, redis_id, entry, delayed)
    broker.consume(delayed)
    assert is_waiting(broker.client, redis_id, delayed)


def test_message_that_this_process_holds_again_is_kept(broker: FinanceHubBroker):
    """A finished message that was delivered again is in flight like any other."""
    redis_id, entry = run(broker, "succeed")
    broker.client.hset(keys.messages(_QUEUE), redis_id, entry)
    broker.client.rpush(keys.ready(_QUEUE), redis_id)
    consumer = broker.consume(_QUEUE, prefetch=1, timeout=10)
    delivery: Message | None = next(consumer)
    assert delivery is not None
    broker.requeue_unfinished(_QUEUE)
    assert broker.client.hexists(keys.messages(_QUEUE), redis_id)
    assert broker.client.sismember(keys.acks(broker.broker_id, _QUEUE), redis_id)


def test_number_of_remembered_messages_is_bounded():
    """A process remembers the latest messages only."""
    messages = in_flight.InFlightMessages()
    for number in range(in_flight.FINISHED_KEPT + 10):
        messages.finish(str(number))
    assert messages.finished[0] == "10"
    assert len(messages.finished) == in_flight.FINISHED_KEPT
