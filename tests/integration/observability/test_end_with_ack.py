"""The end of a run that succeeded is recorded in one step with the ack of its message."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import redis
from dramatiq import Message
from dramatiq.errors import ConnectionClosed

from financehub_shared.broker.delivery import Acknowledgment, Delivery
from financehub_shared.monitor import RunState
from financehub_shared.redis import keys, queue_keys
from financehub_shared.worker.middleware.run_recorder import _End
from support.observed import ObservedWorker
from support.redis_binaries import SERVERS
from support.redis_server import RedisServer
from support.run_events import end_event


def _names(fleet: ObservedWorker) -> Sequence[str]:
    """Return the keys of an ack."""
    return fleet.broker._held_keys("high")


def _ack(fleet: ObservedWorker, redis_id: bytes = b"r-1") -> Acknowledgment:
    """Return the acknowledgment of a message, which fetches nothing."""
    return Acknowledgment(_names(fleet), (redis_id, "", fleet.broker.broker_id, 1_000))


def _hold_message(fleet: ObservedWorker, redis_id: str = "r-1") -> None:
    """Make this worker the holder of a message."""
    acks, messages, _ = _names(fleet)
    fleet.client.sadd(acks, redis_id)
    fleet.client.hset(messages, redis_id, "a message")


def _is_held(fleet: ObservedWorker, redis_id: str = "r-1") -> bool:
    acks, messages, _ = _names(fleet)
    return bool(fleet.client.sismember(acks, redis_id) and fleet.client.hexists(messages, redis_id))


def _attempts(fleet: ObservedWorker) -> int:
    return int(fleet.client.hget(keys.task_stats("task"), "attempts") or 0)


@pytest.fixture
def fleet(redis_url: str) -> ObservedWorker:
    """A worker whose writer is not started."""
    return ObservedWorker(redis_url)


def _writer(fleet: ObservedWorker) -> Any:
    return fleet.observers.run_recorder._writer  # type: ignore[attr-defined]


def test_run_that_succeeds_needs_no_separate_ack(fleet: ObservedWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker with 100 messages sends no ack apart from the record, and every run is recorded."""
    acks: list[object] = []
    acknowledge = fleet.broker._ack
    monkeypatch.setattr(fleet.broker, "_ack", lambda **call: acks.append(call) or acknowledge(**call))
    actor = fleet.actor(lambda: None, actor_name="task")
    for _ in range(100):
        actor.send()
    fleet.drain()
    assert acks == []
    assert fleet.monitor.get_all_stats()["task"].succeeded == 100
    assert fleet.client.keys("dramatiq:*__acks__*") == []


def test_end_that_redis_refuses_acknowledges_nothing(redis_server: Callable[..., RedisServer]) -> None:
    """If Redis refuses all writes, the message is still held after the call, and its end is kept in memory."""
    fleet = ObservedWorker(redis_server().url)
    _hold_message(fleet)
    fleet.client.config_set("min-replicas-to-write", 1)
    assert not _writer(fleet).record_end_and_acknowledge(end_event("r-1"), _ack(fleet))
    assert _is_held(fleet)
    fleet.client.config_set("min-replicas-to-write", 0)
    _writer(fleet).flush()
    assert (_attempts(fleet), _is_held(fleet)) == (1, True)


@pytest.mark.parametrize("server", SERVERS)
def test_end_is_recorded_with_the_ack_while_redis_is_full(
    redis_server: Callable[..., RedisServer], server: str
) -> None:
    """A worker that dies while Redis is full takes no record of an acknowledged run with it."""
    fleet = ObservedWorker(redis_server(server=server).url)
    _hold_message(fleet)
    fleet.client.config_set("maxmemory", 1)
    assert _writer(fleet).record_end_and_acknowledge(end_event("r-1"), _ack(fleet))
    assert (_attempts(fleet), _is_held(fleet)) == (1, False)


