"""Messages from other programs that pass the door, on a real Redis."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dramatiq
import pytest
import redis

from financehub_shared.broker.encoding import LONGEST_PIPELINE
from financehub_shared.broker.redis_broker import FinanceHubBroker
from financehub_shared.core.clock import SystemClock
from financehub_shared.core.settings import Settings
from financehub_shared.redis import queue_keys as keys
from financehub_shared.redis.client import connect
from financehub_shared.redis.server_clock import ServerClock
from financehub_shared.worker.build import build_broker
from support.redis_server import PATIENT_SECONDS
from support.waiting import eventually

Serve = Callable[..., AbstractContextManager[object]]


@pytest.fixture
def broker(redis_url: str, redis_client: "redis.Redis") -> FinanceHubBroker:
    """A broker on an empty Redis."""
    return build_broker(Settings(redis_url=redis_url), client=connect(redis_url, retries=0, timeout=PATIENT_SECONDS))


def put(client: "redis.Redis", id: str, queue: str, options: dict[str, Any], **fields: Any) -> None:
    """Append a message of the actor `task` to a queue as another program does."""
    body = {"queue_name": "q", "actor_name": "task", "args": [], "kwargs": {}, "options": options} | fields
    client.hset(keys.messages(queue), id, json.dumps(body))
    client.rpush(keys.ready(queue), id)


@pytest.mark.parametrize(("queue", "eta"), [("q.DQ", 5), ("q", None)])
def test_pipeline_that_only_our_senders_refuse_runs(
    queue: str, eta: int | None, broker: FinanceHubBroker, redis_client: "redis.Redis", serving: Serve
):
    """The door accepts slightly longer pipelines than an enqueue. One of them must not block its delay queue."""
    steps = LONGEST_PIPELINE + 5
    runs: list[int] = []
    dramatiq.actor(lambda *_: runs.append(1), actor_name="task", queue_name="q", broker=broker)
    options: dict[str, Any] = {}
    for _ in range(steps - 1):
        step = {"queue_name": "q", "actor_name": "task", "args": [], "kwargs": {}, "options": options}
        step |= {"message_id": "m", "message_timestamp": round(time.time() * 1000)}
        options = {"pipe_target": step}
    options = options | ({} if eta is None else {"eta": eta})
    put(redis_client, "long", queue, options)
    with serving(broker):
        eventually(lambda: len(runs) == steps, within=PATIENT_SECONDS)
        eventually(lambda: broker.do_qsize("q") == 0, within=PATIENT_SECONDS)
    assert len(runs) == steps


class LateClock(SystemClock):
    """A clock one hour behind the one of this machine."""

    def now(self) -> float:
        return super().now() - 3_600


def test_times_of_a_message_come_from_the_clock_of_the_broker(redis_url: str, redis_client: "redis.Redis"):
    """Whether a message is due, when it was created and when it died come from the clock of the broker."""
    clock = ServerClock(LateClock())
    broker = build_broker(Settings(redis_url=redis_url), clock=clock)
    now = clock.now()
    put(redis_client, "due", "q", {"eta": round(now * 1000) - 60_000})
    put(redis_client, "later", "q", {"eta": round(now * 1000) + 1_800_000})
    put(redis_client, "bad", "q", {"eta": "soon"})
    consumer = broker.consume("q", prefetch=3, timeout=10)
    due = next(consumer)
    assert due is not None
    assert due.message_timestamp / 1000 == pytest.approx(now, abs=60)
    assert next(consumer) is None
    assert redis_client.hlen(keys.messages("q.DQ")) == 1
    assert next(consumer) is None
    (letter,) = redis_client.hvals(keys.dead_messages("q"))
    assert json.loads(letter)["options"]["dead_letter"]["died_at"] / 1000 == pytest.approx(now, abs=60)
