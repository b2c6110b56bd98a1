"""A failover that undoes the last acknowledgments and fetches, because the new master had not received them."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager

import dramatiq
import pytest
import redis
from dramatiq.common import dq_name

from financehub_shared.broker import in_flight
from financehub_shared.broker.delivery import Delivery
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS, free_port
from support.waiting import eventually
from support.workers import unsettled

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


def undo_fetch(broker: FinanceHubBroker, redis_id: str, entry: bytes) -> None:
    """Bring Redis into the state before the fetch."""
    broker.client.srem(keys.acks(broker.broker_id, _QUEUE), redis_id)
    broker.client.hset(keys.messages(_QUEUE), redis_id, entry)
    broker.client.lpush(keys.ready(_QUEUE), redis_id)


def test_message_whose_fetch_is_undone_during_its_run_does_not_run_again(broker: FinanceHubBroker):
    """The worker gets a message again that it still runs. The run goes on, and its acknowledgment has an effect."""
    sent = broker.enqueue(broker.get_actor("succeed").message())
    redis_id = sent.options["redis_message_id"]
    entry = broker.client.hget(keys.messages(_QUEUE), redis_id)
    delivery = next(broker.consume(_QUEUE, prefetch=2, timeout=10))
    assert delivery is not None
    undo_fetch(broker, redis_id, entry)
    after_failover = broker.consume(_QUEUE, prefetch=2, timeout=10)
    assert next(after_failover) is None
    broker.requeue_unfinished(_QUEUE)
    assert broker.client.sismember(keys.acks(broker.broker_id, _QUEUE), redis_id)
    after_failover.ack(delivery)
    assert unsettled(broker.client, _QUEUE) == 0


def test_message_whose_fetch_is_undone_after_its_run_does_not_run_again(broker: FinanceHubBroker):
    """The worker gets a message again whose run it has completed, and deletes it."""
    redis_id, entry = run(broker, "succeed")
    undo_fetch(broker, redis_id, entry)
    assert next(broker.consume(_QUEUE, prefetch=1, timeout=10)) is None
    assert unsettled(broker.client, _QUEUE) == 0


def test_message_whose_follow_up_may_be_lost_runs_again_after_an_undone_fetch(broker: FinanceHubBroker):
    """If the fetch was undone, the acknowledgment had no effect and enqueued no retry, so the run is repeated."""
    redis_id, entry = run(broker, "fail")
    undo_fetch(broker, redis_id, entry)
    assert next(broker.consume(_QUEUE, prefetch=1, timeout=10)) is not None


def test_number_of_remembered_messages_is_bounded():
    """A process remembers the latest messages only."""
    messages = in_flight.InFlightMessages()
    for number in range(in_flight.FINISHED_KEPT + 10):
        messages.finish(str(number), f"{number}@1")
    assert messages.finished[0] == ("10", "10@1")
    assert len(messages.finished) == in_flight.FINISHED_KEPT


def enqueue_again(broker: FinanceHubBroker, redis_id: str, entry: bytes) -> None:
    """Enqueue a message again with its id, as a requeued dead letter or an earlier value of a trigger annotation is."""
    message = json.loads(entry)
    message["options"]["ready_at"] += 1
    broker.do_enqueue(_QUEUE, redis_id, json.dumps(message).encode())


def test_message_that_is_enqueued_again_with_its_id_runs_again(broker: FinanceHubBroker):
    """It looks like one whose fetch was undone, but it became ready at another time."""
    redis_id, entry = run(broker, "succeed")
    enqueue_again(broker, redis_id, entry)
    delivery = next(broker.consume(_QUEUE, prefetch=1, timeout=10))
    assert delivery is not None
    assert delivery.options["redis_message_id"] == redis_id


def test_message_that_is_enqueued_again_and_fetched_with_an_acknowledgment_runs_again(broker: FinanceHubBroker):
    """The fetch of a worker thread makes the same difference."""
    delivered: list[Delivery] = []
    broker.deliver_with(_QUEUE, delivered.append)
    redis_id, entry = run(broker, "succeed")
    broker.enqueue(broker.get_actor("succeed").message())
    consumer = broker.consume(_QUEUE, prefetch=1, timeout=10)
    delivery = next(consumer)
    assert delivery is not None
    enqueue_again(broker, redis_id, entry)
    consumer.ack(delivery)
    assert [one.options["redis_message_id"] for one in delivered] == [redis_id]
    assert redis_id in broker._in_flight[_QUEUE]


def test_message_that_is_enqueued_again_waits_after_the_reply_to_its_fetch_is_lost(broker: FinanceHubBroker):
    """The check for lost replies gives it back, and does not delete it as one whose acknowledgment was undone."""
    redis_id, entry = run(broker, "succeed")
    enqueue_again(broker, redis_id, entry)
    broker.do_fetch(_QUEUE, 1)
    broker.consume(_QUEUE)
    assert is_waiting(broker.client, redis_id)
    assert broker.client.hexists(keys.messages(_QUEUE), redis_id)


def test_message_that_is_fetched_with_its_own_acknowledgment_runs_again_at_once(broker: FinanceHubBroker):
    """The janitor has taken it back from a worker that was suspended, and its run has sent messages."""
    broker.deliver_with(_QUEUE, [].append)
    broker.enqueue(broker.get_actor("succeed").message())
    consumer = broker.consume(_QUEUE, prefetch=1, timeout=10)
    delivery = next(consumer)
    assert isinstance(delivery, Delivery)
    delivery.has_follow_ups = True
    redis_id = delivery.options["redis_message_id"]
    broker.do_requeue(_QUEUE, redis_id)
    consumer.ack(delivery)
    again = next(consumer)
    assert again is not None
    assert again.options["redis_message_id"] == redis_id