@pytest.mark.parametrize("key", [0, 1, 2])
def test_ack_that_fails_is_repeated_by_the_broker(fleet: ObservedWorker, key: int) -> None:
    """If a key of the ack has another type, the end is recorded once, and the broker's own ack sets the key aside."""
    consumer = fleet.broker.consume("high")
    _hold_message(fleet)
    name = _names(fleet)[key]
    fleet.client.delete(name)
    fleet.client.set(name, "of another program")
    delivery = Delivery(Message("high", "task", (), {}, {"redis_message_id": "r-1"}))
    delivery.end = _End(_writer(fleet), end_event("r-1"))
    consumer.ack(delivery)
    acks, messages, losses = _names(fleet)
    assert _attempts(fleet) == 1
    assert fleet.client.exists(acks, messages, losses) == 0 or not fleet.client.sismember(acks, "r-1")
    assert fleet.client.get(f"financehub:set-aside:{name}") == b"of another program"


def test_end_of_a_message_that_was_reclaimed_is_recorded(fleet: ObservedWorker) -> None:
    """If another worker has the message now, the end is recorded and the message stays."""
    fleet.client.hset(_names(fleet)[1], "r-1", "held by another worker")
    assert _writer(fleet).record_end_and_acknowledge(end_event("r-1"), _ack(fleet))
    assert fleet.client.hget(_names(fleet)[1], "r-1") == b"held by another worker"
    assert _attempts(fleet) == 1


def test_id_that_is_not_utf8_is_acknowledged(fleet: ObservedWorker) -> None:
    """The id of a message may have any bytes."""
    acks, messages, _ = _names(fleet)
    fleet.client.sadd(acks, b"\xff\x00")
    fleet.client.hset(messages, b"\xff\x00", "a message")
    assert _writer(fleet).record_end_and_acknowledge(end_event("r-1"), _ack(fleet, b"\xff\x00"))
    assert fleet.client.exists(acks, messages) == 0


def test_end_is_recorded_before_its_message_is_dead_lettered(fleet: ObservedWorker) -> None:
    """If a middleware fails a message after its end was prepared, the end is recorded before the message leaves."""
    consumer = fleet.broker.consume("high")
    _hold_message(fleet)
    delivery = Delivery(Message("high", "task", (), {}, {"redis_message_id": "r-1"}))
    delivery.end = _End(_writer(fleet), end_event("r-1"))
    delivery.fail()
    consumer.nack(delivery)
    run = fleet.monitor.get_run("r-1")
    assert run is not None
    assert run.state is RunState.SUCCEEDED
    assert fleet.client.zcard(queue_keys.dead("high")) == 1


def _fail(*_: object) -> None:
    raise redis.ConnectionError("reset")


@pytest.mark.parametrize("way", ["ack", "retry", "dead letter"])
def test_message_leaves_its_queue_only_after_its_end_is_recorded(fleet: ObservedWorker, way: str) -> None:
    """While the records of a worker wait for Redis, an ack waits too, even if its own connection works.

    A worker that was killed shortly after its connections were reset took the records of acknowledged runs with it, as
    a history of `make history` showed.
    """
    consumer, writer = fleet.broker.consume("high"), _writer(fleet)
    _hold_message(fleet)
    delivery = Delivery(Message("high", "task", (), {}, {"redis_message_id": "r-1"}))
    delivery.end = _End(writer, end_event("r-1"))
    if way == "retry":
        delivery.pending.append(("high", "r-2", b"{}"))
    if way == "dead letter":
        delivery.fail()
    settle = consumer.nack if delivery.failed else consumer.ack
    send, writer._script = writer._script, _fail
    for _ in range(2):
        with pytest.raises(ConnectionClosed, match="not recorded yet"):
            settle(delivery)
    assert (_attempts(fleet), _is_held(fleet)) == (0, True)
    writer._script = send
    settle(delivery)
    assert (_attempts(fleet), _is_held(fleet)) == (1, False)
    assert fleet.client.lrange(queue_keys.ready("high"), 0, -1) == ([b"r-2"] if way == "retry" else [])
